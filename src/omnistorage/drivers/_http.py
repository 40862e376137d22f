"""HTTP for drivers: requests go out as they are given, over connections that are kept, and answers come back.

Nothing is decided here that a service might see another way: no redirect is followed, no answer is a failure, nothing
is encoded or decoded. A request is sent again in one case only: a connection that was kept turned out to have been
closed meanwhile, before a byte of an answer came.
"""

from __future__ import annotations

import io
import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from omnistorage.core.errors import Closed, StorageError, Unsupported
from omnistorage.core.streams import CHUNK, ByteStream, read_all
from omnistorage.core.version import __version__

from ._httpdial import Dialer, failure, make_context, option_proxy, refused_by
from ._httplog import log_exchange, log_failure, logger, redacted_headers, redacted_target
from ._httpstream import AnswerStream, body_length
from ._httpwire import SMALL, Broken, Head, Wire, whole

if TYPE_CHECKING:
    import ssl

__all__ = ["Answer", "Http", "redacted_headers", "retry_after"]

IDLE: Final = 50.0
"""Seconds after which a connection that nobody used is not used again; many servers close theirs after 60."""

LONGEST_FAILURE: Final = 1 << 20
"""Bytes that are read of the body of a refusal."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a server answered.

    Attributes:
        status: Three digits.
        headers: By lower-case names; what comes several times is joined by commas.
        data: The whole body, unless it is streamed.
        stream: The body while it comes, if it was asked for and the status is below 300; to be closed by the caller.
    """

    status: int
    headers: Mapping[str, str]
    data: bytes = b""
    stream: ByteStream | None = None


class Http:
    """Sends requests, from any thread and any process that was forked from this one.

    Args:
        connections: Unused connections that are kept for each server; more are made when more are needed at once.
        connect_timeout: Seconds for a connection to one of the addresses of a server, and for its TLS.
        timeout: Seconds within which something has to come or go.
        ca_file: Certificates in PEM to trust instead of the system's.
        verify: Do not talk TLS to servers that do not prove who they are.
        proxy: ``http://user:password@host:port``, for all servers; empty means what the environment says.

    Raises:
        ConfigError: The proxy cannot be used.
    """

    def __init__(
        self,
        *,
        connections: int = 32,
        connect_timeout: float = 10.0,
        timeout: float = 60.0,
        ca_file: str = "",
        verify: bool = True,
        proxy: str = "",
    ) -> None:
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._ca_file = ca_file
        self._verify = verify
        self._proxy = option_proxy(proxy)
        self._context: ssl.SSLContext | None = None
        # Of each kind of object here any thread may take one away or add one without a lock, which a fork might hold.
        self._pools: dict[str, Pool] = {}
        self._closed = False

    def __reduce__(self) -> str:
        raise TypeError("connections do not travel; make another Http there")

    def send(
        self,
        method: str,
        base: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | memoryview | ByteStream | None = None,
        *,
        stream: bool = False,
        before_block: Callable[[bool], object] | None = None,
        before: Collection[str] = (),
    ) -> Answer:
        """Send a request and return the answer, whatever its status is.

        Args:
            method: GET, PUT, …
            base: ``https://host:port`` or ``http://host:port``.
            target: Path and query as they go over the wire, encoded.
            headers: By lower-case names. Those that frame the request are added where they are missing, and
                ``accept-encoding: identity``, ``user-agent``.
            body: Bytes, or a stream of as many as the header ``content-length`` says; it is not closed here.
            stream: Read the body of the answer later, if it is no refusal.
            before_block: Called before each block of a body of bytes, and told whether it is the last; what it raises
                flies on, and the rest is not sent.
            before: What was tried before, for the log: with each, it is one more attempt.

        Raises:
            Unreachable: There is no answer.
            Untrusted: The server could not prove who it is.
            TimedOut: Nothing came or went for too long.
            Truncated: The answer, or the body, has fewer bytes than was said.
            Unsupported: A header or the target has letters that HTTP cannot carry.
            ConfigError: The address, ``ca_file`` or the proxy cannot be used.
            ValueError: ``content-length`` contradicts the body, or is missing with a stream.
            Exception: What reading the body raises flies on.
        """
        began = time.monotonic()
        pool = self.pool_of(base)
        length = length_of(headers, body)
        if length <= SMALL and body is not None and not isinstance(body, bytes | memoryview):
            body = whole(body, length)
        text = pool.head(method, target, headers, length)
        wire: Wire | None = None
        try:
            wire = pool.take(began) or pool.connect()
            try:
                head = wire.exchange(method, text, body, length, before_block)
            except Broken as exc:
                again = can_repeat(wire, exc, method, headers)
                wire.close()
                if not again:
                    raise
                logger.debug("%s %s: the connection that was kept is closed, on a new one", method, pool.where)
                before = (*before, "connection")
                wire = pool.connect()
                head = wire.exchange(method, text, body, length, before_block)
            answer = self.answer_of(pool, wire, method, head, stream)
        except Broken as exc:
            if wire is not None:
                wire.close()
            failed = failure(exc, pool.where)
            if logger.isEnabledFor(logging.DEBUG):
                log_failure(pool.where, method, target, failed, time.monotonic() - began, len(before))
            raise failed from exc.__cause__
        except BaseException as exc:
            # A body that cannot be read, or an interrupt: nobody knows what would come next over this connection.
            if wire is not None:
                wire.close()
            if isinstance(exc, StorageError) and logger.isEnabledFor(logging.DEBUG):
                log_failure(pool.where, method, target, exc, time.monotonic() - began, len(before))
            raise
        if logger.isEnabledFor(logging.DEBUG):
            sent, seconds = (headers, length), time.monotonic() - began
            log_exchange(pool.where, method, target, sent, head, answer, seconds, len(before))
        if head.status == 407 and pool.proxy is not None:
            raise refused_by(pool.proxy)
        return answer

    def close(self) -> None:
        """Close all connections; those in use when they are done. A second call does nothing."""
        self._closed = True
        for pool in list(self._pools.values()):
            pool.close()

    def pool_of(self, base: str) -> Pool:
        """Return the connections to a server."""
        return self._pools.get(base) or self._new_pool(base)

    def answer_of(self, pool: Pool, wire: Wire, method: str, head: Head, stream: bool) -> Answer:
        """Return an answer whose head has come; its connection goes back to the others when all is read."""
        stream = stream and head.status < 300
        length = body_length(method, head)
        if length >= 0 and (data := wire.take_held(length)) is not None:
            # A small body came with its head.
            if head.keep and wire.whole:
                pool.give(wire)
            else:
                wire.close()
            if stream:
                return Answer(head.status, head.headers, b"", io.BytesIO(data))
            return Answer(head.status, head.headers, data)
        if stream:
            return Answer(head.status, head.headers, b"", AnswerStream(wire, method, head, pool.where, pool.give))
        with AnswerStream(wire, method, head, pool.where, pool.give) as body:
            if head.status >= 300:
                return Answer(head.status, head.headers, _as_much(body))
            return Answer(head.status, head.headers, _all(body, length))

    def _new_pool(self, base: str) -> Pool:
        if self._closed:
            raise Closed
        context = None
        if base.startswith("https:"):
            context = self._context
            if context is None:
                context = self._context = make_context(self._ca_file, self._verify)
        dialer = Dialer(
            base,
            connect_timeout=self._connect_timeout,
            timeout=self._timeout,
            proxy=self._proxy,
            context=context,
        )
        return self._pools.setdefault(base, Pool(dialer, self._connections))


class Pool:
    """Connections to one server that nobody uses at the moment; the last one that came back goes out first."""

    def __init__(self, dialer: Dialer, most: int) -> None:
        self.where = dialer.where
        self.proxy = dialer.proxy
        self.connect = dialer.connect
        self._prefix = dialer.prefix
        self._host = f"host: {dialer.host}\r\n"
        self._agent = f"user-agent: omnistorage/{__version__}\r\n"
        self._end = f"proxy-authorization: {dialer.authorization}\r\n\r\n" if dialer.authorization else "\r\n"
        # What ends the head has one line break more than it has lines.
        self._extra = 1 if dialer.authorization else 0
        self._most = most
        self._idle: deque[Wire] = deque()
        self._closed = False
        self._swept = time.monotonic()

    def head(self, method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
        """Return the head of a request.

        Raises:
            Unsupported: It has letters in it that would make another request of it.
        """
        lines = [f"{method} {self._prefix}{target} HTTP/1.1\r\n", *[f"{k}: {v}\r\n" for k, v in headers.items()]]
        count = len(lines)
        if "host" not in headers:
            lines.append(self._host)
        if "user-agent" not in headers:
            lines.append(self._agent)
        if "accept-encoding" not in headers:
            lines.append("accept-encoding: identity\r\n")
        if "content-length" not in headers and (length or method in _WITH_BODY):
            lines.append(f"content-length: {length}\r\n")
        lines.append(self._end)
        text = "".join(lines)
        breaks = text.count("\n") - (len(lines) - count) - self._extra
        if breaks != count or text.count("\r") != text.count("\n") or "\0" in text:
            raise Unsupported(f"HTTP cannot carry {_culprit(target, headers)}")
        if " " in target or not target.isascii():
            raise Unsupported(f"HTTP cannot carry {_culprit(target, {})}")
        try:
            return text.encode()
        except UnicodeEncodeError:
            culprit = _culprit(target, headers)
        # Not while that error is handled: it holds the whole head, authorization and all.
        raise Unsupported(f"HTTP cannot carry {culprit}")

    def take(self, now: float) -> Wire | None:
        """Return a connection that can be used, or None if there is none."""
        idle, pid = self._idle, os.getpid()
        while idle:
            try:
                wire = idle.pop()
            except IndexError:
                break
            if wire.pid == pid and now - wire.since < IDLE and wire.is_quiet():
                return wire
            wire.close()
        return None

    def give(self, wire: Wire) -> None:
        """Take a connection back."""
        if wire.pid != os.getpid():
            wire.close()
            return
        idle = self._idle
        wire.since = now = time.monotonic()
        idle.append(wire)
        if now - self._swept > _SWEEP or len(idle) > self._most:
            self._sweep(now)
        if self._closed:
            self.close()

    def close(self) -> None:
        """Close what is here, and from now on what comes back."""
        self._closed = True
        while self._idle:
            self._drop()

    def _sweep(self, now: float) -> None:
        self._swept = now
        try:
            while len(self._idle) > self._most or (self._idle and now - self._idle[0].since >= IDLE):
                self._drop()
        except IndexError:
            # Others took them.
            return

    def _drop(self) -> None:
        try:
            self._idle.popleft().close()
        except IndexError:
            return


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds that a service wants us to wait; None if it does not say, or not so that it can be read.

    Args:
        headers: By lower-case names.
        now: Unix time in seconds, for services that name a date; the clock's by default.
    """
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    if said.isascii() and said.replace(".", "", 1).isdigit():
        return float(said)
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(said)
        # The oldest of the forms has no zone; all are in UTC.
        seconds = (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds - (time.time() if now is None else now))


def length_of(headers: Mapping[str, str], body: bytes | memoryview | ByteStream | None) -> int:
    """Return the number of bytes of a body."""
    said = headers.get("content-length")
    if body is None:
        length = 0
    elif isinstance(body, memoryview):
        length = body.nbytes
    elif isinstance(body, bytes):
        length = len(body)
    elif said is None or not (said.isascii() and said.isdigit()):
        raise ValueError(f"a stream needs a content-length, not {said!r}")
    else:
        return int(said)
    if said is not None and said != str(length):
        raise ValueError(f"content-length is {said}, but the body has {length} bytes")
    return length


def can_repeat(wire: Wire, exc: Broken, method: str, headers: Mapping[str, str]) -> bool:
    """Say whether a request that failed can be sent once more without harm, and may well go better."""
    if not wire.since or exc.slow or not exc.silent or wire.pulled:
        return False
    # What was not sent to its end was not done. Else it may have been; then a condition would not hold any more.
    return not wire.whole or (method in _IDEMPOTENT and "if-match" not in headers and "if-none-match" not in headers)


def _all(body: AnswerStream, length: int) -> bytes:
    if not 0 <= length <= CHUNK:
        # A length that is merely said takes no memory.
        return read_all(body)
    buffer = bytearray(length)
    filled = 0
    with memoryview(buffer) as view:
        while filled < length and (count := body.readinto(view[filled:])):
            filled += count
    return bytes(buffer)


def _as_much(body: AnswerStream) -> bytes:
    """Read the body of a refusal; what counts is the status, even if this breaks off."""
    parts: list[bytes] = []
    left = LONGEST_FAILURE
    try:
        while left and (data := body.read(left)):
            parts.append(data)
            left -= len(data)
    except StorageError as exc:
        logger.debug("%s", exc)
    return b"".join(parts)


def _culprit(target: str, headers: Mapping[str, str]) -> str:
    """Name what has a line break, or half a letter, in it."""
    for name, value in headers.items():
        if _BAD.search(f"{name}{value}"):
            return f"the header {name!r} with such a value" if not _BAD.search(name) else "a header of such a name"
    return f"the target {redacted_target(target)!r}"


_SWEEP: Final = 10.0
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_WITH_BODY: Final = frozenset({"PUT", "POST", "PATCH"})
_BAD: Final = re.compile("[\r\n\0\ud800-\udfff]")
