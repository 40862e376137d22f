"""One connection to a server: a request goes out, the head of an answer comes back, then its body.

HTTP/1.1 is spoken here rather than by ``http.client`` or urllib3: they cost four and eight times as much for a small
object (docs/decisions/0015), and read no refusal before they have sent all.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from omnistorage.core.errors import Truncated
from omnistorage.core.streams import ByteStream, fill

BLOCK: Final = 256 << 10
"""Bytes of a body that are sent at once; each such block has the whole timeout for itself."""

SMALL: Final = 64 << 10
"""Bodies of at most so many bytes are sent with their head: a copy costs less than a second packet."""

_LONGEST_HEAD: Final = 256 << 10
_LONGEST_LINE: Final = 16 << 10
_MOST: Final = 64 << 10
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)


class Broken(Exception):
    """The connection is of no more use; the message goes on where the name of the server ends.

    The cause is the error of the socket, or none if the other side closed the connection or spoke nonsense.

    Attributes:
        silent: Not one byte of an answer had come.
        slow: Nothing happened for too long.
        closed: The other side closed the connection in good order.
    """

    def __init__(self, message: str, *, silent: bool = False, slow: bool = False, closed: bool = False) -> None:
        super().__init__(message)
        self.silent = silent
        self.slow = slow
        self.closed = closed


class Head(NamedTuple):
    """What comes before the body of an answer.

    Attributes:
        status: Three digits.
        headers: By lower-case names; what comes several times is joined by commas.
        keep: The server keeps the connection open after the body.
    """

    status: int
    headers: dict[str, str]
    keep: bool

    @property
    def request_id(self) -> str:
        """What the service calls the request, or empty."""
        for name in _IDS:
            if name in self.headers:
                return self.headers[name]
        return ""


class Wire:
    """A connection, used by one thread at a time.

    Attributes:
        pid: The process that made it; no other may use it.
        since: When it was last used, in seconds of the monotonic clock; 0 if it never was.
        whole: The last request was sent to its end; if not, no other may follow it.
        pulled: Of the last request's body something was read, if that was a stream.
    """

    __slots__ = ("_held", "_plain", "_poll", "_sock", "_timeout", "pid", "pulled", "since", "whole")

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._held = b""
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)
        self._plain = type(sock) is socket.socket
        self.pid = os.getpid()
        self.since = 0.0
        self.whole = True
        self.pulled = False
        self.wait_at_most(None)

    def exchange(
        self,
        method: str,
        head: bytes,
        body: bytes | memoryview | ByteStream | None,
        length: int,
        before_block: Callable[[bool], object] | None = None,
    ) -> Head:
        """Send a request and return the head of its answer.

        A refusal that comes while the body is still being sent is the answer; the rest is not sent then. Before
        each block of a body of bytes ``before_block`` is asked, and told whether it is the last.

        Raises:
            Broken: There is no answer.
            Truncated: The body is a stream that has another number of bytes than ``length``.
        """
        return self.begin(method, head, body, length, before_block) or self.read_head()

    def begin(
        self,
        method: str,
        head: bytes,
        body: bytes | memoryview | ByteStream | None,
        length: int,
        before_block: Callable[[bool], object] | None = None,
    ) -> Head | None:
        """Send a request; return the head of its answer if that came before the end, else None.

        Raises:
            Broken: There is no answer.
            Truncated: The body is a stream that has another number of bytes than ``length``.
        """
        self.whole = self.pulled = False
        if body is None or (not length and isinstance(body, bytes | memoryview)):
            early = self._send(head)
        elif isinstance(body, bytes | memoryview):
            if length <= SMALL:
                if before_block is not None:
                    before_block(True)
                early = self._send(b"".join((head, body)))
            else:
                early = self._send(head) or self._send_blocks(memoryview(body).cast("B"), before_block)
        else:
            early = self._send(head) or self._send_stream(body, length)
        self.whole = early is None or early.status < 300
        if _QUICKACK is not None:
            # Ceph's gateway, and others, send no body before the head is confirmed, which the kernel would do after
            # 40 ms. It must be told for each answer: it goes back to that by itself.
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return early

    def read_head(self) -> Head:
        """Read on to the end of the next head that is not provisional.

        Raises:
            Broken: There is none.
        """
        while True:
            found = self._parse_head()
            if found.status >= 200:
                return found

    def take(self, most: int) -> bytes:
        """Read once, at most so many bytes; none at the end of the connection."""
        held = self._held
        if held:
            self._held = held[most:]
            return held[:most]
        try:
            return self._sock.recv(most)
        except OSError as exc:
            raise _lost("broke off", exc) from exc

    def take_into(self, view: memoryview) -> int:
        """Read once into a buffer; 0 at the end of the connection."""
        held = self._held
        if held:
            count = min(len(held), len(view))
            view[:count] = held[:count]
            self._held = held[count:]
            return count
        try:
            return self._sock.recv_into(view)
        except OSError as exc:
            raise _lost("broke off", exc) from exc

    def take_held(self, length: int) -> bytes | None:
        """Return so many bytes if they have been read already, with the head; else None."""
        held = self._held
        if len(held) < length:
            return None
        self._held = held[length:]
        return held[:length]

    def line(self) -> bytes:
        """Read a line, without its end.

        Raises:
            Broken: There is no whole one, or it is longer than any line should be.
        """
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > _LONGEST_LINE:
                raise Broken("sent an endless line")
            self._more()
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line.removesuffix(b"\r")

    def is_quiet(self) -> bool:
        """Say whether the other side has neither closed the connection nor said something unasked."""
        if self._held:
            return False
        return not self._poll.poll(0) or self._peek() is None

    def wait_at_most(self, seconds: float | None) -> None:
        """Let each reading and sending take at most so long, from now on; None brings back the usual time."""
        seconds = self._timeout if seconds is None else seconds
        if self._plain:
            # The kernel waits, so that not every call has to be asked about beforehand; TLS would wait for ever.
            self._sock.settimeout(None)
            span = struct.pack("@ll", int(seconds), max(1, int(seconds % 1 * 1e6)))
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, span)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, span)
        else:
            self._sock.settimeout(seconds)

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._sock.close()

    # -- sending -------------------------------------------------------------------------------------------

    def _send(self, data: bytes | memoryview) -> Head | None:
        """Send some bytes; return the refusal that kept them from being sent, or None."""
        try:
            self._sock.sendall(data)
        except OSError as exc:
            return self._last_words(exc)
        return None

    def _send_blocks(self, body: memoryview, before_block: Callable[[bool], object] | None) -> Head | None:
        early: Head | None = None
        for start in range(0, len(body), BLOCK):
            if before_block is not None:
                before_block(start + BLOCK >= len(body))
            early = early or self._early()
            if early is not None and early.status >= 300:
                break
            early = self._send(body[start : start + BLOCK]) or early
        return early

    def _send_stream(self, body: ByteStream, length: int) -> Head | None:
        early: Head | None = None
        buffer = memoryview(bytearray(min(length + 1, BLOCK)))
        left = length
        while True:
            # One more than is left, so that the last bytes go only when the body has been seen to end with them.
            wanted = left + 1 if left < BLOCK else BLOCK if left > BLOCK else BLOCK // 2
            self.pulled = True
            count = _fill_up(body, buffer[:wanted])
            if count > left or (count < wanted and count < left):
                raise _wrong_size(length, length - left + count)
            early = early or self._early()
            if early is not None and early.status >= 300:
                return early
            early = self._send(buffer[:count]) or early
            left -= count
            if count < wanted or (early is not None and early.status >= 300):
                return early

    def _early(self) -> Head | None:
        """Return an answer that came before the request was sent, if there is one."""
        if not self._held and (not self._poll.poll(0) or self._peek() is None):
            return None
        found = self._parse_head()
        return found if found.status >= 200 else None

    def _last_words(self, exc: OSError) -> Head:
        """Return the refusal that a server sent before it stopped to listen; or say that sending failed."""
        came = bool(self._held)
        try:
            if came or self._peek():
                came = True
                head = self.read_head()
                if head.status >= 300:
                    return head
        except Broken:
            pass
        raise _lost("did not take the request", exc, silent=not came) from exc

    # -- reading -------------------------------------------------------------------------------------------

    def _peek(self) -> bytes | None:
        """Take what has arrived, without waiting: ``b""`` if the connection was closed, None if there is nothing."""
        try:
            if self._plain:
                data = self._sock.recv(_MOST, socket.MSG_DONTWAIT)
            else:
                # There may be records without any bytes for us, which are dealt with by reading.
                self._sock.settimeout(0.0)
                try:
                    data = self._sock.recv(_MOST)
                finally:
                    self._sock.settimeout(self._timeout)
        except OSError as exc:
            return None if _is_waiting(exc) else b""
        self._held += data
        return data

    def _more(self) -> None:
        try:
            data = self._sock.recv(_MOST)
        except OSError as exc:
            raise _lost("did not answer", exc, silent=not self._held) from exc
        if not data:
            raise Broken("closed the connection without an answer", silent=not self._held, closed=True)
        self._held = self._held + data if self._held else data

    def _parse_head(self) -> Head:
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > _LONGEST_HEAD:
                raise Broken("sent an endless head")
            if self._held[:5] != b"HTTP/"[: len(self._held)]:
                raise Broken(f"does not speak HTTP/1: {self._held[:20]!r}")
            self._more()
        text = _decoded(self._held[:end])
        self._held = self._held[end + 4 :]
        first, _, rest = text.partition("\r\n")
        match = _STATUS.match(first)
        if match is None:
            raise Broken(f"does not speak HTTP/1: {first[:40]!r}")
        headers: dict[str, str] = {}
        if rest:
            name = ""
            for line in rest.split("\r\n"):
                if line[:1] in (" ", "\t") and name:
                    headers[name] = f"{headers[name]} {line.strip()}"
                    continue
                name, colon, value = line.partition(":")
                if not colon:
                    raise Broken(f"sent a header without a value: {line[:40]!r}")
                name = name.rstrip().lower()
                value = value.strip()
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        said = headers.get("connection")
        if said is None:
            keep = match[1] == "1"
        else:
            said = said.lower()
            keep = "close" not in said and (match[1] == "1" or "keep-alive" in said)
        return Head(int(match[2]), headers, keep)


def whole(body: ByteStream, length: int) -> bytes:
    """Read a small body.

    Raises:
        Truncated: It has another number of bytes.
    """
    buffer = memoryview(bytearray(length + 1))
    count = _fill_up(body, buffer)
    if count != length:
        raise _wrong_size(length, count)
    return bytes(buffer[:length])


def _lost(what: str, exc: OSError, *, silent: bool = False) -> Broken:
    return Broken(what, silent=silent, slow=isinstance(exc, TimeoutError) or _is_waiting(exc))


def _is_waiting(exc: OSError) -> bool:
    """Say whether there is only nothing to read yet."""
    if isinstance(exc, BlockingIOError):
        return True
    import ssl

    return isinstance(exc, ssl.SSLWantReadError)


def _wrong_size(length: int, count: int) -> Truncated:
    return Truncated(f"{length} bytes were announced, {'more' if count > length else count} came")


def _fill_up(stream: ByteStream, buffer: memoryview) -> int:
    """Read until the buffer is full or the stream ends; return the number of bytes."""
    filled = 0
    while filled < len(buffer) and (count := fill(stream, buffer[filled:])):
        filled += count
    return filled


def _decoded(head: bytes) -> str:
    # Metadata come as UTF-8 from some services; whatever else there is can at least be looked at.
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("latin-1")


_IDS: Final = (
    "x-amz-request-id",
    "x-amzn-requestid",
    "x-ms-request-id",
    "x-guploader-uploadid",
    "x-request-id",
    "x-trans-id",
    "request-id",
)
_STATUS: Final = re.compile(r"HTTP/1\.([01]) ([1-9]\d\d)(?: |$)")
