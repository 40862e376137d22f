"""What can be a key of S3: any text, but for what services take for something else; and a bucket in a host name."""

from __future__ import annotations

from typing import Final

from omnistorage.core.errors import InvalidPath

from ._presets import Preset
from ._s3xml import fits_xml

MAX_KEY: Final = 1024
"""Bytes of UTF-8."""


def refuse_no_key(preset: Preset, key: str) -> None:
    """Look whether a service can have an object of this name.

    Raises:
        InvalidPath: It cannot.
    """
    if "\0" in key:
        # Some cut a key there.
        raise InvalidPath("a key has no NUL")
    # Here, since not every service refuses it. No text has more than four bytes a letter.
    if len(key) > MAX_KEY // 4 and len(key.encode("utf-8", "surrogateescape")) > MAX_KEY:
        raise InvalidPath(f"a key has {MAX_KEY} bytes at most")
    if preset.no_slash_keys and not key.strip("/"):
        # A request about it would be one about all of the bucket, which a DELETE removes.
        raise InvalidPath("this service takes a key of slashes alone for the bucket")


def refuse_unlisted(preset: Preset, key: str) -> None:
    """Look whether the listings of a service could say the name of an object that is to be stored.

    Raises:
        InvalidPath: They could not.
    """
    # A carriage return is legal XML, and for its reader a line end as any other unless it is written as a reference.
    if preset.no_url_encoding and ("\r" in key or not fits_xml(key)):
        raise InvalidPath("a listing of this service cannot say such a key")


def is_label(bucket: str, scheme: str) -> bool:
    """Say whether a bucket can be a part of a host name, for which the service has a certificate."""
    if "." in bucket and scheme == "https":
        return False
    plain = bucket.replace("-", "").replace(".", "")
    return plain.isascii() and plain.isalnum() and bucket == bucket.lower() and 3 <= len(bucket) <= 63
