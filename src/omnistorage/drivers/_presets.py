"""Services that speak S3, as rows of ``presets.toml``: where they are and in what they differ from AWS."""

from __future__ import annotations

import re
import string
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

from omnistorage.core.errors import ConfigError

GIB: Final = 1 << 30


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service that speaks S3. A default is what AWS does, and stands wherever no source says otherwise.

    Attributes:
        name: What addresses and options call it: ``s3+NAME://``, ``provider = NAME``.
        title: What its makers call it.
        rclone: What rclone calls it, or empty.
        endpoint: URL with ``{region}`` and ``{account}`` to fill in; empty if only the user knows it.
        region: The region that requests are signed for if the user names none.
        regions: Some of its regions; not all, and not a check.
        account: What ``{account}`` is in this service, in words.
        path_style: The bucket stands in the path, not in the host name.
        list_v1: Has no ListObjectsV2.
        no_url_encoding: Does not know ``encoding-type=url`` in listings.
        no_batch_delete: Has no DeleteObjects.
        no_if_none_match: Has no conditional PUT (``If-None-Match: *``), or says so and replaces.
        no_multipart: Has no uploads in parts.
        no_part_copy: Has no UploadPartCopy.
        max_parts: Most parts of an upload.
        min_part_size: Fewest bytes of a part that is not the last.
        max_part_size: Most bytes of a part.
        max_object_size: Most bytes of an object.
        max_copy: Most bytes that one CopyObject copies.
        checksum: What proves the bytes of an upload: ``md5`` (Content-MD5), ``crc32c``, ``crc64nvme``, ``sha256``.
        etag_is_md5: The ETag of an object put in one piece, without SSE-KMS or SSE-C, is its MD5.
        etag_of_parts: The ETag of an object put in parts is the MD5 of the parts' MD5s, a dash and their number.
        object_lock: Can hold objects under retention.
        gzips: May compress an answer by itself, so that its length is not the object's.
        notes: What else to know, in a sentence or two.
        sources: Pages that say so.
    """

    name: str
    title: str
    rclone: str = ""
    endpoint: str = ""
    region: str = ""
    regions: tuple[str, ...] = ()
    account: str = ""
    path_style: bool = False
    list_v1: bool = False
    no_url_encoding: bool = False
    no_batch_delete: bool = False
    no_if_none_match: bool = False
    no_multipart: bool = False
    no_part_copy: bool = False
    max_parts: int = 10_000
    min_part_size: int = 5 << 20
    max_part_size: int = 5 * GIB
    max_object_size: int = 50_000 * GIB
    max_copy: int = 5 * GIB
    checksum: str = "md5"
    etag_is_md5: bool = True
    etag_of_parts: bool = True
    object_lock: bool = False
    gzips: bool = False
    notes: str = ""
    sources: tuple[str, ...]

    @property
    def fields(self) -> frozenset[str]:
        """The names that ``endpoint`` wants filled in."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.endpoint) if name)

    def url(self, *, region: str = "", account: str = "") -> str:
        """Return the endpoint with its fields filled in; empty if the service has no known one.

        Raises:
            ConfigError: ``account`` is needed and not given, or the region likewise.
        """
        given = {"region": region or self.region, "account": account}
        for name in sorted(self.fields):
            if not given[name]:
                what = f" ({self.account})" if name == "account" and self.account else ""
                raise ConfigError(f"provider {self.name!r} needs {name}{what} or an endpoint")
            # What is filled in becomes part of a host name, and must not make another host of it.
            if not _LABEL.fullmatch(given[name]):
                raise ConfigError(f"provider {self.name!r}: {name} {given[name]!r} cannot be a part of a host name")
        return self.endpoint.format(**given)


def preset(name: str) -> Preset:
    """Return the service of a name, or of rclone's name for it; case does not matter.

    Raises:
        ConfigError: There is none; the message lists the known ones.
    """
    row = _rows().get(name.lower()) or _by_rclone().get(name.lower())
    if row is None:
        raise ConfigError(f"unknown provider {name!r}; known: {', '.join(presets())}")
    return _read(row)


def presets() -> list[str]:
    """Return the names of all services, sorted."""
    return sorted(_rows())


@cache
def _read(row: str) -> Preset:
    import tomllib

    [(name, fields)] = tomllib.loads(row).items()
    return made(name, fields)


def made(name: str, fields: dict[str, Any]) -> Preset:
    """Return the preset that a table of ``presets.toml`` describes.

    Raises:
        msgspec.ValidationError: It has a field that presets have not, or lacks one.
    """
    return msgspec.convert({"name": name, **fields}, Preset)


@cache
def _rows() -> dict[str, str]:
    # Parsing the whole file would cost each command more than its one row is worth.
    text = resources.files(__package__).joinpath("presets.toml").read_text("utf-8")
    _, *rows = _TABLE.split(text)
    return {row.partition("]")[0].strip('"'): f"[{row}" for row in rows}


@cache
def _by_rclone() -> dict[str, str]:
    rows = ((_RCLONE.search(row), row) for row in _rows().values())
    return {found[1].lower(): row for found, row in rows if found}


_TABLE: Final = re.compile(r"^\[", re.MULTILINE)
_RCLONE: Final = re.compile(r'^rclone = "([^"]+)"', re.MULTILINE)
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
