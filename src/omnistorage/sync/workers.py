"""Who does the batches: threads where there is waiting to be done, the caller itself where there is none."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

T = TypeVar("T")
R = TypeVar("R")


class Doer(Protocol[T, R]):
    """Does the things of a batch, one after the other, from any thread."""

    def batch(self, batch: list[T], /) -> list[R]:
        """Return what came of each; a failure of one is among them."""
        ...

    def cancel(self) -> None:
        """Make what runs, and what comes, end soon."""
        ...


class Batch(msgspec.Struct, Generic[T, R]):
    """Some things to do at once.

    Attributes:
        todo: The things.
        size: Bytes that they are about.
        done: What is known already, without doing anything.
    """

    todo: list[T] = []
    size: int = 0
    done: list[R] = []


SMALL: Final = 256 << 10
"""Objects of up to so many bytes on average are mostly work for the interpreter, larger ones for the kernel."""

_TRIAL: Final = 0.25
"""Seconds of work by which to judge; a machine busy with other things must not decide by one batch."""


_PATIENCE: Final = 0.5
"""Seconds after which somebody who waits looks up."""


class Workers(Generic[T, R]):
    """Runs batches, asking for the next one when somebody is free.

    Args:
        doer: Does the batches.
        count: Batches side by side.
        executor: Where to run them; threads of our own if None.
        near: Both sides are files of this machine: try without threads first.
    """

    def __init__(self, doer: Doer[T, R], count: int, executor: Executor | None = None, *, near: bool) -> None:
        self._doer = doer
        self._count = count
        self._given = executor
        self._own: Executor | None = None
        self._alone = near and executor is None
        self._wall = self._busy = 0.0

    def run(self, batches: Iterable[Batch[T, R]]) -> Iterator[list[R]]:
        """Yield what came of each batch as it is done; when this raises, nothing runs any more."""
        running: set[Future[list[R]]] = set()
        try:
            for batch in batches:
                if batch.done:
                    yield batch.done
                elif self._alone and batch.size <= SMALL * len(batch.todo):
                    yield self._do_here(batch.todo)
                else:
                    running.add(self._pool().submit(self._doer.batch, batch.todo))
                    while len(running) > self._count:
                        running = yield from _finished(running)
            while running:
                running = yield from _finished(running)
        except BaseException:
            self._doer.cancel()
            _wait_for(running)
            raise

    def close(self) -> None:
        """End our own threads."""
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)
            self._own = None

    def _do_here(self, todo: list[T]) -> list[R]:
        """Do a batch without a thread, as long as the processor and not a device sets the pace.

        The interpreter runs one thread at a time: where a small file costs a handful of quick system calls,
        threads only take turns, and that doubled the processor time. Where the calls wait (a network file
        system, a slow disk), threads wait side by side.
        """
        wall, busy = time.perf_counter(), time.thread_time()
        results = self._doer.batch(todo)
        self._wall += time.perf_counter() - wall
        self._busy += time.thread_time() - busy
        if self._wall > _TRIAL and self._busy < self._wall * 0.4:
            self._alone = False
        return results

    def _pool(self) -> Executor:
        if self._given is not None:
            return self._given
        if self._own is None:
            from concurrent.futures import ThreadPoolExecutor

            self._own = ThreadPoolExecutor(self._count, thread_name_prefix="omnistorage")
        return self._own


def _finished(running: set[Future[list[R]]]) -> Generator[list[R], None, set[Future[list[R]]]]:
    from concurrent.futures import FIRST_COMPLETED, wait

    done: set[Future[list[R]]] = set()
    while not done:
        # A signal that comes in the moment before the wait begins would be noticed only after it.
        done, rest = wait(running, _PATIENCE, FIRST_COMPLETED)
    for future in done:
        yield future.result()
    return rest


def _wait_for(running: set[Future[list[R]]]) -> None:
    if running:
        from concurrent.futures import wait

        wait(running)
