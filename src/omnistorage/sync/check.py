"""Comparing two storages without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Literal

import msgspec

from omnistorage.core.content import common_hash, same_content
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotADirectory, StorageError
from omnistorage.core.info import DIR, FILE, ObjectInfo
from omnistorage.storage import Storage

from .filters import Filter
from .model import Difference
from .pairing import pair
from .scan import Scan

_BATCH_COUNT = 64
_BATCH_BYTES = 16 << 20

Two = tuple[ObjectInfo, ObjectInfo]
Found = Callable[[Difference], None]


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
    src: Storage, dst: Storage, options: CheckOptions | None = None, *, found: Found | None = None
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


def differences(src: Driver, dst: Driver, options: CheckOptions) -> Iterator[tuple[Difference, int]]:
    """Yield what is found at each path and the size of the object at the source.

    Raises:
        NotFound: There is no source.
        NotADirectory: The source is an object.
    """
    if src.features.mkdir and src.stat("").kind is not DIR:
        raise NotADirectory(scheme=src.scheme)
    src_scan = Scan(src, options.filter)
    dst_scan = Scan(dst, options.filter, missing_ok=True)
    comparer = _Comparer(src, dst, options)
    with ThreadPoolExecutor(options.checkers, thread_name_prefix="omnistorage") as pool:
        running: set[Future[list[tuple[Difference, int]]]] = set()
        batch: list[Two] = []
        size = 0
        for one, two in pair(src_scan, dst_scan):
            if one is not None and two is not None and one.kind is FILE and two.kind is FILE:
                batch.append((one, two))
                size += one.size or 0
                if len(batch) < _BATCH_COUNT and size < _BATCH_BYTES:
                    continue
                running.add(pool.submit(comparer.batch, batch))
                batch, size = [], 0
                while len(running) > options.checkers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield from future.result()
            else:
                yield from _one_sided(one, two, options, src_scan, dst_scan)
        if batch:
            running.add(pool.submit(comparer.batch, batch))
        for future in running:
            yield from future.result()
    for scan, side in ((src_scan, "source"), (dst_scan, "destination")):
        for folder, error in scan.broken.items():
            yield Difference("!", folder, f"cannot be listed at the {side}: {error}"), 0


class _Comparer:
    """Compares batches of pairs, from any thread."""

    def __init__(self, src: Driver, dst: Driver, options: CheckOptions) -> None:
        self._src = src
        self._dst = dst
        self._by = options.by
        self._hash = common_hash(src, dst)

    def batch(self, pairs: list[Two]) -> list[tuple[Difference, int]]:
        return [(self._compare(src, dst), src.size or 0) for src, dst in pairs]

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
) -> Iterator[tuple[Difference, int]]:
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
