"""The two sides of a transfer or a check: where bytes come from, and where they go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omnistorage.core.errors import NotADirectory, NotFound
from omnistorage.core.info import ObjectInfo
from omnistorage.opening import locate, resolve
from omnistorage.storage import LayerMaker, Storage

from . import _links
from ._exits import FAILED, NO_DIRECTORY, Exit


@contextmanager
def source(
    text: str, config: str | None, *layers: LayerMaker, retries: int | None = None
) -> Iterator[tuple[Storage, str]]:
    """Open the place that bytes come from, and the name of the object in it if it is a single one.

    Raises:
        Exit: There is nothing, or something that is neither an object nor a folder.
    """
    storage, name = locate(_links.to_read(text, config), *layers, config=config, **_given(text, retries, config))
    with storage:
        if name and not _found(storage, name).is_file:
            raise Exit(FAILED, f"{text!r} is not a regular file")
        if not name and storage.features.mkdir:
            try:
                kind = storage.stat("").kind
            except (NotFound, NotADirectory):
                raise Exit(NO_DIRECTORY, f"{text!r} not found: there is no such file or folder") from None
            if kind.value != "dir":
                raise Exit(FAILED, f"{text!r} is neither a regular file nor a folder")
        yield storage, name


@contextmanager
def destination(
    text: str, config: str | None, *layers: LayerMaker, retries: int | None = None, written: bool = True
) -> Iterator[Storage]:
    """Open the folder that bytes go to, or (if not ``written``) are compared with; it need not exist.

    Raises:
        Exit: It is an object.
    """
    place = _links.to_write(text, config) if written else _links.to_read(text, config)
    storage, name = locate(place, *layers, config=config, **_given(text, retries, config))
    with storage:
        if name:
            raise Exit(FAILED, f"{text!r} is a file, not a directory")
        yield storage


def _given(text: str, retries: int | None, config: str | None) -> dict[str, int]:
    """Return the option that says how often a call is repeated; calls to this machine are not."""
    if retries is None or resolve(text, config=config).scheme in ("file", "memory"):
        return {}
    return {"retries": max(retries - 1, 0)}


def _found(storage: Storage, name: str) -> ObjectInfo:
    try:
        return storage.stat(name)
    except NotFound:
        # The address led here by a link, which is an object by another name now.
        raise Exit(FAILED, f"{name!r} is a symbolic link; with -l it is the object {name}.rclonelink") from None
