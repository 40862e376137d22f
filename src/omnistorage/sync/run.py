"""One run: scan, pair, plan, guards, execute, and the counters of it all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from omnistorage.core.crossing import same_object
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotADirectory, StorageError
from omnistorage.core.info import DIR, ObjectInfo
from omnistorage.layers.alias import Alias
from omnistorage.storage import Storage

from .accounts import Accounts
from .attributes import Attributes
from .backup import Backup
from .closer import times_untold
from .elsewhere import Elsewhere
from .execute import Execution, is_cancelled, lost
from .filters import Filter
from .guards import (
    refuse_backup_overlap,
    refuse_contradictions,
    refuse_deletes,
    refuse_empty_source,
    refuse_overlap,
    relation,
)
from .large import Large
from .limits import Admission
from .model import METADATA_DECIDES, Action, Event, Observer, Outcome, Pair, Result, Verb, renamed
from .options import Options, policy_for
from .plan import plan as decide
from .removal import remove_empty_dirs
from .respelling import respelling
from .scan import Scan
from .sides import Sides
from .spool import Spool
from .transfer import Transfer
from .uploads import throw_all_away
from .workers import Workers

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .journal import Journal
    from .uploads import Uploads


_LIMIT_CODES = {"max_transfer": 8, "max_duration": 10}

Approve = Callable[[Action], bool]
"""Asked before each change; False leaves that one out."""


class Run:
    """One pass over two storages; iterate it for the outcomes as they come, or ask for the ``result``.

    Attributes:
        observer: Gets the events.
        journal: Remembers what was done, for the case that the run is interrupted; whoever set it closes it.
        uploads: Remembers the uploads of large objects; by default that is the journal.
        kept: Large objects that failed, and how many parts of how many are kept for the next run.
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
        approve: Approve | None = None,
    ) -> Run:
        """Prepare a run from one storage to another.

        Raises:
            GuardError: The two overlap in a way that would do harm, or options contradict each other.
        """
        if delete or move:
            refuse_overlap(src.driver, dst.driver, options.filter)
        refuse_contradictions(options, delete=delete)
        refuse_backup_overlap(src.driver, dst.driver, options)
        return cls(
            src.driver,
            dst.driver,
            options,
            delete=delete,
            move=move,
            observer=observer,
            executor=executor,
            approve=approve,
        )

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
        executor: Executor | None = None,
        approve: Approve | None = None,
    ) -> Run | None:
        """Prepare a run for one object and the name it is to get; None if it has that name already."""
        if options.name_transform:
            from .transforms import Renaming

            dst_path = Renaming(options.name_transform).leaf(dst_path)
            options = msgspec.structs.replace(options, name_transform=())
        if same_object(src.driver, src_path, dst.driver, dst_path):
            rename = respelling(src_path, dst_path) if move else None
            if rename is None:
                return None
            run = cls.given(src.driver, dst.driver, options, [rename], move=True, observer=observer)
            run._approve = approve
            return run
        shown = Alias(src.driver, src_path, dst_path)
        chosen = msgspec.structs.replace(options, filter=Filter.only(dst_path))
        return cls(shown, dst.driver, chosen, move=move, observer=observer, executor=executor, approve=approve)

    @classmethod
    def given(
        cls,
        src: Driver,
        dst: Driver,
        options: Options,
        actions: Iterable[Action],
        *,
        delete: bool = False,
        move: bool = False,
        observer: Observer | None = None,
    ) -> Run:
        """Prepare a run through a plan that is there already; nothing is listed."""
        run = cls(src, dst, options, delete=delete, move=move, observer=observer)
        run._given = actions
        return run

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
        approve: Approve | None = None,
    ) -> None:
        self._totals = Result(dry_run=options.dry_run, failures=[])
        self._src = src
        self._dst = dst
        self._options = options
        self.observer = observer
        self.journal: Journal | None = None
        self.uploads: Uploads | None = None
        self.kept: dict[str, tuple[int, int]] = {}
        self._executor = executor
        self.policy = policy_for(src, dst, options, delete=delete, move=move)
        within = relation(src, dst)
        inner = within if within not in (None, "", "..") else None
        self._sides = Sides.of_run(src, dst, options, leave_out=inner, deleting=delete)
        self._src_scan, self._dst_scan = self._sides.src_scan, self._sides.dst_scan
        self._attributes = Attributes.wished(src, dst, options)
        self._folders: Spool[Action] = Spool()
        self._accounts = Accounts(self._totals, move=move)
        self._approve: Approve | None = approve
        self._given: Iterable[Action] | None = None

    @property
    def kind(self) -> str:
        """The recipe: ``sync``, ``copy`` or ``move``."""
        return "sync" if self.policy.delete else "move" if self.policy.move else "copy"

    @property
    def totals(self) -> Result:
        """The counters as they stand; they grow while the run goes on."""
        self._totals.listed = self._src_scan.listed + self._dst_scan.listed
        return self._totals

    def result(self) -> Result:
        """Run to the end and return the sum."""
        for _ in self:
            pass
        return self.totals

    def __iter__(self) -> Iterator[Outcome]:
        began = time.monotonic()
        totals, options = self._totals, self._options
        admission = Admission(options.max_transfer, options.cutoff, options.max_duration)
        large = Large(self._dst, options.part_cutoff, options.part_streams, self.uploads or self.journal)
        self.kept = large.kept
        if self.journal is not None and times_untold(self._src, self._dst, self.policy):
            self.journal.lasting = True
        transfer = Transfer(
            self._src,
            self._dst,
            self.policy,
            observer=self.observer,
            verify=options.verify,
            dry_run=options.dry_run,
            inplace=options.inplace,
            admission=None if admission.unlimited else admission,
            backup=self._backup(),
            elsewhere=self._elsewhere(),
            attributes=self._attributes,
            approve=self._approve,
            journal=self.journal,
            large=large,
            width=options.transfers,
        )
        near = self._src.features.local and self._dst.features.local
        execution = Execution(
            self._plan(),
            transfer,
            workers=Workers(transfer, options.transfers, self._executor, near=near, lost=lost),
            admission=admission,
            src_scan=self._src_scan,
            dst_scan=self._dst_scan,
            before_deletes=self._before_deletes,
            delete_mode=self._delete_mode,
            attempts=options.attempts,
            wait=options.attempts_wait,
            counted=self._counted,
        )
        try:
            # What folders are called must not change before all else is done in them.
            for outcome in chain(execution, self._broken(), self._finish(transfer), execution.respell()):
                if not is_cancelled(outcome):
                    self._accounts.enter(outcome)
                    if self.observer is not None:
                        self.observer(Event("end", outcome.action.path, outcome.bytes, outcome))
                    if self.journal is not None:
                        self._remember(outcome, self.journal)
                    yield outcome
            if self.journal is not None:
                if not (totals.errors or admission.reached or options.dry_run):
                    throw_all_away(self._dst, self.journal)
                self.journal.done(totals)
        finally:
            self._accounts.close()
            self._folders.close()
            totals.protected = execution.protected
            totals.limit = admission.reached
            totals.elapsed = time.monotonic() - began
            totals.exit_code = _LIMIT_CODES.get(admission.reached, totals.exit_code)

    def _plan(self) -> Iterable[Action]:
        if self._given is not None:
            return self._given
        # Where there are no real directories, nothing more is known of the root than its listing tells.
        if self._src.features.mkdir and self._src.stat("").kind is not DIR:
            raise NotADirectory(scheme=self._src.scheme)
        actions: Iterable[Action] = decide(self._pairs(), self.policy, self._totals, every=self._options.every)
        actions = chain(actions, self._sides.clashes())
        if not self._needs_whole_plan():
            return actions
        # A guard must know all deletes before the first change, and a rename has two ends: so the whole plan is
        # made first.
        whole = Spool(actions)
        whole = self._with_renames(whole)
        self._refuse_deletes(whole)
        if self._options.order_by:
            from .ordering import ordered, parse_order

            return Spool(ordered(whole, parse_order(self._options.order_by)))
        return whole

    def _pairs(self) -> Iterable[Pair]:
        options = self._options
        if (options.traverse and options.check_dest) or self.policy.delete:
            return self._sides.pairs()
        from .lookup import looked_up, unseen

        if not options.check_dest:
            return unseen(self._sides.source())
        return looked_up(self._sides.source(), self._dst, self._dst_scan, workers=options.checkers)

    def _needs_whole_plan(self) -> bool:
        options = self._options
        guarded = self.policy.delete and (options.max_delete is not None or options.max_delete_size is not None)
        # A backup beside the objects would be taken for one of them by a listing that still goes on.
        beside = bool(options.suffix) and options.backup is None
        early = self.policy.delete and options.delete_mode == "before"
        return guarded or beside or early or bool(options.order_by) or options.check_first or self._tracks

    @property
    def _delete_mode(self) -> str:
        # Where nothing is deleted, nothing comes first; the plan is read twice only if it is kept.
        mode = self._options.delete_mode if self.policy.delete else "after"
        return "after" if mode == "during" and self._sides.late else mode

    @property
    def _tracks(self) -> bool:
        return self._options.track_renames and self.policy.delete

    def _with_renames(self, whole: Spool[Action]) -> Spool[Action]:
        if not self._tracks:
            return whole
        from .renames import Renames

        options = self._options
        renames = Renames(self._src, self._dst, self.policy, options.rename_by, workers=options.checkers)
        if not renames.possible:
            return whole
        found = Spool(renames.find(whole, self._src_scan.knows))
        whole.close()
        return found

    def _refuse_deletes(self, whole: Iterable[Action]) -> None:
        options = self._options
        if not self.policy.delete or (options.max_delete is None and options.max_delete_size is None):
            return
        count = size = 0
        for action in whole:
            if action.verb is Verb.DELETE and self._src_scan.knows(action.path):
                count += 1
                size += (action.dst.size or 0) if action.dst is not None else 0
        refuse_deletes(count, size, options.max_delete, options.max_delete_size)

    def _backup(self) -> Backup | None:
        options = self._options
        if options.backup is None and not options.suffix:
            return None
        return Backup(
            self._dst,
            options.backup.driver if options.backup is not None else None,
            options.suffix,
            keep_extension=options.suffix_keep_extension,
            linked=not options.inplace,
        )

    def _elsewhere(self) -> Elsewhere | None:
        compare_with, copy_from = self._options.compare_with, self._options.copy_from
        if not compare_with and not copy_from:
            return None
        return Elsewhere(
            self._src, [one.driver for one in compare_with], [one.driver for one in copy_from], self.policy
        )

    def _counted(self, actions: Iterable[Action]) -> Iterator[Action]:
        totals = self._totals
        for action in actions:
            if action.verb is Verb.COPY:
                totals.planned += 1
                totals.planned_bytes += (action.src.size or 0) if action.src is not None else 0
            elif self.policy.metadata and action.src is not None and action.src.is_dir:
                # What is done in a directory may need another mode than it is to have, and changes its time.
                if action.verb is Verb.METADATA:
                    self._folders.append(action)
                    continue
                if action.verb is Verb.MKDIR:
                    self._folders.append(msgspec.structs.replace(action, verb=Verb.METADATA))
            yield action

    def _remember(self, outcome: Outcome, journal: Journal) -> None:
        if outcome.error is not None:
            journal.note_failure(outcome.action.path, str(outcome.error))
        elif outcome.bytes:
            journal.tally(self._totals.transferred, self._totals.bytes)

    def _before_deletes(self) -> None:
        empty = self._given is None and not self._src_scan.listed and self._options.filter.files is None
        if empty and not self._options.allow_empty_source:
            refuse_empty_source()

    def _broken(self) -> Iterator[Outcome]:
        """Report the listings that failed."""
        for scan in (self._src_scan, self._dst_scan):
            for folder, error in scan.broken.items():
                yield Outcome(Action(Verb.FAIL, folder, "cannot be listed"), error)

    def _finish(self, transfer: Transfer) -> Iterator[Outcome]:
        """See to the directories, and report those that cannot be removed."""
        if self._options.dry_run:
            yield from map(transfer.do, self._kept_dirs())
            return
        # Before the times are set: removing a file changes the time of its folder.
        self._sweep()
        self._set_dir_times()
        if self._attributes is not None:
            self._attributes.shut_again()
            yield from map(transfer.do, self._kept_dirs())
        if self._options.delete_empty_dirs and self.policy.move:
            chosen = self._options.filter
            found = None if chosen.is_trivial else Scan(self._src, chosen)
            for outcome in remove_empty_dirs(self._src, keep_root=True, among=found):
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
        for folder, origin in self._accounts.changed_dirs():
            if folder == done or not folder:
                continue
            done = folder
            try:
                info = self._src.stat(origin)
                if info.mtime_ns is not None:
                    self._dst.set_modified(folder, info.mtime_ns)
            except StorageError:
                # A directory that is gone at either side has no time; the next run sees to the rest.
                continue

    def _kept_dirs(self) -> Iterator[Action]:
        """Yield the directories that are to have the metadata of the source, those below others first."""
        if not self.policy.metadata:
            return
        listed = self._given is None and self._options.filter.files is None
        if listed or not self._src.features.mkdir:
            yield from reversed(self._folders)
            return
        # Neither a list of files nor a plan names directories that come about with what is put into them.
        named = {action.path: action for action in self._folders}
        origins = dict(self._accounts.changed_dirs())
        for folder in sorted({*origins, *named} - {""}, reverse=True):
            info = ObjectInfo(folder, DIR)
            if (origin := origins.get(folder, folder)) != folder:
                info = renamed(info, path=folder, origin=origin)
            yield named.get(folder) or Action(Verb.METADATA, folder, METADATA_DECIDES, info)
