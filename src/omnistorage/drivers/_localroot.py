"""Where keys are on the disk: below one folder, never outside it, and never a temporary file."""

from __future__ import annotations

import os
import stat as st
import sys
from math import inf
from time import monotonic
from typing import Final

from omnistorage.core.errors import InvalidPath, IsADirectory, SpecialFile, printable
from omnistorage.core.localnames import TEMP
from omnistorage.core.paths import check_hierarchical

TEMP_SIZE: Final = 48
"""No name of a temporary file has more bytes."""

_PATH_MAX: Final = 4096 if sys.platform == "linux" else 1024

_TRUST: Final = 1.0
"""Seconds for which a folder that was no symbolic link is taken for none."""

_ODD: Final = frozenset(("", ".", ".."))


class Root:
    """The folder that keys are relative to.

    Attributes:
        folder: Its absolute path.
        longest: Bytes of the longest key that can be stored.
    """

    def __init__(self, folder: str, *, follow: bool) -> None:
        self.folder = folder
        self._base = "" if folder == "/" else folder
        self._follow = follow
        # Room for the zero byte that ends a path in C, the slash, and a temporary name beside the shortest one.
        self.longest = max(0, _PATH_MAX - 1 - len(os.fsencode(self._base)) - 1 - TEMP_SIZE)
        self._sure: dict[str, float] = {"": inf}

    def place(self, path: str) -> str:
        """Return the absolute path of a key.

        Raises:
            InvalidPath: It would lead out of the root, or is a name of temporary files.
            SpecialFile: It goes through a symbolic link, and these are not followed.
        """
        folder, _, name = path.rpartition("/")
        if (
            self._sure.get(folder, 0.0) > monotonic()
            and name not in _ODD
            and "\0" not in name
            and not name.startswith(TEMP)
            and path[0] != "/"
        ):
            return f"{self._base}/{path}"
        if not path:
            return self.folder
        check_hierarchical(path)
        if TEMP in path and any(part.startswith(TEMP) for part in path.split("/")):
            raise InvalidPath(f"names that begin with {TEMP!r} are kept for temporary files", path=path)
        if self._follow:
            self._trust(folder, inf)
        else:
            self.refuse_links(folder)
        return f"{self._base}/{path}"

    def target(self, path: str) -> str:
        """Return the absolute path of a key at which something is to be stored.

        Raises:
            IsADirectory: It is the root.
            InvalidPath: As ``place``; also if it is too long, or its name would be another one on the disk.
        """
        if not path.isascii() or not 0 < len(path) <= self.longest:
            self._check_target(path)
        return self.place(path)

    def refuse_links(self, folder: str) -> None:
        """Refuse a folder that is, or is reached by, a symbolic link: it may stand anywhere.

        Looked at again after a second: not per object, or it would cost more than storing a small file.
        """
        if self._follow:
            return
        place = self._base
        for part in folder.split("/") if folder else ():
            place = f"{place}/{part}"
            try:
                mode = os.lstat(place).st_mode
            except FileNotFoundError:
                return
            if st.S_ISLNK(mode):
                raise SpecialFile(
                    f"{printable(place)!r} is a symbolic link, and may lead out of the storage; "
                    "links=follow allows that",
                    path=folder,
                )
        self._trust(folder, monotonic() + _TRUST)

    def distrust(self) -> None:
        """Look at all folders again: one of them was moved, removed or replaced."""
        self._sure = {"": inf}

    def _check_target(self, path: str) -> None:
        if not path:
            raise IsADirectory("the root of the storage is a directory")
        _check_bytes(path)
        if len(os.fsencode(path)) > self.longest:
            raise InvalidPath(f"a path of more than {self.longest} bytes cannot be stored here", path=path)

    def _trust(self, folder: str, until: float) -> None:
        if len(self._sure) > 10_000:
            self.distrust()
        self._sure[folder] = until


def _check_bytes(path: str) -> None:
    """Refuse text that no bytes on the disk would be read as again."""
    try:
        same = os.fsdecode(os.fsencode(path)) == path
    except UnicodeEncodeError:
        same = False
    if not same:
        raise InvalidPath("the name would be another one on the disk", path=path)
