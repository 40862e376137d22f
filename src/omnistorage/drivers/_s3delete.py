"""Deleting many objects of S3 with few requests."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import md5
from itertools import groupby

from omnistorage.core.driver import Failures
from omnistorage.core.errors import IsADirectory, StorageError

from ._s3client import Client
from ._s3errors import Failure, error_of, failure_of
from ._s3xml import deletion, fits_xml, text_of, tree

_MOST = 1000
"""Keys that one request may name."""

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
            client.request("DELETE", bucket, key, allow=(404,))
        except StorageError as exc:
            results[index] = exc
    for bucket, group in groupby(sorted(together, key=lambda one: one[1]), key=lambda one: one[1]):
        several = list(group)
        for begin in range(0, len(several), _MOST):
            _delete_batch(client, bucket, several[begin : begin + _MOST], results)
    for index, result in enumerate(results):
        if result is not None:
            result.op = result.op or "delete"
            result.path = result.path or paths[index]
            result.scheme = result.scheme or "s3"
    return results


def _delete_batch(client: Client, bucket: str, batch: list[_Placed], results: Failures) -> None:
    body = deletion(key for _, _, key in batch)
    # Always this one: older services demand it.
    digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    headers = {"content-type": "application/xml", "content-md5": digest}
    try:
        answer = client.request("POST", bucket, query=(("delete", ""),), headers=headers, body=body)
        root = tree(answer.data)
        if root.tag == "Error":
            raise error_of(failure_of(answer.status, answer.headers, answer.data), bucket)
    except StorageError as exc:
        if exc.retryable:
            # Nothing may have been done: the whole call goes again, which does no harm.
            raise
        for index, _, _ in batch:
            results[index] = type(exc)(exc.message, request_id=exc.request_id)
        return
    failed: dict[str, StorageError] = {}
    for node in root.iterfind("Error"):
        code = text_of(node, "Code")
        if code not in ("NoSuchKey", "NoSuchVersion"):
            failure = Failure(200, code, text_of(node, "Message"), "", answer.headers.get("x-amz-request-id"))
            failed[node.findtext("Key") or ""] = error_of(failure, bucket)
    if failed:
        for index, _, key in batch:
            if key in failed:
                results[index] = failed[key]
