"""Temporary files beside their targets: made, locked, given their final name, and swept when nobody writes them.

The lock tells a file that somebody writes from one that a killed process left. The kernel lets go of it when the
process ends, however it ends.
"""

from __future__ import annotations

import errno
import os
import stat as st
import time
from binascii import crc32
from typing import Final, Literal

from omnistorage.core.errors import AlreadyExists, NotADirectory, Unsupported
from omnistorage.core.localnames import TEMP

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Fsync = Literal["never", "data", "full"]

CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)
NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)
DIRECTORY: Final = getattr(os, "O_DIRECTORY", 0)
BINARY: Final = getattr(os, "O_BINARY", 0)

FILE_MODE: Final = 0o666
FOLDER_MODE: Final = 0o777
"""Permissions of what is made, before the process's mask."""

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
"""Permissions of what is to get its own later: until then nobody else may look into it."""

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | CLOEXEC | NOFOLLOW | BINARY
PARTS: Final = ".part"
RECORD: Final = ".done"
"""How the names of the two files of an upload end; what else they have in common is its token."""

_NASCENT: Final = 2.0
"""Seconds for which an empty file counts as one that is about to be locked."""

_NO_LINKS: Final = {errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def mark(name: str) -> str:
    """Return eight characters that stand for a name of any length, the same in each process."""
    return f"{crc32(name.encode('utf-8', 'surrogateescape')):08x}"


def open_temp(place: str, fsync: Fsync, mode: int = FILE_MODE, folders: int = FOLDER_MODE) -> tuple[int, str]:
    """Open a locked temporary file beside ``place``, making the folder if need be; return it and its path.

    Its name is always the same, so that what a killed run left is replaced by the next one. While another
    writer is at the same target, the name is random. ``mode`` and ``folders`` are the permissions of what is made,
    as far as the process's mask lets them be.
    """
    folder, _, name = place.rpartition("/")
    temp = f"{folder}/{TEMP}{mark(name)}.tmp"
    try:
        fd = _make(temp, mode)
    except FileNotFoundError:
        if os.path.isdir(folder):
            # Somebody has made it meanwhile; or nothing can be made in it, as in /proc, and that is raised here.
            return _open_unique(folder, mode)
        make_folders(folder, fsync, folders)
        return open_temp(place, fsync, mode) if os.path.isdir(folder) else _open_unique(folder, mode)
    except FileExistsError:
        # Never written over: it may belong to somebody else, or be an object by a second name already.
        if not remove_abandoned(temp):
            return _open_unique(folder, mode)
        try:
            fd = _make(temp, mode)
        except FileExistsError:
            return _open_unique(folder, mode)
    return (fd, temp) if fd >= 0 else _open_unique(folder, mode)


def open_temp_in(folder: int, name: str) -> tuple[int, str]:
    """Open a locked temporary file for ``name`` in an open folder; return it and its name.

    Raises:
        FileExistsError: Another writer is at the same target, or was when he was killed: ``open_temp`` can tell.
    """
    temp = f"{TEMP}{mark(name)}.tmp"
    fd = _make(temp, FILE_MODE, folder)
    if fd < 0:
        raise FileExistsError(errno.EEXIST, "taken by another writer", temp)
    return fd, temp


def unique_name(folder: str) -> str:
    """Return the path of a temporary file that nobody else has."""
    return f"{folder}/{TEMP}{os.urandom(8).hex()}.tmp"


def lock(fd: int, *, shared: bool = False) -> bool | None:
    """Lock a file without waiting: False if somebody else has it, None if this file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def publish(fd: int, temp: str, place: str, *, if_absent: bool, fsync: Fsync) -> None:
    """Give a finished temporary file its name, in one step.

    Raises:
        AlreadyExists: ``if_absent``, and there is something.
    """
    if fsync != "never":
        os.fsync(fd)
    if if_absent:
        _link(temp, place)
        os.unlink(temp)
    else:
        os.rename(temp, place)
    if fsync == "full":
        sync_folder(os.path.dirname(place))


def link_new(source: str, place: str, fsync: Fsync) -> bool:
    """Give a file a second name, making the folder if need be; False if this file system cannot.

    Raises:
        AlreadyExists: There is something.
    """
    try:
        try:
            _link(source, place)
        except FileNotFoundError:
            make_folders(os.path.dirname(place), fsync)
            _link(source, place)
    except Unsupported:
        return False
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        return False
    if fsync == "full":
        sync_folder(os.path.dirname(place))
    return True


def rename(source: str, target: str, fsync: Fsync) -> None:
    """Rename a file or folder, making the folders above the target; the bytes of a file reach the disk before."""
    if fsync != "never" and st.S_ISREG(os.lstat(source).st_mode):
        fd = os.open(source, os.O_RDONLY | CLOEXEC | BINARY | NONBLOCK | NOFOLLOW)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    try:
        os.rename(source, target)
    except FileNotFoundError:
        make_folders(os.path.dirname(target), fsync)
        os.rename(source, target)
    if fsync == "full":
        sync_folder(os.path.dirname(target))


def make_folders(folder: str, fsync: Fsync, mode: int = FOLDER_MODE) -> None:
    """Make a folder and those above it; one that is there is fine.

    Raises:
        NotADirectory: Something else has the name of one of them.
    """
    missing = []
    if fsync == "full":
        above = folder
        while not os.path.lexists(above):
            missing.append(above)
            above = os.path.dirname(above)
    try:
        if mode == FOLDER_MODE:
            os.makedirs(folder, exist_ok=True)
        else:
            _make_each(folder, mode)
    except FileExistsError:
        raise NotADirectory from None
    for made in missing:
        sync_folder(os.path.dirname(made))


def sync_folder(folder: str) -> None:
    """Force the names in a folder to the disk."""
    fd = os.open(folder, os.O_RDONLY | DIRECTORY | CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_abandoned(temp: str, *, older_than: float = 0.0, dry_run: bool = False) -> bool:
    """Remove a temporary file that nobody writes, if it is older than so many seconds; say whether it is gone."""
    try:
        # What is no regular file (a symbolic link that was to get its name) is not written, only named.
        about = os.lstat(temp)
        age = time.time() - about.st_mtime
        if age < older_than:
            return False
        if st.S_ISREG(about.st_mode):
            return _remove_unlocked(temp, older_than, dry_run=dry_run)
        if not dry_run:
            os.unlink(temp)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def sweep_folder(folder: str, *, older_than: float, dry_run: bool = False) -> tuple[int, list[str]]:
    """Sweep one folder; return how many files were removed (or would be), and the folders that stand in it."""
    swept, folders = 0, []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(TEMP):
                    least = older_than
                    if not entry.stat(follow_symlinks=False).st_size:
                        # A new one may not have its lock yet.
                        least = max(older_than, _NASCENT)
                    elif entry.name.endswith(RECORD) and not _has_parts(entry.path):
                        # Killed at the very end: its object has its name, and nobody can go on with anything.
                        least = 0.0
                    swept += remove_abandoned(entry.path, older_than=least, dry_run=dry_run)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    except OSError:
        # It vanished, or is not ours to look at: there is nothing of ours in it either.
        return swept, folders
    return swept, folders


def holds_only_temps(folder: str) -> bool:
    """Say whether a folder would be empty, were it not for temporary files."""
    with os.scandir(folder) as entries:
        return all(entry.name.startswith(TEMP) for entry in entries)


def unlink_quietly(temp: str, folder: int | None = None) -> None:
    """Remove a file (of an open folder) whose writing failed; that failure is the one to be told."""
    try:
        os.unlink(temp, dir_fd=folder)
    except OSError:
        return


def _make(temp: str, mode: int, folder: int | None = None) -> int:
    """Make a temporary file and lock it; return its descriptor, or -1 if another writer has taken it over.

    Another writer may have taken it for abandoned before we had the lock. Then the name is his, and giving the
    final name to what stands at it would publish his half object.
    """
    try:
        fd = os.open(temp, _NEW, mode, dir_fd=folder)
        if lock(fd) is not False and os.fstat(fd).st_nlink:
            return fd
    except OSError:
        raise
    except BaseException:
        # An interrupt: it comes when the kernel has made the file, and nobody knows of it yet.
        unlink_quietly(temp, folder)
        raise
    os.close(fd)
    return -1


def _make_each(folder: str, mode: int) -> None:
    """As ``os.makedirs``, but with the mode for those above as well."""
    above = os.path.dirname(folder)
    if not os.path.isdir(above):
        _make_each(above, mode)
    try:
        os.mkdir(folder, mode)
    except FileExistsError:
        if not os.path.isdir(folder):
            raise


def _has_parts(record: str) -> bool:
    return os.path.lexists(record.removesuffix(RECORD) + PARTS)


def _open_unique(folder: str, mode: int) -> tuple[int, str]:
    temp = unique_name(folder)
    return _make(temp, mode), temp


def _remove_unlocked(temp: str, older_than: float, *, dry_run: bool) -> bool:
    fd = os.open(temp, os.O_RDONLY | CLOEXEC | NOFOLLOW | NONBLOCK)
    try:
        free = lock(fd)
        # Without locks only a great age tells that nobody is at it.
        if free is False or (free is None and older_than < 3600):
            return False
        # Between our open and our lock its owner may have given it its final name: then it is not ours.
        if not os.path.samestat(os.lstat(temp), os.fstat(fd)):
            return False
        if not dry_run:
            os.unlink(temp)
    finally:
        os.close(fd)
    return True


def _link(temp: str, place: str) -> None:
    try:
        os.link(temp, place, follow_symlinks=False)
    except FileExistsError:
        raise AlreadyExists from None
    except OSError as exc:
        if exc.errno in _NO_LINKS:
            raise Unsupported("this file system cannot refuse to replace (it has no hard links)") from exc
        raise
