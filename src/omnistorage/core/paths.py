"""Rules for keys: joining, splitting, ordering, and refusing what cannot be stored."""

from __future__ import annotations

import os
from typing import Final

from .errors import InvalidPath

SLASH: Final = "/"


def as_key(path: str | os.PathLike[str]) -> str:
    """Return ``path`` as the key that drivers get: a ``str``, exactly as given.

    Raises:
        TypeError: ``path`` is neither text nor an ``os.PathLike`` of text.
    """
    if type(path) is str:
        return path
    key = os.fspath(path)
    if not isinstance(key, str):
        raise TypeError(f"a path is text, not {type(path).__name__}")
    return str(key)


def join(*parts: str) -> str:
    """Join keys with one slash between them, leaving out empty ones."""
    return SLASH.join(part for part in parts if part)


def parent(path: str) -> str:
    """Return the directory that ``path`` stands in; empty at the top."""
    return path.rpartition(SLASH)[0]


def name(path: str) -> str:
    """Return the last part of ``path``."""
    return path.rpartition(SLASH)[2]


def inside(path: str, folder: str) -> bool:
    """Say whether ``path`` is ``folder`` or stands below it; everything is inside the top (empty)."""
    return not folder or path == folder or path.startswith(folder + SLASH)


def check_hierarchical(path: str, *, max_name: int | None = None) -> None:
    """Refuse a key that a file system would understand as something else.

    For drivers of services with real directories: ``..`` would climb out, an empty part or ``.`` would name
    another object, NUL ends a name in C. The root is the empty key.

    Raises:
        InvalidPath: With the reason.
    """
    if not path:
        return
    # The cheap test first: nearly all keys pass it, and it runs once per object.
    if "\0" in path:
        raise InvalidPath("a name cannot hold a NUL character", path=path)
    if path[0] == SLASH:
        raise InvalidPath("an absolute path cannot be a key; leave out the leading '/'", path=path)
    for part in path.split(SLASH):
        if part in _ODD:
            raise InvalidPath(_ODD[part], path=path)
        if max_name is not None and len(part) * 4 > max_name:
            length = len(part.encode("utf-8", "surrogateescape"))
            if length > max_name:
                raise InvalidPath(f"a name of {length} bytes is longer than {max_name}", path=path)


_ODD: Final = {
    "": "a path with an empty part ('//' or a trailing '/') cannot be stored here",
    ".": "'.' cannot be the name of an object here",
    "..": "'..' would lead out of the storage",
}
