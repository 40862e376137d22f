"""From what stands on the command line to storages and listings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from omnistorage.core.errors import StorageError
from omnistorage.core.grammar import canonical
from omnistorage.core.info import DIR, FILE, LINK, ObjectInfo
from omnistorage.core.walk import pages as pages_of
from omnistorage.core.walk import walk
from omnistorage.opening import locate
from omnistorage.storage import LayerMaker, Storage

from . import _links
from ._exits import FAILED, NOT_RETRIED, Exit

if TYPE_CHECKING:
    from omnistorage.core.driver import Driver
    from omnistorage.sync.filters import Filter

    from ._console import Console

Infos = list[ObjectInfo]
Broken = dict[str, StorageError]


class Listing:
    """A place that is being listed; iterate it once, for lists of objects and directories in path order.

    What is neither of both (a symbolic link, a FIFO) is reported and left out.

    Attributes:
        storage: The storage, opened at the place; at the folder above if the place is an object.
        name: The name of the object if the place is one, else empty.
        broken: Directory to the error that ended its listing early.
        lost_links: Symbolic links that were to be followed and could not be.
    """

    def __init__(self, storage: Storage, name: str, pages: Iterator[Infos], console: Console) -> None:
        self.storage = storage
        self.name = name
        self.broken: Broken = {}
        self.lost_links = 0
        self._pages = pages
        self._console = console

    def __iter__(self) -> Iterator[Infos]:
        for infos in self._pages:
            odd = [info for info in infos if info.kind is not FILE and info.kind is not DIR]
            if not odd:
                yield infos
                continue
            for info in odd:
                if info.kind is not LINK:
                    self._console.notice(info.path, "is neither a file nor a directory")
                elif _links.are_followed():
                    self.lost_links += 1
                    self._console.error(info.path, "symbolic link leads nowhere, or back to a folder above it")
                elif not _links.are_skipped():
                    self._console.notice(info.path, "symbolic link is not followed")
            if len(odd) < len(infos):
                yield [info for info in infos if info.kind is FILE or info.kind is DIR]


@contextmanager
def pages(
    remote: str,
    selection: Filter | None,
    config: str | None,
    console: Console,
    *,
    recursive: bool = True,
    brief: bool = False,
    times: bool = False,
    folders: bool = False,
    layers: tuple[LayerMaker, ...] = (),
) -> Iterator[Listing]:
    """Open a place and give what the filter selects of it, page by page; an object is a listing of itself.

    A directory that cannot be listed is reported when the listing ends, and then ends the command with a failure.

    Args:
        remote: The place.
        selection: What is wanted of it; all, if None.
        config: File of the configuration, or None.
        console: Where to report.
        recursive: Go into directories.
        brief: Paths and kinds are enough: size and time may be missing where that is cheaper.
        times: The times of objects are wanted, also where each has to be looked at for that.
        folders: All directories are wanted, also those that are only what keys begin with.
        layers: What goes around the storage.

    Raises:
        NotFound: There is nothing at ``remote``.
    """
    with named(remote):
        storage, name = locate(_links.to_read(remote, config), *layers, config=config)
        with storage:
            if name:
                if selection is not None:
                    refuse_filters(selection)
                yield Listing(storage, name, iter(([storage.stat(name)],)), console)
                return
            if storage.features.mkdir:
                storage.stat("")
            found, broken = _choose(storage, selection, recursive, brief, times, folders)
            listing = Listing(storage, "", found, console)
            listing.broken = broken
            yield listing
            for folder, error in broken.items():
                console.error(folder, f"cannot be listed: {error.what}")
            if broken:
                raise Exit(FAILED)
            if listing.lost_links:
                raise Exit(NOT_RETRIED)


@contextmanager
def listing(
    remote: str, selection: Filter, config: str | None, console: Console, *, recursive: bool = True
) -> Iterator[Iterator[ObjectInfo]]:
    """Open a place and give what the filter selects of it, one by one; see ``pages``."""
    with pages(remote, selection, config, console, recursive=recursive) as found:
        yield (info for infos in found for info in infos)


@contextmanager
def named(remote: str) -> Iterator[None]:
    """Let an error that is about the root of a storage say which place that is."""
    try:
        yield
    except StorageError as exc:
        exc.path = exc.path or shown(remote)
        raise


def shown(remote: str) -> str:
    """Return a place as messages name it, without the secrets that it may hold."""
    return canonical(remote)


def refuse_filters(selection: Filter) -> None:
    """Refuse filters where the place is a single object: they would be ignored.

    Raises:
        Exit: There are some.
    """
    if selection.is_choosy:
        raise Exit(FAILED, "filters cannot be used with a single file; name its folder")


def folder(remote: str, config: str | None) -> Storage:
    """Open a place that must be a directory.

    Raises:
        NotFound: There is nothing.
        Exit: It is an object.
    """
    storage, name = locate(remote, config=config)
    if name:
        storage.close()
        raise Exit(FAILED, f"{shown(remote)!r} is a file, not a directory")
    return storage


def to_write(remote: str, config: str | None, *layers: LayerMaker) -> tuple[Storage, str]:
    """Open the folder above an object that may not be there yet; return it with the object's name.

    Raises:
        Exit: The address can only mean a directory.
    """
    from omnistorage.opening import open, split

    above, name = split(remote)
    if not name:
        raise Exit(FAILED, f"{shown(remote)!r} can only be a directory; name an object")
    return open(above, *layers, config=config), name


def _choose(
    storage: Storage, selection: Filter | None, recursive: bool, brief: bool, times: bool, folders: bool
) -> tuple[Iterator[Infos], Broken]:
    """Choose the cheapest way to list that gives what is wanted; return it with where failures will be."""
    driver = storage.driver
    if times or (selection is not None and selection.asks_for_times):
        from omnistorage.layers.times import told

        driver = told(driver)
    if folders and recursive:
        from omnistorage.layers.folders import with_folders

        driver = with_folders(driver)
    broken: Broken = {}
    if selection is None or selection.is_trivial:
        if recursive:
            return walk(driver, failed=broken.__setitem__, brief=brief), broken
        return pages_of(driver, brief=brief), broken
    if not recursive and selection.depth is None:  # a depth that was asked for is one also without -R
        if selection.files is None and not selection.marker_names:
            return _one_level(driver, selection), broken
        selection = selection.max_depth(1)
    from omnistorage.sync.scan import Scan

    scan = Scan(driver, selection, folders=folders)
    return iter(scan), scan.broken


def _one_level(driver: Driver, selection: Filter) -> Iterator[Infos]:
    allows_dir, allows_file = selection.allows_dir, selection.allows_file
    return (
        [
            info
            for info in infos
            if (allows_dir(info.path) if info.kind is DIR else allows_file(info.path, info.size, info.mtime_ns))
        ]
        for infos in pages_of(driver)
    )
