"""Keeps a storage to so many bytes and calls a second, shared by all who use it.

    limit = Limit(driver, bytes_per_second=100 << 10)
    limit.bytes_per_second = None      # from any thread, while transfers run

Bytes count in both directions: those read from ``get`` and those that ``put`` and ``put_part`` read from their
bodies. Reads come back in pieces of about a tenth of a second, so that a slow transfer flows rather than jumps; who
asked first is served first. What the service does on its own (``copy``, ``move``) moves no bytes of ours and counts
as one call. ``local_path``, ``local_root`` and ``fileno`` are hidden, or the kernel would copy around the limit.

A pickled limit keeps its rates; another process has a bucket of its own.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from omnistorage.core.bucket import TokenBucket
from omnistorage.core.driver import Driver
from omnistorage.core.info import ObjectInfo
from omnistorage.core.layer import Layer, LayeredUpload
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import CHUNK, Body, ByteStream, Upload, fill
from omnistorage.core.wrapped import WrappedStream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

_PIECE: Final = 0.1
_SMALLEST: Final = 512


class Limit(Layer):
    """Slows calls and streams down to a rate.

    Args:
        inner: The driver around which it stands.
        bytes_per_second: Bytes read and written in a second; None is no limit, 0 stops until it is changed.
        ops_per_second: Calls in a second, each part of an upload and each page of a listing being one; None is no
            limit.
        burst: Seconds' worth of bytes or calls (at least one call) that may be had at once after a rest.
        clock: Tells the time in seconds.
        sleep: Waits for so many seconds; None waits so that a change of the rates wakes the sleepers.
    """

    def __init__(
        self,
        inner: Driver,
        *,
        bytes_per_second: float | None = None,
        ops_per_second: float | None = None,
        burst: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__(inner)
        if burst <= 0:
            raise ValueError(f"burst is a positive number of seconds, not {burst}")
        self.burst = burst
        self.features = msgspec.structs.replace(inner.features, local=False)
        self._bytes = TokenBucket(bytes_per_second, self._room(bytes_per_second), clock=clock, sleep=sleep)
        self._ops = TokenBucket(ops_per_second, self._room(ops_per_second), clock=clock, sleep=sleep)

    @property
    def bytes_per_second(self) -> float | None:
        """Bytes in a second, or None. May be set at any time, counts at once, and wakes those who wait."""
        return self._bytes.rate

    @bytes_per_second.setter
    def bytes_per_second(self, rate: float | None) -> None:
        self._bytes.change(rate, self._room(rate))

    @property
    def ops_per_second(self) -> float | None:
        """Calls in a second, or None. May be set at any time, counts at once, and wakes those who wait."""
        return self._ops.rate

    @ops_per_second.setter
    def ops_per_second(self, rate: float | None) -> None:
        self._ops.change(rate, self._room(rate))

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        self._ops.take()
        return call()

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return LimitedStream(super().get(path, offset, length), self)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, _LimitedBody(body, self), options)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        upload = self.around("begin_upload", path, lambda: self.inner.begin_upload(path, options, size))
        return _LimitedUpload(self, path, upload)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload = self.around("resume_upload", path, lambda: self.inner.resume_upload(path, token, options))
        return _LimitedUpload(self, path, upload)

    def piece(self) -> int:
        """Return how many bytes should travel at once at the rate of the moment."""
        rate = self._bytes.rate
        return CHUNK if rate is None else min(max(int(rate * _PIECE), _SMALLEST), CHUNK)

    def pay(self, count: int) -> None:
        """Wait until so many bytes may have passed."""
        if count:
            self._bytes.take(count)

    def _room(self, rate: float | None) -> float:
        return max(1.0, (rate or 0.0) * self.burst)

    def __reduce__(self) -> tuple[object, ...]:
        settings: dict[str, Any] = {
            "bytes_per_second": self.bytes_per_second,
            "ops_per_second": self.ops_per_second,
            "burst": self.burst,
        }
        return partial(type(self), **settings), (self.inner,)


class LimitedStream(WrappedStream):
    """A stream that comes no faster than its limit; a read may bring less than was asked for."""

    def __init__(self, raw: ByteStream, limit: Limit) -> None:
        super().__init__(raw)
        self._limit = limit

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes, all that is left if negative or None."""
        if size is not None and size >= 0:
            return self._piece(size)
        parts = []
        while data := self._piece(CHUNK):
            parts.append(data)
        return b"".join(parts)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer`` and return the number of bytes, 0 at the end."""
        count = fill(self.raw, memoryview(buffer).cast("B")[: self._limit.piece()])
        self._limit.pay(count)
        return count

    def fileno(self) -> int:
        """Raise UnsupportedOperation: the kernel would copy around the limit."""
        raise io.UnsupportedOperation("fileno: the stream is limited")

    def _piece(self, size: int) -> bytes:
        data = self.raw.read(min(size, self._limit.piece()))
        self._limit.pay(len(data))
        return data


class _LimitedBody(Body):
    """A body that is read no faster than the limit; it is no local file any more."""

    def __init__(self, body: Body, limit: Limit) -> None:
        self.size = body.size
        self._body = body
        self._limit = limit

    def open(self) -> ByteStream:
        """Open the body."""
        return LimitedStream(self._body.open(), self._limit)

    def check(self) -> None:
        """Pass the question on."""
        self._body.check()


class _LimitedUpload(LayeredUpload):
    """An upload whose parts are limited, too."""

    def __init__(self, limit: Limit, path: str, inner: Upload) -> None:
        super().__init__(limit, path, inner)
        self._limit = limit

    def put_part(self, number: int, body: Body) -> None:
        super().put_part(number, _LimitedBody(body, self._limit))
