"""Doing away with a copy: only when its bytes are proven, at that moment, to be those of the object that stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from omnistorage.core.content import digest, same_streams
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotADirectory, NotFound, SourceChanged, StorageError, Unsupported, printable
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.localnames import TEMP

from .duplicates import Entry
from .fingerprints import file_of, is_local


class Doomed(NamedTuple):
    """A copy that is to go.

    Attributes:
        entry: The copy, as it was listed.
        kept: The object that stays, as it was listed.
        frees: Its bytes become free: it is not just one more name of a file.
    """

    entry: Entry
    kept: Entry
    frees: bool


class Done(NamedTuple):
    """What became of a copy.

    Attributes:
        doomed: The copy.
        done: It is gone, or a link now.
        error: Why it was left where it is; None also where there is nothing to be said.
        why: Why it was left without anything being wrong.
    """

    doomed: Doomed
    done: bool
    error: StorageError | None = None
    why: str = ""


class Remover:
    """Deletes copies, batch by batch, from any thread; or makes each a hard link to what stays.

    Args:
        driver: The storage.
        name: The hash by which they were found equal.
        link: Replace a copy by a hard link, for files of this machine.

    Raises:
        Unsupported: ``link``, and the storage cannot.
    """

    def __init__(self, driver: Driver, name: str, *, link: bool = False) -> None:
        if link and driver.local_root is None:
            raise Unsupported("hard links can be made only in a plain folder of this machine", scheme=driver.scheme)
        self._driver = driver
        self._name = name
        self._link = link
        self._prove = self._prove_files if is_local(driver) else self._prove_objects
        self._stopped = False

    def batch(self, doomed: list[Doomed], /) -> list[Done]:
        """Return what became of each."""
        known: dict[str, str] = {}
        return [self._remove(one, known) for one in doomed if not self._stopped]

    def cancel(self) -> None:
        """End soon."""
        self._stopped = True

    def _remove(self, doomed: Doomed, known: dict[str, str]) -> Done:
        info, kept = doomed.entry.info, doomed.kept.info
        try:
            if info.path == kept.path:
                raise SourceChanged("would be deleted for itself", path=info.path)
            if (why := self._prove(doomed, known)) is not None:
                return Done(doomed, False, why=why)
            if self._link:
                self._replace(kept.path, info.path)
            else:
                self._driver.delete(info.path)
        except (NotFound, NotADirectory):
            # Somebody else was faster; what is about the object that stays is another error, see _staying.
            return Done(doomed, False, why="is not there any more")
        except StorageError as exc:
            return Done(doomed, False, exc)
        return Done(doomed, True)

    def _prove_files(self, doomed: Doomed, known: dict[str, str]) -> str | None:
        """Compare two files byte by byte; return why the copy is none, if nothing is wrong about that.

        Raises:
            SourceChanged: They are not equal any more.
            StorageError: One of them cannot be read.
        """
        info, kept = doomed.entry.info, doomed.kept.info
        with _staying(kept):
            one = self._driver.get(kept.path)
        with one, self._driver.get(info.path) as two:
            stays, goes = file_of(one), file_of(two)
            if stays is None or goes is None:
                return "is not known to be a file of its own"
            if (stays.st_dev, stays.st_ino) == (goes.st_dev, goes.st_ino):
                return f"is the same file as {printable(kept.path)!r}"
            if not same_streams(one, two):
                raise SourceChanged(f"differs from {printable(kept.path)!r} now", path=info.path)
        # Both names must still mean what was compared, and nobody may have written to it.
        with _staying(kept):
            self._check_file(kept, stays)
        self._check_file(info, goes)
        return None

    def _prove_objects(self, doomed: Doomed, known: dict[str, str]) -> None:
        """See whether two objects of a service still are what was compared; where that is not sure, compare again.

        Raises:
            SourceChanged: They are not equal any more.
            StorageError: One of them cannot be asked for.
        """
        info, kept = doomed.entry.info, doomed.kept.info
        whole, name = doomed.entry.whole, self._name
        with _staying(kept):
            there = self._check_object(kept)
        now = self._check_object(info)
        if now.hashes.get(name) == there.hashes.get(name) == whole:
            return
        # The service's own marks tell any change. Size and time do not: its clock may go by seconds.
        if _marked(info, now) and _marked(kept, there):
            return
        with _staying(kept):
            if kept.path not in known:
                known[kept.path] = digest(self._driver, kept.path, name)
            if known[kept.path] != whole:
                raise SourceChanged(_CHANGED, path=kept.path)
        if digest(self._driver, info.path, name) != whole:
            raise SourceChanged(_CHANGED, path=info.path)
        with _staying(kept):
            self._check_object(kept)
        self._check_object(info)

    def _check_file(self, listed: ObjectInfo, opened: os.stat_result) -> None:
        with self._driver.get(listed.path) as stream:
            now = file_of(stream)
        if (
            now is None
            or (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino)
            or (now.st_size, now.st_mtime_ns) != (listed.size, listed.mtime_ns)
        ):
            raise SourceChanged(_CHANGED, path=listed.path)

    def _check_object(self, listed: ObjectInfo) -> ObjectInfo:
        now = self._driver.stat(listed.path)
        if not _as_listed(listed, now):
            raise SourceChanged(_CHANGED, path=listed.path)
        return now

    def _replace(self, kept: str, path: str) -> None:
        """Give the file of ``kept`` the name ``path``, too; who opens ``path`` gets one file or the other."""
        root = self._driver.local_root
        assert root is not None
        target = os.path.join(root, path)
        temp = os.path.join(os.path.dirname(target), f"{TEMP}{os.urandom(8).hex()}.tmp")
        try:
            os.link(os.path.join(root, kept), temp, follow_symlinks=False)
            try:
                os.rename(temp, target)
            except BaseException:
                os.unlink(temp)
                raise
        except OSError as exc:
            raise StorageError(exc.strerror or str(exc), op="link", path=path, scheme=self._driver.scheme) from exc


@contextmanager
def _staying(kept: ObjectInfo) -> Iterator[None]:
    """Let what goes wrong with the object that is to stay be told from the same about its copy.

    Raises:
        SourceChanged: It is gone, cannot be read, or was changed.
    """
    try:
        yield
    except StorageError as exc:
        what = exc.what
        raise SourceChanged(f"left, as {printable(kept.path)!r} was to stay: {what}") from exc


def _as_listed(listed: ObjectInfo, now: ObjectInfo) -> bool:
    if now.kind is not FILE:
        return False
    pairs = (
        (listed.size, now.size),
        (listed.mtime_ns, now.mtime_ns),
        (listed.etag, now.etag),
        (listed.version, now.version),
    )
    return all(one == two for one, two in pairs if one is not None and two is not None)


def _marked(listed: ObjectInfo, now: ObjectInfo) -> bool:
    """Say whether the service itself vouches that an object is the one that was listed."""
    return (listed.etag is not None and listed.etag == now.etag) or (
        listed.version is not None and listed.version == now.version
    )


_CHANGED: Final = "was changed since it was found"
