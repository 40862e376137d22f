"""Finding objects of a storage that hold the same bytes, and keeping one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Final, TypeVar, get_args

from omnistorage.core.errors import Cancelled, StorageError, Unsupported
from omnistorage.core.info import FILE
from omnistorage.storage import Storage

from .dedupe_model import Choice, Choose, DedupeEvent, DedupeOptions, DedupeResult, Deed, Mode, Observer
from .duplicates import Catalogue, Entry, Group, Print
from .fingerprints import WHOLE, Look, Looker, NoFile, comes_free, hash_for, is_local
from .guards import GuardError, refuse_deletes
from .numbered import rename_with_number
from .proof import Done, Doomed, Remover
from .scan import Scan
from .workers import Batch, Workers

_NEAR_BATCH: Final = 64
_FAR_BATCH: Final = 4
"""Objects for one worker: where each call is waited for, few, so that all workers have some."""

_BATCH_BYTES: Final = 16 << 20
_FAILURES: Final = 1000
_ONE_NAME: Final = (
    "was listed several times, and nothing can be done about that: storages delete and rename by path, which would "
    "mean all of them; no known service has two objects of one name"
)

_DELETING: Final = ("first", "newest", "oldest", "largest", "smallest")

T = TypeVar("T")


def dedupe(
    storage: Storage,
    options: DedupeOptions | None = None,
    *,
    choose: Choose | None = None,
    observer: Observer | None = None,
) -> DedupeResult:
    """Find objects that hold the same bytes; keep one of each group, and delete, link or rename the others.

    A copy is deleted only when its bytes are proven, right then, to be those of the one that is kept. Names of one
    file (hard links) are no duplicates; directories, links and special files are not looked at.

    Args:
        storage: Where to look.
        options: How.
        choose: Is asked for each group, with what the mode would do (SKIP for ``interactive``); what it returns is
            done. Modes that change nothing do not ask.
        observer: Gets what happens; in the thread of the caller.

    Raises:
        NotFound: There is no such directory.
        GuardError: More would be deleted than allowed; nothing was changed, but by earlier choices of ``choose``.
        Unsupported: ``hardlink``, and the storage is no plain local folder.
        ValueError: There is no such mode; or it is ``interactive`` without ``choose``.
    """
    asked = options or DedupeOptions()
    if asked.mode not in get_args(Mode):
        raise ValueError(f"unknown mode {asked.mode!r}; known: {', '.join(get_args(Mode))}")
    if asked.mode == "interactive" and choose is None:
        raise ValueError("mode 'interactive' needs somebody to ask: choose=")
    with closing(_Run(storage, asked, choose, observer)) as run:
        return run.result()


class _Run:
    def __init__(
        self, storage: Storage, options: DedupeOptions, choose: Choose | None, observer: Observer | None
    ) -> None:
        driver = storage.driver
        self._storage = storage
        self._driver = driver
        self._options = options
        self._choose = choose
        self._observer = observer
        self._hash = hash_for(driver)
        self._remover = Remover(driver, self._hash, link=options.hardlink)
        self._near = is_local(driver) or driver.scheme == "memory"
        self._catalogue = Catalogue(self._hash)
        self._totals = DedupeResult(dry_run=options.dry_run)
        self._doomed = self._doomed_size = 0

    def close(self) -> None:
        self._catalogue.close()

    def result(self) -> DedupeResult:
        began = time.perf_counter()
        try:
            self._find()
            self._act()
        finally:
            self._totals.elapsed = time.perf_counter() - began
        return self._totals

    # -- finding -------------------------------------------------------------------------------------------

    def _find(self) -> None:
        by_content = self._options.by == "content"
        # Which is the newest cannot be told from what a listing leaves out.
        scan = Scan(self._driver, self._options.filter, times=self._options.mode in ("newest", "oldest"))
        hashed = by_content and comes_free(self._driver, self._hash)
        for infos in scan:
            files = [info for info in infos if info.kind is FILE]
            if files:
                self._catalogue.add(files, hashed=hashed)
        self._totals.listed = scan.listed
        for folder, error in scan.broken.items():
            self._fail(folder, error)
        if by_content:
            self._compare()
        else:
            self._catalogue.group_by_name()
        for group in self._catalogue.groups():
            self._totals.groups += 1
            self._totals.duplicates += group.files - 1
            self._totals.wasted += group.wasted

    def _compare(self) -> None:
        catalogue, least = self._catalogue, 0 if self._options.empty else 1
        self._look(catalogue.sizeless(), whole=True)
        self._look(catalogue.of_shared_size(least), whole=False)
        self._look(catalogue.of_shared_part(), whole=True)
        for path, times in catalogue.named_twice():
            self._tell(DedupeEvent(Deed.LEAVE, path, why=f"is listed {times} times; which one is meant is not known"))
            self._totals.left += 1
        catalogue.group_by_content()
        self._totals.links = catalogue.links_in_all()

    def _look(self, pages: Iterator[list[Entry]], *, whole: bool) -> None:
        """Look into objects and note what was learned."""
        looker = Looker(self._driver, self._hash, whole=whole)
        workers: Workers[Entry, Look] = Workers(looker, self._options.checkers, near=self._near)
        most = None if whole else WHOLE
        try:
            for looks in workers.run(
                self._batches((entry for page in pages for entry in page), _size_of_entry, most)
            ):
                self._catalogue.learn(look for look in looks if isinstance(look, Print))
                for look in looks:
                    if not isinstance(look, Print):
                        self._cannot_look(*look)
        finally:
            workers.close()

    def _cannot_look(self, entry: Entry, error: StorageError) -> None:
        self._catalogue.forget([entry.id])
        if isinstance(error, NoFile):
            self._totals.left += 1
            self._tell(DedupeEvent(Deed.LEAVE, entry.info.path, why=error.says))
        elif not isinstance(error, FileNotFoundError | NotADirectoryError | Cancelled):
            self._fail(entry.info.path, error, entry.info.size or 0)

    # -- acting --------------------------------------------------------------------------------------------

    def _act(self) -> None:
        options, groups = self._options, self._catalogue.groups()
        if options.mode == "list" or options.by == "name":
            for group in groups:
                self._found(group)
                if options.mode not in ("list", "skip"):
                    self._fail(group.path, Unsupported(_ONE_NAME))
        elif options.mode in _DELETING and self._choose is None:
            for group in self._catalogue.groups():
                self._allow(group, self._proposal)
            self._remove(
                one for group in groups for one in self._doomed_of(self._found(group), self._proposal(group))
            )
        else:
            for group in groups:
                if not self._decide(self._found(group)):
                    self._totals.quit = True
                    return

    def _found(self, group: Group) -> Group:
        self._tell(DedupeEvent(Deed.FOUND, group.path, group.size, group=group))
        return group

    def _proposal(self, group: Group) -> Choice:
        """Return what the mode says about a group."""
        mode = self._options.mode
        if mode == "rename":
            return Choice(Deed.RENAME)
        if mode in _DELETING:
            return Choice(Deed.KEEP, self._catalogue.first(group, mode))
        return Choice(Deed.SKIP)

    def _decide(self, group: Group) -> bool:
        """Do with a group what is chosen; False if that is to end the run."""
        choice = self._proposal(group)
        if self._choose is not None and self._options.mode != "skip":
            choice = self._choose(group, choice)
        match choice.deed:
            case Deed.KEEP:
                # Before it is asked whether so many may be deleted: is there such a number?
                doomed = self._doomed_of(group, choice)
                self._allow(group, lambda group: choice)
                self._remove(doomed)
            case Deed.RENAME:
                self._rename(group)
            case Deed.QUIT:
                return False
            case _:
                self._totals.skipped += 1
                self._tell(DedupeEvent(Deed.SKIP, group.path, group.size, group=group))
        return True

    def _doomed_of(self, group: Group, choice: Choice) -> Iterator[Doomed]:
        """Return the names that go if one object is kept.

        Raises:
            ValueError: The group has no object of this number.
        """
        kept = self._catalogue.nth(group, choice.number)
        pages = self._catalogue.others(group, kept)
        return (Doomed(entry, kept, first) for page in pages for entry, first in page)

    def _allow(self, group: Group, choose: Callable[[Group], Choice]) -> None:
        """Count what a choice deletes; refuse it if that is more than allowed, with all before.

        Raises:
            GuardError: It is.
        """
        options = self._options
        if options.hardlink or (options.max_delete is None and options.max_delete_size is None):
            return
        if group.names == group.files:
            self._doomed += group.files - 1
        else:
            self._doomed += self._catalogue.count_others(group, choose(group).number)
        self._doomed_size += group.wasted
        try:
            refuse_deletes(self._doomed, self._doomed_size, options.max_delete, options.max_delete_size)
        except GuardError as exc:
            if not self._totals.deleted:
                raise
            raise GuardError(f"{exc.message.partition(';')[0]}; what was chosen before is done") from None

    def _remove(self, doomed: Iterator[Doomed]) -> None:
        if self._options.dry_run:
            for one in doomed:
                self._removed(Done(one, True))
            return
        workers: Workers[Doomed, Done] = Workers(self._remover, self._options.checkers, near=self._near)
        try:
            for some in workers.run(self._batches(doomed, _size_of_doomed)):
                for done in some:
                    self._removed(done)
        finally:
            workers.close()

    def _removed(self, done: Done) -> None:
        info, kept = done.doomed.entry.info, done.doomed.kept.info.path
        size = info.size or 0
        if done.error is not None:
            self._fail(info.path, done.error, size)
        elif not done.done:
            self._totals.left += 1
            self._tell(DedupeEvent(Deed.LEAVE, info.path, size, why=done.why))
        else:
            self._totals.freed += size if done.doomed.frees else 0
            if self._options.hardlink:
                self._totals.linked += 1
            else:
                self._totals.deleted += 1
            deed = Deed.LINK if self._options.hardlink else Deed.DELETE
            self._tell(DedupeEvent(deed, info.path, size, other=kept))

    def _rename(self, group: Group) -> None:
        for copy in group:
            path = copy.info.path
            try:
                name = rename_with_number(self._storage, path, copy.number, dry_run=self._options.dry_run)
            except StorageError as exc:
                self._fail(path, exc, group.size)
                continue
            self._totals.renamed += 1
            self._tell(DedupeEvent(Deed.RENAME, path, group.size, other=name))

    def _fail(self, path: str, error: StorageError, size: int = 0) -> None:
        event = DedupeEvent(Deed.FAIL, path, size, error=error)
        self._totals.errors += 1
        if len(self._totals.failures) < _FAILURES:
            self._totals.failures.append(event)
        self._tell(event)

    def _batches(
        self, todo: Iterable[T], size_of: Callable[[T], int], most: int | None = None
    ) -> Iterator[Batch[T, Any]]:
        """Gather what is to be done; ``most`` is how many bytes of one are looked at."""
        count = _NEAR_BATCH if self._near else _FAR_BATCH
        batch: list[T] = []
        size = 0
        for one in todo:
            batch.append(one)
            size += size_of(one) if most is None else min(size_of(one), most)
            if len(batch) == count or size >= _BATCH_BYTES:
                yield Batch(batch, size)
                batch, size = [], 0
        if batch:
            yield Batch(batch, size)

    def _tell(self, event: DedupeEvent) -> None:
        if self._observer is not None:
            self._observer(event)


def _size_of_entry(entry: Entry) -> int:
    return entry.info.size or 0


def _size_of_doomed(doomed: Doomed) -> int:
    # Both are read.
    return 2 * (doomed.entry.info.size or 0)
