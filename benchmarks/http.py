"""What a small request costs: ``python -m benchmarks.http``, from the root of a checkout; see docs/decisions/0015.

Microseconds of processor time of this process for PUT and GET of 16 KiB, one after the other, against a server in a
process of its own. The best of many short rounds counts, as whatever else the machine does only ever adds to it.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

import urllib3

from omnistorage.drivers._http import Http
from omnistorage.drivers._sigv4 import EMPTY_SHA256, Credentials, Signer

BODY = b"x" * (16 << 10)
TARGET = "/bucket/folder/object"
ANSWER = (
    "HTTP/1.1 200 OK\r\nx-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran\r\n"
    "x-amz-request-id: 318BC8BC148832E5\r\nDate: Wed, 28 Oct 2009 22:32:00 GMT\r\n"
    'Last-Modified: Wed, 12 Oct 2009 17:50:00 GMT\r\nETag: "fba9dede5f27731c9771645a39863328"\r\n'
    "Accept-Ranges: bytes\r\nx-amz-meta-mtime: 1700000000.123456789\r\n"
    "Content-Type: application/octet-stream\r\nServer: AmazonS3\r\nContent-Length: {}\r\n\r\n"
)


class Client(NamedTuple):
    """A way to send the two requests; each returns the number of bytes that came."""

    put: Callable[[], int]
    get: Callable[[], int]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="rounds for each number")
    parser.add_argument("--requests", type=int, default=300, help="requests in each round")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve()
        return
    with server() as port:
        clients = {
            "urllib3": with_urllib3(port),
            "http.client": with_http_client(port),
            "drivers/_http": with_ours(port, signed=False),
            "drivers/_http, signed": with_ours(port, signed=True),
            "bare socket": with_socket(port),
        }
        print("| | PUT | GET |\n|---|---|---|")
        for name, client in clients.items():
            put, get = (measured(call, args.rounds, args.requests) for call in client)
            print(f"| {name} | {put:.0f} | {get:.0f} |", flush=True)


def measured(call: Callable[[], int], rounds: int, requests: int) -> float:
    """Return the microseconds of a call in the best round."""
    for _ in range(requests):
        call()
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(requests):
            call()
        best = min(best, time.process_time() - began)
    return best / requests * 1e6


def headers(port: int, method: str) -> dict[str, str]:
    """Return signed headers as the driver sends them."""
    own = {"content-length": str(len(BODY)), "content-md5": "rL0Y20zC+Fzt72VPzMSk2A=="} if method == "PUT" else {}
    digest = sha256(BODY).hexdigest() if method == "PUT" else EMPTY_SHA256
    return Signer("us-east-1").sign(KEYS, method, f"127.0.0.1:{port}", TARGET, "", {**own, **META}, digest)


def with_urllib3(port: int) -> Client:
    """Return urllib3 with all switched off that can be."""
    pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1)

    def send(method: str, body: bytes | None, sent: dict[str, str]) -> int:
        answer = pool.urlopen(
            method, TARGET, body, sent, retries=False, redirect=False, preload_content=False, decode_content=False
        )
        data = answer.read(decode_content=False)
        answer.release_conn()
        return len(data) + len({name.lower(): value for name, value in answer.headers.items()})

    put, get = headers(port, "PUT"), headers(port, "GET")
    return Client(lambda: send("PUT", BODY, put), lambda: send("GET", None, get))


def with_http_client(port: int) -> Client:
    """Return the standard library's client."""
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def send(method: str, body: bytes | None, sent: dict[str, str]) -> int:
        connection.request(method, TARGET, body, sent)
        answer = connection.getresponse()
        return len(answer.read()) + len({name.lower(): value for name, value in answer.getheaders()})

    put, get = headers(port, "PUT"), headers(port, "GET")
    return Client(lambda: send("PUT", BODY, put), lambda: send("GET", None, get))


def with_ours(port: int, *, signed: bool) -> Client:
    """Return ours; with a signature made for each request, or the same for all."""
    ours, signer, host = Http(), Signer("us-east-1"), f"127.0.0.1:{port}"
    put, get = headers(port, "PUT"), headers(port, "GET")

    def send(method: str, body: bytes | None, sent: dict[str, str]) -> int:
        if signed:
            sent = signer.sign(KEYS, method, host, TARGET, "", sent, sent["x-amz-content-sha256"])
        return len(ours.send(method, f"http://{host}", TARGET, sent, body).data)

    return Client(lambda: send("PUT", BODY, put), lambda: send("GET", None, get))


def with_socket(port: int) -> Client:
    """Return the least that can be done."""
    sock = socket.create_connection(("127.0.0.1", port))
    requests = {
        method: "".join(
            [f"{method} {TARGET} HTTP/1.1\r\n", *[f"{k}: {v}\r\n" for k, v in headers(port, method).items()], "\r\n"]
        ).encode()
        for method in ("PUT", "GET")
    }

    def get() -> int:
        sock.sendall(requests["GET"])
        count = 0
        while count < len(BODY):
            count += len(sock.recv(1 << 16))
        return count

    def put() -> int:
        sock.sendall(requests["PUT"] + BODY)
        return len(sock.recv(1 << 16))

    return Client(put, get)


@contextmanager
def server() -> Iterator[int]:
    """Run the server and yield its port."""
    command = [sys.executable, "-m", "benchmarks.http", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def serve() -> None:
    """Answer every request, and look at nothing but its length."""
    put, get = ANSWER.format(0).encode(), ANSWER.format(len(BODY)).encode() + BODY

    def talk(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = b""
        while data := sock.recv(1 << 17):
            held += data
            end = held.find(b"\r\n\r\n")
            is_put = held.startswith(b"PUT")
            if end >= 0 and len(held) >= end + 4 + (len(BODY) if is_put else 0):
                held = b""
                sock.sendall(put if is_put else get)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()


KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
META = {"x-amz-meta-mtime": "1700000000.123456789"}

if __name__ == "__main__":
    main()
