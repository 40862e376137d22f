"""Threads and processes share what they can, and nothing is left open."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator

import pytest

from http_scenes import Talk, answering, eventually, reply, serving
from omnistorage.core.errors import Closed, StorageError
from omnistorage.drivers._http import Http


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(connect_timeout=5, timeout=5)
    yield http
    http.close()


def echo(client: Talk) -> None:
    """Send each body back."""
    while (request := client.request()) is not None:
        client.send(reply(200, request.body))


def test_threads_do_not_mix_their_answers(http: Http) -> None:
    """Many threads at once get each their own, over hardly more connections than there are threads."""
    failed: list[object] = []

    def work(name: int) -> None:
        for count in range(50):
            body = f"{name} {count} ".encode() * (1 + count * 40)
            stream = http.send("PUT", server.base, f"/{name}", {}, body, stream=bool(count % 3)).stream
            found = body if stream is None else stream.read()
            if found != body:
                failed.append((name, count))

    with serving(echo) as server:
        threads = [threading.Thread(target=work, args=(name,)) for name in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failed == []
        assert server.accepted <= 16
        assert len(server.seen) == 16 * 50


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_no_more_connections_are_kept_than_wanted() -> None:
    """More may be in use at once; when they come back, the surplus is closed."""
    http = Http(connections=3, timeout=5)
    with serving(answering(reply(200, bytes(500_000)))) as server:
        before = descriptors()
        streams = [http.send("GET", server.base, "/", {}, stream=True).stream for _ in range(10)]
        assert server.accepted == 10
        for stream in streams:
            assert stream is not None
            stream.read()

        # Each connection that is open has two ends here.
        assert eventually(lambda: descriptors() == before + 6)
        http.close()
        assert eventually(lambda: descriptors() == before)


def test_no_descriptor_is_left(http: Http) -> None:
    """Whatever becomes of requests and streams, after closing there are as many open files as before."""

    def talk(client: Talk) -> None:
        while (request := client.request()) is not None:
            if request.target == "/drop":
                return
            client.send(reply(200, bytes(300_000)))

    with serving(talk) as server:
        before = descriptors()
        for _ in range(20):
            http.send("GET", server.base, "/", {})
            for target in ("/drop", "/"):
                with contextlib.suppress(StorageError):
                    stream = http.send("POST", server.base, target, {}, stream=True).stream
                    assert stream is not None
                    stream.read(10)
                    # Neither read nor closed: forgotten.
                    del stream
            with contextlib.suppress(ZeroDivisionError):
                http.send("PUT", server.base, "/", {"content-length": "1000000"}, Failing())
        http.close()
        with pytest.raises(Closed):
            http.send("GET", "http://127.0.0.1:2", "/", {})

        assert eventually(lambda: descriptors() == before)


class Failing(io.RawIOBase):
    """A body that cannot be read."""

    def readinto(self, buffer: object) -> int:
        raise ZeroDivisionError


def test_stream_outlives_its_pool(http: Http) -> None:
    """What was open when all was closed can be read to its end, and is not kept."""
    with serving(answering(reply(200, bytes(500_000)))) as server:
        before = descriptors()
        stream = http.send("GET", server.base, "/", {}, stream=True).stream
        http.close()
        assert stream is not None
        assert len(stream.read()) == 500_000

        assert eventually(lambda: descriptors() == before)


def test_forked_process_makes_its_own_connections(http: Http) -> None:
    """Two processes on one connection would read each other's answers; the parent's goes on."""

    def talk(client: Talk) -> None:
        while (request := client.request()) is not None:
            client.send(reply(200, request.body or str(client.number).encode()))

    with serving(talk) as server:
        stream = http.send("PUT", server.base, "/", {}, bytes(500_000), stream=True).stream
        assert stream is not None
        assert http.send("GET", server.base, "/", {}).data == b"1"
        read_end, write_end = os.pipe()
        with warnings.catch_warnings():
            # The server's threads are not the child's.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            found = b"failed"
            try:
                found = b"".join(http.send("GET", server.base, "/", {}).data for _ in range(3))
                http.close()
            finally:
                os.write(write_end, found)
                os._exit(0)
        os.waitpid(child, 0)
        os.close(write_end)
        with open(read_end, "rb") as pipe:
            assert pipe.read() == b"222"

        assert http.send("GET", server.base, "/", {}).data == b"1"
        assert stream.read() == bytes(500_000)
        assert server.accepted == 3


def test_interrupted_request_leaves_no_connection_behind(http: Http) -> None:
    """After Ctrl-C nobody gets the answer that was under way."""

    def talk(client: Talk) -> None:
        while (request := client.request()) is not None:
            if request.target == "/slow":
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1.5)
            with contextlib.suppress(OSError):
                client.send(reply(200, request.target.encode()))

    with serving(talk) as server:
        assert http.send("GET", server.base, "/a", {}).data == b"/a"
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            http.send("GET", server.base, "/slow", {})

        assert time.monotonic() - began < 1.4
        assert http.send("GET", server.base, "/b", {}).data == b"/b"
        assert server.accepted == 2
