"""A filter says which files a run is about, in rclone's language and with rclone's answers.

A file is selected if the walk reaches it and its own rules let it pass. The walk leaves out a directory that the
rules exclude as a whole, and this is part of the definition: a service that is listed without walking gives the
same files, by ``Filter.selects``. (rclone selects more then, and a sync would delete other files.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec

import msgspec

from omnistorage.core import units

from . import globs

if TYPE_CHECKING:
    from .automaton import Automaton

__all__ = ["Explanation", "Filter", "FilterError"]

P = ParamSpec("P")

_MOST_DIRECTORIES = 50_000  # whose answer is kept


class FilterError(ValueError):
    """A rule, or a combination of settings, has no meaning; the message is one line for the user."""


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


class _Rule(msgspec.Struct, frozen=True):
    include: bool
    expression: str
    text: str


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


class _Step(Generic[P]):
    """A method that, called on the class, starts from the filter that lets everything pass."""

    def __init__(self, method: Callable[Concatenate[Filter, P], Filter]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: Filter | None, owner: type[Filter]) -> Callable[P, Filter]:
        method, start = self._method, owner() if instance is None else instance

        def step(*args: P.args, **kwargs: P.kwargs) -> Filter:
            return method(start, *args, **kwargs)

        return step


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

    __slots__ = ("_dir_rules", "_dirs", "_file_rules", "_files", "_parents", "_reached", "_settings", "_verdicts")

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
        lists = [_names(path, raw=False) for path in files_from]
        lists += [_names(path, raw=True) for path in files_from_raw]
        self._take(
            _Settings(
                include=tuple(filter(None, include)),
                include_from=tuple(map(_lines, include_from)),
                exclude=tuple(filter(None, exclude)),
                exclude_from=tuple(map(_lines, exclude_from)),
                rules=tuple(filter(None, rules)),
                filter_from=tuple(map(_lines, filter_from)),
                files=frozenset().union(*lists) if lists else None,
                markers=tuple(exclude_if_present),
                min_size=_size(min_size),
                max_size=_size(max_size),
                oldest=_time(max_age),
                newest=_time(min_age),
                part=_part(hash_filter) if hash_filter else None,
                depth=max_depth if max_depth > 0 else None,
                ignore_case=ignore_case,
                delete_excluded=delete_excluded,
            )
        )

    @_Step
    def include(self, *patterns: str) -> Filter:
        """Let the files pass that match one of the globs, and none that no rule lets pass."""
        return self._with(include=(*self._settings.include, *filter(None, patterns)))

    @_Step
    def include_from(self, path: str) -> Filter:
        """Include the globs in a file, one per line; ``-`` is standard input."""
        return self._with(include_from=(*self._settings.include_from, _lines(path)))

    @_Step
    def exclude(self, *patterns: str) -> Filter:
        """Leave out the files that match one of the globs; ``dir/`` leaves out a directory."""
        return self._with(exclude=(*self._settings.exclude, *filter(None, patterns)))

    @_Step
    def exclude_from(self, path: str) -> Filter:
        """Exclude the globs in a file, one per line; ``-`` is standard input."""
        return self._with(exclude_from=(*self._settings.exclude_from, _lines(path)))

    @_Step
    def rule(self, *rules: str) -> Filter:
        """Add rules: ``+ glob``, ``- glob``, or ``!`` to forget all rules before."""
        return self._with(rules=(*self._settings.rules, *filter(None, rules)))

    @_Step
    def filter_from(self, path: str) -> Filter:
        """Add the rules in a file, one per line; ``-`` is standard input."""
        return self._with(filter_from=(*self._settings.filter_from, _lines(path)))

    @_Step
    def files_from(self, path: str, raw: bool = False) -> Filter:
        """Select the files that are listed in a file, and no others; ``raw`` takes each line as it is."""
        return self._with(files=(self._settings.files or frozenset()) | _names(path, raw))

    @_Step
    def exclude_if_present(self, *names: str) -> Filter:
        """Leave out directories that hold a file with one of these names, with all that is below."""
        return self._with(markers=(*self._settings.markers, *names))

    @_Step
    def min_size(self, size: int | str) -> Filter:
        """Leave out files smaller than this: bytes, or a text like ``100k``."""
        return self._with(min_size=_size(size))

    @_Step
    def max_size(self, size: int | str) -> Filter:
        """Leave out files larger than this: bytes, or a text like ``1.5G``."""
        return self._with(max_size=_size(size))

    @_Step
    def min_age(self, age: float | str) -> Filter:
        """Leave out files younger than this, from now: seconds, or a text like ``7d`` or ``2024-01-31``."""
        return self._with(newest=_time(age))

    @_Step
    def max_age(self, age: float | str) -> Filter:
        """Leave out files older than this, from now: seconds, or a text like ``7d`` or ``2024-01-31``."""
        return self._with(oldest=_time(age))

    @_Step
    def hash_filter(self, part: str) -> Filter:
        """Select one part of all files by a hash of their names: ``1/4``; ``@/4`` is a random one."""
        return self._with(part=_part(part))

    @_Step
    def max_depth(self, depth: int) -> Filter:
        """Walk this many levels, 1 being the files of the root; 0 is without end."""
        return self._with(depth=depth if depth > 0 else None)

    @_Step
    def ignore_case(self) -> Filter:
        """Let rules match upper and lower case alike."""
        return self._with(ignore_case=True)

    @_Step
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
        if self._files is not None and not self._verdicts[0][self._files.first(path)]:
            return False
        return asked.part is None or _bucket(path, asked.part[1]) == asked.part[0]

    def allows_dir(self, path: str) -> bool:
        """Tell whether the walk enters a directory whose parent it has entered.

        The depth is not looked at, as a directory at the last level is not entered, yet shown.
        """
        if self._parents is not None:
            return not path or path in self._parents
        return self._dirs is None or not path or self._verdicts[1][self._dirs.first(f"{path}/")]

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
            found = self._explain_dir(barrier) if barrier else None
            why = f"the walk does not enter {barrier!r}: {found.why}" if found else f"deeper than {self.depth} levels"
            return Explanation(False, found.rule if found else None, why)
        if is_dir:
            return self._explain_dir(path)
        allowed = self.allows_file(path, size, mtime_ns)
        if self.files is not None:
            return Explanation(allowed, None, f"{'' if allowed else 'not '}in the list of files")
        number = self._files.first(path) if self._files is not None else -1
        if allowed is self._verdicts[0][number]:
            return _by_rule(allowed, self._file_rules, number)
        return Explanation(False, None, "left out by size, age or hash filter")

    def dump(self) -> str:
        """Write the rules as rclone does with ``--dump filters``."""
        asked, lines = self._settings, ["--- start filters ---"]
        if asked.oldest is not None:
            lines.append(f"Last-modified date must be equal or greater than: {_moment(asked.oldest)}")
        if asked.newest is not None:
            lines.append(f"Last-modified date must be equal or less than: {_moment(asked.newest)}")
        if asked.min_size is not None:
            lines.append(f"Minimum size is: {units.format_size(asked.min_size)}")
        if asked.max_size is not None:
            lines.append(f"Maximum size is: {units.format_size(asked.max_size)}")
        for title, rules in (("File", self._file_rules), ("Directory", self._dir_rules)):
            lines.append(f"--- {title} filter rules ---")
            lines += [f"{'+' if rule.include else '-'} {rule.expression}" for rule in rules]
        return "\n".join([*lines, "--- end filters ---", ""])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(self._settings)

    def __repr__(self) -> str:
        given = msgspec.structs.asdict(self._settings)
        return f"Filter({', '.join(f'{name}={value!r}' for name, value in given.items() if value)})"
