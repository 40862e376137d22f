"""What a log may tell of requests and answers: all but what would let its reader in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from omnistorage.core.redact import HIDDEN, looks_secret


def redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as they may be shown: without authorization, tokens, keys of customers and cookies."""
    return {name: _redacted(name, value) for name, value in headers.items()}


def redacted_target(target: str) -> str:
    """Return a path or URL as it may be shown: without the parameters by which a link lets its bearer in."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    shown = []
    for part in query.split("&"):
        name, sign, _ = part.partition("=")
        # Names may be encoded themselves.
        plain = re.sub("%[0-9A-Fa-f]{2}", "-", name).lower()
        secret = sign and (plain in _PARAMETERS or (looks_secret(plain) and plain not in _HARMLESS))
        shown.append(f"{name}={HIDDEN}" if secret else part)
    return f"{path}?{'&'.join(shown)}"


def request_id(headers: Mapping[str, str]) -> str:
    """Return what the service calls the request, or empty."""
    for name in _IDS:
        if name in headers:
            return headers[name]
    return ""


def _redacted(name: str, value: str) -> str:
    plain = name.lower()
    if plain in _PLAIN_HEADERS:
        return value
    if _SECRET_HEADER.search(plain):
        return HIDDEN
    if "?" in value and "=" in value:
        return redacted_target(value)
    return value


# A name such as x-amz-security-token, x-auth-key, x-ms-encryption-key, x-goog-api-key; hashes of keys, too.
_SECRET_HEADER: Final = re.compile(
    "authorization|cookie|token|secret|password|passwd|credential|signature|(customer|encryption|auth|api)-key"
)
_PLAIN_HEADERS: Final = frozenset(
    {
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
    }
)
_PARAMETERS: Final = frozenset(
    {
        "awsaccesskeyid",
        "googleaccessid",
        "sig",
        "signature",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
    }
)
# Where a listing goes on; S3 calls that a token.
_HARMLESS: Final = frozenset({"continuation-token", "pagetoken", "key-marker", "marker"})
_IDS: Final = (
    "x-amz-request-id",
    "x-ms-request-id",
    "x-guploader-uploadid",
    "x-request-id",
    "x-trans-id",
    "request-id",
)
