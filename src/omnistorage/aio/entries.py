"""Listings to iterate with ``async for``: fetched in threads, one step ahead, never more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from omnistorage.core.errors import Cancelled, Closed, StorageError

from .calls import Calls
from .stopping import Stop

T = TypeVar("T")

BATCH: Final = 1000
"""Most entries that one trip to a thread brings."""

PATIENCE: Final = 0.01
"""Seconds after which a trip comes back with what it has, so that slow listings are seen early."""


class Source(Generic[T]):
    """The synchronous side of a listing: a generator that one thread at a time may advance."""

    def __init__(self, stop: Stop, make: Callable[[], Iterator[T]]) -> None:
        self.stop = stop
        self._make = make
        self._items: Iterator[T] | None = None
        self._lock = Lock()
        self.error: BaseException | None = None
        self.ended = False

    def fetch(self) -> list[T]:
        """Return the next entries; ``ended`` and ``error`` say what comes behind them."""
        batch: list[T] = []
        with self._lock:
            if self.ended:
                return batch
            until = time.monotonic() + PATIENCE
            try:
                if self._items is None:
                    self._items = self._make()
                for item in self._items:
                    batch.append(item)
                    if len(batch) == BATCH or time.monotonic() > until:
                        return batch
            except Exception as exc:
                # A value, not raised: the entries before it come first.
                self.error = exc
            self.ended = True
        return batch

    def close(self, error: StorageError | None = None) -> None:
        """Close the generator, and let whoever goes on iterating meet ``error``."""
        self.stop.wanted = False
        with self._lock:
            # Also if it had come to its end: what it brought last may have been lost.
            self.error = error or self.error
            self.ended = True
            close = getattr(self._items, "close", None)
            if close is not None:
                close()


class Entries(Generic[T]):
    """What a listing yields. Leaving the loop early ends the listing; so do ``close`` and ``async with``.

    An iteration that was cancelled ends with Cancelled if it is taken up again: it could not go on without a gap.
    """

    def __init__(self, calls: Calls, source: Source[T]) -> None:
        self._calls = calls
        self._source = source
        self._batch: Iterator[T] = iter(())
        self._ahead: Future[list[T]] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        for item in self._batch:
            return item
        source = self._source
        while not source.ended or self._ahead is not None:
            future = self._ahead or self._calls.submit(source.fetch)
            self._ahead = None
            try:
                batch = await self._calls.result(future, source.stop)
            except asyncio.CancelledError:
                with suppress(asyncio.CancelledError):
                    await self._calls.surely(source.close, Cancelled("the listing was cancelled"))
                raise
            if not source.ended:
                self._ahead = self._calls.submit(source.fetch)
            self._batch = iter(batch)
            for item in self._batch:
                return item
        if source.error is not None:
            raise source.error
        raise StopAsyncIteration

    async def close(self) -> None:
        """End the listing; a second call does nothing."""
        self._source.stop.wanted = False
        self._batch = iter(())
        self._ahead = None
        # If the storage was closed, that has ended the listing, too.
        with suppress(Closed):
            await self._calls.surely(self._source.close)

    aclose = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        # The threads know only the source, so this comes as soon as the loop has been left.
        if not self._source.ended:
            self._source.stop.wanted = False
            with suppress(Closed):
                self._calls.submit(self._source.close)
