"""Large local files in parts: written at their place in one hidden file, which gets its name at the end.

Beside the hidden file stands its record: the size of parts, and a line for each part that is complete. By it
another process can go on after a crash, or help. The token is what the two names have in common; it is bound to
the name of the target, and both files are locked (shared) as long as somebody works on them, so that no sweep takes
them away.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Final

from omnistorage.core.errors import IsADirectory, NotFound, Truncated
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.localnames import TEMP
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, Upload, copy_stream

from ._localmeta import finish, folder_mode, mode_before
from ._localtemp import BINARY, CLOEXEC, NOFOLLOW, Fsync, lock, make_folders, mark, publish, unlink_quietly

_PART: Final = 8 << 20
_LINES: Final = 1 << 24
_OPEN: Final = os.O_RDWR | CLOEXEC | NOFOLLOW | BINARY


def begin(place: str, path: str, options: PutOptions, fsync: Fsync, *, special: bool = False) -> LocalUpload:
    """Begin an upload to the file ``place``, whose key is ``path``."""
    folder, _, name = place.rpartition("/")
    make_folders(folder, fsync, folder_mode(options))
    if os.path.isdir(place):
        raise IsADirectory
    token = mark(name) + os.urandom(8).hex()
    upload = LocalUpload(place, path, token, options, fsync, os.O_CREAT | os.O_EXCL, special=special)
    upload.write_header()
    return upload


def resume(
    place: str, path: str, token: str, options: PutOptions, fsync: Fsync, *, special: bool = False
) -> LocalUpload:
    """Go on with the upload ``token``.

    Raises:
        NotFound: It was finished, aborted or swept, or is one to another target.
    """
    name = place.rpartition("/")[2]
    # It becomes part of a file name: nothing but our own form may pass.
    if len(token) != 24 or not set(token) <= set("0123456789abcdef") or token[:8] != mark(name):
        raise NotFound("there is no such upload", path=path)
    try:
        upload = LocalUpload(place, path, token, options, fsync, 0, special=special)
    except FileNotFoundError:
        raise NotFound("there is no such upload", path=path) from None
    upload.read_header()
    return upload


class LocalUpload(Upload):
    """Parts of one local file."""

    part_size = _PART

    def __init__(
        self, place: str, path: str, token: str, options: PutOptions, fsync: Fsync, flags: int, *, special: bool
    ) -> None:
        self.token = token
        self._place = place
        self._path = path
        self._options = options
        self._special = special
        self._fsync: Fsync = fsync
        stem = f"{os.path.dirname(place)}/{TEMP}{token}"
        self._temp, self._record = stem + ".part", stem + ".done"
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}
        self._read = 0
        self._fd = os.open(self._temp, _OPEN | flags, mode_before(options))
        self._log = os.open(self._record, _OPEN | os.O_APPEND | flags, 0o600)
        if lock(self._fd, shared=True) is False or lock(self._log, shared=True) is False:
            raise NotFound("the upload is being swept", path=path)

    def write_header(self) -> None:
        """Begin the record."""
        os.write(self._log, f"parts of {self.part_size}\n".encode())

    def read_header(self) -> None:
        """Take over the size of parts and the parts that are there.

        Raises:
            NotFound: Its maker was killed before there was anything to go on with.
        """
        header, newline, _ = os.pread(self._log, 100, 0).partition(b"\n")
        if not newline:
            raise NotFound("there is no such upload", path=self._path)
        self.part_size = int(header.rpartition(b" ")[2])
        size = os.fstat(self._log).st_size
        if os.pread(self._log, 1, size - 1) != b"\n":
            # The last line was being written when its process died. It is closed so that no number comes of it.
            os.write(self._log, b" torn\n")
        self._read_record()

    @property
    def done(self) -> Mapping[int, int]:
        with self._lock:
            if self._fd >= 0:
                self._read_record()
            return dict(self._done)

    def put_part(self, number: int, body: Body) -> None:
        if number < 1:
            raise ValueError(f"parts are numbered from 1, not {number}")
        position = (number - 1) * self.part_size
        end = position + self.part_size
        with self._lock:
            self._check_open()
            if number in self._done:
                # From now on it is neither the old part nor the new one.
                self._note(number, -1)

        def write(data: memoryview) -> None:
            nonlocal position
            if position + len(data) > end:
                raise Truncated(f"a part has at most {self.part_size} bytes", path=self._path)
            while data:
                count = os.pwrite(self._fd, data, position)
                position += count
                data = data[count:]

        with body.open() as source:
            size = copy_stream(source, write, size=body.size)
            body.check()
        if self._fsync != "never":
            os.fsync(self._fd)
        with self._lock:
            self._check_open()
            self._note(number, size)

    def finish(self) -> ObjectInfo:
        with self._lock:
            self._check_open()
            self._read_record()
            size = self._check_whole()
            os.ftruncate(self._fd, size)
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

    def __del__(self) -> None:
        # The descriptors go; the files stay, so that the upload can be resumed.
        for fd in (getattr(self, "_fd", -1), getattr(self, "_log", -1)):
            if fd >= 0:
                os.close(fd)

    def _check_open(self) -> None:
        """Make sure that the hidden file is still hidden.

        Raises:
            NotFound: The upload was finished or aborted, here or by another process.
        """
        if self._fd < 0 or not os.path.lexists(self._temp):
            raise NotFound("the upload was finished or aborted before", path=self._path)

    def _check_whole(self) -> int:
        """Return the size of the object.

        Raises:
            Truncated: A part is missing, or one before the last is short.
        """
        last = max(self._done, default=0)
        for number in range(1, last):
            if self._done.get(number) != self.part_size:
                raise Truncated(f"part {number} of {last} is missing or short", path=self._path)
        return (last - 1) * self.part_size + self._done[last] if last else 0

    def _close(self) -> None:
        os.close(self._fd)
        os.close(self._log)
        self._fd = self._log = -1
        unlink_quietly(self._record)

    def _note(self, number: int, size: int) -> None:
        """Write down that a part is complete, or (-1) that it is no longer."""
        os.write(self._log, f"{number} {size}\n".encode())
        self._read_record()

    def _read_record(self) -> None:
        """Take notice of what was written down since the last look, by whatever process."""
        lines, newline, _ = os.pread(self._log, _LINES, self._read).rpartition(b"\n")
        self._read += len(lines) + len(newline)
        for line in lines.split(b"\n"):
            number, _, size = line.partition(b" ")
            if size == b"-1":
                self._done.pop(int(number), None)
            elif number.isdigit() and size.isdigit():
                self._done[int(number)] = int(size)
