"""What a run of a job remembers: gathered here, written to disk in batches, and read back by the next run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from omnistorage.core.errors import printable
from omnistorage.core.redact import redacted_text

from .fingerprint import Fingerprint, is_lasting, seal
from .jobfiles import JobFiles, decode, encode
from .uploads import UploadRecord

if TYPE_CHECKING:
    from .jobstore import JobStore

T = TypeVar("T")

_BATCH: Final = 1000


class JobMemory:
    """Marks of equal content, uploads in parts and failures of one job; may be used from many threads.

    It is a help, never a hindrance: if the disk fails or a file is damaged, it says so once, knows nothing, and the
    run goes on. No database is made before there is something to remember.

    Args:
        id: Name of the job, for messages.
        files: Its files; None if there are none.
        run: Name of the present run.
        boot: What the kernel calls its present life, or empty.
        warn: Called with a line if something is wrong.
    """

    def __init__(self, id: str, files: JobFiles | None, run: str, boot: str, warn: Callable[[str], object]) -> None:
        self.id = id
        self.boot = boot
        self._files = files
        self._run = run
        self._warn = warn
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._store: JobStore | None = None
        self._usable = files is not None
        self._on_disk = files is not None and files.has_store()
        self._can_know = self._on_disk
        self._marks: dict[bytes, bytes] = {}
        self._failures: list[tuple[bytes, str]] = []
        self._failed = 0
        self._noted = False
        self._uploads: dict[str, UploadRecord] = {}
        self._saved: dict[str, int] = {}
        self._unsaved: dict[str, int] = {}

    # -- equal contents ------------------------------------------------------------------------------------

    def mark_equal(self, path: str, src: Fingerprint, dst: Fingerprint) -> None:
        """Remember that these two versions were read and hold the same bytes.

        Does nothing where a later version could look like one of them. What came in the last second may be lost if
        the process is killed.
        """
        if not self._usable or not is_lasting(src, dst):
            return
        with self._lock:
            first = not self._marks
            self._marks[_raw(path)] = seal(src, dst)
            self._can_know = self._noted = True
            if len(self._marks) >= _BATCH:
                self.flush()
            elif first:
                self._wake.set()

    def known_equal(self, path: str, src: Fingerprint, dst: Fingerprint) -> bool:
        """Say whether ``mark_equal`` was called for just these, by this run or an interrupted one before."""
        if not self._can_know or not src.tells or not dst.tells:
            return False
        raw, wanted = _raw(path), seal(src, dst)
        with self._lock:
            found = self._marks.get(raw)
            if found is None:
                found = self._with_store(lambda store: store.seal_of(raw), None)
        return found == wanted

    # -- uploads in parts ----------------------------------------------------------------------------------

    def note_upload(self, path: str, record: UploadRecord) -> None:
        """Remember how to go on with the upload of a path; a kill after this loses nothing."""
        record = msgspec.structs.replace(record, boot=self.boot)
        with self._lock:
            self._noted = True
            self._uploads[path] = record
            self._saved[path] = record.saved
            self._with_store(
                lambda store: store.put_upload(_raw(path), encode(record), record.saved), None, make=True
            )
            self._wake.set()

    def note_saved(self, path: str, saved: int) -> None:
        """Remember, in the next second, how many bytes of an upload are stored; for people who ask how far it is."""
        with self._lock:
            if path in self._saved:
                self._saved[path] = self._unsaved[path] = saved
                self._wake.set()

    def upload_of(self, path: str) -> UploadRecord | None:
        """Return how to go on with the upload of a path; None if none was begun."""
        with self._lock:
            if path in self._uploads:
                return msgspec.structs.replace(self._uploads[path], saved=self._saved[path])
            row = self._with_store(lambda store: store.upload(_raw(path)), None)
            return None if row is None else _upload(*row)

    def uploads(self) -> dict[str, UploadRecord]:
        """Return all uploads that were begun and neither finished nor aborted, by path; there are few."""
        with self._lock:
            rows = self._with_store(lambda store: store.uploads(), None) or []
            stored = {_text(raw): _upload(data, saved) for raw, data, saved in rows}
            found = {path: record for path, record in stored.items() if record is not None}
            for path, record in self._uploads.items():
                found[path] = msgspec.structs.replace(record, saved=self._saved[path])
        return found

    def forget_upload(self, path: str) -> None:
        """Forget an upload, as it was finished or aborted."""
        with self._lock:
            for held in (self._uploads, self._saved, self._unsaved):
                held.pop(path, None)
            self._with_store(lambda store: store.drop_upload(_raw(path)), None)

    # -- failures ------------------------------------------------------------------------------------------

    def note_failure(self, path: str, message: str) -> None:
        """Remember that a path failed in this run, and why."""
        with self._lock:
            self._failed += 1
            self._noted = True
            if self._usable:
                self._failures.append((_raw(path), printable(redacted_text(message))))
                if len(self._failures) >= _BATCH:
                    self.flush()
                self._wake.set()

    def failed_before(self) -> Iterator[tuple[str, str]]:
        """Yield the paths that failed in runs before this one, in path order, and why.

        It ends when this run does.
        """
        after = b""
        while rows := self._failures_from(after):
            for raw, message in rows:
                yield _text(raw), message
            # The least text that comes behind it.
            after = rows[-1][0] + b"\0"

    def _failures_from(self, after: bytes) -> list[tuple[bytes, str]] | None:
        return self._with_store(lambda store: store.failures(after), None)

    def flush(self) -> None:
        """Write down what waits to be."""
        with self._lock:
            marks, self._marks = self._marks, {}
            failures, self._failures = self._failures, []
            unsaved, self._unsaved = self._unsaved, {}
            if marks:
                self._with_store(lambda store: store.add_marks(marks.items()), None, make=True)
            if failures:
                self._with_store(lambda store: store.add_failures(failures), None, make=True)
            if unsaved:
                sizes = [(saved, _raw(path)) for path, saved in unsaved.items()]
                self._with_store(lambda store: store.set_saved(sizes), None)

    # -- the disk ------------------------------------------------------------------------------------------

    def _with_store(self, work: Callable[[JobStore], T], default: T, *, make: bool = False) -> T:
        """Do something with what is on the disk; ``default`` if there is nothing, or if it fails."""
        with self._lock:
            store = self._store
            if store is None:
                store = self._opened(make=make)
                if store is None:
                    return default
            try:
                return work(store)
            except Exception as exc:
                import sqlite3

                from .jobstore import is_damage

                if not isinstance(exc, sqlite3.Error):
                    raise
                self._close_store()
                if is_damage(exc):
                    self._set_aside(f"it is damaged: {exc}")
                    self._opened(make=bool(self._uploads))
                else:
                    self._give_up(str(exc))
                return default

    def _opened(self, *, make: bool) -> JobStore | None:
        """Open what is on the disk, or make it; None if there is nothing, or it cannot be used."""
        if self._files is None or not self._usable or not (make or self._on_disk):
            return None
        try:
            import sqlite3

            from .jobstore import JobStore, Unusable, is_damage
        except ImportError as exc:
            self._give_up(str(exc))
            return None
        for again in (True, False):
            try:
                return self._adopted(JobStore(self._files.store, self._run, self.boot))
            except (sqlite3.Error, OSError, Unusable) as exc:
                self._close_store()
                bad = isinstance(exc, Unusable) or (isinstance(exc, sqlite3.Error) and is_damage(exc))
                if not bad or not again:
                    self._give_up(str(exc))
                    break
                self._set_aside(str(exc))
            if not make or not self._usable:
                break
        return None

    def _adopted(self, store: JobStore) -> JobStore:
        self._store, self._on_disk = store, True
        for raw, _, saved in store.uploads():
            self._saved.setdefault(_text(raw), saved)
        for path, record in self._uploads.items():
            store.put_upload(_raw(path), encode(record), self._saved[path])
        # Asked for without the lock: once it has become true by this run, it stays.
        self._can_know = store.has_marks or self._noted
        return store

    def _set_aside(self, reason: str) -> None:
        """Give a file that is no good another name, and begin anew."""
        assert self._files is not None
        try:
            aside = self._files.set_store_aside()
        except OSError as exc:
            self._give_up(f"{reason}, and cannot be renamed: {exc.strerror or exc}")
            return
        self._on_disk = False
        self._can_know = self._noted
        self._warn(f"the journal of job {self.id} is set aside, as {reason}; it is {aside} now")

    def _give_up(self, reason: str) -> None:
        """Know nothing from now on."""
        self._close_store()
        self._usable = self._can_know = False
        self._marks.clear()
        self._failures.clear()
        self._warn(f"the journal of job {self.id} cannot be kept, so this run cannot be resumed: {reason}")

    def _close_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _upload(data: bytes, saved: int) -> UploadRecord | None:
    try:
        return msgspec.structs.replace(decode(data, UploadRecord), saved=saved)
    except ValueError:
        return None
