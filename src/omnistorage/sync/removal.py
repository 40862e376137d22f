"""Removing on one side only: the files that a filter selects, empty directories, or a whole tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotEmpty, NotFound, StorageError
from omnistorage.core.info import DIR, FILE, ObjectInfo
from omnistorage.core.walk import walk

from .model import Action, Outcome, Verb
from .spool import Spool

if TYPE_CHECKING:
    from .scan import Scan

_BATCH: Final = 500
_WORKERS: Final = 8

Failures = list[StorageError | None]
Delete = Callable[[list[str]], Failures]


def delete(driver: Driver, scan: Scan, *, dry_run: bool = False) -> Iterator[Outcome]:
    """Delete the objects of a scan; directories stay.

    Nothing is deleted before the scan has ended, as a service may list otherwise while it changes. What the scan
    could not list stays, see ``scan.broken``.
    """
    chosen: Spool[ObjectInfo] = Spool()
    for infos in scan:
        for info in infos:
            if info.kind is FILE:
                chosen.append(info)
    try:
        yield from _delete_all(driver, chosen, "selected", dry_run)
    finally:
        chosen.close()


def remove_empty_dirs(
    driver: Driver, *, keep_root: bool = False, among: Scan | None = None, dry_run: bool = False
) -> Iterator[Outcome]:
    """Remove directories that hold nothing, or nothing but such; what cannot be listed counts as not empty.

    Args:
        driver: Where they are.
        keep_root: The root stays.
        among: Only directories of this scan are removed, and the root stays; None for all.
        dry_run: Only tell.

    Raises:
        NotFound: There is no root.
    """
    if not driver.features.mkdir:
        # Directories are prefixes only, but what they stand in may be a place of its own.
        if among is None and not keep_root and not any(walk(driver, enter=lambda info: False)):
            yield from _remove_root(driver, "empty", dry_run)
        return
    if among is not None:
        yield from _remove_selected(driver, among, dry_run)
        return
    broken: dict[str, StorageError] = {}
    root = driver.stat("")
    empty: Spool[ObjectInfo] = Spool()
    # Directories that are open, and whether anything is known to stay in each.
    path: list[tuple[ObjectInfo, bool]] = [(root, keep_root)]

    def leave() -> None:
        info, holds = path.pop()
        if holds or info.path in broken:
            if path:
                path[-1] = (path[-1][0], True)
        else:
            empty.append(info)

    for infos in walk(driver, failed=broken.__setitem__):
        for info in infos:
            while not _within(info.path, path[-1][0].path):
                leave()
            if info.kind is DIR:
                path.append((info, False))
            else:
                path[-1] = (path[-1][0], True)
    while path:
        leave()
    for info in empty:
        yield _rmdir(driver, info, "empty", dry_run)
    for folder, error in broken.items():
        yield Outcome(Action(Verb.FAIL, folder, "cannot be listed"), error)
    empty.close()


def _remove_selected(driver: Driver, scan: Scan, dry_run: bool) -> Iterator[Outcome]:
    """Remove the directories of a scan that turn out to be empty, the deepest first."""
    found: Spool[ObjectInfo] = Spool()
    path: list[ObjectInfo] = []
    for infos in scan:
        for info in infos:
            while path and not _within(info.path, path[-1].path):
                found.append(path.pop())
            if info.kind is DIR:
                path.append(info)
    while path:
        found.append(path.pop())
    for info in found:
        outcome = _rmdir(driver, info, "empty", dry_run)
        # What it holds was left out, by a filter or by a limit to the depth.
        if not isinstance(outcome.error, NotEmpty):
            yield outcome
    for folder, error in scan.broken.items():
        yield Outcome(Action(Verb.FAIL, folder, "cannot be listed"), error)
    found.close()


def purge(driver: Driver, *, dry_run: bool = False) -> Iterator[Outcome]:
    """Remove the root with all below it: objects, links (not what they point to) and directories.

    Raises:
        NotFound: There is no root.
    """
    broken: dict[str, StorageError] = {}
    has_dirs = driver.features.mkdir
    root = driver.stat("") if has_dirs else ObjectInfo("", DIR)
    files: Spool[ObjectInfo] = Spool()
    dirs: Spool[ObjectInfo] = Spool()
    open_dirs = [root]
    for infos in walk(driver, failed=broken.__setitem__):
        for info in infos:
            while not _within(info.path, open_dirs[-1].path):
                dirs.append(open_dirs.pop())
            if info.kind is DIR:
                open_dirs.append(info)
            else:
                files.append(info)
    while open_dirs:
        dirs.append(open_dirs.pop())
    is_place = not has_dirs and driver.remove_root(dry_run=True)
    if not has_dirs and not is_place and not files and len(dirs) == 1:
        raise NotFound(scheme=driver.scheme)
    stays = set(broken)
    for outcome in _delete_all(driver, files, "purged", dry_run):
        if outcome.error is not None:
            stays.add(outcome.action.path)
        yield outcome
    for folder, error in broken.items():
        yield Outcome(Action(Verb.FAIL, folder, "cannot be listed"), error)
    # A directory that must stay has been explained by what stays in it.
    held = {parent for path in stays for parent in (*_above(path), *((path,) if path in broken else ()))}
    for info in dirs if has_dirs else ():
        if info.path not in held:
            yield _rmdir(driver, info, "purged", dry_run)
    if is_place and not stays:
        yield from _remove_root(driver, "purged", dry_run)
    files.close()
    dirs.close()


def _delete_all(driver: Driver, infos: Iterable[ObjectInfo], reason: str, dry_run: bool) -> Iterator[Outcome]:
    with _deleting(driver) as delete_them:
        for batch in _batches(infos):
            errors: Failures = [None] * len(batch) if dry_run else delete_them([info.path for info in batch])
            for info, error in zip(batch, errors, strict=True):
                # Somebody else was faster: it is gone, and that is what was wanted.
                gone = isinstance(error, NotFound)
                yield Outcome(Action(Verb.DELETE, info.path, reason, dst=info), None if gone else error)


@contextmanager
def _deleting(driver: Driver) -> Iterator[Delete]:
    """Choose how to delete many: by one request, side by side, or one by one where waiting costs nothing."""
    if driver.features.delete_many:
        yield driver.delete_many
        return

    def one(path: str) -> StorageError | None:
        try:
            driver.delete(path)
        except StorageError as exc:
            return exc
        return None

    if driver.features.local or driver.scheme == "memory":
        yield lambda paths: [one(path) for path in paths]
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_WORKERS) as pool:
        yield lambda paths: list(pool.map(one, paths))


def _batches(infos: Iterable[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    batch: list[ObjectInfo] = []
    for info in infos:
        batch.append(info)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _rmdir(driver: Driver, info: ObjectInfo, reason: str, dry_run: bool) -> Outcome:
    action = Action(Verb.RMDIR, info.path, reason, dst=info)
    if not dry_run:
        try:
            driver.rmdir(info.path)
        except NotFound:
            return Outcome(action)
        except StorageError as exc:
            return Outcome(action, exc)
    return Outcome(action)


def _remove_root(driver: Driver, reason: str, dry_run: bool) -> Iterator[Outcome]:
    """Remove what the root stands for at the service, such as a bucket, if it is one."""
    action = Action(Verb.RMDIR, "", reason, dst=ObjectInfo("", DIR))
    try:
        if driver.remove_root(dry_run=dry_run):
            yield Outcome(action)
    except NotFound:
        return
    except StorageError as exc:
        yield Outcome(action, exc)


def _within(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")


def _above(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path
