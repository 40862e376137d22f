"""Copies that the service of both sides makes itself: no byte of them comes by here."""

from __future__ import annotations

from omnistorage.core.driver import Driver
from omnistorage.core.errors import PermissionDenied, Unsupported
from omnistorage.core.info import ObjectInfo
from omnistorage.core.placed import placed
from omnistorage.layers.alias import Alias

from .model import origin_of


def told_equal(source: ObjectInfo, copied: ObjectInfo, name: str | None) -> bool:
    """Say whether a copy is proven by what was told: the hash of a listing, and that of the answer to the copy."""
    told = source.hashes.get(name) if name is not None else None
    return told is not None and told == copied.hashes.get(name or "")


class ServerSide:
    """Copies from one storage to another of the same service, until that turns out to be none.

    Attributes:
        possible: Both sides are of one service that copies, as far as is known by now.
    """

    def __init__(self, src: Driver, dst: Driver) -> None:
        self._src, self._real = (src.inner, src.real) if isinstance(src, Alias) else (src, "")
        self._dst = dst
        local = dst.features.local or src.features.local
        self.possible = not local and dst.features.copy and self._src.identity()[:-1] == dst.identity()[:-1]

    def copy(self, info: ObjectInfo, path: str) -> ObjectInfo | None:
        """Copy the object that a listing told of, with all that is kept beside it; None if the service does not."""
        if not self.possible:
            return None
        try:
            return self._dst.copy_from(placed(self._src, self._real or origin_of(info), info.etag), path)
        except (Unsupported, PermissionDenied):
            # By way of this machine it may go; the next object need not ask.
            self.possible = False
            return None
