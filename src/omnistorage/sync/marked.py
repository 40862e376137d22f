"""Directories that hold a marker file are left out with all that is below."""

from __future__ import annotations

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound
from omnistorage.core.info import FILE

__all__ = ["Marked"]

_MOST = 10_000  # directories whose answer is kept


class Marked:
    """Which directories of a storage hold a file with one of the names."""

    def __init__(self, driver: Driver, names: tuple[str, ...]) -> None:
        self._driver = driver
        self._names = names
        self._known: dict[str, str | None] = {}

    def marker(self, folder: str) -> str | None:
        """Return the name of a marker in the directory, or None.

        Raises:
            StorageError: It cannot be told.
        """
        if folder not in self._known:
            if len(self._known) > _MOST:
                self._known.clear()
            self._known[folder] = next((name for name in self._names if self._is_there(folder, name)), None)
        return self._known[folder]

    def _is_there(self, folder: str, name: str) -> bool:
        try:
            return self._driver.stat(f"{folder}/{name}" if folder else name).kind is FILE
        except (NotFound, NotADirectoryError):
            return False
