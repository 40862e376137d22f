"""Comparing two storages without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from omnistorage.core.content import common_hash, same_content
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotADirectory, StorageError
from omnistorage.core.info import DIR, FILE, ObjectInfo
from omnistorage.storage import Storage

from .filters import Filter
from .model import Difference, Pair
from .pairing import pair
from .scan import Scan
from .workers import Batch, Workers

_BATCH_COUNT = 64
_BATCH_BYTES = 16 << 20

Two = tuple[ObjectInfo, ObjectInfo]
Found = tuple[Difference, int]
"""What was found at a path, and the size of the object at the source in bytes."""


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to compare.

    Attributes:
        filter: What is looked at, on both sides.
        by: ``hash`` (a hash both sides can tell; bytes where both are local), ``size`` or ``bytes`` (read both).
        one_way: Do not report what only the destination has.
        checkers: Comparisons side by side.
    """

    filter: Filter = Filter()
    by: Literal["hash", "size", "bytes"] = "hash"
    one_way: bool = False
    checkers: int = 4


class CheckResult(msgspec.Struct):
    """The sum of a check.

    Attributes:
        matches: Objects that are equal on both sides.
        differs: Objects that are not.
        only_src: Objects that only the source has.
        only_dst: Objects that only the destination has.
        errors: Objects and directories that could not be compared.
        unverified: Matches known by their size only.
        bytes: Size of what was compared by content.
    """

    matches: int = 0
    differs: int = 0
    only_src: int = 0
    only_dst: int = 0
    errors: int = 0
    unverified: int = 0
    bytes: int = 0

    @property
    def ok(self) -> bool:
        """True if both sides are the same, as far as could be told."""
        return not (self.differs or self.only_src or self.only_dst or self.errors)


def check(
    src: Storage,
    dst: Storage,
    options: CheckOptions | None = None,
    *,
    found: Callable[[Difference], None] | None = None,
) -> CheckResult:
    """Compare two storages, object by object; times of modification do not matter.

    Args:
        src: One side.
        dst: The other side.
        options: How to compare.
        found: Called for each path, also for equal ones, in no particular order.

    Raises:
        NotFound: There is no source.
    """
    result = CheckResult()
    for difference, size in differences(src.driver, dst.driver, options or CheckOptions()):
        _count(result, difference, size)
        if found is not None:
            found(difference)
    return result


def differences(src: Driver, dst: Driver, options: CheckOptions) -> Iterator[Found]:
    """Yield what is found at each path and the size of the object at the source.

    Raises:
        NotFound: There is no source.
        NotADirectory: The source is an object.
    """
    if src.features.mkdir and src.stat("").kind is not DIR:
        raise NotADirectory(scheme=src.scheme)
    src_scan = Scan(src, options.filter)
    dst_scan = Scan(dst, options.filter, missing_ok=True)
    near = src.features.local and dst.features.local
    workers = Workers(_Comparer(src, dst, options), options.checkers, near=near)
    try:
        for found in workers.run(_batches(pair(src_scan, dst_scan), options, src_scan, dst_scan)):
            yield from found
    finally:
        workers.close()
    for scan, side in ((src_scan, "source"), (dst_scan, "destination")):
        for folder, error in scan.broken.items():
            yield Difference("!", folder, f"cannot be listed at the {side}: {error}"), 0


def _batches(
    pairs: Iterator[Pair], options: CheckOptions, src_scan: Scan, dst_scan: Scan
) -> Iterator[Batch[Two, Found]]:
    """Gather what must be compared; what is on one side only is known already."""
    batch: list[Two] = []
    size = 0
    for one, two in pairs:
        if one is None or two is None or one.kind is not FILE or two.kind is not FILE:
            if alone := list(_one_sided(one, two, options, src_scan, dst_scan)):
                yield Batch(done=alone)
            continue
        batch.append((one, two))
        size += one.size or 0
        if len(batch) == _BATCH_COUNT or size >= _BATCH_BYTES:
            yield Batch(batch, size)
            batch, size = [], 0
    if batch:
        yield Batch(batch, size)


class _Comparer:
    """Compares batches of pairs, from any thread."""

    def __init__(self, src: Driver, dst: Driver, options: CheckOptions) -> None:
        self._stopped = False
        self._src = src
        self._dst = dst
        self._by = options.by
        self._hash = common_hash(src, dst)

    def batch(self, pairs: list[Two], /) -> list[Found]:
        return [(self._compare(src, dst), src.size or 0) for src, dst in pairs if not self._stopped]

    def cancel(self) -> None:
        self._stopped = True

    def _compare(self, src: ObjectInfo, dst: ObjectInfo) -> Difference:
        path = src.path
        if src.size != dst.size and src.size is not None and dst.size is not None:
            return Difference("*", path, f"sizes differ ({src.size} at the source, {dst.size} at the destination)")
        if self._by == "size":
            return Difference("=", path, "equal size", "size")
        local = self._src.features.local and self._dst.features.local
        if self._by == "hash" and self._hash is None and not local:
            return Difference("=", path, "equal size; no hash is common to both sides", "size")
        try:
            equal = same_content(self._src, self._dst, path, None if self._by == "bytes" else self._hash)
        except StorageError as exc:
            return Difference("!", path, str(exc))
        verified = "bytes" if local or self._by == "bytes" else "hash"
        return Difference("=", path, "equal", verified) if equal else Difference("*", path, "contents differ")


def _one_sided(
    src: ObjectInfo | None, dst: ObjectInfo | None, options: CheckOptions, src_scan: Scan, dst_scan: Scan
) -> Iterator[Found]:
    info = src or dst
    assert info is not None
    folder = info.path.rpartition("/")[0]
    if src is not None and dst is not None:
        if src.kind is not dst.kind and (src.kind is FILE or dst.kind is FILE):
            words = f"{src.kind.value} at the source, {dst.kind.value} at the destination"
            yield Difference("!", src.path, words), 0
    elif src is not None and src.kind is FILE:
        if dst_scan.complete(folder):
            yield Difference("+", src.path, "not at the destination"), src.size or 0
    elif dst is not None and dst.kind is FILE and not options.one_way and src_scan.complete(folder):
        yield Difference("-", dst.path, "not at the source"), 0


def _count(result: CheckResult, difference: Difference, size: int) -> None:
    match difference.sign:
        case "=":
            result.matches += 1
            result.unverified += difference.verified == "size"
            result.bytes += 0 if difference.verified == "size" else size
        case "*":
            result.differs += 1
        case "+":
            result.only_src += 1
        case "-":
            result.only_dst += 1
        case _:
            result.errors += 1
