"""Large local files in parts: written at their place in one hidden file, which gets its name at the end.

Beside the hidden file stands its record: what bytes it is to hold, the size of parts, and a line for each part that
is complete. By it another process can go on after a crash, or help. The token is what the two names have in common;
it is bound to the name of the target. Both files are locked as long as somebody works on them, so that no sweep takes
them away:

* An upload with an ``origin`` has a token that follows from the name of the target, so that the next run finds it,
  and replaces it if its origin is another one. It belongs to one process, and its locks are exclusive: whoever else
  comes meanwhile gets an upload under a random token, and nothing is mixed. So does everybody on a file system that
  has no locks.
* An upload without one has a random token, and whoever is given that may help: its locks are shared.

A part that was not forced to the disk counts only until the machine starts anew: after a loss of power the file may
have holes where the record says that there are bytes.
"""

from __future__ import annotations

import os
import stat as st
import threading
from collections.abc import Mapping
from typing import Final

from omnistorage.core.errors import IsADirectory, NotFound, Truncated
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.localnames import TEMP
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, Upload, Window, copy_stream

from ._localmeta import finish, folder_mode, mode_before
from ._localrange import copy_range, write_at
from ._localstream import LocalStream
from ._localtemp import (
    BINARY,
    CLOEXEC,
    NOFOLLOW,
    PARTS,
    PRIVATE_FILE,
    RECORD,
    Fsync,
    lock,
    make_folders,
    mark,
    publish,
    unlink_quietly,
)

_PART: Final = 3 << 20
"""Bytes. Of an object that comes from a service, four parts are under way side by side, and lost by a kill: together
less than two of those that uploads to services are made of."""

_MOST: Final = 2048
"""Parts of a file whose size is known: what a kill costs grows with their size, what the record costs with their
number."""

_LINES: Final = 1 << 24
_OPEN: Final = os.O_RDWR | CLOEXEC | NOFOLLOW | BINARY
_ATTEMPTS: Final = 3

_BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"

Files = tuple[int, int]
"""Descriptors of the hidden file and of its record."""


def begin(
    place: str, path: str, options: PutOptions, fsync: Fsync, size: int | None, *, special: bool = False
) -> LocalUpload:
    """Begin an upload to the file ``place``, whose key is ``path``; or go on with one of the same origin."""
    folder, _, name = place.rpartition("/")
    make_folders(folder, fsync, folder_mode(options))
    if os.path.isdir(place):
        raise IsADirectory
    if options.origin is not None:
        token = mark(name) + _digest(name)[:16]
        files = _claim(_stem(place, token), mode_before(options))
        if files is not None:
            upload = LocalUpload(place, path, token, options, fsync, files, special=special)
            if not upload.read_header():
                upload.start(size)
            return upload
    token = mark(name) + os.urandom(8).hex()
    mode = mode_before(options)
    files = _open(_stem(place, token), os.O_CREAT | os.O_EXCL, mode, shared=options.origin is None)
    upload = LocalUpload(place, path, token, options, fsync, files, special=special)
    upload.start(size)
    return upload


def resume(
    place: str, path: str, token: str, options: PutOptions, fsync: Fsync, *, special: bool = False
) -> LocalUpload:
    """Go on with the upload ``token``.

    Raises:
        NotFound: It was finished, aborted or swept, is one to another target or of another origin; or an origin is
            given, and another process works on it.
    """
    name = place.rpartition("/")[2]
    # It becomes part of a file name: nothing but our own form may pass.
    if len(token) != 24 or not set(token) <= set("0123456789abcdef") or token[:8] != mark(name):
        raise NotFound("there is no such upload", path=path)
    try:
        files = _open(_stem(place, token), 0, mode_before(options), shared=options.origin is None)
    except FileNotFoundError:
        raise NotFound("there is no such upload", path=path) from None
    upload = LocalUpload(place, path, token, options, fsync, files, special=special)
    if not upload.read_header():
        upload.leave()
        raise NotFound("there is no such upload", path=path)
    return upload


class LocalUpload(Upload):
    """Parts of one local file."""

    part_size = _PART

    def __init__(
        self, place: str, path: str, token: str, options: PutOptions, fsync: Fsync, files: Files, *, special: bool
    ) -> None:
        self.token = token
        self._place = place
        self._path = path
        self._options = options
        self._special = special
        self._fsync: Fsync = fsync
        stem = _stem(place, token)
        self._temp, self._record = stem + PARTS, stem + RECORD
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}
        self._read = 0
        self._boot = _boot()
        # Where starts of the machine cannot be told apart, no part counts that could be lost by one.
        self._durable = fsync != "never" or not self._boot
        self._fd, self._log = files

    def start(self, size: int | None) -> None:
        """Begin the record, and throw away what may stand in the two files."""
        # The record first: no line of it may ever be about other bytes than those in the file.
        os.ftruncate(self._log, 0)
        if self._durable:
            os.fsync(self._log)
        # Only if need be: ext4 makes whoever closes a file that was emptied wait until it is on its way to the disk.
        if os.fstat(self._fd).st_size:
            os.ftruncate(self._fd, 0)
        self.part_size = _PART
        if size is not None and size > _PART * _MOST:
            self.part_size = -(-size // _MOST >> 20) << 20
        origin = "-" if self._options.origin is None else _digest(self._options.origin)
        os.write(self._log, f"parts of {self.part_size} of {origin}\n".encode())

    def read_header(self) -> bool:
        """Take over the size of parts and the parts that are there.

        Returns False if there is nothing to go on with: the maker of the record was killed before it was begun, or it
        is about other bytes than ours.
        """
        header, newline, _ = os.pread(self._log, 200, 0).partition(b"\n")
        words = header.split(b" ")
        if not newline or len(words) != 5 or not words[2].isdigit():
            return False
        if self._options.origin is not None and words[4].decode("ascii") != _digest(self._options.origin):
            return False
        self.part_size = int(words[2])
        size = os.fstat(self._log).st_size
        if os.pread(self._log, 1, size - 1) != b"\n":
            # The last line was being written when its process died. It is closed so that no number comes of it.
            os.write(self._log, b" torn\n")
        self._read_record()
        return True

    @property
    def done(self) -> Mapping[int, int]:
        with self._lock:
            if self._fd >= 0:
                self._read_record()
            return dict(self._done)

    def put_part(self, number: int, body: Body) -> None:
        if number < 1:
            raise ValueError(f"parts are numbered from 1, not {number}")
        with self._lock:
            self._check_open()
            if number in self._done:
                # From now on it is neither the old part nor the new one.
                self._note(number, -1)
        size = self._fill(body, (number - 1) * self.part_size)
        if self._durable:
            os.fsync(self._fd)
        with self._lock:
            self._check_open()
            self._note(number, size)

    def stored(self) -> ByteStream:
        with self._lock:
            self._check_open()
            self._settle()
            stream = LocalStream(os.dup(self._fd), self._path, os.fstat(self._fd))
        stream.seek(0)
        return stream

    def stored_part(self, number: int) -> ByteStream:
        with self._lock:
            self._check_open()
            length = self._done[number]
            stream = LocalStream(os.dup(self._fd), self._path, os.fstat(self._fd))
        stream.seek((number - 1) * self.part_size)
        return Window(stream, length)

    def finish(self) -> ObjectInfo:
        with self._lock:
            self._check_open()
            size = self._settle()
            options = self._options
            mtime_ns, held = finish(self._fd, options, special=self._special)
            publish(self._fd, self._temp, self._place, if_absent=options.if_absent, fsync=self._fsync)
            self._close()
        return ObjectInfo(self._path, FILE, size, mtime_ns, metadata=held)

    def abort(self) -> None:
        with self._lock:
            if self._fd >= 0:
                # By name: if another process finished it, there is nothing of that name any more.
                unlink_quietly(self._temp)
                self._close()

    def leave(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                os.close(self._log)
                self._fd = self._log = -1

    def __del__(self) -> None:
        # The descriptors go; the files stay, so that the upload can be resumed.
        for fd in (getattr(self, "_fd", -1), getattr(self, "_log", -1)):
            if fd >= 0:
                os.close(fd)

    def _fill(self, body: Body, position: int) -> int:
        """Write a body to its place in the file; return its size in bytes."""
        end = position + self.part_size
        if body.extent is not None and body.size is not None and body.size <= self.part_size:
            source, start = body.extent
            size = copy_range(source, start, self._fd, position, body.size, body.progress, body.ration)
            body.check()
            if size != body.size:
                raise Truncated(f"{body.size} bytes were announced, {size} came", path=self._path)
            return size

        def write(data: memoryview) -> None:
            nonlocal position
            if position + len(data) > end:
                raise Truncated(f"a part has at most {self.part_size} bytes", path=self._path)
            write_at(self._fd, data, position)
            position += len(data)

        with body.open() as stream:
            size = copy_stream(stream, write, size=body.size)
            body.check()
        return size

    def _check_open(self) -> None:
        """Make sure that the hidden file is still hidden.

        Raises:
            NotFound: The upload was finished or aborted, here or by another process.
        """
        if self._fd < 0 or not os.path.lexists(self._temp):
            raise NotFound("the upload was finished or aborted before", path=self._path)

    def _settle(self) -> int:
        """Give the hidden file the size of the object, and return it.

        Raises:
            Truncated: A part is missing, or one before the last is short.
        """
        self._read_record()
        last = max(self._done, default=0)
        for number in range(1, last):
            if self._done.get(number) != self.part_size:
                raise Truncated(f"part {number} of {last} is missing or short", path=self._path)
        size = (last - 1) * self.part_size + self._done[last] if last else 0
        if os.fstat(self._fd).st_size != size:
            os.ftruncate(self._fd, size)
        return size

    def _close(self) -> None:
        # While it is locked: a moment later it may be that of somebody else.
        unlink_quietly(self._record)
        os.close(self._fd)
        os.close(self._log)
        self._fd = self._log = -1

    def _note(self, number: int, size: int) -> None:
        """Write down that a part is complete, or (-1) that it is no longer."""
        until = b"" if self._durable or size < 0 else b" " + self._boot
        os.write(self._log, b"%d %d%b\n" % (number, size, until))
        if size < 0 and self._durable:
            os.fsync(self._log)
        self._read_record()

    def _read_record(self) -> None:
        """Take notice of what was written down since the last look, by whatever process."""
        lines, newline, _ = os.pread(self._log, _LINES, self._read).rpartition(b"\n")
        self._read += len(lines) + len(newline)
        for line in lines.split(b"\n"):
            number, _, rest = line.partition(b" ")
            size, _, boot = rest.partition(b" ")
            if size == b"-1":
                self._done.pop(int(number), None)
            elif number.isdigit() and size.isdigit() and boot in (b"", self._boot):
                self._done[int(number)] = int(size)


def _stem(place: str, token: str) -> str:
    return f"{os.path.dirname(place)}/{TEMP}{token}"


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _boot() -> bytes:
    """Return what tells this start of the machine from all others, or nothing if the system does not say."""
    try:
        with open(_BOOT_ID, "rb") as file:
            return file.read(100).strip()
    except OSError:
        return b""


def _open(stem: str, flags: int, mode: int, *, shared: bool) -> Files:
    """Open and lock the two files of an upload.

    Raises:
        NotFound: Somebody has them who does not share them, or has taken them away.
        FileNotFoundError: They are not there.
    """
    fd = os.open(stem + PARTS, _OPEN | flags, mode)
    try:
        log = os.open(stem + RECORD, _OPEN | os.O_APPEND | flags, 0o600)
    except BaseException:
        os.close(fd)
        raise
    free = lock(fd, shared=shared) is not False and lock(log, shared=shared) is not False
    if free and _is_alone(stem + PARTS, fd) and _is_alone(stem + RECORD, log):
        return fd, log
    os.close(fd)
    os.close(log)
    raise NotFound("the upload is in use, or being swept")


def _claim(stem: str, mode: int) -> Files | None:
    """Open the two files of an upload, making them if need be, for this process alone.

    Returns None if somebody else is at it, or if that cannot be known. Whoever has locked the record decides about
    the other file. What comes back need not fit together: the caller reads the header.
    """
    for _ in range(_ATTEMPTS):
        try:
            log = os.open(stem + RECORD, _OPEN | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError:
            # Something of another kind, or of another user; or the folder is not ours, which the caller will meet.
            return None
        free = lock(log)
        if not free:
            if free is None:
                # No locks here: nobody takes it for his, so it must not stay.
                unlink_quietly(stem + RECORD)
            os.close(log)
            return None
        fd = _claim_part(stem + PARTS, log, mode) if _is_alone(stem + RECORD, log) else -1
        if fd >= 0:
            return fd, log
        os.close(log)
    return None


def _claim_part(name: str, log: int, mode: int) -> int:
    """Open the hidden file, making it if need be, when its record is locked; return -1 if it cannot be had."""
    try:
        try:
            fd = os.open(name, _OPEN)
        except FileNotFoundError:
            # Lines that are there are about another file.
            os.ftruncate(log, 0)
            fd = os.open(name, _OPEN | os.O_CREAT | os.O_EXCL, mode)
    except OSError:
        return -1
    if lock(fd):
        about = os.fstat(fd)
        # What another user began would become an object that belongs to him.
        if _is_alone(name, fd) and about.st_uid == os.geteuid():
            if mode == PRIVATE_FILE:
                # It may have been begun by a run for which it was not private.
                os.fchmod(fd, mode)
            return fd
        if about.st_nlink > 1:
            # Killed between giving the final name and taking this one away: it is an object by a second name.
            unlink_quietly(name)
    os.close(fd)
    return -1


def _is_alone(name: str, fd: int) -> bool:
    """Say whether an open file is a regular one that has this name, and no other."""
    about = os.fstat(fd)
    try:
        return st.S_ISREG(about.st_mode) and about.st_nlink == 1 and os.path.samestat(os.lstat(name), about)
    except FileNotFoundError:
        return False
