"""Passes HTTP/1.1 on between clients and one server, a thread for each connection, and does what a plan says."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from functools import reduce
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from .framing import Body, Head, Wire, readable
from .model import Server


class Seen(msgspec.Struct):
    """One request.

    Attributes:
        method: As sent.
        target: Path and query, as sent.
        headers: By name in lower case.
        sent: Bytes of its body that were passed on.
        received: Bytes of the answer's body that were passed on.
        status: Of the answer that was begun to be passed on; 0 before.
    """

    method: str
    target: str
    headers: dict[str, str]
    sent: int = 0
    received: int = 0
    status: int = 0

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"


class Flow(msgspec.Struct):
    """What goes wrong with one body.

    Attributes:
        cut: Bytes after which it breaks.
        corrupt: Number of the byte that is changed.
    """

    cut: int | None = None
    corrupt: int | None = None


class Plan:
    """What goes wrong with one request; at first, nothing."""

    def __init__(self, target: str, has_body: bool) -> None:
        self.target = target
        self.up, self.down = Flow(), Flow()
        self.reset = True
        self.lost = self.silent = self.early = self.wrong_etag = False
        self.changes: list[Callable[[bytes], bytes]] = []
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        self.delay = 0.0
        self.rate = 0.0
        self._has_body = has_body

    def flow(self, side: str) -> Flow:
        """Return that of a side; "" is that of the request's body, if it has one."""
        return self.up if side == "up" or (not side and self._has_body) else self.down


class Relay:
    """Listens on 127.0.0.1, and has a connection to the server for each that a client makes."""

    def __init__(self, server: Server, inner: ssl.SSLContext | None, planned: Callable[[Seen, bool], Plan]) -> None:
        self.planned = planned
        self.closing = threading.Event()
        self.connections = 0
        self._inner = inner
        self._outer = ssl.create_default_context(cafile=server.ca_file) if server.ca_file else None
        if self._outer:
            # With 1.3 the server sends what is not of HTTP, and a waiting thread would take it for an answer.
            self._outer.maximum_version = ssl.TLSVersion.TLSv1_2
        place = urlsplit(server.endpoint)
        self._origin = (place.hostname or "", place.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="faults", daemon=True)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._accepting.start()

    def close(self) -> None:
        """Break all connections, and wait for the threads."""
        self.closing.set()
        # It wakes those that wait; a mere close would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def connect(self) -> Wire:
        """Return a new connection to the server."""
        sock = socket.create_connection(self._origin, 30)
        sock.settimeout(None)
        if self._outer:
            sock = self._outer.wrap_socket(sock, server_hostname=self._origin[0])
        return self._known(sock)

    def _known(self, sock: socket.socket) -> Wire:
        with self._lock:
            self._open.add(sock)
            if self.closing.is_set():
                # Too late to be woken by ``close``.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        return Wire(sock)

    def forget(self, wire: Wire) -> None:
        with self._lock:
            self._open.discard(wire.sock)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), name="faults", daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._inner:
                sock.settimeout(30)
                sock = self._inner.wrap_socket(sock, server_side=True)
                sock.settimeout(None)
        except OSError:
            # Whoever does not trust us ends here.
            sock.close()
            return
        Connection(self, self._known(sock)).serve()


class Connection:
    """One client's connection, and the one to the server that belongs to it."""

    def __init__(self, relay: Relay, client: Wire) -> None:
        self._relay = relay
        self._client = client
        self._server: Wire | None = None

    def serve(self) -> None:
        """Answer requests until either side closes."""
        try:
            while self._next():
                pass
            self._end(Wire.finish)
        except _Broken as broken:
            self._end(Wire.reset if broken.reset else Wire.finish)
        except (OSError, ValueError):
            # The client has gone, or the server; the other one is to see it.
            self._end(Wire.reset)

    def _end(self, how: Callable[[Wire], None]) -> None:
        for wire in filter(None, (self._client, self._server)):
            self._relay.forget(wire)
            how(wire)

    def _next(self) -> bool:
        """Pass one request and its answer on, and return whether there may be another."""
        if self._server and self._client not in readable(self._client, self._server):
            # The server has closed an idle connection, and so do we.
            return False
        raw = self._client.head()
        if not raw:
            return False
        head = Head(raw)
        method, target, _ = head.first.split(" ", 2)
        seen = Seen(method, target, head.headers)
        body = head.body(default=0)
        plan = self._relay.planned(seen, not body.done)
        if plan.silent:
            while self._client.read():
                pass
            return False
        if plan.answer:
            return self._answer(seen, body, plan, head)
        if self._server is None:
            self._server = self._relay.connect()
        self._server.sock.sendall(raw)
        up = _Pump(self, self._client, self._server, body, plan.up, plan, seen, "sent")
        going_on = self._response(seen, up, plan)
        return going_on and not head.closes()

    def _response(self, seen: Seen, up: _Pump, plan: Plan) -> bool:
        assert self._server
        while True:
            self._upload(up)
            raw = self._server.head()
            if not raw:
                # The server has closed without a word.
                return False
            head = Head(raw)
            status = int(head.first.split(" ", 2)[1])
            if status >= 200:
                break
            # "Continue": the client waits for it before it sends its body.
            self._client.sock.sendall(raw)
        bodyless = seen.method == "HEAD" or status in (204, 304)
        body = Body(0) if bodyless else head.body(default=None)
        if plan.lost:
            _drain(self._server, body)
            raise _Broken
        if plan.delay and self._relay.closing.wait(plan.delay):
            return False
        seen.status = status
        if plan.wrong_etag:
            raw = _ETAG.sub(_changed, raw)
        self._client.sock.sendall(raw)
        down = _Pump(self, self._server, self._client, body, plan.down, plan, seen, "received")
        if "xml" in head.headers.get("content-type", ""):
            if plan.wrong_etag:
                plan.changes.append(lambda text: _ETAG.sub(_changed, text))
            if plan.changes:
                down.change(lambda text: reduce(lambda text, how: how(text), plan.changes, text))
        while not down.done:
            down.step()
        if body.until_close and not bodyless:
            return False
        while not up.done:
            # The answer came early, as that of an error may; the server decides whether it takes the rest.
            if self._server in readable(self._client, self._server):
                return False
            up.step()
        return not head.closes()

    def _upload(self, up: _Pump) -> None:
        """Pass the request's body on until the server says something."""
        assert self._server
        watched = [self._client, self._server]
        while self._server not in (ready := readable(*watched)):
            if not up.done:
                up.step()
            elif self._client in ready:
                if self._client.ended():
                    # It has given up; the server is to know.
                    raise _Broken
                # The next request, which has to wait.
                watched = [self._server]

    def _answer(self, seen: Seen, body: Body, plan: Plan, head: Head) -> bool:
        assert plan.answer
        status, headers, text = plan.answer
        if not plan.early:
            if "100-continue" in head.headers.get("expect", "").lower():
                self._client.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            seen.sent += _drain(self._client, body)
        if plan.delay and self._relay.closing.wait(plan.delay):
            return False
        seen.status = status
        reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
        closes = plan.early and not body.done
        length = {"Content-Length": str(len(text)), **({"Connection": "close"} if closes else {})}
        said = {"Content-Type": "application/xml", **headers, **length}
        lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        text = b"" if seen.method == "HEAD" else text
        seen.received += len(text)
        self._client.sock.sendall(f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1") + text)
        if closes:
            # If what still comes was not taken, it would be reset before it has read the answer.
            self._client.sock.shutdown(socket.SHUT_WR)
            while piece := self._client.read():
                seen.sent += len(piece)
        return not closes and not head.closes()

    def pause(self, seconds: float) -> None:
        """Wait, but not when all is to end."""
        if self._relay.closing.wait(seconds):
            raise _Broken


class _Broken(Exception):
    """Both sides are to be closed."""

    def __init__(self, reset: bool = True) -> None:
        super().__init__()
        self.reset = reset


class _Pump:
    """Passes one body on, and counts in the request's ``sent`` or ``received``."""

    def __init__(
        self,
        owner: Connection,
        source: Wire,
        sink: Wire,
        body: Body,
        flow: Flow,
        plan: Plan,
        seen: Seen,
        count: Literal["sent", "received"],
    ) -> None:
        self._owner = owner
        self._source, self._sink = source, sink
        self._body, self._flow, self._plan = body, flow, plan
        self._seen, self._count = seen, count
        self._passed = 0
        self.done = body.done
        # With a limit, in pieces that take a twentieth of a second.
        self._block = min(2**18, max(1, int(plan.rate / 20))) if plan.rate else 2**18

    def step(self) -> None:
        """Pass on what is there.

        Raises:
            _Broken: It is to be cut here, or its source has ended too early.
        """
        view = self._source.read(self._block)
        if not view:
            if self._body.until_close:
                self.done = True
                return
            raise _Broken(reset=False)
        while view and not self._body.done:
            size, own = self._body.run(view)
            self._pass(view[:size], own)
            view = view[size:]
        if view:
            self._source.unread(view)
        self.done = self._body.done

    def change(self, how: Callable[[bytes], bytes]) -> None:
        """Pass all of it on as ``how`` makes it, which keeps the length; for what is small."""
        text = bytearray()
        while not self._body.done and (view := self._source.read()):
            while view and not self._body.done:
                size, own = self._body.run(view)
                text += view[:size]
                self._counted(size if own else 0)
                view = view[size:]
            if view:
                self._source.unread(view)
        self._sink.sock.sendall(how(bytes(text)))
        if not self._body.done and not self._body.until_close:
            raise _Broken(reset=False)
        self.done = True

    def _pass(self, piece: memoryview, own: bool) -> None:
        if not own:
            self._sink.sock.sendall(piece)
            return
        flow, begin, end = self._flow, self._passed, self._passed + len(piece)
        if flow.corrupt is not None and begin <= flow.corrupt < end:
            changed = bytearray(piece)
            changed[flow.corrupt - begin] ^= 1
            piece = memoryview(changed)
        if flow.cut is not None and end > flow.cut:
            self._counted(flow.cut - begin)
            self._sink.sock.sendall(piece[: flow.cut - begin])
            raise _Broken(self._plan.reset)
        if self._plan.rate:
            self._owner.pause(len(piece) / self._plan.rate)
        # First, so that whoever has received them finds them counted.
        self._counted(len(piece))
        self._sink.sock.sendall(piece)

    def _counted(self, size: int) -> None:
        self._passed += size
        if self._count == "sent":
            self._seen.sent += size
        else:
            self._seen.received += size


def _drain(source: Wire, body: Body) -> int:
    """Read a body to its end, and return its length."""
    count = 0
    while not body.done:
        view = source.read()
        if not view:
            break
        while view and not body.done:
            size, own = body.run(view)
            count += size if own else 0
            view = view[size:]
        if view:
            source.unread(view)
    return count


def _changed(match: re.Match[bytes]) -> bytes:
    """Replace the first digit of an ETag; what follows stays, and so does the length."""
    return match[1] + (b"0" if match[2] != b"0" else b"1")


_ETAG: Final = re.compile(rb"(\r\netag: *\"?|<etag>(?:&quot;|&#34;|\")?)([0-9a-f])", re.IGNORECASE)
