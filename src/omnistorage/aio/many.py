"""Many calls at once, but never more than a limit; each ends as a value."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
)
from typing import Any, TypeVar

import msgspec

from omnistorage.core.errors import StorageError
from omnistorage.core.info import ObjectInfo

from .calls import ended

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

Items = Iterable[T] | AsyncIterable[T]
Pull = Callable[[Iterator[T]], Coroutine[Any, Any, tuple[T, ...]]]
"""Takes the next item of an iterator that may block; an empty tuple is the end."""


class Outcome(msgspec.Struct, frozen=True):
    """How one of many calls ended.

    Attributes:
        path: The path it was about, as it was given.
        info: What was stored; None if it failed or was a read.
        data: What was read; None if it failed or was a write.
        error: Why it failed, or None.
    """

    path: str
    info: ObjectInfo | None = None
    data: bytes | None = None
    error: StorageError | None = None


async def each(
    items: Items[T], call: Callable[[T], Coroutine[Any, Any, U]], limit: int, pull: Pull[T]
) -> AsyncGenerator[U, None]:
    """Yield what ``call`` returns for each item, the first to end first, with at most ``limit`` at once.

    Items are asked for when there is room. If they end with an exception, it is raised behind what was begun.
    An exception of ``call`` is raised at once. Leaving early cancels what is under way and waits for its end.
    """
    running: set[asyncio.Task[U]] = set()
    asking: asyncio.Task[tuple[T, ...]] | None = None
    done: deque[asyncio.Task[Any]] = deque()
    news = asyncio.Event()
    failure: Exception | None = None
    more = True
    # What has a length is there already; anything else may have to read files to make the next item.
    at_hand = iter(items) if isinstance(items, Collection) else None
    take = None if at_hand is not None else _taker(items, pull)

    def begin(work: Coroutine[Any, Any, V]) -> asyncio.Task[V]:
        task = asyncio.create_task(work)
        task.add_done_callback(end)
        return task

    def end(task: asyncio.Task[Any]) -> None:
        done.append(task)
        news.set()

    try:
        while True:
            while more and at_hand is not None and len(running) < limit:
                more = False
                for item in at_hand:
                    running.add(begin(call(item)))
                    more = True
                    break
            if more and take is not None and asking is None and len(running) < limit:
                # A task of its own, so that a slow source does not hold up what has ended.
                asking = begin(take())
            if not running and asking is None:
                break
            while not done:
                news.clear()
                await news.wait()
            task = done.popleft()
            if task is not asking:
                running.discard(task)
                yield task.result()
                continue
            asking = None
            try:
                got = task.result()
            except Exception as exc:
                failure, got = exc, ()
            more = bool(got)
            running.update(begin(call(item)) for item in got)
        if failure is not None:
            raise failure
    finally:
        left: set[asyncio.Task[Any]] = {*running, asking} if asking is not None else {*running}
        for one in left:
            one.cancel()
        await ended(left)
        for one in left:
            # Looked at, or the loop would complain that nobody did.
            if not one.cancelled():
                one.exception()


def _taker(items: Items[T], pull: Pull[T]) -> Callable[[], Coroutine[Any, Any, tuple[T, ...]]]:
    """Return what brings the next item, alone in a tuple, or an empty tuple at the end."""
    if isinstance(items, AsyncIterable):
        coming = aiter(items)

        async def later() -> tuple[T, ...]:
            async for item in coming:
                return (item,)
            return ()

        return later
    given = iter(items)
    return lambda: pull(given)
