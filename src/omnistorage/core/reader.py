"""Readers: a stream over a range of an object that can seek by asking again from elsewhere."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from .driver import Driver
from .errors import Closed, SourceChanged
from .info import ObjectInfo
from .streams import ByteStream, descriptor, fill
from .wrapped import carried, same_version

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class ObjectReader(io.RawIOBase):
    """The bytes of an object from ``offset`` on, at most ``length`` of them.

    The object is opened at once, so that a missing one is an error here and not at the first read. Seeking is
    free until the next read, which opens the object again where it is wanted. What comes then is of the version that
    was opened first: a read raises SourceChanged where the driver's streams tell that they are of another one.
    """

    # Known before the object is opened: a reader of a missing one is closed by the garbage collector.
    _stream: ByteStream | None = None

    def __init__(self, driver: Driver, path: str, offset: int = 0, length: int | None = None) -> None:
        if offset < 0:
            raise ValueError(f"offset is a number of bytes from the start, not {offset}")
        if length is not None and length < 0:
            raise ValueError(f"length is a number of bytes, not {length}")
        self._driver = driver
        self._path = path
        self._offset = offset
        self._length = length
        self._position = 0
        self._told: ObjectInfo | None = None
        self._stream = self._opened(offset, length)
        self._stream_at = 0

    @property
    def name(self) -> str:
        """The path that is read."""
        return self._path

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer`` and return the number of bytes, 0 at the end."""
        stream = self._at_position()
        count = fill(stream, buffer) if stream is not None else 0
        self._advance(count)
        return count

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes; all that is left if negative or None."""
        if size is None or size < 0:
            return self.readall()
        stream = self._at_position()
        data = stream.read(size) if stream is not None else b""
        self._advance(len(data))
        return data

    def tell(self) -> int:
        """Return the position within the range."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position within the range and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        if base is None:
            base = self._size()
        if base + offset < 0:
            raise ValueError(f"position {base + offset} is before the start")
        self._position = base + offset
        return self._position

    def fileno(self) -> int:
        """The descriptor of a local file; UnsupportedOperation for anything else."""
        fileno = getattr(self._stream, "fileno", None)
        if fileno is None:
            raise io.UnsupportedOperation("fileno")
        return int(fileno())

    def close(self) -> None:
        """Close the stream; a second call does nothing."""
        if not self.closed and self._stream is not None:
            self._stream.close()
        super().close()

    def _at_position(self) -> ByteStream | None:
        """Return a stream that stands where we are; None if that is beyond the range."""
        if self.closed:
            raise Closed(op="read", path=self._path, scheme=self._driver.scheme)
        if self._stream is None or self._stream_at != self._position:
            left = None if self._length is None else self._length - self._position
            if left is not None and left <= 0:
                return None
            at = self._offset + self._position
            if self._stream is None or left is not None or (fd := descriptor(self._stream)) < 0:
                if self._stream is not None:
                    self._stream.close()
                    # Should this fail, the next read is not one of a closed stream.
                    self._stream = None
                self._stream = self._opened(at, left)
            else:
                # The file that was opened, whatever has its name by now.
                os.lseek(fd, at, os.SEEK_SET)
            self._stream_at = self._position
        return self._stream

    def _opened(self, offset: int, length: int | None) -> ByteStream:
        stream = self._driver.get(self._path, offset, length)
        told = carried(stream)
        if told is not None and self._told is not None and same_version(told, self._told) is False:
            stream.close()
            raise SourceChanged(op="read", path=self._path, scheme=self._driver.scheme)
        self._told = self._told or told
        return stream

    def _advance(self, count: int) -> None:
        self._position += count
        self._stream_at = self._position if count else self._stream_at

    def _size(self) -> int:
        # A file of this machine may have grown since it was opened, and is read to its end then.
        told = self._told.size if self._told is not None and not self._driver.features.local else None
        whole = self._driver.stat(self._path).size if told is None else told
        if whole is None:
            raise io.UnsupportedOperation("the storage does not say how large this object is")
        rest = max(0, whole - self._offset)
        return rest if self._length is None else min(rest, self._length)
