"""How a thread learns that its caller was cancelled: every request and every chunk asks first."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from omnistorage.core.driver import Driver
from omnistorage.core.errors import Cancelled
from omnistorage.core.info import ObjectInfo
from omnistorage.core.layer import Layer, LayeredUpload
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import CHUNK, Body, BytesBody, ByteStream, Upload, fill, read_all

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

_CLEANING = frozenset({"delete", "delete_many", "rmdir"})


class Stop:
    """Whether the caller still wants what a thread works on; set from the loop, read by the thread.

    Attributes:
        wanted: False as soon as the caller was cancelled.
    """

    __slots__ = ("wanted",)

    def __init__(self) -> None:
        self.wanted = True


class Stopping(Layer):
    """Refuses requests, and ends bodies and streams between two chunks, with Cancelled once stopped.

    Goes around all other layers, so that no retry repeats what nobody waits for. A request that the driver has
    begun and that moves no bytes through us (a copy at the service) is not interrupted, nor is the wait of a
    retry layer: the stop takes effect behind them.
    """

    def __init__(self, inner: Driver, stop: Stop | None = None) -> None:
        super().__init__(inner)
        self._stop = stop or Stop()

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        if not self._stop.wanted and not _is_cleaning(op):
            raise self.cancelled(op, path)
        return call()

    def check(self, op: str, path: str) -> None:
        """Raise Cancelled if stopped."""
        if not self._stop.wanted:
            raise self.cancelled(op, path)

    def cancelled(self, op: str, path: str) -> Cancelled:
        """Make the error that says so."""
        return Cancelled(op=op, path=path, scheme=self.scheme)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return _Stream(super().get(path, offset, length), lambda: self.check("read", path))

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return _Stream(super().get_version(path, version, offset, length), lambda: self.check("read", path))

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, self.stoppable("put", path, body), options)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        upload = self.around("begin_upload", path, lambda: self.inner.begin_upload(path, options, size))
        return _StoppingUpload(self, path, upload)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload = self.around("resume_upload", path, lambda: self.inner.resume_upload(path, token, options))
        return _StoppingUpload(self, path, upload)

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        for info in super().versions(path):
            self.check("versions", path)
            yield info

    def stoppable(self, op: str, path: str, body: Body) -> Body:
        """Return a body that fails at its next read once stopped."""
        at_once = isinstance(body, BytesBody) or body.local_path is not None
        if at_once and body.size is not None and body.size <= CHUNK:
            # No more than one chunk anyway: let the driver take the short way.
            return body
        return _Body(body, lambda: self.check(op, path))


class _StoppingUpload(LayeredUpload):
    """An upload whose parts are read with an eye on the stop."""

    def __init__(self, layer: Stopping, path: str, inner: Upload) -> None:
        super().__init__(layer, path, inner)
        self._stopping = layer

    def put_part(self, number: int, body: Body) -> None:
        super().put_part(number, self._stopping.stoppable("put_part", self._path, body))


class _Body(Body):
    """A body without short cuts: neither a local path nor a descriptor, or the kernel would copy to the end."""

    def __init__(self, body: Body, check: Callable[[], None]) -> None:
        self._body = body
        self._check = check
        self.size = body.size
        self.progress = self._ask

    def open(self) -> ByteStream:
        self._check()
        return _Stream(self._body.open(), self._check)

    def check(self) -> None:
        # The last moment at which nothing has appeared yet.
        self._check()
        self._body.check()

    def _ask(self, count: int) -> None:
        self._check()
        if self._body.progress is not None:
            self._body.progress(count)


class _Stream(io.RawIOBase):
    """A stream that asks before each read whether to go on."""

    def __init__(self, stream: ByteStream, check: Callable[[], None]) -> None:
        self._stream = stream
        self._check = check

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return read_all(self)
        self._check()
        return self._stream.read(size)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._check()
        return fill(self._stream, buffer)

    def close(self) -> None:
        if not self.closed:
            try:
                self._stream.close()
            finally:
                super().close()


def _is_cleaning(op: str) -> bool:
    """Say whether this request removes what a stopped one would leave behind."""
    return op == "abort" or (op in _CLEANING and isinstance(sys.exc_info()[1], Cancelled))
