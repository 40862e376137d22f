"""From what stands on the command line to storages and listings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omnistorage.core.info import ObjectInfo
from omnistorage.opening import locate
from omnistorage.storage import Storage
from omnistorage.sync.filters import Filter
from omnistorage.sync.scan import Scan

from ._console import Console
from ._exits import FAILED, Exit


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
        if storage.features.mkdir:
            storage.stat("")
        chosen = selection if recursive or selection.depth == 1 else selection.max_depth(1)
        scan = Scan(storage.driver, chosen)
        yield (info for infos in scan for info in infos)
        for folder, error in scan.broken.items():
            console.error(folder, f"cannot be listed: {error}")
        if scan.broken:
            raise Exit(FAILED)


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
