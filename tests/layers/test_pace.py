"""As many calls are under way as the service bears."""

from __future__ import annotations

import pickle
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from omnistorage.core.errors import RateLimited
from omnistorage.core.layer import Layer
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.layers.pace import Pace
from omnistorage.layers.retry import Retry
from omnistorage.storage import Storage
from omnistorage.testing import DriverSuite
from s3_scenes import fresh_bucket
from servers import Server
from servers.faults import Delay, Faults, slow_down
from servers.relay import Plan, Seen
from sync_scenes import held


class TestPace(DriverSuite):
    many = 50

    @pytest.fixture
    def driver(self) -> Layer:
        return Pace(MemoryDriver(Options(name=secrets.token_hex(8), page_size=20)))


class Busy(Layer):
    """A service that answers only so many calls at a time, and remembers how many came."""

    def __init__(self, most: int) -> None:
        super().__init__(MemoryDriver())
        self.most = most
        self.running = self.refused = 0
        self.peaks: list[int] = []
        self._lock = threading.Lock()

    def around(self, op, path, call):  # type: ignore[no-untyped-def]
        with self._lock:
            self.running += 1
            self.peaks.append(self.running)
            refused = self.running > self.most
            self.refused += refused
        try:
            time.sleep(0.002)
            if refused:
                raise RateLimited
            return call()
        finally:
            with self._lock:
                self.running -= 1


def _call(driver: Layer, count: int, workers: int) -> int:
    """Call many times from several threads; return how many calls were refused for good."""

    def stat(_: int) -> int:
        try:
            driver.stat("")
        except RateLimited:
            return 1
        return 0

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(stat, range(count)))


def test_halved_once_for_all_under_way() -> None:
    """However many calls are refused together, the limit is halved once."""
    pace = Pace(Busy(0))
    gate = threading.Barrier(16)

    def call(_: int) -> None:
        gate.wait()
        with pytest.raises(RateLimited):
            pace.stat("")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(call, range(16)))

    # A few may have begun after the first was refused.
    assert 1 <= pace.limit <= 8


def test_settles_at_what_is_borne() -> None:
    """Few calls are refused, and about as many are under way as the service bears."""
    busy = Busy(8)
    pace = Pace(busy)
    refused = _call(pace, 1500, 32)
    late = busy.peaks[-500:]

    assert refused < 300
    assert max(late) <= 12
    assert sum(late) / len(late) > 3


def test_grows_again() -> None:
    """When the service bears more again, the limit grows by one for each round that went well."""
    busy = Busy(2)
    pace = Pace(busy)
    _call(pace, 200, 16)
    low = pace.limit
    busy.most = 1000
    _call(pace, 1000, 16)

    assert low <= 4
    assert pace.limit > 12


def test_no_limit_without_a_reason() -> None:
    """Nothing waits before the service has asked for fewer calls; it pickles without what it has learned."""
    pace = Pace(Busy(1000))
    _call(pace, 100, 8)
    again = pickle.loads(pickle.dumps(Pace(MemoryDriver(), patience=1.5)))

    assert pace.limit == float("inf")
    assert (again.limit, again.patience) == (float("inf"), 1.5)


def test_never_waits_for_good() -> None:
    """A call whose bytes come by another call of the same storage goes on, also where one at a time is borne."""
    pace = Pace(MemoryDriver(), patience=0.05)
    pace.limit = 1.0
    inner = threading.Thread(target=lambda: pace.stat(""))

    def nested() -> str:
        inner.start()
        inner.join(5)
        return "done"

    assert pace.around("put", "a", nested) == "done"
    assert not inner.is_alive()


class _Crowded(Faults):
    """A proxy that answers SlowDown where more than ``most`` requests are under way."""

    most = 4
    refused = 0

    def _planned(self, seen: Seen, has_body: bool) -> Plan:
        plan = super()._planned(seen, has_body)
        with self._lock:
            running = sum(not one.status for one in self.seen[-100:])
            if running > self.most:
                self.refused += 1
                slow_down().into(plan)
        return plan


def test_service_that_slows_down(radosgw: Server) -> None:
    """Far more puts at a time than the service bears end well, with few requests that were refused."""
    tree = {f"{number:03}": b"%d" % number for number in range(250)}
    faults = _Crowded(radosgw)

    def store(storage: Storage) -> tuple[int, int]:
        """Return how many requests were refused, and how many puts failed in the end."""
        faults.refused = failed = 0
        with ThreadPoolExecutor(24) as pool:
            for done in [pool.submit(storage.write_bytes, path, data) for path, data in tree.items()]:
                failed += isinstance(done.exception(), RateLimited)
        return faults.refused, failed

    with faults:
        bucket = fresh_bucket(faults.server)
        faults.add(Delay(0.02), "PUT", times=None)
        retry = partial(Retry, attempts=20, wait=0.02, longest=0.2)
        with Storage(bucket, retry) as plain, Storage(bucket, retry, Pace) as paced:
            (rude, _), (polite, failed) = store(plain), store(paced)
            faults.clear()
            found = held(paced)

    assert (failed, found) == (0, tree)
    assert polite < rude / 2
