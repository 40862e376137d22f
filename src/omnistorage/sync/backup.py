"""Keeping old versions: what is about to be replaced or deleted gets a second name first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

from omnistorage.core.content import common_hash, same_content
from omnistorage.core.driver import Driver
from omnistorage.core.errors import AlreadyExists, NotFound
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import OpenerBody


class Backup:
    """Keeps objects of a destination, each under a name that nothing has yet.

    The object itself stays where it is, until whoever asked replaces or deletes it: at no moment is there only
    the intention of a copy. On one disk of this machine the backup is a second hard link and costs no bytes.

    Args:
        dst: The destination.
        place: Where backups go; the destination itself if None.
        suffix: What their names end with.
        keep_extension: Put the suffix before the extension.
        linked: The destination never writes into an object that is there, so that a hard link stays as it is.
    """

    def __init__(
        self,
        dst: Driver,
        place: Driver | None,
        suffix: str = "",
        *,
        keep_extension: bool = False,
        linked: bool = True,
    ) -> None:
        self._dst = dst
        self._place = dst if place is None else place
        self._suffix = suffix
        self._keep_extension = keep_extension
        self._linked = linked
        self._repeats = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _repeats=True)

    def keep(self, path: str, then: ObjectInfo | None = None, new: ObjectInfo | None = None) -> str:
        """Keep the object at ``path`` and return the name of its backup; empty if there is no object to keep.

        In another process, where this may be asked for a second time, a backup that was made is not made again.

        Args:
            path: The object.
            then: What stood there when it was planned to replace or delete it.
            new: What replaces it.

        Raises:
            StorageError: It could not be kept; so it must not be replaced.
        """
        try:
            info = self._dst.stat(path)
        except NotFound:
            return self._made_of(path, then) if self._repeats and then is not None else ""
        if info.kind is not FILE:
            return ""
        if self._repeats and then is not None and (made := self._made(path, info, then, new)):
            return made
        root = self._dst.local_root
        body = OpenerBody(lambda: self._dst.get(path), info.size, f"{root}/{path}" if root is not None else None)
        options = PutOptions(
            content_type=info.content_type,
            mtime_ns=info.mtime_ns,
            metadata=info.metadata,
            if_absent=True,
            link=self._linked,
        )
        for name in self._names(path):
            # Asking first is cheaper than sending what is refused, and all there is without ``if_absent``.
            if self._is_taken(name):
                continue
            try:
                self._place.put(name, body, options)
            except AlreadyExists:
                continue
            return name
        raise AssertionError("unreachable")

    def name_of(self, path: str) -> str:
        """Return the name that the first backup of ``path`` gets."""
        return with_suffix(path, self._suffix, keep_extension=self._keep_extension)

    def _names(self, path: str) -> Iterator[str]:
        wanted = self.name_of(path)
        yield wanted
        for number in count(1):
            yield numbered(wanted, number)

    def _is_taken(self, name: str) -> bool:
        return self._find(name) is not None

    def _find(self, name: str) -> ObjectInfo | None:
        try:
            return self._place.stat(name)
        except NotFound:
            return None

    def _made(self, path: str, info: ObjectInfo, then: ObjectInfo, new: ObjectInfo | None) -> str:
        """Return the name of the backup that an earlier attempt made, or nothing."""
        if self._is(info, then):
            # It is about to be replaced or deleted: only what is proven to be the same object stands for it.
            return self._made_of(path, info, proven=True)
        return self._made_of(path, then) if new is not None and self._is(info, new) else ""

    def _made_of(self, path: str, then: ObjectInfo, *, proven: bool = False) -> str:
        for name in self._names(path):
            found = self._find(name)
            if found is None:
                return ""
            if self._is(found, then) and (not proven or self._holds(name, path)):
                return name
        raise AssertionError("unreachable")

    def _is(self, one: ObjectInfo, two: ObjectInfo) -> bool:
        if one.mtime_ns is None or two.mtime_ns is None or one.size != two.size:
            return False
        window = max(self._dst.features.precision, self._place.features.precision)
        return abs(one.mtime_ns - two.mtime_ns) < max(window, 1)

    def _holds(self, name: str, path: str) -> bool:
        """Say whether a backup is the object itself by a second name, or has its bytes."""
        here, there = self._dst.local_root, self._place.local_root
        if here is not None and there is not None:
            try:
                if self._linked and os.path.samefile(f"{here}/{path}", f"{there}/{name}"):
                    return True
            except OSError:
                return False
        return same_content(self._dst, self._place, path, common_hash(self._dst, self._place), dst_path=name)


def with_suffix(path: str, suffix: str, *, keep_extension: bool = False) -> str:
    """Return a path with a suffix at its end or before its extension; ``a.tar.gz`` has one extension of two parts."""
    if not keep_extension or not suffix:
        return path + suffix
    folder, slash, name = path.rpartition("/")
    stem, dot, last = name.rpartition(".")
    if not dot:
        return path + suffix
    extension = dot + last
    inner, dot, middle = stem.rpartition(".")
    if dot and inner and _is_inner(middle):
        stem, extension = inner, f".{middle}{extension}"
    return f"{folder}{slash}{stem}{suffix}{extension}"


def numbered(path: str, number: int) -> str:
    """Return the name of a further backup, as GNU ``cp --backup=numbered`` writes it."""
    return f"{path}.~{number}~"


def _is_inner(part: str) -> bool:
    """Say whether a part of a name is an extension of its own before another, as in ``a.tar.gz``."""
    if part == "tar":
        return True
    from mimetypes import MimeTypes

    # What Python knows by itself: the tables of the system differ from one machine to the next.
    return f".{part.lower()}" in MimeTypes().types_map[True]
