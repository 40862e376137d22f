"""What S3 does among its own: copies, changes of what stands beside the bytes, buckets."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import md5
from typing import TYPE_CHECKING, Final

from omnistorage.core.errors import AlreadyExists, PreconditionFailed, SourceChanged, StorageError, Unsupported
from omnistorage.core.info import FILE, ObjectInfo

from ._s3answers import refuse_foreign, result_of
from ._s3client import Client
from ._s3metadata import PLACED, changed_headers, info_of, is_md5, md5_header, refuse_unsealed, version_of
from ._s3unfinished import begin
from ._s3upload import S3Upload, part_size_for
from ._s3xml import NAMESPACE, escaped, tagging, tagging_body, text_of
from ._sigv4 import quote_key

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

STEP = 512 << 20
"""Bytes of a part that is copied at least: nothing travels through us, so that large parts cost no memory."""

_SIDE_BY_SIDE: Final = 4
"""Parts that are copied at a time."""

_WAITS: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a part is tried again."""

Place = tuple[str, str]
"""Bucket and key."""


def copy(
    client: Client,
    source: Place,
    target: Place,
    path: str,
    part_size: int,
    version: str | None = None,
    *,
    etag: str | None = None,
    begun: Callable[[str], object] | None = None,
) -> ObjectInfo:
    """Copy an object (or one version of it) with all that is kept beside its bytes.

    It goes by parts if it is too large for one request; ``begun`` is as in ``Placed``.

    Raises:
        SourceChanged: It does not have the ``etag`` any more.
    """
    refuse_no_copy(client)
    query = (("versionId", version),) if version else ()
    if client.copy_cutoff < client.preset.max_copy:
        head = client.request("HEAD", *source, query, headers=client.key_headers).headers
        refuse_foreign(head, source[0])
        if int(head["content-length"]) > client.copy_cutoff:
            return _large(client, source, target, path, head, part_size, version, etag, begun)
    headers = {**client.write_headers(), **_source_key(client), "x-amz-copy-source": _named(source, version)}
    if etag is not None:
        headers["x-amz-copy-source-if-match"] = f'"{etag}"'
    try:
        answer = client.request("PUT", *target, headers=headers)
        copied = _etag_in(result_of(answer, target[0]))
    except PreconditionFailed as exc:
        raise SourceChanged("the object was replaced meanwhile", request_id=exc.request_id) from exc
    except StorageError as exc:
        # There is no code for "too large": whether it is that is asked only then.
        sealed = _only_by_parts(client, exc)
        if not sealed and not _may_be_size(exc):
            raise
        head = client.request("HEAD", *source, query, headers=client.key_headers).headers
        refuse_foreign(head, source[0])
        if not sealed and int(head.get("content-length", "0")) <= client.preset.max_copy:
            if version is None or source != target:
                raise
            # One service copies no object onto itself that is to stay as it is, whichever version is named.
            return replace(client, source, path, head, changed_headers(head, None, None), part_size, version)
        return _large(client, source, target, path, head, part_size, version, etag, begun)
    refuse_unsealed(client.key_headers, answer.headers)
    if etag and copied and copied != etag and client.etag_is_md5 and is_md5(etag) and is_md5(copied):
        # Ceph, moto and rclone take no notice of the condition. What they copied is a whole object, only a later one.
        raise SourceChanged("the object was replaced meanwhile")
    hashes = {"md5": copied} if copied and client.etag_is_md5 and is_md5(copied) else {}
    return ObjectInfo(path, FILE, hashes=hashes, etag=copied, version=version_of(answer.headers))


def replace(
    client: Client,
    place: Place,
    path: str,
    head: Mapping[str, str],
    headers: Mapping[str, str],
    part_size: int,
    version: str | None = None,
) -> ObjectInfo:
    """Give an object other headers, by a copy onto itself, or onto its present version from an earlier one.

    Args:
        client: The service.
        place: The object.
        path: What it is called in the answer.
        head: What HEAD said of it, or of that version.
        headers: What it is to have.
        part_size: Bytes of a part, if that is needed.
        version: The one to copy.

    Raises:
        SourceChanged: It was replaced since ``head`` was asked for.
    """
    refuse_no_copy(client)
    if int(head.get("content-length", "0")) > client.copy_cutoff:
        return _by_parts(client, place, place, path, head, {**client.write_headers(), **headers}, part_size, version)
    sent = {
        **client.write_headers(),
        **_source_key(client),
        **headers,
        "x-amz-copy-source": _named(place, version),
        "x-amz-metadata-directive": "REPLACE",
    }
    if present := head.get("etag"):
        sent["x-amz-copy-source-if-match"] = present
    tags = tags_of(client, place, head, version)
    try:
        answer = client.request("PUT", *place, headers=sent)
        etag = _etag_in(result_of(answer, place[0]))
    except PreconditionFailed as exc:
        raise SourceChanged("the object was replaced meanwhile", request_id=exc.request_id) from exc
    except Unsupported as exc:
        if not _only_by_parts(client, exc):
            raise
        return _by_parts(client, place, place, path, head, {**client.write_headers(), **headers}, part_size, version)
    refuse_unsealed(client.key_headers, answer.headers)
    if tags:
        # AWS keeps them; others lose them where metadata is replaced, whatever they are told.
        set_tags(client, place, tags)
    return ObjectInfo(path, FILE, etag=etag, version=version_of(answer.headers))


def refuse_no_copy(client: Client) -> None:
    """Look whether the service copies at all.

    Raises:
        Unsupported: It does not.
    """
    if not client.preset.max_copy:
        raise Unsupported("this service copies nothing")


def make_bucket(client: Client, bucket: str) -> None:
    """Make a bucket where the options say, or in the region of the client; one of our own is fine."""
    region, place = client.region_of(bucket), client.location
    # The first region of all has no name here.
    if not place and region != "us-east-1" and client.preset.name == "aws":
        place = region
    try:
        try:
            client.request("PUT", bucket, body=_located(place))
        except StorageError as exc:
            # Others call their regions what they like, also when a bucket is made; who wants to hear it says so.
            if place or "IllegalLocationConstraint" not in exc.message:
                raise
            client.request("PUT", bucket, body=_located(region))
    except AlreadyExists as exc:
        if "BucketAlreadyOwnedByYou" not in exc.message:
            raise


def _located(place: str) -> bytes | None:
    if not place:
        return None
    return (
        f'<CreateBucketConfiguration xmlns="{NAMESPACE}"><LocationConstraint>{escaped(place)}'
        "</LocationConstraint></CreateBucketConfiguration>"
    ).encode()


def _large(
    client: Client,
    source: Place,
    target: Place,
    path: str,
    head: Mapping[str, str],
    part_size: int,
    version: str | None,
    etag: str | None,
    begun: Callable[[str], object] | None,
) -> ObjectInfo:
    """Copy by parts what is too large for one request, with what ``copy`` gives to an object."""
    if etag is not None and head.get("etag", "").strip('"') != etag:
        raise SourceChanged("the object was replaced meanwhile")
    headers = changed_headers(head, None, None)
    # As by one request: these follow from the options and from the bucket, not from the source.
    own = {name: value for name, value in headers.items() if name not in PLACED}
    return _by_parts(client, source, target, path, head, {**own, **client.write_headers()}, part_size, version, begun)


def _by_parts(
    client: Client,
    source: Place,
    target: Place,
    path: str,
    head: Mapping[str, str],
    headers: Mapping[str, str],
    part_size: int,
    version: str | None = None,
    begun: Callable[[str], object] | None = None,
) -> ObjectInfo:
    from concurrent.futures import ThreadPoolExecutor

    if client.preset.no_part_copy or client.preset.no_multipart:
        raise Unsupported("larger than this service copies")
    size = int(head["content-length"])
    step = part_size_for(client, max(part_size, min(STEP, client.copy_cutoff)), size)
    tags = tags_of(client, source, head, version)
    kept = {"x-amz-tagging": tags} if tags else {}
    info = info_of(path, head, etag_is_md5=client.etag_is_md5)
    kept |= md5_header(info.hashes)
    if begun is not None:
        begun("")
    upload_id = begin(client, *target, {**kept, **headers})
    upload = S3Upload(client, *target, path, upload_id, step, mtime_ns=info.mtime_ns)
    given = {**client.key_headers, **_source_key(client)}
    if etag := head.get("etag"):
        given["x-amz-copy-source-if-match"] = etag

    def copy_part(number: int) -> None:
        begin, end = (number - 1) * step, min(size, number * step)
        _patiently(lambda: upload.copy_part(number, _named(source, version), begin, end, given))

    with upload.undone_on_failure(), ThreadPoolExecutor(_SIDE_BY_SIDE, "omnistorage-copy") as pool:
        if begun is not None:
            begun(upload.token or "")
        try:
            for done in [pool.submit(copy_part, number) for number in range(1, -(-size // step) + 1)]:
                done.result()
        except PreconditionFailed as exc:
            raise SourceChanged("the object was replaced meanwhile", request_id=exc.request_id) from exc
        finally:
            pool.shutdown(cancel_futures=True)
        query = (("versionId", version),) if version else ()
        now = client.request("HEAD", *source, query, headers=client.key_headers).headers
        if now.get("etag") != head.get("etag"):
            # Not every service minds the condition, and parts of two objects are none.
            raise SourceChanged("the object was replaced meanwhile")
        return upload.finish()


def _patiently(call: Callable[[], object]) -> None:
    """Repeat what failed for the moment: to begin with all parts anew would copy terabytes once more."""
    for wait in _WAITS:
        try:
            call()
            return
        except StorageError as exc:
            if not exc.retryable:
                raise
            time.sleep(max(wait, exc.retry_after or 0.0))
    call()


def tags_of(client: Client, place: Place, head: Mapping[str, str], version: str | None = None) -> str:
    """Return the tags of an object as a header names them; nobody is asked if ``head`` says that there are none."""
    if head.get("x-amz-tagging-count", "0") == "0":
        return ""
    query = [("tagging", "")]
    if version:
        query.append(("versionId", version))
    return tagging(result_of(client.request("GET", *place, query), place[0]))


def set_tags(client: Client, place: Place, tags: str) -> None:
    """Replace the tags of an object."""
    if client.preset.no_tags:
        raise Unsupported("this service keeps no tags")
    body = tagging_body(tags)
    digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    headers = {"content-type": "application/xml", "content-md5": digest}
    client.request("PUT", *place, (("tagging", ""),), headers, body)


def _named(place: Place, version: str | None = None) -> str:
    bucket, key = place
    name = f"/{quote_key(bucket)}/{quote_key(key)}"
    return f"{name}?versionId={quote_key(version)}" if version else name


def _etag_in(root: Element) -> str | None:
    return text_of(root, "ETag").strip('"') or None


def _source_key(client: Client) -> dict[str, str]:
    return {name.replace("x-amz-", "x-amz-copy-source-", 1): value for name, value in client.key_headers.items()}


def _only_by_parts(client: Client, exc: StorageError) -> bool:
    """Say whether what was refused goes by parts: Ceph copies so what is encrypted by a key of one's own."""
    return isinstance(exc, Unsupported) and bool(client.key_headers)


def _may_be_size(exc: StorageError) -> bool:
    return "InvalidRequest" in exc.message or "EntityTooLarge" in exc.message
