"""A filter says which files a run is about, in rclone's language and with rclone's answers.

A file is selected if the walk reaches it and its own rules let it pass. The walk leaves out a directory that the
rules exclude as a whole, and this is part of the definition: a service that is listed without walking gives the
same files, by ``Filter.selects``. (rclone selects more then, and a sync would delete other files.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from omnistorage.core import units

from .chaining import Step
from .criteria import Criteria, bound, moment, size_of, texts
from .parts import part_of, read_part
from .rules import FilterError, Rule, Rules, parents, read_lines, read_names

if TYPE_CHECKING:
    from .explaining import Explanation

__all__ = ["Filter", "FilterError"]

_MOST_DIRECTORIES = 50_000  # whose answer is kept


class Filter:
    """Select files by name, size and age: ``Filter.include("*.json").exclude("*.tmp").max_age("7d")``.

    A filter never changes; each method returns a new one. Rules are tried in rclone's order, not in that of the
    calls: ``include``, ``include_from``, ``exclude``, ``exclude_from``, ``rule``, ``filter_from``, and, if
    anything is included, a last one that excludes the rest. The first rule that matches decides.

    Raises:
        FilterError: A rule is malformed, or settings contradict each other.
        ValueError: A size or an age is malformed.
        OSError: A file of rules cannot be read.
    """

    __slots__ = ("_criteria", "_parents", "_reached", "_rules")

    _reached: dict[str, bool]

    def __init__(
        self,
        *,
        include: Iterable[str] = (),
        include_from: Iterable[str] = (),
        exclude: Iterable[str] = (),
        exclude_from: Iterable[str] = (),
        rules: Iterable[str] = (),
        filter_from: Iterable[str] = (),
        files_from: Iterable[str] = (),
        files_from_raw: Iterable[str] = (),
        files_from0: Iterable[str] = (),
        exclude_if_present: Iterable[str] = (),
        min_size: int | str | None = None,
        max_size: int | str | None = None,
        min_age: float | str | None = None,
        max_age: float | str | None = None,
        hash_filter: str | None = None,
        max_depth: int = 0,
        ignore_case: bool = False,
        delete_excluded: bool = False,
    ) -> None:
        lists = [read_names(path) for path in texts(files_from)]
        lists += [read_names(path, raw=True) for path in texts(files_from_raw)]
        lists += [read_names(path, end="\0") for path in texts(files_from0)]
        self._take(
            Criteria(
                include=texts(include),
                include_from=tuple(map(read_lines, texts(include_from))),
                exclude=texts(exclude),
                exclude_from=tuple(map(read_lines, texts(exclude_from))),
                rules=texts(rules),
                filter_from=tuple(map(read_lines, texts(filter_from))),
                files=frozenset().union(*lists) if lists else None,
                markers=texts(exclude_if_present),
                min_size=size_of(min_size),
                max_size=size_of(max_size),
                oldest=bound(max_age),
                newest=bound(min_age),
                part=read_part(hash_filter) if hash_filter else None,
                depth=max_depth if max_depth > 0 else None,
                ignore_case=ignore_case,
                delete_excluded=delete_excluded,
            )
        )

    @Step
    def include(self, *patterns: str) -> Filter:
        """Let the files pass that match one of the globs, and none that no rule lets pass."""
        return self._with(include=(*self._criteria.include, *filter(None, patterns)))

    @Step
    def include_from(self, path: str) -> Filter:
        """Include the globs in a file, one per line; ``-`` is standard input."""
        return self._with(include_from=(*self._criteria.include_from, read_lines(path)))

    @Step
    def exclude(self, *patterns: str) -> Filter:
        """Leave out the files that match one of the globs; ``dir/`` leaves out a directory."""
        return self._with(exclude=(*self._criteria.exclude, *filter(None, patterns)))

    @Step
    def exclude_from(self, path: str) -> Filter:
        """Exclude the globs in a file, one per line; ``-`` is standard input."""
        return self._with(exclude_from=(*self._criteria.exclude_from, read_lines(path)))

    @Step
    def rule(self, *rules: str) -> Filter:
        """Add rules: ``+ glob``, ``- glob``, or ``!`` to forget all rules before."""
        return self._with(rules=(*self._criteria.rules, *filter(None, rules)))

    @Step
    def filter_from(self, path: str) -> Filter:
        """Add the rules in a file, one per line; ``-`` is standard input."""
        return self._with(filter_from=(*self._criteria.filter_from, read_lines(path)))

    @Step
    def files_from(self, path: str, raw: bool = False, end: str = "\n") -> Filter:
        """Select the files that are listed in a file, and no others.

        Args:
            path: The file; ``-`` is standard input.
            raw: Take each line as it is.
            end: What ends a name; ``"\\0"`` for the output of ``find -print0``, which is raw, too.
        """
        return self._with(files=(self._criteria.files or frozenset()) | read_names(path, raw, end))

    @Step
    def only(self, *paths: str) -> Filter:
        """Take exactly these files, whatever else is there."""
        return self._with(files=(self._criteria.files or frozenset()).union(paths))

    @Step
    def exclude_if_present(self, *names: str) -> Filter:
        """Leave out directories that hold a file with one of these names, with all that is below."""
        return self._with(markers=(*self._criteria.markers, *names))

    @Step
    def min_size(self, size: int | str) -> Filter:
        """Leave out files smaller than this: bytes, or a text like ``100k``."""
        return self._with(min_size=size_of(size))

    @Step
    def max_size(self, size: int | str) -> Filter:
        """Leave out files larger than this: bytes, or a text like ``1.5G``."""
        return self._with(max_size=size_of(size))

    @Step
    def min_age(self, age: float | str) -> Filter:
        """Leave out files younger than this, from now: seconds, or a text like ``7d`` or ``2024-01-31``."""
        return self._with(newest=bound(age))

    @Step
    def max_age(self, age: float | str) -> Filter:
        """Leave out files older than this, from now: seconds, or a text like ``7d`` or ``2024-01-31``."""
        return self._with(oldest=bound(age))

    @Step
    def hash_filter(self, part: str) -> Filter:
        """Select one part of all files by a hash of their names: ``1/4``; ``@/4`` is a random one."""
        return self._with(part=read_part(part))

    @Step
    def max_depth(self, depth: int) -> Filter:
        """Walk this many levels, 1 being the files of the root; 0 is without end."""
        return self._with(depth=depth if depth > 0 else None)

    @Step
    def ignore_case(self) -> Filter:
        """Let rules match upper and lower case alike."""
        return self._with(ignore_case=True)

    @Step
    def delete_excluded(self) -> Filter:
        """Let a sync delete what this filter leaves out at the destination."""
        return self._with(delete_excluded=True)

    def by_name(self) -> Filter:
        """Return the part of this filter that asks for nothing but names: no sizes, no ages."""
        return self._with(min_size=None, max_size=None, oldest=None, newest=None)

    @property
    def asks_for_times(self) -> bool:
        """Which files pass depends on their times of modification."""
        return self._criteria.oldest is not None or self._criteria.newest is not None

    def without_times(self) -> Filter:
        """Return the part of this filter that asks for no times: what it leaves out need not be looked at."""
        return self._with(oldest=None, newest=None)

    @property
    def is_trivial(self) -> bool:
        """Everything passes, so that no other question needs to be asked."""
        return self._criteria.depth is None and not self.is_choosy

    @property
    def is_choosy(self) -> bool:
        """Files may be left out, and not only because they lie too deep."""
        return self._criteria.files is not None or self._restricts()

    @property
    def criteria(self) -> Criteria:
        """All that was asked for."""
        return self._criteria

    @property
    def marker_names(self) -> tuple[str, ...]:
        """Names of files that exclude the directory they are in; who lists directories has to look."""
        return self._criteria.markers

    @property
    def depth(self) -> int | None:
        """How many levels to walk; None is without end."""
        return self._criteria.depth

    @property
    def files(self) -> frozenset[str] | None:
        """The only files to look at, or None for all."""
        return self._criteria.files

    @property
    def deletes_excluded(self) -> bool:
        """A sync may delete what is left out at the destination."""
        return self._criteria.delete_excluded

    def allows_file(self, path: str, size: int | None, mtime_ns: int | None) -> bool:
        """Tell whether a file passes whose directory has been entered.

        An unknown size is below every bound, an unknown time (nanoseconds of Unix time) is now.
        """
        asked = self._criteria
        if asked.files is not None:
            return path in asked.files
        if asked.min_size is not None and (-1 if size is None else size) < asked.min_size:
            return False
        if asked.max_size is not None and size is not None and size > asked.max_size:
            return False
        if (asked.oldest or asked.newest) and not self.allows_time(mtime_ns):
            return False
        if not self._rules.files.allows(path):
            return False
        return asked.part is None or part_of(path, asked.part[1]) == asked.part[0]

    def allows_time(self, mtime_ns: int | None) -> bool:
        """Tell whether a time of modification is within the limits; an unknown one is now."""
        if mtime_ns is None:
            import time

            mtime_ns = time.time_ns()
        oldest, newest = self._criteria.oldest, self._criteria.newest
        return not (oldest and mtime_ns < oldest.time_ns) and not (newest and mtime_ns > newest.time_ns)

    def allows_dir(self, path: str) -> bool:
        """Tell whether the walk enters a directory whose parent it has entered.

        The depth is not looked at: a directory at the last level is not entered, yet shown.
        """
        if self._parents is not None:
            return not path or path in self._parents
        return not path or self._rules.dirs.allows(f"{path}/")

    def selects(self, path: str, size: int | None, mtime_ns: int | None) -> bool:
        """Tell whether a walk would select this file: for those who list without walking.

        Marker files are not looked for.
        """
        return self._reaches(path) and self.allows_file(path, size, mtime_ns)

    def selects_dir(self, path: str) -> bool:
        """Tell whether a walk would come to this directory and not leave it out."""
        return self._reaches(path) and self.allows_dir(path)

    def explain(
        self, path: str, is_dir: bool = False, size: int | None = None, mtime_ns: int | None = None
    ) -> Explanation:
        """Tell why a path is selected or not, as if a walk had come to it; see ``selects``."""
        from .explaining import explain

        return explain(self, path.strip("/"), is_dir, size, mtime_ns)

    def rule_for(self, path: str, is_dir: bool = False) -> Rule | None:
        """Return the first rule that matches a path, which decides; None if none does."""
        return (self._rules.dirs if is_dir else self._rules.files).deciding(f"{path}/" if is_dir else path)

    def digest(self) -> str:
        """Return a hash in hex that is the same for filters that select the same for the same reasons.

        It is stable: across processes, runs and machines, and whether rules stand in a file or not. Ages that were
        given as a duration count as that, so that a filter of "the last week" has the same digest every day.
        """
        return self._criteria.digest()

    def dump(self) -> str:
        """Write the rules as rclone does with ``--dump filters``."""
        asked = self._criteria
        oldest, newest = asked.oldest, asked.newest
        limits = (
            ("Last-modified date must be equal or greater than", oldest and moment(oldest.time_ns)),
            ("Last-modified date must be equal or less than", newest and moment(newest.time_ns)),
            ("Minimum size is", asked.min_size is not None and units.format_size(asked.min_size)),
            ("Maximum size is", asked.max_size is not None and units.format_size(asked.max_size)),
        )
        lines = [f"{title}: {limit}" for title, limit in limits if limit]
        for title, listed in (("File", self._rules.files), ("Directory", self._rules.dirs)):
            lines.append(f"--- {title} filter rules ---")
            lines += [f"{'+' if rule.include else '-'} {rule.expression}" for rule in listed.rules]
        return "\n".join(["--- start filters ---", *lines, "--- end filters ---", ""])

    def _with(self, **changes: Any) -> Filter:
        return _of(msgspec.structs.replace(self._criteria, **changes))

    def _take(self, asked: Criteria) -> None:
        if asked.oldest and asked.newest and asked.oldest.time_ns > asked.newest.time_ns:
            raise FilterError("min-age is larger than max-age, so that no file could pass")
        self._criteria = asked
        self._rules = Rules(
            include=asked.includes,
            exclude=asked.excludes,
            lines=asked.lines,
            exclude_rest=asked.includes_only,
            ignore_case=asked.ignore_case,
        )
        if asked.files is not None and self._restricts():
            raise FilterError("files-from says all there is to select: want it without other filters")
        self._reached = {}
        self._parents = None if asked.files is None else parents(asked.files)

    def _restricts(self) -> bool:
        """Tell whether anything but a list or the depth leaves out files."""
        return bool(self._rules) or self._criteria.limits_facts

    def _reaches(self, path: str) -> bool:
        """Tell whether a walk comes to the directory that a path is in."""
        directory = path.rpartition("/")[0]
        reached = self._reached.get(directory)
        if reached is None:
            if len(self._reached) > _MOST_DIRECTORIES:
                self._reached = {}
            reached = self._reached[directory] = not self.is_too_deep(path) and self.barrier(path) is None
        return reached

    def is_too_deep(self, path: str) -> bool:
        """Tell whether a path lies below the levels that are walked."""
        depth = self._criteria.depth
        return depth is not None and path.count("/") >= depth

    def barrier(self, path: str) -> str | None:
        """Return the first directory above ``path`` that the walk does not enter, whatever its depth."""
        cut = path.find("/")
        while cut >= 0:
            if not self.allows_dir(path[:cut]):
                return path[:cut]
            cut = path.find("/", cut + 1)
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self._criteria == other._criteria

    def __hash__(self) -> int:
        return hash(self._criteria)

    def __reduce__(self) -> tuple[Any, ...]:
        # What was asked for, and nothing that was found since: the rest is made anew where it is wanted.
        return _of, (self._criteria,)

    def __repr__(self) -> str:
        given = msgspec.structs.asdict(self._criteria)
        return f"Filter({', '.join(f'{name}={value!r}' for name, value in given.items() if value)})"


def _of(asked: Criteria) -> Filter:
    made = Filter.__new__(Filter)
    made._take(asked)
    return made
