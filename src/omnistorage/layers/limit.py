"""Keeps storages to so many bytes and calls a second, shared by all who use them.

    bandwidth = Bandwidth("08:00,512k 19:00,off")
    src = Storage(one, partial(Limit, bandwidth=bandwidth))
    dst = Storage(two, partial(Limit, bandwidth=bandwidth))
    bandwidth.set("2M")                # from any thread, while transfers run

Bytes count in both directions, each with a limit of its own: those read from ``get`` and those that ``put`` and
``put_part`` store. A byte that is copied counts once in each. They travel in pieces of a twentieth of a second, so
that a slow transfer flows rather than jumps; who asked first is served first. What the service does on its own
(``copy``, ``move``) moves no bytes of ours and counts as one call.

The kernel may copy into local files, in such pieces (``Body.ration``). From those that are read here it may not:
``fileno`` and ``local_root`` are hidden, or it would copy around the limit. Renames and hard links move no bytes.

A pickled limit keeps its rates; another process has limits of its own (``Bandwidth.share``).
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from omnistorage.core.bandwidth import AnyLimit, Bandwidth, Lane, Lanes
from omnistorage.core.bucket import TokenBucket
from omnistorage.core.driver import Driver, PutItem, PutResults
from omnistorage.core.info import ObjectInfo
from omnistorage.core.layer import Layer, LayeredUpload
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import CHUNK, Body, ByteStream, PlainFile, Upload, descriptor, fill
from omnistorage.core.timetable import Timetable
from omnistorage.core.wrapped import WrappedStream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Bandwidth", "Limit", "LimitedStream", "calls_per_second"]

T = TypeVar("T")
Gate = Lane | Lanes

_TICK: Final = 0.005
"""Seconds below which no wait can be kept; calls of that time may come at once."""


def calls_per_second(
    rate: float | None,
    burst: float = 1.0,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
) -> TokenBucket:
    """Make a limit of ``rate`` calls a second (None: no limit), of which ``burst`` may come at once after a rest."""
    return TokenBucket(rate, max(burst, 1.0, (rate or 0.0) * _TICK), clock=clock, sleep=sleep)


class Limit(Layer):
    """Slows calls and streams down to a rate.

    Args:
        inner: The driver around which it stands.
        bandwidth: The limit of bytes, which several layers may share.
        bytes_per_second: Without ``bandwidth``: bytes read, and bytes written, in a second; None is no limit, 0 stops
            until it is changed.
        per_file: The same for each file by itself, as ``bandwidth`` takes it; what holds when it is opened goes on
            to the end of it.
        calls: The limit of calls, which several layers may share; see ``calls_per_second``.
        ops_per_second: Without ``calls``: calls in a second, each part of an upload and each page of a listing being
            one; None is no limit.
        burst: Without ``calls``: calls that may come at once after a rest.
        reads: Whether reading counts, or only storing. Local files that may be read for nothing may be opened, and
            renamed, by others, too.
        clock: Tells the time in seconds.
        sleep: Waits for so many seconds; None waits so that a change of the rates wakes the sleepers.
    """

    def __init__(
        self,
        inner: Driver,
        *,
        bandwidth: Bandwidth | None = None,
        bytes_per_second: AnyLimit = None,
        per_file: AnyLimit = None,
        calls: TokenBucket | None = None,
        ops_per_second: float | None = None,
        burst: float = 1.0,
        reads: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__(inner)
        if bandwidth is not None and bytes_per_second is not None:
            raise ValueError("give bandwidth or bytes_per_second, not both")
        self.bandwidth = bandwidth or Bandwidth(bytes_per_second, clock=clock, sleep=sleep)
        self.per_file = None if per_file is None else Timetable.of(per_file)
        self.reads = reads
        self._ops = calls or calls_per_second(ops_per_second, burst, clock=clock, sleep=sleep)
        self._local = inner.features.local
        if not reads:
            self.local_root = inner.local_root
        self._in = self.bandwidth.lane(writing=True, local=self._local)
        self._out = self.bandwidth.lane(writing=False, local=self._local)
        self._make_file = partial(Bandwidth, clock=clock, sleep=sleep)

    @property
    def bytes_per_second(self) -> float | None:
        """Bytes stored in a second, or None. May be set at any time (for reading, too), and wakes those who wait."""
        return self.bandwidth.rates.up

    @bytes_per_second.setter
    def bytes_per_second(self, rate: float | None) -> None:
        self.bandwidth.set(rate)

    @property
    def ops_per_second(self) -> float | None:
        """Calls in a second, or None. May be set at any time, counts at once, and wakes those who wait."""
        return self._ops.rate

    @ops_per_second.setter
    def ops_per_second(self, rate: float | None) -> None:
        self._ops.rate = rate

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        self._ops.take()
        return call()

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        stream = super().get(path, offset, length)
        return LimitedStream(stream, self.gate(writing=False)) if self.reads else stream

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        stream = super().get_version(path, version, offset, length)
        return LimitedStream(stream, self.gate(writing=False)) if self.reads else stream

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        keep_path = options.consume or options.link
        return super().put(path, _LimitedBody(body, self.gate(writing=True), keep_path=keep_path), options)

    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        """Store several objects; small local files pay together before they are stored, as many as make a piece."""
        if not self._local:
            return super().put_many(items)
        results: PutResults = []
        group: list[PutItem] = []
        size, most = 0, self._in.piece()
        for item in items:
            body = item[1]
            small = type(body) is PlainFile and body.size <= most and self.per_file is None
            more = body.size or 0
            if group and (not small or size + more > most):
                results += self._put_group(group, size)
                group, size, most = [], 0, self._in.piece()
            if small:
                group.append(item)
                size += more
            else:
                refused = _refusal(body)
                results += super().put_many([item]) if refused is None else [refused]
        return results + self._put_group(group, size) if group else results

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        upload = self.around("begin_upload", path, lambda: self.inner.begin_upload(path, options, size))
        return _LimitedUpload(self, path, upload)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload = self.around("resume_upload", path, lambda: self.inner.resume_upload(path, token, options))
        return _LimitedUpload(self, path, upload)

    def gate(self, *, writing: bool) -> Gate:
        """Return what the bytes of one file have to pass."""
        lane = self._in if writing else self._out
        if self.per_file is None:
            return lane
        alone = self._make_file(self.per_file.at(datetime.now()))
        return Lanes(alone.lane(writing=writing, local=self._local), lane)

    def _put_group(self, group: list[PutItem], size: int) -> PutResults:
        refused = _refusal(group[0][1])
        if refused is not None:
            return [refused] * len(group)
        self._in.pay(size)
        self._ops.take(len(group))
        return self.inner.put_many(group)

    def __reduce__(self) -> tuple[object, ...]:
        settings: dict[str, Any] = {
            "bandwidth": self.bandwidth,
            "per_file": self.per_file,
            "calls": self._ops,
            "reads": self.reads,
        }
        return partial(type(self), **settings), (self.inner,)


def _refusal(body: Body) -> Exception | None:
    """Return why nobody wants a body any more, before anybody waits for it; None if it is wanted."""
    if body.progress is not None:
        try:
            body.progress(0)
        except Exception as exc:
            return exc
    return None


class LimitedStream(WrappedStream):
    """A stream that comes no faster than its limit; a read may bring less than was asked for.

    Args:
        raw: The stream inside.
        gate: What its bytes have to pass.
        kernel: Its descriptor may be used, by one who asks ``Body.ration``.
    """

    def __init__(self, raw: ByteStream, gate: Gate, *, kernel: bool = False) -> None:
        super().__init__(raw)
        self._gate = gate
        self._kernel = kernel

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
        count = fill(self.raw, memoryview(buffer).cast("B")[: self._gate.piece()])
        self._gate.pay(count)
        return count

    def fileno(self) -> int:
        """The descriptor, so that the kernel can copy, or UnsupportedOperation: it would copy around the limit."""
        found = descriptor(self.raw) if self._kernel else -1
        if found < 0:
            raise io.UnsupportedOperation("fileno: the stream is limited")
        return found

    def _piece(self, size: int) -> bytes:
        data = self.raw.read(min(size, self._gate.piece()))
        self._gate.pay(len(data))
        return data


class _LimitedBody(Body):
    """A body that is read no faster than the limit, also by the kernel.

    It is a local file only where that may be renamed or linked, which moves no bytes.
    """

    def __init__(self, body: Body, gate: Gate, *, keep_path: bool = False) -> None:
        self.size = body.size
        self.local_path = body.local_path if keep_path else None
        self.progress = body.progress
        self.proof = body.proof
        self.extent = body.extent
        inside = body.ration
        self.ration = gate.ration if inside is None else lambda wanted: gate.ration(inside(wanted))
        self._body = body
        self._gate = gate

    def open(self) -> ByteStream:
        """Open the body."""
        return LimitedStream(self._body.open(), self._gate, kernel=True)

    def check(self) -> None:
        """Pass the question on."""
        self._body.check()


class _LimitedUpload(LayeredUpload):
    """An upload whose parts are limited, too; all of them are one file."""

    def __init__(self, limit: Limit, path: str, inner: Upload) -> None:
        super().__init__(limit, path, inner)
        self._gate = limit.gate(writing=True)

    def put_part(self, number: int, body: Body) -> None:
        super().put_part(number, _LimitedBody(body, self._gate))
