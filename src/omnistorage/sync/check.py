"""Comparing two storages without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from omnistorage.core import hashes
from omnistorage.core.content import common_hash, digest, same_bytes
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotADirectory, StorageError
from omnistorage.core.info import DIR, FILE, LINK, ObjectInfo
from omnistorage.core.paths import parent
from omnistorage.storage import Storage

from .filters import Filter
from .model import Difference, Pair, origin_of
from .scan import Scan
from .sides import Sides
from .workers import Batch, Workers

if TYPE_CHECKING:
    from concurrent.futures import Executor

_BATCH_COUNT = 64
_BATCH_BYTES = 16 << 20

T = TypeVar("T")

Two = tuple[ObjectInfo, ObjectInfo]
Found = tuple[Difference, int]
"""What was found at a path, and the size of the object at the source in bytes."""


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to compare.

    Attributes:
        filter: What is looked at, on both sides.
        by: ``hash`` (a hash both sides can tell; bytes where both are local), ``size`` or ``bytes`` (read both).
        hash: The hash to compare by; a side that cannot tell it is read. None takes the best that both can tell.
        one_way: Do not report what only the destination has.
        checkers: Comparisons side by side.
        unicode_normalization: Names that are equal after normalisation to NFC are one name.
        ignore_case_sync: Names that are equal but for case are one name, as they always are where the destination
            does not tell cases apart.
        name_transform: The names that the source has are looked for under others, see ``Options``.
    """

    filter: Filter = Filter()
    by: Literal["hash", "size", "bytes"] = "hash"
    hash: str | None = None
    one_way: bool = False
    checkers: int = 8
    unicode_normalization: bool = True
    ignore_case_sync: bool = False
    name_transform: tuple[str, ...] = ()


class CheckResult(msgspec.Struct):
    """The sum of a check.

    Attributes:
        matches: Objects that are equal on both sides.
        differs: Objects that are not.
        only_src: Objects that only the source has.
        only_dst: Objects that only the destination has.
        errors: Objects and directories that could not be compared.
        unverified: Matches known by their size only: their hashes could not be checked.
        skipped: Entries that are neither objects nor directories (symbolic links, devices …), left alone.
        malformed: Lines of a SUM file that could not be understood.
        bytes: Size of what was compared by content.
    """

    matches: int = 0
    differs: int = 0
    only_src: int = 0
    only_dst: int = 0
    errors: int = 0
    unverified: int = 0
    skipped: int = 0
    malformed: int = 0
    bytes: int = 0

    @property
    def different(self) -> int:
        """Number of paths at which the sides are not the same."""
        return self.differs + self.only_src + self.only_dst

    @property
    def ok(self) -> bool:
        """True if both sides are the same, as far as could be told."""
        return not (self.different or self.errors)

    def count(self, difference: Difference, size: int) -> None:
        """Add what was found at one path, and its size in bytes."""
        match difference.sign:
            case "=":
                self.matches += 1
                self.unverified += difference.verified == "size"
                self.bytes += 0 if difference.verified == "size" else size
            case "*":
                self.differs += 1
            case "+":
                self.only_src += 1
            case "-":
                self.only_dst += 1
            case _:
                self.errors += 1


def check(
    src: Storage,
    dst: Storage,
    options: CheckOptions | None = None,
    *,
    found: Callable[[Difference], None] | None = None,
    executor: Executor | None = None,
) -> CheckResult:
    """Compare two storages, object by object; times of modification do not matter.

    Args:
        src: One side.
        dst: The other side.
        options: How to compare.
        found: Called for each path, also for equal ones, in no particular order.
        executor: Where contents are compared, which may be other processes.

    Raises:
        NotFound: There is no source.
    """
    result = CheckResult()
    for difference, size in differences(src.driver, dst.driver, options or CheckOptions(), result, executor):
        result.count(difference, size)
        if found is not None:
            found(difference)
    return result


def differences(
    src: Driver, dst: Driver, options: CheckOptions, result: CheckResult, executor: Executor | None = None
) -> Iterator[Found]:
    """Yield what is found at each path and the size of the object at the source; ``result`` counts what is skipped.

    Raises:
        NotFound: There is no source.
        NotADirectory: The source is an object.
        ValueError: There is no such hash.
    """
    if src.features.mkdir and src.stat("").kind is not DIR:
        raise NotADirectory(scheme=src.scheme)
    sides = Sides(
        src,
        dst,
        options.filter,
        nfc=options.unicode_normalization,
        ignore_case=options.ignore_case_sync,
        name_transform=options.name_transform,
        quiet=True,
    )
    src_scan, dst_scan = sides.src_scan, sides.dst_scan

    def alone(one: ObjectInfo | None, two: ObjectInfo | None) -> Iterator[Found]:
        if one is not None and one.kind is LINK and src_scan.follows_links:
            yield Difference("!", one.path, "the symbolic link leads nowhere, or back to a folder above it"), 0
            return
        result.skipped += _is_odd(one) or _is_odd(two)
        if one is not None and one.kind is FILE and dst_scan.complete(parent(one.path)):
            why = "not at the destination" if two is None else f"a {two.kind.value} at the destination"
            yield Difference("+", one.path, why), one.size or 0
        if options.one_way:
            return
        if two is not None and two.kind is FILE and src_scan.complete(parent(two.path)):
            why = "not at the source" if one is None else f"a {one.kind.value} at the source"
            yield Difference("-", two.path, why), 0

    near = src.features.local and dst.features.local
    workers = Workers(_Comparer(src, dst, options), options.checkers, executor, near=near, lost=_lost)
    try:
        for found in workers.run(batches(sides.pairs(), alone)):
            yield from found
    finally:
        workers.close()
    for action in sides.clashes():
        yield Difference("!", action.path, action.reason), 0
    yield from broken(src_scan, "at the source")
    yield from broken(dst_scan, "at the destination")


def batches(
    pairs: Iterable[Pair], alone: Callable[[ObjectInfo | None, ObjectInfo | None], Iterable[T]]
) -> Iterator[Batch[Two, T]]:
    """Gather pairs of objects that are to be compared; ``alone`` says at once what to make of all others."""
    batch: list[Two] = []
    size = 0
    for one, two in pairs:
        if one is None or two is None or one.kind is not FILE or two.kind is not FILE:
            if known := list(alone(one, two)):
                yield Batch(done=known)
            continue
        batch.append((one, two))
        size += two.size or one.size or 0
        if len(batch) == _BATCH_COUNT or size >= _BATCH_BYTES:
            yield Batch(batch, size)
            batch, size = [], 0
    if batch:
        yield Batch(batch, size)


def broken(scan: Scan, where: str) -> Iterator[Found]:
    """Yield the directories that could not be listed."""
    for folder, error in scan.broken.items():
        yield Difference("!", folder, f"cannot be listed {where}: {error}"), 0


class _Comparer:
    """Compares batches of pairs, from any thread."""

    def __init__(self, src: Driver, dst: Driver, options: CheckOptions) -> None:
        self._stopped = False
        self._src = src
        self._dst = dst
        self._by_size = options.by == "size"
        near = src.features.local and dst.features.local
        self._hash: str | None = None
        self._by_bytes = options.by == "bytes"
        if options.hash is not None:
            self._hash = hashes.canonical(options.hash)
        elif near:
            # Both must be read anyway, and comparing costs less than hashing.
            self._by_bytes = True
        else:
            self._hash = common_hash(src, dst)

    def batch(self, pairs: list[Two], /) -> list[Found]:
        return [(self._compare(src, dst), src.size or 0) for src, dst in pairs if not self._stopped]

    def cancel(self) -> None:
        self._stopped = True

    def _compare(self, src: ObjectInfo, dst: ObjectInfo) -> Difference:
        path, name = src.path, self._hash
        if src.size != dst.size and src.size is not None and dst.size is not None:
            return Difference("*", path, f"sizes differ ({src.size} at the source, {dst.size} at the destination)")
        if self._by_size:
            return Difference("=", path, "equal size", "size")
        try:
            if self._by_bytes:
                equal = same_bytes(self._src, origin_of(src), self._dst, dst.path)
                return Difference("=", path, "equal", "bytes") if equal else Difference("*", path, "contents differ")
            if name is None:
                return Difference("=", path, "equal size; no hash is common to both sides", "size")
            equal = digest(self._src, origin_of(src), name, src) == digest(self._dst, dst.path, name, dst)
        except StorageError as exc:
            return Difference("!", path, str(exc))
        return Difference("=", path, "equal", "hash") if equal else Difference("*", path, f"{name} differs")


def _lost(two: Two, exc: Exception) -> Found:
    return Difference("!", two[0].path, f"lost by the executor: {type(exc).__name__}: {exc}"), 0


def _is_odd(info: ObjectInfo | None) -> bool:
    return info is not None and info.kind is not FILE and info.kind is not DIR
