"""Logs tell what was asked and answered, and nothing by which their reader could ask, too."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator

import pytest

from http_scenes import Talk, answering, reply, serving
from omnistorage.core.attempts import as_attempt
from omnistorage.core.errors import StorageError, Truncated, Unreachable
from omnistorage.drivers._http import Http, redacted_headers, retry_after
from omnistorage.drivers._httplog import HEADERS, redacted_target
from omnistorage.drivers._httpmany import send_many
from omnistorage.drivers._sigv4 import EMPTY_SHA256, Credentials, Signer

SECRET = "s3cr3t-hunter2"


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(timeout=5)
    yield http
    http.close()


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "x-amz-security-token",
        "X-Amz-Server-Side-Encryption-Customer-Key",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5",
        "x-goog-encryption-key",
        "x-ms-encryption-key",
        "x-goog-iam-authorization-token",
        "X-Auth-Token",
        "X-Auth-Key",
        "X-Storage-Token",
        "x-ms-authorization-auxiliary",
        "X-Api-Key",
        "X-Vault-Token",
        "x-amz-s3session-token",
        "X-Subject-Token",
        "x-ms-copy-source-authorization",
    ],
)
def test_secret_headers_are_hidden(name: str) -> None:
    """Whatever proves who we are, or opens what we stored."""
    assert redacted_headers({name: SECRET}) == {name: "***"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", "text/plain"),
        ("x-amz-meta-mtime", "1700000000.5"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:key"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-request-id", "318BC8BC148832E5"),
        ("etag", '"abc"'),
        ("location", "https://host/path?versionId=3"),
    ],
)
def test_other_headers_are_shown(name: str, value: str) -> None:
    """A log has to be of some use."""
    assert redacted_headers({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/a/b", "/a/b"),
        ("/a?list-type=2&continuation-token=abc&prefix=x", "/a?list-type=2&continuation-token=abc&prefix=x"),
        ("/a?X-Amz-Signature=abc&x=1", "/a?X-Amz-Signature=***&x=1"),
        ("/a?x-amz-credential=abc", "/a?x-amz-credential=***"),
        ("/a?X-Amz-Security-Token=abc&X-Amz-Date=1", "/a?X-Amz-Security-Token=***&X-Amz-Date=1"),
        ("/a?X%2DAmz%2dSignature=abc", "/a?X%2DAmz%2dSignature=***"),
        ("/a?AWSAccessKeyId=abc&Signature=def&Expires=1", "/a?AWSAccessKeyId=***&Signature=***&Expires=1"),
        ("/a?sv=2020&sig=abc", "/a?sv=2020&sig=***"),
        ("/a?access_token=abc", "/a?access_token=***"),
        ("/a?uploads", "/a?uploads"),
        ("/a?token", "/a?token"),
        ("https://host/a?X-Amz-Signature=abc", "https://host/a?X-Amz-Signature=***"),
        ("/a?b?X-Amz-Signature=abc", "/a?b?X-Amz-Signature=***"),
    ],
)
def test_links_are_shown_without_what_opens_them(target: str, shown: str) -> None:
    """The rest of the query stays."""
    assert redacted_target(target) == shown


def test_link_in_a_header_is_redacted() -> None:
    """A redirect to a signed link would let the log's reader follow it."""
    found = redacted_headers(
        {"location": "https://host/a?X-Amz-Signature=abc&x=1", "x-amz-copy-source": "/b/k?sig=x"}
    )

    assert found == {"location": "https://host/a?X-Amz-Signature=***&x=1", "x-amz-copy-source": "/b/k?sig=***"}


def test_request_is_logged_without_secrets(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    """A line tells method, place, status, time, bytes and request id; below DEBUG another one has the headers."""
    caplog.set_level(HEADERS)
    credentials = Credentials("AKID", SECRET, f"token-{SECRET}")
    answer = reply(403, b"", x_amz_request_id="318BC8BC", Set_Cookie=SECRET)
    with serving(answering(answer)) as server:
        place = f"127.0.0.1:{server.port}"
        headers = {"x-amz-server-side-encryption-customer-key": SECRET, "x-amz-meta-a": "shown"}
        sent = Signer("here").sign(credentials, "GET", place, "/a", "b=c", headers, EMPTY_SHA256)
        http.send("GET", server.base, f"/a?b=c&X-Amz-Signature={SECRET}", sent)
        signature = sent["authorization"].rpartition("=")[2]

    line, with_headers = caplog.messages
    shown = f"GET {place}/a?b=c&X-Amz-Signature=***: "
    assert line.startswith(f"{shown}403 in ")
    assert line.endswith(" ms, 0 bytes sent, 0 got, request '318BC8BC'")
    assert with_headers.startswith(f"{shown}headers sent {{")
    assert "'x-amz-meta-a': 'shown'" in with_headers
    assert SECRET not in caplog.text
    assert signature not in caplog.text


def test_line_tells_bytes_and_no_headers(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    """Those of the bodies; of one that is read later, as many as are to come."""
    caplog.set_level(logging.DEBUG)
    with serving(answering(reply(200, b"12345"))) as server:
        for stream in (False, True):
            found = http.send("PUT", server.base, "/a", {}, b"123", stream=stream)
            if found.stream is not None:
                found.stream.close()

    assert len(caplog.messages) == 2
    for line in caplog.messages:
        assert line.endswith("ms, 3 bytes sent, 5 got, request ''")


def test_line_tells_which_attempt_it_was(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever repeats a call says so; the first one, and what comes after, is nothing special."""
    caplog.set_level(logging.DEBUG)
    with serving(answering(reply(200))) as server:

        def send() -> object:
            return http.send("GET", server.base, "/a", {})

        as_attempt(3, send)
        send()
        http.send("GET", server.base, "/a", {}, before=["region"])

    ends = [line.rpartition("request ''")[2] for line in caplog.messages]
    assert ends == [", attempt 3", "", ", attempt 2"]


def test_request_without_an_answer_is_logged(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    """With what went wrong, also where many are under way."""
    caplog.set_level(logging.DEBUG)
    with serving(lambda client: client.request() and None) as server:
        place = f"127.0.0.1:{server.port}"
        with pytest.raises(StorageError):
            http.send("GET", server.base, f"/?sig={SECRET}", {})
        [found] = send_many(http, [("GET", server.base, f"/?sig={SECRET}", {}, None)], 2)

    assert isinstance(found, StorageError)
    assert len(caplog.messages) == 2
    for line in caplog.messages:
        assert line.startswith(f"GET {place}/?sig=***: no answer in ")
    assert SECRET not in caplog.text


def test_connection_that_cannot_be_made_is_logged(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    """A server that is down leaves a line for each request, too."""
    caplog.set_level(logging.DEBUG)
    with serving(lambda client: None) as server:
        base, place = server.base, f"127.0.0.1:{server.port}"
    with pytest.raises(Unreachable):
        http.send("GET", base, f"/?sig={SECRET}", {}, before=["clock"])
    [found] = send_many(http, [("GET", base, f"/?sig={SECRET}", {}, None)], 2)
    first, second = (line.partition(" ms: ") for line in caplog.messages)

    assert isinstance(found, Unreachable)
    assert first[0].startswith(f"GET {place}/?sig=***: no answer in ")
    assert second[0].startswith(f"GET {place}/?sig=***: no answer in ")
    assert first[2].endswith("refused, attempt 2")
    assert second[2].endswith("refused")


def test_answer_that_is_cut_is_logged(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    """With the service's name for the request, which the error has, too."""

    def cut(client: Talk) -> None:
        client.request()
        client.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx-amz-request-id: R1\r\n\r\nabc")

    caplog.set_level(logging.DEBUG)
    with serving(cut) as server:
        with pytest.raises(Truncated) as caught:
            http.send("GET", server.base, "/a", {})
        [found] = send_many(http, [("GET", server.base, "/a", {}, None)], 2)
        place = f"127.0.0.1:{server.port}"

    assert isinstance(found, Truncated)
    assert caught.value.request_id == found.request_id == "R1"
    for line in caplog.messages:
        assert line.startswith(f"GET {place}/a: no whole answer in ")
        assert line.endswith(f"the answer of {place} ended after 3 of 9 bytes (request R1)")
    assert len(caplog.messages) == 2


def test_repeated_request_is_logged(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    """Who wonders about two requests finds why."""
    caplog.set_level(logging.DEBUG)
    with serving(dying) as server:
        for _ in range(2):
            http.send("GET", server.base, f"/?sig={SECRET}", {})

    assert [line for line in caplog.messages if "on a new one" in line] == [
        f"GET 127.0.0.1:{server.port}: the connection that was kept is closed, on a new one"
    ]
    assert caplog.messages[-1].endswith(", attempt 2")
    assert SECRET not in caplog.text


def test_nothing_is_logged_above_debug(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    """Who does not ask pays nothing."""
    caplog.set_level(logging.INFO)
    with serving(answering(reply(500))) as server:
        http.send("GET", server.base, "/", {})

    assert caplog.messages == []


@pytest.mark.parametrize("secret", [True, False])
def test_errors_hold_no_secret(http: Http, secret: bool) -> None:
    """Neither do messages of failures, whatever the request had in it."""
    target = f"/?X-Amz-Signature={SECRET}" + ("\n" if secret else "")
    with serving(lambda client: client.request() and None) as server, pytest.raises(StorageError) as caught:
        http.send("GET", server.base, target, {"authorization": SECRET})

    assert SECRET not in str(caught.value)


def test_header_with_a_break_in_it_is_named_without_its_value(http: Http) -> None:
    """The name is enough to find it."""
    with pytest.raises(
        StorageError, match="HTTP cannot carry the header 'authorization' with such a value"
    ) as caught:
        http.send("GET", "http://127.0.0.1:1", "/", {"authorization": f"{SECRET}\r\nx: y"})

    assert SECRET not in str(caught.value)


def test_connections_are_not_pickled() -> None:
    """A password of a proxy would go with them."""
    with pytest.raises(TypeError, match="do not travel"):
        pickle.dumps(Http(proxy=f"http://me:{SECRET}@host"))


def dying(client: Talk) -> None:
    """Answer one request, and take another one."""
    client.request()
    client.send(reply())
    client.request()


# When to come back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("Wednesday, 21-Oct-15 07:28:30 GMT", 30.0),
        ("Wed Oct 21 07:28:30 2015", 30.0),
        ("", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("soon", None),
        ("Wed, 99 Oct 2015 07:28:30 GMT", None),
        ("\u0663", None),
    ],
)
def test_retry_after(said: str, seconds: float | None) -> None:
    """Seconds or a date, never below zero; what cannot be read says nothing."""
    assert retry_after({"retry-after": said}, 1445412480.0) == seconds


def test_no_retry_after() -> None:
    """Without the header nothing was said."""
    assert retry_after({}) is None
