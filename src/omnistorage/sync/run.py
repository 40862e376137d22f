"""One run: scan, pair, plan, guards, execute, and the counters of it all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from omnistorage.core.crossing import same_place
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotADirectory, NotFound, StorageError
from omnistorage.core.info import DIR, ObjectInfo
from omnistorage.core.paths import inside, parent
from omnistorage.layers.alias import Alias
from omnistorage.storage import Storage

from .execute import Admission, Execution, is_cancelled
from .filters import Filter
from .guards import refuse_deletes, refuse_empty_source, refuse_overlap, relation
from .model import CONTENTS_DIFFER, Action, Event, Observer, Outcome, Result, Verb
from .options import Options, policy_for
from .pairing import pair
from .plan import plan as decide
from .removal import remove_empty_dirs
from .scan import Scan
from .spool import Spool
from .transfer import Transfer
from .workers import Workers

if TYPE_CHECKING:
    from concurrent.futures import Executor


class Run:
    """One pass over two storages; iterate it for the outcomes as they come, or ask for the ``result``.

    Attributes:
        totals: The counters, which grow while the run goes on.
        observer: Gets the events.
    """

    @classmethod
    def between(
        cls,
        src: Storage,
        dst: Storage,
        options: Options,
        *,
        delete: bool = False,
        move: bool = False,
        observer: Observer | None = None,
        executor: Executor | None = None,
    ) -> Run:
        """Prepare a run from one storage to another.

        Raises:
            GuardError: The two overlap in a way that would do harm.
        """
        if delete or move:
            refuse_overlap(src.driver, dst.driver, options.filter)
        return cls(src.driver, dst.driver, options, delete=delete, move=move, observer=observer, executor=executor)

    @classmethod
    def of_one(
        cls,
        src: Storage,
        src_path: str,
        dst: Storage,
        dst_path: str,
        options: Options,
        *,
        move: bool = False,
        observer: Observer | None = None,
    ) -> Run | None:
        """Prepare a run for one object and the name it is to get; None if it has that name already."""
        if same_place(src.driver, src_path, dst.driver, dst_path):
            return None
        shown = Alias(src.driver, src_path, dst_path)
        chosen = msgspec.structs.replace(options, filter=Filter.only(dst_path))
        return cls(shown, dst.driver, chosen, move=move, observer=observer)

    def __init__(
        self,
        src: Driver,
        dst: Driver,
        options: Options,
        *,
        delete: bool = False,
        move: bool = False,
        observer: Observer | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.totals = Result(dry_run=options.dry_run, failures=[])
        self._src = src
        self._dst = dst
        self._options = options
        self.observer = observer
        self._executor = executor
        self.policy = policy_for(src, dst, options, delete=delete, move=move)
        chosen = options.filter
        within = relation(src, dst)
        self._src_scan = Scan(src, chosen, leave_out=within if within not in (None, "", "..") else None)
        everything = chosen.deletes_excluded and delete
        self._dst_scan = Scan(dst, Filter() if everything else chosen, missing_ok=True, folders=True)
        self._changed_dirs: Spool[str] = Spool()
        self._last_dir = ""

    def result(self) -> Result:
        """Run to the end and return the sum."""
        for _ in self:
            pass
        return self.totals

    def __iter__(self) -> Iterator[Outcome]:
        began = time.monotonic()
        totals, options = self.totals, self._options
        admission = Admission(options.max_transfer, options.cutoff)
        transfer = Transfer(
            self._src,
            self._dst,
            self.policy,
            observer=self.observer,
            verify=options.verify,
            dry_run=options.dry_run,
            admit=None if admission.unlimited else admission.admit,
        )
        near = self._src.features.local and self._dst.features.local
        execution = Execution(
            self._counted(self._plan()),
            transfer,
            workers=Workers(transfer, options.transfers, self._executor, near=near),
            admission=admission,
            src_scan=self._src_scan,
            dst_scan=self._dst_scan,
            before_deletes=self._before_deletes,
        )
        try:
            for outcome in chain(execution, self._broken(), self._finish()):
                if not is_cancelled(outcome):
                    self._account(outcome)
                    yield outcome
        finally:
            totals.protected = execution.protected
            totals.limit = "max_transfer" if admission.reached else ""
            totals.listed = self._src_scan.listed + self._dst_scan.listed
            totals.elapsed = time.monotonic() - began
            totals.exit_code = totals.exit_code or (8 if admission.reached else 0)

    def _plan(self) -> Iterable[Action]:
        src_info = self._root(self._src)
        if src_info is not None and src_info.kind is not DIR:
            raise NotADirectory(scheme=self._src.scheme)
        pairs = pair(self._src_scan, self._dst_scan)
        actions = decide(pairs, self.policy, self.totals, every=self._options.every)
        if not self.policy.delete or (self._options.max_delete is None and self._options.max_delete_size is None):
            return actions
        # A guard must know all deletes before the first change: so the whole plan is made first.
        whole: Spool[Action] = Spool()
        count = size = 0
        for action in actions:
            whole.append(action)
        for action in whole:
            if action.verb is Verb.DELETE and self._src_scan.knows(action.path):
                count += 1
                size += (action.dst.size or 0) if action.dst is not None else 0
        refuse_deletes(count, size, self._options.max_delete, self._options.max_delete_size)
        return whole

    def _root(self, driver: Driver) -> ObjectInfo | None:
        """Describe the root of the source; services without directories may not know it."""
        try:
            return driver.stat("")
        except NotFound:
            if driver.features.mkdir:
                raise
            return None

    def _counted(self, actions: Iterable[Action]) -> Iterator[Action]:
        totals = self.totals
        for action in actions:
            if action.verb is Verb.COPY:
                totals.planned += 1
                totals.planned_bytes += (action.src.size or 0) if action.src is not None else 0
            yield action

    def _before_deletes(self) -> None:
        empty = not self._src_scan.listed and self._options.filter.files is None
        if empty and not self._options.allow_empty_source:
            refuse_empty_source()

    def _broken(self) -> Iterator[Outcome]:
        """Report the listings that failed."""
        for scan in (self._src_scan, self._dst_scan):
            for folder, error in scan.broken.items():
                yield Outcome(Action(Verb.FAIL, folder, "cannot be listed"), error)

    def _account(self, outcome: Outcome) -> None:
        totals, action = self.totals, outcome.action
        verb = action.verb
        if outcome.error is not None:
            totals.errors += 1
            if len(totals.failures) < 1000:
                totals.failures.append(outcome)
            if not totals.exit_code or totals.exit_code == 1:
                totals.exit_code = action.exit_code
        elif verb is Verb.COPY:
            totals.transferred += 1
            totals.bytes += outcome.bytes
            totals.renamed += outcome.renamed
            totals.unverified += outcome.verified == "size"
            totals.deleted_sources += self.policy.move
            if action.reason == CONTENTS_DIFFER:
                # The plan could not know: the content had to be looked at.
                totals.planned += 1
                totals.planned_bytes += outcome.bytes
            self._note_dir(action)
        elif verb is Verb.TOUCH:
            totals.touched += 1
            totals.deleted_sources += self.policy.move
        elif verb is Verb.DELETE:
            totals.deleted += 1
            totals.deleted_bytes += (action.dst.size or 0) if action.dst is not None else 0
            self._note_dir(action)
        elif verb is Verb.RMDIR:
            totals.deleted_dirs += 1
            self._note_dir(action)
        elif verb is Verb.MKDIR:
            totals.made_dirs += 1
            self._note_dir(action)
        elif verb is Verb.SKIP:
            totals.skipped += 1
        elif verb is Verb.KEEP and outcome.verified:
            totals.equal += 1
            totals.deleted_sources += self.policy.move
        if self.observer is not None:
            self.observer(Event("end", action.path, outcome.bytes, outcome))

    def _note_dir(self, action: Action) -> None:
        folder = action.path if action.verb is Verb.MKDIR else parent(action.path)
        if folder == self._last_dir:
            return
        above = folder
        # Those above it may be new as well; what the last one stood in is noted already.
        while above and not inside(self._last_dir, above):
            self._changed_dirs.append(above)
            above = parent(above)
        self._last_dir = folder

    def _finish(self) -> Iterator[Outcome]:
        """See to the directories, and report those that cannot be removed."""
        if self._options.dry_run:
            return
        # Before the times are set: removing a file changes the time of its folder.
        self._sweep()
        self._set_dir_times()
        if self._options.delete_empty_dirs and self.policy.move:
            for outcome in remove_empty_dirs(self._src, keep_root=True):
                if outcome.error is not None and outcome.action.path not in self._src_scan.broken:
                    yield outcome

    def _sweep(self) -> None:
        if self._dst.features.mkdir:
            try:
                self._dst.sweep(noticed=True)
            except StorageError:
                # All that was asked for is done; the next run finds the leftovers again.
                return

    def _set_dir_times(self) -> None:
        """Give directories that were changed the time they have at the source; deletes and puts moved it."""
        able = self._dst.features.mkdir and self._dst.features.set_modified and self._src.features.mkdir
        if not able or not self._options.dir_times or self.policy.move:
            return
        done = ""
        for folder in self._changed_dirs:
            if folder == done or not folder:
                continue
            done = folder
            try:
                info = self._src.stat(folder)
                if info.mtime_ns is not None:
                    self._dst.set_modified(folder, info.mtime_ns)
            except StorageError:
                # A directory that is gone at either side has no time; the next run sees to the rest.
                continue
        self._changed_dirs.close()
