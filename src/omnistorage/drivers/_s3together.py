"""Many small objects of S3, stored or read by one thread that keeps several requests under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import md5
from typing import TYPE_CHECKING, Final

from omnistorage.core.driver import GetResults, PutItem, PutResults
from omnistorage.core.errors import Corrupted
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body

from ._s3answers import confirm_stored, foreign
from ._s3bodies import whole
from ._s3client import Call, Client
from ._s3errors import named
from ._s3metadata import info_of, stored_info
from ._s3upload import refuse_other

if TYPE_CHECKING:
    from ._http import Answer

SMALL: Final = 64 << 10
"""Bytes up to which an object travels this way: so much fits into the buffers of the system, so that nobody waits."""

Placed = Callable[[str], tuple[str, str]]
"""Returns bucket and key of a path."""


def put_together(
    client: Client,
    items: Sequence[PutItem],
    width: int,
    place: Placed,
    headers_of: Callable[[str, PutOptions], dict[str, str]],
    put: Callable[[str, Body, PutOptions], ObjectInfo],
) -> PutResults:
    """Store objects; the large ones among them, and those that must be absent, by ``put``."""
    results: list[ObjectInfo | Exception | None] = [None] * len(items)
    # Index, bucket, key, size, MD5 and headers.
    sent: list[tuple[int, str, str, int, bytes, dict[str, str]]] = []
    left: list[int] = []

    def calls() -> Iterator[Call]:
        for at, (path, body, options) in enumerate(items):
            if body.size is None or body.size > SMALL or options.if_absent or options.if_match:
                left.append(at)
                continue
            try:
                if body.progress is not None:
                    body.progress(0)
                bucket, key = place(path)
                headers = headers_of(key, options)
                data = whole(body)
            except Exception as exc:
                results[at] = exc
                continue
            digest = md5(data, usedforsecurity=False).digest()
            sent.append((at, bucket, key, len(data), digest, headers))
            checked = client.checksum_headers(data, digest=digest)
            yield Call("PUT", bucket, key, {**headers, **checked}, data)

    for number, answer in enumerate(client.request_many(calls(), width)):
        at, bucket, key, size, digest, headers = sent[number]
        if isinstance(answer, Exception):
            results[at] = answer
            continue
        found = answer.headers
        try:
            confirm_stored(client, bucket, key, size, headers, answer)
            refuse_other(client, bucket, digest, found)
        except Exception as exc:
            results[at] = exc
            continue
        results[at] = stored_info(items[at][0], size, headers, found, etag_is_md5=client.etag_is_md5)
    for at in left:
        try:
            results[at] = put(*items[at])
        except Exception as exc:
            results[at] = exc
    return [result for result in results if result is not None]


def _refused(info: ObjectInfo, bucket: str, answer: Answer) -> Corrupted | None:
    """Return what is wrong with bytes that came: they are no object's, or have another MD5 than is told."""
    if info.etag is None:
        return foreign(bucket, answer.headers)
    told = info.hashes.get("md5")
    if told is None or (found := md5(answer.data, usedforsecurity=False).hexdigest()) == told:
        return None
    error = Corrupted(f"other bytes came than are stored: MD5 {found}, not {told}")
    # As where they come by themselves: see S3Stream.
    error.retryable = False
    return named(error, bucket, answer.headers)


def get_together(client: Client, paths: Sequence[str], width: int, place: Placed) -> GetResults:
    """Read objects, whole."""
    results: list[tuple[ObjectInfo | None, bytes] | Exception | None] = [None] * len(paths)
    sent: list[int] = []

    def calls() -> Iterator[Call]:
        for at, path in enumerate(paths):
            try:
                bucket, key = place(path)
            except Exception as exc:
                results[at] = exc
                continue
            sent.append(at)
            yield Call("GET", bucket, key, client.key_headers)

    for number, answer in enumerate(client.request_many(calls(), width)):
        at = sent[number]
        if isinstance(answer, Exception):
            results[at] = answer
        else:
            bucket, _ = place(paths[at])
            info = info_of(paths[at], answer.headers, etag_is_md5=client.etag_is_md5, size=len(answer.data))
            results[at] = _refused(info, bucket, answer) or (info, answer.data)
    return [result for result in results if result is not None]
