"""Hashes of listed objects: those the storage tells, and those we compute from the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import click

from omnistorage.core import hashes
from omnistorage.core.errors import StorageError, Unsupported
from omnistorage.core.info import FILE, ObjectInfo

if TYPE_CHECKING:
    from concurrent.futures import Future

    from omnistorage.storage import Storage

    from ._console import Console

_BATCH_FILES: Final = 64
_BATCH_BYTES: Final = 8 << 20

Hashed = tuple[ObjectInfo, dict[str, str]]


class Hashing:
    """Hashes of the objects of one storage; one that cannot be had is reported and counted.

    Attributes:
        storage: The storage.
        names: The wanted hashes, as in ``core.hashes.NAMES``.
        missing: Those the storage does not tell; there are none if bytes are read here.
        failed: Objects that could not be hashed.

    Args:
        storage: The storage.
        names: The wanted hashes, in any spelling.
        console: Where to report.
        download: Read the bytes and compute here, whatever the storage tells.

    Raises:
        click.UsageError: There is no hash of this name; the message lists the known ones.
    """

    def __init__(self, storage: Storage, names: Iterable[str], console: Console, *, download: bool = False) -> None:
        self.storage = storage
        self.names = tuple(map(canonical, names))
        told = storage.features.computes | storage.features.hashes
        self.missing = () if download else tuple(name for name in self.names if name not in told)
        self.failed = 0
        self._download = download
        self._console = console
        self._wanted = tuple(name for name in self.names if name not in self.missing)
        for name in self.missing:
            console.error("", f"{storage.scheme} has no {name}")

    def of(self, info: ObjectInfo) -> dict[str, str]:
        """Return hash name to hex digest; empty after a failure, which has been reported."""
        try:
            return self._compute(info)
        except StorageError as exc:
            self._failed(info, exc)
            return {}

    def of_all(self, infos: Iterable[ObjectInfo], workers: int) -> Iterator[Hashed]:
        """Yield objects with their hashes, in the same order, computed side by side."""
        from collections import deque
        from concurrent.futures import ThreadPoolExecutor

        running: deque[Future[list[tuple[ObjectInfo, dict[str, str] | StorageError]]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for batch in _batches(infos):
                    running.append(pool.submit(self._compute_all, batch))
                    if len(running) > 2 * workers:
                        yield from self._sorted_out(running.popleft())
                while running:
                    yield from self._sorted_out(running.popleft())
            finally:
                for future in running:
                    future.cancel()

    def _sorted_out(self, future: Future[list[tuple[ObjectInfo, dict[str, str] | StorageError]]]) -> Iterator[Hashed]:
        for info, result in future.result():
            if isinstance(result, StorageError):
                self._failed(info, result)
            else:
                yield info, result

    def _compute_all(self, batch: list[ObjectInfo]) -> list[tuple[ObjectInfo, dict[str, str] | StorageError]]:
        results: list[tuple[ObjectInfo, dict[str, str] | StorageError]] = []
        for info in batch:
            try:
                results.append((info, self._compute(info)))
            except StorageError as exc:
                results.append((info, exc))
        return results

    def _compute(self, info: ObjectInfo) -> dict[str, str]:
        driver, features = self.storage.driver, self.storage.features
        here = self._download or (features.local and len(self._wanted) > 1)
        if here:
            # All of them in one pass over the bytes.
            with driver.get(info.path) as stream:
                return hashes.hash_stream(stream, self._wanted)
        found: dict[str, str] = {}
        for name in self._wanted:
            if name in info.hashes:
                found[name] = info.hashes[name]
            elif name in features.computes:
                found[name] = driver.hash(info.path, name)
            else:
                known = driver.stat(info.path).hashes.get(name)
                if known is None:
                    raise Unsupported(f"has no {name}", op="hash", path=info.path, scheme=driver.scheme)
                found[name] = known
        return found

    def _failed(self, info: ObjectInfo, error: StorageError) -> None:
        self.failed += 1
        self._console.error(info.path, f"cannot be hashed: {error.what}")


def canonical(name: str) -> str:
    """Return the name of a hash as we spell it.

    Raises:
        click.UsageError: There is none of this name; the message lists the known ones.
    """
    try:
        return hashes.canonical(name)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None


def _batches(infos: Iterable[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    """Gather small objects, so that handing them to a thread costs little; large ones go alone."""
    batch: list[ObjectInfo] = []
    size = 0
    for info in infos:
        if info.kind is not FILE:
            continue
        batch.append(info)
        size += info.size or 0
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
