"""What the rooms of the S3 driver do without a service: answers read, headers made, errors named."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.etree.ElementTree import Element

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import omnistorage
from omnistorage.core.address import Address
from omnistorage.core.errors import (
    NotFound,
    PermissionDenied,
    RateLimited,
    StorageError,
    Truncated,
    Unauthenticated,
    Unreachable,
    Unsupported,
)
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers import _s3metadata as metadata
from omnistorage.drivers import _s3xml as xml
from omnistorage.drivers._s3bodies import CheckedStream
from omnistorage.drivers._s3delete import failures_in
from omnistorage.drivers._s3errors import error_of, failure_of
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.testing.bodies import LyingBody

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
NOT_XML = "".join(map(chr, range(0x20))) + "\ufffe\uffff"


def page(keys: list[str], prefixes: list[str], *, encoded: bool, token: str = "", tail: str = "") -> bytes:
    """Return a listing as services write it."""
    say = quote_plus if encoded else escape
    contents = "".join(
        f"<Contents><Key>{say(key)}</Key><LastModified>2026-11-25T10:11:12.000Z</LastModified>"
        f"<ETag>&quot;{n:032x}&quot;</ETag><Size>{n}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for n, key in enumerate(keys)
    )
    common = "".join(f"<CommonPrefixes><Prefix>{say(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes)
    head = f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>"
    head += f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
    head += "<EncodingType>url</EncodingType>" if encoded else ""
    text = f'<?xml version="1.0"?><ListBucketResult xmlns="{xml.NAMESPACE}">{head}{contents}{common}'
    return f"{text}</ListBucketResult>{tail}".encode()


@given(st.lists(KEYS), st.lists(KEYS), st.booleans(), st.text("ab+/=&", max_size=9))
def test_listing_is_read_as_a_parser_reads_it(
    keys: list[str], prefixes: list[str], encoded: bool, token: str
) -> None:
    """Keys of any letters come back, by the quick way as by the slow one."""
    if not encoded:
        keys = [key for key in keys if not set(key) & set(NOT_XML) and not key.isspace()]
        prefixes = [key for key in prefixes if not set(key) & set(NOT_XML) and not key.isspace()]
    data = page(keys, prefixes, encoded=encoded, token=token)
    found = xml.listing(data)

    assert [entry.key for entry in found.entries] == keys
    assert found.prefixes == prefixes
    assert found.next == ({"continuation-token": token} if token else None)
    # A comment takes the quick way out of the question.
    assert xml.listing(data + b"<!-- -->") == found


def test_listing_that_was_cut_is_an_error() -> None:
    """A page that ends early is never taken for a short one."""
    whole = page(["a", "b", "c"], ["d/"], encoded=True)

    for end in range(len(whole)):
        with pytest.raises(StorageError):
            xml.listing(whole[:end])
    with pytest.raises(StorageError):
        xml.listing(b"<html><body>Bad gateway</body></html>")


@pytest.mark.parametrize(
    ("read", "asked", "text"),
    [
        (xml.versions, {}, "<NextVersionIdMarker>v</NextVersionIdMarker>"),
        (xml.uploads, {}, ""),
        (
            xml.uploads,
            {"key-marker": "a", "upload-id-marker": "u"},
            "<NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>",
        ),
        (xml.parts, {}, ""),
        (xml.parts, {"part-number-marker": "7"}, "<NextPartNumberMarker>7</NextPartNumberMarker>"),
    ],
)
def test_listing_that_never_ends_is_an_error(
    read: Callable[[Element, dict[str, str]], object], asked: dict[str, str], text: str
) -> None:
    """One that is cut and does not say where it goes on, or goes on where it began, is not asked for for ever."""
    root = xml.tree(f"<Found><IsTruncated>true</IsTruncated>{text}</Found>".encode())
    with pytest.raises(StorageError, match="does not say where it goes on"):
        read(root, asked)


def test_deletion_survives_its_parser() -> None:
    """Keys with every letter that XML can say are named exactly."""
    keys = ["a&b<c>", " blank ", "tab\tline\nreturn\r", "'\"", "\U0001f600\x85", "]]>"]
    tree = xml.tree(xml.deletion(keys))

    assert [node.findtext("Key") for node in tree.iter("Object")] == keys
    assert xml.fits_xml("".join(keys))
    assert not xml.fits_xml("a\x01b")
    assert not xml.fits_xml("a\ufffe")


@pytest.mark.parametrize(
    ("told", "failed"),
    [
        ("", []),
        ("<Error><Key>a</Key><Code>AccessDenied</Code></Error>", ["a"]),
        ("<Error><Key>a</Key><Code>NoSuchKey</Code></Error>", []),
        # As a parser gives it back, or a service that writes it without a reference.
        ("<Error><Key>c\nd</Key><Code>AccessDenied</Code></Error>", ["c\rd"]),
        ("<Error><Code>AccessDenied</Code></Error>", ["a", "b ", "c\rd"]),
        ("<Error><Key>other</Key><Code>AccessDenied</Code></Error>", ["a", "b ", "c\rd"]),
    ],
)
def test_no_failure_of_a_deletion_is_lost(told: str, failed: list[str]) -> None:
    """Whatever name an error has, nothing counts as deleted that may still be there."""
    root = xml.tree(f"<DeleteResult>{told}</DeleteResult>".encode())

    assert list(failures_in(root, "b", ["a", "b ", "c\rd"], None)) == failed


@given(st.integers(-(10**19), 10**19))
def test_times_come_back(time_ns: int) -> None:
    """Nanoseconds survive the header, before 1970, too."""
    assert metadata.ns_of(metadata.seconds_of(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [("1600000001.123456789", 1600000001123456789), ("12", 12 * 10**9), ("1.5", 1500000000), ("-1.5", -1500000000)],
)
def test_times_are_rclones(text: str, time_ns: int) -> None:
    """Seconds with a fraction, as rclone writes them."""
    assert metadata.ns_of(text) == time_ns
    assert metadata.seconds_of(time_ns) == text


@pytest.mark.parametrize("text", ["", "soon", "1e9", "--1", "1.2.3", "٣"])
def test_times_that_are_none(text: str) -> None:
    """What is no time counts as none, and not as 1970."""
    assert metadata.ns_of(text) is None


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("x =?utf-8?q?a?= y")
def test_metadata_comes_back(value: str) -> None:
    """Any text survives a header, and none can bring a header of its own."""
    sent = metadata.encoded(value)

    assert metadata.decoded(sent) == value
    assert sent.isascii()
    assert sent.isprintable()
    assert sent == sent.strip()


def test_metadata_of_others_is_read() -> None:
    """Words of RFC 2047 in either encoding, and UTF-8 as it is."""
    assert metadata.decoded("=?UTF-8?Q?caf=C3=A9_noir?=") == "café noir"
    assert metadata.decoded("=?UTF-8?B?Y2Fmw6k=?= =?UTF-8?B?IG5vaXI=?=") == "café noir"
    assert metadata.decoded("café".encode().decode("latin-1")) == "café"
    assert metadata.decoded("1 =? 2") == "1 =? 2"


def test_metadata_with_a_wrong_name_is_refused() -> None:
    """A name that no header can have is not changed into another one."""
    for name in ("two words", "a:b", "line\nend", "é", ""):
        with pytest.raises(StorageError):
            metadata.headers_for(PutOptions(metadata={name: "x"}), 0)


@pytest.mark.parametrize(
    ("status", "code", "kind", "again"),
    [
        (404, "NoSuchKey", NotFound, False),
        (404, "NoSuchBucket", NotFound, False),
        (403, "AccessDenied", PermissionDenied, False),
        (403, "SignatureDoesNotMatch", Unauthenticated, False),
        (503, "SlowDown", RateLimited, True),
        (500, "InternalError", Unreachable, True),
        (200, "InternalError", Unreachable, True),
        (502, "", Unreachable, True),
        (418, "", StorageError, False),
    ],
)
def test_errors_have_a_meaning(status: int, code: str, kind: type[StorageError], again: bool) -> None:
    """Code or status decide, and the words name code, bucket and request."""
    body = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode() if code else b"<html>"
    error = error_of(failure_of(status, {"x-amz-request-id": "R1"}, body), "photos", 2.0)

    assert type(error) is kind
    assert error.retryable is again
    assert error.request_id == "R1"
    assert error.retry_after == 2.0
    assert code in str(error)
    assert "photos" in str(error)
    assert "R1" in str(error)


def test_stream_holds_back_its_end() -> None:
    """A service has not got the whole before all is known to be right."""
    stream = CheckedStream(LyingBody(b"a" * 999, 1000), 1000)
    got = b"".join(stream.read(100) for _ in range(9))
    with pytest.raises(Truncated):
        stream.read(100)

    assert len(got) == 900


@given(st.binary(max_size=300), st.lists(st.integers(1, 90), min_size=1))
def test_stream_gives_all(data: bytes, sizes: list[int]) -> None:
    """Whatever is asked for at a time, the bytes are those of the body, and never more than asked for."""
    stream = CheckedStream(BytesBody(data), len(data))
    got, at = [], 0
    while piece := stream.read(sizes[at % len(sizes)]):
        assert len(piece) <= sizes[at % len(sizes)]
        got.append(piece)
        at += 1

    assert b"".join(got) == data
    assert stream.read(1) == b""


@pytest.mark.parametrize(
    ("address", "bucket", "prefix"),
    [
        (Address(scheme="s3", authority="b", path="/p/q/"), "b", "p/q"),
        (Address(scheme="s3", authority="b"), "b", ""),
        (Address(scheme="s3", path="b/p"), "b", "p"),
        (Address(scheme="s3", path="p", options={"bucket": "b"}), "b", "p"),
        (Address(scheme="s3"), "", ""),
    ],
)
def test_addresses(address: Address, bucket: str, prefix: str) -> None:
    """The bucket is the authority, else an option, else the first part of the path."""
    driver, found = S3Driver.from_address(address)

    assert driver.options.bucket == bucket
    assert found == prefix
    assert driver.features.any_key is bool(bucket)
    assert driver.features.mkdir is not bool(bucket)


def test_provider_in_the_scheme() -> None:
    """``s3+wasabi://`` names the preset."""
    driver, _ = S3Driver.from_address(Address(scheme="s3+wasabi", authority="b"))

    assert driver.options.provider == "wasabi"
    assert "wasabisys.com" in driver.identity()[1]


def test_ways_to_open_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By scheme, by option, by rclone's name, by a configured remote: all are the same place."""
    config = tmp_path / "config.toml"
    config.write_text(
        '[remotes.work]\ntype = "s3"\nprovider = "r2"\naccount_id = "0123456789abcdef0123456789abcdef"\n'
        'access_key_id = "A"\nsecret_access_key = "env:HUSH"\n'
    )
    monkeypatch.setenv("HUSH", "hush")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    given = {"account_id": "0123456789abcdef0123456789abcdef", "access_key_id": "A", "secret_access_key": "B"}
    opened = [
        omnistorage.open("s3+r2://bucket/p/q", **given),
        omnistorage.open("s3://bucket/p/q", provider="r2", **given),
        omnistorage.open("s3://bucket/p/q", provider="Cloudflare", **given),
        omnistorage.open("work:bucket/p/q", config=config),
    ]
    places = {storage.driver.identity() for storage in opened}

    assert places == {
        ("s3", "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com", "bucket/p/q"),
    }
    # The environment speaks of AWS, and R2 has one region only.
    assert {"/auto/s3/" in storage.link("a").replace("%2F", "/") for storage in opened} == {True}
    for storage in opened:
        storage.close()


def test_secrets_are_not_shown() -> None:
    """Neither options nor driver show a secret when they are printed."""
    options = Options(
        access_key_id="AKID", secret_access_key="hush", session_token="hushhush", sse_customer_key="aGk="
    )

    assert "hush" not in repr(options) + str(S3Driver(options))
    assert "aGk=" not in repr(options)
    assert "AKID" in repr(options) or "***" in repr(options)
    for one in (options, S3Driver(options)):
        with pytest.raises(
            Unsupported, match=r"^s3: secret_access_key, session_token, sse_customer_key given as text"
        ):
            pickle.dumps(one)


def test_quote_of_keys_in_pages() -> None:
    """Blanks are told from plus signs, whichever way a service encodes them."""
    data = page([], [], encoded=True).replace(b"</ListBucketResult>", b"")
    for code in (quote("a b+c"), "a+b%2Bc"):
        entry = f"<Contents><Key>{code}</Key><LastModified/><ETag/><Size>1</Size></Contents></ListBucketResult>"
        data_one = data + entry.replace("<LastModified/>", "<LastModified></LastModified>").encode()

        assert xml.listing(data_one).entries[0].key == "a b+c"
