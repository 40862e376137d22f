"""Walking a tree: pages of one directory, or of all below it, always in path order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from .driver import Driver
from .errors import StorageError
from .info import DIR, ObjectInfo
from .sorting import Sorter

Infos = list[ObjectInfo]
Enter = Callable[[ObjectInfo], bool]
Failed = Callable[[str, StorageError], None]

SORT_IN_MEMORY: Final = 200_000
"""Entries of one unordered directory that are sorted in memory; more are sorted by way of the disk."""


def pages(driver: Driver, path: str = "", *, recursive: bool = False, brief: bool = False) -> Iterator[Infos]:
    """Yield the pages of one directory, in path order; if ``brief``, size and time may be missing."""
    found = _raw_pages(driver, path, recursive, brief)
    return found if driver.features.ordered else sorted_pages(found)


def walk(
    driver: Driver,
    path: str = "",
    *,
    enter: Enter | None = None,
    failed: Failed | None = None,
    brief: bool = False,
) -> Iterator[Infos]:
    """Yield all below the directory ``path`` in path order, as lists of entries.

    A directory is followed by what stands in it. Memory stays flat: one page for each directory that is open.

    Args:
        driver: The storage.
        path: The directory; empty for the root.
        enter: Says of a directory whether to go into it; it is yielded either way. All, if None.
        failed: Gets the path of a directory whose listing failed, and the error; the walk goes on beside it.
            Without it, and for ``path`` itself, the error is raised.
        brief: Paths and kinds are enough: size and time may be missing where that is cheaper.
    """
    if driver.features.recursive and enter is None:
        yield from pages(driver, path, recursive=True, brief=brief)
        return
    # A stack of our own: trees may be deeper than Python's.
    open_dirs = [(path, _pieces(pages(driver, path, brief=brief)))]
    while open_dirs:
        folder, pieces = open_dirs[-1]
        try:
            piece = next(pieces, None)
        except StorageError as exc:
            if failed is None or len(open_dirs) == 1:
                raise
            failed(folder, exc)
            piece = None
        if piece is None:
            open_dirs.pop()
            continue
        yield piece
        last = piece[-1]
        # A directory that seems to stand in itself (a key that begins with a slash) would never end.
        if last.kind is DIR and last.path != folder and (enter is None or enter(last)):
            open_dirs.append((last.path, _pieces(pages(driver, last.path, brief=brief))))


def _pieces(found: Iterator[Infos]) -> Iterator[Infos]:
    """Cut pages behind each directory, so that what stands in it can follow."""
    for page in found:
        start = 0
        for index, info in enumerate(page, 1):
            if info.kind is DIR:
                yield page[start:index]
                start = index
        if start < len(page):
            yield page[start:] if start else page


def _raw_pages(driver: Driver, path: str, recursive: bool, brief: bool) -> Iterator[Infos]:
    token: object = None
    while True:
        if brief and not recursive:
            page = driver.names(path, page=token)
        else:
            page = driver.list(path, recursive=recursive, page=token)
        if page.infos:
            yield page.infos
        if page.next is None:
            return
        token = page.next


def sorted_pages(found: Iterable[Infos], most: int | None = None) -> Iterator[Infos]:
    """Sort pages that come in no order; entries of one name stay as they came.

    Args:
        found: The pages.
        most: Entries that are sorted in memory, ``SORT_IN_MEMORY`` if None; more go by way of temporary files.
    """
    sorter: Sorter[ObjectInfo] = Sorter(_order, SORT_IN_MEMORY if most is None else most)
    try:
        for page in found:
            sorter.extend(page)
        yield from sorter.chunks()
    finally:
        sorter.close()


def _order(info: ObjectInfo) -> str:
    return info.order
