"""What kind of content an object has, from the service or else from its name."""

from __future__ import annotations

import mimetypes
from functools import lru_cache
from typing import Final

from .info import ObjectInfo

UNKNOWN: Final = "application/octet-stream"


def mime_type(info: ObjectInfo) -> str:
    """Return the MIME type of an entry of a listing; nothing is opened."""
    if info.is_dir:
        return "inode/directory"
    return info.content_type or type_of_name(info.name)


def type_of_name(name: str) -> str:
    """Return the MIME type that the end of a name stands for, ``application/octet-stream`` if for none."""
    _, dot, end = name.rpartition(".")
    return _type_of_end(end.lower()) if dot else UNKNOWN


@lru_cache(1000)
def _type_of_end(end: str) -> str:
    kind, encoding = mimetypes.guess_type(f"a.{end}")
    if kind is None or encoding is not None:
        # What is compressed is not what it is inside.
        return _COMPRESSED.get(encoding or "", UNKNOWN)
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
