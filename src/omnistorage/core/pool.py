"""A pool of connections, for drivers of protocols whose connections do one thing at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Condition
from typing import Any, Generic, TypeVar

from .errors import Closed

T = TypeVar("T")


class Pool(Generic[T]):
    """Lends connections, at most ``size`` at a time; makes them when needed.

    Any thread may use it. Nothing is opened before the first `take`. A pickled pool arrives
    with its settings (they must pickle, as a bound method of the driver does) but without
    connections; after a fork the child starts without them, too, since a connection spoken
    on by two processes is broken for both.

    Args:
        make: Opens a connection; may raise, the caller of `take` sees it.
        size: Connections open at once.
        close: Closes a connection; what it raises is dropped, as nothing depends on it.
        healthy: Says whether a connection that rested for ``fresh`` still works; to raise
            any Exception means no.
        keep_on: Says whether a connection is still good after this exception; by default
            none is.
        idle: Seconds after which a connection that nobody took is closed, at the next call.
        wait: Seconds to wait for a free connection.
        fresh: Seconds for which a connection that came back is good without a check.
    """

    def __init__(
        self,
        make: Callable[[], T],
        size: int,
        *,
        close: Callable[[T], object] | None = None,
        healthy: Callable[[T], bool] | None = None,
        keep_on: Callable[[Exception], bool] | None = None,
        idle: float = 60.0,
        wait: float = 60.0,
        fresh: float = 1.0,
    ) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, not {size}")
        self._make = make
        self._size = size
        self._close = close
        self._healthy = healthy
        self._keep_on = keep_on
        self._idle = idle
        self._wait = wait
        self._fresh = fresh
        self._closed = False
        self._shelves: dict[int, _Shelf[T]] = {}

    @contextmanager
    def take(self, wait: float | None = None) -> Iterator[T]:
        """Lend a connection for a ``with`` block.

        It is thrown away if the block raises, unless ``keep_on`` says otherwise.

        Raises:
            TimeoutError: None came free within ``wait`` seconds.
            Closed: The pool is closed.
        """
        connection = self.acquire(wait)
        try:
            yield connection
        except Exception as exc:
            self.release(connection, broken=self._keep_on is None or not self._keep_on(exc))
            raise
        except BaseException:
            # Interrupted somewhere in a conversation: nobody knows where.
            self.release(connection, broken=True)
            raise
        else:
            self.release(connection)

    def acquire(self, wait: float | None = None) -> T:
        """Lend a connection until `release`, for uses that are no block, like an open stream.

        Raises:
            TimeoutError: None came free within ``wait`` seconds.
            Closed: The pool is closed.
        """
        wait = self._wait if wait is None else wait
        shelf = self._shelf()
        with shelf.changed:
            free = shelf.changed.wait_for(lambda: self._closed or shelf.lent < self._size, wait)
            if self._closed:
                raise Closed("the pool is closed")
            if not free:
                raise TimeoutError(f"no connection came free in {wait:g} s, all {self._size} are in use")
            shelf.lent += 1
        try:
            connection = self._obtain(shelf)
        except BaseException:
            with shelf.changed:
                shelf.lent -= 1
                shelf.changed.notify()
            raise
        shelf.borrowed[id(connection)] = connection
        return connection

    def release(self, connection: T, *, broken: bool = False) -> None:
        """Give a connection back, once; a ``broken`` one is closed and its place becomes free."""
        shelf = self._shelf()
        if shelf.borrowed.pop(id(connection), None) is None:
            # Taken before a fork: it belongs to the parent.
            return
        try:
            if broken:
                self._discard([connection])
        finally:
            with shelf.changed:
                shelf.lent -= 1
                keep = not (broken or self._closed)
                if keep:
                    shelf.resting.append((connection, time.monotonic()))
                stale = self._expired(shelf)
                shelf.changed.notify()
        if not (keep or broken):
            stale.append(connection)
        self._discard(stale)

    def close(self) -> None:
        """Close the resting connections now and the lent ones when they come back."""
        self._closed = True
        shelf = self._shelf()
        with shelf.changed:
            stale = [connection for connection, _ in shelf.resting]
            shelf.resting.clear()
            shelf.changed.notify_all()
        self._discard(stale)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_shelves": {}}

    def _shelf(self) -> _Shelf[T]:
        # One for each process. Those of the parents stay here untouched: their locks may be
        # held for ever, and a connection that is collected may say goodbye to the server.
        pid = os.getpid()
        return self._shelves.get(pid) or self._shelves.setdefault(pid, _Shelf())

    def _obtain(self, shelf: _Shelf[T]) -> T:
        while True:
            with shelf.changed:
                stale = self._expired(shelf)
                connection, since = shelf.resting.pop() if shelf.resting else (None, 0.0)
            self._discard(stale)
            if connection is None:
                return self._make()
            if time.monotonic() - since < self._fresh or self._works(connection):
                return connection
            self._discard([connection])

    def _works(self, connection: T) -> bool:
        if self._healthy is None:
            return True
        try:
            return self._healthy(connection)
        except Exception:
            return False

    def _expired(self, shelf: _Shelf[T]) -> list[T]:
        """Take the connections off the shelf that rested too long."""
        # The last one back is the first one out, so the oldest are at the front.
        oldest = time.monotonic() - self._idle
        count = 0
        while count < len(shelf.resting) and shelf.resting[count][1] <= oldest:
            count += 1
        stale = [connection for connection, _ in shelf.resting[:count]]
        del shelf.resting[:count]
        return stale

    def _discard(self, connections: list[T]) -> None:
        # Never under the lock: to close may take a round trip.
        if self._close is None:
            return
        for connection in connections:
            with suppress(Exception):
                self._close(connection)


class _Shelf(Generic[T]):
    """The connections of one process."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.lent = 0
        self.borrowed: dict[int, T] = {}
        self.resting: list[tuple[T, float]] = []
