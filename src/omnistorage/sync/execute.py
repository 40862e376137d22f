"""Doing a plan: transfers side by side, deletes after them; what comes out is one outcome for each action."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from omnistorage.core.errors import Cancelled, Corrupted, NotEmpty, NotFound, SourceChanged, StorageError

from .limits import Admission
from .model import Action, Outcome, Verb
from .scan import Scan
from .spool import Spool
from .timing import Held
from .transfer import TO_BE_ASKED, Transfer
from .workers import Batch, Workers

BATCH_COUNT: Final = 64
BATCH_BYTES: Final = 4 << 20
"""Small objects travel in batches, so that handing them to a worker costs next to nothing for each."""


_WORK: Final = frozenset((Verb.COPY, Verb.COMPARE, Verb.TOUCH, Verb.METADATA, Verb.RENAME))
"""What workers do side by side."""


_Attempt = Callable[[Iterable[Action], Spool[Action] | None], Iterator[Outcome]]


class Execution:
    """One run through a plan; iterate it once.

    Args:
        actions: The plan; pulled as workers become free. Read twice if deletes come first.
        transfer: Does single actions.
        workers: Do the batches.
        admission: Ends transfers at a limit.
        src_scan: Tells under which directories the source is known, so that deletes are safe.
        dst_scan: Tells under which directories the destination is known.
        before_deletes: Called once before the first delete; may raise to refuse them.
        delete_mode: When deletes are done: ``before``, ``during`` or ``after`` the transfers.
        attempts: How often a transfer or delete is tried in all, if its failure may pass.
        wait: Seconds between two rounds of attempts.
        counted: Passes the plan on, once, and counts what is planned.
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
        delete_mode: str = "after",
        attempts: int = 1,
        wait: float = 0.0,
        counted: Callable[[Iterable[Action]], Iterable[Action]] = iter,
    ) -> None:
        self._actions = actions
        self._transfer = transfer
        self._workers = workers
        self._admission = admission
        self._src_scan = src_scan
        self._dst_scan = dst_scan
        self._before_deletes = before_deletes
        self._may_delete = False
        self._mode = delete_mode
        self._attempts = attempts
        self._wait = wait
        self._counted = counted
        self._deletes: Spool[Action] = Spool()
        self._rmdirs: Spool[Action] = Spool()
        self._respellings: Spool[Action] = Spool()
        self._held = Held(src_scan)
        self.protected = 0

    def __iter__(self) -> Iterator[Outcome]:
        try:
            yield from self._steps()
        except BaseException:
            self._transfer.cancel()
            raise
        finally:
            self._workers.close()
            self._held.close()
            self._deletes.close()
            self._rmdirs.close()

    def respell(self) -> Iterator[Outcome]:
        """Give names another spelling, when all else is done: until then things are called as they were."""
        if not self._admission.reached:
            yield from map(self._transfer.do, self._respellings)
        self._respellings.close()

    def _steps(self) -> Iterator[Outcome]:
        if self._mode == "before":
            for action in self._actions:
                self._put_off(action)
            yield from self._delete()
        again: Spool[Action] = Spool()
        yield from self._transfers(self._counted(self._actions), again)
        yield from self._once_more(again, self._transfers)
        # After a run that ended early, what would have been in the place of others is not there yet.
        if self._mode != "before" and not self._admission.reached:
            yield from self._delete()

    def _once_more(self, again: Spool[Action], attempt: _Attempt) -> Iterator[Outcome]:
        """Repeat what failed and may pass, as often as is allowed."""
        left = self._attempts - 1
        while again:
            left = 0 if self._admission.reached else left - 1
            time.sleep(self._wait)
            failed, again = again, Spool()
            # Not before the wait: what was being written then may be whole now.
            yield from attempt(map(self._transfer.look_again, failed), again if left > 0 else None)
            failed.close()
        again.close()

    def _transfers(self, actions: Iterable[Action], again: Spool[Action] | None) -> Iterator[Outcome]:
        """Do all but deletes; what is worth another attempt goes to ``again`` and yields nothing yet."""
        return self._sifted(self._batches(actions), again)

    def _sifted(self, batches: Iterable[Batch[Action, Outcome]], again: Spool[Action] | None) -> Iterator[Outcome]:
        asked: Spool[Action] | None = None
        for outcomes in self._workers.run(batches):
            for outcome in outcomes:
                if again is not None and self._attempts > 1 and _may_pass(outcome):
                    again.append(outcome.action)
                elif outcome.error is not None and outcome.error.message == TO_BE_ASKED:
                    asked = asked or Spool()
                    asked.append(outcome.action)
                else:
                    yield outcome
        if asked is not None:
            # Other processes compared the contents; whether there is room for the copies is known here.
            yield from self._transfers(asked, again)
            asked.close()

    def _delete(self) -> Iterator[Outcome]:
        """Do the deletes that were put off."""
        again: Spool[Action] = Spool()
        yield from self._deleted(self._safe(chain(self._held.rest(), self._deletes)), again)
        yield from self._once_more(again, self._deleted)
        for action in self._safe(self._rmdirs):
            self._ask_before_deletes()
            yield _unless_filled(self._transfer.do(action))

    def _deleted(self, deletes: Iterable[Action], again: Spool[Action] | None) -> Iterator[Outcome]:
        return self._sifted(self._grouped(deletes), again)

    def _put_off(self, action: Action) -> bool:
        """Keep a delete, or another spelling of a name, for later; say whether it is one."""
        if action.verb is Verb.RENAME:
            if action.src is not None:
                return False
            self._respellings.append(action)
        elif action.verb is Verb.RMDIR:
            # It may still hold what is protected, or a delete that waits; so these always come last.
            self._rmdirs.append(action)
        elif action.verb is Verb.DELETE:
            if self._mode == "during":
                self._held.add(action)
            else:
                self._deletes.append(action)
        else:
            return False
        return True

    def _batches(self, actions: Iterable[Action]) -> Iterator[Batch[Action, Outcome]]:
        """Gather transfers; what needs no worker passes as an outcome, deletes are kept for later."""
        admission, at_hand = self._admission, self._transfer.at_hand
        # The contents of these are compared without waiting for anybody, and without moving anything.
        near = _Group(BATCH_COUNT, here=True)
        far = _Group(1 if admission.counts_bytes else BATCH_COUNT)
        asked = not self._transfer.admits
        first_pass = self._mode != "before"
        during = self._mode == "during"
        for action in actions:
            verb = action.verb
            if verb is Verb.DELETE or verb is Verb.RMDIR or (verb is Verb.RENAME and action.src is None):
                if first_pass:
                    self._put_off(action)
                continue
            if verb is not Verb.COPY and verb not in _WORK:
                yield Batch(done=[self._settle(action)])
                continue
            if self._dst_scan.broken and not self._dst_scan.knows(action.path):
                # What could not be looked up by itself is told where the listings are.
                if action.path not in self._dst_scan.broken:
                    yield Batch(done=[Outcome(action, _unknown(action))])
                continue
            bytes_ = (action.src.size or 0) if action.src is not None else 0
            group = near if at_hand(action) else far
            # A COMPARE may move nothing; it asks for itself when it knows, as a COPY does if there are other places.
            if asked and verb is Verb.COPY and not admission.admit(bytes_):
                continue
            if group.add(action, bytes_):
                yield group.take()
                if during and self._src_scan.listed:
                    yield from self._grouped(self._safe(self._held.ripe()))
        yield from (group.take() for group in (near, far) if group.todo)

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

    def _grouped(self, actions: Iterable[Action]) -> Iterator[Batch[Action, Outcome]]:
        batch: list[Action] = []
        for action in actions:
            self._ask_before_deletes()
            batch.append(action)
            if len(batch) == BATCH_COUNT:
                yield Batch(batch)
                batch = []
        if batch:
            yield Batch(batch)

    def _ask_before_deletes(self) -> None:
        if not self._may_delete:
            self._before_deletes()
            self._may_delete = True


class _Group:
    """Actions that become a batch when they are many enough, or about enough bytes."""

    def __init__(self, most: int, *, here: bool = False) -> None:
        self.todo: list[Action] = []
        self._most = most
        self._here = here
        self._size = 0

    def add(self, action: Action, size: int) -> bool:
        """Add an action that is about ``size`` bytes; say whether they are enough."""
        self.todo.append(action)
        self._size += size
        return len(self.todo) >= self._most or self._size >= BATCH_BYTES

    def take(self) -> Batch[Action, Outcome]:
        """Return them as a batch, and begin anew."""
        batch: Batch[Action, Outcome] = Batch(self.todo, self._size, here=self._here)
        self.todo, self._size = [], 0
        return batch


def _may_pass(outcome: Outcome) -> bool:
    """Say whether a failure is one that may be gone a little later."""
    error = outcome.error
    if error is None or outcome.action.verb is Verb.FAIL:
        return False
    return error.retryable or isinstance(error, Corrupted | SourceChanged)


def _unless_filled(outcome: Outcome) -> Outcome:
    """A directory that still holds something (excluded, protected, or new) stays, and that is no failure."""
    if isinstance(outcome.error, NotEmpty | NotFound):
        action = outcome.action
        return Outcome(Action(Verb.SKIP, action.path, "still in use", action.src, action.dst))
    return outcome


def _unknown(action: Action) -> StorageError:
    return StorageError("the destination could not be listed here, so nothing is known of it", path=action.path)


def lost(action: Action, exc: Exception) -> Outcome:
    """Return what came of an action that an executor lost: nothing that is known, and another attempt may do it."""
    words = " ".join(str(exc).split())
    name = type(exc).__name__
    error = StorageError(f"lost by the executor: {name}{': ' if words else ''}{words}", path=action.path)
    error.op, error.retryable = action.verb.value, True
    return Outcome(action, error)


def is_cancelled(outcome: Outcome) -> bool:
    """Say whether an action was not done because the run was stopped."""
    return isinstance(outcome.error, Cancelled)
