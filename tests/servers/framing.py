"""HTTP/1.1 on a socket: heads, and where a body ends. Nothing is changed on the way, and nothing kept whole."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from typing import Final


class Wire:
    """One side of a connection: reads with a buffer, and ends politely or not."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._storage = memoryview(bytearray(_BLOCK))
        self._kept = b""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def head(self) -> bytes:
        """Read up to and with the empty line; b"" if the other side has closed before the first byte.

        Raises:
            ConnectionError: It closed within the head.
        """
        while (end := self._kept.find(b"\r\n\r\n")) < 0:
            came = self.sock.recv(_BLOCK)
            if not came and not self._kept:
                return b""
            if not came or len(self._kept) > _LONGEST_HEAD:
                raise ConnectionError("a head without end")
            self._kept += came
        head, self._kept = self._kept[: end + 4], self._kept[end + 4 :]
        return head

    def read(self, most: int = 2**18) -> memoryview:
        """Read what is there, at most ``most`` bytes; it is valid until the next call, and empty at the end."""
        if self._kept:
            piece, self._kept = self._kept[:most], self._kept[most:]
            return memoryview(piece)
        return self._storage[: self.sock.recv_into(self._storage[:most])]

    def unread(self, piece: memoryview) -> None:
        """Give back what belongs to the next message."""
        self._kept = bytes(piece) + self._kept

    def waiting(self) -> bool:
        """Whether something was received that the system does not know of any more."""
        return bool(self._kept) or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0)

    def ended(self) -> bool:
        """Whether the other side has closed; asked when there is something to read."""
        if self.waiting():
            return False
        if isinstance(self.sock, ssl.SSLSocket):
            # It cannot be asked without taking; nothing but the end is expected here.
            came = self.sock.recv(1)
            self._kept = came
            return not came
        return not self.sock.recv(1, socket.MSG_PEEK)

    def finish(self) -> None:
        """Close so that all that was sent arrives, and then the end."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        self.sock.close()

    def reset(self) -> None:
        """Close so that the other side's next call fails."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def readable(*wires: Wire) -> list[Wire]:
    """Wait until at least one can be read or has ended, and return those."""
    known = [wire for wire in wires if wire.waiting()]
    if known:
        return known
    poll = select.poll()
    by_number = {wire.sock.fileno(): wire for wire in wires}
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll()]


class Body:
    """Tells the bytes of a body from those that frame it, and when it is over."""

    def __init__(self, length: int | None, *, chunked: bool = False) -> None:
        # Without a length and chunks, it ends with the connection.
        self.until_close = length is None and not chunked
        self._chunked = chunked
        self._left = 0 if chunked else length or 0
        self._state = _SIZE
        self._line = b""
        self.done = not chunked and length == 0

    def run(self, view: memoryview) -> tuple[int, bool]:
        """Return how many bytes at the beginning of ``view`` are of one sort, and whether they are the body's own."""
        if self.until_close:
            return len(view), True
        if not self._chunked:
            return self._data(view), True
        if self._state == _DATA:
            used = self._data(view)
            if not self._left:
                self._state = _BEHIND
            self.done = False
            return used, True
        return self._framing(view), False

    def _data(self, view: memoryview) -> int:
        used = min(len(view), self._left)
        self._left -= used
        self.done = not self._left
        return used

    def _framing(self, view: memoryview) -> int:
        at = bytes(view[:_LINE]).find(b"\n") + 1
        self._line += bytes(view[: at or _LINE])
        if not at:
            return min(len(view), _LINE)
        line, self._line = self._line.strip(), b""
        if self._state == _SIZE:
            self._left = int(line.partition(b";")[0], 16)
            self._state = _DATA if self._left else _TRAILER
        elif self._state == _BEHIND:
            self._state = _SIZE
        else:
            self.done = not line
        return at


class Head:
    """The first line and the headers of a message, as they came."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        first, *lines = raw[:-4].decode("latin-1").split("\r\n")
        self.first = first
        self.headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    def body(self, *, default: int | None) -> Body:
        """Return how the body is framed; ``default`` is its length if nothing is said, None for "until closed"."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return Body(None, chunked=True)
        length = self.headers.get("content-length")
        return Body(default if length is None else int(length))

    def closes(self) -> bool:
        """Whether the connection ends with this message."""
        said = self.headers.get("connection", "").lower()
        return said == "close" or ("HTTP/1.0" in self.first and said != "keep-alive")


_BLOCK: Final = 2**18

_LONGEST_HEAD: Final = 2**17

_LINE: Final = 256
"""Bytes in which the end of a line is looked for at a time."""

_SIZE, _DATA, _BEHIND, _TRAILER = range(4)
"""What comes next in a body of chunks."""
