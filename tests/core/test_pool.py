"""A pool lends connections, never too many and never broken ones."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from omnistorage.core.errors import Closed
from omnistorage.core.pool import Pool


class Connection:
    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False
        self.works = True

    def close(self) -> None:
        self.closed = True


class Server:
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.most = 0
        self._lock = threading.Lock()

    def connect(self) -> Connection:
        with self._lock:
            connection = Connection(len(self.made))
            self.made.append(connection)
            self.most = max(self.most, sum(not known.closed for known in self.made))
            return connection


@pytest.fixture
def server() -> Server:
    return Server()


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("omnistorage.core.pool.time.monotonic", lambda: self.now)


def test_lazy_and_reused(server: Server) -> None:
    """Nothing is opened before the first use, and one connection serves uses in a row."""
    pool = Pool(server.connect, 3)
    assert server.made == []

    with pool.take() as first:
        pass
    with pool.take() as second:
        pass

    assert second is first
    assert len(server.made) == 1


def test_nested_uses_get_different_connections(server: Server) -> None:
    """A lent connection is nobody else's."""
    pool = Pool(server.connect, 2)
    with pool.take() as first, pool.take() as second:
        assert first is not second


def test_exhausted(server: Server) -> None:
    """Who waits too long gets a TimeoutError that names the size and the wait."""
    pool = Pool(server.connect, 2, wait=0.01)
    with pool.take(), pool.take(), pytest.raises(TimeoutError, match=r"0\.01 s.* 2 "), pool.take():
        pytest.fail("a third connection was lent")

    with pool.take() as connection:
        assert not connection.closed
    assert len(server.made) == 2


def test_waiting_ends_when_one_comes_back(server: Server) -> None:
    """A waiting thread gets the connection that another gives back."""
    pool = Pool(server.connect, 1, wait=10)
    connection = pool.acquire()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.acquire)
        pool.release(connection)

        assert waiting.result(5) is connection


def test_never_more_than_size(server: Server) -> None:
    """Many threads share few connections, each alone on its own, also while some break."""
    pool = Pool(server.connect, 3, close=Connection.close, wait=30)
    lent: set[int] = set()

    def use(number: int) -> bool:
        try:
            with pool.take() as connection:
                alone = connection.number not in lent
                lent.add(connection.number)
                # Lets another thread run here, in the middle.
                threading.Event().wait(0.0001)
                lent.discard(connection.number)
                if number % 7 == 0:
                    raise ConnectionError
                return alone and not connection.closed
        except ConnectionError:
            return alone

    with ThreadPoolExecutor(12) as threads:
        results = list(threads.map(use, range(300)))

    assert all(results)
    assert 1 <= server.most <= 3
    assert sum(connection.closed for connection in server.made) == len([n for n in range(300) if n % 7 == 0])


def test_broken_is_discarded(server: Server) -> None:
    """A connection whose use raised is closed, its place is free, and the exception goes on."""
    pool = Pool(server.connect, 1, close=Connection.close, wait=0.01)
    with pytest.raises(OSError, match="line cut"), pool.take() as broken:
        raise OSError("line cut")

    assert broken.closed
    with pool.take() as fresh:
        assert fresh is not broken


def test_keep_on(server: Server) -> None:
    """A connection survives the exceptions that ``keep_on`` names, and no others."""
    pool = Pool(server.connect, 1, close=Connection.close, keep_on=lambda exc: isinstance(exc, LookupError))
    with pytest.raises(KeyError), pool.take() as kept:
        raise KeyError("no such file")
    with pytest.raises(OSError, match="cut"), pool.take() as again:
        raise OSError("cut")

    assert again is kept
    assert kept.closed


def test_interrupt_discards(server: Server) -> None:
    """An interrupted conversation is not gone on with, whatever ``keep_on`` says."""
    pool = Pool(server.connect, 1, close=Connection.close, keep_on=lambda exc: True)
    with pytest.raises(KeyboardInterrupt), pool.take() as connection:
        raise KeyboardInterrupt

    assert connection.closed


def test_failing_close_is_dropped(server: Server) -> None:
    """That the farewell fails hides nothing and costs no place."""

    def fail(connection: Connection) -> None:
        raise OSError("already gone")

    pool = Pool(server.connect, 1, close=fail, wait=0.01)
    with pytest.raises(KeyError), pool.take():
        raise KeyError

    with pool.take() as connection:
        assert connection.number == 1


def test_failing_make_costs_no_place(server: Server) -> None:
    """After a connection could not be made, the next try may make one."""
    failures = [ConnectionRefusedError()]

    def make() -> Connection:
        if failures:
            raise failures.pop()
        return server.connect()

    pool = Pool(make, 1, wait=0.01)
    with pytest.raises(ConnectionRefusedError), pool.take():
        pytest.fail("there is no connection")

    with pool.take() as connection:
        assert connection.number == 0


def _raise(connection: Connection) -> bool:
    raise EOFError


@pytest.mark.parametrize("healthy", [lambda connection: connection.works, _raise])
def test_unhealthy_is_replaced(
    server: Server, healthy: Callable[[Connection], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rested connection that fails its check, by answer or exception, is closed and replaced."""
    clock = Clock(monkeypatch)
    pool = Pool(server.connect, 1, close=Connection.close, healthy=healthy, fresh=1)
    with pool.take() as old:
        old.works = False
    with pool.take() as same:
        # Back a moment ago: not checked.
        assert same is old
    clock.now += 2
    with pool.take() as new:
        assert new is not old

    assert old.closed


def test_healthy_is_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rested connection that passes its check is used again."""
    clock = Clock(monkeypatch)
    pool = Pool(server.connect, 1, healthy=lambda connection: connection.works)
    with pool.take() as old:
        pass
    clock.now += 2

    with pool.take() as again:
        assert again is old


def test_idle_ones_are_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody took for ``idle`` seconds is closed, one used meanwhile is not."""
    clock = Clock(monkeypatch)
    pool = Pool(server.connect, 2, close=Connection.close, idle=10)
    with pool.take() as first, pool.take() as second:
        pass
    clock.now += 6
    with pool.take() as used:
        pass
    clock.now += 6
    with pool.take() as again:
        pass

    # The one that came back last is lent first: of a nested pair that is the outer.
    assert used is first
    assert again is first
    assert second.closed
    assert not first.closed


def test_close(server: Server) -> None:
    """Closing closes resting connections at once, lent ones on return, and refuses new uses."""
    pool = Pool(server.connect, 2, close=Connection.close)
    with pool.take() as lent:
        with pool.take() as resting:
            pass
        pool.close()

        assert resting.closed
        assert not lent.closed
    assert lent.closed
    with pytest.raises(Closed), pool.take():
        pytest.fail("a closed pool lent a connection")


def test_close_wakes_who_waits(server: Server) -> None:
    """A thread that waits for a connection is told at once that the pool is closed."""
    pool = Pool(server.connect, 1, wait=30)
    pool.acquire()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.acquire)
        pool.close()

        with pytest.raises(Closed):
            waiting.result(5)


def test_release_twice_gives_one_place(server: Server) -> None:
    """A second release of the same connection frees no place."""
    pool = Pool(server.connect, 1, wait=0.01)
    connection = pool.acquire()
    pool.release(connection)
    pool.release(connection)

    with pool.take(), pytest.raises(TimeoutError):
        pool.acquire()


@pytest.mark.parametrize("size", [0, -1])
def test_size_must_be_positive(server: Server, size: int) -> None:
    """A pool that could never lend anything is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        Pool(server.connect, size)


class Driver:
    """Owns a pool, as drivers do."""

    def __init__(self) -> None:
        self.pool = Pool(self.connect, 2, wait=0.01)

    def connect(self) -> Connection:
        return Connection(os.getpid())


def test_pickled_owner_arrives_with_an_empty_pool() -> None:
    """A copy of the owner has the settings of the pool and connections of its own."""
    owner = Driver()
    with owner.pool.take() as lent:
        copy: Driver = pickle.loads(pickle.dumps(owner))
        with copy.pool.take() as first, copy.pool.take() as second:
            with pytest.raises(TimeoutError):
                copy.pool.acquire()

            assert lent not in (first, second)


def test_child_has_its_own_connections(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fork the child neither uses nor closes the parent's connections, nor waits for its locks."""
    pool = Pool(server.connect, 1, close=Connection.close, wait=0.01)
    lent = pool.acquire()
    pool.release(lent)
    held = pool.acquire()
    parent = os.getpid()

    monkeypatch.setattr("omnistorage.core.pool.os.getpid", lambda: parent + 1)
    with pool.take() as own:
        assert own is not held
    pool.release(held, broken=True)
    assert not held.closed

    monkeypatch.undo()
    pool.release(held)
    with pool.take() as again:
        assert again is held
