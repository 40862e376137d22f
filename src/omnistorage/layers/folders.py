"""Names the directories that keys imply in listings of a whole tree, where a service lists objects only.

    with_folders(driver)               # the driver itself, if its listings name directories anyway

Object stores list a tree as keys, and a directory is only what several of them begin with. Keys come in the order of
their bytes: what begins with ``a/`` comes in one piece, and the directory belongs right before it, also where ``a-b``
stands between the object ``a`` and ``a/b``. So to know the directory of the last key is enough.
"""

from __future__ import annotations

from typing import NamedTuple

from omnistorage.core.driver import Driver
from omnistorage.core.info import DIR, ObjectInfo, Page
from omnistorage.core.layer import Layer


def with_folders(driver: Driver) -> Driver:
    """Return a driver whose listings name all directories, in path order."""
    if driver.features.recursive and driver.features.ordered:
        return Folders(driver)
    return driver


class _Place(NamedTuple):
    """Where the next page begins, and the directory that was the last one before, with a slash behind it."""

    page: object
    folder: str


class Folders(Layer):
    """Adds directories to the pages of recursive listings; for services that list in path order."""

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        if not recursive:
            return super().list(path, page=page)
        at = page if isinstance(page, _Place) else _Place(page, f"{path}/" if path else "")
        found = super().list(path, recursive=True, page=at.page)
        infos, folder = _added(found.infos, at.folder)
        return Page(infos, None if found.next is None else _Place(found.next, folder))

    def names(self, path: str, *, page: object = None) -> Page:
        return self.around("list", path, lambda: self.inner.names(path, page=page))


def _added(infos: list[ObjectInfo], folder: str) -> tuple[list[ObjectInfo], str]:
    """Return a page with the directories that begin on it, and the directory of its last entry."""
    made: list[ObjectInfo] = []
    for info in infos:
        path = info.path
        above = path[: path.rfind("/") + 1]
        # What begins with a slash has no directory that could be named: it is one of the root's objects.
        if above != folder and path[0] != "/":
            if not folder.startswith(above):
                made += [ObjectInfo(above[:at], DIR) for at in _begun(above, folder)]
            folder = above
        made.append(info)
        if info.kind is DIR:
            folder = f"{path}/"
    return made, folder


def _begun(above: str, folder: str) -> list[int]:
    """Return where the names of those directories end that are above the one, but not above the other."""
    return [at for at, letter in enumerate(above) if letter == "/" and not folder.startswith(above[: at + 1])]
