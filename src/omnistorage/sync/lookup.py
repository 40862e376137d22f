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

    def look(info: ObjectInfo) -> Pair:
        try:
            return info, dst.stat(info.path)
        except (NotFound, NotADirectoryError):
            return info, None
        except StorageError as exc:
            dst_scan.broken[info.path] = exc
            return info, None

    if dst.features.local or workers < 2:
        for infos in src:
            yield from map(look, infos)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers, thread_name_prefix="omnistorage-look") as pool:
        for infos in src:
            yield from pool.map(look, infos)
