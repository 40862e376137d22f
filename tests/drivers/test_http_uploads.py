"""Bodies of requests: a refusal is heard while they are sent, and none that is wrong arrives whole."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator

import pytest

from http_scenes import Talk, reply, serving
from omnistorage.core.errors import TimedOut, Truncated, Unreachable
from omnistorage.core.streams import ByteStream, Window
from omnistorage.drivers._http import Http


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(connect_timeout=5, timeout=5)
    yield http
    http.close()


# Uploads that are refused ---------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A stream that counts how much of it is read."""

    def __init__(self) -> None:
        self.taken = 0

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self.taken += len(buffer)
        return len(buffer)


REFUSAL = reply(403, b"<Error/>", Connection="close")


@pytest.mark.parametrize("end", [lambda client: None, Talk.reset], ids=["closed", "reset"])
def test_refusal_ends_an_upload(http: Http, end: Callable[[Talk], None]) -> None:
    """A server that refuses before it has read the body is heard; the rest of a gigabyte is not sent."""

    def talk(client: Talk) -> None:
        client.head()
        client.send(REFUSAL)
        # As long as nobody reads, the client cannot send much; then its connection breaks.
        time.sleep(0.1)
        end(client)

    source = Endless()
    with serving(talk) as server:
        answer = http.send("PUT", server.base, "/", {"content-length": str(1 << 30)}, source)

    assert (answer.status, answer.data) == (403, b"<Error/>")
    assert source.taken < 32 << 20


def test_refusal_of_bytes_ends_an_upload(http: Http) -> None:
    """Likewise for bytes in memory."""

    def talk(client: Talk) -> None:
        client.head()
        client.send(REFUSAL)
        time.sleep(0.1)

    with serving(talk) as server:
        answer = http.send("PUT", server.base, "/", {}, bytes(64 << 20))

        assert (answer.status, answer.data) == (403, b"<Error/>")


def test_refusal_is_seen_while_the_server_reads_on(http: Http) -> None:
    """A server that swallows what it has refused is not fed to the end."""

    def talk(client: Talk) -> None:
        client.head()
        client.send(REFUSAL)
        while client.sock.recv(1 << 20):
            pass

    source = Endless()
    with serving(talk) as server:
        answer = http.send("PUT", server.base, "/", {"content-length": str(1 << 30)}, source)

    assert (answer.status, answer.data) == (403, b"<Error/>")
    assert source.taken < 64 << 20


@pytest.mark.parametrize(
    "framing", ["Content-Length: 2\r\n\r\nno", "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_connection_with_half_a_request_is_not_kept(http: Http, framing: str, stream: bool) -> None:
    """After a refusal that left the rest of a body unsent, the next request would be taken for that rest."""
    rest = bytearray()

    def talk(client: Talk) -> None:
        if client.number == 0:
            client.head()
            client.send(f"HTTP/1.1 403 No\r\n{framing}".encode())
            while data := client.sock.recv(1 << 20):
                rest.extend(data[-100:])
        else:
            client.request()
            client.send(reply())

    with serving(talk) as server:
        body = Endless() if stream else bytes(64 << 20)
        first = http.send("PUT", server.base, "/", {"content-length": str(64 << 20)}, body)
        second = http.send("GET", server.base, "/next", {})

        assert (first.status, first.data, second.status) == (403, b"no", 200)
        assert server.accepted == 2
    assert b"GET" not in rest


@pytest.mark.parametrize("size", [1000, 65_536])
def test_small_stream_is_sent_again(http: Http, size: int) -> None:
    """A kept connection that dies with it does not lose a stream that was small enough to be held."""
    with serving(dying_at_the_second) as server:
        http.send("GET", server.base, "/", {})
        source = io.BytesIO(bytes(range(256)) * 256)
        answer = http.send("PUT", server.base, "/", {"content-length": str(size)}, Window(source, size))

        assert answer.status == 200
        assert [len(seen.body) for seen in server.seen] == [0, size, size]


def test_stream_that_was_read_is_not_sent_again(http: Http) -> None:
    """Of a large one the beginning is gone: what is left must not be taken for the whole."""
    size = 1 << 20
    with serving(dying_at_the_second) as server:
        http.send("GET", server.base, "/", {})
        with pytest.raises(Unreachable):
            http.send("PUT", server.base, "/", {"content-length": str(size)}, Window(Endless(), size))

        assert server.accepted == 1


def dying_at_the_second(client: Talk) -> None:
    """Take two requests on the first connection and answer one; all on others."""
    client.request()
    client.send(reply())
    while client.request() is not None and client.number:
        client.send(reply())


def test_early_success_waits_for_the_body(http: Http) -> None:
    """A server may answer 200 before it has read the body, but it gets all of it."""

    def talk(client: Talk) -> None:
        found = client.head()
        assert found is not None
        client.send(reply(200, b"early"))
        client.read(int(found[3]["content-length"]))
        client.request()
        client.send(reply(200, b"next"))

    with serving(talk) as server:
        body = io.BytesIO(bytes(8 << 20))
        first = http.send("PUT", server.base, "/", {"content-length": str(8 << 20)}, body)
        second = http.send("GET", server.base, "/", {})

        assert (first.data, second.data) == (b"early", b"next")
        assert server.accepted == 1


def test_provisional_answers_are_passed_over(http: Http) -> None:
    """100, 102 and 103 may come at any time; the answer is what comes after them."""

    def talk(client: Talk) -> None:
        while (found := client.head()) is not None:
            client.send(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            client.read(int(found[3]["content-length"]))
            client.send(b"HTTP/1.1 102 Processing\r\n\r\n" + reply(201, b"done"))

    with serving(talk) as server:
        for body in (b"", b"small", bytes(8 << 20)):
            answer = http.send("PUT", server.base, "/", {}, body)

            assert (answer.status, answer.data) == (201, b"done")
        assert server.accepted == 1


def test_server_that_does_not_read(http: Http) -> None:
    """An upload that does not get on ends after the timeout."""

    def talk(client: Talk) -> None:
        client.head()
        time.sleep(3)

    quick = Http(timeout=0.3)
    with serving(talk) as server:
        began = time.monotonic()
        with pytest.raises(TimedOut, match="did not take the request in time"):
            quick.send("PUT", server.base, "/", {}, bytes(64 << 20))
        assert time.monotonic() - began < 2.9
    quick.close()


# Bodies that are wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [10, 100_000, 1 << 20])
@pytest.mark.parametrize("off", [-1, 1])
def test_body_of_another_size_is_never_whole(http: Http, said: int, off: int) -> None:
    """A stream with fewer or more bytes than said makes no object: the server never gets all that it waits for."""

    def talk(client: Talk) -> None:
        found = client.head()
        if found is not None:
            with pytest.raises(ConnectionError):
                client.read(int(found[3]["content-length"]))

    with serving(talk) as server, pytest.raises(Truncated, match=f"{said} bytes were announced"):
        http.send("PUT", server.base, "/", {"content-length": str(said)}, io.BytesIO(bytes(said + off)))


class Breaking(io.RawIOBase):
    """A stream that breaks after a while."""

    def __init__(self, after: int, error: BaseException) -> None:
        self._left = after
        self._error = error

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self._left:
            raise self._error
        count = min(len(buffer), self._left)
        self._left -= count
        return count


@pytest.mark.parametrize("error", [OSError(5, "disk"), KeyboardInterrupt(), Truncated("far away")], ids=repr)
@pytest.mark.parametrize("after", [0, 1000, 1 << 20])
def test_error_of_the_body_flies_on(http: Http, error: BaseException, after: int) -> None:
    """What reading a body raises is not ours to change; the connection is not used any more."""

    def talk(client: Talk) -> None:
        found = client.head()
        if found is not None and found[1] == "PUT":
            with pytest.raises(ConnectionError):
                client.read(int(found[3]["content-length"]))
        elif found is not None:
            client.send(reply())

    with serving(talk) as server:
        body: ByteStream = Breaking(after, error)
        with pytest.raises(type(error)) as caught:
            http.send("PUT", server.base, "/", {"content-length": str(after + 100_000)}, body)

        assert caught.value is error
        assert http.send("GET", server.base, "/", {}).status == 200
