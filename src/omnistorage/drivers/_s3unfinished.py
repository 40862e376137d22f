"""Uploads in parts that were begun and not finished: which there are, and what came of one that nobody knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from ._s3client import Client
from ._s3metadata import http_time, iso_time
from ._s3xml import parts, uploads

_SECOND: Final = 1_000_000_000

_LONGEST_BEGIN: Final = 900 * _SECOND
"""Within so many nanoseconds an upload is begun, with all repetitions, or never."""


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
        found, marker = uploads(client.good(answer, bucket))
        for key, upload_id, begun in found:
            # One whose age is not known is left alone.
            if (since := iso_time(begun)) is not None:
                yield key, upload_id, since


def abort_begun(client: Client, bucket: str, key: str, since_ns: int) -> int:
    """Abort the uploads of a key that began in the minutes after a time, and have no part; return how many.

    The time is by the clock of this machine; when an upload began is told by that of the service, cut to seconds.
    """
    told = http_time(client.request("HEAD", bucket, allow=(403, 404)).headers.get("date", ""))
    first = since_ns - _SECOND + (0 if told is None else told - time.time_ns())
    count = 0
    for name, upload_id, begun in list(unfinished(client, bucket, key)):
        # One that began later is of somebody else, who may be about to send the first part.
        if name != key or not first <= begun <= first + _LONGEST_BEGIN:
            continue
        query = (("uploadId", upload_id),)
        answer = client.request("GET", bucket, key, query, allow=(404,))
        if answer.status != 404 and not parts(answer.data)[0]:
            client.request("DELETE", bucket, key, query, allow=(404,))
            count += 1
    return count
