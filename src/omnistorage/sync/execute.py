"""Doing a plan: transfers side by side, deletes after them; what comes out is one outcome for each action."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from omnistorage.core.errors import Cancelled, NotEmpty, NotFound, StorageError

from .model import Action, Outcome, Verb
from .scan import Scan
from .spool import Spool
from .transfer import Transfer
from .workers import Batch, Workers

BATCH_COUNT: Final = 64
BATCH_BYTES: Final = 4 << 20
"""Small objects travel in batches, so that handing them to a worker costs next to nothing for each."""


class Admission:
    """Says whether another transfer may begin; the first refusal ends all transfers."""

    def __init__(self, limit: int | None, mode: str) -> None:
        self._limit = limit
        self._mode = mode
        self._begun = 0
        self._lock = threading.Lock()
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
        with self._lock:
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
        workers: Do the batches.
        admission: Ends transfers at a limit.
        src_scan: Tells under which directories the source is known, so that deletes are safe.
        dst_scan: Tells under which directories the destination is known.
        before_deletes: Called once before the first delete; may raise to refuse them.
    """

    def __init__(
        self,
        actions: Iterable[Action],
        transfer: Transfer,
        *,
        workers: Workers[Action, Outcome],
        admission: Admission,
        src_scan: Scan,
        dst_scan: Scan,
        before_deletes: Callable[[], None],
    ) -> None:
        self._actions = actions
        self._transfer = transfer
        self._workers = workers
        self._admission = admission
        self._src_scan = src_scan
        self._dst_scan = dst_scan
        self._before_deletes = before_deletes
        self._deletes: Spool[Action] = Spool()
        self._rmdirs: Spool[Action] = Spool()
        self.protected = 0

    def __iter__(self) -> Iterator[Outcome]:
        workers = self._workers
        try:
            for outcomes in workers.run(self._batches()):
                yield from outcomes
            if self._admission.reached:
                # The run ended early: what it would have replaced is not there yet.
                return
            if self._deletes or self._rmdirs:
                self._before_deletes()
            deletes = _grouped(self._safe(self._deletes))
            for outcomes in workers.run(deletes):
                yield from outcomes
            for action in self._safe(self._rmdirs):
                yield _unless_filled(self._transfer.do(action))
        except BaseException:
            self._transfer.cancel()
            raise
        finally:
            workers.close()
            self._deletes.close()
            self._rmdirs.close()

    def _batches(self) -> Iterator[Batch[Action, Outcome]]:
        """Gather transfers; what needs no worker passes as an outcome, deletes are kept for later."""
        batch: list[Action] = []
        size = 0
        largest = 1 if not self._admission.unlimited else BATCH_COUNT
        for action in self._actions:
            verb = action.verb
            if verb is Verb.DELETE:
                self._deletes.append(action)
                continue
            if verb is Verb.RMDIR:
                self._rmdirs.append(action)
                continue
            if verb is not Verb.COPY and verb is not Verb.COMPARE and verb is not Verb.TOUCH:
                yield Batch(done=[self._settle(action)])
                continue
            if self._dst_scan.broken and not self._dst_scan.knows(action.path):
                yield Batch(done=[Outcome(action, _unknown(action))])
                continue
            bytes_ = (action.src.size or 0) if action.src is not None else 0
            # A COMPARE may move nothing; it asks for itself when it knows.
            if verb is Verb.COPY and not self._admission.admit(bytes_):
                continue
            batch.append(action)
            size += bytes_
            if len(batch) >= largest or size >= BATCH_BYTES:
                yield Batch(batch, size)
                batch, size = [], 0
        if batch:
            yield Batch(batch, size)

    def _settle(self, action: Action) -> Outcome:
        if action.verb is Verb.FAIL:
            return Outcome(action, StorageError(action.reason, op="sync", path=action.path))
        return self._transfer.do(action)

    def _safe(self, actions: Iterable[Action]) -> Iterator[Action]:
        """Leave out what stands below a directory whose listing at the source failed."""
        for action in actions:
            if self._src_scan.knows(action.path):
                yield action
            else:
                self.protected += 1


def _grouped(actions: Iterable[Action]) -> Iterator[Batch[Action, Outcome]]:
    batch: list[Action] = []
    for action in actions:
        batch.append(action)
        if len(batch) == BATCH_COUNT:
            yield Batch(batch)
            batch = []
    if batch:
        yield Batch(batch)


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
