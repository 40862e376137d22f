"""Moving a range of one open file of this machine to a place in another, several of them at a time."""

from __future__ import annotations

import errno
import os
from typing import Final

from ._localcopy import CANNOT, CHUNK, STEP, Progress, Ration, next_data

_ZEROS: Final = bytes(64 << 10)


def copy_range(
    source: int,
    start: int,
    target: int,
    at: int,
    length: int,
    progress: Progress = None,
    ration: Ration = None,
) -> int:
    """Copy ``length`` bytes from ``start`` on to the position ``at``; return how many there were.

    The kernel copies them, sharing blocks where the file system can. Holes stay holes, also where the target held
    something before, and pass any limit; for ``progress`` and ``ration`` see ``Body``. The positions of the two files
    are not used, so that other threads may do the same with them.
    """
    about = os.fstat(source)
    if about.st_blocks * 512 >= about.st_size or not hasattr(os, "SEEK_DATA"):
        return _copy_data(source, start, target, at, length, progress, ration)
    position, end = start, min(start + length, about.st_size)
    while position < end:
        data, hole = next_data(source, position)
        if data > position:
            count = min(data, end) - position
            _clear(target, at + position - start, count)
            if progress is not None:
                progress(count)
            position += count
            continue
        wanted = min(hole, end) - position
        count = _copy_data(source, position, target, at + position - start, wanted, progress, ration)
        position += count
        if count < wanted:
            break
    return position - start


def write_at(target: int, data: bytes | memoryview, at: int) -> None:
    """Write all of ``data`` to a position; a full disk is an OSError, never a short write."""
    done = os.pwrite(target, data, at)
    while done < len(data):
        done += os.pwrite(target, memoryview(data)[done:], at + done)


def _copy_data(source: int, start: int, target: int, at: int, length: int, progress: Progress, ration: Ration) -> int:
    total = 0
    try:
        # macOS has no such call.
        while hasattr(os, "copy_file_range") and total < length:
            step = min(length - total, STEP)
            if ration is not None:
                step = ration(step)
            count = os.copy_file_range(source, target, step, start + total, at + total)
            if not count:
                break
            total += count
            if progress is not None:
                progress(count)
    except OSError as exc:
        if exc.errno not in CANNOT:
            raise
    # Some file systems (procfs, FUSE) answer 0 although there is more; reading is the judge.
    while total < length:
        step = min(length - total, CHUNK)
        data = os.pread(source, step if ration is None else ration(step), start + total)
        if not data:
            break
        write_at(target, data, at + total)
        total += len(data)
        if progress is not None:
            progress(len(data))
    return total


def _clear(target: int, at: int, length: int) -> None:
    """Make a range read as zeros; where nothing is written yet, nothing is to be done."""
    end = at + length
    while at < end:
        try:
            data = os.lseek(target, at, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:
                return
            raise
        stop = min(os.lseek(target, data, os.SEEK_HOLE), end)
        while data < stop:
            write_at(target, _ZEROS[: stop - data], data)
            data += min(len(_ZEROS), stop - data)
        at = max(stop, data)
