"""A server whose every byte is up to the test, over plain TCP or TLS, and a proxy that passes on what it is asked."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Self

import trustme


class Request(NamedTuple):
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    head: bytes


class Talk:
    """One connection, seen from the server.

    Attributes:
        number: How many connections came before.
    """

    def __init__(self, sock: socket.socket, server: Server, number: int) -> None:
        self.sock = sock
        self.server = server
        self.number = number
        self._held = b""

    def head(self) -> tuple[bytes, str, str, dict[str, str]] | None:
        """Read the head of a request; None if the client closed the connection."""
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            data = self.sock.recv(1 << 16)
            if not data:
                return None
            self._held += data
        raw, self._held = self._held[: end + 4], self._held[end + 4 :]
        first, *lines = raw[:-4].decode().split("\r\n")
        method, target, version = first.split(" ")
        assert version == "HTTP/1.1"
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, f"{name} came twice"
            headers[name.lower()] = value
        return raw, method, target, headers

    def request(self) -> Request | None:
        """Read a request; None if there is no further one."""
        found = self.head()
        if found is None:
            return None
        raw, method, target, headers = found
        body = self.read(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body, raw)
        self.server.seen.append(request)
        return request

    def read(self, size: int) -> bytes:
        """Read so many bytes."""
        found = bytearray(self._held[:size])
        self._held = self._held[size:]
        while len(found) < size:
            data = self.sock.recv(min(1 << 18, size - len(found)))
            if not data:
                raise ConnectionError("the client closed the connection within a body")
            found += data
        return bytes(found)

    def rest(self) -> bytes:
        """Return what has been read beyond the last request."""
        held, self._held = self._held, b""
        return held

    def send(self, *pieces: bytes) -> None:
        """Send each piece as a packet of its own."""
        for piece in pieces:
            self.sock.sendall(piece)

    def reset(self) -> None:
        """Close so that the client sees an error."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Handler = Callable[[Talk], None]


class Server:
    """A server on a port of this machine.

    Attributes:
        port: The port.
        base: ``http://127.0.0.1:port``, or ``https:``.
        seen: The requests that came whole.
        accepted: Connections that were made.
        ended: Connections that the server is done with, and has closed.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext | None) -> None:
        self._handler = handler
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._failed: list[BaseException] = []
        self._stopping = False
        self.port: int = self._listener.getsockname()[1]
        self.base = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        self.seen: list[Request] = []
        self.accepted = 0
        self.ended = 0
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping = True
        # Closing alone would leave the thread in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        if exc[0] is None and self._failed:
            raise self._failed[0]

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(sock)
            number, self.accepted = self.accepted, self.accepted + 1
            self._start(self._serve, sock, number)

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._context is not None:
                self._open.discard(sock)
                sock = self._context.wrap_socket(sock, server_side=True)
                self._open.add(sock)
            self._handler(Talk(sock, self, number))
        except OSError:
            # The client went away, as clients may.
            pass
        except BaseException as exc:
            self._failed.append(exc)
        finally:
            self._open.discard(sock)
            sock.close()
            self.ended += 1


def eventually(claim: Callable[[], bool]) -> bool:
    """Say whether a claim comes true within a while."""
    end = time.monotonic() + 10
    while not (true := claim()) and time.monotonic() < end:
        time.sleep(0.005)
    return true


def serving(handler: Handler, context: ssl.SSLContext | None = None) -> Server:
    """Return a server that talks so with each client, to be used in a ``with`` block."""
    return Server(handler, context)


def answering(*replies: bytes) -> Handler:
    """Answer the requests of all connections with these bytes in turn; the last one is for all others."""
    left = list(replies)
    lock = threading.Lock()

    def talk(client: Talk) -> None:
        while client.request() is not None:
            with lock:
                reply = left.pop(0) if len(left) > 1 else left[0]
            client.send(reply)

    return talk


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer with its length said; names of headers have ``_`` for ``-``."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def certified(authority: trustme.CA, *names: str, **kinds: Any) -> ssl.SSLContext:
    """Return the TLS of a server that has a certificate of this authority for these names."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **kinds).configure_cert(made)
    return made


def pass_on(target: Mapping[str, int], *, password: str = "") -> Handler:
    """Be a proxy that finds these hosts (``name:port``) on ports of this machine, by CONNECT and by absolute form."""

    def talk(client: Talk) -> None:
        found = client.head()
        if found is None:
            return
        raw, method, wanted, headers = found
        client.server.seen.append(Request(method, wanted, headers, b"", raw))
        if password and headers.get("proxy-authorization") != password:
            client.send(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            return
        place = wanted.removeprefix("http://").partition("/")[0]
        place = place if ":" in place else f"{place}:80"
        if place not in target:
            client.send(b"HTTP/1.1 502 Where\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", target[place])) as far:
            if method == "CONNECT":
                client.send(b"HTTP/1.1 200 Go on\r\n\r\n")
            else:
                far.sendall(raw + client.rest())
            with both_ways(client.sock, far):
                pass

    return talk


@contextmanager
def both_ways(near: socket.socket, far: socket.socket) -> Iterator[None]:
    """Carry bytes both ways until one side closes."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for sock in (source, sink):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=carry, args=(far, near), daemon=True)
    thread.start()
    yield
    carry(near, far)
    thread.join(10)
