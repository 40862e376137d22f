"""Token buckets: the rate is kept whoever asks, and a change of it counts at once."""

from __future__ import annotations

import pickle
import threading

import pytest

from omnistorage.core.bucket import TokenBucket


class Clock:
    """A time that passes only by sleeping; who sleeps at the same time sleeps together."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            until = self.now + seconds
        with self._lock:
            self.now = max(self.now, until)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_burst_then_rate(clock: Clock) -> None:
    """A full bucket gives at once what it holds, and then what comes in."""
    bucket = TokenBucket(10.0, 5.0, clock=clock, sleep=clock.sleep)
    bucket.take(5)
    at_once = clock.now
    for _ in range(20):
        bucket.take()

    assert at_once == 1000.0
    assert clock.now == pytest.approx(1002.0, abs=0.01)


def test_more_than_it_holds(clock: Clock) -> None:
    """A large claim takes longer, and is served."""
    bucket = TokenBucket(10.0, 1.0, clock=clock, sleep=clock.sleep)
    bucket.take(101)

    assert clock.now == pytest.approx(1010.0, abs=0.01)


def test_rest_fills_no_more_than_the_burst(clock: Clock) -> None:
    """A long rest is not saved up."""
    bucket = TokenBucket(10.0, 5.0, clock=clock, sleep=clock.sleep)
    bucket.take(5)
    clock.now += 100

    assert bucket.left == 5.0


def test_try_take_and_give() -> None:
    """Tokens that are not there are refused, and those given back are there again."""
    bucket = TokenBucket(0.0, 2.0)
    taken = [bucket.try_take() for _ in range(3)]
    bucket.give(0.5)
    half = bucket.try_take()
    bucket.give(9.0)

    assert (taken, half) == ([True, True, False], False)
    assert bucket.left == 2.0


def test_threads_share_the_rate(clock: Clock) -> None:
    """Many threads together get no more than one would."""
    bucket = TokenBucket(100.0, 1.0, clock=clock, sleep=clock.sleep)

    def work() -> None:
        for _ in range(50):
            bucket.take()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.now - 1000.0 >= 3.98
    assert bucket.left <= 1.0


@pytest.mark.parametrize("rate", [None, 1e9])
def test_change_wakes_the_sleepers(rate: float | None) -> None:
    """Who would have to wait for years goes on when the rate is changed."""
    bucket = TokenBucket(1e-9, 1.0)
    bucket.take()
    served = threading.Event()

    def work() -> None:
        bucket.take()
        served.set()

    thread = threading.Thread(target=work)
    thread.start()
    while bucket.left > -0.5:
        served.wait(0.001)
    before = served.is_set()
    bucket.rate = rate
    thread.join(20)

    assert not before
    assert served.is_set()


def test_give_wakes_the_sleepers() -> None:
    """A bucket that does not fill by itself serves those who wait when tokens are given."""
    bucket = TokenBucket(0.0, 1.0)
    bucket.take()
    thread = threading.Thread(target=bucket.take)
    thread.start()
    while bucket.left > -0.5:
        thread.join(0.001)
    bucket.give()
    thread.join(20)

    assert not thread.is_alive()


@pytest.mark.parametrize(("rate", "burst"), [(-1.0, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_impossible_buckets(rate: float, burst: float) -> None:
    """Numbers that mean nothing are refused."""
    with pytest.raises(ValueError, match="not"):
        TokenBucket(rate, burst)


def test_pickles_full() -> None:
    """Another process begins with a full bucket of the same rate."""
    bucket = TokenBucket(3.0, 2.0)
    bucket.take(2)
    again = pickle.loads(pickle.dumps(bucket))

    assert (again.rate, again.burst) == (3.0, 2.0)
    assert again.left == pytest.approx(2.0)


def test_empty_at_first(clock: Clock) -> None:
    """A bucket that begins empty gives nothing at once."""
    bucket = TokenBucket(10.0, 5.0, full=False, clock=clock, sleep=clock.sleep)
    bucket.take(5)

    assert clock.now == pytest.approx(1000.5, abs=0.01)


def test_watched_while_waiting(clock: Clock) -> None:
    """Who waits looks up twice a second, and may change the rate by which the wait is measured."""
    seen: list[float] = []

    def watch() -> None:
        seen.append(clock.now)
        if clock.now > 1010:
            bucket.rate = None

    bucket = TokenBucket(1e-3, 1.0, watch=watch, clock=clock, sleep=clock.sleep)
    bucket.take(100)

    assert clock.now == pytest.approx(1010.5, abs=0.01)
    assert seen == [1000.5 + number / 2 for number in range(21)]
