"""Large local files in parts: written at their place in one hidden file, which gets its name at the end.

Beside the hidden file stands its record, a line for each part that is complete, so that another process can
go on after a crash. The token is the common stem of both names.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Final, Protocol

from omnistorage.core.errors import NotFound, Truncated
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, Upload, copy_stream

_PART: Final = 8 << 20


class Publish(Protocol):
    """Gives a finished temporary file its name."""

    def __call__(self, fd: int, temp: str, place: str, *, if_absent: bool) -> None: ...


def begin(place: str, path: str, options: PutOptions, publish: Publish) -> LocalUpload:
    """Begin an upload to the file ``place``, whose key is ``path``."""
    token = f".omnistorage-{os.urandom(8).hex()}"
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.isdir(place):
        raise IsADirectoryError(place)
    return LocalUpload(place, path, token, options, publish, os.O_CREAT | os.O_EXCL)


def resume(place: str, path: str, token: str, options: PutOptions, publish: Publish) -> LocalUpload:
    """Go on with the upload ``token``.

    Raises:
        NotFound: It was finished, aborted or swept.
    """
    try:
        return LocalUpload(place, path, token, options, publish, 0)
    except FileNotFoundError:
        raise NotFound("there is no such upload", path=path) from None


class LocalUpload(Upload):
    """Parts of one local file."""

    part_size = _PART

    def __init__(self, place: str, path: str, token: str, options: PutOptions, publish: Publish, flags: int) -> None:
        self.token = token
        self._place = place
        self._path = path
        self._options = options
        self._publish = publish
        stem = f"{os.path.dirname(place)}/{token}"
        self._temp, self._record = stem + ".part", stem + ".done"
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}
        self._fd = os.open(self._temp, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o666)
        self._log = os.open(self._record, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._read_record()

    @property
    def done(self) -> Mapping[int, int]:
        return dict(self._done)

    def put_part(self, number: int, body: Body) -> None:
        at = (number - 1) * self.part_size
        with body.open() as source:
            position = at

            def write(data: memoryview) -> None:
                nonlocal position
                while data:
                    count = os.pwrite(self._fd, data, position)
                    position += count
                    data = data[count:]

            size = copy_stream(source, write, size=body.size)
        if size > self.part_size:
            raise Truncated(f"a part has at most {self.part_size} bytes, not {size}")
        with self._lock:
            self._done[number] = size
            os.write(self._log, f"{number} {size}\n".encode())

    def finish(self) -> ObjectInfo:
        with self._lock:
            size = self._check_whole()
            os.ftruncate(self._fd, size)
            options = self._options
            if options.mode is not None:
                os.fchmod(self._fd, options.mode)
            if options.mtime_ns is not None:
                os.utime(self._fd, ns=(options.mtime_ns, options.mtime_ns))
            mtime_ns = os.fstat(self._fd).st_mtime_ns
            self._publish(self._fd, self._temp, self._place, if_absent=options.if_absent)
            self._close()
        return ObjectInfo(self._path, FILE, size, mtime_ns)

    def abort(self) -> None:
        with self._lock:
            if self._fd < 0:
                return
            self._close()
            try:
                os.unlink(self._temp)
            except FileNotFoundError:
                return

    def __del__(self) -> None:
        # The descriptors go; the files stay, so that the upload can be resumed.
        for fd in (getattr(self, "_fd", -1), getattr(self, "_log", -1)):
            if fd >= 0:
                os.close(fd)

    def _check_whole(self) -> int:
        """Return the size of the object.

        Raises:
            NotFound: The upload was finished or aborted before.
            Truncated: A part is missing, or one before the last is short.
        """
        if self._fd < 0:
            raise NotFound("the upload was finished or aborted before", path=self._path)
        last = max(self._done, default=0)
        for number in range(1, last):
            if self._done.get(number) != self.part_size:
                raise Truncated(f"part {number} of {last} is missing or short", path=self._path)
        return (last - 1) * self.part_size + self._done[last] if last else 0

    def _close(self) -> None:
        os.close(self._fd)
        os.close(self._log)
        self._fd = self._log = -1
        os.unlink(self._record)

    def _read_record(self) -> None:
        lines = os.pread(self._log, os.fstat(self._log).st_size, 0).split(b"\n")
        # What stands behind the last newline was being written when the process died.
        for line in lines[:-1]:
            number, _, size = line.partition(b" ")
            self._done[int(number)] = int(size)
