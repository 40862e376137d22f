"""Copies that the service of both sides makes itself: no byte of them comes by here."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from omnistorage.core.driver import Driver
from omnistorage.core.errors import PermissionDenied, StorageError, Unsupported
from omnistorage.core.info import ObjectInfo
from omnistorage.core.placed import placed
from omnistorage.layers.alias import Alias

from .fingerprint import Fingerprint
from .model import origin_of
from .uploads import NoUploads, UploadRecord, Uploads, throw_away

if TYPE_CHECKING:
    from .large import Large


def told_equal(source: ObjectInfo, copied: ObjectInfo, name: str | None) -> bool:
    """Say whether a copy is proven by what was told: the hash of a listing, and that of the answer to the copy."""
    told = source.hashes.get(name) if name is not None else None
    return told is not None and told == copied.hashes.get(name or "")


class ServerSide:
    """Copies from one storage to another of the same service, until that turns out to be none.

    Attributes:
        possible: Both sides are of one service that copies, as far as is known by now.
    """

    def __init__(self, src: Driver, dst: Driver, large: Large | None = None) -> None:
        self._src, self._real = (src.inner, src.real) if isinstance(src, Alias) else (src, "")
        self._dst = dst
        self._uploads: Uploads = NoUploads() if large is None else large.uploads
        local = dst.features.local or src.features.local
        self.possible = not local and dst.features.copy and self._src.identity()[:-1] == dst.identity()[:-1]

    def copy(self, info: ObjectInfo, path: str) -> ObjectInfo | None:
        """Copy the object that a listing told of, with all that is kept beside it; None if the service does not."""
        if not self.possible:
            return None
        noted = False

        def begun(token: str) -> None:
            nonlocal noted
            noted = True
            self._note(info, path, token)

        try:
            copied = self._dst.copy_from(placed(self._src, self._real or origin_of(info), info.etag, begun), path)
            if noted:
                self._uploads.forget_upload(path)
            return copied
        except (Unsupported, PermissionDenied):
            # By way of this machine it may go; the next object need not ask.
            self.possible = False
            return None

    def _note(self, info: ObjectInfo, path: str, token: str) -> None:
        """Note the upload of a copy by parts: if a kill leaves it behind, the next run of the job aborts it."""
        if not token and (left := self._uploads.upload_of(path)) is not None:
            # What cannot be found now is swept some day.
            with suppress(StorageError):
                throw_away(self._dst, path, left)
        source = Fingerprint(info.size, info.mtime_ns, _COPIED)
        record = UploadRecord(token=token, part_size=0, source=source, size=info.size, since_ns=time.time_ns())
        self._uploads.note_upload(path, record)

    def __getstate__(self) -> dict[str, Any]:
        # What remembers does not go to other processes.
        return self.__dict__ | {"_uploads": NoUploads()}


_COPIED: Final = "copied by the service"
"""Stands for the mark of a source: nobody goes on with such an upload by sending bytes."""
