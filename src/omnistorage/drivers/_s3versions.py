"""Versions of an object in a bucket that keeps them: listed, read, made the present one again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omnistorage.core.errors import NotFound, StorageError, Unsupported
from omnistorage.core.info import FILE, ObjectInfo

from ._s3answers import result_of
from ._s3client import Client
from ._s3metadata import is_md5, iso_time
from ._s3xml import versions


def versions_of(client: Client, bucket: str, key: str, path: str) -> Iterator[ObjectInfo]:
    """Yield the versions of one object, newest first; marks of deletions are none."""
    marker: dict[str, str] | None = {}
    while marker is not None:
        query = [("versions", ""), ("prefix", key), *marker.items()]
        if not client.preset.no_url_encoding:
            query.append(("encoding-type", "url"))
        found = versions(result_of(client.request("GET", bucket, query=query), bucket), marker)
        for entry in found.entries:
            if entry.key != key:
                # Longer keys that begin the same come behind.
                return
            if not entry.marker:
                hashes = {"md5": entry.etag} if client.etag_is_md5 and is_md5(entry.etag) else {}
                # What was stored before the bucket kept versions has the name "null".
                version = entry.version or "null"
                yield ObjectInfo(path, FILE, entry.size, iso_time(entry.changed), hashes, entry.etag, version)
        marker = found.next


def query_of(version: str) -> tuple[tuple[str, str], ...]:
    """Return the parameter that names a version."""
    return (("versionId", version),)


@contextmanager
def asking(version: str) -> Iterator[None]:
    """Let what services say of a version that is not there be NotFound: it may be no name of one, or a deletion."""
    try:
        yield
    except NotFound:
        raise
    except StorageError as exc:
        bad = "InvalidArgument" in exc.message or "InvalidVersion" in exc.message
        if bad or isinstance(exc, Unsupported):
            raise NotFound(f"there is no version {version!r}", request_id=exc.request_id) from exc
        raise
