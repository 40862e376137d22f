"""Which files a job has below the state folder, and the order that it was given.

``jobs/ID.lock`` is its lock with owner and progress, ``ID.json`` the order, ``ID.db`` what it remembers. Of a job
that is done, ``ID.known`` may stay: what was found to be equal, where listings tell no times.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from omnistorage.core.errors import ConfigError, printable
from omnistorage.core.redact import HIDDEN, looks_secret, redacted_text

from .joblock import JobLock, Locked

T = TypeVar("T")

KEPT: Final = 30 * 86400.0
"""Seconds after which what nobody came back to is removed."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a job was told to do, without secrets.

    Attributes:
        kind: The recipe: ``sync``, ``copy``, ``move`` …
        command: Words of the command line behind the program's name; None if there was none.
        cwd: The folder that relative paths in it begin at, or empty.
        source: Address of the source, or empty if it is not known.
        dest: Address of the folder that the destination is, or empty.
        config: File with the configuration, or None for the user's own.
    """

    kind: str
    command: list[str] | None = None
    cwd: str = ""
    source: str = ""
    dest: str = ""
    config: str | None = None

    @property
    def is_whole(self) -> bool:
        """True if nothing was left out of the command, so that it can be given again."""
        return self.command is not None and not any(HIDDEN in word for word in self.command)

    def __str__(self) -> str:
        if self.command is None:
            return f"{self.kind} {self.source} {self.dest}".rstrip()
        from shlex import join

        return join(self.command)


class JobFiles:
    """The files of one job.

    Attributes:
        folder: The folder of all jobs.
        lock: Path of the lock.
        order: Path of the order.
        store: Path of what it remembers.
        marks: Path of that between two runs, where nothing is left but what is known to be equal.
    """

    def __init__(self, state: str, id: str) -> None:
        self.folder = jobs_folder(state)
        self.lock = os.path.join(self.folder, f"{id}.lock")
        self.order = os.path.join(self.folder, f"{id}.json")
        self.store = os.path.join(self.folder, f"{id}.db")
        self.marks = os.path.join(self.folder, f"{id}.known")

    def acquire(self) -> JobLock:
        """Take the lock of the job, making the folder, which only its owner may read.

        Raises:
            Locked: A living owner holds it.
            OSError: The folder or the file cannot be made.
        """
        try:
            return JobLock.acquire(self.lock)
        except FileNotFoundError:
            # Python gives the mode to the last folder only.
            os.makedirs(os.path.dirname(self.folder), mode=0o700, exist_ok=True)
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            return JobLock.acquire(self.lock)

    def write_order(self, order: Order) -> None:
        """Write the order down, whole or not at all, unless it is there; only for who holds the lock.

        Raises:
            OSError: It cannot be written.
        """
        data = encode(order)
        with suppress(OSError), open(self.order, "rb") as file:
            if file.read() == data:
                return
        temp = self.order + ".part"
        with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        os.replace(temp, self.order)

    def read_order(self) -> Order | None:
        """Return the order; None if there is none that can be read."""
        try:
            with open(self.order, "rb") as file:
                return decode(file.read(), Order)
        except (OSError, ValueError):
            return None

    def has_store(self) -> bool:
        """Say whether it remembers anything."""
        return os.path.exists(self.store)

    def adopt_marks(self) -> bool:
        """Say whether marks were kept of a run that was done, and go on with them; only for who holds the lock."""
        if self.has_store() or not os.path.exists(self.marks):
            return False
        try:
            os.replace(self.marks, self.store)
        except OSError:
            return False
        return True

    def remove(self, *, keep_marks: bool = False) -> None:
        """Remove all but the lock (and what is known to be equal, if wanted); only for who holds it.

        Raises:
            OSError: A file cannot be removed.
        """
        with suppress(FileNotFoundError):
            if keep_marks:
                os.replace(self.store, self.marks)
            else:
                os.unlink(self.marks)
        for suffix in DATABASE:
            _unlink(self.store + suffix)
        _unlink(self.order)

    def set_store_aside(self) -> str:
        """Give what it remembers another name (``.corrupt-TIME`` added) and return that.

        Raises:
            OSError: It cannot be renamed.
        """
        aside = f"{self.store}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"
        for suffix in DATABASE:
            with suppress(FileNotFoundError):
                os.replace(self.store + suffix, aside + suffix)
        return aside


DATABASE: Final = ("", "-wal", "-shm", "-journal")
"""What is added to the name of a database for the files that SQLite makes of it.

The file itself comes first: it must never be met without the log that belongs to it, while SQLite throws a log
without its file away.
"""


def jobs_folder(state: str) -> str:
    """Return the folder of all jobs."""
    return os.path.join(state, "jobs")


def job_ids(state: str) -> list[str]:
    """Return the ids of all jobs, sorted; none if there is no such folder.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        names = os.listdir(jobs_folder(state))
    except FileNotFoundError:
        return []
    return sorted(name[:-5] for name in names if name.endswith(".lock"))


def prune(state: str, *, now: float | None = None) -> None:
    """Remove what nobody came back to for ``KEPT`` seconds; does so once a day at most, and raises nothing."""
    now = time.time() if now is None else now
    folder = jobs_folder(state)
    stamp = os.path.join(folder, "pruned")
    try:
        if now - os.stat(stamp).st_mtime < 86400.0:
            return
    except OSError:
        pass
    with suppress(OSError):
        with open(stamp, "w", encoding="ascii"):
            os.utime(stamp, (now, now))
        for entry in list(os.scandir(folder)):
            with suppress(OSError, Locked):
                if now - entry.stat(follow_symlinks=False).st_mtime > KEPT and entry.is_file(follow_symlinks=False):
                    _prune_one(state, entry.name)


def _prune_one(state: str, name: str) -> None:
    id, _, kind = name.partition(".")
    files = JobFiles(state, id)
    if kind == "lock":
        lock = files.acquire()
        files.remove()
        lock.release(remove=True)
    elif not os.path.exists(files.lock) or ".corrupt-" in name:
        _unlink(os.path.join(files.folder, name))


def without_secrets(words: list[str]) -> list[str]:
    """Return the words of a command line as they may be kept: ``***`` stands for each secret."""
    kept: list[str] = []
    hide_next = False
    for word in words:
        kept.append(HIDDEN if hide_next else _without_secrets(word))
        hide_next = word.startswith("--") and "=" not in word and looks_secret(word[2:])
    return kept


def shown_address(text: str) -> str:
    """Return an address as it may be kept, in one form for one place; it can be opened if nothing was secret.

    Paths of this machine become absolute: whoever reads it may stand elsewhere.
    """
    from omnistorage.core.grammar import canonical, parse

    if not text:
        return ""
    try:
        address = parse(text)
    except ConfigError:
        return printable(redacted_text(text))
    if address.scheme == "file" and not address.authority and not address.options:
        with suppress(OSError):
            return os.path.abspath(address.path)
    return canonical(address)


def _without_secrets(word: str) -> str:
    from omnistorage.core.grammar import canonical, parse

    try:
        address = parse(word)
    except ConfigError:
        return redacted_text(word)
    if not address.options and not address.authority:
        return redacted_text(word)
    # Taking it apart shows the names of all its options, however they are written, and which values are references.
    shown = canonical(address)
    return shown if HIDDEN in shown else word


def encode(value: object) -> bytes:
    """Return a value as JSON; names that are no valid UTF-8 are kept as they are."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        import json

        return json.dumps(msgspec.to_builtins(value)).encode()


def decode(data: bytes, kind: type[T]) -> T:
    """Return what ``encode`` made JSON of.

    Raises:
        ValueError: It is not that.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeError):
        import json

        return msgspec.convert(json.loads(data), kind)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
