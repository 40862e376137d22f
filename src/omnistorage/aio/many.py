"""Many calls at once, but never more than a limit; each ends as a value."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
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

Items = Iterable[T] | AsyncIterable[T]
Pull = Callable[[Iterator[T]], Awaitable[tuple[T, ...]]]
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
    take = _taker(items, pull)
    failure: Exception | None = None
    more = True
    try:
        while True:
            if more and asking is None and len(running) < limit:
                # A task of its own, so that a slow source does not hold up what has ended.
                asking = asyncio.create_task(take())
            if not running and asking is None:
                break
            waiting: set[asyncio.Task[Any]] = {*running, asking} if asking is not None else {*running}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if asking is not None and asking in done:
                try:
                    got = asking.result()
                except Exception as exc:
                    failure, got = exc, ()
                asking = None
                more = bool(got)
                running.update(asyncio.create_task(call(item)) for item in got)
            for task in running & done:
                running.discard(task)
                yield task.result()
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
    # What has a length is there already; anything else may have to read files to make the next item.
    at_hand = isinstance(items, Collection)

    async def now() -> tuple[T, ...]:
        if not at_hand:
            return await pull(given)
        for item in given:
            return (item,)
        return ()

    return now
