"""Whether an answer that looks well is S3's word that all went well.

Some failures come with status 200, as the work began only then. And a proxy on the way may answer in the service's
place, with a page or with nothing: what it says must not count as stored, listed or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from omnistorage.core.errors import Corrupted

from ._http import retry_after
from ._s3errors import error_of, failure_of, named
from ._s3metadata import MTIME_HEADER
from ._s3xml import tree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from ._http import Answer
    from ._s3client import Client


def result_of(answer: Answer, bucket: str) -> Element:
    """Return the XML of an answer.

    Raises:
        StorageError: It tells of a failure.
        Corrupted: It was cut, or is not S3's.
    """
    try:
        root = tree(answer.data)
    except Corrupted as exc:
        raise named(exc, bucket, answer.headers)  # noqa: B904 -- it has its cause
    # Some leave out the end of the name.
    if root.tag.endswith(("Result", "Tagging")) or root.tag.startswith(_VERBS):
        return root
    failure = failure_of(answer.status, answer.headers, answer.data)
    if failure.code:
        raise error_of(failure, bucket, retry_after(answer.headers))
    raise foreign(bucket, answer.headers)


def refuse_foreign(headers: Mapping[str, str], bucket: str) -> None:
    """Look whether an answer is about an object at all.

    Raises:
        Corrupted: It is not: of each object S3 tells the ETag.
    """
    if "etag" not in headers:
        raise foreign(bucket, headers)


def confirm_stored(client: Client, bucket: str, key: str, size: int, sent: Mapping[str, str], answer: Answer) -> None:
    """Look whether an object was stored, if the answer does not name what was.

    Raises:
        Corrupted: There is none of that size and with the time that was ``sent``.
    """
    if "etag" in answer.headers:
        return
    if "x-trans-id" in answer.headers and b"accepted for processing" in answer.data:
        # So says Swift where a later put or delete of the same key was faster: ours counts as replaced already.
        return
    head = client.request("HEAD", bucket, key, headers=client.key_headers, allow=(404,)).headers
    if head.get("content-length") != str(size) or head.get(MTIME_HEADER) != sent[MTIME_HEADER]:
        raise foreign(bucket, answer.headers)


def confirm_deleted(client: Client, bucket: str, key: str, answer: Answer) -> None:
    """Look whether an object is gone, if the answer was not the usual one.

    Raises:
        Corrupted: It is not.
    """
    if answer.status in (204, 404):
        return
    if client.request("HEAD", bucket, key, headers=client.key_headers, allow=(404,)).status != 404:
        raise foreign(bucket, answer.headers)


def foreign(bucket: str, headers: Mapping[str, str]) -> Corrupted:
    """Return the error for an answer that is not S3's, which may be another one the next time."""
    return named(Corrupted("the answer is not one of S3"), bucket, headers)


_VERBS: Final = ("Initiate", "Complete", "Copy", "Delete", "List")
