"""Writers: what is written becomes an object on a clean close, and vanishes on anything else."""

from __future__ import annotations

import io
import warnings
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Self

from .driver import Driver
from .errors import Closed, Truncated
from .info import ObjectInfo
from .options import PutOptions
from .sending import STREAMS, Sending
from .streams import BytesBody, OpenerBody, Upload

if TYPE_CHECKING:
    from typing_extensions import Buffer

BUFFER: Final = 8 << 20
"""Bytes gathered before the first of them are sent, where nothing else is said."""


class Writer(io.BufferedIOBase):
    """Stores what is written to it as one object.

    The object appears, whole, when the writer is closed without an exception. It does not appear when the
    ``with`` block raises, when ``abort`` is called, or when the writer is garbage-collected unclosed; what was
    there before stays. Small objects are stored with one call; larger ones in parts where the storage can, a few of
    them side by side while more is written, else by way of a temporary file, so that memory stays flat.

    Attributes:
        info: What was stored; None before the writer is closed, and after an abort.
    """

    def __init__(
        self,
        driver: Driver,
        path: str,
        options: PutOptions,
        buffer_size: int | None = None,
        size: int | None = None,
    ) -> None:
        if buffer_size is not None and buffer_size <= 0:
            raise ValueError(f"buffer_size is a positive number of bytes, not {buffer_size}")
        self.info: ObjectInfo | None = None
        self._driver = driver
        self._path = path
        self._options = options
        self._limit = buffer_size or BUFFER
        self._size = size
        self._buffer = bytearray()
        self._upload: Upload | None = None
        self._sending: Sending | None = None
        self._spool: IO[bytes] | None = None
        self._parts = 0
        self._written = 0
        self._ended = False

    @property
    def name(self) -> str:
        """The path that is written to."""
        return self._path

    @property
    def closed(self) -> bool:
        """True after ``close`` or ``abort``."""
        return self._ended

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self._written

    def write(self, data: Buffer, /) -> int:
        """Take all of ``data`` and return its number of bytes.

        Raises:
            Closed: The writer was closed or aborted.
            StorageError: A part could not be stored, this one or one before; the writer can only be aborted then.
        """
        if self._ended:
            raise Closed(op="write", path=self._path, scheme=self._driver.scheme)
        count = memoryview(data).nbytes
        self._written += count
        if self._spool is not None:
            self._spool.write(data)
            return count
        self._buffer += data
        if len(self._buffer) > self._limit:
            self._pass_on()
        return count

    def flush(self) -> None:
        """Do nothing: nothing can be seen of an object before it is whole."""
        if self._ended:
            raise Closed(op="flush", path=self._path, scheme=self._driver.scheme)

    def close(self) -> None:
        """Commit: make the object appear. A second call does nothing.

        Raises:
            StorageError: It could not be stored; nothing is left of it.
        """
        if self._ended:
            return
        try:
            self.info = self._commit()
        except BaseException:
            self.abort()
            raise
        self._ended = True
        self._release()

    def abort(self) -> None:
        """Throw away what was written. A second call, or one after ``close``, does nothing."""
        if self._ended:
            return
        self._ended = True
        try:
            if self._sending is not None:
                self._sending.close()
        finally:
            try:
                if self._upload is not None:
                    self._upload.abort()
            finally:
                self._release()

    def _pass_on(self) -> None:
        """Move full parts out of memory."""
        if self._upload is None:
            if not self._driver.features.upload:
                import tempfile

                self._spool = tempfile.TemporaryFile(prefix="omnistorage-")
                self._spool.write(self._buffer)
                self._buffer = bytearray()
                return
            self._begin()
        assert self._upload is not None
        upload = self._upload
        while len(self._buffer) > (size := upload.part_length(self._parts + 1)):
            # Always keep something back: the last part is the one that may be short, but not missing.
            with memoryview(self._buffer) as view:
                self._put_part(bytes(view[:size]))
            del self._buffer[:size]

    def _begin(self) -> None:
        upload = self._driver.begin_upload(self._path, self._options, self._size)
        # On this machine a thread more is a detour, and nothing is waited for.
        alone = self._driver.features.local or upload.streams == 1
        self._upload = upload
        self._sending = Sending(
            lambda number, data: upload.put_part(number, BytesBody(data)), upload.stop, 1 if alone else STREAMS
        )

    def _put_part(self, data: bytes) -> None:
        assert self._sending is not None
        self._parts += 1
        self._sending.send(self._parts, data)

    def _commit(self) -> ObjectInfo:
        if self._size is not None and self._written != self._size:
            message = f"{self._size} bytes were announced, {self._written} came"
            raise Truncated(message, op="write", path=self._path, scheme=self._driver.scheme)
        if self._upload is not None and self._sending is not None:
            # What is held back may be more than one part where parts are small.
            self._pass_on()
            self._put_part(bytes(self._buffer))
            self._sending.end()
            return self._upload.finish()
        if self._spool is not None:
            spool = self._spool

            def rewind() -> io.BufferedIOBase:
                spool.seek(0)
                return _Kept(spool)

            return self._driver.put(self._path, OpenerBody(rewind, self._written), self._options)
        return self._driver.put(self._path, BytesBody(bytes(self._buffer)), self._options)

    def _release(self) -> None:
        self._buffer = bytearray()
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> Self:
        if self._ended:
            raise Closed(op="write", path=self._path, scheme=self._driver.scheme)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        # io's own finalizer would close, and so commit half an object.
        if not getattr(self, "_ended", True):
            message = f"writer of {self._path!r} was never closed; nothing was stored"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)
            self.abort()


class _Kept(io.BufferedIOBase):
    """The spool, lent to a driver that will close what it was given."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._file = spool

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read(-1 if size is None else size)


class TextWriter(io.TextIOWrapper):
    """Text over a writer, with the writer's promise: nothing appears unless it is closed cleanly.

    A plain TextIOWrapper would close, and so commit, also when the ``with`` block raised or when it was
    garbage-collected.
    """

    def __init__(self, writer: Any, **settings: Any) -> None:
        super().__init__(writer, **settings)
        self._writer = writer

    def abort(self) -> None:
        """Throw away what was written."""
        self._writer.abort()
        try:
            self.detach()
        except ValueError:
            return  # closed or detached before

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        writer = getattr(self, "_writer", None)
        if writer is not None and not writer.closed:
            self.abort()
