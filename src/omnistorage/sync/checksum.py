"""Comparing a storage with a SUM file, without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from omnistorage.core import hashes
from omnistorage.core.content import read_and_hash
from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError, Unsupported
from omnistorage.core.info import DIR, FILE, ObjectInfo
from omnistorage.core.sums import normal
from omnistorage.storage import Storage

from .check import CheckResult, Found, Two, batches, broken
from .filters import Filter
from .model import Difference
from .pairing import pair
from .scan import Scan
from .sums import Alone, Sums
from .workers import Workers


class ChecksumOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to compare with a SUM file.

    Attributes:
        filter: What is looked at, in the SUM file as in the storage.
        download: Read the objects and compute their hashes here, whatever the storage tells.
        one_way: Do not report what the SUM file does not name.
        checkers: Objects side by side.
    """

    filter: Filter = Filter()
    download: bool = False
    one_way: bool = False
    checkers: int = 8


def checksum(
    kind: str,
    lines: Iterable[bytes],
    storage: Storage,
    options: ChecksumOptions | None = None,
    *,
    found: Callable[[Difference], None] | None = None,
    complain: Callable[[str], None] | None = None,
) -> CheckResult:
    """Compare the objects of a storage with the hashes of a SUM file, which counts as the source.

    Args:
        kind: The hash, as in ``core.hashes.NAMES``.
        lines: The lines of the file; an open binary file will do.
        storage: The storage; nothing need be there.
        options: How to compare.
        found: Called for each path, also for equal ones, in no particular order.
        complain: Called with what is wrong with the first few lines of the file that cannot be used, in words.

    Raises:
        ValueError: There is no such hash, or what was to be a SUM file is none.
        Unsupported: The storage does not tell this hash, and ``download`` was not asked for.
    """
    chosen = options or ChecksumOptions()
    name = hashes.canonical(kind)
    driver = storage.driver
    if not chosen.download and name not in driver.features.computes | driver.features.hashes:
        raise Unsupported(f"tells no {name}", op="hash", scheme=driver.scheme)
    result = CheckResult()
    sums = Sums(lines, name, any_key=driver.features.any_key, complain=complain)
    for difference, size in _differences(sums, driver, name, chosen, result):
        result.count(difference, size)
        if found is not None:
            found(difference)
    result.malformed = sums.malformed
    return result


def _differences(
    sums: Sums, driver: Driver, name: str, options: ChecksumOptions, result: CheckResult
) -> Iterator[Found]:
    scan = Scan(driver, options.filter, missing_ok=True)
    judge = Alone(driver, options.filter, scan)

    def alone(one: ObjectInfo | None, two: ObjectInfo | None) -> Iterator[Found]:
        result.skipped += two is not None and two.kind is not FILE and two.kind is not DIR
        if one is not None:
            yield from _missing(one.path, judge)
        elif two is not None and two.kind is FILE and not options.one_way:
            yield Difference("-", two.path, "not in the SUM file"), 0

    workers = Workers(_Comparer(driver, name, options.download), options.checkers, near=driver.features.local)
    try:
        for found in workers.run(batches(pair(sums, scan), alone)):
            yield from found
    finally:
        workers.close()
    yield from broken(scan, "at the destination")


def _missing(path: str, judge: Alone) -> Iterator[Found]:
    try:
        if judge.missing(path):
            yield Difference("+", path, "not at the destination"), 0
    except StorageError as exc:
        yield Difference("!", path, str(exc)), 0


class _Comparer:
    """Compares batches of lines and objects, from any thread."""

    def __init__(self, driver: Driver, name: str, download: bool) -> None:
        self._stopped = False
        self._driver = driver
        self._name = name
        self._download = download

    def batch(self, pairs: list[Two], /) -> list[Found]:
        return [(self._compare(wanted, info), info.size or 0) for wanted, info in pairs if not self._stopped]

    def cancel(self) -> None:
        self._stopped = True

    def _compare(self, wanted: ObjectInfo, info: ObjectInfo) -> Difference:
        name, path = self._name, info.path
        try:
            digest = self._digest(info)
        except StorageError as exc:
            return Difference("!", path, str(exc))
        if digest is None:
            return Difference("!", path, f"has no {name} that could be compared without reading it")
        if digest == wanted.hashes[name]:
            return Difference("=", path, "equal", "hash")
        if normal(wanted.hashes[name], name) is None:
            return Difference("*", path, f"what the SUM file says is no {name}: {wanted.hashes[name]!r}")
        return Difference("*", path, f"{name} differs")

    def _digest(self, info: ObjectInfo) -> str | None:
        name, driver = self._name, self._driver
        if self._download:
            return read_and_hash(driver, info, (name,))[name]
        if name in info.hashes:
            return info.hashes[name]
        if name in driver.features.computes:
            return driver.hash(info.path, name)
        return driver.stat(info.path).hashes.get(name)
