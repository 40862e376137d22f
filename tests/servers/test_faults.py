"""The fault proxy passes on what it should, breaks what it was told to, and counts right."""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from hypothesis import given
from hypothesis import strategies as st

from .clients import client
from .faults import (
    REQUEST_ID,
    Answer,
    Corrupt,
    Cut,
    Delay,
    Faults,
    Lost,
    Rate,
    WrongETag,
    blackhole,
    expired_token,
    internal_error,
    redirect,
    slow_down,
    time_skewed,
    truncated,
)
from .framing import Body
from .model import Server

MakeBucket = Callable[[Server], str]


@pytest.fixture
def faults(radosgw: Server) -> Iterator[Faults]:
    with Faults(radosgw) as made:
        yield made


@pytest.fixture
def name(radosgw: Server, bucket: MakeBucket) -> str:
    return bucket(radosgw)


def test_what_is_passed_on_stays_as_it_is(s3_server: Server, bucket: MakeBucket) -> None:
    """Signatures, keys and bytes arrive as they were sent, and answers as they were given."""
    name = bucket(s3_server)
    data = os.urandom(1_000_000)
    keys = ["ü +%2F&=?/x", "plain"]
    if not s3_server.kind.startswith("rclone"):
        # Its objects are files, which cannot have such names.
        keys += ["a//b", "./q", "x/../y", "z/"]
    with Faults(s3_server) as faults:
        for key in keys:
            client(faults.server).put_object(Bucket=name, Key=key, Body=data)
        there = [client(faults.server).get_object(Bucket=name, Key=key)["Body"].read() for key in keys]

        assert there == [data] * len(keys)
    listed = client(s3_server).list_objects_v2(Bucket=name)["Contents"]
    assert sorted(one["Key"] for one in listed) == sorted(keys)
    assert {one["Size"] for one in listed} == {len(data)}


def test_paths_are_not_cleaned(faults: Faults, name: str) -> None:
    """What stands in the first line reaches the server byte for byte: two slashes, dots, escapes."""
    client(faults.server).put_object(Bucket=name, Key="a//b/../c%2F", Body=b"1")

    assert faults.seen[-1].target == f"/{name}/a//b/../c%252F"
    assert _keys(faults, name) == ["a//b/../c%2F"]


def test_a_wrong_secret_is_refused_behind_it(faults: Faults, name: str) -> None:
    """The server still looks at signatures."""
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(faults.server, secret_key="wrong").put_object(Bucket=name, Key="a", Body=b"1")


def test_requests_and_bytes_are_counted(faults: Faults, name: str) -> None:
    """Each request counts, and the bytes of bodies, not those of heads."""
    s3 = client(faults.server)
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=name, Key=key, Body=bytes(300_000))
    for key in ("a", "b"):
        s3.get_object(Bucket=name, Key=key, Range="bytes=0-99999")["Body"].read()
    s3.list_objects_v2(Bucket=name)

    assert faults.count("PUT ") == 3
    assert faults.sent("PUT /.*/[ab]$") == 600_000
    assert faults.received("PUT ") == 0
    assert faults.received("GET .*/[abc]$") == 200_000
    assert faults.count("GET .*list-type=2") == 1
    assert faults.received("GET .*list-type=2") > 100
    assert faults.count() == 6
    assert faults.seen[0].headers["content-length"] == "300000"
    assert [seen.status for seen in faults.seen] == [200] * 3 + [206] * 2 + [200]


def test_connections_are_kept(faults: Faults, name: str) -> None:
    """Many requests go over one connection, those with an answer from the proxy, too."""
    connection = _connect(faults)
    rule = faults.add(slow_down(), times=None, after=2)
    statuses = [_ask(connection, "HEAD", f"/{name}")[0] for _ in range(2)]
    statuses += [_ask(connection, "PUT", f"/{name}/a", b"x" * 100_000)[0] for _ in range(3)]
    connection.close()

    assert statuses == [403, 403, 503, 503, 503]
    assert rule.hits == 3
    assert faults.connections == 1


def test_an_upload_is_cut(faults: Faults, name: str) -> None:
    """The server gets so many bytes and no more, makes no object of them, and the next try succeeds."""
    faults.add(Cut(1000), "PUT .*/a$")
    s3 = client(faults.server)
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        s3.put_object(Bucket=name, Key="a", Body=bytes(5_000_000))
    sent = faults.sent()
    keys = _keys(faults, name)
    s3.put_object(Bucket=name, Key="a", Body=b"again")

    assert sent == 1000
    assert keys == []
    assert _keys(faults, name) == ["a"]


def test_a_download_is_cut(faults: Faults, name: str) -> None:
    """The client gets so many bytes at most, and then an error, not an end."""
    client(faults.server).put_object(Bucket=name, Key="a", Body=bytes(5_000_000))
    faults.add(Cut(1_000_000), "GET .*/a$")
    pieces = client(faults.server).get_object(Bucket=name, Key="a")["Body"].iter_chunks(1000)
    came: list[bytes] = []
    with pytest.raises((ResponseStreamingError, ConnectionError)):
        came.extend(pieces)

    assert len(b"".join(came)) <= 1_000_000
    assert faults.received("GET .*/a$") == 1_000_000


def test_a_truncated_answer_ends_cleanly(faults: Faults, name: str) -> None:
    """All bytes before the end arrive; nothing but the announced length tells that some are missing."""
    client(faults.server).put_object(Bucket=name, Key="a", Body=bytes(5_000_000))
    faults.add(truncated(123_456), "GET .*/a")
    url = client(faults.server).generate_presigned_url("get_object", Params={"Bucket": name, "Key": "a"})
    connection = _connect(faults)
    connection.request("GET", _target(url))
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    connection.close()

    assert len(caught.value.partial) == 123_456
    assert response.getheader("Content-Length") == "5000000"


def test_an_answer_is_lost(faults: Faults, name: str) -> None:
    """The server has done it, and the client does not know."""
    rule = faults.add(Lost(), "PUT .*/a$")
    with pytest.raises(BotoCoreError):
        client(faults.server).put_object(Bucket=name, Key="a", Body=b"1")

    assert _keys(faults, name) == ["a"]
    assert rule.hits == 1
    assert faults.seen[0].status == 0


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (slow_down(), 503, "SlowDown"),
        (internal_error(), 500, "InternalError"),
        (internal_error(502), 502, "InternalError"),
        (expired_token(), 400, "ExpiredToken"),
        (time_skewed(), 403, "RequestTimeTooSkewed"),
        (Answer(409, "OperationAborted"), 409, "OperationAborted"),
    ],
)
def test_an_error_is_answered(faults: Faults, name: str, fault: Answer, status: int, code: str) -> None:
    """The client sees S3's error, and the server nothing of the request."""
    faults.add(fault, "PUT ")
    with pytest.raises(ClientError) as caught:
        client(faults.server).put_object(Bucket=name, Key="a", Body=bytes(2_000_000))
    response: Any = caught.value.response

    assert response["Error"]["Code"] == code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["ResponseMetadata"]["RequestId"] == REQUEST_ID
    assert _keys(faults, name) == []


def test_an_error_says_how_long_to_wait(faults: Faults) -> None:
    """The header is there if seconds were given, and only then."""
    faults.add(slow_down(1.5))
    faults.add(slow_down(), after=0)
    connection = _connect(faults)
    # Both rules are for the first request, of which the later one counts; so the second has none left but the server.
    first, second = _ask(connection, "GET", "/a"), _ask(connection, "GET", "/a")
    faults.add(slow_down(1.5))
    third = _ask(connection, "GET", "/a")
    connection.close()

    assert (first[0], first[1].get("Retry-After")) == (503, None)
    assert second[0] in (403, 404)
    assert (third[0], third[1].get("Retry-After")) == (503, "1.5")


def test_an_early_answer_leaves_the_body(faults: Faults) -> None:
    """The client has its answer though the server has not read what it sends, and the connection is closed."""
    faults.add(Answer(400, "BadDigest", early=True))
    connection = _connect(faults)
    status, headers, text = _ask(connection, "PUT", "/b/a", bytes(20_000_000))
    connection.close()

    assert status == 400
    assert headers["Connection"] == "close"
    assert b"<Code>BadDigest</Code>" in text


def test_a_redirect_leads_elsewhere(faults: Faults) -> None:
    """Path and query stay as they are behind the other endpoint."""
    faults.add(redirect("http://127.0.0.2:9"), "temporary")
    faults.add(redirect("", 301, region="eu-west-3"), "permanent")
    connection = _connect(faults)
    temporary = _ask(connection, "GET", "/b//temporary%2F?x=1&y=")
    permanent = _ask(connection, "GET", "/b/permanent")
    connection.close()

    assert temporary[0] == 307
    assert temporary[1]["Location"] == "http://127.0.0.2:9/b//temporary%2F?x=1&y="
    assert b"TemporaryRedirect" in temporary[2]
    assert permanent[0] == 301
    assert permanent[1]["x-amz-bucket-region"] == "eu-west-3"
    assert "Location" not in permanent[1]


def test_one_bit_is_wrong(faults: Faults, name: str) -> None:
    """Down, the client gets another byte at that place; up, the server keeps another, unless it knows a hash."""
    s3, data = client(faults.server), os.urandom(700_000)
    wrong = data[:600_000] + bytes([data[600_000] ^ 1]) + data[600_001:]
    faults.add(Corrupt(600_000), "GET .*/down$")
    faults.add(Corrupt(600_000, "up"), "PUT .*/up", times=2)
    s3.put_object(Bucket=name, Key="down", Body=data)
    with pytest.raises(ClientError, match="XAmzContentSHA256Mismatch"):
        s3.put_object(Bucket=name, Key="up", Body=data)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": name, "Key": "up"})
    connection = _connect(faults)
    status, _, _ = _ask(connection, "PUT", _target(url), data)
    connection.close()

    assert status == 200
    assert s3.get_object(Bucket=name, Key="down")["Body"].read() == wrong
    assert s3.get_object(Bucket=name, Key="down")["Body"].read() == data
    assert s3.get_object(Bucket=name, Key="up")["Body"].read() == wrong


def test_an_etag_is_wrong(faults: Faults, name: str) -> None:
    """In the header and in XML it is another, of the same form."""
    s3, right = client(faults.server), f'"{hashlib.md5(b"1").hexdigest()}"'
    faults.add(WrongETag(), "PUT .*/a$|list-type=2")
    faults.add(WrongETag(), "list-type=2", after=1)
    put = s3.put_object(Bucket=name, Key="a", Body=b"1")["ETag"]
    head = s3.head_object(Bucket=name, Key="a")["ETag"]
    true, false = (s3.list_objects_v2(Bucket=name)["Contents"][0]["ETag"] for _ in range(2))

    assert head == true == right
    assert put != right
    assert put[2:] == right[2:]
    assert false == put


def test_an_upload_is_finished_with_a_wrong_etag(moto: Server, bucket: MakeBucket) -> None:
    """Also where the ETag stands in XML only. What radosgw says of a finished upload has none."""
    name = bucket(moto)
    with Faults(moto) as faults:
        s3 = client(faults.server)
        faults.add(WrongETag(), "POST .*uploadId=")
        upload = s3.create_multipart_upload(Bucket=name, Key="a")["UploadId"]
        part = s3.upload_part(Bucket=name, Key="a", UploadId=upload, PartNumber=1, Body=b"1")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
        said = s3.complete_multipart_upload(Bucket=name, Key="a", UploadId=upload, MultipartUpload=parts)["ETag"]
        real = s3.head_object(Bucket=name, Key="a")["ETag"]

    assert said.strip('"') != real.strip('"')
    assert said.strip('"')[1:] == real.strip('"')[1:]


def test_answers_come_late(faults: Faults, name: str) -> None:
    """That of the server takes longer, and that of the proxy as well."""
    late = faults.add(Delay(0.3), "HEAD", times=2)
    faults.add(slow_down(), "HEAD", after=1)
    began = time.monotonic()
    client(faults.server).head_bucket(Bucket=name)
    first = time.monotonic()
    with pytest.raises(ClientError):
        client(faults.server).head_bucket(Bucket=name)
    second = time.monotonic()
    client(faults.server).head_bucket(Bucket=name)

    assert late.hits == 2
    assert first - began >= 0.3
    assert second - first >= 0.3


def test_bodies_pass_slowly(faults: Faults, name: str) -> None:
    """So many bytes a second, in both directions."""
    faults.add(Rate(1_000_000), "/a$", times=None)
    began = time.monotonic()
    client(faults.server).put_object(Bucket=name, Key="a", Body=bytes(400_000))
    middle = time.monotonic()
    client(faults.server).get_object(Bucket=name, Key="a")["Body"].read()

    assert middle - began >= 0.4
    assert time.monotonic() - middle >= 0.4


def test_a_black_hole_never_answers(faults: Faults, name: str) -> None:
    """The client runs into its own limit, and the end of the proxy does not wait for it."""
    faults.add(blackhole(), "HEAD", times=2)
    with pytest.raises(ReadTimeoutError):
        client(faults.server, timeout=0.5).head_bucket(Bucket=name)
    waiting = _connect(faults)
    waiting.request("HEAD", f"/{name}")
    while faults.count("HEAD") < 2:
        time.sleep(0.01)
    began = time.monotonic()
    faults.__exit__(None, None, None)

    assert time.monotonic() - began < 5
    with pytest.raises(http.client.RemoteDisconnected):
        waiting.getresponse()
    waiting.close()


def test_faults_hit_when_it_is_their_turn(faults: Faults) -> None:
    """``after`` lets some pass, ``times`` ends it, and ``clear`` ends all."""
    connection = _connect(faults)
    faults.add(internal_error(), "GET /x", times=2, after=1)
    some = [_ask(connection, "GET", path)[0] for path in ("/x", "/y", "/x", "/y", "/x", "/x")]
    faults.add(internal_error(), times=None)
    every = [_ask(connection, "GET", "/z")[0] for _ in range(3)]
    seen = faults.count()
    faults.clear()
    none = _ask(connection, "GET", "/z")[0]
    connection.close()

    assert [status == 500 for status in some] == [False, False, True, False, True, False]
    assert every == [500] * 3
    assert seen == 9
    assert none != 500
    assert faults.count() == 1


def test_many_at_the_same_time(faults: Faults, name: str) -> None:
    """Connections do not get into each other's way, and none is forgotten in the sums."""
    s3 = client(faults.server)

    def there_and_back(number: int) -> bool:
        data = os.urandom(50_000)
        s3.put_object(Bucket=name, Key=f"{number}", Body=data)
        return bool(s3.get_object(Bucket=name, Key=f"{number}")["Body"].read() == data)

    with ThreadPoolExecutor(16) as pool:
        right = list(pool.map(there_and_back, range(100)))

    assert all(right)
    assert faults.sent("PUT") == faults.received("GET") == 5_000_000


def test_large_bodies_are_not_kept(faults: Faults, name: str) -> None:
    """An upload of 200 MB passes through less than 4 MB of memory."""
    left, block = 200_000_000, bytes(100_000)

    class Source:
        def read(self, size: int = -1) -> bytes:
            nonlocal left
            left -= len(block)
            return block if left >= 0 else b""

    url = client(faults.server).generate_presigned_url("put_object", Params={"Bucket": name, "Key": "a"})
    connection = _connect(faults)
    tracemalloc.start()
    try:
        connection.request("PUT", _target(url), Source(), {"Content-Length": "200000000"})
        status = connection.getresponse().status
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        connection.close()

    assert status == 200
    assert peak < 4_000_000
    assert client(faults.server).head_object(Bucket=name, Key="a")["ContentLength"] == 200_000_000


def test_faults_work_over_tls(s3_tls_server: Server, bucket: MakeBucket) -> None:
    """The proxy has a certificate of its own, without which nobody comes in; and bodies are cut as elsewhere."""
    name = bucket(s3_tls_server)
    data = os.urandom(1_000_000)
    with Faults(s3_tls_server) as faults:
        s3 = client(faults.server)
        s3.put_object(Bucket=name, Key="a", Body=data)
        faults.add(Cut(1000), "PUT")
        with pytest.raises(BotoCoreError):
            s3.put_object(Bucket=name, Key="b", Body=data)
        faults.add(truncated(1000), "GET")
        with pytest.raises((BotoCoreError, IncompleteReadError)):
            s3.get_object(Bucket=name, Key="a")["Body"].read()
        with pytest.raises(SSLError):
            client(faults.server, trust=False).head_bucket(Bucket=name)

        assert s3.get_object(Bucket=name, Key="a")["Body"].read() == data
        assert faults.sent("PUT") == 1_001_000
        assert faults.received("GET") == 1_001_000
    assert [one["Key"] for one in client(s3_tls_server).list_objects_v2(Bucket=name)["Contents"]] == ["a"]


def test_nothing_is_left(radosgw: Server) -> None:
    """When it ends, so have its threads and connections."""
    before = threading.active_count()
    with Faults(radosgw) as faults:
        connection = _connect(faults)
        _ask(connection, "HEAD", "/")
    connection.close()

    assert threading.active_count() <= before
    with pytest.raises(ConnectionRefusedError):
        _connect(faults).connect()


@given(st.lists(st.binary(max_size=600)), st.binary(max_size=20), st.lists(st.integers(1, 700), min_size=1))
def test_chunks_are_told_from_what_frames_them(chunks: list[bytes], behind: bytes, cuts: list[int]) -> None:
    """However the bytes arrive, the body is what it was, and what follows is not of it."""
    framed = b"".join(b"%x;x=y\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    raw = framed + b"0\r\nx-trailer: 1\r\n\r\n" + behind
    body, data, at, turn = Body(None, chunked=True), b"", 0, 0
    while not body.done:
        view = memoryview(raw)[at : at + cuts[turn % len(cuts)]]
        turn += 1
        while view and not body.done:
            size, own = body.run(view)
            data += bytes(view[:size]) if own else b""
            view, at = view[size:], at + size

    assert data == b"".join(chunks)
    assert raw[at:] == behind


def _connect(faults: Faults) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(faults.server.endpoint).netloc, timeout=20)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _ask(
    connection: http.client.HTTPConnection, method: str, target: str, body: bytes = b""
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection.request(method, target, body or None)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def _keys(faults: Faults, name: str) -> list[str]:
    listed = client(faults.server).list_objects_v2(Bucket=name)
    return [one["Key"] for one in listed.get("Contents", [])]
