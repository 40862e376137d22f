"""Keeping old versions: what is about to be replaced or deleted gets a second name first."""

from __future__ import annotations

from itertools import count

from omnistorage.core.driver import Driver
from omnistorage.core.errors import AlreadyExists, NotFound
from omnistorage.core.info import FILE
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

    def keep(self, path: str) -> str:
        """Keep the object at ``path`` and return the name of its backup; empty if there is no object to keep.

        Raises:
            StorageError: It could not be kept; so it must not be replaced.
        """
        try:
            info = self._dst.stat(path)
        except NotFound:
            return ""
        if info.kind is not FILE:
            return ""
        root = self._dst.local_root
        body = OpenerBody(lambda: self._dst.get(path), info.size, f"{root}/{path}" if root is not None else None)
        options = PutOptions(
            content_type=info.content_type,
            mtime_ns=info.mtime_ns,
            metadata=info.metadata,
            if_absent=True,
            link=self._linked,
        )
        wanted = self.name_of(path)
        for number in count(1):
            name = wanted if number == 1 else numbered(wanted, number - 1)
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

    def _is_taken(self, name: str) -> bool:
        try:
            self._place.stat(name)
        except NotFound:
            return False
        return True


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
