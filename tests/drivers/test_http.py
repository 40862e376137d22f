"""Requests go out as given, over kept connections, and answers come back as they were sent."""

from __future__ import annotations

import gzip
import io
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from http_scenes import answering, reply, serving
from omnistorage import __version__
from omnistorage.core.errors import Unsupported
from omnistorage.core.streams import ByteStream
from omnistorage.drivers._http import Http


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(connect_timeout=5, timeout=5)
    yield http
    http.close()


def test_request_goes_as_given(http: Http) -> None:
    """Target and headers are sent byte for byte, with what frames a request and no more."""
    with serving(answering(reply())) as server:
        answer = http.send("PUT", server.base, "/a/../b//%2F?x=%2f&y", {"x-amz-meta-a": "ü  b"}, b"body")
        found = server.seen[0]

    assert answer.status == 200
    assert found.head.startswith(b"PUT /a/../b//%2F?x=%2f&y HTTP/1.1\r\n")
    assert found.body == b"body"
    assert found.headers == {
        "x-amz-meta-a": "ü  b",
        "host": f"127.0.0.1:{server.port}",
        "user-agent": f"omnistorage/{__version__}",
        "accept-encoding": "identity",
        "content-length": "4",
    }


def test_headers_of_the_caller_stay(http: Http) -> None:
    """What the caller says of itself is not said again."""
    own = {"host": "else.where", "user-agent": "me", "accept-encoding": "gzip", "content-length": "0"}
    with serving(answering(reply())) as server:
        http.send("PUT", server.base, "/", own)

        assert server.seen[0].headers == own


def test_answer_comes_whole(http: Http) -> None:
    """Status, headers by lower-case names with repeated ones joined, and the body."""
    text = b"HTTP/1.1 404 Not Found\r\nX-One:  a b \r\nx-one: c\r\nX-Fold: a\r\n  b\r\nContent-Length: 3\r\n\r\nabc"
    with serving(answering(text)) as server:
        answer = http.send("GET", server.base, "/", {})

    assert answer.status == 404
    assert answer.headers == {"x-one": "a b, c", "x-fold": "a b", "content-length": "3"}
    assert answer.data == b"abc"
    assert answer.stream is None


def test_connection_is_kept(http: Http) -> None:
    """A hundred requests of all kinds go over one connection."""
    with serving(answering(reply(200, b"x" * 100_000))) as server:
        for count in range(100):
            if count % 2:
                assert len(http.send("GET", server.base, "/", {}).data) == 100_000
            else:
                stream = http.send("GET", server.base, "/", {}, stream=True).stream
                assert stream is not None
                assert len(stream.read()) == 100_000

        assert server.accepted == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux confirms at once when told to")
@pytest.mark.parametrize("stream", [False, True])
def test_head_is_confirmed_at_once(stream: bool, http: Http) -> None:
    """A server that sends the body when its head is confirmed, as Ceph's does, is not kept waiting for 40 ms."""
    with serving(answering(reply(body=b"body"))) as server:
        for _ in range(40):
            answer = http.send("GET", server.base, "/", {}, stream=stream)
            assert (answer.stream.read() if answer.stream else answer.data) == b"body"
            (wire,) = http._pools[server.base]._idle
            # It tells whether the next piece that comes is confirmed at once, and goes back by itself.
            assert wire._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1


def test_each_server_has_its_own_connections(http: Http) -> None:
    """What is kept for one address is not used for another, also if they share a port."""
    with serving(answering(reply())) as one, serving(answering(reply())) as other:
        for server in (one, other, one, other):
            http.send("GET", server.base, "/", {})
        http.send("GET", f"http://localhost:{one.port}", "/", {})

        assert (one.accepted, other.accepted) == (2, 1)
        assert one.seen[-1].headers["host"] == f"localhost:{one.port}"


def test_redirects_are_not_followed(http: Http) -> None:
    """A redirect is an answer; what was meant for one host never goes to another by itself."""
    with serving(answering(reply())) as other:
        text = reply(307, b"go", Location=f"{other.base}/x")
        with serving(answering(text)) as server:
            answer = http.send("GET", server.base, "/", {"authorization": "me"})

        assert answer.status == 307
        assert answer.headers["location"] == f"{other.base}/x"
        assert other.accepted == 0


def test_nothing_is_unpacked(http: Http) -> None:
    """The bytes that come are the bytes that are stored, whatever they are packed with."""
    body = gzip.compress(b"text")
    with serving(answering(reply(200, body, Content_Encoding="gzip"))) as server:
        assert http.send("GET", server.base, "/", {}).data == body


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("said", [None, "close", "Close", "keep-alive", "Keep-Alive, x", "x, close"])
def test_connection_is_kept_as_the_server_says(http: Http, version: str, said: str | None) -> None:
    """HTTP/1.1 keeps it unless told otherwise, HTTP/1.0 only when told so."""
    line = f"Connection: {said}\r\n" if said else ""
    text = f"HTTP/{version} 200 OK\r\nContent-Length: 2\r\n{line}\r\nok".encode()
    with serving(answering(text)) as server:
        for _ in range(3):
            assert http.send("GET", server.base, "/", {}).data == b"ok"

        closed = "close" in (said or "").lower() or (version == "1.0" and "keep" not in (said or "").lower())
        assert server.accepted == (3 if closed else 1)


@pytest.mark.parametrize("status", [200, 204, 206, 304, 404])
def test_head_has_no_body(http: Http, status: int) -> None:
    """The length that HEAD, 204 and 304 tell is that of a body which does not come."""
    text = f"HTTP/1.1 {status} Yes\r\nContent-Length: 1000\r\nETag: x\r\n\r\n".encode()
    with serving(answering(text)) as server:
        method = "GET" if status in (204, 304) else "HEAD"
        for stream in (False, True, False):
            answer = http.send(method, server.base, "/", {}, stream=stream)
            assert (answer.status, answer.data, answer.headers["content-length"]) == (status, b"", "1000")
            if answer.stream is not None:
                assert answer.stream.read() == b""

        assert server.accepted == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-a", "b\nc"), ("x-a", "b\rc"), ("x-a", "b\r\nx: y"), ("x\n", "b"), ("x", "\0"), ("x", "\udc80")],
)
def test_header_cannot_make_another_request(http: Http, name: str, value: str) -> None:
    """Line breaks, NUL and half letters are refused before anything is sent."""
    with serving(answering(reply())) as server:
        with pytest.raises(Unsupported, match="HTTP cannot carry"):
            http.send("GET", server.base, "/", {name: value})

        assert server.accepted == 0


@pytest.mark.parametrize("target", ["/a b", "/a\r\n", "/a\n", "/ü", "/a\0", "/\udc80", "/a HTTP/1.1\r\nx: y\r\n\r\n"])
def test_target_cannot_make_another_request(http: Http, target: str) -> None:
    """What should have been encoded is refused."""
    with serving(answering(reply())) as server:
        with pytest.raises(Unsupported, match="HTTP cannot carry"):
            http.send("GET", server.base, target, {})

        assert server.accepted == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"abc", "2"),
        (b"abc", "4"),
        (memoryview(b"abc"), "x"),
        (None, "1"),
        (io.BytesIO(b"abc"), None),
        (io.BytesIO(), "-1"),
    ],
)
def test_length_has_to_be_true(http: Http, body: object, said: str | None) -> None:
    """A wrong length would make the next request a part of this one."""
    headers = {} if said is None else {"content-length": said}
    with pytest.raises(ValueError, match="content-length"):
        http.send("PUT", "http://127.0.0.1:1", "/", headers, body)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 600_000])
@pytest.mark.parametrize("kind", ["bytes", "memoryview", "readinto", "read", "little by little"])
def test_bodies_of_all_kinds_and_sizes_arrive(http: Http, kind: str, size: int) -> None:
    """Around each size at which another way is gone."""
    data = os.urandom(size)
    kinds: dict[str, Callable[[], bytes | memoryview | ByteStream]] = {
        "bytes": lambda: data,
        "memoryview": lambda: memoryview(data),
        "readinto": lambda: io.BytesIO(data),
        "read": lambda: OnlyRead(data, 1 << 20),
        "little by little": lambda: OnlyRead(data, 1000),
    }
    body = kinds[kind]()
    with serving(answering(reply())) as server:
        http.send("PUT", server.base, "/", {"content-length": str(size)}, body)
        http.send("GET", server.base, "/", {})

        assert server.seen[0].body == data
        assert server.accepted == 1


def test_stream_of_the_caller_stays_open(http: Http) -> None:
    """Who opened it closes it."""
    body = io.BytesIO(b"x" * 100_000)
    with serving(answering(reply())) as server:
        http.send("PUT", server.base, "/", {"content-length": "100000"}, body)

    assert not body.closed


class OnlyRead:
    """The least that a stream can do."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = io.BytesIO(data)
        self._most = most

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, self._most) if size >= 0 else self._most)

    def close(self) -> None:
        raise AssertionError("not ours to close")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return


def test_addresses_are_tried_in_turn(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an address that nobody listens at is reached by its next one."""
    with serving(answering(reply())) as server:
        port = server.port

        def addresses(host: bytes, *args: object, **more: object) -> list[Any]:
            assert host == b"two.example"
            return [
                (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 1)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
            ]

        monkeypatch.setattr(socket, "getaddrinfo", addresses)

        assert http.send("GET", f"http://two.example:{port}", "/", {}).status == 200
