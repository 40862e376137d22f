"""Servers have to prove who they are, before anything is sent to them."""

from __future__ import annotations

import datetime
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from http_scenes import Handler, Server, Talk, answering, certified, eventually, reply, serving
from omnistorage.core.errors import ConfigError, TimedOut, Unreachable, Untrusted
from omnistorage.drivers._http import Http

AUTHORITY = trustme.CA()


def context(*names: str, authority: trustme.CA = AUTHORITY, **kinds: Any) -> ssl.SSLContext:
    return certified(authority, *names, **kinds)


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


def ask(server: Server, **settings: Any) -> int:
    """Send one request and return the status."""
    http = Http(connect_timeout=5, timeout=5, **settings)
    try:
        return http.send("GET", server.base, "/secret", {}).status
    finally:
        http.close()


def refused(server: Server, **settings: Any) -> Untrusted:
    """Send a request that must not arrive, and return why."""
    with pytest.raises(Untrusted) as caught:
        ask(server, **settings)
    assert server.seen == []
    assert server.accepted == 1
    assert not caught.value.retryable
    assert "\n" not in str(caught.value)
    return caught.value


FINE = answering(reply())


def test_stranger_is_refused() -> None:
    """A certificate that nobody known has signed is an error of its own, told once, with the way out."""
    with serving(FINE, context("127.0.0.1")) as server:
        exc = refused(server)

        assert str(exc) == (
            f"the certificate of 127.0.0.1:{server.port} is not trusted: "
            "unable to get local issuer certificate, see option ca_file"
        )
        assert isinstance(exc, Unreachable)
        assert isinstance(exc.__cause__, ssl.SSLCertVerificationError)


def test_authority_of_the_option_is_trusted(ca_file: str) -> None:
    """``ca_file`` lets a server of that authority prove itself."""
    with serving(FINE, context("127.0.0.1")) as server:
        assert ask(server, ca_file=ca_file) == 200


def test_authority_of_the_option_is_the_only_one(
    ca_file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whom the system trusts is of no account then."""
    other = trustme.CA()
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    with serving(FINE, context("127.0.0.1", authority=other)) as server:
        refused(server, ca_file=ca_file)


def test_authority_of_the_environment_is_trusted(ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``SSL_CERT_FILE`` is where the system's authorities are."""
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    with serving(FINE, context("127.0.0.1")) as server:
        assert ask(server) == 200


@pytest.mark.parametrize("name", ["localhost", "other.example", "127.0.0.2", "*.0.0.1"])
def test_certificate_for_another_host_is_refused(ca_file: str, name: str) -> None:
    """A trusted authority is not enough."""
    with serving(FINE, context(name)) as server:
        exc = refused(server, ca_file=ca_file)

        assert str(exc).startswith(f"the certificate of 127.0.0.1:{server.port} is for another host: ")
        assert "ca_file" not in str(exc)


def test_name_of_the_address_counts(ca_file: str) -> None:
    """A name in the address is looked for in the certificate, also if it leads to the same machine."""
    with serving(FINE, context("localhost")) as server:
        server.base = f"https://localhost:{server.port}"

        assert ask(server, ca_file=ca_file) == 200


def test_expired_certificate_is_refused(ca_file: str) -> None:
    """Neither is one that was good once; no other option helps there."""
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    with serving(FINE, context("127.0.0.1", not_before=past, not_after=past + datetime.timedelta(1))) as server:
        exc = refused(server, ca_file=ca_file)

        assert str(exc) == (f"the certificate of 127.0.0.1:{server.port} is not trusted: certificate has expired")


def test_verification_can_be_left_out() -> None:
    """``verify=False`` talks to anybody, whatever name it has."""
    with serving(FINE, context("other.example")) as server:
        assert ask(server, verify=False) == 200


def test_old_tls_is_refused(ca_file: str) -> None:
    """TLS 1.1 and older are not spoken, even without verification."""
    old = context("127.0.0.1")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    for settings in ({"ca_file": ca_file}, {"verify": False}):
        with serving(FINE, old) as server:
            with pytest.raises(Unreachable, match=f"^no TLS with 127.0.0.1:{server.port}: "):
                ask(server, **settings)
            assert server.seen == []


def test_plain_server_is_named(ca_file: str) -> None:
    """``https:`` to a server without TLS says that there is none."""

    def talk(client: Talk) -> None:
        client.sock.recv(1000)
        client.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(talk) as server:
        server.base = f"https://127.0.0.1:{server.port}"
        with pytest.raises(
            Unreachable, match=r"^no TLS with 127.0.0.1:\d+: (wrong version number|record layer failure)$"
        ):
            ask(server, ca_file=ca_file)


def test_tls_that_does_not_go_on() -> None:
    """A server that accepts and then says nothing is given up after the time for connecting."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        http = Http(connect_timeout=0.2)
        with pytest.raises(TimedOut, match=f"^127.0.0.1:{port} does not go on with TLS within 0.2 s$"):
            http.send("GET", f"https://127.0.0.1:{port}", "/", {})


@pytest.mark.parametrize("text", [None, "not a certificate", ""])
def test_unusable_authorities_are_named(tmp_path: Path, text: str | None) -> None:
    """A ``ca_file`` that is not there, or has no certificate in it, is a wrong setting."""
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Http(ca_file=str(path)).send("GET", "https://127.0.0.1:1", "/", {})

    assert str(caught.value).startswith(f"ca_file {str(path)!r} cannot be used: ")


# What is said over it -------------------------------------------------------------------------------


@pytest.fixture
def http(ca_file: str) -> Iterator[Http]:
    http = Http(connect_timeout=5, timeout=5, ca_file=ca_file)
    yield http
    http.close()


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_bytes_survive_both_ways(http: Http, newest: ssl.TLSVersion) -> None:
    """Large bodies go up and come down over one connection."""
    body = bytes(range(256)) * 40_000
    tls = context("127.0.0.1")
    tls.maximum_version = newest

    def talk(client: Talk) -> None:
        while (request := client.request()) is not None:
            client.send(reply(200, request.body))

    with serving(talk, tls) as server:
        for _ in range(3):
            assert http.send("PUT", server.base, "/", {}, body).data == body
            stream = http.send("PUT", server.base, "/", {}, body, stream=True).stream
            assert stream is not None
            with stream:
                assert stream.read() == body
        assert http.send("GET", server.base, "/", {}).data == b""

        assert server.accepted == 1


def test_refusal_ends_an_upload(http: Http) -> None:
    """A refusal is heard over TLS, too, while the body is being sent."""

    def talk(client: Talk) -> None:
        client.head()
        client.send(reply(403, b"no"))

    with serving(talk, context("127.0.0.1")) as server:
        answer = http.send("PUT", server.base, "/", {}, bytes(64 << 20))

        assert (answer.status, answer.data) == (403, b"no")


def test_closed_meanwhile_is_seen(http: Http) -> None:
    """A kept connection that the server ended, orderly or not, is not used."""

    def talk(client: Talk) -> None:
        client.request()
        client.send(reply())
        if client.number != 1:
            assert isinstance(client.sock, ssl.SSLSocket)
            # It tells the end at once, and then waits for an answer that comes only with the next request.
            client.sock.settimeout(0.05)
            client.sock.unwrap()

    with serving(talk, context("127.0.0.1")) as server:
        for count in range(1, 4):
            assert http.send("POST", server.base, "/", {}, b"x").status == 200
            assert eventually(lambda count=count: server.ended == count)  # type: ignore[misc]

        assert len(server.seen) == 3


def test_dead_connection_is_replaced(http: Http) -> None:
    """A request that finds its kept connection dead is sent again over a new one."""

    def talk(client: Talk) -> None:
        client.request()
        client.send(reply())
        if client.number == 0:
            client.request()
        else:
            while client.request() is not None:
                client.send(reply())

    with serving(talk, context("127.0.0.1")) as server:
        for _ in range(3):
            assert http.send("GET", server.base, "/", {}).status == 200

        assert server.accepted == 2


@pytest.mark.parametrize("orderly", [True, False])
def test_body_without_a_length_has_to_end_orderly(http: Http, orderly: bool) -> None:
    """Where the body ends with the connection, only TLS can tell that nobody cut it off."""

    def talk(client: Talk) -> None:
        client.request()
        client.send(b"HTTP/1.1 200 OK\r\n\r\nsome bytes")
        if orderly:
            assert isinstance(client.sock, ssl.SSLSocket)
            client.sock.unwrap()

    with serving(talk, context("127.0.0.1")) as server:
        if orderly:
            assert http.send("GET", server.base, "/", {}).data == b"some bytes"
        else:
            with pytest.raises(Unreachable, match="broke off after 10 bytes"):
                http.send("GET", server.base, "/", {})


def test_timeout_holds(ca_file: str) -> None:
    """An answer that does not come is given up."""
    with serving(silent(1.0), context("127.0.0.1")) as server:
        http = Http(ca_file=ca_file, timeout=0.3)
        with pytest.raises(TimedOut, match="did not answer in time"):
            http.send("GET", server.base, "/", {})


def silent(seconds: float) -> Handler:
    def talk(client: Talk) -> None:
        client.request()
        time.sleep(seconds)

    return talk


def test_plain_http_loads_no_tls() -> None:
    """Who speaks to a server in the same room does not wait for the library."""
    code = "import sys, omnistorage.drivers._http; sys.exit('ssl' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
