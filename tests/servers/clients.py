"""boto3 on a test server: what others say is in a bucket."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from functools import cache
from typing import Any

from .model import Server


@cache
def client(server: Server, *, secret_key: str = "", trust: bool = True, timeout: float = 30.0) -> Any:
    """Return boto3's client of a server; one that tries once, and sends no checksums unless asked to.

    ``secret_key`` is used in place of the server's; without ``trust``, its own authority is not believed.
    """
    # Half a second that only those wait who need it.
    import boto3
    from botocore.config import Config

    made = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=secret_key or server.secret_key,
        region_name=server.region,
        verify=server.ca_file if server.ca_file and trust else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=timeout,
            read_timeout=timeout,
            # Over TLS, radosgw and rclone refuse the checksum that follows a body by default.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    # Swift takes no other checksum where S3 demands one, and boto3 sends this one no more.
    made.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
    return made


def make_bucket(server: Server) -> str:
    """Make a bucket of a name that was never used, and return that."""
    name = f"test-{secrets.token_hex(8)}"
    client(server).create_bucket(Bucket=name)
    return name


def remove_bucket(server: Server, name: str) -> None:
    """Remove a bucket with all that is in it: objects, their versions, and uploads that were not finished."""
    from botocore.exceptions import ClientError

    s3 = client(server)
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as exc:
        if exc.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            # The test has removed it.
            return
        raise
    # What rclone says of a bucket that has none.
    with contextlib.suppress(s3.exceptions.NoSuchUpload):
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
            for upload in page.get("Uploads", []):
                s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    _delete_all(s3, name, "list_objects_v2", ["Contents"])
    if not server.kind.startswith("rclone"):
        _delete_all(s3, name, "list_object_versions", ["Versions", "DeleteMarkers"])
    s3.delete_bucket(Bucket=name)


def _add_md5(params: dict[str, Any], **_: object) -> None:
    params["headers"]["Content-MD5"] = base64.b64encode(hashlib.md5(params["body"]).digest()).decode()


def _delete_all(s3: Any, bucket: str, listing: str, parts: list[str]) -> None:
    for page in s3.get_paginator(listing).paginate(Bucket=bucket):
        found = [entry for part in parts for entry in page.get(part, [])]
        keys = [{name: entry[name] for name in ("Key", "VersionId") if name in entry} for entry in found]
        if keys:
            done = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
            if done.get("Errors"):
                raise AssertionError(f"{bucket}: {done['Errors'][:3]}")
