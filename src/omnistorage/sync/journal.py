"""The journal of a run: what an interrupted one had found out and begun, so that the next need not do it again.

A journal belongs to a job: a recipe, a source, a destination and a selection. Two runs of one job exclude each other.

>>> import tempfile
>>> from omnistorage.sync.journal import Fingerprint, JobKey, Journal
>>> folder = tempfile.mkdtemp()
>>> key = JobKey(kind="copy", source=("file", "/a"), dest=("file", "/b"))
>>> here, there = Fingerprint(5, 1, "x"), Fingerprint(5, 2, "y")
>>> with Journal.open(key, folder=folder) as journal:
...     journal.mark_equal("photo.jpg", here, there)    # and then something ends the run before it is done
>>> with Journal.open(key, folder=folder) as journal:
...     journal.known_equal("photo.jpg", here, there)
...     journal.done()
True
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .fingerprint import Fingerprint
from .jobfiles import JobFiles, Order, prune, shown_address, without_secrets
from .joblock import BEAT, JobLock, Locked, Record, boot_id
from .jobmemory import JobMemory
from .uploads import UploadRecord

if TYPE_CHECKING:
    from omnistorage.core.driver import Driver

    from .model import Result
    from .options import Options

__all__ = ["Fingerprint", "JobKey", "Journal", "Locked", "UploadRecord"]

_DELAY: Final = 0.5
"""Seconds that marks may wait for others before they are written."""


class JobKey(msgspec.Struct, frozen=True, kw_only=True):
    """What makes two runs the same job.

    Attributes:
        kind: The recipe: ``sync``, ``copy``, ``move`` …
        source: ``identity()`` of the driver of the source.
        dest: The same of the destination.
        selection: What is looked at, and how it is compared, as a text that is equal if they are.
    """

    kind: str
    source: tuple[str, ...]
    dest: tuple[str, ...]
    selection: str = ""

    @property
    def id(self) -> str:
        """Twelve hex digits."""
        from xxhash import xxh3_128_hexdigest

        text = repr((self.kind, self.source, self.dest, self.selection))
        return xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))[:12]


class Journal(JobMemory):
    """What one run of a job remembers, and its right to run; may be used from many threads.

    Close it: without ``done`` before, also by an exception, the run counts as interrupted.

    Attributes:
        id: Name of the job.
        boot: What the kernel calls its present life, or empty.
        before: What the last run of the job left, if it did not end well; its state is ``running`` if it was killed.
        lasting: Marks of equal content are kept for the next run also if this one is done: where listings tell no
            times, they are what tells that an object need not be read again.
        lost: Another machine has taken the job over, as this one gave no sign of life for two minutes.
    """

    @classmethod
    def open(
        cls,
        key: JobKey,
        *,
        command: list[str] | None = None,
        source: str = "",
        dest: str = "",
        config: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        warn: Callable[[str], object] | None = None,
    ) -> Journal:
        """Take the lock of a job and open its journal.

        Args:
            key: The job.
            command: Words of the command line behind the program's name; secrets in it are not kept.
            source: Address of the source, for people.
            dest: Address of the folder that the destination is, by which ``omnistorage jobs forget`` opens it.
            config: The configuration file that was asked for.
            folder: The folder for state; by default the user's own, see ``config.state_folder``. If there is none, or
                it cannot be written to, the journal is one of this process only, and nothing is locked.
            warn: Called with a line if something is wrong with the state folder; by default it is logged.

        Raises:
            Locked: A living run has it; the message says which.
        """
        warn = _log if warn is None else warn
        if folder is None:
            from omnistorage.config.folders import state_folder

            folder = state_folder()
        if folder is None:
            return cls(key.id, None, None, warn)
        state = os.fspath(folder)
        files = JobFiles(state, key.id)
        try:
            lock = files.acquire()
        except OSError as exc:
            warn(f"the state folder {state} cannot be used, so this run cannot be resumed: {exc.strerror or exc}")
            return cls(key.id, None, None, warn)
        journal = cls(key.id, files, lock, warn)
        order = Order(
            kind=key.kind,
            command=None if command is None else without_secrets(command),
            cwd=_cwd(),
            source=shown_address(source),
            dest=shown_address(dest),
            config=None if config is None else os.path.abspath(config) if config else "",
        )
        try:
            files.write_order(order)
        except OSError as exc:
            warn(f"the state folder {state} cannot be written to: {exc.strerror or exc}")
        prune(state)
        return journal

    @classmethod
    def between(
        cls, kind: str, src: Driver, dst: Driver, options: Options, *, name: str = "", **rest: Any
    ) -> Journal:
        """Open the journal of a run between two storages; see ``open`` for what else can be given.

        Args:
            kind: The recipe: ``sync``, ``copy`` or ``move``.
            src: The source.
            dst: The destination.
            options: How to run; the selection and the comparison are part of the job.
            name: The object, if the run is about a single one.

        Raises:
            Locked: A living run has it; the message says which.
        """
        selection = f"{options.filter.digest()} {options.compare.name} {name}"
        key = JobKey(kind=kind, source=src.identity(), dest=dst.identity(), selection=selection)
        return cls.open(key, **rest)

    def __init__(self, id: str, files: JobFiles | None, lock: JobLock | None, warn: Callable[[str], object]) -> None:
        run, boot = ("", boot_id()) if lock is None else (lock.record.token, lock.record.boot)
        super().__init__(id, files, run, boot, warn)
        self.before: Record | None = None if lock is None else lock.before
        self.lost = False
        self.lasting = files is not None and files.adopt_marks()
        self._can_know = self._on_disk = self._on_disk or self.lasting
        self._held = lock
        self._objects = self._bytes = 0
        self._over = threading.Event()
        if lock is not None:
            threading.Thread(target=self._keep, name="omnistorage-journal", daemon=True).start()

    def tally(self, objects: int, bytes: int) -> None:
        """Say how much of this run is done; it is written down every few seconds, for ``omnistorage jobs``."""
        self._objects, self._bytes = objects, bytes

    def done(self, result: Result | None = None) -> None:
        """Say that the run came to its end.

        If all is done, the journal is deleted. Else it stays: with the paths that failed, with uploads that are left,
        and if a limit ended the run, as one that was interrupted. Marks are kept only for the last, as who compares
        contents once more after a whole run means it; and where they are ``lasting``.
        """
        failures = self._failed
        if result is not None:
            self.tally(result.transferred, result.bytes)
            failures = result.errors
        limited = result is not None and bool(result.limit)
        with self._lock:
            if self._held is None:
                return
            left = bool(self._saved) or bool(self._with_store(lambda store: store.uploads(), None))
            self.flush()
            if not failures and not limited and not left:
                if self.lasting:
                    self._with_store(lambda store: store.finish(marks=True), None)
                self._end(remove=True)
                return
            if not limited:
                self._with_store(lambda store: store.finish(marks=self.lasting), None)
            self._end(state="interrupted" if limited or not failures else "failed", failures=failures)

    def close(self) -> None:
        """Leave the run as interrupted, unless it was done; a second call does nothing.

        A run that did nothing at all leaves things as they were.
        """
        with self._lock:
            if self._held is None:
                return
            self.flush()
            idle = not (self._objects or self._bytes or self._noted)
            if idle and self.before is None:
                self._end(remove=True)
            else:
                self._end(restore=idle, state="interrupted")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _end(self, *, remove: bool = False, restore: bool = False, **progress: Any) -> None:
        lock, self._held = self._held, None
        files, self._files = self._files, None
        progress = self._progress() | progress
        uploads = {name: progress[name] for name in ("uploads", "saved") if name in progress}
        self._usable = self._can_know = False
        self._over.set()
        self._wake.set()
        self._close_store()
        if lock is None or files is None:
            return
        try:
            try:
                if remove and not self.lost:
                    files.remove(keep_marks=self.lasting)
            finally:
                if restore:
                    lock.restore(**uploads)
                else:
                    lock.release(remove=remove, **progress)
        except OSError as exc:
            self._warn(f"the journal of job {self.id} cannot be closed: {exc.strerror or exc}")

    def _keep(self) -> None:
        """Write down what waits, and signs of life, until the end of the run."""
        due = time.monotonic() + BEAT
        while True:
            self._wake.wait(max(0.0, due - time.monotonic()))
            if self._wake.is_set() and not self._over.wait(_DELAY):
                # What comes from now on wakes us again.
                self._wake.clear()
                self.flush()
            elif not self._over.is_set():
                due = time.monotonic() + BEAT
            if self._over.is_set():
                return
            self._beat()

    def _beat(self) -> None:
        # A file server that is away for a moment is no reason to give up.
        with self._lock, suppress(OSError):
            if self._held is not None and not self.lost and not self._held.beat(**self._progress()):
                self.lost = True
                self._give_up("another run has taken it over, or it was removed")

    def _progress(self) -> dict[str, int]:
        progress = {"objects": self._objects, "bytes": self._bytes, "failures": self._failed}
        if self._store is not None or not self._on_disk:
            # Else nobody has looked yet what the run before left, and it counts as it did.
            progress |= {"uploads": len(self._saved), "saved": sum(self._saved.values())}
        return progress


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _log(message: str) -> None:
    import logging

    logging.getLogger("omnistorage").warning(message)
