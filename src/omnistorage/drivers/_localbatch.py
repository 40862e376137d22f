"""Many small files from one folder of this machine to another: the system calls, and little else."""

from __future__ import annotations

import os
from collections.abc import Callable

from omnistorage.core.driver import PutItem
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.streams import BytesBody, PlainFile

from . import _localtemp as temps
from ._localcopy import SMALL, write_all


class Batch:
    """Stores files one after the other, keeping the folders open that they come from and go to.

    Names are then looked up in a folder, not along a path, which for a small file is a good part of the work. Use it
    as a context manager.

    Args:
        target: Returns the absolute path of a key, once it is sure that it does not lead out of the root.
    """

    def __init__(self, target: Callable[[str], str]) -> None:
        self._target = target
        self._source = _Folder()
        self._dest = _Folder()

    def takes(self, item: PutItem) -> bool:
        """Say whether a file can be stored this way."""
        _, body, options = item
        kind = type(body)
        plain = (kind is PlainFile or kind is BytesBody) and (body.size or 0) <= SMALL and not options.inplace
        return plain and options.mtime_ns is not None and not options.if_absent and options.mode is None

    def put(self, item: PutItem) -> ObjectInfo:
        """Store one file under a temporary name and give it its own in one step.

        Raises:
            FileNotFoundError: The folder it goes to does not exist yet (or the file does not any more).
            FileExistsError: Somebody else is at the same target, or was when he was killed.
            SourceChanged: The file is not what the listing said.
        """
        path, body, options = item
        mtime_ns = options.mtime_ns
        assert mtime_ns is not None
        folder, _, name = self._target(path).rpartition("/")
        dest = self._dest.fd if folder == self._dest.path else self._dest.change(folder)
        fd, temp = temps.open_temp_in(dest, name)
        try:
            data = body.data if type(body) is BytesBody else self._read(body)  # type: ignore[arg-type]
            write_all(fd, data)
            os.utime(fd, ns=(mtime_ns, mtime_ns))
            os.rename(temp, name, src_dir_fd=dest, dst_dir_fd=dest)
        except BaseException:
            temps.unlink_quietly(temp, dest)
            raise
        finally:
            os.close(fd)
        return ObjectInfo(path, FILE, len(data), mtime_ns)

    def close(self) -> None:
        """Close the folders; the next file opens its own again."""
        self._source.close()
        self._dest.close()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read(self, body: PlainFile) -> bytes:
        folder, _, name = body.local_path.rpartition("/")
        here = self._source.fd if folder == self._source.path else self._source.change(folder)
        return body.read(name=name, folder=here)


class _Folder:
    """A folder that is kept open until another one is wanted."""

    def __init__(self) -> None:
        self.path: str | None = None
        self.fd = -1

    def change(self, path: str) -> int:
        """Open another folder instead."""
        self.close()
        self.fd = os.open(path or "/", os.O_RDONLY | temps.DIRECTORY | temps.CLOEXEC)
        self.path = path
        return self.fd

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.path, self.fd = None, -1
