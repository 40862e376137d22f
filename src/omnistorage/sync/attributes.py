"""What a run keeps of objects beside their bytes: what the source has, what was asked for, what is lacking."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from omnistorage.core.attributes import (
    ACLS,
    CONTENT_TYPE,
    MTIME,
    OWNERS,
    SPECIAL,
    SYSTEM,
    TIMES,
    differing,
    from_text,
    number,
)
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, StorageError
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.paths import parent

from .mapper import Mapper
from .model import ONLY_METADATA, Action, Outcome, Verb, origin_of
from .options import Options

Metadata = dict[str, str]


def metadata_of(driver: Driver, path: str) -> Metadata:
    """Return what a service keeps beside the bytes of an object or directory: all it tells, or the user's part.

    Raises:
        NotFound: There is neither.
    """
    if driver.features.attributes:
        return driver.metadata(path)
    return dict(driver.stat(path).metadata)


class Attributes:
    """Carries metadata from one side to the other; safe to use from many threads.

    Args:
        src: The source.
        dst: The destination.
        options: What is to be kept, and what to be changed on the way.

    Attributes:
        alters: Objects get other metadata than they have at the source.
        private: Directories that are made will get a mode of their own, and are for their owner only until then.
    """

    @classmethod
    def wished(cls, src: Driver, dst: Driver, options: Options) -> Attributes | None:
        """Return what a run needs, None if it is to keep nothing, or the destination can keep nothing."""
        able = dst.features.metadata or dst.features.attributes
        asked = options.metadata or options.metadata_set or options.metadata_mapper
        return cls(src, dst, options) if able and asked else None

    def __init__(self, src: Driver, dst: Driver, options: Options) -> None:
        one, two = src.features, dst.features
        self._src = src
        self._dst = dst
        self._read = options.metadata
        self._set = dict(options.metadata_set)
        self._mapper = Mapper(options.metadata_mapper, src, dst) if options.metadata_mapper else None
        self.alters = bool(self._set or self._mapper)
        self._applies = two.applies
        self._as_text = two.metadata
        self._special = "mode" not in two.applies or SPECIAL in two.applies
        # An access list that the source does not have is one to be taken away, if it could have had one.
        self._lists = one.applies & two.applies & ACLS if options.metadata else frozenset[str]()
        # What this process cannot set is no difference: each run would try in vain.
        self._foreign = frozenset() if two.metadata else OWNERS - two.applies
        self.private = options.metadata and one.attributes and one.mkdir and "mode" in two.applies
        self._opened: dict[str, str] = {}
        self._lock = threading.Lock()
        self._here = True

    def __getstate__(self) -> dict[str, Any]:
        # Folders are opened for a while by the process that closes them again.
        return {**self.__dict__, "_lock": None, "_opened": {}, "_here": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def wanted(self, info: ObjectInfo) -> Metadata:
        """Return the metadata that an object or directory of the source is to have at the destination.

        Raises:
            StorageError: It cannot be read, or the mapper failed.
        """
        told = metadata_of(self._src, origin_of(info)) if self._read else dict(info.metadata)
        told |= self._set
        if self._mapper is not None:
            told = self._mapper(info, told)
        if not self._dst.features.local:
            told = {name.lower(): value for name, value in told.items()}
        told = {name: value for name, value in told.items() if self._takes(name)}
        if not info.is_dir or "posix-acl-default" not in self._lists:
            return {**dict.fromkeys(self._lists - {"posix-acl-default"}, ""), **told}
        return {**dict.fromkeys(self._lists, ""), **told}

    def put_options(self, info: ObjectInfo, wanted: Metadata) -> PutOptions:
        """Return how to store an object so that it has the metadata that is wanted."""
        return PutOptions(
            mtime_ns=self.mtime_ns(info, wanted),
            content_type=wanted.get(CONTENT_TYPE) or info.content_type,
            metadata={name: value for name, value in wanted.items() if name not in (MTIME, CONTENT_TYPE)},
            attributes=True,
            private=self.private,
        )

    def mtime_ns(self, info: ObjectInfo, wanted: Metadata) -> int | None:
        """Return the time of modification that an object is to have, in nanoseconds of Unix time."""
        # What the source tells as text may be less exact than what it lists.
        return from_text(wanted[MTIME]) if self.alters and wanted.get(MTIME) else info.mtime_ns

    def lost(self, wanted: Mapping[str, str], held: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of what the destination was given, but does not have."""
        return tuple(differing(wanted, held, special=self._special))

    def settle(self, action: Action, *, dry_run: bool = False) -> Outcome:
        """Say whether the metadata of a path differs, and set it if so; times stay.

        What is done has the verb METADATA; COPY where the destination can only store the object again, which is not
        done here; KEEP if there was nothing to be set.

        Raises:
            StorageError: One side cannot be asked, or metadata cannot be set.
        """
        src, path = action.src, action.path
        assert src is not None
        able = self._dst.features.set_metadata
        try:
            differs, lost = self._give(self.wanted(src), path, dry_run=dry_run or not able)
        except NotFound:
            if not src.is_dir or self._held(path) is not None:
                raise
            # It holds nothing that was selected, so it was not made.
            differs, lost = False, ()
        if not differs or (src.is_dir and action.dst is None):
            # What a run has just made gets what it is to have, which is no change of something that was there.
            verified = "" if src.is_dir else "size"
            return Outcome(msgspec.structs.replace(action, verb=Verb.KEEP), verified=verified, lost=lost)
        verb = Verb.METADATA if able else Verb.COPY
        return Outcome(msgspec.structs.replace(action, verb=verb, reason=ONLY_METADATA), lost=lost)

    def settle_all(self, info: ObjectInfo, path: str) -> tuple[str, ...]:
        """Give what stands at ``path`` metadata and time of modification; return the names of what was not kept."""
        wanted = self.wanted(info)
        _, lost = self._give(wanted, path)
        mtime_ns = self.mtime_ns(info, wanted)
        if mtime_ns is not None and self._dst.features.set_modified:
            self._dst.set_modified(path, mtime_ns)
        return lost

    def hide(self, folder: str) -> None:
        """Let nobody else look into a directory that was made just now, until it gets its own mode."""
        if self.private:
            self._dst.set_metadata(folder, {"mode": "700"})

    def open_up(self, path: str) -> bool:
        """Let ourselves write into the directory above ``path``, if its mode is what forbids it; say whether it was.

        ``shut_again`` undoes it.
        """
        folder = parent(path)
        if not self._here or not self._read or "mode" not in self._applies:
            return False
        folder = parent(path)
        # Another thread may be just about to, and its answer is ours as well.
        with self._lock:
            try:
                while (held := self._held(folder)) is None and folder:
                    # It is to be made in the one above.
                    folder = parent(folder)
                if folder in self._opened:
                    return True
                mode = number(held or {}, "mode", 8)
                if held is None or mode is None or mode & 0o700 == 0o700:
                    return False
                self._dst.set_metadata(folder, {**_untimed(held), "mode": f"{mode | 0o700:o}"})
            except StorageError:
                # Not ours to change: the failure that brought us here is the one to be told.
                return False
            self._opened[folder] = held["mode"]
        return True

    def shut_again(self) -> None:
        """Give the directories that were opened the mode that they had, the deepest first."""
        for folder in sorted(self._opened, reverse=True):
            try:
                held = metadata_of(self._dst, folder)
                self._dst.set_metadata(folder, {**_untimed(held), "mode": self._opened[folder]})
            except StorageError:
                # It was removed.
                continue
        self._opened.clear()

    def _give(self, wanted: Metadata, path: str, *, dry_run: bool = False) -> tuple[bool, tuple[str, ...]]:
        """Return whether there was something to be set, and the names of what could not be."""
        untouched = TIMES & self._applies
        wanted = {name: value for name, value in wanted.items() if name not in untouched}
        held = metadata_of(self._dst, path)
        names = self._lacking(wanted, held)
        if not names or dry_run:
            return bool(names), ()
        lost = self.lost(wanted, self._dst.set_metadata(path, wanted).metadata)
        return bool(set(names) - set(lost)), lost

    def _held(self, path: str) -> Metadata | None:
        try:
            return metadata_of(self._dst, path)
        except NotFound:
            return None

    def _lacking(self, wanted: Metadata, held: Metadata) -> list[str]:
        return [name for name in differing(wanted, held, special=self._special) if name not in self._foreign]

    def _takes(self, name: str) -> bool:
        if name in ACLS:
            return name in self._applies
        if name not in SYSTEM or name in OWNERS or name in self._applies:
            return True
        return self._as_text and name != "btime"


def _untimed(held: Metadata) -> Metadata:
    return {name: value for name, value in held.items() if name not in TIMES}
