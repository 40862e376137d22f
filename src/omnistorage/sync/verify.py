"""Reading a storage again and comparing with what was recorded: damage is told apart from ordinary change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import IO, Final

import msgspec

from omnistorage.core import hashes
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotADirectory, StorageError
from omnistorage.core.info import DIR, FILE, ObjectInfo
from omnistorage.storage import Storage

from .filters import Filter
from .judging import Entry, Finding, Judge, Said, State
from .model import Pair
from .pairing import pair
from .scan import Scan
from .spool import Spool
from .sums import Alone, Sums, write_record
from .workers import Batch, Workers

__all__ = ["Finding", "State", "VerifyOptions", "VerifyResult", "verify"]

_BATCH_COUNT: Final = 64
_BATCH_BYTES: Final = 16 << 20


class VerifyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to verify.

    Attributes:
        filter: What is looked at, in the storage as in the record.
        hash: The hash that the SUM file holds; None takes what its lines name, or what their length tells.
        record_hash: The hash to record; None takes that of the SUM file, else ``sha256``.
        download: Read the bytes and compute hashes here, also where the service computes them.
        one_way: Do not report what is not in the SUM file.
        checkers: Objects side by side.
    """

    filter: Filter = Filter()
    hash: str | None = None
    record_hash: str | None = None
    download: bool = False
    one_way: bool = False
    checkers: int = 8


class VerifyResult(msgspec.Struct):
    """The sum of a verification; the states are those of ``State``.

    Attributes:
        verified: Objects that have the recorded bytes.
        unrecorded: Objects that could be read, and of which no hash is recorded anywhere.
        rot: Objects that are damaged.
        changed: Objects that were changed since.
        differs: Objects with other bytes, by change or by damage.
        missing: Objects that only the record has.
        new: Objects that the record does not have.
        errors: Objects and directories that could not be read.
        skipped: Entries that are neither objects nor directories, left alone.
        malformed: Lines of the SUM file that could not be understood.
        recorded: Objects in the record that was written.
        bytes: Size of what was looked at.
    """

    verified: int = 0
    unrecorded: int = 0
    rot: int = 0
    changed: int = 0
    differs: int = 0
    missing: int = 0
    new: int = 0
    errors: int = 0
    skipped: int = 0
    malformed: int = 0
    recorded: int = 0
    bytes: int = 0

    @property
    def ok(self) -> bool:
        """True if all that is recorded is there with the recorded bytes, and nothing else is."""
        return self.sound and not (self.changed or self.missing or self.new)

    @property
    def sound(self) -> bool:
        """True if nothing is damaged or may be, and all could be read; objects may have come, changed and gone."""
        return not (self.rot or self.differs or self.errors)


def verify(
    storage: Storage,
    options: VerifyOptions | None = None,
    *,
    sums: Iterable[bytes] | None = None,
    record: IO[str] | None = None,
    found: Callable[[Finding], None] | None = None,
    complain: Callable[[str], None] | None = None,
) -> VerifyResult:
    """Read all objects of a storage again, and compare them with what was recorded of them.

    Without ``sums``, what is recorded are the hashes that the service states. An object is called damaged only
    after it was read twice, and was not changed meanwhile.

    Args:
        storage: The storage.
        options: How to verify.
        sums: The lines of a SUM file, or of a record that an earlier call wrote.
        record: A text file to write a record to, when all is read: hash, size and time of each object. It keeps
            what ``sums`` says of objects that are damaged, or cannot be read or looked at now.
        found: Called for each object, in no particular order.
        complain: Called with what is wrong with the first few lines of ``sums`` that cannot be used, in words.

    Raises:
        NotFound: There is no such storage.
        NotADirectory: It is an object.
        ValueError: There is no such hash, or what was to be a SUM file is none.
    """
    chosen = options or VerifyOptions()
    driver = storage.driver
    told = Sums(
        sums or (),
        None if chosen.hash is None else hashes.canonical(chosen.hash),
        any_key=driver.features.any_key,
        complain=complain,
    )
    pages = iter(told)
    first = next(pages, [])
    kind = None
    if record is not None:
        kind = hashes.canonical(chosen.record_hash or told.kind or "sha256")
    if driver.features.mkdir and driver.stat("").kind is not DIR:
        raise NotADirectory(scheme=driver.scheme)
    result = VerifyResult(malformed=told.malformed)
    run = _Run(driver, chosen, result, kind, against=sums is not None)
    kept: Spool[ObjectInfo] = Spool()
    try:
        for finding, info in run.judged(chain((first,), pages)):
            if finding is not None:
                _count(result, finding)
                if found is not None:
                    found(finding)
            if kind is not None and info is not None:
                kept.append(info)
        if record is not None and kind is not None:
            write_record(record, kept, kind)
            result.recorded = len(kept)
    finally:
        kept.close()
    return result


class _Run:
    def __init__(
        self, driver: Driver, options: VerifyOptions, result: VerifyResult, kind: str | None, *, against: bool
    ) -> None:
        self._driver = driver
        self._options = options
        self._result = result
        self._against = against
        self._reads_new = not against or kind is not None
        self._scan = Scan(driver, options.filter)
        self._alone = Alone(driver, options.filter, self._scan)
        self._judge = Judge(driver, kind, against=against, download=options.download)

    def judged(self, told: Iterable[list[ObjectInfo]]) -> Iterator[Said]:
        pairs: Iterable[Pair] = pair(told, self._scan) if self._against else self._listed()
        workers: Workers[Entry, Said] = Workers(self._judge, self._options.checkers, near=self._driver.features.local)
        try:
            for some in workers.run(self._batches(pairs)):
                for finding, info in some:
                    silent = self._options.one_way and finding is not None and finding.state is State.NEW
                    yield None if silent else finding, info
        finally:
            workers.close()
        for folder, error in self._scan.broken.items():
            yield Finding(State.FAILED, folder, f"cannot be listed: {error}"), None

    def _listed(self) -> Iterator[Pair]:
        for page in self._scan:
            for info in page:
                yield None, info

    def _batches(self, pairs: Iterable[Pair]) -> Iterator[Batch[Entry, Said]]:
        batch: list[Entry] = []
        size = 0
        for recorded, info in pairs:
            if info is None or info.kind is not FILE or not (recorded or self._reads_new or info.hashes):
                if known := list(self._known(recorded, info)):
                    yield Batch(done=known)
                continue
            batch.append((recorded, info))
            size += info.size or 0
            if len(batch) == _BATCH_COUNT or size >= _BATCH_BYTES:
                yield Batch(batch, size)
                batch, size = [], 0
        if batch:
            yield Batch(batch, size)

    def _known(self, recorded: ObjectInfo | None, info: ObjectInfo | None) -> Iterator[Said]:
        """Say what is known of an entry without reading it."""
        if info is not None and info.kind is not FILE and info.kind is not DIR:
            self._result.skipped += 1
        if recorded is not None:
            yield self._gone(recorded)
        elif info is not None and info.kind is FILE and not self._options.one_way:
            yield Finding(State.NEW, info.path, "not in the record"), None

    def _gone(self, recorded: ObjectInfo) -> Said:
        path = recorded.path
        try:
            if self._alone.missing(path):
                return Finding(State.MISSING, path, "it is recorded, but not there"), None
        except StorageError as exc:
            return Finding(State.FAILED, path, str(exc)), recorded
        return None, recorded


def _count(result: VerifyResult, finding: Finding) -> None:
    name = "errors" if finding.state is State.FAILED else finding.state.value
    setattr(result, name, getattr(result, name) + 1)
    result.bytes += finding.bytes
