"""Ends the waiting for a service that does not answer.

    Timeout(driver, call=60.0, idle=60.0)

Every call runs in a thread of its own, and the caller waits for it only so long; then TimedOut is raised, which
``Retry`` takes as a reason to try again. Python cannot stop a thread, so an abandoned call **goes on in the
background** until the library below gives up. Its late result is thrown away: a stream is closed, an upload aborted.
Its late effect is not: **a put, delete or move that timed out may still happen**, even after a later call on the same
path. A put is at least cut off at its next read from its body, so that one that was still sending stores nothing.

Time spent in reading the body of a put is not counted, since it is another storage's; each read begins the ``call``
seconds anew, so that a large object on a slow line is no timeout, and a stalled one is. For this the body is read by
the driver: ``local_path``, ``local_root`` and ``fileno`` are hidden, because copies that the kernel makes cannot be
timed. Prefer the timeouts of a service's own library, where it has some, for speed: this layer costs some ten
microseconds a call.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from omnistorage.core.driver import Driver, Failures
from omnistorage.core.errors import Cancelled, TimedOut
from omnistorage.core.info import ObjectInfo
from omnistorage.core.layer import Layer, LayeredUpload
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, Upload
from omnistorage.core.wrapped import WrappedStream

from ._workers import Abandoned, Job, Workers

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

_WORK: Final = frozenset({"copy", "move", "restore_version", "hash", "finish", "sweep", "delete_many"})
_END: Final = object()


class Timeout(Layer):
    """Raises TimedOut when a call, or a read from a stream, takes too long.

    Args:
        inner: The driver around which it stands.
        call: Seconds for a call; for ``put`` and ``put_part``, seconds without a read from the body.
        idle: Seconds for a single read from a stream.
        work: Seconds for what takes a service as long as an object is large or a tree is deep: ``copy``, ``move``,
            ``restore_version``, ``hash``, ``sweep``, ``delete_many`` and the ``finish`` of an upload.
    """

    def __init__(self, inner: Driver, *, call: float = 60.0, idle: float = 60.0, work: float = 600.0) -> None:
        super().__init__(inner)
        for name, seconds in (("call", call), ("idle", idle), ("work", work)):
            if seconds <= 0:
                raise ValueError(f"{name} is a positive number of seconds, not {seconds}")
        self.call = call
        self.idle = idle
        self.work = work
        self.features = msgspec.structs.replace(inner.features, local=False)
        self._workers = Workers()

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        return self.timed(op, path, Job(call, self.work if op in _WORK else self.call))

    def timed(self, op: str, path: str, job: Job[T]) -> T:
        """Wait for a call as long as it may take.

        Raises:
            TimedOut: It took longer, and goes on in the background.
        """
        try:
            return self._workers.run(job)
        except Abandoned:
            # The job's own error, if it comes, belongs to nobody.
            raise TimedOut(f"no answer within {job.seconds:g} s", op=op, path=path, scheme=self.scheme) from None

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        job = Job(lambda: self.inner.get(path, offset, length), self.call, _close)
        return _TimedStream(self.timed("get", path, job), self, path)

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        job = Job(lambda: self.inner.get_version(path, version, offset, length), self.call, _close)
        return _TimedStream(self.timed("get_version", path, job), self, path)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return self.send("put", path, body, lambda body: self.inner.put(path, body, options))

    def send(self, op: str, path: str, body: Body, store: Callable[[Body], T]) -> T:
        """Store a body; the time begins anew with each read from it."""
        watched = _WatchedBody(body)
        job: Job[T] = Job(lambda: store(watched), self.call)
        watched.job = job
        return self.timed(op, path, job)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        job = Job(lambda: self.inner.begin_upload(path, options, size), self.call, _abort)
        return _TimedUpload(self, path, self.timed("begin_upload", path, job))

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        # Not aborted when late: its parts are wanted by the next attempt.
        return _TimedUpload(self, path, super().resume_upload(path, token, options))

    def delete_many(self, paths: Sequence[str]) -> Failures:
        # The driver goes on with the paths when the caller is gone, and may have changed them.
        return super().delete_many(tuple(paths))

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        found = self.around("versions", path, lambda: self.inner.versions(path))
        while isinstance(info := self.around("versions", path, lambda: next(found, _END)), ObjectInfo):
            yield info

    def watch(self, path: str, report: Callable[[ObjectInfo], None]) -> Callable[[], None]:
        job = Job(lambda: self.inner.watch(path, report), self.call, _call)
        return self.timed("watch", path, job)

    def close(self) -> None:
        """Close the driver and let idle threads end; abandoned calls are not waited for."""
        try:
            super().close()
        finally:
            self._workers.close()

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), call=self.call, idle=self.idle, work=self.work), (self.inner,)


class _TimedStream(WrappedStream):
    """A stream of which each read takes only so long; after one that did not, it is of no use."""

    def __init__(self, raw: ByteStream, layer: Timeout, path: str) -> None:
        super().__init__(raw)
        self._layer = layer
        self._path = path
        self._stuck = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes, all that is left if negative or None.

        Raises:
            TimedOut: Nothing came in time; the stream has to be opened again.
        """
        if size is not None and size >= 0:
            return self._timed(size)
        parts = []
        while data := self._timed(1 << 20):
            parts.append(data)
        return b"".join(parts)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer`` and return the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        # By way of bytes of our own: a late read must not write into a buffer that its owner uses again.
        data = self._timed(len(view))
        view[: len(data)] = data
        return len(data)

    def fileno(self) -> int:
        """Raise UnsupportedOperation: what the kernel copies cannot be timed."""
        raise io.UnsupportedOperation("fileno: the stream is timed")

    def close(self) -> None:
        """Close the stream; one that is stuck in a read is closed when that read ends."""
        if self._stuck:
            self.raw = io.BytesIO()
        super().close()

    def _timed(self, size: int) -> bytes:
        layer, raw = self._layer, self.raw
        if self._stuck:
            raise TimedOut("an earlier read timed out", op="read", path=self._path, scheme=layer.scheme)

        def late(data: object) -> None:
            raw.close()

        job = Job(lambda: raw.read(size), layer.idle, late, late)
        try:
            return layer.timed("read", self._path, job)
        finally:
            self._stuck = job.abandoned


class _WatchedBody(Body):
    """A body whose reads stop the time of a job, and fail once it was abandoned."""

    job: Job[Any] | None = None

    def __init__(self, body: Body) -> None:
        self.size = body.size
        self._body = body

    def open(self) -> ByteStream:
        """Open the body."""
        return _WatchedStream(self.watched(self._body.open), self)

    def check(self) -> None:
        """Pass the question on."""
        self.watched(self._body.check)

    def watched(self, call: Callable[[], T]) -> T:
        """Do something with the body outside of the job's time.

        Raises:
            Cancelled: Nobody waits for the job any more.
        """
        if self.job is None:
            return call()
        if not self.job.pause():
            raise Cancelled("the call timed out before")
        try:
            return call()
        finally:
            self.job.go_on()


class _WatchedStream(WrappedStream):
    """The stream of a watched body."""

    def __init__(self, raw: ByteStream, body: _WatchedBody) -> None:
        super().__init__(raw)
        self._body = body

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes, all that is left if negative or None."""
        return self._body.watched(lambda: super(_WatchedStream, self).read(size))

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer`` and return the number of bytes, 0 at the end."""
        return self._body.watched(lambda: super(_WatchedStream, self).readinto(buffer))

    def fileno(self) -> int:
        """Raise UnsupportedOperation: what the kernel copies cannot be timed."""
        raise io.UnsupportedOperation("fileno: the stream is timed")


class _TimedUpload(LayeredUpload):
    """An upload whose parts are timed by their reads."""

    def __init__(self, layer: Timeout, path: str, inner: Upload) -> None:
        super().__init__(layer, path, inner)
        self._timeout = layer

    def put_part(self, number: int, body: Body) -> None:
        self._timeout.send("put_part", self._path, body, lambda body: self.inner.put_part(number, body))


def _close(stream: ByteStream) -> None:
    stream.close()


def _abort(upload: Upload) -> None:
    upload.abort()


def _call(stop: Callable[[], None]) -> None:
    stop()
