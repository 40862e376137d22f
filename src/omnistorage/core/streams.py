"""Bytes on their way: what a driver is given to store, what it gives back, and parts of large objects."""

from __future__ import annotations

import errno
import io
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from .errors import SourceChanged, SpecialFile, Truncated, Unsupported
from .info import ObjectInfo

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from typing_extensions import Buffer

CHUNK: Final = 1 << 20
"""Bytes that travel at once where nothing else is said."""

# Whatever took the place of a file: a link is not followed, and a FIFO not waited for.
_PLAINLY: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class ByteStream(Protocol):
    """A source of bytes: files, sockets and responses all fit."""

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes, all that is left if negative; ``b""`` means the end."""
        ...

    def close(self) -> None:
        """Let go of the source; a second call does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class ByteSink(Protocol):
    """Where bytes are written to; what was written counts when it is closed without an exception."""

    def write(self, data: Buffer, /) -> int:
        """Write all of ``data`` and return its number of bytes."""
        ...

    def close(self) -> None:
        """Commit what was written; a second call does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Body(ABC):
    """Bytes to store, which can be opened again, so that an upload can be repeated.

    Attributes:
        size: Bytes, or None if not known before the end.
        local_path: The file of this machine that holds exactly these bytes, or None.
        extent: Descriptor of an open file of this machine, and the position from which on its next ``size`` bytes are
            exactly these; None if there is none. Several bodies may share it: leave its own position alone.
        progress: Called with the number of bytes that a driver moved by other means than reading the stream (the
            kernel); whoever reads the stream is seen doing so. May raise, to stop.
        ration: Called before that with the number of bytes a driver would move next by such means; returns how many
            of them (at least one) it may, having waited until it may. None lets all pass.
        proof: Called with the bytes as they were stored, by drivers that can read them before the object gets its
            name; raises to refuse them. Other drivers do not call it.
    """

    size: int | None = None
    local_path: str | None = None
    extent: tuple[int, int] | None = None
    progress: Callable[[int], object] | None = None
    ration: Callable[[int], int] | None = None
    proof: Callable[[ByteStream], object] | None = None

    @abstractmethod
    def open(self) -> ByteStream:
        """Open the bytes from their beginning.

        Raises:
            Unsupported: They can be read only once, and were.
        """

    def check(self) -> None:  # noqa: B027 -- most bodies cannot change
        """Make sure that the bytes are still those which were opened.

        Drivers call it when all is read, before they close the stream and before the object appears.

        Raises:
            SourceChanged: They were changed while they were read.
        """


class BytesBody(Body):
    """Bytes in memory."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self.data = data
        self.size = len(data) if not isinstance(data, memoryview) else data.nbytes

    def open(self) -> ByteStream:
        """Open the bytes; never fails."""
        return io.BytesIO(self.data)


class FileBody(Body):
    """A file of this machine."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.local_path = os.fspath(path)
        self.size = os.stat(self.local_path).st_size

    def open(self) -> ByteStream:
        """Open the file, unbuffered."""
        assert self.local_path is not None
        return open(self.local_path, "rb", buffering=0)


class PlainFile(Body):
    """A file of this machine as a listing described it; storing it fails if it has changed since.

    For drivers that would rather open it themselves, many of them in a row; they need not tell ``progress`` of its
    bytes. Who makes it wait for its turn asks before by ``progress(0)``, which raises if nobody wants it any more.

    Attributes:
        mtime_ns: Time of modification that the listing gave, nanoseconds of Unix time.
    """

    def __init__(self, local_path: str, size: int, mtime_ns: int) -> None:
        self.local_path: str = local_path
        self.size: int = size
        self.mtime_ns = mtime_ns

    def open(self) -> ByteStream:
        """Open the file, unbuffered.

        Raises:
            SpecialFile: It is not a regular file any more.
        """
        try:
            self._stream = open(
                self.local_path, "rb", buffering=0, opener=lambda path, usual: os.open(path, usual | _PLAINLY)
            )
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENXIO):
                raise SpecialFile(op="get") from exc
            raise
        if not stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode):
            self._stream.close()
            raise SpecialFile(op="get")
        return self._stream

    def check(self) -> None:
        now = os.fstat(self._stream.fileno())
        if now.st_size != self.size or now.st_mtime_ns != self.mtime_ns:
            raise SourceChanged(op="get")

    def read(self, *, name: str | None = None, folder: int | None = None) -> bytes:
        """Return all bytes of a small file, by as few system calls as that takes.

        Args:
            name: What to open in its place, below ``folder``.
            folder: Descriptor of an open folder.

        Raises:
            SpecialFile: It is not a regular file any more.
            SourceChanged: It is not what the listing said.
            OSError: It cannot be read.
        """
        try:
            descriptor = os.open(name or self.local_path, _PLAINLY, dir_fd=folder)
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENXIO):
                raise SpecialFile(op="get") from exc
            raise
        try:
            size = self.size
            data = os.read(descriptor, size + 1)
            # Some file systems (FUSE) give less than there is; only nothing is the end.
            while 0 < len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
                data += more
            about = os.fstat(descriptor)
        except BlockingIOError as exc:
            # Nothing waits to be read: a FIFO that somebody writes to.
            raise SpecialFile(op="get") from exc
        finally:
            os.close(descriptor)
        if len(data) != size or about.st_mtime_ns != self.mtime_ns or not stat.S_ISREG(about.st_mode):
            raise SourceChanged(op="get")
        return data


class OpenerBody(Body):
    """Bytes behind a call, such as an object of another storage."""

    def __init__(self, opener: Callable[[], ByteStream], size: int | None, local_path: str | None = None) -> None:
        self._opener = opener
        self.size = size
        self.local_path = local_path

    def open(self) -> ByteStream:
        """Call the opener."""
        return self._opener()


class StreamBody(Body):
    """A stream of the caller; opens again only if it can seek."""

    def __init__(self, stream: ByteStream, size: int | None = None) -> None:
        self._stream = stream
        self.size = size
        self._start: int | None = None
        self._opened = False
        seekable = getattr(stream, "seekable", None)
        if seekable is not None and seekable():
            self._start = stream.tell()  # type: ignore[attr-defined]

    def open(self) -> ByteStream:
        """Return the stream, wound back to where it stood."""
        if self._opened:
            if self._start is None:
                raise Unsupported("this stream can be read only once; pass a file, bytes or a function that opens it")
            self._stream.seek(self._start)  # type: ignore[attr-defined]
        self._opened = True
        return _Lent(self._stream)


class _Lent(io.RawIOBase):
    """A caller's stream, which stays open when the driver is done with it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(size)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return fill(self._stream, buffer)


def as_body(data: Body | bytes | bytearray | memoryview | ByteStream) -> Body:
    """Make a Body of whatever a caller hands in.

    Raises:
        TypeError: ``data`` is neither bytes nor a binary stream nor a Body.
    """
    if isinstance(data, Body):
        return data
    if isinstance(data, bytes | bytearray | memoryview):
        return BytesBody(data)
    if isinstance(data, str | io.TextIOBase):
        raise TypeError("bytes or a binary stream are wanted, not text; encode it or use write_text")
    if hasattr(data, "read"):
        return StreamBody(data)
    raise TypeError(f"bytes or a binary stream are wanted, not {type(data).__name__}")


class Upload(ABC):
    """An object that is being stored in parts; nothing is visible before ``finish``.

    Parts are numbered from 1, may come in any order and from several threads, and may be put again. Each but
    the last has exactly ``part_size`` bytes; if the upload was begun without a size, ``part_length`` of them.

    Attributes:
        part_size: Bytes of each part but the last.
        streams: Parts side by side, unless whoever sends them wants another number: what a kill costs grows with it.
        token: By this another process can go on (``resume_upload``); None if that cannot be.
        done: Number and size in bytes of the parts that are stored safely.
    """

    part_size: int = 8 << 20
    streams: int = 4
    token: str | None = None

    @property
    @abstractmethod
    def done(self) -> Mapping[int, int]:
        """Number and size of the parts stored so far."""

    @abstractmethod
    def put_part(self, number: int, body: Body) -> None:
        """Store one part, whole or not at all."""

    def part_length(self, number: int) -> int:
        """Return the bytes of a part, unless it is the last, of an object of which nobody knows how much will come.

        Where there can be so many parts only, these grow with their number.
        """
        return self.part_size

    @abstractmethod
    def finish(self) -> ObjectInfo:
        """Make the object of the parts in the order of their numbers, at once."""

    @abstractmethod
    def abort(self) -> None:
        """Throw the parts away; a second call does nothing."""

    def stored(self) -> ByteStream | None:
        """Open what has been stored as the object that it will be; None where that cannot be read before the end.

        Raises:
            Truncated: A part is missing.
        """
        return None

    def stored_part(self, number: int) -> ByteStream | None:
        """Open one part that has been stored, while others still come; None where that cannot be read before the end.

        Of several of these streams of one upload, one is read at a time.
        """
        return None

    def stop(self) -> None:  # noqa: B027 -- to end a moment later is right, too
        """Let parts that other threads are putting fail soon, with Cancelled; ``leave`` or ``abort`` follows."""

    def leave(self) -> None:  # noqa: B027 -- most uploads hold nothing here
        """Let go of what this process holds; the parts stay for whoever goes on. No call may follow."""


# The class below io.IOBase: asking for that one itself goes by way of its metaclass, three times as slow.
_IO: Final[type] = io.IOBase.__mro__[1]


def descriptor(stream: ByteStream) -> int:
    """Return the descriptor of a local file from which the very bytes of a stream can be had; -1 if there is none.

    A buffered stream may have read ahead, and the descriptor of one that unpacks gives the packed bytes.
    """
    if isinstance(stream, _IO) and not isinstance(stream, io.RawIOBase):
        return -1
    fileno = getattr(stream, "fileno", None)
    if fileno is None:
        return -1
    try:
        return int(fileno())
    except io.UnsupportedOperation:
        return -1


def fill(stream: ByteStream, buffer: WriteableBuffer) -> int:
    """Read once into ``buffer``; return the number of bytes, 0 at the end."""
    readinto = getattr(stream, "readinto", None)
    if readinto is not None:
        return int(readinto(buffer) or 0)
    view = memoryview(buffer).cast("B")
    data = stream.read(len(view))
    view[: len(data)] = data
    return len(data)


def read_exactly(stream: ByteStream, size: int) -> bytes:
    """Read until ``size`` bytes have come or the stream ends; the result may be shorter."""
    first = stream.read(size)
    if len(first) == size or not first:
        return first
    parts = [first]
    missing = size - len(first)
    while missing and (data := stream.read(missing)):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def read_all(stream: ByteStream) -> bytes:
    """Read to the end, also where ``read()`` answers in pieces."""
    parts = []
    while data := stream.read(CHUNK):
        parts.append(data)
    return b"".join(parts)


def copy_stream(
    source: ByteStream, write: Callable[[memoryview], object], *, size: int | None = None, chunk: int = CHUNK
) -> int:
    """Copy to the end of ``source`` and return the number of bytes.

    Raises:
        Truncated: ``size`` is known and another number of bytes came.
    """
    buffer = memoryview(bytearray(min(chunk, size + 1) if size is not None else chunk))
    total = 0
    while count := fill(source, buffer):
        write(buffer[:count])
        total += count
    if size is not None and total != size:
        raise Truncated(f"{size} bytes were announced, {total} came")
    return total


class Window(io.RawIOBase):
    """Exactly ``length`` bytes of a stream from where it stands; closing it closes the stream.

    Attributes:
        raw: The stream.
    """

    def __init__(self, stream: ByteStream, length: int) -> None:
        self.raw = stream
        self._left = length

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes of what is left of the window."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        if not wanted:
            return b""
        data = read_exactly(self.raw, wanted) if size is None or size < 0 else self.raw.read(wanted)
        self._left -= len(data)
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer``."""
        view = memoryview(buffer).cast("B")[: self._left]
        count = fill(self.raw, view) if len(view) else 0
        self._left -= count
        return count

    def close(self) -> None:
        """Close the stream, too."""
        if not self.closed:
            self.raw.close()
        super().close()
