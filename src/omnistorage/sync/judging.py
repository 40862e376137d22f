"""What an object is found to be when it is read again: sound, changed since, or damaged."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec

from omnistorage.core import hashes
from omnistorage.core.content import read_and_hash
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, StorageError
from omnistorage.core.info import ObjectInfo


class State(Enum):
    """What was found out about one object.

    VERIFIED: it has the recorded bytes. UNRECORDED: it could be read, but nothing tells what its bytes should be.
    ROT: other bytes than recorded, under the recorded size and time of modification, or others than the service
    says. CHANGED: other bytes, and another time. DIFFERS: other bytes, and nothing tells whether by change or by
    damage. MISSING: in the record only. NEW: not in the record. FAILED: it could not be read.
    """

    VERIFIED = "verified"
    UNRECORDED = "unrecorded"
    ROT = "rot"
    CHANGED = "changed"
    DIFFERS = "differs"
    MISSING = "missing"
    NEW = "new"
    FAILED = "failed"


SIGNS: Final[Mapping[State, str]] = {
    State.VERIFIED: "=",
    State.UNRECORDED: "=",
    State.ROT: "*",
    State.CHANGED: "*",
    State.DIFFERS: "*",
    State.MISSING: "+",
    State.NEW: "-",
    State.FAILED: "!",
}
"""The sign of each state in reports, as ``check`` has them where the record is the source."""


class Finding(msgspec.Struct, frozen=True):
    """What was found out about one object.

    Attributes:
        state: What it is.
        path: The object.
        reason: Why, in words for people.
        bytes: Bytes that were read.
    """

    state: State
    path: str
    reason: str = ""
    bytes: int = 0

    @property
    def sign(self) -> str:
        """The sign in reports."""
        return SIGNS[self.state]


Entry = tuple[ObjectInfo | None, ObjectInfo]
"""What is recorded of an object, if anything is, and what stands there now."""

Judged = tuple[Finding, ObjectInfo | None]
"""What was found, and what is to be recorded from now on, if anything is."""

Said = tuple[Finding | None, ObjectInfo | None]
"""The same; nothing is said of what was left out, but it stays in the record."""


class Judge:
    """Reads objects and compares them with what is recorded, batch by batch, from any thread.

    Args:
        driver: The storage.
        record: The hash to record, or None if nothing is to be recorded.
        against: There is a record: what it does not know is new.
        download: Read the bytes and compute here, also where the service computes.
    """

    def __init__(self, driver: Driver, record: str | None, *, against: bool, download: bool) -> None:
        self._stopped = False
        self._driver = driver
        self._record = record
        self._unknown = State.NEW if against else State.UNRECORDED
        self._download = download

    def batch(self, batch: list[Entry], /) -> list[Said]:
        """Judge some objects."""
        return [self._judge(recorded, info) for recorded, info in batch if not self._stopped]

    def cancel(self) -> None:
        """Judge no more."""
        self._stopped = True

    def _judge(self, recorded: ObjectInfo | None, info: ObjectInfo) -> Judged:
        """Judge an object, and look twice before it is called damaged: it may have been changed just now."""
        path = info.path
        first = self._once(recorded, info)
        if first[0].state is not State.ROT and first[0].state is not State.FAILED:
            return first
        try:
            now = self._driver.stat(path)
        except NotFound:
            if recorded is None:
                return first
            return Finding(State.MISSING, path, "it vanished while it was read"), None
        except StorageError:
            return first
        if _stamp(now) != _stamp(info):
            return self._once(recorded, now)
        if first[0].state is State.FAILED:
            return first
        second = self._once(recorded, now)
        if second[0].state is State.ROT:
            return second
        words = "it was read twice, with two results: disk, memory or network is at fault"
        return Finding(State.FAILED, path, words), recorded

    def _once(self, recorded: ObjectInfo | None, info: ObjectInfo) -> Judged:
        try:
            return self._compare(recorded, info)
        except StorageError as exc:
            return Finding(State.FAILED, info.path, str(exc)), recorded

    def _compare(self, recorded: ObjectInfo | None, info: ObjectInfo) -> Judged:
        path, size = info.path, info.size or 0
        stated = self._stated(info, recorded)
        wanted = set(stated)
        resized = False
        if recorded is not None:
            resized = recorded.size is not None and info.size is not None and recorded.size != info.size
            if not resized:
                wanted |= recorded.hashes.keys()
        if self._record is not None:
            wanted.add(self._record)
        elif resized:
            # That it differs is known without reading it.
            return self._different(recorded, info), recorded
        found = self._read(info, wanted)
        now = None
        if self._record is not None:
            now = ObjectInfo(path, info.kind, info.size, info.mtime_ns, {self._record: found[self._record]})
        for name, digest in stated.items():
            if found[name] != digest:
                words = f"damaged: {self._driver.scheme} states another {name} than its bytes have"
                return Finding(State.ROT, path, words, size), recorded
        if recorded is None:
            if self._unknown is State.NEW:
                return Finding(State.NEW, path, "not in the record", size), now
            if stated:
                return Finding(State.VERIFIED, path, f"its bytes have the stated {', '.join(stated)}", size), now
            return Finding(State.UNRECORDED, path, "it can be read, but no hash of it is recorded", size), now
        if not resized and all(found[name] == digest for name, digest in recorded.hashes.items()):
            return Finding(State.VERIFIED, path, "its bytes are those recorded", size), now
        finding = self._different(recorded, info)
        # What may be damaged is not to be recorded as if it were sound.
        return finding, now if finding.state is State.CHANGED else recorded

    def _stated(self, info: ObjectInfo, recorded: ObjectInfo | None) -> dict[str, str]:
        """Return the hashes that the service states without reading; asked for only where nothing else is known."""
        told = info.hashes
        if not told and recorded is None and self._unknown is State.UNRECORDED and self._driver.features.hashes:
            told = self._driver.stat(info.path).hashes
        return {name: digest for name, digest in told.items() if name in hashes.SIZES}

    def _read(self, info: ObjectInfo, wanted: set[str]) -> dict[str, str]:
        features = self._driver.features
        # Several hashes of a local file come from one pass over it.
        there = bool(wanted) and wanted <= features.computes and (len(wanted) == 1 or not features.local)
        if there and not self._download:
            return {name: self._driver.hash(info.path, name) for name in wanted}
        return read_and_hash(self._driver, info, wanted)

    def _different(self, recorded: ObjectInfo | None, info: ObjectInfo) -> Finding:
        assert recorded is not None
        path, size = info.path, info.size or 0
        if recorded.mtime_ns is None or info.mtime_ns is None:
            return Finding(State.DIFFERS, path, "other bytes than recorded; the record tells no times", size)
        if abs(recorded.mtime_ns - info.mtime_ns) >= self._driver.features.precision:
            return Finding(State.CHANGED, path, "changed since it was recorded", size)
        if recorded.size == info.size:
            words = "damaged: other bytes than recorded, while size and time of modification are the same"
            return Finding(State.ROT, path, words, size)
        words = f"{info.size} bytes instead of {recorded.size}, while the time of modification is the same"
        return Finding(State.DIFFERS, path, words, size)


def _stamp(info: ObjectInfo) -> tuple[object, ...]:
    return info.kind, info.size, info.mtime_ns, info.etag, info.version
