"""Signatures are those of botocore and of the examples that AWS publishes, and nothing gives their secrets away."""

from __future__ import annotations

import copy
import datetime
import json
import pickle
import threading
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnistorage.core.errors import InvalidPath
from omnistorage.drivers._sigv4 import (
    EMPTY_SHA256,
    LONGEST,
    UNSIGNED,
    Credentials,
    Signer,
    canonical_query,
    quote_key,
)

# Of AWS's documentation; they never opened anything.
EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = "examplebucket.s3.amazonaws.com"
THEN = 1369353600.0
"""2013-05-24T00:00:00Z"""


def signature(headers: dict[str, str]) -> str:
    return headers["authorization"].rpartition("Signature=")[2]


# Examples of AWS ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "key", "query", "headers", "body", "signed", "wanted"),
    [
        (
            "GET",
            "/test.txt",
            [],
            {"Range": "bytes=0-9"},
            b"",
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            [],
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            [("lifecycle", "")],
            {},
            b"",
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            [("prefix", "J"), ("max-keys", "2")],
            {},
            b"",
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["object", "upload", "lifecycle", "listing"],
)
def test_requests_are_signed_as_in_the_examples(
    method: str,
    key: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    signed: str,
    wanted: str,
) -> None:
    """The four of "Authenticating Requests: Using the Authorization Header" (single chunk)."""
    digest = sha256(body).hexdigest()
    found = Signer("us-east-1").sign(
        EXAMPLE, method, HOST, quote_key(key), canonical_query(query), headers, digest, now=THEN
    )

    assert found == {
        **{name.lower(): value for name, value in headers.items()},
        "host": HOST,
        "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": digest,
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        f"SignedHeaders={signed}, Signature={wanted}",
    }


def test_link_is_signed_as_in_the_example() -> None:
    """The one of "Authenticating Requests: Using Query Parameters"."""
    found = Signer("us-east-1").presign(EXAMPLE, "GET", f"https://{HOST}", "/test.txt", "", 86400, now=THEN)

    assert found == (
        f"https://{HOST}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_policy_is_signed_as_in_the_example() -> None:
    """The one of "Browser-Based Uploads Using POST": its text, line breaks and blanks included."""
    lines = [
        '{ "expiration": "2015-12-30T12:00:00.000Z",',
        '  "conditions": [',
        '    {"bucket": "sigv4examplebucket"},',
        '    ["starts-with", "$key", "user/user1/"],',
        '    {"acl": "public-read"},',
        '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},',
        '    ["starts-with", "$Content-Type", "image/"],',
        '    {"x-amz-meta-uuid": "14365123651274"},',
        '    {"x-amz-server-side-encryption": "AES256"},',
        '    ["starts-with", "$x-amz-meta-tag", ""],',
        "",
        '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},',
        '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},',
        '    {"x-amz-date": "20151229T000000Z" }',
        "  ]",
        "}",
    ]
    policy = b64encode("\r\n".join(lines).encode()).decode()

    assert Signer("us-east-1").sign_text(EXAMPLE, policy, "20151229") == (
        "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
    )


# botocore -------------------------------------------------------------------------------------------

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20).map("x-amz-meta-{}".format)
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t"), max_size=40)
HEADERS = st.dictionaries(
    NAMES | st.sampled_from(["Content-MD5", "content-length", "Range", "X-Amz-ACL", "If-None-Match", "user-agent"]),
    VALUES,
    max_size=6,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = TEXTS | st.sampled_from(
    ["a//b", "./", "../x", "a/", "/", "a+b c%2Fd", "ü", "\n", "\x00\x7f", "😀", "?#&=", "~.-_*'()!"]
)
QUERIES = st.lists(st.tuples(TEXTS, TEXTS), max_size=5, unique_by=lambda pair: pair[0])
WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40)
CREDENTIALS = st.builds(Credentials, WORDS, TEXTS.filter(bool), st.just("") | WORDS)
REGIONS = st.sampled_from(["us-east-1", "eu-central-1", "auto", "garage", "ü"])
TIMES = st.integers(0, 4_000_000_000)
BASES = st.sampled_from(
    [
        "https://bucket.s3.amazonaws.com",
        "http://127.0.0.1:9000",
        "https://a:443",
        "http://a:80",
        "https://a:80",
        "http://[::1]:1",
        "https://Bucket.Example:9000",
    ]
)


def at(now: int) -> Any:
    """Let botocore's clock stand."""
    when = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return mock.patch.object(botocore.auth, "get_current_datetime", return_value=when)


def theirs(credentials: Credentials) -> Any:
    from botocore.credentials import ReadOnlyCredentials

    return ReadOnlyCredentials(credentials.access_key, credentials.secret_key, credentials.session_token or None)


def host_of(base: str) -> str:
    """Return what botocore, as all clients, puts into ``Host``."""
    return str(botocore.auth._host_from_url(base))


@settings(max_examples=300)
@given(
    CREDENTIALS, REGIONS, st.sampled_from(["GET", "PUT", "POST"]), BASES, KEYS, QUERIES, HEADERS, st.booleans(), TIMES
)
def test_requests_are_signed_as_by_botocore(
    credentials: Credentials,
    region: str,
    method: str,
    base: str,
    key: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    unsigned: bool,
    now: int,
) -> None:
    """For all keys, queries and headers."""
    path, asked = "/" + quote_key(key), canonical_query(query)
    digest = UNSIGNED if unsigned else EMPTY_SHA256
    request = AWSRequest(method, f"{base}{path}?{asked}" if asked else base + path, headers=headers)
    with at(now), mock.patch.object(botocore.auth.S3SigV4Auth, "payload", return_value=digest):
        botocore.auth.S3SigV4Auth(theirs(credentials), "s3", region).add_auth(request)
    found = Signer(region).sign(credentials, method, host_of(base), path, asked, headers, digest, now=now)

    wanted = {name.lower(): value for name, value in request.headers.items()}
    assert found == {**wanted, "host": host_of(base)}


@settings(max_examples=150)
@given(CREDENTIALS, REGIONS, BASES, KEYS, QUERIES, HEADERS, TIMES, st.integers(1, LONGEST))
def test_links_are_signed_as_by_botocore(
    credentials: Credentials,
    region: str,
    base: str,
    key: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    now: int,
    expires: int,
) -> None:
    """The same parameters with the same signature; only their order is our own."""
    path, asked = "/" + quote_key(key), canonical_query(query)
    headers = {name: value for name, value in headers.items() if name != "user-agent"}
    request = AWSRequest("GET", f"{base}{path}?{asked}" if asked else base + path, headers=headers)
    with at(now):
        botocore.auth.S3SigV4QueryAuth(theirs(credentials), "s3", region, expires=expires).add_auth(request)
    found = Signer(region).presign(credentials, "GET", base, path, asked, expires, headers=headers, now=now)

    ours, wanted = urlsplit(found), urlsplit(request.url)
    assert (ours.scheme, ours.netloc, ours.path) == (wanted.scheme, wanted.netloc.lower(), wanted.path)
    assert pairs(ours.query) == pairs(wanted.query)


def pairs(query: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(query, keep_blank_values=True, strict_parsing=True))


@settings(max_examples=100)
@given(CREDENTIALS, REGIONS, st.dictionaries(NAMES, TEXTS, max_size=4), TIMES, st.integers(1, 10**6))
def test_forms_are_signed_as_by_botocore(
    credentials: Credentials, region: str, fields: dict[str, str], now: int, expires: int
) -> None:
    """The same fields, the same conditions, and botocore's signature of that policy."""
    conditions: list[object] = [{"bucket": "b"}, ["starts-with", "$key", "home/"], ["content-length-range", 0, 1000]]
    found = Signer(region).post_policy(credentials, fields, conditions, expires, now=now)
    request = AWSRequest("POST", "https://host/")
    # botocore leaves it to its caller to make conditions of the fields.
    request.context["s3-presign-post-fields"] = dict(fields)
    request.context["s3-presign-post-policy"] = {
        "conditions": [*copy.deepcopy(conditions), *({name: value} for name, value in fields.items())]
    }
    signer = botocore.auth.S3SigV4PostAuth(theirs(credentials), "s3", region)
    with at(now):
        signer.add_auth(request)
        assert found["x-amz-signature"] == signer.signature(found["policy"], request)
    wanted = request.context["s3-presign-post-fields"]
    policy, theirs_policy = (json.loads(b64decode(form["policy"])) for form in (found, wanted))

    assert found.keys() == wanted.keys()
    assert {name: found[name] for name in found if name not in ("policy", "x-amz-signature")} == {
        name: wanted[name] for name in wanted if name not in ("policy", "x-amz-signature")
    }
    assert sorted(map(json.dumps, policy["conditions"])) == sorted(map(json.dumps, theirs_policy["conditions"]))
    ends = datetime.datetime.strptime(policy["expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    assert ends.timestamp() == now + expires


@settings(max_examples=100)
@given(CREDENTIALS, st.sampled_from(["sts", "iam", "execute-api"]), st.text("ab%/ü +", max_size=8), QUERIES, TIMES)
def test_other_services_are_signed_as_by_botocore(
    credentials: Credentials, service: str, name: str, query: list[tuple[str, str]], now: int
) -> None:
    """They want paths encoded twice, and no header for the hash of the body."""
    path, asked = "/x/" + quote_key(name.strip("/").replace("//", "/")), canonical_query(query)
    request = AWSRequest("POST", f"https://host{path}?{asked}" if asked else f"https://host{path}")
    with at(now):
        botocore.auth.SigV4Auth(theirs(credentials), service, "us-east-1").add_auth(request)
    signer = Signer("us-east-1", service)
    found = signer.sign(credentials, "POST", "host", path, asked, {}, EMPTY_SHA256, now=now)

    assert found == {**{name.lower(): value for name, value in request.headers.items()}, "host": "host"}


# Encoding -------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_key_can_be_read_back(key: str) -> None:
    """Letters of RFC 3986 and the slash stay, all else is encoded."""
    found = quote_key(key)

    assert unquote(found, errors="strict") == key
    assert set(found) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/%")
    assert found.count("/") == key.count("/")


def test_keys_stay_as_they_are() -> None:
    """Nothing is made simpler on the way."""
    assert quote_key("a//b/./../c/") == "a//b/./../c/"
    assert quote_key("%2F+ ~*'") == "%252F%2B%20~%2A%27"


@pytest.mark.parametrize("text", ["\udc80", "a\udcffb"])
def test_bytes_without_an_encoding_are_refused(text: str) -> None:
    """Services want UTF-8."""
    with pytest.raises(InvalidPath):
        quote_key(text)
    with pytest.raises(InvalidPath):
        canonical_query([("prefix", text)])


def test_query_is_sorted_by_what_is_sent() -> None:
    """By the encoded names, then the encoded values."""
    found = canonical_query([("b", ""), ("a", "é"), ("a", "~"), ("a", " "), ("A", "/"), ("a-b", "1")])

    assert found == "A=%2F&a=%20&a=%C3%A9&a=~&a-b=1&b="


# Time and the key -----------------------------------------------------------------------------------


def sign(signer: Signer, credentials: Credentials, now: float | None) -> str:
    return signature(signer.sign(credentials, "GET", HOST, "/a", "", {}, EMPTY_SHA256, now=now))


@given(
    st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), st.integers(0, 4), st.floats(0, 86399)), max_size=12)
)
def test_kept_key_is_the_right_one(steps: list[tuple[str, int, float]]) -> None:
    """However secrets, days and seconds follow each other, also back, one signer signs as a new one would."""
    signer = Signer("us-east-1")
    for secret, day, second in steps:
        credentials = Credentials("AKID", secret)
        now = THEN + day * 86400 + second

        assert sign(signer, credentials, now) == sign(Signer("us-east-1"), credentials, now)


def test_midnight_makes_another_key() -> None:
    """The last second of a day and the first of the next one."""
    signer = Signer("us-east-1")
    stamps = []
    for now in (THEN - 0.001, THEN, THEN - 1):
        headers = signer.sign(EXAMPLE, "GET", HOST, "/a", "", {}, EMPTY_SHA256, now=now)
        stamps.append((headers["x-amz-date"], headers["authorization"].split("/")[1]))
        assert signature(headers) == sign(Signer("us-east-1"), EXAMPLE, now)

    assert stamps == [
        ("20130523T235959Z", "20130523"),
        ("20130524T000000Z", "20130524"),
        ("20130523T235959Z", "20130523"),
    ]


def test_offset_corrects_the_clock() -> None:
    """A service whose clock is ahead gets its own time, also in links and forms."""
    signer = Signer("us-east-1")
    with mock.patch("time.time", return_value=THEN - 3600):
        signer.offset = 3600
        header = signer.sign(EXAMPLE, "GET", HOST, "/a", "", {}, EMPTY_SHA256)
        link = signer.presign(EXAMPLE, "GET", f"https://{HOST}", "/test.txt", "", 86400)
        form = signer.post_policy(EXAMPLE, {}, [], 60)

        assert header["x-amz-date"] == form["x-amz-date"] == "20130524T000000Z"
        assert link.endswith("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
        assert json.loads(b64decode(form["policy"]))["expiration"] == "2013-05-24T00:01:00Z"


def test_threads_do_not_mix_their_keys() -> None:
    """One signer, several credentials and days at once."""
    signer = Signer("us-east-1")
    cases = [(Credentials("AKID", f"secret {n}"), THEN + n % 3 * 86400) for n in range(6)]
    wanted = [sign(Signer("us-east-1"), *case) for case in cases]
    wrong: list[int] = []

    def work(index: int) -> None:
        for _ in range(300):
            if sign(signer, *cases[index]) != wanted[index]:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


@pytest.mark.parametrize("expires", [0, -1, LONGEST + 1])
def test_links_have_bounds(expires: int) -> None:
    """A second to a week."""
    with pytest.raises(ValueError, match="1 to 604800 seconds"):
        Signer("us-east-1").presign(EXAMPLE, "GET", f"https://{HOST}", "/a", "", expires)


def test_forms_have_a_bound() -> None:
    """At least a second."""
    with pytest.raises(ValueError, match="at least a second"):
        Signer("us-east-1").post_policy(EXAMPLE, {}, [], 0)


# Secrets --------------------------------------------------------------------------------------------

LENT = Credentials("AKID", "hunter2-secret", "hunter2-token", expires=1.0)


@pytest.mark.parametrize("show", [repr, str, "{}".format, "%s".__mod__, "%r".__mod__, lambda found: f"{[found]}"])
def test_credentials_show_their_name_only(show: Any) -> None:
    """In whatever way they get into a message."""
    assert "hunter2" not in show(LENT)
    assert "Credentials(access_key='AKID')" in show(LENT)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_credentials_do_not_travel(protocol: int) -> None:
    """Whoever needs them finds them where he is."""
    with pytest.raises(TypeError, match="secrets do not travel"):
        pickle.dumps(LENT, protocol)


def test_signer_travels_without_its_key() -> None:
    """What it has derived from a secret stays."""
    signer = Signer("eu-central-1", "s3")
    signer.offset = 7.0
    sign(signer, LENT, THEN)
    text = pickle.dumps(signer)
    again = pickle.loads(text)

    assert b"hunter2" not in text
    assert signer._key is not None
    assert "hunter2-secret" in signer._key
    assert "hunter2" not in repr(signer)
    assert (again.region, again.service, again.offset) == ("eu-central-1", "s3", 7.0)
    assert sign(again, LENT, THEN) == sign(signer, LENT, THEN)


def test_secret_is_not_in_what_is_sent() -> None:
    """The token of lent credentials is."""
    signer = Signer("us-east-1")
    sent = signer.sign(LENT, "GET", HOST, "/a", "", {}, EMPTY_SHA256, now=THEN)
    link = signer.presign(LENT, "GET", f"https://{HOST}", "/a", "", 60, now=THEN)
    form = signer.post_policy(LENT, {}, [], 60, now=THEN)

    assert sent["x-amz-security-token"] == form["x-amz-security-token"] == "hunter2-token"
    assert "x-amz-security-token" in sent["authorization"]
    for text in (*sent.values(), link, *form.values(), b64decode(form["policy"]).decode()):
        assert "hunter2-secret" not in text
