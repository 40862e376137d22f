"""What S3 does among its own: copies, changes of what stands beside the bytes, buckets."""

from __future__ import annotations

from collections.abc import Mapping

from omnistorage.core.errors import AlreadyExists, PreconditionFailed, SourceChanged, StorageError, Unsupported
from omnistorage.core.info import FILE, ObjectInfo

from ._s3client import Client
from ._s3metadata import changed_headers, info_of, version_of
from ._s3upload import S3Upload, begin, part_size_for
from ._s3xml import NAMESPACE, escaped, text_of, tree
from ._sigv4 import quote_key

Place = tuple[str, str]
"""Bucket and key."""


def copy(client: Client, source: Place, target: Place, path: str, part_size: int) -> ObjectInfo:
    """Copy an object with all that is kept beside its bytes; by parts if it is too large for one request."""
    refuse_no_copy(client)
    headers = {**client.write_headers(), **_source_key(client), "x-amz-copy-source": _named(source)}
    try:
        answer = client.request("PUT", *target, headers=headers)
        data = client.checked(answer, target[0])
    except StorageError as exc:
        # There is no code for "too large": whether it is that is asked only then.
        if not _may_be_size(exc):
            raise
        head = client.request("HEAD", *source, headers=client.key_headers).headers
        if int(head.get("content-length", "0")) <= client.preset.max_copy:
            raise
        return _by_parts(client, source, target, path, head, changed_headers(head, None, None), part_size)
    etag = text_of(tree(data), "ETag").strip('"') or None
    return ObjectInfo(path, FILE, etag=etag, version=version_of(answer.headers))


def replace(
    client: Client, bucket: str, key: str, head: Mapping[str, str], headers: Mapping[str, str], part_size: int
) -> None:
    """Give an object other headers, by a copy onto itself.

    Args:
        client: The service.
        bucket: The bucket.
        key: The object.
        head: What HEAD said of it.
        headers: What it is to have.
        part_size: Bytes of a part, if that is needed.

    Raises:
        SourceChanged: It was replaced since ``head`` was asked for.
    """
    refuse_no_copy(client)
    place = bucket, key
    if int(head.get("content-length", "0")) > client.preset.max_copy:
        _by_parts(client, place, place, key, head, headers, part_size)
        return
    sent = {
        **client.write_headers(),
        **_source_key(client),
        **headers,
        "x-amz-copy-source": _named(place),
        "x-amz-metadata-directive": "REPLACE",
    }
    if etag := head.get("etag"):
        sent["x-amz-copy-source-if-match"] = etag
    try:
        client.checked(client.request("PUT", bucket, key, headers=sent), bucket)
    except PreconditionFailed as exc:
        raise SourceChanged("the object was replaced meanwhile", request_id=exc.request_id) from exc


def refuse_no_copy(client: Client) -> None:
    """Look whether the service copies at all.

    Raises:
        Unsupported: It does not.
    """
    if not client.preset.max_copy:
        raise Unsupported("this service copies nothing")


def make_bucket(client: Client, bucket: str) -> None:
    """Make a bucket in the region of the client; one of our own is fine."""
    region = client.region_of(bucket)
    body = b""
    # The first region of all has no name here.
    if region != "us-east-1" and client.preset.name == "aws":
        body = (
            f'<CreateBucketConfiguration xmlns="{NAMESPACE}"><LocationConstraint>{escaped(region)}'
            "</LocationConstraint></CreateBucketConfiguration>"
        ).encode()
    try:
        client.request("PUT", bucket, body=body or None)
    except AlreadyExists as exc:
        if "BucketAlreadyOwnedByYou" not in exc.message:
            raise


def _by_parts(
    client: Client,
    source: Place,
    target: Place,
    path: str,
    head: Mapping[str, str],
    headers: Mapping[str, str],
    part_size: int,
) -> ObjectInfo:
    size = int(head["content-length"])
    # Nothing travels through us: the parts may be large.
    step = part_size_for(client, max(part_size, 512 << 20), size)
    upload_id = begin(client, *target, {**client.write_headers(), **headers})
    info = info_of(path, head, etag_is_md5=False)
    upload = S3Upload(client, *target, path, upload_id, step, mtime_ns=info.mtime_ns)
    given = {**client.key_headers, **_source_key(client)}
    if etag := head.get("etag"):
        given["x-amz-copy-source-if-match"] = etag
    with upload.undone_on_failure():
        for number, offset in enumerate(range(0, size, step), 1):
            upload.copy_part(number, _named(source), offset, min(size, offset + step), given)
        return upload.finish()


def _named(place: Place) -> str:
    bucket, key = place
    return f"/{quote_key(bucket)}/{quote_key(key)}"


def _source_key(client: Client) -> dict[str, str]:
    return {name.replace("x-amz-", "x-amz-copy-source-", 1): value for name, value in client.key_headers.items()}


def _may_be_size(exc: StorageError) -> bool:
    return "InvalidRequest" in exc.message or "EntityTooLarge" in exc.message
