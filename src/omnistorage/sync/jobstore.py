"""What a job remembers on disk: one SQLite file, which a kill at any moment leaves whole.

It is written through a write-ahead log by one connection that keeps the file to itself (the lock of the job sees to
that): a commit is 10 µs instead of a millisecond, a lookup 4 µs, and no memory is shared, which network file
systems cannot do. Without power, the last commits may be lost, but none is half there.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

_APPLICATION: Final = 0x6F6D6A6C
_VERSION: Final = 1
_KEPT: Final = 7 * 86400.0
"""Seconds for which marks of equal content are believed: who asks for a comparison a month later means it."""

_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE marks (path BLOB PRIMARY KEY, seal BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE uploads (path BLOB PRIMARY KEY, record BLOB NOT NULL, saved INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE failures (path BLOB PRIMARY KEY, run TEXT NOT NULL, message TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""


class Unusable(Exception):
    """The file is damaged, of another program, or of a later version; the message says which."""


class JobStore:
    """Marks, uploads and failures of one job; for one thread at a time, whichever it is.

    Everything raises ``sqlite3.Error`` if the disk does not do its part, and ``Unusable`` if the file is no good.

    Args:
        path: The file; made if missing.
        run: Name of the present run.
        boot: What the kernel calls its present life. Marks of another are dropped: after a loss of power, files may
            hold other bytes than those that were compared.
    """

    def __init__(self, path: str, run: str, boot: str) -> None:
        self._run = run
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
        self._db = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(boot)
        except BaseException as exc:
            self._db.close()
            if isinstance(exc, sqlite3.Error) and is_damage(exc):
                raise Unusable(f"it is damaged: {exc}") from exc
            raise

    def _prepare(self, boot: str) -> None:
        db = self._db
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "cache_size = -2000",
        ):
            db.execute(f"PRAGMA {pragma}")
        application, version = self._number("application_id"), self._number("user_version")
        if (application, version) == (0, 0) and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            db.executescript(_SCHEMA)
        elif application != _APPLICATION:
            raise Unusable("it is of another program")
        elif version != _VERSION:
            raise Unusable(f"it has version {version}, and this program knows version {_VERSION}")
        facts = dict(db.execute("SELECT name, value FROM facts"))
        stale = time.time() - float(facts.get("marked", time.time())) > _KEPT
        if stale or facts.get("boot") != boot:
            with self._transaction():
                db.execute("DELETE FROM marks")
                self._state("boot", boot)
        self.has_marks = db.execute("SELECT 1 FROM marks LIMIT 1").fetchone() is not None

    # -- equal contents ------------------------------------------------------------------------------------

    def add_marks(self, seals: Iterable[tuple[bytes, bytes]]) -> None:
        """Write down path and seal of several pairs, all or none."""
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?)", seals)
            self._state("marked", time.time())
            self.has_marks = True

    def seal_of(self, path: bytes) -> bytes | None:
        """Return the seal that was written down for a path."""
        row = self._db.execute("SELECT seal FROM marks WHERE path = ?", (path,)).fetchone()
        return None if row is None else row[0]

    # -- uploads -------------------------------------------------------------------------------------------

    def put_upload(self, path: bytes, record: bytes, saved: int) -> None:
        """Write down how to go on with an upload; durable when this returns."""
        self._db.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)", (path, record, saved))

    def set_saved(self, sizes: Iterable[tuple[int, bytes]]) -> None:
        """Write down how many bytes of uploads are stored."""
        with self._transaction():
            self._db.executemany("UPDATE uploads SET saved = ? WHERE path = ?", sizes)

    def upload(self, path: bytes) -> tuple[bytes, int] | None:
        """Return record and number of bytes of an upload."""
        row = self._db.execute("SELECT record, saved FROM uploads WHERE path = ?", (path,)).fetchone()
        return None if row is None else (row[0], row[1])

    def uploads(self) -> list[tuple[bytes, bytes, int]]:
        """Return path, record and number of bytes of all uploads; there are few."""
        return self._db.execute("SELECT path, record, saved FROM uploads ORDER BY path").fetchall()

    def drop_upload(self, path: bytes) -> None:
        """Forget an upload; durable when this returns."""
        self._db.execute("DELETE FROM uploads WHERE path = ?", (path,))

    # -- failures ------------------------------------------------------------------------------------------

    def add_failures(self, failures: Iterable[tuple[bytes, str]]) -> None:
        """Write down paths that failed in this run, and why."""
        with self._transaction():
            rows = ((path, self._run, message) for path, message in failures)
            self._db.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", rows)

    def failures(self, after: bytes) -> list[tuple[bytes, str]]:
        """Return the next thousand paths from ``after`` on that failed in runs before this one, and why."""
        sql = "SELECT path, message FROM failures WHERE run != ? AND path >= ? ORDER BY path LIMIT 1000"
        return self._db.execute(sql, (self._run, after)).fetchall()

    def finish(self, *, marks: bool = False) -> None:
        """Keep of this run what failed in it (and its ``marks``), and of those before nothing but uploads."""
        with self._transaction():
            if not marks:
                self._db.execute("DELETE FROM marks")
                self.has_marks = False
            self._db.execute("DELETE FROM failures WHERE run != ?", (self._run,))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._db.close()

    def _number(self, pragma: str) -> int:
        return int(self._db.execute(f"PRAGMA {pragma}").fetchone()[0])

    def _state(self, name: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
                return
            except sqlite3.Error:
                self._roll_back()
                raise
        self._roll_back()

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def is_damage(exc: sqlite3.Error) -> bool:
    """Say whether an error tells of a file that is no good, and not of a disk or a lock that is."""
    code = getattr(exc, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _DAMAGE


_DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_MISMATCH,
    }
)
