"""Moving bytes into an open file of this machine the cheapest way the kernel offers."""

from __future__ import annotations

import errno
import os
import stat as st
from collections.abc import Callable
from typing import Final

from omnistorage.core.streams import Body, ByteStream, copy_stream, descriptor

SMALL: Final = 256 << 10
"""Up to so many bytes one read and one write are cheaper than asking the kernel to copy; holes are filled."""

Progress = Callable[[int], object] | None
Ration = Callable[[int], int] | None

STEP: Final = 64 << 20
CHUNK: Final = 1 << 20
CANNOT: Final = {
    errno.EXDEV,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EOPNOTSUPP,
    errno.EBADF,
    errno.EPERM,
    errno.ETXTBSY,
}


def fill_file(target: int, source: ByteStream, body: Body) -> int:
    """Copy a source into the empty file ``target``, by the kernel if it is a file, too; return the bytes copied."""
    found = descriptor(source)
    if found >= 0:
        return copy_file(found, target, body.size, body.progress, body.ration)
    return copy_stream(source, lambda data: write_all(target, data), size=body.size)


def copy_file(source: int, target: int, size: int | None, progress: Progress = None, ration: Ration = None) -> int:
    """Copy from where ``source`` stands to its end into the empty file ``target``; return the bytes copied.

    Holes stay holes, and pass any limit. ``progress`` hears of bytes as they are copied, at least each 64 MiB, and
    ``ration`` is asked before how many may be; see ``Body``. ``size`` (bytes) is what is expected: a source that
    has become shorter or longer is noticed by the number returned, and of a longer one little more than that is
    copied.
    """
    if size is not None and size <= SMALL and ration is None:
        data = os.read(source, size + 1)
        write_all(target, data)
        if progress is not None:
            progress(len(data))
        more = size - len(data) + 1
        return size if len(data) == size else len(data) + _by_hand(source, target, more, progress, None)
    about = os.fstat(source)
    if not st.S_ISREG(about.st_mode):
        return _by_hand(source, target, _limit(size), progress, ration)
    if about.st_blocks * 512 < about.st_size and hasattr(os, "SEEK_DATA"):
        return _copy_sparse(source, target, _limit(size), progress, ration)
    return _copy_span(source, target, _limit(size), progress, ration)


def write_all(target: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of ``data``; a full disk is an OSError, never a short write."""
    done = os.write(target, data)
    while done < len(data):
        done += os.write(target, memoryview(data)[done:])


def _limit(size: int | None) -> int:
    """Return how many bytes to copy at most: one more than expected proves that the source grew."""
    return 1 << 62 if size is None else size + 1


def _copy_span(source: int, target: int, limit: int, progress: Progress, ration: Ration) -> int:
    """Let the kernel copy at most ``limit`` bytes, sharing blocks where the file system can (reflink)."""
    total = 0
    try:
        while total < limit:
            step = min(limit - total, STEP)
            done = os.copy_file_range(source, target, step if ration is None else ration(step))
            if not done:
                break
            total += done
            if progress is not None:
                progress(done)
    except AttributeError:
        # macOS has no such call.
        return _by_hand(source, target, limit, progress, ration)
    except OSError as exc:
        if exc.errno not in CANNOT:
            raise
    # Some file systems (procfs, FUSE) answer 0 although there is more; reading is the judge.
    return total + _by_hand(source, target, limit - total, progress, ration)


def _by_hand(source: int, target: int, limit: int, progress: Progress, ration: Ration) -> int:
    total = 0
    while total < limit:
        step = min(limit - total, CHUNK)
        data = os.read(source, step if ration is None else ration(step))
        if not data:
            break
        write_all(target, data)
        total += len(data)
        if progress is not None:
            progress(len(data))
    return total


def _copy_sparse(source: int, target: int, limit: int, progress: Progress, ration: Ration) -> int:
    """Copy only what is data; a hole at the end is made by setting the length."""
    start = position = os.lseek(source, 0, os.SEEK_CUR)
    while position - start < limit:
        data, hole = next_data(source, position)
        if data > position:
            if progress is not None:
                progress(min(data - position, limit))
            position = data
        if data == hole:
            break
        os.lseek(source, position, os.SEEK_SET)
        os.lseek(target, position - start, os.SEEK_SET)
        wanted = min(hole - data, limit - (position - start))
        copied = _copy_span(source, target, wanted, progress, ration)
        position += copied
        if copied < wanted:
            break
    # What was cut off meanwhile is no hole.
    size = min(position, os.fstat(source).st_size) - start
    os.ftruncate(target, max(0, size))
    return size


def next_data(source: int, position: int) -> tuple[int, int]:
    """Return where the next data begins and ends; both are the end of the file if there is only a hole."""
    try:
        data = os.lseek(source, position, os.SEEK_DATA)
    except OSError as exc:
        if exc.errno != errno.ENXIO:
            raise
        end = max(position, os.fstat(source).st_size)
        return end, end
    return data, os.lseek(source, data, os.SEEK_HOLE)
