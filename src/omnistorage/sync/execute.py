"""Doing a plan: transfers side by side, deletes after them; what comes out is one outcome for each action."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Final

from omnistorage.core.errors import Cancelled, NotEmpty, NotFound, StorageError
from omnistorage.core.paths import parent

from .model import Action, Outcome, Verb
from .scan import Scan
from .spool import Spool
from .transfer import Transfer

BATCH_COUNT: Final = 64
BATCH_BYTES: Final = 4 << 20
"""Small objects travel in batches, so that handing them to a worker costs next to nothing for each."""

_WORK: Final = frozenset({Verb.COPY, Verb.COMPARE, Verb.TOUCH})
_LAST: Final = frozenset({Verb.DELETE, Verb.RMDIR})

Outcomes = list[Outcome]


class Admission:
    """Says whether another transfer may begin; the first refusal ends all transfers."""

    def __init__(self, limit: int | None, mode: str) -> None:
        self._limit = limit
        self._mode = mode
        self._begun = 0
        self.reached = False

    @property
    def unlimited(self) -> bool:
        """True if there is no limit to keep."""
        return self._limit is None

    def admit(self, size: int) -> bool:
        """Count a transfer of ``size`` bytes, or refuse it.

        SOFT lets the last transfer pass the limit; HARD and CAUTIOUS do not begin one that would, and CAUTIOUS
        goes on with smaller ones.
        """
        if self._limit is None:
            return True
        if self.reached and self._mode != "CAUTIOUS":
            return False
        over = self._begun >= self._limit if self._mode == "SOFT" else self._begun + size > self._limit
        if over:
            self.reached = True
            return False
        self._begun += size
        return True


class Execution:
    """One run through a plan; iterate it once.

    Args:
        actions: The plan; pulled as workers become free.
        transfer: Does single actions.
        workers: Transfers side by side.
        admission: Ends transfers at a limit.
        src_scan: Tells under which directories the source is known, so that deletes are safe.
        dst_scan: Tells under which directories the destination is known.
        before_deletes: Called once before the first delete; may raise to refuse them.
        executor: Where to run; threads of our own if None.
    """

    def __init__(
        self,
        actions: Iterable[Action],
        transfer: Transfer,
        *,
        workers: int,
        admission: Admission,
        src_scan: Scan,
        dst_scan: Scan,
        before_deletes: Callable[[], None],
        executor: Executor | None = None,
    ) -> None:
        self._actions = actions
        self._transfer = transfer
        self._workers = workers
        self._admission = admission
        self._src_scan = src_scan
        self._dst_scan = dst_scan
        self._before_deletes = before_deletes
        self._executor = executor
        self._deletes: Spool[Action] = Spool()
        self._rmdirs: Spool[Action] = Spool()
        self.protected = 0

    def __iter__(self) -> Iterator[Outcome]:
        pool = self._executor or ThreadPoolExecutor(self._workers, thread_name_prefix="omnistorage")
        try:
            for outcomes in _in_parallel(pool, self._transfer, self._batches(), self._workers):
                yield from outcomes
            if self._deletes or self._rmdirs:
                self._before_deletes()
            deletes = _grouped(self._safe(self._deletes))
            for outcomes in _in_parallel(pool, self._transfer, deletes, self._workers):
                yield from outcomes
            for action in self._safe(self._rmdirs):
                yield _unless_filled(self._transfer.do(action))
        except BaseException:
            self._transfer.cancel()
            raise
        finally:
            if self._executor is None:
                pool.shutdown(wait=True, cancel_futures=True)
            self._deletes.close()
            self._rmdirs.close()

    def _batches(self) -> Iterator[list[Action] | Outcomes]:
        """Gather transfers; what needs no worker passes as an outcome, deletes are kept for later."""
        batch: list[Action] = []
        size = 0
        largest = 1 if not self._admission.unlimited else BATCH_COUNT
        for action in self._actions:
            if action.verb in _LAST:
                (self._deletes if action.verb is Verb.DELETE else self._rmdirs).append(action)
                continue
            if action.verb not in _WORK:
                yield [self._settle(action)]
                continue
            if self._dst_scan.broken and not self._dst_scan.complete(parent(action.path)):
                yield [Outcome(action, _unknown(action))]
                continue
            bytes_ = (action.src.size or 0) if action.src is not None else 0
            if action.verb is not Verb.TOUCH and not self._admission.admit(bytes_):
                continue
            batch.append(action)
            size += bytes_
            if len(batch) >= largest or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _settle(self, action: Action) -> Outcome:
        if action.verb is Verb.FAIL:
            return Outcome(action, StorageError(action.reason, op="sync", path=action.path))
        return self._transfer.do(action)

    def _safe(self, actions: Iterable[Action]) -> Iterator[Action]:
        """Leave out what stands below a directory whose listing at the source failed."""
        for action in actions:
            if self._src_scan.complete(parent(action.path)) and action.path not in self._src_scan.broken:
                yield action
            else:
                self.protected += 1


def _in_parallel(
    pool: Executor, transfer: Transfer, batches: Iterable[list[Action] | Outcomes], workers: int
) -> Iterator[Outcomes]:
    """Run batches side by side, asking for the next one when a worker is free."""
    running: set[Future[Outcomes]] = set()
    try:
        for batch in batches:
            if isinstance(batch[0], Outcome):
                yield batch
                continue
            running.add(pool.submit(transfer.batch, batch))
            while len(running) > workers:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BaseException:
        transfer.cancel()
        wait(running)
        raise


def _grouped(actions: Iterable[Action]) -> Iterator[list[Action]]:
    batch: list[Action] = []
    for action in actions:
        batch.append(action)
        if len(batch) == BATCH_COUNT:
            yield batch
            batch = []
    if batch:
        yield batch


def _unless_filled(outcome: Outcome) -> Outcome:
    """A directory that still holds something (excluded, protected, or new) stays, and that is no failure."""
    if isinstance(outcome.error, NotEmpty | NotFound):
        action = outcome.action
        return Outcome(Action(Verb.SKIP, action.path, "still in use", action.src, action.dst))
    return outcome


def _unknown(action: Action) -> StorageError:
    return StorageError("the destination could not be listed here, so nothing is known of it", path=action.path)


def is_cancelled(outcome: Outcome) -> bool:
    """Say whether an action was not done because the run was stopped."""
    return isinstance(outcome.error, Cancelled)
