"""Services that speak S3, as rows of ``presets.toml``: where they are and in what they differ from AWS."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Final, Literal

import msgspec

from omnistorage.core.errors import ConfigError

GIB: Final = 1 << 30


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service that speaks S3. A default is what AWS does, and stands wherever no source says otherwise.

    Conditional writes are the exception: a service that ignores the condition replaces what was to be kept, so it
    counts as having none until a source says that it has them.

    Attributes:
        name: What addresses and options call it: ``s3+NAME://``, ``provider = NAME``.
        title: What its makers call it.
        rclone: What rclone calls it, or empty.
        endpoint: URL with ``{region}`` and ``{account}`` to fill in; empty if only the user knows it.
        endpoints: Regions whose URL is another one.
        region: The region that requests are signed for if the user names none.
        regions: Some of its regions; not all, and not a check.
        account: What ``{account}`` is in this service, in words.
        path_style: The bucket stands in the path, not in the host name.
        list_v1: Has no ListObjectsV2.
        no_url_encoding: Does not know ``encoding-type=url`` in listings, or loses keys by it.
        no_ranges: Ignores the Range of a GET and sends all.
        no_batch_delete: Has no DeleteObjects.
        no_if_none_match: Is not known to keep an object when a PUT says ``If-None-Match: *``.
        if_match: How a PUT names the ETag that an object must have to be replaced: ``quoted`` as HTTP has it, or
            ``bare``; empty where no source says that the condition is kept to.
        no_multipart: Has no uploads in parts.
        no_part_copy: Has no UploadPartCopy.
        checks_sha256: Refuses a body that has another SHA-256 than was signed.
        no_tags: Has no tags; a request for them may do harm.
        no_forms: Takes no objects by forms of browsers.
        no_customer_keys: Stores what it is to encrypt by a key of the user's own (SSE-C) as it comes.
        no_slash_keys: Takes a key of slashes alone for the bucket.
        equal_parts: All parts of an upload but the last have the same size.
        max_parts: Most parts of an upload.
        min_part_size: Fewest bytes of a part that is not the last.
        max_part_size: Most bytes of a part.
        max_object_size: Most bytes of an object.
        max_copy: Most bytes that one CopyObject copies; 0 if it copies nothing.
        checksum: What proves the bytes of an upload: ``md5`` (Content-MD5), ``crc32c``, ``crc64nvme``, ``sha256``.
        etag_is_md5: The ETag of an object put in one piece, without SSE-KMS or SSE-C, is its MD5.
        etag_of_parts: The ETag of an object put in parts is the MD5 of the parts' MD5s, a dash and their number.
        object_lock: Can hold objects under retention.
        notes: What else to know, in a sentence or two.
        sources: Pages that say so.
    """

    name: str
    title: str
    rclone: str = ""
    endpoint: str = ""
    endpoints: dict[str, str] = {}
    region: str = ""
    regions: tuple[str, ...] = ()
    account: str = ""
    path_style: bool = False
    list_v1: bool = False
    no_url_encoding: bool = False
    no_ranges: bool = False
    no_batch_delete: bool = False
    no_if_none_match: bool = True
    if_match: Literal["", "quoted", "bare"] = ""
    no_multipart: bool = False
    no_part_copy: bool = False
    checks_sha256: bool = False
    no_tags: bool = False
    no_forms: bool = False
    no_customer_keys: bool = False
    no_slash_keys: bool = False
    equal_parts: bool = False
    max_parts: int = 10_000
    min_part_size: int = 5 << 20
    max_part_size: int = 5 * GIB
    max_object_size: int = 50_000 * GIB
    max_copy: int = 5 * GIB
    checksum: str = "md5"
    etag_is_md5: bool = True
    etag_of_parts: bool = True
    object_lock: bool = False
    notes: str = ""
    sources: tuple[str, ...]

    @property
    def has_endpoint(self) -> bool:
        """True if the user need not say where the service is."""
        return bool(self.endpoint or self.endpoints)

    def url(self, *, region: str = "", account: str = "") -> str:
        """Return the endpoint with its fields filled in; empty if only the user knows it.

        Raises:
            ConfigError: The account or the region is needed and not given, or cannot be a part of a host name.
        """
        region = region or self.region
        if not self.endpoint and self.endpoints and not region:
            raise ConfigError(self._lacks("region"))
        url = self.endpoints.get(region, self.endpoint)
        for field, value in (("region", region), ("account", account)):
            if f"{{{field}}}" not in url:
                continue
            if not value:
                raise ConfigError(self._lacks(field))
            # What is filled in becomes part of a host name, and must not make another host of it.
            if not _LABELS.fullmatch(value):
                raise ConfigError(f"provider {self.name!r}: {field} {value!r} cannot be a part of a host name")
            url = url.replace(f"{{{field}}}", value)
        return url

    def _lacks(self, field: str) -> str:
        if field == "account":
            return f"provider {self.name!r} needs account_id ({self.account}) or endpoint_url"
        some = f", one of {', '.join(self.regions)}" if self.regions else ""
        return f"provider {self.name!r} needs region{some}"


def preset(name: str) -> Preset:
    """Return the service of a name, or of rclone's name for it; case does not matter.

    Raises:
        ConfigError: There is none; the message lists the known ones.
    """
    row = _rows().get(name.lower()) or _by_rclone().get(name.lower())
    if row is None:
        raise ConfigError(f"unknown provider {name!r}; known: {', '.join(presets())}")
    return _read(row)


def by_rclone(name: str) -> str | None:
    """Return the name of the service that rclone calls ``name``, or None; case does not matter."""
    row = _by_rclone().get(name.lower())
    return None if row is None else _title(row)


def presets() -> list[str]:
    """Return the names of all services, sorted."""
    return sorted(_rows())


@cache
def _read(row: str) -> Preset:
    import tomllib

    [(name, fields)] = tomllib.loads(row).items()
    return msgspec.convert({"name": name, **fields}, Preset)


@cache
def _rows() -> dict[str, str]:
    # To parse the whole file would cost each command more than the one row it wants is worth.
    with open(os.path.join(os.path.dirname(__file__), "presets.toml"), encoding="utf-8") as file:
        text = file.read()
    return {_title(row): row for row in _TABLE.split(text) if row.startswith("[")}


@cache
def _by_rclone() -> dict[str, str]:
    rows = ((_RCLONE.search(row), row) for row in _rows().values())
    return {found[1].lower(): row for found, row in rows if found}


def _title(row: str) -> str:
    return row[1 : row.index("]")]


_TABLE: Final = re.compile(r"^(?=\[)", re.MULTILINE)
_RCLONE: Final = re.compile(r'^rclone = "([^"]+)"', re.MULTILINE)
_LABELS: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
