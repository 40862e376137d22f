"""Who does the batches: threads where there is waiting to be done, the caller itself where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import msgspec

from omnistorage.core.errors import Unreachable

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from .away import Away

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
        here: Nothing has to be waited for but files of this machine.
        done: What is known already, without doing anything.
    """

    todo: list[T] = []
    size: int = 0
    here: bool = False
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
        executor: Where to run them, which may be other processes; threads of our own if None.
        near: Both sides are files of this machine: try without threads first.
        lost: Says what came of a thing whose batch ``executor`` lost; without it, the failure is raised.
    """

    def __init__(
        self,
        doer: Doer[T, R],
        count: int,
        executor: Executor | None = None,
        *,
        near: bool,
        lost: Callable[[T, Exception], R] | None = None,
    ) -> None:
        self._doer = doer
        self._count = count
        self._away: Away[T, R] | None = None
        if executor is not None:
            from .away import Away

            self._away = Away(doer, executor)
        self._own: Executor | None = None
        self._near = near
        self._alone = executor is None
        self._lost = lost
        self._wall = self._busy = 0.0

    def run(self, batches: Iterable[Batch[T, R]]) -> Iterator[list[R]]:
        """Yield what came of each batch as it is done; when this raises, nothing runs any more.

        What already runs in other processes is waited for.

        Raises:
            Unsupported: The work cannot be given to other processes.
        """
        if self._away is not None:
            self._away.check()
        running: dict[Future[Any], list[T]] = {}
        try:
            for batch in batches:
                if batch.done:
                    yield batch.done
                elif self._alone and (self._near or batch.here) and batch.size <= SMALL * len(batch.todo):
                    yield self._do_here(batch.todo)
                else:
                    try:
                        future = self._submit(batch.todo)
                    except Exception as exc:
                        yield self._losses(batch.todo, exc)
                        continue
                    running[future] = batch.todo
                    while len(running) > self._count:
                        yield from self._finished(running)
            while running:
                yield from self._finished(running)
        except BaseException:
            self._doer.cancel()
            if self._away is not None:
                over = self._away.is_over
                running = {} if over else {future: todo for future, todo in running.items() if not future.cancel()}
                self._away.interrupt()
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

    def _submit(self, todo: list[T]) -> Future[Any]:
        if self._away is not None:
            return self._away.submit(todo)
        if self._own is None:
            from concurrent.futures import ThreadPoolExecutor

            self._own = ThreadPoolExecutor(self._count, thread_name_prefix="omnistorage")
        return self._own.submit(self._doer.batch, todo)

    def _finished(self, running: dict[Future[Any], list[T]]) -> Iterator[list[R]]:
        """Wait until something is done, take it out of ``running``, and yield what came of it."""
        from concurrent.futures import FIRST_COMPLETED, wait

        away = self._away
        # A signal that comes in the moment before the wait begins would be noticed only after it; and an executor may
        # have gone silent.
        while not (done := wait(running, _PATIENCE, FIRST_COMPLETED).done):
            if away is not None and away.is_over:
                lost = [one for todo in running.values() for one in todo]
                running.clear()
                yield self._losses(lost, Unreachable("it was closed"))
                return
        for future in done:
            todo = running.pop(future)
            yield future.result() if away is None else self._results(away, future, todo)

    def _results(self, away: Away[T, R], future: Future[Any], todo: list[T]) -> list[R]:
        from concurrent.futures import BrokenExecutor, CancelledError

        try:
            return away.results(future, todo)
        except Exception as exc:
            # In this process, what a doer raises is meant for whoever asked.
            if not away.far and not isinstance(exc, BrokenExecutor | CancelledError):
                raise
            return self._losses(todo, exc)

    def _losses(self, todo: list[T], exc: Exception) -> list[R]:
        if self._away is None or self._lost is None:
            raise exc
        return [self._lost(one, exc) for one in todo]


def _wait_for(running: dict[Future[Any], list[T]]) -> None:
    if running:
        from concurrent.futures import wait

        wait(running)
