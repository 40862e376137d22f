"""Reading a local file: unbuffered, and with a descriptor from which the kernel can copy."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.streams import ByteStream, Window

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class LocalStream:
    """An open file, read without a buffer."""

    __slots__ = ("_about", "_fd", "_most", "_path")

    def __init__(self, fd: int, path: str, about: os.stat_result) -> None:
        self._fd = fd
        self._path = path
        self._about = about
        # Python makes room for all that is asked for, which for a small file costs more than reading it.
        size = about.st_size
        self._most = size + 1 if size > 4095 else 4096

    @property
    def info(self) -> ObjectInfo:
        """What was opened: the file as it was at that moment."""
        return ObjectInfo(self._path, FILE, self._about.st_size, self._about.st_mtime_ns)

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes, all that is left if negative."""
        if size is not None and size >= 0:
            return os.read(self._fd, size if size < self._most else self._most)
        parts = []
        while data := os.read(self._fd, min(self._most, 1 << 20)):
            parts.append(data)
        return b"".join(parts)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer``."""
        return os.readv(self._fd, [buffer])

    def seek(self, offset: int) -> None:
        """Go to a position, in bytes from the start."""
        os.lseek(self._fd, offset, os.SEEK_SET)

    def fileno(self) -> int:
        """The descriptor, from which the kernel can copy."""
        return self._fd

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> LocalStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def window(stream: Any, offset: int, length: int | None) -> ByteStream:
    """Return the range of a stream that stands at its start."""
    if offset:
        stream.seek(offset)
    return stream if length is None else Window(stream, length)


def prove(fd: int, proof: Callable[[ByteStream], object]) -> None:
    """Show what stands in an open file to ``proof``, which raises if that is not what was to be stored."""
    stored = LocalStream(os.dup(fd), "", os.fstat(fd))
    with stored:
        stored.seek(0)
        proof(stored)
