"""Moving bytes between two open files of this machine the cheapest way the kernel offers."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final

SMALL: Final = 256 << 10
"""Up to so many bytes one read and one write are cheaper than asking the kernel to copy."""

Progress = Callable[[int], object] | None

_STEP: Final = 64 << 20
_CANNOT: Final = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM, errno.ETXTBSY}


def copy_file(source: int, target: int, size: int | None, progress: Progress = None) -> int:
    """Copy from where ``source`` stands to its end into the empty file ``target``; return the bytes copied.

    Holes stay holes. ``progress`` hears of bytes as they are copied, at least each 64 MiB. ``size`` (bytes) is what is expected; it is not a limit, so that a source which grew is
    noticed by the number returned.
    """
    if size is not None and size <= SMALL:
        data = os.read(source, size + 1)
        write_all(target, data)
        if progress is not None:
            progress(len(data))
        return size if len(data) == size else len(data) + _by_hand(source, target, progress)
    about = os.fstat(source)
    start = os.lseek(source, 0, os.SEEK_CUR)
    if about.st_blocks * 512 < about.st_size:
        return _copy_sparse(source, target, start, about.st_size, progress)
    return _by_kernel(source, target, progress)


def write_all(target: int, data: bytes | memoryview) -> None:
    """Write all of ``data``; a full disk is an OSError, never a short write."""
    done = os.write(target, data)
    while done < len(data):
        done += os.write(target, memoryview(data)[done:])


def _by_kernel(source: int, target: int, progress: Progress) -> int:
    """Let the kernel copy, sharing blocks where the file system can (reflink)."""
    total = 0
    try:
        while done := os.copy_file_range(source, target, _STEP):
            total += done
            if progress is not None:
                progress(done)
    except OSError as exc:
        if exc.errno not in _CANNOT:
            raise
    except AttributeError:
        return _by_hand(source, target, progress)
    # Some file systems (procfs, FUSE) answer 0 although there is more; reading is the judge.
    return total + _by_hand(source, target, progress)


def _by_hand(source: int, target: int, progress: Progress) -> int:
    total = 0
    while data := os.read(source, 1 << 20):
        write_all(target, data)
        total += len(data)
        if progress is not None:
            progress(len(data))
    return total


def _copy_sparse(source: int, target: int, start: int, end: int, progress: Progress) -> int:
    """Copy only what is data; a hole at the end is made by setting the length."""
    position = start
    while position < end:
        try:
            data = os.lseek(source, position, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # nothing but a hole from here on
                break
            raise
        hole = os.lseek(source, data, os.SEEK_HOLE)
        os.lseek(source, data, os.SEEK_SET)
        os.lseek(target, data - start, os.SEEK_SET)
        _copy_span(source, target, hole - data)
        if progress is not None:
            progress(hole - position)
        position = hole
    os.ftruncate(target, end - start)
    os.lseek(source, end, os.SEEK_SET)
    os.lseek(target, end - start, os.SEEK_SET)
    return end - start + _by_hand(source, target, progress)


def _copy_span(source: int, target: int, length: int) -> None:
    left = length
    while left:
        try:
            done = os.copy_file_range(source, target, min(left, _STEP))
        except (OSError, AttributeError):
            data = os.read(source, min(left, 1 << 20))
            write_all(target, data)
            done = len(data)
        if not done:
            return
        left -= done
