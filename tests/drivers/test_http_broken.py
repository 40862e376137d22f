"""What servers do to a request that they should not, each as one clear error, and what is sent again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from http_scenes import Handler, Talk, answering, eventually, reply, serving
from omnistorage.core.errors import ConfigError, StorageError, TimedOut, Unreachable
from omnistorage.drivers import _http
from omnistorage.drivers._http import Http


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(connect_timeout=5, timeout=5)
    yield http
    http.close()


def once(*pieces: bytes) -> Handler:
    """Answer one request with these packets, and close the connection."""

    def talk(client: Talk) -> None:
        if client.request() is not None:
            client.send(*pieces)

    return talk


def dying(after: int, *, end: Callable[[Talk], None] = lambda client: None) -> Handler:
    """Answer so many requests on each connection; take one more, and end without a word."""

    def talk(client: Talk) -> None:
        for _ in range(after):
            if client.request() is None:
                return
            client.send(reply(200, b"fine"))
        if client.request() is not None:
            end(client)

    return talk


def until_closed(client: Talk) -> None:
    """Say nothing until the client gives up."""
    client.head()


def lost(http: Http, base: str, method: str = "GET") -> StorageError:
    with pytest.raises(StorageError) as caught:
        http.send(method, base, "/", {})
    return caught.value


# No answer -----------------------------------------------------------------------------------------


def test_nobody_listens(http: Http) -> None:
    """The error names host, port and reason in one line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    exc = lost(http, f"http://127.0.0.1:{port}")

    assert type(exc) is Unreachable
    assert exc.retryable
    assert str(exc) == f"cannot connect to 127.0.0.1:{port}: Connection refused"


def test_host_has_no_address(http: Http) -> None:
    """A name that cannot be found is named."""
    exc = lost(http, "https://no-such-host.invalid")

    assert type(exc) is Unreachable
    assert str(exc).startswith("cannot connect to no-such-host.invalid:443: no address is known for")
    assert "\n" not in str(exc)


def test_connecting_takes_too_long() -> None:
    """A server that takes no connections, as its queue is full, is waited for as long as said."""
    waiting = []
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        for _ in range(3):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            waiting.append(sock)
        began = time.monotonic()
        exc = lost(Http(connect_timeout=0.3), f"http://127.0.0.1:{port}")
        took = time.monotonic() - began
        for sock in waiting:
            sock.close()

    assert type(exc) is TimedOut
    assert str(exc) == f"cannot connect to 127.0.0.1:{port} within 0.3 s"
    assert 0.25 < took < 3


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([], "closed the connection without an answer"),
        ([b"HTTP/1.1 200 O"], "closed the connection without an answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"], "closed the connection without an answer"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "does not speak HTTP/1: b'SSH-2.0-OpenSSH_9.2\\r"),
        ([b"\x15\x03\x01\x00\x02\x02\x16"], "does not speak HTTP/1: b'\\x15"),
        ([b"HTTP/2 200\r\n\r\n"], "does not speak HTTP/1: 'HTTP/2 200'"),
        ([b"HTTP/1.1 20 OK\r\n\r\n"], "does not speak HTTP/1: 'HTTP/1.1 20 OK'"),
        ([b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"], "sent a header without a value: 'nonsense'"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab"], "sent an answer of the length '1, 2'"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nab"], "sent an answer of the length '-1'"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"], "of the length '1, 2'"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab"], "in the unknown encoding 'gzip'"),
        ([b"HTTP/1.1 200 OK\r\nX: ", *[b"x" * 65536] * 5], "sent an endless head"),
    ],
)
def test_nonsense_is_no_answer(http: Http, pieces: list[bytes], words: str) -> None:
    """Whatever is not a whole HTTP head is an error of one line that names the server; nothing waits for more."""
    with serving(once(*pieces)) as server:
        exc = lost(http, server.base)

        assert type(exc) is Unreachable
        assert str(exc).startswith(f"127.0.0.1:{server.port} ")
        assert words in str(exc)
        assert len(str(exc)) < 200
        assert len(server.seen) == 1


def test_reset_is_an_error(http: Http) -> None:
    """A connection that is reset says so."""
    with serving(dying(0, end=Talk.reset)) as server:
        exc = lost(http, server.base)

    assert str(exc) == f"127.0.0.1:{server.port} did not answer: Connection reset by peer"
    assert isinstance(exc.__cause__, ConnectionResetError)


@pytest.mark.parametrize("kept", [False, True])
def test_silence_is_not_tried_again(kept: bool) -> None:
    """A server that says nothing is given up after the timeout, once; it may well be at work."""
    http = Http(timeout=0.3)
    with serving(dying(1 if kept else 0, end=until_closed)) as server:
        if kept:
            http.send("GET", server.base, "/", {})
        began = time.monotonic()
        exc = lost(http, server.base)
        took = time.monotonic() - began

        assert type(exc) is TimedOut
        assert str(exc) == f"127.0.0.1:{server.port} did not answer in time"
        assert 0.25 < took < 5
        assert server.accepted == 1
    http.close()


def test_slow_is_not_dead() -> None:
    """The timeout is for each piece, not for the whole answer."""

    def talk(client: Talk) -> None:
        client.request()
        for byte in reply(200, b"abc"):
            client.send(bytes([byte]))
            time.sleep(0.01)

    with serving(talk) as server:
        http = Http(timeout=0.4)

        assert http.send("GET", server.base, "/", {}).data == b"abc"
        http.close()


# Connections that died ------------------------------------------------------------------------------


def test_closed_meanwhile_is_seen(http: Http) -> None:
    """A kept connection that the server closed while it was idle is not used: even POST goes through, sent once."""

    def talk(client: Talk) -> None:
        client.request()
        client.send(reply())

    with serving(talk) as server:
        for count in range(1, 4):
            assert http.send("POST", server.base, "/", {}, b"x").status == 200
            assert eventually(lambda count=count: server.ended == count)  # type: ignore[misc]

        assert len(server.seen) == 3
        assert server.accepted == 3


@pytest.mark.parametrize("end", [lambda client: None, Talk.reset], ids=["closed", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_request_on_a_dead_connection_is_sent_again(http: Http, method: str, end: Callable[[Talk], None]) -> None:
    """Of a kept connection that dies with the request, without a word, nobody hears."""
    body = b"body" if method == "PUT" else None
    with serving(dying(1, end=end)) as server:
        http.send("GET", server.base, "/", {})
        answer = http.send(method, server.base, "/x", {}, body)

        assert answer.status == 200
        assert [seen.target for seen in server.seen] == ["/", "/x", "/x"]
        assert server.accepted == 2


@pytest.mark.parametrize(
    ("method", "headers"), [("POST", {}), ("PUT", {"if-none-match": "*"}), ("PUT", {"if-match": '"a"'})]
)
def test_request_that_may_have_been_done_is_not_sent_again(http: Http, method: str, headers: dict[str, str]) -> None:
    """What would do more when done twice is left to the caller."""
    with serving(dying(1)) as server:
        http.send("GET", server.base, "/", {})
        with pytest.raises(Unreachable):
            http.send(method, server.base, "/x", headers, b"body")

        assert [seen.target for seen in server.seen] == ["/", "/x"]


def test_request_is_sent_again_only_once(http: Http) -> None:
    """A server that drops every request is not asked for ever."""

    def talk(client: Talk) -> None:
        client.request()
        if client.number == 0:
            client.send(reply())
            client.request()

    with serving(talk) as server:
        http.send("GET", server.base, "/", {})
        exc = lost(http, server.base)

        assert type(exc) is Unreachable
        assert len(server.seen) == 3


def test_new_connection_is_not_tried_twice(http: Http) -> None:
    """What fails on a new connection is told at once; trying again is for others to decide."""
    with serving(dying(0)) as server:
        lost(http, server.base)

        assert len(server.seen) == 1


def test_half_an_answer_is_not_tried_again(http: Http) -> None:
    """Once the server began to answer it has done what it was asked for."""

    def talk(client: Talk) -> None:
        client.request()
        client.send(reply())
        client.request()
        client.send(b"HTTP/1.1 200")

    with serving(talk) as server:
        http.send("GET", server.base, "/", {})
        exc = lost(http, server.base)

        assert type(exc) is Unreachable
        assert len(server.seen) == 2


def test_unasked_bytes_end_a_connection(http: Http) -> None:
    """What comes after an answer is never taken for the next one."""
    evil = reply(200, b"good") + reply(200, b"evil")
    with serving(answering(evil)) as server:
        found = [http.send("GET", server.base, "/", {}).data for _ in range(5)]

        assert found == [b"good"] * 5
        assert server.accepted == 5


def test_late_unasked_bytes_end_a_connection(http: Http) -> None:
    """Neither is what comes while the connection is idle, such as a 408 before it is closed."""

    turns = threading.Semaphore(0), threading.Semaphore(0)

    def talk(client: Talk) -> None:
        while client.request() is not None:
            client.send(reply(200, b"good"))
            turns[0].acquire(timeout=10)
            client.send(reply(408, b"late"))
            turns[1].release()

    with serving(talk) as server:
        for _ in range(3):
            assert http.send("GET", server.base, "/", {}).data == b"good"
            turns[0].release()
            turns[1].acquire(timeout=10)

        assert server.accepted == 3


def test_old_connection_is_not_used(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was idle for too long is dropped, however well it looks."""
    with serving(answering(reply())) as server:
        http.send("GET", server.base, "/", {})
        http.send("GET", server.base, "/", {})

        assert server.accepted == 1
        monkeypatch.setattr(_http, "IDLE", 0.05)
        time.sleep(0.1)
        http.send("GET", server.base, "/", {})
        assert server.accepted == 2


# Settings that are wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base", ["", "host", "ftp://host", "http://", "http://host/path", "http://host:0", "http://host:x", "http://a b"]
)
def test_address_that_is_none(http: Http, base: str) -> None:
    """One line says so."""
    with pytest.raises(ConfigError) as caught:
        http.send("GET", base, "/", {})

    assert "\n" not in str(caught.value)


def test_login_in_an_address_is_refused_and_not_shown(http: Http) -> None:
    """Nobody would send it, so nobody should think so."""
    with pytest.raises(ConfigError) as caught:
        http.send("GET", "https://user:hunter2@host", "/", {})

    assert "hunter2" not in str(caught.value)
