"""Uploads in parts that are not finished: begun, looked at, aborted; and what came of one that nobody knows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

from omnistorage.core.errors import RateLimited, StorageError, Unsupported

from ._s3answers import foreign, result_of
from ._s3client import Client
from ._s3metadata import http_time, iso_time, refuse_unsealed
from ._s3xml import parts, text_of, uploads

_SECOND: Final = 1_000_000_000

_LONGEST_BEGIN: Final = 900 * _SECOND
"""Within so many nanoseconds an upload is begun, with all repetitions, or never."""


def begin(client: Client, bucket: str, key: str, headers: Mapping[str, str]) -> str:
    """Begin an upload; return its id.

    If the answer to an earlier begin of this key was lost, what may have begun then is aborted.
    """
    since_ns = time.time_ns()
    try:
        found = _begun(client, bucket, key, headers)
    except StorageError as exc:
        # Who is told to come later knows that nothing was done.
        if exc.retryable and not isinstance(exc, RateLimited):
            client.unanswered.setdefault((bucket, key), since_ns)
        raise
    lost_ns = client.unanswered.pop((bucket, key), None)
    if lost_ns is not None:
        # What cannot be found now is swept some day.
        with suppress(StorageError):
            abort_begun(client, bucket, key, lost_ns, but=found)
    return found


def _begun(client: Client, bucket: str, key: str, headers: Mapping[str, str]) -> str:
    answer = client.request("POST", bucket, key, (("uploads", ""),), headers)
    found = text_of(result_of(answer, bucket), "UploadId")
    if not found:
        raise foreign(bucket, answer.headers)
    try:
        # Now, while it has nothing of the object.
        refuse_unsealed(client.key_headers, answer.headers)
    except Unsupported:
        abort(client, bucket, key, found)
        raise
    return found


def abort(client: Client, bucket: str, key: str, upload_id: str) -> None:
    """Throw an upload away, with its parts; one that is gone is fine."""
    query = (("uploadId", upload_id),)
    answer = client.request("DELETE", bucket, key, query, allow=(404,))
    if answer.status in (204, 404):
        return
    if client.request("GET", bucket, key, query, allow=(404,)).status != 404:
        raise foreign(bucket, answer.headers)


def stored_parts(client: Client, bucket: str, key: str, upload_id: str) -> dict[int, tuple[int, str]]:
    """Return size and ETag of each part that the service has, by number."""
    stored: dict[int, tuple[int, str]] = {}
    marker: dict[str, str] | None = {}
    while marker is not None:
        query = (("uploadId", upload_id), *marker.items())
        found, marker = parts(result_of(client.request("GET", bucket, key, query), bucket), marker)
        stored |= {number: (size, etag) for number, size, etag in found}
    return stored


def unfinished(client: Client, bucket: str, prefix: str) -> Iterator[tuple[str, str, int]]:
    """Yield key, id and begin (nanoseconds of Unix time) of the uploads of keys that begin with ``prefix``."""
    coding = () if client.preset.no_url_encoding else (("encoding-type", "url"),)
    marker: dict[str, str] | None = {}
    while marker is not None:
        query = (("uploads", ""), *coding, ("prefix", prefix), *marker.items())
        answer = client.request("GET", bucket, query=query, allow=(404,))
        if answer.status == 404 and b"NoSuchUpload" in answer.data:
            # So says one service where there are none.
            return
        root = result_of(answer, bucket)
        unsaid = bool(coding) and root.find("EncodingType") is None
        found, marker = uploads(root, marker)
        for key, upload_id, begun in found:
            # One whose age is not known is left alone.
            if (since := iso_time(begun)) is not None:
                yield _plain(client, bucket, key, upload_id) if unsaid else key, upload_id, since


def _plain(client: Client, bucket: str, key: str, upload_id: str) -> str:
    """Return the key of an upload whose listing does not say whether keys are encoded; Ceph's are."""
    plain = unquote(key)
    if plain == key:
        return key
    query = (("uploadId", upload_id),)
    return key if client.request("GET", bucket, key, query, allow=(404,)).status != 404 else plain


def sweep(client: Client, bucket: str, prefix: str, age_ns: int, *, dry_run: bool) -> int:
    """Abort the uploads of keys that begin with ``prefix`` and that began so many nanoseconds ago; return how many.

    Some services tell the begin in whole seconds, and some of these the second that follows.
    """
    now = time.time_ns()
    found = list(unfinished(client, bucket, prefix))
    if not found:
        return 0
    late = ahead(client, bucket)
    # A clock that is wrong must not make old what somebody is sending; what is less is the time that the answer took.
    before = now - age_ns + (late if abs(late) > 3 * _SECOND else 0)
    old = [(key, upload_id) for key, upload_id, begun in found if begun <= before]
    for key, upload_id in old if not dry_run else ():
        abort(client, bucket, key, upload_id)
    return len(old)


def ahead(client: Client, bucket: str) -> int:
    """Return how far the clock of the service is before ours, in nanoseconds; it tells whole seconds, cut."""
    told = http_time(client.request("HEAD", bucket, allow=(403, 404)).headers.get("date", ""))
    return 0 if told is None else told - time.time_ns()


def abort_begun(client: Client, bucket: str, key: str, since_ns: int, but: str = "") -> int:
    """Abort the uploads of a key that began in the minutes after a time, and have no part; return how many.

    The time is by the clock of this machine; when an upload began is told by that of the service, cut to seconds.
    The one whose id is ``but`` stays.
    """
    first = since_ns - _SECOND + ahead(client, bucket)
    count = 0
    for name, upload_id, begun in list(unfinished(client, bucket, key)):
        # One that began later is of somebody else, who may be about to send the first part.
        if name != key or upload_id == but or not first <= begun <= first + _LONGEST_BEGIN:
            continue
        answer = client.request("GET", bucket, key, (("uploadId", upload_id),), allow=(404,))
        if answer.status != 404 and not parts(result_of(answer, bucket))[0]:
            abort(client, bucket, key, upload_id)
            count += 1
    return count
