"""Finding what stands at the destination without listing it: by looking up each path that the source has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, StorageError
from omnistorage.core.info import ObjectInfo

from .model import Pair
from .scan import Scan

Infos = list[ObjectInfo]


def unseen(src: Iterable[Infos]) -> Iterator[Pair]:
    """Pair all of the source with nothing, as if the destination were empty."""
    for infos in src:
        for info in infos:
            yield info, None


def looked_up(src: Iterable[Infos], dst: Driver, dst_scan: Scan, *, workers: int) -> Iterator[Pair]:
    """Pair each entry of the source with what the destination has at its path, in the order of the source.

    A path that cannot be looked up is entered into ``dst_scan.broken``, so that nothing is written there.
    """

    def look(info: ObjectInfo) -> ObjectInfo | StorageError | None:
        try:
            return dst.stat(info.path)
        except (NotFound, NotADirectoryError):
            return None
        except StorageError as exc:
            return exc

    def paired(infos: Infos, found: Iterable[ObjectInfo | StorageError | None]) -> Iterator[Pair]:
        for info, there in zip(infos, found, strict=True):
            if isinstance(there, StorageError):
                # Here, and not where it was looked up: others read this table, and not from other threads.
                dst_scan.fail(info.path, there)
                yield info, None
            else:
                yield info, there

    if dst.features.local or workers < 2:
        for infos in src:
            yield from paired(infos, map(look, infos))
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers, thread_name_prefix="omnistorage-look") as pool:
        for infos in src:
            yield from paired(infos, pool.map(look, infos))
