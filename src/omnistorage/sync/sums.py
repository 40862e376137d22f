"""SUM files as one side of a comparison: sorted like a listing, whatever their length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Final

from omnistorage.core import sums
from omnistorage.core.driver import Driver
from omnistorage.core.errors import InvalidPath, NotFound
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.paths import parent
from omnistorage.core.walk import sorted_pages

from .filters import Filter
from .scan import Scan

Infos = list[ObjectInfo]

_PAGE: Final = 1000
_IN_MEMORY: Final = 50_000
_MOST_COMPLAINTS: Final = 3


class SumsError(ValueError):
    """A file that was to hold hashes holds none."""


class Sums:
    """What a SUM file says, as pages of objects with one hash each, in path order; iterate it once.

    All lines are read before the first page comes. Of several lines about one object the first counts.

    Args:
        lines: The lines of the file; an open binary file will do.
        kind: The hash that is wanted; lines that name another one are left out. None takes the hash that a line
            names, or that its length tells.
        any_key: ``./a`` is another object than ``a``.
        complain: Called with what is wrong with the first few of the lines that are not used, in words.

    Attributes:
        kind: The hash of the first line, or the one that is wanted.
        malformed: Number of lines that cannot be understood.

    Raises:
        SumsError: There are lines, but not one of them is a path with such a hash.
    """

    def __init__(
        self,
        lines: Iterable[bytes],
        kind: str | None = None,
        *,
        any_key: bool = False,
        complain: Callable[[str], None] | None = None,
    ) -> None:
        self.kind = kind
        self.malformed = 0
        self._complaints: list[str] = []
        self._tell = complain
        self._told = False
        self._lines = lines
        self._wanted = kind
        self._any_key = any_key

    def __iter__(self) -> Iterator[Infos]:
        last = None
        for page in sorted_pages(self._pages(), _IN_MEMORY):
            kept: Infos = []
            for info in page:
                if info.path == last:
                    self._complain(f"more than one line is about {info.path!r}: the first one counts")
                    continue
                last = info.path
                kept.append(info)
            if kept:
                yield kept

    def _pages(self) -> Iterator[Infos]:
        page: Infos = []
        useful, other = False, ""
        for found in sums.read(self._lines):
            if isinstance(found, sums.Malformed):
                self.malformed += 1
                self._complain(f"line {found.number} is no hash and path: {found.text!r}")
                continue
            kind = self._wanted or found.kind or sums.kind_of(found.digest)
            if kind is None:
                self.malformed += 1
                self._complain(f"what hash {found.digest!r} is, cannot be told by its length")
                continue
            if found.kind and found.kind != kind:
                other = found.kind
                continue
            if not useful:
                useful, self.kind = True, kind
            path = found.path if self._any_key else _plain(found.path)
            digest = sums.normal(found.digest, kind) or found.digest
            page.append(ObjectInfo(path, FILE, found.size, found.mtime_ns, {kind: digest}))
            if len(page) == _PAGE:
                yield page
                page = []
        if not useful and other:
            raise SumsError(f"its hashes are {other}, not {self._wanted}")
        if not useful and self.malformed:
            raise SumsError(self._complaints[0])
        self._told = True
        if self._tell is not None:
            for words in self._complaints:
                self._tell(words)
        yield page

    def _complain(self, words: str) -> None:
        if len(self._complaints) < _MOST_COMPLAINTS:
            self._complaints.append(words)
            if self._told and self._tell is not None:
                self._tell(words)


class Alone:
    """Judges what only the SUM file has: is it missing, left out by the filter, or not known?"""

    def __init__(self, driver: Driver, chosen: Filter, scan: Scan) -> None:
        self._driver = driver
        self._scan = scan
        self._all = chosen.is_trivial
        self._names = chosen.by_name()

    def missing(self, path: str) -> bool | None:
        """Say whether a selected object is missing; None if its folder could not be listed.

        Raises:
            StorageError: That cannot be found out.
        """
        if not self._all and not self._names.selects(path, None, None):
            return False
        if not self._scan.complete(parent(path)):
            return None
        if self._all:
            return True
        # It may be there, and left out for its size or age, or for a marker file: then it is not missing.
        try:
            return self._driver.stat(path).kind is not FILE
        except (NotFound, NotADirectoryError, InvalidPath):
            return True


def write_record(file: IO[str], infos: Iterable[ObjectInfo], kind: str) -> None:
    """Write a SUM file with size and time of each object in comments, in path order.

    Other programs that check SUM files read past the comments. Each info has one hash; one that is not ``kind``
    is named in its line.
    """
    file.write(f"{sums.HEADER}{kind}\n")
    for page in sorted_pages(_paged(infos), _IN_MEMORY):
        for info in page:
            told = sums.note(info.size, info.mtime_ns)
            ((name, digest),) = info.hashes.items()
            text = sums.line(info.path, digest, None if name == kind else name)
            file.write(f"{told}\n{text}\n" if told else f"{text}\n")


def _paged(infos: Iterable[ObjectInfo]) -> Iterator[Infos]:
    page: Infos = []
    for info in infos:
        page.append(info)
        if len(page) == _PAGE:
            yield page
            page = []
    yield page


def _plain(path: str) -> str:
    """Take away what ``find .`` puts in front of names."""
    while path.startswith("./") and len(path) > 2:
        path = path[2:].lstrip("/")
    return path
