"""Bodies that behave badly on purpose, and bytes in which every position can be told from its neighbours."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from omnistorage.core.errors import Corrupted, SourceChanged
from omnistorage.core.streams import Body, ByteStream, FileBody, descriptor, fill, read_all

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class BodyBroke(Exception):
    """What a broken body raises: not one of our errors, so nobody can take it for the service's."""


def pattern(size: int, seed: int = 0) -> bytes:
    """Return ``size`` bytes that repeat only every 62 000 or so, so that a shifted range is seen."""
    # Two runs of prime lengths beside each other: blocks of any power of two differ.
    one = bytes((seed + n) % 251 for n in range(251))
    unit = b"".join(one[n:] + bytes([n % 256]) + one[:n] for n in range(251))
    return (unit * (size // len(unit) + 1))[:size]


class BrokenBody(Body):
    """Gives ``after`` bytes of ``data`` and then raises ``error``.

    Args:
        data: What the body pretends to hold.
        after: Bytes that come before the failure.
        error: What is raised then.
        sized: False to hide the size, as a pipe does.
    """

    def __init__(
        self, data: bytes, after: int, error: BaseException | type[BaseException] = BodyBroke, *, sized: bool = True
    ) -> None:
        self.size = len(data) if sized else None
        self._data = data[:after]
        self._error = error

    def open(self) -> ByteStream:
        """Open the bytes up to the failure."""
        return BreakingStream(io.BytesIO(self._data), len(self._data), self._error)


class LyingBody(Body):
    """Announces ``size`` bytes and gives others."""

    def __init__(self, data: bytes, size: int) -> None:
        self.size = size
        self._data = data

    def open(self) -> ByteStream:
        """Open the bytes that really come."""
        return io.BytesIO(self._data)


class ChangedBody(Body):
    """Turns out, when all is read, to have been changed meanwhile."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    def open(self) -> ByteStream:
        """Open the bytes from their beginning."""
        return io.BytesIO(self._data)

    def check(self) -> None:
        """Raise SourceChanged."""
        raise SourceChanged


class WatchedBody(Body):
    """Calls ``seen`` once, when all but the last byte have been read: in the midst of a put."""

    def __init__(self, data: bytes, seen: Callable[[], object]) -> None:
        self.size = len(data)
        self._data = data
        self._seen = seen

    def open(self) -> ByteStream:
        """Open the bytes from their beginning."""
        return _WatchedStream(self._data, self._seen)


class ProvenBody(Body):
    """Bytes that are looked at again as they were stored, and refused or not.

    Attributes:
        stored: What was shown each time.
        seen: What ``look`` returned each time.
    """

    def __init__(self, data: bytes, *, refuse: bool, look: Callable[[], object]) -> None:
        self.size = len(data)
        self.stored: list[bytes] = []
        self.seen: list[object] = []
        self.proof = self._prove
        self._data = data
        self._refuse = refuse
        self._look = look

    def open(self) -> ByteStream:
        """Open the bytes."""
        return io.BytesIO(self._data)

    def _prove(self, stored: ByteStream) -> None:
        self.stored.append(read_all(stored))
        self.seen.append(self._look())
        if self._refuse:
            raise Corrupted("these are not the bytes that were to be stored")


class RationedBody(FileBody):
    """A local file that may be moved by other means than reading, but only in ``step`` bytes at once.

    Attributes:
        granted: Bytes that were asked for and may be moved.
        told: Numbers of bytes that were said to have been moved.
        read: Bytes that were read from the stream.
    """

    def __init__(self, path: str | os.PathLike[str], step: int) -> None:
        super().__init__(path)
        self.granted = self.read = 0
        self.told: list[int] = []
        self.progress = self.told.append
        self.ration = self._grant
        self._step = step

    def open(self) -> ByteStream:
        """Open the file; its descriptor can be had."""
        return _CountedFile(super().open(), self)

    def _grant(self, wanted: int) -> int:
        count = min(wanted, self._step)
        self.granted += count
        return count


class Dribble(io.RawIOBase):
    """A stream that gives at most ``step`` bytes a read and cannot seek, as sockets and pipes do."""

    def __init__(self, stream: ByteStream, step: int = 1) -> None:
        self._stream = stream
        self._step = step

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``step`` bytes; all that is left, in pieces, if ``size`` is negative."""
        if size is None or size < 0:
            return self.readall()
        return self._stream.read(min(size, self._step))

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read at most ``step`` bytes into ``buffer``."""
        return fill(self._stream, memoryview(buffer).cast("B")[: self._step])

    def close(self) -> None:
        """Close the stream, too."""
        if not self.closed:
            self._stream.close()
        super().close()


class BreakingStream(io.RawIOBase):
    """Passes ``after`` bytes of a stream on and then raises ``error``, or ends if that is None."""

    def __init__(self, stream: ByteStream, after: int, error: BaseException | type[BaseException] | None) -> None:
        self._stream = stream
        self._left = after
        self._error = error

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read what may still come, or raise."""
        if size is None or size < 0:
            return self.readall()
        if size and not self._left:
            return self._end()
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read what may still come into ``buffer``, or raise."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the stream, too."""
        if not self.closed:
            self._stream.close()
        super().close()

    def _end(self) -> bytes:
        if self._error is None:
            return b""
        raise self._error


class _CountedFile(io.RawIOBase):
    def __init__(self, stream: ByteStream, body: RationedBody) -> None:
        self._stream = stream
        self._body = body

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._stream.read(-1 if size is None else size)
        self._body.read += len(data)
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = fill(self._stream, buffer)
        self._body.read += count
        return count

    def fileno(self) -> int:
        return descriptor(self._stream)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class _WatchedStream(io.BytesIO):
    def __init__(self, data: bytes, seen: Callable[[], object]) -> None:
        super().__init__(data)
        self._end = len(data)
        self._seen: Callable[[], object] | None = seen

    def read(self, size: int | None = -1, /) -> bytes:
        stop = self._end if self._seen is None else self._end - 1
        left = stop - self.tell()
        if left <= 0 and self._seen is not None:
            self._watch()
            left = 1
        return super().read(left if size is None or size < 0 else min(size, left))

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _watch(self) -> None:
        seen, self._seen = self._seen, None
        if seen is not None:
            seen()
