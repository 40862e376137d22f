"""What is remembered of uploads in parts, so that another run can go on with them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import msgspec

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, StorageError
from omnistorage.core.options import PutOptions

from .fingerprint import Fingerprint


class UploadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How to go on with an upload in parts.

    Attributes:
        token: For ``Driver.resume_upload``; empty where the upload was about to be begun, and whether it was is not
            known.
        part_size: Bytes of each part but the last.
        source: The version of the source that the parts are of.
        size: Bytes of the whole, or None.
        temp: What else whoever uploads wants to remember; anything that JSON can hold.
        saved: Bytes that were stored at the last note.
        boot: What the kernel called its life when this was noted (``Journal.boot``); the journal fills it in. In
            another life, what was written without forcing it to the disk may be lost.
        since_ns: Without a token, when that was, by the clock of this machine; for ``Driver.abort_begun``.
    """

    token: str
    part_size: int
    source: Fingerprint
    size: int | None = None
    temp: Mapping[str, Any] = {}
    saved: int = 0
    boot: str = ""
    since_ns: int = 0


class Uploads(Protocol):
    """Remembers the uploads that are under way, by the path of the object at the destination; from any thread."""

    def upload_of(self, path: str) -> UploadRecord | None:
        """Return how to go on with the upload of a path, or None."""
        ...

    def note_upload(self, path: str, record: UploadRecord) -> None:
        """Remember an upload in place of any other one of this path."""
        ...

    def note_saved(self, path: str, saved: int) -> None:
        """Remember how many bytes of an upload are stored."""
        ...

    def forget_upload(self, path: str) -> None:
        """Forget an upload, as it was finished or aborted; one that is not known is fine."""
        ...


def throw_away(dst: Driver, path: str, record: UploadRecord) -> bool:
    """Abort an upload that was noted; say whether there was one.

    Raises:
        StorageError: It cannot be aborted now.
    """
    if not record.token:
        return dst.abort_begun(path, record.since_ns) > 0
    try:
        dst.resume_upload(path, record.token, PutOptions()).abort()
    except NotFound:
        # Finished, aborted or swept: gone is what was wanted.
        return False
    return True


def throw_all_away(dst: Driver, uploads: AllUploads) -> None:
    """Abort what is left behind a run that has done all there was to do: nobody will go on with it."""
    for path, record in uploads.uploads().items():
        # What cannot be aborted now stays noted.
        with suppress(StorageError):
            throw_away(dst, path, record)
            uploads.forget_upload(path)


class NoUploads:
    """Remembers nothing."""

    def upload_of(self, path: str) -> UploadRecord | None:
        """Return None."""
        return None

    def note_upload(self, path: str, record: UploadRecord) -> None:
        """Do nothing."""

    def note_saved(self, path: str, saved: int) -> None:
        """Do nothing."""

    def forget_upload(self, path: str) -> None:
        """Do nothing."""


class AllUploads(Protocol):
    """Tells all uploads that it remembers."""

    def uploads(self) -> dict[str, UploadRecord]:
        """Return them by path."""
        ...

    def forget_upload(self, path: str) -> None:
        """Forget an upload."""
        ...


class HeldUploads:
    """Remembers uploads as long as it lives: for several runs of one process."""

    def __init__(self) -> None:
        self._records: dict[str, UploadRecord] = {}

    def upload_of(self, path: str) -> UploadRecord | None:
        """Return how to go on with the upload of a path, or None."""
        return self._records.get(path)

    def note_upload(self, path: str, record: UploadRecord) -> None:
        """Remember an upload."""
        self._records[path] = record

    def note_saved(self, path: str, saved: int) -> None:
        """Remember how many bytes of an upload are stored."""
        record = self._records.get(path)
        if record is not None:
            self._records[path] = msgspec.structs.replace(record, saved=saved)

    def forget_upload(self, path: str) -> None:
        """Forget the upload of a path."""
        self._records.pop(path, None)
