"""Bodies of answers are what was sent, or there is an error; never a part that is taken for the whole."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from http_scenes import Handler, Talk, answering, reply, serving
from omnistorage.core.errors import StorageError, TimedOut, Truncated, Unreachable
from omnistorage.core.streams import fill
from omnistorage.drivers._http import Answer, Http, retry_after


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(connect_timeout=5, timeout=5)
    yield http
    http.close()


def framed(how: str, body: bytes, sizes: list[int], status: int = 200) -> bytes:
    """Return an answer whose body ends in one of the three ways."""
    first = f"HTTP/1.1 {status} OK\r\n".encode()
    if how == "length":
        return first + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    if how == "end":
        return first + b"\r\n" + body
    text = first + b"Transfer-Encoding: Chunked\r\n\r\n"
    start = 0
    for size in sizes:
        if data := body[start : start + size]:
            text += f"{len(data):X};name=value\r\n".encode() + data + b"\r\n"
            start += size
    if data := body[start:]:
        text += f"{len(data):04x} \r\n".encode() + data + b"\r\n"
    return text + b"000\r\nX-Trailer: a\r\n\r\n"


def in_pieces(text: bytes, cuts: list[int]) -> Handler:
    """Answer each request with a text, cut at these places; close the connection if that is how the body ends."""
    edges = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]

    def talk(client: Talk) -> None:
        while client.request() is not None:
            client.send(*[text[start:end] for start, end in itertools.pairwise(edges)])
            if b"\r\n\r\n" in text and b"ontent-" not in text and b"Encoding" not in text:
                return

    return talk


BODIES = st.binary(max_size=300) | st.integers(1, 200_000).map(lambda size: bytes(range(256)) * (size // 256 + 1))
SIZES = st.lists(st.integers(1, 70_000), max_size=8)
CUTS = st.lists(st.integers(0, 1 << 20), max_size=6)


@settings(max_examples=150)
@given(
    st.sampled_from(["length", "chunks", "end"]),
    BODIES,
    SIZES,
    CUTS,
    st.sampled_from(["whole", "read", "into", "bits"]),
)
def test_body_is_what_was_sent(how: str, body: bytes, sizes: list[int], cuts: list[int], reading: str) -> None:
    """However it is framed, cut into packets and read; and the connection is good for the next request."""
    http = Http(timeout=5)
    with serving(in_pieces(framed(how, body, sizes), cuts)) as server:
        for _ in range(2):
            answer = http.send("GET", server.base, "/", {}, stream=reading != "whole")
            assert read(answer, reading) == body

        assert server.accepted == (2 if how == "end" else 1)
    http.close()


def read(answer: Answer, how: str) -> bytes:
    """Read a body in one of several ways."""
    if how == "whole":
        return answer.data
    assert answer.stream is not None
    with answer.stream as stream:
        if how == "read":
            return stream.read()
        found = bytearray()
        size = 100_000 if how == "into" else 777
        buffer = bytearray(size)
        while True:
            data = buffer[: fill(stream, buffer)] if how == "into" else stream.read(size)
            if not data:
                assert stream.read(10) == b""
                return bytes(found)
            found += data


@settings(max_examples=60)
@given(
    st.sampled_from(["length", "chunks"]),
    st.binary(min_size=1, max_size=3000),
    SIZES,
    st.integers(1, 4000),
    st.booleans(),
)
def test_body_cut_short_is_never_whole(how: str, body: bytes, sizes: list[int], missing: int, stream: bool) -> None:
    """An answer that ends too early raises, whatever had come; none of it is made up."""
    text = framed(how, body, sizes)
    end = text.index(b"\r\n\r\n") + 4
    text = text[: max(end, len(text) - missing)]

    def talk(client: Talk) -> None:
        client.request()
        client.send(text)

    http = Http(timeout=5)
    with serving(talk) as server:
        if stream:
            found = read_until_it_fails(http.send("GET", server.base, "/", {}, stream=True))

            assert body.startswith(found)
        else:
            with pytest.raises(Truncated, match=f"127.0.0.1:{server.port} ended after"):
                http.send("GET", server.base, "/", {})
    http.close()


def read_until_it_fails(answer: Answer) -> bytes:
    assert answer.stream is not None
    found = b""
    with contextlib.suppress(Truncated):
        while True:
            data = answer.stream.read(1000)
            assert data, "the end was taken for good"
            found += data
    return found


@pytest.mark.parametrize("line", [b"xyz", b"", b"-1", b"1_0", b"0x10", b"\x00"])
def test_chunk_of_no_size_is_an_error(http: Http, line: bytes) -> None:
    """What is not a number of bytes ends the body as broken, not as whole."""
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + line + b"\r\nabc\r\n0\r\n\r\n"
    wrong = "broke off after 3 bytes: a chunk of unknown size"
    with serving(answering(text)) as server, pytest.raises(Unreachable, match=wrong):
        http.send("GET", server.base, "/", {})


def test_broken_stream_stays_broken(http: Http) -> None:
    """The failure is told by each call until the stream is closed, and then that it is."""

    read = threading.Event()

    def talk(client: Talk) -> None:
        client.request()
        client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        read.wait(10)
        client.reset()

    with serving(talk) as server:
        stream = http.send("GET", server.base, "/", {}, stream=True).stream
        assert stream is not None
        assert stream.read(100) == b"abc"
        read.set()
        for _ in range(2):
            with pytest.raises(Unreachable, match="broke off after 3 bytes: Connection reset by peer"):
                stream.read(100)
        stream.close()
        with pytest.raises(StorageError):
            stream.read(1)


def test_stream_that_stops_times_out() -> None:
    """A body that does not go on is given up after the timeout, with what had come."""

    def talk(client: Talk) -> None:
        client.request()
        client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        client.head()

    http = Http(timeout=0.3)
    with serving(talk) as server:
        stream = http.send("GET", server.base, "/", {}, stream=True).stream
        assert stream is not None
        assert stream.read(100) == b"abc"
        with pytest.raises(TimedOut, match="sent nothing more after 3 bytes"):
            stream.read(100)
        stream.close()
    http.close()


@pytest.mark.parametrize(("size", "kept"), [(1000, True), (100_000_000, False)])
def test_stream_closed_early_keeps_a_connection_if_that_is_cheap(http: Http, size: int, kept: bool) -> None:
    """A little that is left is read away, much is not."""
    with serving(answering(reply(200, bytes(size)))) as server:
        for _ in range(3):
            stream = http.send("GET", server.base, "/", {}, stream=True).stream
            assert stream is not None
            assert len(stream.read(10)) == 10
            stream.close()
            stream.close()
            with pytest.raises(ValueError, match="closed"):
                stream.read(1)

        assert server.accepted == (1 if kept else 3)


def test_refusal_is_read_at_once(http: Http) -> None:
    """With ``stream=True`` a status from 300 on has its body in ``data``."""
    with serving(answering(reply(404, b"why"))) as server:
        answer = http.send("GET", server.base, "/", {}, stream=True)

    assert (answer.stream, answer.data) == (None, b"why")


def test_refusal_that_breaks_off_is_one_nevertheless(http: Http) -> None:
    """The status is what counts."""

    def talk(client: Talk) -> None:
        client.request()
        client.send(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 10000\r\nRetry-After: 3\r\n\r\n<Error>")

    with serving(talk) as server:
        answer = http.send("GET", server.base, "/", {})

    assert (answer.status, answer.data) == (503, b"<Error>")
    assert retry_after(answer.headers) == 3


@pytest.mark.parametrize("line", [b"Content-Length: 1000000000000000\r\n", b""])
def test_endless_refusal_is_left(http: Http, line: bytes) -> None:
    """A server that sends for ever is not listened to for ever."""

    def talk(client: Talk) -> None:
        client.request()
        client.send(b"HTTP/1.1 500 No\r\n" + line + b"\r\n")
        while True:
            client.send(bytes(1 << 20))

    with serving(talk) as server:
        assert len(http.send("GET", server.base, "/", {}).data) == 1 << 20
