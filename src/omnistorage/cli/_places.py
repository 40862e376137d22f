"""From what stands on the command line to storages and listings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omnistorage.core.errors import NotFound
from omnistorage.core.info import ObjectInfo
from omnistorage.opening import locate
from omnistorage.storage import LayerMaker, Storage
from omnistorage.sync.filters import Filter
from omnistorage.sync.scan import Scan

from ._console import Console
from ._exits import FAILED, NO_DIRECTORY, Exit


@contextmanager
def listing(
    remote: str, selection: Filter, config: str | None, console: Console, *, recursive: bool = True
) -> Iterator[Iterator[ObjectInfo]]:
    """Open a place and give what the filter selects of it, in path order; an object is a listing of itself.

    A directory that cannot be listed is reported when the listing ends, and then ends the command with a failure.

    Raises:
        NotFound: There is nothing at ``remote``.
    """
    storage, name = locate(remote, config=config)
    with storage:
        if name:
            refuse_filters(selection)
            yield iter((storage.stat(name),))
            return
        must_exist(storage, remote)
        chosen = selection if recursive or selection.depth == 1 else selection.max_depth(1)
        scan = Scan(storage.driver, chosen)
        yield (info for infos in scan for info in infos)
        for folder, error in scan.broken.items():
            console.error(folder, f"cannot be listed: {error}")
        if scan.broken:
            raise Exit(FAILED)


def must_exist(storage: Storage, text: str) -> None:
    """Refuse a folder that is not there; where folders are prefixes only, an empty one is there.

    Raises:
        Exit: There is none.
    """
    try:
        if storage.features.mkdir:
            storage.stat("")
    except NotFound:
        raise Exit(NO_DIRECTORY, f"{text!r} not found: there is no such file or folder") from None


def refuse_filters(selection: Filter) -> None:
    """Refuse filters where the place is a single object: they would be ignored.

    Raises:
        Exit: There are some.
    """
    if not selection.is_trivial:
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
        raise Exit(FAILED, f"{remote!r} is a file, not a directory")
    return storage


@contextmanager
def source(text: str, config: str | None, *layers: LayerMaker) -> Iterator[tuple[Storage, str]]:
    """Open the place that bytes come from, and the name of the object in it if it is a single one.

    Raises:
        NotFound: There is nothing.
        Exit: It is neither an object nor a folder.
    """
    storage, name = locate(text, *layers, config=config)
    with storage:
        if name and not storage.stat(name).is_file:
            raise Exit(FAILED, f"{text!r} is not a regular file")
        if not name:
            must_exist(storage, text)
        yield storage, name


@contextmanager
def destination(text: str, config: str | None, *layers: LayerMaker) -> Iterator[Storage]:
    """Open the folder that bytes go to; it need not exist.

    Raises:
        Exit: It is an object.
    """
    storage, name = locate(text, *layers, config=config)
    with storage:
        if name:
            raise Exit(FAILED, f"{text!r} is a file, not a directory")
        yield storage
