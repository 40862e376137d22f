"""Headers of S3 and what they mean: time of modification as rclone keeps it, user metadata, hashes.

The time of modification is ``x-amz-meta-mtime``: seconds of Unix time with up to nine digits behind the point. User
metadata is ``x-amz-meta-NAME``. Values that a header cannot carry (other than printable ASCII, blanks at the ends or
several in a row) are written as RFC 2047 has it, ``=?UTF-8?B?…?=``, which is also how AWS gives back what it cannot
say otherwise.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from calendar import timegm
from collections.abc import Mapping
from hashlib import md5
from typing import Final

from omnistorage.core.attributes import CONTENT_TYPE, MTIME, as_text, from_text
from omnistorage.core.errors import ConfigError, InvalidPath, StorageError, Unsupported
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.options import PutOptions

PREFIX: Final = "x-amz-meta-"
MTIME_HEADER: Final = "x-amz-meta-mtime"
MD5_HEADER: Final = "x-amz-meta-md5chksum"

TAGGING: Final = "x-amz-tagging"
"""Tags, as ``name=value&name=value``; metadata of the same name."""

SYSTEM_HEADERS: Final = ("cache-control", "content-disposition", "content-encoding", "content-language")
"""Headers that are kept beside the bytes, and are metadata of the same name."""

_SSE = "x-amz-server-side-encryption"
PLACED: Final = frozenset({"x-amz-storage-class", _SSE, f"{_SSE}-aws-kms-key-id"})
"""Headers that say how an object is kept, and not what it is."""

_MD5 = re.compile(r"[0-9a-f]{32}")
_WORD = re.compile(r"=\?([\w-]+)\?([bBqQ])\?([^?]*)\?=")
_PLAIN = re.compile(r"(?!.*=\?)[!-~]+(?: [!-~]+)*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_MONTHS = {"JanFebMarAprMayJunJulAugSepOctNovDec"[n : n + 3]: n // 3 + 1 for n in range(0, 36, 3)}


def seconds_of(mtime_ns: int) -> str:
    """Return nanoseconds as seconds with a fraction, exactly: ``1600000001.5``."""
    whole, rest = divmod(abs(mtime_ns), 1_000_000_000)
    sign = "-" if mtime_ns < 0 else ""
    return f"{sign}{whole}.{rest:09}".rstrip("0").rstrip(".")


def ns_of(text: str) -> int | None:
    """Return the nanoseconds that seconds with a fraction are; None if it is no such text."""
    text = text.strip()
    sign = -1 if text[:1] == "-" else 1
    whole, _, rest = (text[1:] if text[:1] in ("+", "-") else text).partition(".")
    if not (whole + rest).isdecimal() or not (whole + rest).isascii():
        return None
    return sign * (int(whole or 0) * 1_000_000_000 + int(rest[:9].ljust(9, "0")))


def headers_for(options: PutOptions, mtime_ns: int) -> dict[str, str]:
    """Return the headers by which an object gets what ``options`` name.

    Raises:
        StorageError: Metadata has a name that no header can have.
    """
    metadata = options.metadata
    headers: dict[str, str] = {}
    content_type = options.content_type
    if metadata:
        if options.attributes:
            content_type = metadata.get(CONTENT_TYPE) or content_type
            if options.mtime_ns is None and metadata.get(MTIME):
                mtime_ns = from_text(metadata[MTIME])
        _add_metadata(headers, metadata, options.attributes)
    headers[MTIME_HEADER] = seconds_of(mtime_ns)
    if content_type is not None:
        headers["content-type"] = content_type
    return headers


def condition_of(options: PutOptions, how: str = "quoted") -> dict[str, str]:
    """Return the header that says what must be there, or not, for an object to be stored; none if all is well.

    ``how`` a service wants to have an ETag is what its preset says (``if_match``).
    """
    if options.if_absent:
        return {"if-none-match": "*"}
    if options.if_match is None:
        return {}
    # As others give them, ETags have quotes.
    etag = options.if_match.strip('"')
    return {"if-match": etag if how == "bare" else f'"{etag}"'}


def _add_metadata(headers: dict[str, str], metadata: Mapping[str, str], attributes: bool) -> None:
    for name, value in metadata.items():
        if name == MTIME or (attributes and name == CONTENT_TYPE):
            # The header of that name is rclone's, and holds the time of modification in any case.
            continue
        if attributes and (name in SYSTEM_HEADERS or name == TAGGING):
            headers[name] = value
            continue
        if not _NAME.fullmatch(name):
            raise StorageError(f"metadata cannot have the name {name!r} here")
        headers[PREFIX + name] = encoded(value)


def changed_headers(
    head: Mapping[str, str], metadata: Mapping[str, str] | None, mtime_ns: int | None
) -> dict[str, str]:
    """Return the headers of an object as they are to be, from those that HEAD gave.

    Args:
        head: What the object has.
        metadata: What is to be in the place of its user metadata; None keeps it.
        mtime_ns: Its time of modification from now on; None keeps it.
    """
    kept = ("content-type", *SYSTEM_HEADERS, "expires", "x-amz-website-redirect-location", "x-amz-storage-class")
    headers = {name: head[name] for name in kept if head.get(name)}
    if head.get(_SSE):
        headers |= {name: head[name] for name in (_SSE, f"{_SSE}-aws-kms-key-id") if head.get(name)}
    if metadata is None:
        headers |= {name: value for name, value in head.items() if name.startswith(PREFIX)}
    else:
        for name in SYSTEM_HEADERS:
            headers.pop(name, None)
        _add_metadata(headers, metadata, True)
        if head.get(MD5_HEADER):
            headers[MD5_HEADER] = head[MD5_HEADER]
        # They are no part of a copy, and are replaced by a request of their own.
        headers.pop(TAGGING, None)
        if metadata.get(CONTENT_TYPE):
            headers["content-type"] = metadata[CONTENT_TYPE]
        if mtime_ns is None and metadata.get(MTIME):
            mtime_ns = from_text(metadata[MTIME])
    if mtime_ns is None:
        mtime_ns = mtime_of(head)
    if mtime_ns is not None:
        headers[MTIME_HEADER] = seconds_of(mtime_ns)
    return headers


def info_of(path: str, head: Mapping[str, str], *, etag_is_md5: bool, size: int | None = None) -> ObjectInfo:
    """Return what the headers of an answer to HEAD or GET say of an object."""
    etag = head.get("etag", "").strip('"') or None
    if size is None and (length := head.get("content-length", "")).isdecimal():
        size = int(length)
    return ObjectInfo(
        path,
        FILE,
        size,
        mtime_of(head),
        hashes=hashes_of(etag, head, etag_is_md5),
        etag=etag,
        version=version_of(head),
        content_type=head.get("content-type"),
        metadata=user_metadata(head),
    )


def stored_info(
    path: str, size: int, sent: Mapping[str, str], found: Mapping[str, str], *, etag_is_md5: bool
) -> ObjectInfo:
    """Return what is known of an object that was stored with the headers ``sent``, from those of the answer."""
    etag = found.get("etag", "").strip('"') or None
    hashes = hashes_of(etag, found, etag_is_md5)
    return ObjectInfo(path, FILE, size, ns_of(sent[MTIME_HEADER]), hashes, etag, version_of(found))


def version_of(head: Mapping[str, str]) -> str | None:
    """Return the version of an object where the bucket keeps versions."""
    version = head.get("x-amz-version-id")
    return None if version in (None, "", "null") else version


def user_metadata(head: Mapping[str, str]) -> dict[str, str]:
    """Return the user's own metadata among headers."""
    return {
        name[len(PREFIX) :]: decoded(value)
        for name, value in head.items()
        if name.startswith(PREFIX) and name not in (MTIME_HEADER, MD5_HEADER)
    }


def md5_header(hashes: Mapping[str, str]) -> dict[str, str]:
    """Return the header by which rclone keeps the MD5 of an object that comes in parts; none if it is not known."""
    known = hashes.get("md5")
    return {MD5_HEADER: b64encode(bytes.fromhex(known)).decode()} if known else {}


def all_metadata(head: Mapping[str, str]) -> dict[str, str]:
    """Return all that is kept beside the bytes, as ``Driver.metadata`` tells it."""
    told = user_metadata(head)
    told |= {name: head[name] for name in SYSTEM_HEADERS if head.get(name)}
    if head.get("content-type"):
        told[CONTENT_TYPE] = head["content-type"]
    mtime_ns = mtime_of(head)
    if mtime_ns is not None:
        told[MTIME] = as_text(mtime_ns)
    return told


def mtime_of(head: Mapping[str, str]) -> int | None:
    """Return the time of modification: rclone's where it is kept, else when the object was stored."""
    kept = head.get(MTIME_HEADER)
    if kept is not None and (found := ns_of(kept)) is not None:
        return found
    return http_time(head.get("last-modified", ""))


def hashes_of(etag: str | None, head: Mapping[str, str], etag_is_md5: bool) -> dict[str, str]:
    """Return the MD5 of an object: its ETag, or what rclone wrote beside an object that came in parts."""
    if etag_is_md5 and etag and not is_secret(head) and _MD5.fullmatch(etag):
        return {"md5": etag}
    written = head.get(MD5_HEADER)
    if written:
        try:
            digest = b64decode(written, validate=True).hex()
        except BadBase64:
            return {}
        return {"md5": digest} if len(digest) == 32 else {}
    return {}


is_md5 = _MD5.fullmatch
"""Says whether an ETag can be an MD5 by its form."""


def is_secret(head: Mapping[str, str]) -> bool:
    """Say whether an object is encrypted in a way that makes its ETag something else than its MD5."""
    return head.get(_SSE, "").startswith("aws:kms") or f"{_SSE}-customer-algorithm" in head


def refuse_unsealed(key: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Look whether the answer of a service that was given a key of the user's own says that it was used.

    Raises:
        Unsupported: It does not.
    """
    if key and f"{_SSE}-customer-algorithm" not in headers:
        raise Unsupported(
            "this service takes no notice of sse_customer_key: what it stores is not encrypted by that",
            request_id=headers.get("x-amz-request-id"),
        )


def http_time(text: str) -> int | None:
    """Return the nanoseconds of Unix time of ``Wed, 25 Nov 2026 11:07:00 GMT``; None if it is no such text."""
    try:
        _, day, month, year, clock, _ = text.split()
        hour, minute, second = map(int, clock.split(":"))
        return timegm((int(year), _MONTHS[month], int(day), hour, minute, second)) * 1_000_000_000
    except (ValueError, KeyError):
        return None


def iso_time(text: str) -> int | None:
    """Return the nanoseconds of Unix time of ``2026-11-25T11:07:00.000Z``; None if it is no such text."""
    try:
        return from_text(text)
    except StorageError:
        return None


def encoded(value: str) -> str:
    """Return a value of metadata as a header carries it.

    Raises:
        InvalidPath: It is no text, but bytes that are not UTF-8.
    """
    if not value or _PLAIN.fullmatch(value):
        return value
    try:
        return f"=?UTF-8?B?{b64encode(value.encode()).decode()}?="
    except UnicodeEncodeError as exc:
        raise InvalidPath("metadata has a value that is not text") from exc


def decoded(value: str) -> str:
    """Return the value of metadata that a header carries, whoever wrote it."""
    if not value.isascii():
        # Others send UTF-8 as it is, and HTTP reads that as Latin-1.
        try:
            value = value.encode("latin-1").decode()
        except UnicodeError:
            return value
    return _words(value) if "=?" in value else value


def _words(value: str) -> str:
    """Decode the words of RFC 2047; blanks between two of them are none of the value."""
    value = _BETWEEN.sub("?==?", value)

    def word(found: re.Match[str]) -> str:
        charset, kind, text = found.groups()
        try:
            if kind in "bB":
                return b64decode(text, validate=True).decode(charset)
            from quopri import decodestring

            return decodestring(text.replace("_", " ").encode(), header=True).decode(charset)
        except (BadBase64, UnicodeError, LookupError):
            return found[0]

    return _WORD.sub(word, value)


_BETWEEN = re.compile(r"\?=\s+=\?")


def customer_key(text: str) -> dict[str, str]:
    """Return the headers by which objects are stored and read with a key of the user's own (SSE-C), in Base64.

    Raises:
        ConfigError: It is no key.
    """
    if not text:
        return {}
    try:
        key = b64decode(text, validate=True)
    except ValueError as exc:
        raise ConfigError("s3: option 'sse_customer_key' is a key of 32 bytes in Base64") from exc
    name = "x-amz-server-side-encryption-customer"
    digest = b64encode(md5(key, usedforsecurity=False).digest()).decode()
    return {f"{name}-algorithm": "AES256", f"{name}-key": text, f"{name}-key-md5": digest}
