"""The lock of a job: at most one run of it at a time, whatever is killed when, and who that is.

The lock is a file, locked by the operating system: on one machine that is the truth, and the kernel lets go when its
owner dies. In the file stands a record of the owner, written anew every few seconds. Where a home folder is shared by
machines and the file system does not pass locks on between them, that heartbeat tells another machine that the
owner lives.

Looking at the record and writing an own one is one step: both are done while holding a *claim*, a file beside the
lock that only one can create. It is held for a few system calls.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec

from omnistorage.core.errors import StorageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BEAT: Final = 5.0
"""Seconds between two heartbeats."""

DEAD: Final = 120.0
"""Seconds without a heartbeat after which another machine holds the owner to be dead."""

_WIDTH: Final = 1024
_CLAIM_STALE: Final = 5.0
_PROBES: Final = 5


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Who works on a job, and how far they are.

    Attributes:
        host: Name of the machine.
        boot: What the kernel calls its present life, or empty if it does not say.
        pid: Number of the process.
        started: Unix time of its begin, in seconds.
        token: Tells this run from all others.
        state: ``running`` (or killed while it was), ``interrupted``, or ``failed`` (ended, not without failures).
        objects: Objects that were done.
        bytes: Bytes that were done.
        uploads: Uploads in parts that can be gone on with.
        saved: Bytes in these.
        failures: Objects that failed.
    """

    host: str
    boot: str
    pid: int
    started: float
    token: str
    state: str = "running"
    objects: int = 0
    bytes: int = 0
    uploads: int = 0
    saved: int = 0
    failures: int = 0


class Seen(msgspec.Struct, frozen=True):
    """What stood in a lock file when somebody looked.

    Attributes:
        record: The record; None if it cannot be read.
        heartbeat: Unix time of the last sign of life, in seconds.
        running: The owner lives.
    """

    record: Record | None
    heartbeat: float
    running: bool


class Locked(StorageError):
    """Another run of the same job is under way; it may be over a little later.

    Attributes:
        host: The machine it runs on, or empty if that is not known.
        pid: Its process, or 0.
        started: Unix time of its begin in seconds, or 0.
        heartbeat: Unix time of its last sign of life in seconds, or 0.
    """

    says = "another run of this job is under way"
    retryable = True

    def __init__(self, message: str = "", *, seen: Seen | None = None, **where: Any) -> None:
        super().__init__(message or (_in_words(seen) if seen is not None else ""), **where)
        record = seen.record if seen is not None else None
        self.host = record.host if record is not None else ""
        self.pid = record.pid if record is not None else 0
        self.started = record.started if record is not None else 0.0
        self.heartbeat = seen.heartbeat if seen is not None else 0.0


class JobLock:
    """The right to work on a job; hold it by ``acquire``, give it back by ``release``.

    Attributes:
        record: What stands in the file now.
        before: What stood there before, if it was left by a run that did not end well.
    """

    @classmethod
    def acquire(cls, path: str) -> JobLock:
        """Take the lock; never waits longer than for another's look at it.

        Raises:
            Locked: A living owner holds it.
            OSError: The file cannot be made or written.
        """
        probes = 0
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | _EXTRA, 0o600)
            try:
                held = _try_lock(fd)
                if held is False:
                    probes += 1
                    if probes >= _PROBES:
                        raise Locked(seen=Seen(_read(fd), os.fstat(fd).st_mtime, True))
                    # It may be somebody who only looks whether it is locked.
                    time.sleep(0.01)
                    continue
                with _claimed(path) as now:
                    if not _is_at(fd, path):
                        # The run before took it away when it ended.
                        continue
                    before, heartbeat = _read(fd), os.fstat(fd).st_mtime
                    if before is not None and _lives(before, now - heartbeat, held):
                        raise Locked(seen=Seen(before, heartbeat, True))
                    lock = cls(path, fd, before, heartbeat)
                    try:
                        lock._write()
                    except OSError:
                        # An empty file would look like a job that was interrupted.
                        if before is None:
                            os.unlink(path)
                        raise
                fd = -1
                return lock
            finally:
                if fd >= 0:
                    os.close(fd)

    def __init__(self, path: str, fd: int, before: Record | None, heartbeat: float) -> None:
        self.before = before
        self.before_seen = heartbeat
        self.record = Record(
            host=host_name(),
            boot=boot_id(),
            pid=os.getpid(),
            started=time.time(),
            token=os.urandom(8).hex(),
            # They are still there, and may be all that is worth going on with.
            uploads=0 if before is None else before.uploads,
            saved=0 if before is None else before.saved,
        )
        self._path = path
        self._fd = fd
        # Of one process: the heartbeat and the end of the run may meet.
        self._busy = threading.Lock()

    def beat(self, **progress: Any) -> bool:
        """Write down a sign of life, and how far the run is; False if another has taken the lock meanwhile.

        That takes a machine that slept, or a network that was away, for longer than ``DEAD``.

        Raises:
            OSError: It cannot be written.
        """
        with self._busy:
            if self._fd < 0 or not self._is_mine():
                return False
            self.record = msgspec.structs.replace(self.record, **progress)
            self._write()
            return True

    def release(self, *, remove: bool, **progress: Any) -> None:
        """Give the lock back, and take the file away if ``remove``, else leave the last progress in it.

        Raises:
            OSError: It cannot be written; the lock is given back all the same.
        """
        with self._busy:
            if self._fd < 0:
                return
            fd = self._fd
            try:
                with _claimed(self._path):
                    if self._is_mine():
                        self.record = msgspec.structs.replace(self.record, **progress)
                        if remove and sys.platform != "win32":
                            os.unlink(self._path)
                        else:
                            self._write()
            finally:
                self._fd = -1
                os.close(fd)
            if remove and sys.platform == "win32":
                # An open file cannot be removed there; if another has opened it by now, it is theirs.
                with suppress(OSError):
                    os.unlink(self._path)

    def restore(self, **progress: Any) -> None:
        """Give the lock back and leave the record as it was found but for ``progress``, for who only had to look.

        Raises:
            OSError: It cannot be written; the lock is given back all the same.
        """
        before = self.before
        if before is None:
            self.release(remove=True)
            return
        state = "interrupted" if before.state == "running" else before.state
        heartbeat = self.before_seen
        with self._busy:
            if self._fd >= 0 and self._is_mine():
                self.record = msgspec.structs.replace(before, **{"state": state, **progress})
                self._write()
                with suppress(OSError):
                    os.utime(self._path, (heartbeat, heartbeat))
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    def _is_mine(self) -> bool:
        found = _read(self._fd)
        # A record that cannot be read is nobody else's.
        return (found is None or found.token == self.record.token) and _is_at(self._fd, self._path)

    def _write(self) -> None:
        data = msgspec.json.encode(self.record).ljust(_WIDTH - 1) + b"\n"
        os.lseek(self._fd, 0, os.SEEK_SET)
        # One page by one call: a reader, or a kill, finds the old record or the new one.
        os.write(self._fd, data)


def look(path: str) -> Seen | None:
    """Say what stands in a lock file and whether its owner lives; None if there is no such file."""
    try:
        fd = os.open(path, os.O_RDWR | _EXTRA)
    except OSError:
        return None
    try:
        record, heartbeat = _read(fd), os.fstat(fd).st_mtime
        held = _try_lock(fd, shared=True)
        if held is False:
            return Seen(record, heartbeat, True)
        return Seen(record, heartbeat, record is not None and _lives(record, time.time() - heartbeat, held))
    finally:
        os.close(fd)


def host_name() -> str:
    """Return the name of this machine."""
    name = os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename
    return name[:255] or "unknown"


def boot_id() -> str:
    """Return what the kernel calls its life since the machine was started; empty if it does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read(64).strip()
    except (OSError, ValueError):
        return ""


def _lives(record: Record, age: float, held: bool | None) -> bool:
    """Say whether the owner named by a record lives, if we have (``held``) or cannot have the system's lock."""
    if record.state != "running" or age >= DEAD:
        return False
    if record.host == host_name() or (record.boot and record.boot == boot_id()):
        # The kernel we share would not have let us in.
        return held is None and _process_lives(record.pid)
    return True


def _process_lives(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # there, asking by a signal would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def _claimed(path: str) -> Iterator[float]:
    """Hold the claim beside a lock file; yields the Unix time that the file system has, in seconds.

    Between machines whose clocks differ, only times of one file server can be compared.
    """
    claim = path + ".claim"
    waited_since, last = time.monotonic(), (0, 0)
    while True:
        try:
            fd = os.open(claim, os.O_RDWR | os.O_CREAT | os.O_EXCL | _EXTRA, 0o600)
            break
        except FileExistsError:
            with suppress(OSError):
                about = os.stat(claim)
                if (about.st_ino, about.st_mtime_ns) != last:
                    last, waited_since = (about.st_ino, about.st_mtime_ns), time.monotonic()
            if time.monotonic() - waited_since > _CLAIM_STALE:
                # Its owner was killed between two system calls.
                with suppress(OSError):
                    os.unlink(claim)
                waited_since = time.monotonic()
            time.sleep(0.005)
    try:
        now = os.fstat(fd).st_mtime
        os.close(fd)
        yield now
    finally:
        with suppress(OSError):
            os.unlink(claim)


def _try_lock(fd: int, *, shared: bool = False) -> bool | None:
    """Take the system's lock: True if it is ours now, False if another has it, None if there are none here."""
    try:
        if sys.platform == "win32":
            # Far behind the record, as what is locked there cannot be read by others.
            os.lseek(fd, 1 << 30, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as exc:
        return False if exc.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK) else None
    return True


def _is_at(fd: int, path: str) -> bool:
    try:
        one, two = os.fstat(fd), os.stat(path)
    except OSError:
        return False
    return (one.st_ino, one.st_dev) == (two.st_ino, two.st_dev)


def _read(fd: int) -> Record | None:
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        return msgspec.json.decode(os.read(fd, _WIDTH), type=Record)
    except (OSError, ValueError):
        return None


def _in_words(seen: Seen) -> str:
    record = seen.record
    if record is None:
        return Locked.says
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.started))
    ago = max(0, round(time.time() - seen.heartbeat))
    return f"{Locked.says}: process {record.pid} on {record.host}, since {since}, last seen {ago} s ago"


_EXTRA: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
