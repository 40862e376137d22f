"""Deleting many objects of S3 with few requests."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from hashlib import md5
from itertools import groupby
from typing import TYPE_CHECKING, Final

from omnistorage.core.driver import Failures
from omnistorage.core.errors import IsADirectory, StorageError

from ._s3answers import confirm_deleted, foreign, result_of
from ._s3client import Client
from ._s3errors import Failure, error_of
from ._s3xml import deletion, fits_xml, text_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST: Final = 1000
"""Keys that one request may name."""

_MOST_BYTES: Final = 1 << 20
"""Bytes of keys that one request names: services bound what they read of it, and XML makes six letters of some."""

_Placed = tuple[int, str, str]
"""Index, bucket and key."""


def delete_all(client: Client, place_of: Callable[[str], tuple[str, str]], paths: Sequence[str]) -> Failures:
    """Delete objects; the answer has an error or None for each. What is not there counts as deleted."""
    results: Failures = [None] * len(paths)
    wanted: list[_Placed] = []
    for index, path in enumerate(paths):
        try:
            wanted.append((index, *place_of(path)))
        except IsADirectory:
            # No object can stand there, so that there is none to delete.
            continue
        except StorageError as exc:
            results[index] = exc
    single = [one for one in wanted if client.preset.no_batch_delete or not fits_xml(one[2])]
    together = [one for one in wanted if not client.preset.no_batch_delete and fits_xml(one[2])]
    for index, bucket, key in single:
        try:
            confirm_deleted(client, bucket, key, client.request("DELETE", bucket, key, allow=(404,)))
        except StorageError as exc:
            results[index] = exc
    for bucket, group in groupby(sorted(together, key=lambda one: one[1]), key=lambda one: one[1]):
        for batch in _batches(list(group)):
            _delete_batch(client, bucket, batch, results)
    for index, result in enumerate(results):
        if result is not None:
            result.op = result.op or "delete"
            result.path = result.path or paths[index]
            result.scheme = result.scheme or "s3"
    return results


def _batches(wanted: list[_Placed]) -> Iterator[list[_Placed]]:
    batch: list[_Placed] = []
    left = _MOST_BYTES
    for one in wanted:
        size = len(deletion([one[2]]))
        if len(batch) == _MOST or (batch and size > left):
            yield batch
            batch, left = [], _MOST_BYTES
        batch.append(one)
        left -= size
    yield batch


def _delete_batch(client: Client, bucket: str, batch: list[_Placed], results: Failures) -> None:
    body = deletion(key for _, _, key in batch)
    # Always this one: older services demand it.
    digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    headers = {"content-type": "application/xml", "content-md5": digest}
    try:
        answer = client.request("POST", bucket, query=(("delete", ""),), headers=headers, body=body)
        root = result_of(answer, bucket)
        if not root.tag.startswith("Delete"):
            raise foreign(bucket, answer.headers)
    except StorageError as exc:
        if exc.retryable:
            # Nothing may have been done: the whole call goes again, which does no harm.
            raise
        for index, _, _ in batch:
            results[index] = type(exc)(exc.message, request_id=exc.request_id)
        return
    failed = failures_in(root, bucket, [key for _, _, key in batch], answer.headers.get("x-amz-request-id"))
    for index, _, key in batch:
        results[index] = failed.get(key)


def failures_in(root: Element, bucket: str, keys: Sequence[str], request_id: str | None) -> dict[str, StorageError]:
    """Return what an answer says of the ``keys`` that were not deleted.

    An error without a key, or with one that nobody named, counts for all of which nothing else is said: which of
    them is still there is not known.
    """
    told: dict[str, Failure] = {}
    for node in root.iterfind("Error"):
        code = text_of(node, "Code")
        if code not in ("NoSuchKey", "NoSuchVersion"):
            told[_as_parsed(node.findtext("Key") or "")] = Failure(
                200, code, text_of(node, "Message"), "", request_id
            )
    if not told:
        return {}
    known = {key: _as_parsed(key) for key in keys}
    stray = next((told[name] for name in told.keys() - set(known.values())), None)
    found = {key: told.get(name, stray) for key, name in known.items()}
    # An error each: it will get the name of its object.
    return {key: error_of(failure, bucket) for key, failure in found.items() if failure is not None}


def _as_parsed(key: str) -> str:
    """Return a key as it may come back: where it has a carriage return, a parser of XML makes a line end of that."""
    return key.replace("\r\n", "\n").replace("\r", "\n")
