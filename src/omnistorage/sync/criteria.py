"""What a filter was asked for, as values: they make two filters equal, and have one digest for all times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from omnistorage.core import units

from .rules import Lines, Source

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["Bound", "Criteria", "bound", "moment", "size_of", "texts"]

Given = Iterator[tuple[str, Source]]


class Bound(msgspec.Struct, frozen=True):
    """A limit of the time of modification.

    Attributes:
        time_ns: Nanoseconds of Unix time.
        ago: Seconds before the filter was made, if it was asked for so; None for a fixed time.
    """

    time_ns: int
    ago: float | None


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a filter.

    Attributes:
        include, exclude, rules: Texts of rules, in order.
        include_from, exclude_from, filter_from: What was in files of rules.
        files: The only files to take, or None for all.
        markers: Names of files that leave out the directory they are in.
        min_size, max_size: Bytes.
        oldest, newest: Limits of the time of modification.
        part: Number of the part to take, from 0, and of how many.
        depth: Levels to walk.
        ignore_case: Rules match in any case.
        delete_excluded: A sync deletes what is left out.
    """

    include: tuple[str, ...] = ()
    include_from: tuple[Lines, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_from: tuple[Lines, ...] = ()
    rules: tuple[str, ...] = ()
    filter_from: tuple[Lines, ...] = ()
    files: frozenset[str] | None = None
    markers: tuple[str, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    oldest: Bound | None = None
    newest: Bound | None = None
    part: tuple[int, int] | None = None
    depth: int | None = None
    ignore_case: bool = False
    delete_excluded: bool = False

    @property
    def includes(self) -> Given:
        """The globs to include, in order, and where each comes from."""
        return _given(self.include, "include", self.include_from, "include_from")

    @property
    def excludes(self) -> Given:
        """The globs to exclude, in order, and where each comes from."""
        return _given(self.exclude, "exclude", self.exclude_from, "exclude_from")

    @property
    def lines(self) -> Given:
        """The rules with a sign, in order, and where each comes from."""
        return _given(self.rules, "rule", self.filter_from, "filter_from")

    @property
    def includes_only(self) -> bool:
        """Something is included, which leaves out the rest."""
        return bool(self.include or self.include_from)

    @property
    def limits_facts(self) -> bool:
        """Files may be left out by something else than rules, depth or a list."""
        facts = (self.min_size, self.max_size, self.oldest, self.newest, self.part)
        return bool(self.markers) or any(fact is not None for fact in facts)

    def digest(self) -> str:
        """Return a hash of all that can change a selection; see ``Filter.digest``."""
        from hashlib import sha256

        found = sha256(b"omnistorage filter 1\n")
        for name, given in (("+", self.includes), ("-", self.excludes), ("=", self.lines)):
            _feed(found, name, (text for text, _ in given))
        if self.files is not None:
            _feed(found, "files", sorted(self.files))
        _feed(found, "markers", self.markers)
        others = (
            self.includes_only,
            self.min_size,
            self.max_size,
            *(bound and (bound.time_ns if bound.ago is None else f"{bound.ago!r} ago") for bound in self._ages),
            self.part,
            self.depth,
            self.ignore_case,
            self.delete_excluded,
        )
        _feed(found, "others", map(str, others))
        return found.hexdigest()

    @property
    def _ages(self) -> tuple[Bound | None, Bound | None]:
        return self.oldest, self.newest


def _given(plain: tuple[str, ...], step: str, files: tuple[Lines, ...], file_step: str) -> Given:
    source = Source(step)
    return chain(
        ((text, source) for text in plain),
        (
            (text, Source(file_step, lines.file, number))
            for lines in files
            for text, number in zip(lines.texts, lines.numbers, strict=True)
        ),
    )


def _feed(found: _Hash, name: str, texts: Iterable[str]) -> None:
    """Take in texts so that no other texts can look the same: each with its length before it."""
    found.update(f"{name}\n".encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        found.update(b"%d:" % len(data))
        found.update(data)


def texts(given: Iterable[str]) -> tuple[str, ...]:
    """Return the texts that are not empty.

    Raises:
        TypeError: It is a single text, which would become one rule for each letter.
    """
    if isinstance(given, str):
        raise TypeError(f"want a list of texts, like [{given!r}]")
    return tuple(filter(None, given))


def size_of(given: int | str | None) -> int | None:
    """Return bytes.

    Raises:
        ValueError: It is no size, or a negative one.
    """
    if isinstance(given, str):
        return units.parse_size(given)
    if given is not None and given < 0:
        raise ValueError(f"bad size {given}: want zero or more bytes")
    return given


def bound(age: float | str | None) -> Bound | None:
    """Return the time that an age, in seconds or as a text, stands for.

    Raises:
        ValueError: The text is no age.
    """
    if age is None:
        return None
    import time

    now = time.time()
    if not isinstance(age, str):
        return Bound(int((now - age) * 1e9), float(age))
    time_then = units.parse_age(age, now)
    if time_then is None:
        return None
    start = units.parse_age(age, 0.0)
    fixed = start is None or start == time_then
    return Bound(int(time_then * 1e9), None if fixed or start is None else -start)


def moment(nanoseconds: int) -> str:
    """Write a time as rclone's dump of filters does, in UTC."""
    from datetime import UTC, datetime, timedelta

    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:  # an age of 10000y is legal
        return f"{nanoseconds} ns"
    fraction = f".{nanoseconds % 10**9:09d}".rstrip("0").rstrip(".")
    return f"{when:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"
