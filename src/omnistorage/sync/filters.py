"""A filter says which files a run is about, in rclone's language and with rclone's answers.

A file is selected if the walk reaches it and its own rules let it pass. The walk leaves out a directory that the
rules exclude as a whole, and this is part of the definition: a service that is listed without walking gives the
same files, by ``Filter.selects``. (rclone selects more then, and a sync would delete other files.)
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import msgspec

from omnistorage.core import units

from .chaining import Step
from .parts import part_of, read_part
from .rules import FilterError, Rules, parents, read_lines, read_names

__all__ = ["Explanation", "Filter", "FilterError"]

_MOST_DIRECTORIES = 50_000  # whose answer is kept


class Explanation(msgspec.Struct, frozen=True):
    """Why a path is selected or not.

    Attributes:
        allowed: The path is selected, or the directory is entered.
        rule: The rule that decided, as the user wrote it; None if none did.
        why: One line for people.
    """

    allowed: bool
    rule: str | None
    why: str


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for; of files, what was in them, one tuple for each."""

    include: tuple[str, ...] = ()
    include_from: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_from: tuple[tuple[str, ...], ...] = ()
    rules: tuple[str, ...] = ()
    filter_from: tuple[tuple[str, ...], ...] = ()
    files: frozenset[str] | None = None
    markers: tuple[str, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    oldest: int | None = None
    newest: int | None = None
    part: tuple[int, int] | None = None
    depth: int | None = None
    ignore_case: bool = False
    delete_excluded: bool = False


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

    __slots__ = ("_parents", "_reached", "_rules", "_settings")

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
        lists = [read_names(path) for path in _texts(files_from)]
        lists += [read_names(path, raw=True) for path in _texts(files_from_raw)]
        lists += [read_names(path, end="\0") for path in _texts(files_from0)]
        self._take(
            _Settings(
                include=_texts(include),
                include_from=tuple(map(read_lines, _texts(include_from))),
                exclude=_texts(exclude),
                exclude_from=tuple(map(read_lines, _texts(exclude_from))),
                rules=_texts(rules),
                filter_from=tuple(map(read_lines, _texts(filter_from))),
                files=frozenset().union(*lists) if lists else None,
                markers=_texts(exclude_if_present),
                min_size=_size(min_size),
                max_size=_size(max_size),
                oldest=_time(max_age),
                newest=_time(min_age),
                part=read_part(hash_filter) if hash_filter else None,
                depth=max_depth if max_depth > 0 else None,
                ignore_case=ignore_case,
                delete_excluded=delete_excluded,
            )
        )

    @Step
    def include(self, *patterns: str) -> Filter:
        """Let the files pass that match one of the globs, and none that no rule lets pass."""
        return self._with(include=(*self._settings.include, *filter(None, patterns)))

    @Step
    def include_from(self, path: str) -> Filter:
        """Include the globs in a file, one per line; ``-`` is standard input."""
        return self._with(include_from=(*self._settings.include_from, read_lines(path)))

    @Step
    def exclude(self, *patterns: str) -> Filter:
        """Leave out the files that match one of the globs; ``dir/`` leaves out a directory."""
        return self._with(exclude=(*self._settings.exclude, *filter(None, patterns)))

    @Step
    def exclude_from(self, path: str) -> Filter:
        """Exclude the globs in a file, one per line; ``-`` is standard input."""
        return self._with(exclude_from=(*self._settings.exclude_from, read_lines(path)))

    @Step
    def rule(self, *rules: str) -> Filter:
        """Add rules: ``+ glob``, ``- glob``, or ``!`` to forget all rules before."""
        return self._with(rules=(*self._settings.rules, *filter(None, rules)))

    @Step
    def filter_from(self, path: str) -> Filter:
        """Add the rules in a file, one per line; ``-`` is standard input."""
        return self._with(filter_from=(*self._settings.filter_from, read_lines(path)))

    @Step
    def files_from(self, path: str, raw: bool = False) -> Filter:
        """Select the files that are listed in a file, and no others; ``raw`` takes each line as it is."""
        return self._with(files=(self._settings.files or frozenset()) | read_names(path, raw))

    @Step
    def only(self, *paths: str) -> Filter:
        """Take exactly these files, whatever else is there."""
        return self._with(files=(self._settings.files or frozenset()).union(paths))

    @Step
    def exclude_if_present(self, *names: str) -> Filter:
        """Leave out directories that hold a file with one of these names, with all that is below."""
        return self._with(markers=(*self._settings.markers, *names))

    @Step
    def min_size(self, size: int | str) -> Filter:
        """Leave out files smaller than this: bytes, or a text like ``100k``."""
        return self._with(min_size=_size(size))

    @Step
    def max_size(self, size: int | str) -> Filter:
        """Leave out files larger than this: bytes, or a text like ``1.5G``."""
        return self._with(max_size=_size(size))

    @Step
    def min_age(self, age: float | str) -> Filter:
        """Leave out files younger than this, from now: seconds, or a text like ``7d`` or ``2024-01-31``."""
        return self._with(newest=_time(age))

    @Step
    def max_age(self, age: float | str) -> Filter:
        """Leave out files older than this, from now: seconds, or a text like ``7d`` or ``2024-01-31``."""
        return self._with(oldest=_time(age))

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

    @property
    def is_trivial(self) -> bool:
        """Everything passes, so that no other question needs to be asked."""
        return self._settings == _Settings(
            ignore_case=self._settings.ignore_case, delete_excluded=self._settings.delete_excluded
        )

    @property
    def marker_names(self) -> tuple[str, ...]:
        """Names of files that exclude the directory they are in; who lists directories has to look."""
        return self._settings.markers

    @property
    def depth(self) -> int | None:
        """How many levels to walk; None is without end."""
        return self._settings.depth

    @property
    def files(self) -> frozenset[str] | None:
        """The only files to look at, or None for all."""
        return self._settings.files

    @property
    def deletes_excluded(self) -> bool:
        """A sync may delete what is left out at the destination."""
        return self._settings.delete_excluded

    def allows_file(self, path: str, size: int | None, mtime_ns: int | None) -> bool:
        """Tell whether a file passes whose directory has been entered.

        An unknown size is below every bound, an unknown time (nanoseconds of Unix time) is now.
        """
        asked = self._settings
        if asked.files is not None:
            return path in asked.files
        if asked.min_size is not None and (-1 if size is None else size) < asked.min_size:
            return False
        if asked.max_size is not None and size is not None and size > asked.max_size:
            return False
        if (asked.oldest is not None or asked.newest is not None) and not self._allows_time(mtime_ns):
            return False
        if not self._rules.files.allows(path):
            return False
        return asked.part is None or part_of(path, asked.part[1]) == asked.part[0]

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
        directory = path.rpartition("/")[0]
        reached = self._reached.get(directory)
        if reached is None:
            if len(self._reached) > _MOST_DIRECTORIES:
                self._reached = {}
            reached = self._reached[directory] = self._barrier(path) is None
        return reached and self.allows_file(path, size, mtime_ns)

    def explain(
        self, path: str, is_dir: bool = False, size: int | None = None, mtime_ns: int | None = None
    ) -> Explanation:
        """Tell why a path is selected or not, as if a walk had come to it; see ``selects``."""
        path = path.strip("/")
        barrier = self._barrier(path)
        if barrier is not None:
            if self.depth is not None and not barrier:
                return Explanation(False, None, f"below {self.depth} levels")
            found = self.explain(barrier, is_dir=True)
            return Explanation(False, found.rule, f"the walk does not enter {barrier!r}: {found.why}")
        if self.files is not None:
            allowed = self.allows_dir(path) if is_dir else path in self.files
            return Explanation(allowed, None, f"{'' if allowed else 'not '}in the list of files")
        rule = (self._rules.dirs if is_dir else self._rules.files).deciding(f"{path}/" if is_dir else path)
        if is_dir or self.allows_file(path, size, mtime_ns) is (rule is None or rule.include):
            text = rule.text if rule else None
            return Explanation(rule is None or rule.include, text, f"rule {text!r}" if text else "no rule matches")
        return Explanation(False, None, "left out by its size, age or hash")

    def dump(self) -> str:
        """Write the rules as rclone does with ``--dump filters``."""
        asked = self._settings
        bounds = (
            ("Last-modified date must be equal or greater than", asked.oldest, _moment),
            ("Last-modified date must be equal or less than", asked.newest, _moment),
            ("Minimum size is", asked.min_size, units.format_size),
            ("Maximum size is", asked.max_size, units.format_size),
        )
        lines = [f"{title}: {write(bound)}" for title, bound, write in bounds if bound is not None]
        for title, listed in (("File", self._rules.files), ("Directory", self._rules.dirs)):
            lines.append(f"--- {title} filter rules ---")
            lines += [f"{'+' if rule.include else '-'} {rule.expression}" for rule in listed.rules]
        return "\n".join(["--- start filters ---", *lines, "--- end filters ---", ""])

    def _with(self, **changes: Any) -> Filter:
        changed = Filter.__new__(Filter)
        changed._take(msgspec.structs.replace(self._settings, **changes))
        return changed

    def _take(self, asked: _Settings) -> None:
        if asked.oldest is not None and asked.newest is not None and asked.oldest > asked.newest:
            raise FilterError("min-age is larger than max-age, so that no file could pass")
        if asked.files is not None and _restricts(asked):
            raise FilterError("files-from says all there is to select: want it without other filters")
        self._settings = asked
        self._rules = Rules(
            include=chain(asked.include, *asked.include_from),
            exclude=chain(asked.exclude, *asked.exclude_from),
            lines=chain(asked.rules, *asked.filter_from),
            exclude_rest=bool(asked.include or asked.include_from),
            ignore_case=asked.ignore_case,
        )
        self._reached = {}
        self._parents = None if asked.files is None else parents(asked.files)

    def _allows_time(self, mtime_ns: int | None) -> bool:
        if mtime_ns is None:
            import time

            mtime_ns = time.time_ns()
        oldest, newest = self._settings.oldest, self._settings.newest
        return (oldest is None or mtime_ns >= oldest) and (newest is None or mtime_ns <= newest)

    def _barrier(self, path: str) -> str | None:
        """Return the first directory above ``path`` that is not entered; ``""`` if it lies too deep."""
        depth = self._settings.depth
        if depth is not None and path.count("/") >= depth:
            return ""
        cut = path.find("/")
        while cut >= 0:
            if not self.allows_dir(path[:cut]):
                return path[:cut]
            cut = path.find("/", cut + 1)
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(self._settings)

    def __repr__(self) -> str:
        given = msgspec.structs.asdict(self._settings)
        return f"Filter({', '.join(f'{name}={value!r}' for name, value in given.items() if value)})"


def _restricts(asked: _Settings) -> bool:
    """Tell whether anything but a list of files is asked for that leaves out files."""
    free = {name: getattr(asked, name) for name in ("files", "depth", "ignore_case", "delete_excluded")}
    return asked != _Settings(**free)


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(texts, str):  # is itself an iterable of texts, and would become one rule per letter
        raise TypeError(f"want a list of texts, like [{texts!r}]")
    return tuple(filter(None, texts))


def _size(size: int | str | None) -> int | None:
    if isinstance(size, str):
        return units.parse_size(size)
    if size is not None and size < 0:
        raise ValueError(f"bad size {size}: want zero or more bytes")
    return size


def _time(age: float | str | None) -> int | None:
    """Return nanoseconds of Unix time."""
    if age is None:
        return None
    import time

    now = time.time()
    moment = units.parse_age(age, now) if isinstance(age, str) else now - age
    return None if moment is None else int(moment * 1e9)


def _moment(nanoseconds: int) -> str:
    from datetime import UTC, datetime, timedelta

    try:
        return str(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000))
    except OverflowError:  # an age of 10000y is legal
        return f"{nanoseconds} ns"
