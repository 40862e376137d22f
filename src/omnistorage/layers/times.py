"""Tells the time of modification of each object in listings, also where the service keeps it beside the object only.

    told(driver)                       # the driver itself, if its listings tell times anyway

Object stores list when an object was stored, and not the time that it was given. Who needs that has to look at each
object; this does so, for several at once, page by page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound
from omnistorage.core.info import FILE, ObjectInfo, Page
from omnistorage.core.layer import Layer

Paths = list[str]
Found = list[int | None]

AT_ONCE: Final = 16
"""Objects that are looked at at the same time."""


def told(driver: Driver, only: Callable[[ObjectInfo], bool] | None = None) -> Driver:
    """Return a driver whose listings tell the times of objects, so far as they are kept.

    ``only`` says of an object whether its time is wanted; all are, if it is None.
    """
    if driver.features.local or not driver.features.mtime:
        return driver
    return Times(driver, only)


class Times(Layer):
    """Fills in the times that listings do not tell; an object that is gone by then is not listed.

    Args:
        inner: The driver around which it stands.
        only: Says of an object whether its time is wanted; all are, if it is None.
    """

    def __init__(self, inner: Driver, only: Callable[[ObjectInfo], bool] | None = None) -> None:
        super().__init__(inner)
        self._only = only

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        found = super().list(path, recursive=recursive, page=page)
        infos, only = found.infos, self._only
        untold = [
            index
            for index, info in enumerate(infos)
            if info.mtime_ns is None and info.kind is FILE and (only is None or only(info))
        ]
        if not untold:
            return found
        times = self._times([infos[index].path for index in untold])
        filled = infos.copy()
        for index, time_ns in zip(reversed(untold), reversed(times), strict=True):
            if time_ns is None:
                del filled[index]
            else:
                filled[index] = msgspec.structs.replace(infos[index], mtime_ns=time_ns)
        return Page(filled, found.next)

    def names(self, path: str, *, page: object = None) -> Page:
        return self.around("list", path, lambda: self.inner.names(path, page=page))

    def _times(self, paths: Paths) -> Found:
        """Return the time of each object; None for one that is gone."""
        if len(paths) == 1:
            return [self._time(paths[0])]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(AT_ONCE, len(paths))) as pool:
            return list(pool.map(self._time, paths))

    def _time(self, path: str) -> int | None:
        try:
            info = self.stat(path)
        except NotFound:
            return None
        # A service that keeps times and tells none of this one: it counts as never changed, rather than as now.
        return info.mtime_ns or 0

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), only=self._only), (self.inner,)
