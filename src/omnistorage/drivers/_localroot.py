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

_MOST_TRUSTED: Final = 10_000

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
            self._trust(folder, inf, self._sure)
        else:
            # From the nearest folder on that was looked at: from the root on, a deep tree takes the third power of
            # its depth.
            sure, now, known = self._sure, monotonic(), folder
            while sure.get(known, 0.0) <= now:
                known = known.rpartition("/")[0]
            self._look_along(folder, known, min(sure[known], now + _TRUST), sure)
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
        if not self._follow:
            self._look_along(folder, "", monotonic() + _TRUST, self._sure)

    def distrust(self) -> None:
        """Look at all folders again: one of them was moved, removed or replaced."""
        self._sure = {"": inf}

    def _look_along(self, folder: str, known: str, until: float, sure: dict[str, float]) -> None:
        """Refuse a symbolic link among the folders below ``known``, which is none; trust them for a while.

        If all are distrusted meanwhile, nobody looks into ``sure`` any more.
        """
        place = f"{self._base}/{known}" if known else self._base
        rest = folder[len(known) :].strip("/")
        for part in rest.split("/") if rest else ():
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
        self._trust(folder, until, sure)

    def _trust(self, folder: str, until: float, sure: dict[str, float]) -> None:
        sure[folder] = until
        if len(sure) > _MOST_TRUSTED:
            self.distrust()

    def _check_target(self, path: str) -> None:
        if not path:
            raise IsADirectory("the root of the storage is a directory")
        _check_bytes(path)
        if len(os.fsencode(path)) > self.longest:
            raise InvalidPath(f"a path of more than {self.longest} bytes cannot be stored here", path=path)


def _check_bytes(path: str) -> None:
    """Refuse text that no bytes on the disk would be read as again."""
    try:
        same = os.fsdecode(os.fsencode(path)) == path
    except UnicodeEncodeError:
        same = False
    if not same:
        raise InvalidPath("the name would be another one on the disk", path=path)
