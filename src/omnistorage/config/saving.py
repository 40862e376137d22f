"""A file that is replaced as a whole, under a lock: readers never meet half of it, writers never lose a change."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from omnistorage.core.errors import ConfigError

try:
    import fcntl
except (
    ImportError
):  # Windows: files are still replaced as a whole, but of two changes at once one may fail or be lost
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Keep other processes and threads from changing ``path``, waiting until they are done with it.

    The lock is a file beside it (``.lock`` is added to the name), which stays: taking it away would let in two
    at once. It holds no matter how its owner ends. On Windows there is no lock.

    Raises:
        ConfigError: The folder cannot be made or written to.
    """
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        handle = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise ConfigError(f"the configuration {path} cannot be written: {exc.strerror or exc}") from exc
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace(path: str, text: str) -> None:
    """Write ``text`` to ``path``, whole or not at all, also if the machine fails; only the owner may read it.

    Only for who holds the lock of ``path``.

    Raises:
        ConfigError: It cannot be written, or something that is not a file is there.
    """
    folder, name = os.path.split(path)
    temp = os.path.join(folder, f".{name}.part")
    try:
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise ConfigError(f"the configuration {path} cannot be written: it is not a regular file")
        # One who was killed has left it, secrets and all; nobody is at work on it while we hold the lock.
        with suppress(FileNotFoundError):
            os.unlink(temp)
        handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temp, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp)
            raise
        _sync_folder(folder or ".")
    except OSError as exc:
        raise ConfigError(f"the configuration {path} cannot be written: {exc.strerror or exc}") from exc


def _sync_folder(folder: str) -> None:
    """Force the new name to the disk, where folders can be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
