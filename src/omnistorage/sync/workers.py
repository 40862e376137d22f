"""Who does the batches: threads where there is waiting to be done, the caller itself where there is none."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from .model import Action, Outcome
from .transfer import Transfer

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Outcomes = list[Outcome]
Batch = list[Action] | Outcomes
"""Actions to do, or outcomes that are known already: never both."""

SMALL: Final = 256 << 10
"""Objects of up to so many bytes on average are mostly work for the interpreter, larger ones for the kernel."""

_TRIAL: Final = 0.25
"""Seconds of work by which to judge; a machine busy with other things must not decide by one batch."""


class Workers:
    """Runs batches, asking for the next one when somebody is free.

    Args:
        transfer: Does the actions.
        count: Batches side by side.
        executor: Where to run them; threads of our own if None.
        near: Both sides are files of this machine: try without threads first.
    """

    def __init__(self, transfer: Transfer, count: int, executor: Executor | None, *, near: bool) -> None:
        self._transfer = transfer
        self._count = count
        self._given = executor
        self._own: Executor | None = None
        self._alone = near and executor is None
        self._wall = self._busy = 0.0

    def run(self, batches: Iterable[Batch]) -> Iterator[Outcomes]:
        """Yield the outcomes of each batch as it is done; when this raises, nothing runs any more."""
        running: set[Future[Outcomes]] = set()
        try:
            for batch in batches:
                if isinstance(batch[0], Outcome):
                    yield batch
                elif self._alone and _is_small(batch):
                    yield self._do_here(batch)
                else:
                    running.add(self._pool().submit(self._transfer.batch, batch))
                    while len(running) > self._count:
                        running = yield from _finished(running)
            while running:
                running = yield from _finished(running)
        except BaseException:
            self._transfer.cancel()
            _wait_for(running)
            raise

    def close(self) -> None:
        """End our own threads."""
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)
            self._own = None

    def _do_here(self, batch: list[Action]) -> Outcomes:
        """Do a batch without a thread, as long as the processor and not a device sets the pace.

        The interpreter runs one thread at a time: where a small file costs a handful of quick system calls,
        threads only take turns, and that doubled the processor time. Where the calls wait (a network file
        system, a slow disk), threads wait side by side.
        """
        wall, busy = time.perf_counter(), time.thread_time()
        outcomes = self._transfer.batch(batch)
        self._wall += time.perf_counter() - wall
        self._busy += time.thread_time() - busy
        if self._wall > _TRIAL and self._busy < self._wall * 0.4:
            self._alone = False
        return outcomes

    def _pool(self) -> Executor:
        if self._given is not None:
            return self._given
        if self._own is None:
            from concurrent.futures import ThreadPoolExecutor

            self._own = ThreadPoolExecutor(self._count, thread_name_prefix="omnistorage")
        return self._own


def _is_small(batch: list[Action]) -> bool:
    return sum(action.src.size or 0 for action in batch if action.src is not None) <= SMALL * len(batch)


def _finished(running: set[Future[Outcomes]]) -> Generator[Outcomes, None, set[Future[Outcomes]]]:
    from concurrent.futures import FIRST_COMPLETED, wait

    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield future.result()
    return rest


def _wait_for(running: set[Future[Outcomes]]) -> None:
    if running:
        from concurrent.futures import wait

        wait(running)
