"""Limits: the rate is kept by all together, in both directions, and can be changed."""

from __future__ import annotations

import io
import pickle
import threading

import pytest

from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, FileBody, read_all
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.limit import Limit

SIZE = 100_000


class Clock:
    """A time that passes only by sleeping; who sleeps at the same time sleeps together."""

    def __init__(self) -> None:
        self.now = 0.0
        self.longest = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.longest = max(self.longest, seconds)
        self.now = max(self.now, self.now + seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def driver() -> MemoryDriver:
    driver = MemoryDriver()
    driver.put("a", BytesBody(bytes(SIZE)), PutOptions())
    return driver


def test_get_takes_its_time(driver: MemoryDriver, clock: Clock) -> None:
    """Bytes that are read come at the rate, in small waits."""
    limit = Limit(driver, bytes_per_second=10_000, clock=clock, sleep=clock.sleep)
    with limit.get("a") as stream:
        got = stream.read(-1)

    assert len(got) == SIZE
    assert clock.now == pytest.approx(SIZE / 10_000 - 0.25, abs=0.01)
    assert clock.longest < 0.2


def test_put_takes_its_time(driver: MemoryDriver, clock: Clock) -> None:
    """Bytes that are stored go at the rate, whole or in parts."""
    limit = Limit(driver, bytes_per_second=10_000, clock=clock, sleep=clock.sleep)
    limit.put("b", BytesBody(bytes(SIZE)), PutOptions())
    one = clock.now
    upload = limit.begin_upload("c", PutOptions())
    upload.put_part(1, BytesBody(bytes(SIZE)))
    upload.finish()

    assert one == pytest.approx(9.75, abs=0.01)
    assert clock.now == pytest.approx(19.75, abs=0.01)
    assert limit.stat("c").size == SIZE


def test_workers_share_the_rate(driver: MemoryDriver, clock: Clock) -> None:
    """Several threads together are no faster than one."""
    limit = Limit(driver, bytes_per_second=100_000, clock=clock, sleep=clock.sleep)
    sizes: list[int] = []

    def work() -> None:
        with limit.get("a") as stream:
            sizes.append(len(read_all(stream)))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sizes == [SIZE] * 5
    assert clock.now >= 4.74


def test_calls_are_limited(driver: MemoryDriver, clock: Clock) -> None:
    """Calls come at the rate, whatever they are."""
    limit = Limit(driver, ops_per_second=2.0, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        limit.stat("a")
        limit.list("")

    assert clock.now == pytest.approx(4.5, abs=0.01)


def test_change_while_running(driver: MemoryDriver) -> None:
    """A reader that would wait for years goes on when the limit is lifted."""
    limit = Limit(driver, bytes_per_second=1e-6)
    sizes: list[int] = []

    def work() -> None:
        with limit.get("a") as stream:
            sizes.append(len(stream.read(-1)))

    thread = threading.Thread(target=work)
    thread.start()
    while limit._bytes.left > -1:
        thread.join(0.001)
    limit.bytes_per_second = None
    thread.join(20)

    assert sizes == [SIZE]
    assert limit.bytes_per_second is None


def test_kernel_cannot_copy_around() -> None:
    """Neither a local path nor a descriptor gets past the limit."""
    seen: list[Body] = []

    class Watching(MemoryDriver):
        def put(self, path: str, body: Body, options: PutOptions) -> object:  # type: ignore[override]
            seen.append(body)
            with body.open() as stream, pytest.raises(io.UnsupportedOperation):
                stream.fileno()  # type: ignore[attr-defined]
            return super().put(path, body, options)

    inner = Watching()
    inner.local_root = "/somewhere"
    limit = Limit(inner)
    limit.put("me", FileBody(__file__), PutOptions())
    with limit.get("me") as stream, pytest.raises(io.UnsupportedOperation):
        stream.fileno()  # type: ignore[attr-defined]

    assert seen[0].local_path is None
    assert seen[0].size == FileBody(__file__).size
    assert (limit.local_root, limit.features.local) == (None, False)


def test_pickles_with_its_rates() -> None:
    """Another process keeps the same rates."""
    again = pickle.loads(pickle.dumps(Limit(MemoryDriver(), bytes_per_second=5.0, ops_per_second=7.0, burst=2.0)))

    assert (again.bytes_per_second, again.ops_per_second, again.burst) == (5.0, 7.0, 2.0)
