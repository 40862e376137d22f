"""Listing one open folder: its names in path order, and what stands behind them."""

from __future__ import annotations

import os
import stat as st
from bisect import bisect_left
from typing import Final, Literal

from omnistorage.core.errors import SourceChanged
from omnistorage.core.info import DIR, FILE, LINK, OTHER, ObjectInfo
from omnistorage.core.localnames import TEMP, plain_names

from ._locallinks import SUFFIX, Ancestors, describe_link

Links = Literal["skip", "follow", "keep"]
Names = list[str]
Infos = list[ObjectInfo]

_TYPE: Final = 0o170000
_REGULAR: Final = 0o100000


class Cursor:
    """Where a listing of one folder goes on.

    Attributes:
        names: All names in path order, those of folders with a slash.
        odd: Those of which it is not known what they are; None if nobody looked.
        start: Index of the first name of the page.
    """

    __slots__ = ("names", "odd", "start")

    def __init__(self, names: Names, odd: set[str] | None = None, start: int = 0) -> None:
        self.names = names
        self.odd = odd
        self.start = start

    def page(self, size: int) -> tuple[Names, Cursor | None]:
        """Return the names of this page, and the cursor of the next."""
        end = self.start + size
        if not self.start and end >= len(self.names):
            return self.names, None
        rest = Cursor(self.names, self.odd, end) if end < len(self.names) else None
        return self.names[self.start : end], rest


def read_names(folder: int, links: Links, ancestors: Ancestors) -> tuple[Names, bool]:
    """Return the names in a folder in path order, and whether there are temporary files among what is in it.

    Folders have a slash behind their names, and links that are kept are named as keys.
    """
    if links != "skip":
        return read_kinds(folder, links, ancestors)[0], False
    with os.scandir(folder) as entries:
        names = [entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in entries]
    names.sort()
    begin = end = bisect_left(names, TEMP)
    while end < len(names) and names[end].startswith(TEMP):
        end += 1
    del names[begin:end]
    return names, begin < end


def read_kinds(folder: int, links: Links, ancestors: Ancestors) -> tuple[Names, set[str]]:
    """Return names as ``read_names``, and those among them that may be neither file nor folder."""
    if links == "skip":
        return plain_names(folder)
    names: Names = []
    odd: set[str] = set()
    found: Names = []
    add = names.append
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == "." and name.startswith(TEMP):
                continue
            if entry.is_file(follow_symlinks=False):
                add(name)
            elif entry.is_dir(follow_symlinks=False) or (links == "follow" and _leads_on(entry, ancestors)):
                add(name + "/")
            elif links == "keep" and entry.is_symlink():
                found.append(name + SUFFIX)
            else:
                add(name)
                odd.add(name)
    if links == "keep":
        odd.update(name for name in names if name.endswith(SUFFIX))
        taken = set(names) if found else set()
        names += [key for key in found if key not in taken and key + "/" not in taken]
    names.sort()
    return names, odd


def describe_names(folder: int, prefix: str, names: Names, links: Links) -> Infos:
    """Describe the files and folders of these names; what has vanished meanwhile is left out."""
    infos: Infos = []
    add, look, keep = infos.append, os.stat, links == "keep"
    for name in names:
        try:
            # Looking up names below an open folder spares the kernel the walk along the path.
            about = look(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            if keep and name.endswith(SUFFIX):
                infos += _kept(folder, prefix, name)
            continue
        except NotADirectoryError:
            raise SourceChanged("was listed as a folder, is a file now", path=prefix + name[:-1]) from None
        if about.st_mode & _TYPE == _REGULAR and not (keep and name.endswith(SUFFIX)):
            add(ObjectInfo(prefix + name, FILE, about.st_size, about.st_mtime_ns))
        elif name[-1] == "/":
            add(ObjectInfo(prefix + name[:-1], DIR, None, about.st_mtime_ns))
        elif keep and st.S_ISLNK(about.st_mode):
            infos += _kept(folder, prefix, name)
        else:
            add(_odd_entry(folder, prefix + name, name, about, links))
    return infos


def brief_infos(folder: int, prefix: str, names: Names, odd: set[str] | None, links: Links) -> Infos:
    """Return names and kinds only; the kernel is asked of the odd ones, which are few."""
    if odd is None:
        # The listing began as one with sizes and times.
        return describe_names(folder, prefix, names, links)
    if odd:
        infos: Infos = []
        for name in names:
            if name in odd:
                infos += describe_names(folder, prefix, [name], links)
            else:
                infos += _brief(prefix, [name])
        return infos
    return _brief(prefix, names)


def describe(path: str, about: os.stat_result) -> ObjectInfo:
    """Say what ``stat`` of a path means."""
    mode = about.st_mode & _TYPE
    if mode == _REGULAR:
        return ObjectInfo(path, FILE, about.st_size, about.st_mtime_ns)
    if st.S_ISDIR(mode):
        return ObjectInfo(path, DIR, None, about.st_mtime_ns)
    return ObjectInfo(path, LINK if st.S_ISLNK(mode) else OTHER, None, about.st_mtime_ns)


def kind_in_words(place: str) -> str:
    """Say what stands at a path, for people."""
    try:
        mode = os.lstat(place).st_mode
    except OSError:
        return "something else"
    for test, word in _WORDS:
        if test(mode):
            return word
    return "something else"


def _brief(prefix: str, names: Names) -> Infos:
    if prefix:
        return [
            ObjectInfo(prefix + name) if name[-1] != "/" else ObjectInfo(prefix + name[:-1], DIR) for name in names
        ]
    return [ObjectInfo(name) if name[-1] != "/" else ObjectInfo(name[:-1], DIR) for name in names]


def _leads_on(entry: os.DirEntry[str], ancestors: Ancestors) -> bool:
    """Say whether a link leads to a folder that a walk has not come from."""
    try:
        return entry.is_symlink() and entry.is_dir() and not ancestors.has(entry.stat())
    except OSError:
        # It points to itself, or to where we may not look.
        return False


def _kept(folder: int, prefix: str, name: str) -> Infos:
    try:
        return [describe_link(prefix + name, name.removesuffix(SUFFIX), folder=folder)]
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise SourceChanged("was listed as a symbolic link, is none now", path=prefix + name) from exc


def _odd_entry(folder: int, path: str, name: str, about: os.stat_result, links: Links) -> ObjectInfo:
    """Describe what is neither a file nor was a folder a moment ago."""
    mode = about.st_mode
    if st.S_ISDIR(mode):
        raise SourceChanged("was listed as a file, is a folder now", path=path)
    if st.S_ISREG(mode):
        # With links=keep its key means a link.
        return ObjectInfo(path, OTHER, None, about.st_mtime_ns)
    if st.S_ISLNK(mode) and links == "follow":
        try:
            target = os.stat(name, dir_fd=folder)
        except OSError:
            # It points nowhere, or to itself.
            return describe(path, about)
        # A link to a folder that was not listed as one leads back to where the walk is.
        return describe(path, about if st.S_ISDIR(target.st_mode) else target)
    return describe(path, about)


_WORDS: Final = (
    (st.S_ISLNK, "a symbolic link"),
    (st.S_ISFIFO, "a FIFO"),
    (st.S_ISSOCK, "a socket"),
    (st.S_ISCHR, "a device"),
    (st.S_ISBLK, "a device"),
    (st.S_ISDIR, "a folder"),
)
