"""Signature version 4: how requests to AWS, and to all who speak its protocols, prove who sends them.

What is signed is what goes over the wire: paths and queries are encoded by ``quote_key`` and ``canonical_query``,
once, and then neither the signer nor ``_http`` touches them again, so that every key can be signed and sent.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from omnistorage.core.errors import ConfigError, InvalidPath, Unsupported

if TYPE_CHECKING:
    from hashlib import _Hash

    _Key = tuple[_Hash, _Hash]

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
"""Stands for the hash of a body that is not signed; only for TLS, or for bodies that have a checksum of their own."""

EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The hash of no body."""

LONGEST: Final = 7 * 24 * 3600
"""Seconds for which a link is good at most."""


class Credentials(msgspec.Struct, frozen=True):
    """Keys that sign requests.

    Attributes:
        access_key: Name of the key; not secret.
        secret_key: The secret.
        session_token: Goes with keys that somebody lent for a while; empty for lasting ones.
        expires: Unix time in seconds from which on they are refused, or None.
    """

    access_key: str
    secret_key: str
    session_token: str = ""
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Credentials(access_key={str(self.access_key)!r})"

    def __reduce__(self) -> str:
        raise TypeError("secrets do not travel; let the other side find its own")


def check_text(key: str, secret: str, token: str) -> None:
    """Refuse what no request can carry; most often the end of a line was copied, too.

    Raises:
        ConfigError: One of them is no line of text; says which.
    """
    for name, value in (("access_key_id", key), ("secret_access_key", secret), ("session_token", token)):
        if any(letter < " " or letter == "\x7f" or "\ud800" <= letter <= "\udfff" for letter in value):
            raise ConfigError(f"{name} has a control character, such as the end of a line, or is no text")


class Signer:
    """Signs requests to one service in one region; from any thread.

    Attributes:
        region: The region.
        service: The service, as AWS names it in signatures.
        offset: Seconds by which the service's clock is ahead of ours; added to the time unless that is given.
    """

    def __init__(self, region: str, service: str = "s3") -> None:
        self.region = region
        self.service = service
        self.offset = 0.0
        # S3 takes a path as it is, all others want it encoded a second time and have no header for the body's hash.
        self._plain = service.startswith("s3")
        self._scope = f"/{region}/{service}/aws4_request"
        self._key: tuple[str, str, _Key] | None = None
        self._stamp: tuple[int, str] = (-1, "")

    def __reduce__(self) -> tuple[object, ...]:
        # Without the keys that were derived from secrets.
        return _rebuild, (self.region, self.service, self.offset)

    def sign(
        self,
        credentials: Credentials,
        method: str,
        host: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        payload_hash: str,
        *,
        now: float | None = None,
    ) -> dict[str, str]:
        """Return all headers to send, with lower-case names: those given, and those that sign them.

        Args:
            credentials: Who signs.
            method: GET, PUT, …
            host: As it stands in the header ``Host``: without the port, if that is the usual one.
            path: As it goes over the wire, encoded; never empty.
            query: As it goes over the wire, from ``canonical_query``; without ``?``.
            headers: All are signed but those that change on the way.
            payload_hash: SHA-256 of the body in hexadecimal, or ``UNSIGNED``, or a name for how it is signed.
            now: Unix time in seconds; the clock's, corrected by ``offset``, by default.

        Raises:
            Unsupported: A header is no text.
        """
        stamp = self._time(now)
        sent = {name.lower(): value for name, value in headers.items()}
        sent["host"] = host
        sent["x-amz-date"] = stamp
        if self._plain:
            sent["x-amz-content-sha256"] = payload_hash
        if credentials.session_token:
            sent["x-amz-security-token"] = credentials.session_token
        names = sorted(sent.keys() - _UNSIGNED_HEADERS)
        signed = ";".join(names)
        lines = "\n".join([f"{name}:{_trimmed(sent[name])}" for name in names])
        scope = stamp[:8] + self._scope
        signature = self._signature(credentials, stamp, scope, method, path, query, lines, signed, payload_hash)
        sent["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, "
            f"Signature={signature}"
        )
        return sent

    def presign(
        self,
        credentials: Credentials,
        method: str,
        base: str,
        path: str,
        query: str,
        expires: int,
        *,
        headers: Mapping[str, str] | None = None,
        now: float | None = None,
    ) -> str:
        """Return a link by which anybody may send this request for ``expires`` seconds.

        Args:
            credentials: In whose name; the link is of no use when they expire, even if that is earlier.
            method: GET, PUT, …
            base: ``https://host:port``.
            path: Encoded.
            query: From ``canonical_query``.
            expires: Seconds, 1 to 604,800 (seven days).
            headers: Headers that must be sent with the request, exactly so.
            now: Unix time in seconds; the clock's, corrected by ``offset``, by default.

        Raises:
            ValueError: ``expires`` is out of bounds.
        """
        if not 1 <= expires <= LONGEST:
            raise ValueError(f"a link is good for 1 to {LONGEST} seconds, not {expires}")
        stamp = self._time(now)
        scope = stamp[:8] + self._scope
        # As browsers send it.
        base = base.lower()
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        sent["host"] = _host(base)
        names = sorted(sent)
        signed = ";".join(names)
        own = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{credentials.access_key}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": signed,
        }
        if credentials.session_token:
            own["X-Amz-Security-Token"] = credentials.session_token
        parts = [part.partition("=") for part in query.split("&")] if query else []
        pairs = [(name, value) for name, _, value in parts]
        pairs += [(_quoted(name), _quoted(value)) for name, value in own.items()]
        whole = "&".join([f"{name}={value}" for name, value in sorted(pairs)])
        lines = "\n".join([f"{name}:{_trimmed(sent[name])}" for name in names])
        payload = UNSIGNED if self._plain else EMPTY_SHA256
        signature = self._signature(credentials, stamp, scope, method, path, whole, lines, signed, payload)
        return f"{base}{path}?{whole}&X-Amz-Signature={signature}"

    def post_policy(
        self,
        credentials: Credentials,
        fields: Mapping[str, str],
        conditions: Sequence[object],
        expires: int,
        *,
        now: float | None = None,
    ) -> dict[str, str]:
        """Return the fields of a form by which anybody may store an object for ``expires`` seconds.

        Args:
            credentials: In whose name.
            fields: Fields of the form that must be sent exactly so, such as ``key`` and ``content-type``.
            conditions: Further conditions, such as ``{"bucket": "b"}``, ``["starts-with", "$key", "home/"]``,
                ``["content-length-range", 0, 1000]``.
            expires: Seconds, from 1 on.
            now: Unix time in seconds; the clock's, corrected by ``offset``, by default.

        Raises:
            ValueError: ``expires`` is out of bounds.
        """
        if expires < 1:
            raise ValueError(f"a form is good for at least a second, not {expires}")
        stamp = self._time(now)
        scope = stamp[:8] + self._scope
        form = dict(fields)
        form["x-amz-algorithm"] = "AWS4-HMAC-SHA256"
        form["x-amz-credential"] = f"{credentials.access_key}/{scope}"
        form["x-amz-date"] = stamp
        if credentials.session_token:
            form["x-amz-security-token"] = credentials.session_token
        ends = (time.time() + self.offset if now is None else now) + expires
        policy: dict[str, Any] = {
            "expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)),
            "conditions": [*conditions, *({name: value} for name, value in form.items())],
        }
        form["policy"] = b64encode(msgspec.json.encode(policy)).decode()
        form["x-amz-signature"] = self.sign_text(credentials, form["policy"], stamp[:8])
        return form

    def sign_text(self, credentials: Credentials, text: str, day: str) -> str:
        """Return the signature of a text, in hexadecimal; ``day`` is its date as ``YYYYMMDD``."""
        inner, outer = self._key_of(credentials, day)
        # HMAC with what its key makes of the two hashes already at hand: a third of the time.
        first, second = inner.copy(), outer.copy()
        first.update(text.encode())
        second.update(first.digest())
        return second.hexdigest()

    def _signature(
        self,
        credentials: Credentials,
        stamp: str,
        scope: str,
        method: str,
        path: str,
        query: str,
        lines: str,
        signed: str,
        payload_hash: str,
    ) -> str:
        uri = path if self._plain else quote(path, safe="/-_.~")
        canonical = _encoded(f"{method}\n{uri}\n{query}\n{lines}\n\n{signed}\n{payload_hash}", lines)
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical).hexdigest()}"
        return self.sign_text(credentials, text, stamp[:8])

    def _time(self, now: float | None) -> str:
        second = int(time.time() + self.offset if now is None else now)
        last, stamp = self._stamp
        if second != last:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._stamp = (second, stamp)
        return stamp

    def _key_of(self, credentials: Credentials, day: str) -> _Key:
        kept = self._key
        if kept is not None and kept[1] == day and kept[0] == credentials.secret_key:
            return kept[2]
        key = b"AWS4" + credentials.secret_key.encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac_digest(key, part.encode(), "sha256")
        block = key.ljust(64, b"\0")
        made = (sha256(block.translate(_INNER)), sha256(block.translate(_OUTER)))
        self._key = (credentials.secret_key, day, made)
        return made


def quote_key(key: str) -> str:
    """Encode a key as it stands in a path: letters, digits, ``-._~`` and ``/`` stay, all else becomes ``%XX``.

    Raises:
        InvalidPath: The key is not Unicode, but has bytes that no encoding explained.
    """
    try:
        # The bytes of UTF-8 as letters, each of which has its row.
        return key.encode().decode("latin-1").translate(_CODES)
    except UnicodeEncodeError as exc:
        raise InvalidPath("path is not valid UTF-8, which this service needs") from exc


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a query as it is sent and signed: encoded, and sorted by the encoded names and values.

    Raises:
        InvalidPath: A name or value is not Unicode.
    """
    try:
        coded = sorted([(_quoted(name), _quoted(value)) for name, value in pairs])
    except UnicodeEncodeError as exc:
        raise InvalidPath("path is not valid UTF-8, which this service needs") from exc
    return "&".join([f"{name}={value}" for name, value in coded])


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _trimmed(value: str) -> str:
    # Runs of blanks count as one, whatever Unicode calls a blank; most values have none.
    return value if value.isascii() and " " not in value and "\t" not in value else " ".join(value.split())


def _host(base: str) -> str:
    """Return what clients send as ``Host``."""
    scheme, _, host = base.partition("://")
    return host.removesuffix(":443" if scheme == "https" else ":80")


def _encoded(text: str, lines: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        culprit = next((line for line in lines.split("\n") if any("\ud800" <= one <= "\udfff" for one in line)), "")
    # Not while that error is handled: it holds the whole text, tokens and all.
    raise Unsupported(f"HTTP cannot carry the header {culprit.partition(':')[0]!r} with such a value")


def _rebuild(region: str, service: str, offset: float) -> Signer:
    signer = Signer(region, service)
    signer.offset = offset
    return signer


_CODES: Final = [quote(bytes((value,)), safe="/-_.~") for value in range(256)]
_INNER: Final = bytes(value ^ 0x36 for value in range(256))
_OUTER: Final = bytes(value ^ 0x5C for value in range(256))

# Proxies and load balancers may change these, or they are added after signing.
_UNSIGNED_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "expect",
        "proxy-authorization",
        "transfer-encoding",
        "user-agent",
        "x-amzn-trace-id",
    }
)
