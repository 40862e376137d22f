"""A stream around a stream, with one hook: what a layer that watches the bytes returns from ``get``."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .info import ObjectInfo
from .streams import ByteStream, fill

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

R = TypeVar("R", bound="bytes | int | None")


class WrappedStream(io.RawIOBase):
    """Passes every read on to the stream inside; subclasses override ``around``.

    Attributes:
        raw: The stream inside.
    """

    def __init__(self, raw: ByteStream) -> None:
        self.raw = raw

    def around(self, op: str, call: Callable[[], R]) -> R:
        """Do ``call``, a ``read`` (which gives bytes, or their number) or the ``close`` (which gives None)."""
        return call()

    @property
    def info(self) -> ObjectInfo | None:
        """What the answer said of the object, if the driver's stream tells; see ``carried``."""
        return carried(self.raw)

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes, all that is left if negative or None."""
        wanted = -1 if size is None else size
        return self.around("read", lambda: self.raw.read(wanted))

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer`` and return the number of bytes, 0 at the end."""
        return self.around("read", lambda: fill(self.raw, buffer))

    def fileno(self) -> int:
        """The descriptor of a local file, so that the kernel can copy; UnsupportedOperation elsewhere."""
        fileno = getattr(self.raw, "fileno", None)
        if fileno is None:
            raise io.UnsupportedOperation("fileno")
        return int(fileno())

    def close(self) -> None:
        """Close the stream inside; a second call does nothing."""
        if self.closed:
            return
        try:
            self.around("close", self.raw.close)
        finally:
            super().close()


def carried(stream: object) -> ObjectInfo | None:
    """Return what a stream tells of the object that it reads, or None.

    A driver whose answer comes with an etag, a time or a size may say so by an attribute ``info`` of its stream:
    an ObjectInfo whose ``size`` is that of the whole object. It costs nothing, and proves what was read.
    """
    while stream is not None:
        info = getattr(stream, "info", None)
        if isinstance(info, ObjectInfo):
            return info
        stream = getattr(stream, "raw", None)
    return None


def same_version(one: ObjectInfo, two: ObjectInfo) -> bool | None:
    """Say whether two answers are about one version of an object, by the strongest mark of both; None if unknown."""
    if one.size is not None and two.size is not None and one.size != two.size:
        return False
    for mark in ("version", "etag", "mtime_ns"):
        first, second = getattr(one, mark), getattr(two, mark)
        if first is not None and second is not None:
            return bool(first == second)
    return None
