"""What a listing says about one object: there are millions of these, so they are small and fast to make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType

import msgspec

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Kind(Enum):
    """What stands at a path."""

    FILE = "file"
    DIR = "dir"
    LINK = "link"
    OTHER = "other"


FILE = Kind.FILE
DIR = Kind.DIR
LINK = Kind.LINK
OTHER = Kind.OTHER


class ObjectInfo(msgspec.Struct, frozen=True, gc=False):
    """One entry of a listing.

    Attributes:
        path: Key relative to the root of the storage; a directory has no trailing slash. Names that are not
            valid UTF-8 carry their bytes as surrogate escapes (PEP 383).
        kind: File, directory, symbolic link or something else (FIFO, socket, device).
        size: Bytes, or None if the service does not say.
        mtime_ns: Time of modification in nanoseconds of Unix time, or None if the service keeps none.
        hashes: Hash name to lower-case hex digest, only those that came free with the listing.
        etag: The service's own mark of this content, if it has one.
        version: The service's name for this version, if it keeps versions.
        content_type: MIME type, if known without another request.
        metadata: User metadata, if known without another request.
    """

    path: str
    kind: Kind = FILE
    size: int | None = None
    mtime_ns: int | None = None
    hashes: Mapping[str, str] = _NOTHING
    etag: str | None = None
    version: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = _NOTHING

    @property
    def is_dir(self) -> bool:
        """True for a directory."""
        return self.kind is DIR

    @property
    def is_file(self) -> bool:
        """True for an object with bytes."""
        return self.kind is FILE

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def modified(self) -> datetime | None:
        """Time of modification, aware UTC, cut to microseconds; None if the service keeps none."""
        if self.mtime_ns is None:
            return None
        seconds, rest = divmod(self.mtime_ns, 1_000_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)

    @property
    def order(self) -> str:
        """The key by which listings are sorted: a directory counts as its name plus ``/``."""
        return self.path + "/" if self.kind is DIR else self.path

    def __reduce__(self) -> tuple[object, ...]:
        known = self.path, self.kind._value_, self.size, self.mtime_ns
        if not (self.hashes or self.etag or self.version or self.content_type or self.metadata):
            return _again, known
        # The read-only mappings do not pickle by themselves.
        rest = dict(self.hashes), self.etag, self.version, self.content_type, dict(self.metadata)
        return _again, (*known, *rest)


def _again(
    path: str,
    kind: str,
    size: int | None,
    mtime_ns: int | None,
    hashes: Mapping[str, str] = _NOTHING,
    etag: str | None = None,
    version: str | None = None,
    content_type: str | None = None,
    metadata: Mapping[str, str] = _NOTHING,
) -> ObjectInfo:
    """Make an info again that went by way of a file or another process."""
    return ObjectInfo(
        path, Kind(kind), size, mtime_ns, hashes or _NOTHING, etag, version, content_type, metadata or _NOTHING
    )


class Page(msgspec.Struct, frozen=True, gc=False):
    """One answer to ``list``.

    Attributes:
        infos: The entries, in path order where ``features.ordered`` says so.
        next: What to pass as ``page`` for the next answer; None at the end. Opaque; asking twice with the same
            value gives the same page.
    """

    infos: list[ObjectInfo]
    next: object = None


class Form(msgspec.Struct, frozen=True):
    """A form by which a browser can store an object without credentials.

    Attributes:
        url: Where it is sent, by POST, as ``multipart/form-data``.
        fields: Its fields, which go before the field ``file``; they are as good as a password while they last.
    """

    url: str
    fields: dict[str, str]

    def __repr__(self) -> str:
        return f"<Form for {self.url!r} with the fields {', '.join(self.fields)}>"


class Usage(msgspec.Struct, frozen=True):
    """How full a storage is, in bytes and objects; None where the service does not say."""

    total: int | None = None
    used: int | None = None
    free: int | None = None
    trashed: int | None = None
    other: int | None = None
    objects: int | None = None
