"""The names in one folder of this machine: what each listing of it begins with, and all that some commands need.

Imports next to nothing, so that a command which only prints names starts in no time.
"""

from __future__ import annotations

import os

TEMP = ".omnistorage-"
"""How names of temporary files begin; they are never listed, and no object can have such a name."""


def plain_names(folder: int | str) -> tuple[list[str], set[str]]:
    """Return the names in a folder in path order, those of folders with a slash, and the odd ones among them.

    Odd is what is neither file nor folder, such as a symbolic link.

    Raises:
        OSError: It cannot be listed.
    """
    names: list[str] = []
    odd: set[str] = set()
    add = names.append
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == "." and name.startswith(TEMP):
                continue
            if entry.is_file(follow_symlinks=False):
                add(name)
            elif entry.is_dir(follow_symlinks=False):
                add(name + "/")
            else:
                add(name)
                odd.add(name)
    names.sort()
    return names, odd
