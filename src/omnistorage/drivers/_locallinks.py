"""``links=keep``: a symbolic link as a small object that holds its target; also the links that lead in a circle.

The object of the link ``x`` has the key ``x.rclonelink``, as rclone has it. The key ``x`` means nothing then, and
what really has such a name (``x.rclonelink`` as a file) is listed, but refused: its key is taken.
"""

from __future__ import annotations

import errno
import os
import stat as st
from typing import Final

from omnistorage.core.errors import AlreadyExists, InvalidPath, Truncated
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, read_exactly

from ._localmeta import finish_link, folder_mode
from ._localtemp import Fsync, make_folders, sync_folder, unique_name, unlink_quietly

SUFFIX: Final = ".rclonelink"
"""What stands behind the name of a symbolic link in its key."""

_LONGEST: Final = 4095
"""Bytes of the longest target that a link can have."""


def link_of(place: str) -> str | None:
    """Return the path of the symbolic link that the key at ``place`` means; None if it does not mean one.

    Raises:
        FileNotFoundError: It means one, and there is none.
    """
    if place.endswith(SUFFIX):
        if _is_real(place):
            return None
        link = place.removesuffix(SUFFIX)
        if not os.path.islink(link):
            raise FileNotFoundError(errno.ENOENT, "not found", place)
        return link
    if os.path.islink(place):
        # Its key has the suffix.
        raise FileNotFoundError(errno.ENOENT, "not found", place)
    return None


def describe_link(path: str, link: str, *, folder: int | None = None) -> ObjectInfo:
    """Describe the link at ``link`` (below the open ``folder``, if given) as the object ``path``."""
    target = os.readlink(link, dir_fd=folder)
    about = os.stat(link, dir_fd=folder, follow_symlinks=False)
    return ObjectInfo(path, FILE, len(os.fsencode(target)), about.st_mtime_ns)


def put_link(path: str, place: str, body: Body, options: PutOptions, fsync: Fsync) -> ObjectInfo:
    """Make the symbolic link that the object ``path`` stands for, in one step.

    Raises:
        AlreadyExists: ``options.if_absent``, and there is something.
        InvalidPath: The body is no target that a link can have.
        Truncated: The body gave another number of bytes than its ``size``.
    """
    if _is_real(place):
        raise AlreadyExists(f"a real file or folder has the name that stands for a link ({SUFFIX})", path=path)
    with body.open() as source:
        target = read_exactly(source, _LONGEST + 1)
        if body.size is not None and min(body.size, _LONGEST + 1) != len(target):
            raise Truncated(f"{body.size} bytes were announced, {len(target)} came")
        body.check()
    if not target or len(target) > _LONGEST or b"\0" in target:
        raise InvalidPath("these bytes cannot be the target of a symbolic link", path=path)
    link = place.removesuffix(SUFFIX)
    folder = os.path.dirname(link)
    make_folders(folder, fsync, folder_mode(options))
    if options.if_absent:
        os.symlink(target, os.fsencode(link))
        held = finish_link(link, options)
    else:
        temp = unique_name(folder)
        os.symlink(target, os.fsencode(temp))
        try:
            held = finish_link(temp, options)
            os.rename(temp, link)
        except BaseException:
            unlink_quietly(temp)
            raise
    if fsync == "full":
        sync_folder(folder)
    # Not by reading it again, which would be an access.
    return ObjectInfo(path, FILE, len(target), os.lstat(link).st_mtime_ns, metadata=held)


class Ancestors:
    """The folders above and at one folder, to tell links by which a walk would come back to where it is."""

    def __init__(self, root: str, place: str) -> None:
        self._root = root
        self._place = place
        self._known: set[tuple[int, int]] | None = None

    def has(self, about: os.stat_result) -> bool:
        """Say whether a folder is one of them."""
        if self._known is None:
            self._known = self._look()
        return (about.st_dev, about.st_ino) in self._known

    def _look(self) -> set[tuple[int, int]]:
        """Look only when there is a link to a folder: most listings have none."""
        known = set()
        place = self._place
        while len(place) > len(self._root):
            known.add(_identity(place))
            place = os.path.dirname(place)
        # What stands above the root holds the root: following a link to it would list the storage within itself.
        place = os.path.realpath(self._root)
        while True:
            known.add(_identity(place))
            above = os.path.dirname(place)
            if above == place:
                return known
            place = above


def _identity(place: str) -> tuple[int, int]:
    about = os.stat(place)
    return about.st_dev, about.st_ino


def _is_real(place: str) -> bool:
    try:
        return not st.S_ISLNK(os.lstat(place).st_mode)
    except FileNotFoundError:
        return False
