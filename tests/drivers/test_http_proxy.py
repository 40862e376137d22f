"""Requests go by the proxy that was named, or by that of the environment, and by no other."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import trustme

from http_scenes import answering, certified, pass_on, reply, serving
from omnistorage.core.errors import ConfigError, Unreachable, Untrusted
from omnistorage.drivers._http import Http
from omnistorage.drivers._httpproxy import Proxy, is_exempt, parse_proxy, proxy_for

AUTHORITY = trustme.CA()
FINE = answering(reply(200, b"fine"))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine has is of no account."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


def ask(base: str, **settings: Any) -> bytes:
    """Send two requests and return the body of the second answer."""
    http = Http(connect_timeout=5, timeout=5, **settings)
    try:
        http.send("PUT", base, "/a?b", {}, b"body")
        return http.send("GET", base, "/a?b", {}).data
    finally:
        http.close()


# On the wire ----------------------------------------------------------------------------------------


def test_plain_requests_are_asked_of_the_proxy() -> None:
    """Without TLS the proxy gets the whole address, with the server's host in ``Host``."""
    with serving(FINE) as server, serving(pass_on({"storage.example:81": server.port})) as proxy:
        assert ask("http://storage.example:81", proxy=f"http://127.0.0.1:{proxy.port}") == b"fine"

        assert [seen.target for seen in proxy.seen] == ["http://storage.example:81/a?b"]
        assert [seen.target for seen in server.seen] == ["http://storage.example:81/a?b"] * 2
        assert server.seen[0].headers["host"] == "storage.example:81"
        assert server.seen[0].body == b"body"
        assert proxy.accepted == 1


def test_secret_requests_go_through_the_proxy(ca_file: str) -> None:
    """With TLS the proxy learns host and port, and nothing else; the server proves itself as ever."""
    tls = certified(AUTHORITY, "storage.example")
    with serving(FINE, tls) as server, serving(pass_on({"storage.example:443": server.port})) as proxy:
        found = ask("https://storage.example", proxy=f"127.0.0.1:{proxy.port}", ca_file=ca_file)

        assert found == b"fine"
        assert [seen.head for seen in proxy.seen] == [
            b"CONNECT storage.example:443 HTTP/1.1\r\nhost: storage.example:443\r\n\r\n"
        ]
        assert [seen.target for seen in server.seen] == ["/a?b"] * 2
        assert "proxy-authorization" not in server.seen[0].headers
        assert proxy.accepted == 1


def test_proxy_cannot_pose_as_the_server(ca_file: str) -> None:
    """A proxy that answers for the server itself has no certificate for it."""
    tls = certified(AUTHORITY, "evil.example")
    with serving(FINE, tls) as server, serving(pass_on({"storage.example:443": server.port})) as proxy:
        with pytest.raises(Untrusted, match=r"^the certificate of storage.example:443 is for another host"):
            ask("https://storage.example", proxy=f"http://127.0.0.1:{proxy.port}", ca_file=ca_file)

        assert server.seen == []


@pytest.mark.parametrize("tls", [False, True])
def test_login_is_sent_to_the_proxy(ca_file: str, tls: bool) -> None:
    """User and password of the proxy's URL, decoded, prove who we are; a server behind TLS does not see them."""
    password = f"Basic {b64encode('me@home:p:ss/ ö'.encode()).decode()}"
    secure = certified(AUTHORITY, "storage.example") if tls else None
    base = f"http{'s' if tls else ''}://storage.example:99"
    with (
        serving(FINE, secure) as server,
        serving(pass_on({"storage.example:99": server.port}, password=password)) as proxy,
    ):
        url = f"http://me%40home:p:ss%2F%20%C3%B6@127.0.0.1:{proxy.port}"
        assert ask(base, proxy=url, ca_file=ca_file) == b"fine"

        assert len(proxy.seen) == 1
        assert ("proxy-authorization" in server.seen[0].headers) is not tls


@pytest.mark.parametrize("login", ["", "me:hunter2@"])
@pytest.mark.parametrize("base", ["http://storage.example", "https://storage.example"])
def test_wrong_login_is_one_clear_line(base: str, login: str) -> None:
    """A 407 is the proxy's, and a matter of settings; the password is not shown."""
    with serving(pass_on({}, password="other")) as proxy:
        with pytest.raises(ConfigError) as caught:
            ask(base, proxy=f"http://{login}127.0.0.1:{proxy.port}")

        wanted = "another" if login else "a"
        assert str(caught.value) == (
            f"the proxy 127.0.0.1:{proxy.port} asks for {wanted} user name and password (407): "
            "http://user:password@host:port gives them"
        )


def test_proxy_that_does_not_find_the_server() -> None:
    """The error names proxy, server and answer."""
    with serving(pass_on({})) as proxy:
        with pytest.raises(Unreachable) as caught:
            ask("https://storage.example", proxy=f"http://127.0.0.1:{proxy.port}")

        assert str(caught.value) == (
            f"the proxy 127.0.0.1:{proxy.port} does not connect to storage.example:443: it answers 502"
        )


def test_proxy_that_says_nothing() -> None:
    """A proxy that hangs up is named, and so is one that is not there."""

    with serving(lambda client: (client.head(), None)[1]) as proxy:
        with pytest.raises(Unreachable, match=r"for storage.example:443 closed the connection without an answer$"):
            ask("https://storage.example", proxy=f"http://127.0.0.1:{proxy.port}")
        port = proxy.port
    with pytest.raises(Unreachable, match=f"^cannot connect to the proxy 127.0.0.1:{port}: Connection refused$"):
        ask("https://storage.example", proxy=f"http://127.0.0.1:{port}")


def test_proxy_that_talks_too_much() -> None:
    """Bytes that a proxy adds to its consent are not taken for the server's."""

    def talk(client: Any) -> None:
        client.head()
        client.send(b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01")
        client.sock.recv(1)

    with serving(talk) as proxy, pytest.raises(Unreachable, match="sent something unasked"):
        ask("https://storage.example", proxy=f"http://127.0.0.1:{proxy.port}")


def test_environment_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an option the environment of the process is asked, for each kind of address on its own."""
    with serving(FINE) as server, serving(pass_on({"storage.example:80": server.port})) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

        assert ask("http://storage.example") == b"fine"
        assert ask(server.base) == b"fine"
        assert len(proxy.seen) == 1


def test_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of the option is used for all, also for hosts that the environment exempts."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    with serving(FINE) as server, serving(pass_on({f"127.0.0.1:{server.port}": server.port})) as proxy:
        assert ask(server.base, proxy=f"http://127.0.0.1:{proxy.port}") == b"fine"

        assert len(proxy.seen) == 1


# Which one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://proxy.example:3128", ("proxy.example", 3128)),
        ("http://proxy.example:3128/", ("proxy.example", 3128)),
        ("HTTP://proxy.example", ("proxy.example", 80)),
        ("proxy.example:3128", ("proxy.example", 3128)),
        (" proxy.example ", ("proxy.example", 80)),
        ("http://[::1]:3128", ("::1", 3128)),
        ("http://[fe80::1]", ("fe80::1", 80)),
    ],
)
def test_url_of_a_proxy(url: str, found: tuple[str, int]) -> None:
    """With and without scheme, port and brackets."""
    assert parse_proxy(url, "option proxy")[:2] == found


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("socks5://proxy.example:1080", "SOCKS"),
        ("socks5h://me:hunter2@proxy.example", "SOCKS"),
        ("SOCKS4://proxy.example", "SOCKS"),
        ("https://me:hunter2@proxy.example", "https:"),
        ("ftp://proxy.example", "ftp:"),
        ("http://", "not a host"),
        ("http://proxy.example:port", "'proxy.example:port' is not a host with a usable port"),
        ("http://proxy.example:70000", "not a host"),
        ("http://me:hunter2@", "not a host"),
        ("http://me:hunter2@bad host", "not a host"),
    ],
)
def test_proxy_that_cannot_be_used(url: str, words: str) -> None:
    """Said at once, in one line, without the password."""
    with pytest.raises(ConfigError) as caught:
        Http(proxy=url)

    said = str(caught.value)
    assert said.startswith("option proxy: ")
    assert words in said
    assert "hunter2" not in said
    assert "\n" not in said


def test_proxy_does_not_show_its_password() -> None:
    """Nor does it in a log of values."""
    proxy = parse_proxy("http://me:hunter2@proxy.example", "option proxy")

    assert proxy.authorization == f"Basic {b64encode(b'me:hunter2').decode()}"
    assert repr(proxy) == "Proxy(proxy.example:80)"


@pytest.mark.parametrize(
    ("env", "scheme", "found"),
    [
        ({}, "http", None),
        ({"http_proxy": "a:1"}, "http", "a"),
        ({"HTTP_PROXY": "a:1"}, "http", "a"),
        ({"http_proxy": "a:1"}, "https", None),
        ({"https_proxy": "a:1"}, "https", "a"),
        ({"HTTPS_PROXY": "a:1"}, "http", None),
        ({"https_proxy": "a:1", "HTTPS_PROXY": "b:1"}, "https", "a"),
        ({"https_proxy": "", "HTTPS_PROXY": "b:1"}, "https", "b"),
        ({"all_proxy": "a:1"}, "http", "a"),
        ({"ALL_PROXY": "a:1"}, "https", "a"),
        ({"ALL_PROXY": "a:1", "HTTPS_PROXY": "b:1"}, "https", "b"),
        ({"HTTP_PROXY": "a:1", "REQUEST_METHOD": "GET"}, "http", None),
        ({"http_proxy": "a:1", "REQUEST_METHOD": "GET"}, "http", "a"),
        ({"HTTPS_PROXY": "a:1", "REQUEST_METHOD": "GET"}, "https", "a"),
        ({"HTTPS_PROXY": "a:1", "NO_PROXY": "storage.example"}, "https", None),
        ({"HTTPS_PROXY": "a:1", "no_proxy": "example"}, "https", None),
        ({"HTTPS_PROXY": "a:1", "no_proxy": "other", "NO_PROXY": "*"}, "https", "a"),
        ({"HTTPS_PROXY": "socks5://a:1", "NO_PROXY": "*"}, "https", None),
    ],
)
def test_environment_is_read_as_others_read_it(env: dict[str, str], scheme: str, found: str | None) -> None:
    """Lower case first, ``HTTP_PROXY`` not of a web server's client, ``all_proxy`` last, ``no_proxy`` above all."""
    proxy = proxy_for(scheme, "storage.example", 443, env)

    assert (proxy and proxy.host) == found


def test_wrong_proxy_of_the_environment_is_named() -> None:
    """The message says which variable it was."""
    with pytest.raises(ConfigError, match=r"^ALL_PROXY: proxies of the kind SOCKS are not supported"):
        proxy_for("https", "storage.example", 443, {"all_proxy": "socks5://localhost:1080"})


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_needs_no_proxy(host: str) -> None:
    """Another machine could not find it under that name."""
    assert proxy_for("http", host, 80, {"http_proxy": "a:1"}) is None
    assert proxy_for("http", "128.0.0.1", 80, {"http_proxy": "a:1"}) == Proxy("a", 1)


@pytest.mark.parametrize(
    ("host", "without", "exempt"),
    [
        ("storage.example", "", False),
        ("storage.example", ",", False),
        ("storage.example", "*", True),
        ("storage.example", "other, storage.example", True),
        ("storage.example", "STORAGE.Example.", True),
        ("Storage.Example.", "storage.example", True),
        ("a.storage.example", "storage.example", True),
        ("a.storage.example", ".storage.example", True),
        ("a.storage.example", "*.storage.example", True),
        ("storage.example", ".storage.example", False),
        ("badstorage.example", "storage.example", False),
        ("storage.example", "a.storage.example", False),
        ("storage.example", "storage.example:443", True),
        ("storage.example", "storage.example:80", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:443", True),
        ("10.1.2.3", "10.1.2.3:80", False),
        ("10.1.2.3", "2.3", False),
        ("10.1.2.3", "nonsense/8", False),
        ("fd00::1", "fd00::/8", True),
        ("fd00::1", "fd00:0::1", True),
        ("fd00::1", "[fd00::1]:443", True),
        ("fd00::1", "10.0.0.0/8", False),
    ],
)
def test_hosts_without_a_proxy(host: str, without: str, exempt: bool) -> None:
    """Names with all below them, addresses, networks, each also with a port."""
    assert is_exempt(host, 443, without) is exempt
