"""What a log may tell of requests and answers: all but what would let its reader in."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from omnistorage.core.attempts import attempt
from omnistorage.core.errors import Truncated
from omnistorage.core.redact import HIDDEN, looks_secret

from ._httpstream import body_length

if TYPE_CHECKING:
    from omnistorage.core.errors import StorageError

    from ._http import Answer
    from ._httpwire import Head

logger = logging.getLogger("omnistorage.drivers._http")

HEADERS: Final = 5
"""The level of lines with all headers, below DEBUG."""

Sent = tuple[Mapping[str, str], int]
"""The headers of a request, and the number of bytes of its body."""


def log_exchange(
    where: str, method: str, target: str, sent: Sent, head: Head, answer: Answer, seconds: float, before: int
) -> None:
    """Log a request that was answered; ``before`` is how often it was sent before, so far as that is known here."""
    headers, length = sent
    shown = redacted_target(target)
    got = body_length(method, head) if answer.stream is not None else len(answer.data)
    logger.debug(
        "%s %s%s: %d in %.1f ms, %d bytes sent, %s got, request %r%s",
        method,
        where,
        shown,
        head.status,
        seconds * 1000,
        length,
        got if got >= 0 else "some",
        head.request_id,
        _which(before),
    )
    if logger.isEnabledFor(HEADERS):
        told = redacted_headers(headers), redacted_headers(head.headers)
        logger.log(HEADERS, "%s %s%s: headers sent %s; got %s", method, where, shown, *told)


def log_failure(where: str, method: str, target: str, error: StorageError, seconds: float, before: int) -> None:
    """Log a request to which there was no answer, or not a whole one."""
    logger.debug(
        "%s %s%s: no %sanswer in %.1f ms: %s%s",
        method,
        where,
        redacted_target(target),
        "whole " if isinstance(error, Truncated) or error.request_id else "",
        seconds * 1000,
        error.what,
        _which(before),
    )


def _which(before: int) -> str:
    number = attempt() + before
    return f", attempt {number}" if number > 1 else ""


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
