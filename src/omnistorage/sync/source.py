"""The source of a transfer, as something that a destination can store."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from omnistorage.core.driver import Driver
from omnistorage.core.errors import SourceChanged
from omnistorage.core.info import ObjectInfo
from omnistorage.core.streams import Body, ByteStream, fill
from omnistorage.core.wrapped import carried

from .model import as_told, origin_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WATCHED: Final = 1 << 20
"""Objects from so many bytes on report progress and can be stopped midway."""

Moved = Callable[[int, str], object]
"""Called with a number of bytes that were moved, and the path they belong to."""


class SourceBody(Body):
    """An object of the source, as something that the destination can store.

    Attributes:
        driver: Where it stands.
        info: What a listing said of it.
        content_type: What the source says that it is, so far as that is known.
        proven: What was stored has been compared with the source.
        before_end: Called when all has arrived and is right, before the object appears.
    """

    def __init__(self, driver: Driver, info: ObjectInfo, moved: Moved | None) -> None:
        self.driver = driver
        self.info = info
        self.size = info.size
        self.content_type = info.content_type
        self.proven = False
        self.before_end: Callable[[], object] | None = None
        self._opened: ByteStream | None = None
        if moved is not None:
            self._moved = moved
            self.progress = self._report

    def ask(self) -> ObjectInfo:
        """Return what the service says of it, with its time; for a small object by the request that reads it only.

        To be followed by ``leave``, whether it was read or not.
        """
        if self.size is not None and self.size < WATCHED:
            self._opened = self.driver.get(origin_of(self.info))
            told = carried(self._opened)
            if told is not None and told.mtime_ns is not None:
                return told
        return self.driver.stat(origin_of(self.info))

    def filled(self, driver: Driver, info: ObjectInfo) -> ObjectInfo:
        """Return an object of the source with the time that its listing did not tell, as by ``ask``."""
        own = self.driver is driver
        told = self.ask() if own else driver.stat(origin_of(info))
        self.content_type = info.content_type or told.content_type
        info = msgspec.structs.replace(info, mtime_ns=told.mtime_ns)
        if own:
            self.info = info
        return info

    def leave(self) -> None:
        """Close what was opened by ``ask`` and nobody read."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def open(self) -> ByteStream:
        stream, self._opened = self._opened, None
        if stream is None:
            stream = self.driver.get(origin_of(self.info))
        self._stream = stream
        return stream if self.progress is None else WatchedStream(stream, self._report)

    def check(self) -> None:
        # Where asking is free. Elsewhere a whole object is sent by one answer, and cannot change midway.
        if self.driver.features.local:
            then = self.info
            try:
                now = os.fstat(self._stream.fileno())  # type: ignore[attr-defined]
            except (AttributeError, io.UnsupportedOperation):
                refuse_changed(self.driver, then)
            else:
                if now.st_size != then.size or now.st_mtime_ns != then.mtime_ns:
                    raise _changed(self.driver, then)
        if self.before_end is not None:
            self.before_end()

    def _report(self, count: int) -> None:
        self._moved(count, self.info.path)


def refuse_changed(driver: Driver, then: ObjectInfo) -> None:
    """Look at an object again, since what was found out about its bytes is no more true if it was changed.

    Raises:
        SourceChanged: It has another size, time or ETag than a listing said, of those that both told.
        NotFound: It is gone.
    """
    now = driver.stat(origin_of(then))
    if not as_told(then, now):
        raise _changed(driver, then)


def _changed(driver: Driver, then: ObjectInfo) -> SourceChanged:
    return SourceChanged(op="get", path=origin_of(then), scheme=driver.scheme)


class WatchedStream(io.RawIOBase):
    """A stream that says how many bytes were read; the kernel may still copy from its descriptor."""

    def __init__(self, stream: ByteStream, report: Callable[[int], object]) -> None:
        self._stream = stream
        self._report = report

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._report(len(data))
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = fill(self._stream, buffer)
        self._report(count)
        return count

    def fileno(self) -> int:
        fileno = getattr(self._stream, "fileno", None)
        if fileno is None:
            raise io.UnsupportedOperation("fileno")
        return int(fileno())

    def close(self) -> None:
        self._stream.close()
        super().close()
