"""What kind of content an object has, from the service or else from its name."""

from __future__ import annotations

import mimetypes

from omnistorage.core.info import ObjectInfo


def mime_type(info: ObjectInfo) -> str:
    """Return the MIME type of an entry of a listing; nothing is opened."""
    if info.is_dir:
        return "inode/directory"
    if info.content_type:
        return info.content_type
    kind, encoding = mimetypes.guess_type(info.name)
    if kind is None or encoding is not None:
        # What is compressed is not what it is inside.
        return _COMPRESSED.get(encoding or "", "application/octet-stream")
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
