"""Timeouts: nobody waits for a service that does not answer, and what comes late does no harm."""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Iterator

import pytest

from omnistorage.core.errors import NotFound, TimedOut
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, ByteStream, OpenerBody, read_all
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.timeout import Timeout

SOON = 0.03
PATIENCE = 20.0


class Late(io.BytesIO):
    """A stream that says when it was closed, and may be stuck."""

    def __init__(self, data: bytes, stuck: threading.Event | None = None) -> None:
        super().__init__(data)
        self.over = threading.Event()
        self._stuck = stuck

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stuck is not None:
            self._stuck.wait(PATIENCE)
        return super().read(size)

    def close(self) -> None:
        super().close()
        self.over.set()


class Blocked(MemoryDriver):
    """Answers only when it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()
        self.ended = threading.Event()
        self.error: Exception | None = None
        self.stream = Late(b"late")

    def stat(self, path: str) -> ObjectInfo:
        self.release.wait(PATIENCE)
        return super().stat(path)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        if path == "slow":
            self.release.wait(PATIENCE)
        return self.stream

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        try:
            with body.open() as stream:
                stream.read(1)
                self.release.wait(PATIENCE)
                stream.read(1)
        except Exception as exc:
            self.error = exc
        self.ended.set()
        return ObjectInfo(path)


@pytest.fixture
def blocked() -> Iterator[Blocked]:
    driver = Blocked()
    yield driver
    driver.release.set()


def test_call_that_takes_too_long(blocked: Blocked) -> None:
    """The caller gets TimedOut, which names the call and can be retried."""
    with pytest.raises(TimedOut) as caught:
        Timeout(blocked, call=SOON).stat("a")

    assert (caught.value.op, caught.value.path, caught.value.retryable) == ("stat", "a", True)


def test_late_stream_is_closed(blocked: Blocked) -> None:
    """A stream that is opened when nobody waits any more is closed."""
    with pytest.raises(TimedOut):
        Timeout(blocked, call=SOON).get("slow")
    before = blocked.stream.over.is_set()
    blocked.release.set()

    assert not before
    assert blocked.stream.over.wait(PATIENCE)


def test_read_that_takes_too_long(blocked: Blocked) -> None:
    """A stuck read is TimedOut, so is each one after it, and the stream is closed when the read ends."""
    blocked.stream = Late(b"late", blocked.release)
    stream = Timeout(blocked, idle=SOON).get("a")
    for _ in range(2):
        with pytest.raises(TimedOut):
            stream.read(4)
    stream.close()
    before = blocked.stream.over.is_set()
    blocked.release.set()

    assert not before
    assert blocked.stream.over.wait(PATIENCE)


def test_late_read_leaves_the_buffer_alone(blocked: Blocked) -> None:
    """A buffer is not written to after its read timed out."""
    blocked.stream = Late(b"late", blocked.release)
    stream = Timeout(blocked, idle=SOON).get("a")
    buffer = bytearray(4)
    with pytest.raises(TimedOut):
        stream.readinto(buffer)  # type: ignore[attr-defined]
    blocked.release.set()
    blocked.stream.over.wait(PATIENCE)

    assert buffer == bytearray(4)


def test_abandoned_put_reads_no_more(blocked: Blocked) -> None:
    """A put that was given up fails at its next read, so that it stores nothing."""
    with pytest.raises(TimedOut):
        Timeout(blocked, call=SOON).put("a", BytesBody(b"abc"), PutOptions())
    blocked.release.set()

    assert blocked.ended.wait(PATIENCE)
    assert type(blocked.error).__name__ == "Cancelled"


def test_slow_source_is_no_timeout() -> None:
    """The time that a body takes is not the service's."""
    slow = threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            slow.wait(3 * SOON)
            return super().read(size)

    layer = Timeout(MemoryDriver(), call=SOON * 2)
    info = layer.put("a", OpenerBody(lambda: Slow(b"abc"), 3), PutOptions())

    assert info.size == 3


def test_errors_pass() -> None:
    """An error of the driver is raised as it is."""
    with pytest.raises(NotFound):
        Timeout(MemoryDriver()).stat("a")


def test_interrupt_passes() -> None:
    """What is no Exception passes, too, and the thread can be used again."""

    class Interrupted(MemoryDriver):
        def stat(self, path: str) -> ObjectInfo:
            raise KeyboardInterrupt

    layer = Timeout(Interrupted())
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            layer.stat("a")


def test_threads_are_used_again() -> None:
    """Calls one after the other share a thread."""
    names: list[int] = []

    class Named(MemoryDriver):
        def stat(self, path: str) -> ObjectInfo:
            names.append(threading.get_ident())
            return super().stat(path)

    layer = Timeout(Named())
    for _ in range(50):
        layer.stat("")
    layer.close()

    # A thread becomes idle a moment after its answer, so a second one may have been made.
    assert threading.get_ident() not in names
    assert len(set(names)) < 25


def test_streams_pass() -> None:
    """Bytes come as they are."""
    layer = Timeout(MemoryDriver())
    layer.put("a", BytesBody(b"hello"), PutOptions())
    with layer.get("a", 1) as stream:
        got = read_all(stream)

    assert got == b"ello"


def test_pickles_with_its_times() -> None:
    """Another process waits as long."""
    again = pickle.loads(pickle.dumps(Timeout(MemoryDriver(), call=1.0, idle=2.0, work=3.0)))

    assert (again.call, again.idle, again.work) == (1.0, 2.0, 3.0)
