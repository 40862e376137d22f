"""Settings of an S3 storage."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from omnistorage.core.errors import Unsupported
from omnistorage.core.placed import Placed
from omnistorage.core.redact import redacted
from omnistorage.core.secret import refuse_plain


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of an S3 storage.

    Attributes:
        bucket: The bucket. Usually it stands in the address; without one, the buckets are the topmost directories.
        provider: The service, by the name of its preset (aws, r2, minio, wasabi, ceph, ...); it brings endpoint,
            region and peculiarities. Empty means aws, or other where an endpoint is given.
        endpoint_url: Where the service is, if the preset does not say: https://host or http://host:port.
        region: Region of the bucket; asked for from the environment and the preset if empty.
        location_constraint: Where buckets are made, if the service calls that otherwise than the region.
        make_bucket: Make the bucket with the first object that is stored, if it is not there. Where buckets are
            directories (s3://), this is done in any case.
        account_id: The account, where the endpoint of a preset has it in its name (r2).
        access_key_id: The access key; from the environment or the shared configuration of AWS if empty.
        secret_access_key: The secret of the access key.
        session_token: The token of temporary credentials.
        profile: Profile of the shared configuration of AWS to take credentials from.
        env_auth: Look for credentials in the environment and the shared configuration if none are given here.
        anonymous: Send no credentials at all, for public buckets.
        path_style: Name the bucket in the path (true) or in the host name (false); none lets the preset decide, and
            means true where an endpoint is given.
        ca_file: File of certificates by which to know the service.
        verify: Check the certificate of the service.
        proxy: Proxy to go by, as a URL.
        connect_timeout: Seconds to wait for a connection.
        timeout: Seconds to wait for the next bytes of an answer.
        connections: Connections that are kept open for the next request.
        storage_class: Storage class of what is stored (STANDARD_IA, GLACIER, ...); the bucket's own if empty.
        acl: Canned ACL of what is stored (private, public-read, bucket-owner-full-control, ...).
        tagging: Tags of what is stored, as name=value&name=value with the escapes of a URL.
        server_side_encryption: Encryption at the service: AES256, aws:kms or aws:kms:dsse; the bucket's own if empty.
        sse_kms_key_id: The key for aws:kms.
        sse_customer_key: A key of your own (SSE-C) in Base64; whoever reads has to have it, too.
        requester_pays: We pay for requests to a bucket of somebody else.
        part_size: Bytes of a part of an upload; larger for objects of more than 10,000 of these.
        upload_cutoff: Bytes up to which an object is sent by one request, which lets its ETag be its MD5.
        copy_cutoff: Bytes up to which an object is copied within the service by one request, larger ones by parts; 0
            means as many as the service copies so. If it is less, each copy costs one more request.
        upload_md5: Read files of this machine that are sent in parts once more before, so that the MD5 of the whole
            can be kept beside the object. That of other sources is kept in any case, where they tell it.
        checksum: What is sent beside the bytes for the service to check them: md5, crc32c, crc64nvme (needs the extra
            crc64), sha256 or none; empty lets the preset decide.
        etag_is_md5: Whether the ETags of objects that were sent by one request are their MD5; none lets the preset
            and the encryption decide. Say false for a bucket that encrypts by aws:kms on its own.
        list_chunk: Entries that one listing asks for, at most 1000.
        versioned: The bucket keeps versions, and they can be listed.
    """

    bucket: str = ""
    provider: str = ""
    endpoint_url: str = ""
    region: str = ""
    location_constraint: str = ""
    make_bucket: bool = False
    account_id: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    profile: str = ""
    env_auth: bool = True
    anonymous: bool = False
    path_style: bool | None = None
    ca_file: str = ""
    verify: bool = True
    proxy: str = ""
    connect_timeout: float = 10.0
    timeout: float = 60.0
    connections: int = 32
    storage_class: str = ""
    acl: str = ""
    tagging: str = ""
    server_side_encryption: str = ""
    sse_kms_key_id: str = ""
    sse_customer_key: str = ""
    requester_pays: bool = False
    part_size: int = 8 << 20
    upload_cutoff: int = 200 << 20
    copy_cutoff: int = 0
    upload_md5: bool = False
    checksum: Literal["", "md5", "crc32c", "crc64nvme", "sha256", "none"] = ""
    etag_is_md5: bool | None = None
    list_chunk: int = 1000
    versioned: bool = False

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{field.name}={redacted(field.name, value)!r}"
            for field in msgspec.structs.fields(type(self))
            if (value := getattr(self, field.name)) != field.default
        )
        return f"Options({shown})"

    def __reduce__(self) -> tuple[object, ...]:
        refuse_plain("s3", self)
        return _options, (msgspec.structs.asdict(self),)


def _options(found: dict[str, Any]) -> Options:
    return Options(**found)


_HOLDER: Final = (
    "access_key_id",
    "secret_access_key",
    "session_token",
    "profile",
    "env_auth",
    "anonymous",
    "sse_customer_key",
)


def same_service(source: Placed, service: tuple[str, ...], options: Options) -> tuple[str, str]:
    """Return bucket and key of an object of another storage that asks in the name of the same account.

    Raises:
        Unsupported: It is of another service or account, or was encrypted with another key (SSE-C).
    """
    others = source.settings
    same = isinstance(others, Options) and all(getattr(others, name) == getattr(options, name) for name in _HOLDER)
    if source.service != service or not same:
        raise Unsupported("the service copies what it holds itself, for one and the same account")
    bucket, _, key = source.path.partition("/")
    return bucket, key
