"""Requests go out as given, over kept connections, and answers come back as they were sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from http_scenes import answering, reply, serving
from omnistorage import __version__
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
