"""Renaming to a name with a number, ``f-1.txt`` for ``f.txt``, without ever taking the place of another object."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Final

from omnistorage.core.driver import Driver
from omnistorage.core.errors import AlreadyExists, NotADirectory, NotFound, StorageError, Unsupported
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.storage import Storage

_TRIES: Final = 1000
_NO_LINKS: Final = {errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV}


def numbered(path: str, number: int) -> str:
    """Return a path with a number before the ending of its name; a leading dot begins no ending."""
    folder, slash, name = path.rpartition("/")
    dot = name.rfind(".")
    if dot <= 0:
        dot = len(name)
    return f"{folder}{slash}{name[:dot]}-{number}{name[dot:]}"


def rename_with_number(storage: Storage, path: str, number: int, *, dry_run: bool = False) -> str:
    """Rename an object to the first free name with this number or a higher one, and return that name.

    Raises:
        NotFound: There is no such object.
        AlreadyExists: A thousand such names are taken.
    """
    for one in range(number, number + _TRIES):
        name = numbered(path, one)
        if storage.exists(name):
            continue
        if dry_run:
            return name
        try:
            _rename(storage, path, name)
        except AlreadyExists:
            continue
        return name
    raise AlreadyExists(f"no name from {numbered(path, number)!r} on is free", op="move", path=path)


def _rename(storage: Storage, path: str, name: str) -> None:
    """Rename to a name that was free a moment ago.

    Raises:
        AlreadyExists: It is not free any more.
    """
    driver = storage.driver
    if driver.local_root is not None and _relink(driver.local_root, path, name):
        return
    if not _reserve(driver, name):
        storage.move(path, name)
        return
    try:
        storage.move(path, name)
    except BaseException:
        with suppress(StorageError):
            if driver.stat(name).size == 0:
                driver.delete(name)
        raise


def _reserve(driver: Driver, name: str) -> bool:
    """Take a name by an empty object, as renaming replaces what it meets; False if the service cannot.

    Raises:
        AlreadyExists: Somebody was faster.
    """
    if not driver.features.if_absent:
        return False
    try:
        driver.put(name, BytesBody(b""), PutOptions(if_absent=True))
    except Unsupported:
        # A file system that knows no hard links, for example.
        return False
    return True


def _relink(root: str, path: str, name: str) -> bool:
    """Rename a local file by a second name for a moment; False if this file system has no such thing."""
    source, target = os.path.join(root, path), os.path.join(root, name)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise AlreadyExists(path=name) from None
    except FileNotFoundError:
        raise NotFound(path=path) from None
    except NotADirectoryError:
        raise NotADirectory(path=path) from None
    except OSError as exc:
        if exc.errno in _NO_LINKS:
            return False
        raise StorageError(exc.strerror or str(exc), op="move", path=path) from exc
    try:
        os.unlink(source)
    except OSError as exc:
        os.unlink(target)
        raise StorageError(exc.strerror or str(exc), op="move", path=path) from exc
    return True
