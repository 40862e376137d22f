"""Blocking calls on threads of our own, and coroutines that never leave one running behind their back."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from omnistorage.core.errors import Closed

from .stopping import Stop

T = TypeVar("T")


class Calls:
    """Runs blocking calls in at most ``threads`` threads, which end with ``close``.

    Raises:
        ValueError: ``threads`` is not positive.
    """

    def __init__(self, threads: int) -> None:
        if threads <= 0:
            raise ValueError(f"threads is a positive number, not {threads}")
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="omnistorage-aio")
        self._running: set[Future[Any]] = set()
        self._closed = False

    def submit(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
        """Begin a call in a thread, with the context variables of the caller.

        Raises:
            Closed: ``close`` was called, or Python is about to end.
        """
        if self._closed:
            raise Closed
        try:
            return self._begin(self._executor, func, *args, **kwargs)
        except RuntimeError as exc:
            raise Closed from exc

    def _begin(self, executor: ThreadPoolExecutor, func: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
        future = executor.submit(contextvars.copy_context().run, func, *args, **kwargs)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    async def call(
        self,
        stop: Stop,
        func: Callable[..., T],
        *args: Any,
        undo: Callable[[T], object] | None = None,
        **kwargs: Any,
    ) -> T:
        """Do a call in a thread and return what it returns; cancelling stops it, see ``result``."""
        return await self.result(self.submit(func, *args, **kwargs), stop, undo)

    async def result(self, future: Future[T], stop: Stop, undo: Callable[[T], object] | None = None) -> T:
        """Wait for a call that was begun.

        When the waiting task is cancelled, ``stop`` is set, and CancelledError is raised when the call has ended:
        nothing goes on unseen. A call that returned all the same is undone by ``undo``.
        """
        done = _when_done(future)
        try:
            await asyncio.wait({done})
        except asyncio.CancelledError:
            stop.wanted = False
            if not future.cancel():
                with suppress(asyncio.CancelledError):
                    await ended({done})
                if undo is not None and future.exception() is None:
                    with suppress(asyncio.CancelledError):
                        await self.surely(undo, future.result())
            raise
        return future.result()

    async def surely(self, func: Callable[..., T], *args: Any) -> T:
        """Do a call that must not be left out, such as cleaning up; cancelling takes effect behind it.

        Works also after ``close``.
        """
        if not self._closed:
            return await self._to_its_end(self.submit(func, *args))
        extra = ThreadPoolExecutor(1, thread_name_prefix="omnistorage-aio")
        try:
            return await self._to_its_end(self._begin(extra, func, *args))
        finally:
            extra.shutdown()

    async def close(self, last: Callable[[], object] | None = None) -> None:
        """Wait for what is running, do ``last``, and end the threads; cancelling takes effect behind that."""
        self._closed = True
        cancelled: asyncio.CancelledError | None = None
        while running := self._running.copy():
            try:
                await ended({_when_done(future) for future in running})
            except asyncio.CancelledError as exc:
                cancelled = exc
        try:
            if last is not None:
                await self._to_its_end(self._begin(self._executor, last))
        finally:
            # Nothing runs any more, so this waits only for idle threads to leave.
            self._executor.shutdown()
        if cancelled is not None:
            raise cancelled

    async def _to_its_end(self, future: Future[T]) -> T:
        await ended({_when_done(future)})
        return future.result()


async def ended(futures: Iterable[asyncio.Future[Any]]) -> None:
    """Wait until all are done, even if cancelled meanwhile; CancelledError is raised then, not earlier."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [future for future in futures if not future.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        raise cancelled


def _when_done(future: Future[Any]) -> asyncio.Future[None]:
    """Return what the loop can wait for; the result stays where it is.

    asyncio.wrap_future would copy the exception, too, and complain when nobody fetches the copy.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    def tell(_: Future[Any]) -> None:
        # A loop that was closed while the thread worked (a second Ctrl-C) has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    return done
