"""What the S3 driver makes of failures: the right error, one mend where there is one, no credentials elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import omnistorage
from omnistorage.core.errors import (
    Corrupted,
    NoSpace,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    StorageError,
    Unauthenticated,
    Unreachable,
)
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers import _presets, _s3digest
from omnistorage.drivers._httplog import HEADERS
from omnistorage.drivers._s3client import Client
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.layers.log import Log
from omnistorage.layers.retry import Retry
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern
from s3_scenes import fresh_bucket, settings
from servers import Server
from servers.faults import (
    REQUEST_ID,
    Answer,
    Corrupt,
    Faults,
    Lost,
    WrongETag,
    expired_token,
    internal_error,
    redirect,
    slow_down,
    time_skewed,
    truncated,
)


@pytest.fixture
def faults(radosgw: Server) -> Iterator[Faults]:
    """A proxy before radosgw."""
    with Faults(radosgw) as faults:
        yield faults


@pytest.fixture
def driver(radosgw: Server, faults: Faults) -> Iterator[S3Driver]:
    """An empty bucket, reached by the proxy."""
    direct = fresh_bucket(radosgw)
    driver = S3Driver(Options(**settings(faults.server, provider="ceph", bucket=direct.options.bucket)))
    yield driver
    driver.close()
    direct.close()


@pytest.fixture
def storage(driver: S3Driver) -> Storage:
    """The bucket behind its front door, where nothing is tried again."""
    return Storage(driver)


@pytest.fixture
def patient(driver: S3Driver) -> Storage:
    """The bucket as users have it."""
    return Storage(driver, partial(Retry, wait=0.01))


@pytest.mark.parametrize(
    ("answer", "kind", "again"),
    [
        (Answer(403, "AccessDenied"), PermissionDenied, False),
        (Answer(403, "SignatureDoesNotMatch"), Unauthenticated, False),
        (Answer(403, "InvalidAccessKeyId"), Unauthenticated, False),
        (Answer(404, "NoSuchBucket"), NotFound, False),
        (Answer(404), NotFound, False),
        (Answer(409, "OperationAborted"), RateLimited, True),
        (Answer(412, "PreconditionFailed"), PreconditionFailed, False),
        (Answer(429, "TooManyRequests"), RateLimited, True),
        (Answer(429), RateLimited, True),
        (Answer(500, "InternalError"), Unreachable, True),
        (Answer(502), Unreachable, True),
        (slow_down(1.5), RateLimited, True),
        (Answer(503), RateLimited, True),
        (Answer(507, "QuotaExceeded"), NoSpace, False),
        (Answer(418), StorageError, False),
    ],
    ids=lambda value: f"{value.status} {value.code}".strip() if isinstance(value, Answer) else None,
)
@pytest.mark.parametrize("verb", ["GET", "PUT"])
def test_answers_have_their_errors(
    faults: Faults, storage: Storage, verb: str, answer: Answer, kind: type[StorageError], again: bool
) -> None:
    """Whatever the verb, the error is the same, and names bucket, key and request."""
    faults.add(answer, f"{verb} .*d/key")
    with pytest.raises(StorageError) as caught:
        storage.read_bytes("d/key") if verb == "GET" else storage.write_bytes("d/key", b"x")
    error = caught.value

    assert type(error) is kind
    assert error.retryable is again
    assert error.retry_after == (1.5 if "Retry-After" in answer.headers else None)
    assert error.request_id == REQUEST_ID
    for part in (storage.driver.options.bucket, "d/key", REQUEST_ID, answer.code):
        assert part in str(error)


def test_failures_for_the_moment_pass(faults: Faults, patient: Storage) -> None:
    """What users have tries again, and comes to the same end."""
    for verb in ("PUT", "HEAD", "GET", "POST", "DELETE"):
        faults.add(slow_down(), f"^{verb} ")
        faults.add(internal_error(), f"^{verb} ", after=1)
    patient.write_bytes("a", b"x")
    info = patient.stat("a")
    read = patient.read_bytes("a")
    failures = patient.delete_many(["a"])
    patient.write_bytes("b", b"x")
    patient.delete("b")

    assert (info.size, read, list(failures)) == (1, b"x", [None])
    assert list(patient.list()) == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_credentials_for_other_hosts(faults: Faults, storage: Storage, moto: Server, status: int) -> None:
    """A redirect to another host is a failure; that host hears nothing at all."""
    with Faults(moto) as elsewhere:
        faults.add(redirect(elsewhere.server.endpoint, status), times=None)
        calls: list[Callable[[], object]] = [
            lambda: storage.read_bytes("a"),
            lambda: storage.write_bytes("a", b"x"),
            lambda: storage.stat("a"),
            lambda: list(storage.list()),
        ]
        for call in calls:
            with pytest.raises(StorageError):
                call()
        (refused,) = storage.delete_many(["a"])

        assert isinstance(refused, StorageError)

        assert elsewhere.seen == []
        assert elsewhere.connections == 0


def test_region_is_learnt(faults: Faults, storage: Storage) -> None:
    """A bucket in another region costs one request more, once; what is signed names that region."""
    storage.write_bytes("a", b"x")
    faults.clear()
    faults.add(Answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-north-1"}), times=1)
    first = storage.read_bytes("a")
    second = storage.stat("a").size
    scopes = [seen.headers["authorization"].split("/")[2] for seen in faults.seen]

    assert (first, second) == (b"x", 1)
    assert scopes == ["us-east-1", "eu-north-1", "eu-north-1"]


@pytest.mark.parametrize("region", ["evil.example/", "x.evil.example", "a b", "EVIL", "", "-", "\u00e9"])
def test_region_that_is_none(faults: Faults, storage: Storage, region: str) -> None:
    """What cannot be a region is not made a part of any address."""
    headers = {"x-amz-bucket-region": region} if region.isascii() else {}
    faults.add(Answer(301, "PermanentRedirect", headers=headers), times=None)
    with pytest.raises(StorageError):
        storage.read_bytes("a")

    assert faults.count() == 1


def test_regions_stay_with_their_provider() -> None:
    """Whatever region a service names, requests go to hosts of that service."""
    for name in _presets.presets():
        known = _presets.preset(name)
        if "{region}" not in known.endpoint or "{account}" in known.endpoint:
            continue
        client = Client(Options(provider=name, region="here-1", access_key_id="a", secret_access_key="b"))
        before = client.place_of("bucket").host.rpartition("here-1")[2]
        client._regions["bucket"] = "there-2"
        client._places.clear()
        host = client.place_of("bucket").host

        assert before.count(".") >= 2, name
        assert host.endswith(before), name


def test_expired_credentials_are_asked_for_again(
    radosgw: Server, faults: Faults, driver: S3Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the service says that they have expired, the file they come from is read once more."""
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    lines = "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
    file.write_text(lines.format("old", "worn"))
    options = settings(faults.server, provider="ceph", bucket=driver.options.bucket)
    with Storage(S3Driver(Options(**{**options, "access_key_id": "", "secret_access_key": ""}))) as storage:
        with pytest.raises(Unauthenticated):
            storage.write_bytes("a", b"x")
        file.write_text(lines.format(radosgw.access_key, radosgw.secret_key))
        faults.clear()
        storage.write_bytes("a", b"x")
        faults.add(expired_token(), "PUT")
        storage.write_bytes("b", b"y")

        assert faults.count("PUT") == 4
        assert [storage.read_bytes(path) for path in "ab"] == [b"x", b"y"]


def test_credentials_that_stay_what_they_are(faults: Faults, storage: Storage) -> None:
    """Those given as options are not tried twice."""
    faults.add(expired_token(), times=None)
    with pytest.raises(Unauthenticated, match="expired"):
        storage.write_bytes("a", b"x")

    assert faults.count() == 1


def test_clock_is_set_by_the_service(faults: Faults, storage: Storage, driver: S3Driver) -> None:
    """A request that was signed for another time is signed anew, once."""
    driver._client._skew = -7200.0
    faults.add(time_skewed(), "PUT")
    storage.write_bytes("a", b"x")

    assert faults.count("PUT") == 2
    assert abs(driver._client._skew) < 60


@pytest.mark.parametrize("what", ["copy", "finish", "begin"])
def test_failure_in_a_good_answer(faults: Faults, storage: Storage, driver: S3Driver, what: str) -> None:
    """Where the status was sent before the work was done, the body counts."""
    storage.write_bytes("src", b"x")
    upload = driver.begin_upload("dst", PutOptions())
    upload.put_part(1, BytesBody(b"y"))
    faults.add(Answer(200, "InternalError", "try again"), "^(PUT|POST) .*dst")
    calls: dict[str, Callable[[], object]] = {
        "copy": lambda: storage.copy("src", "dst"),
        "finish": upload.finish,
        "begin": lambda: driver.begin_upload("dst", PutOptions()),
    }
    with pytest.raises(Unreachable, match="try again") as caught:
        calls[what]()
    absent = not storage.exists("dst")
    info = upload.finish()

    assert caught.value.retryable
    assert caught.value.request_id == REQUEST_ID
    assert absent
    assert (info.size, storage.read_bytes("dst")) == (1, b"y")


@pytest.mark.parametrize("data", [b"", b"   \n", b'<?xml version="1.0"?>\n<CompleteMultipartUploadRes'])
def test_cut_answer_to_a_finish(
    faults: Faults, driver: S3Driver, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """An answer that ends before it says anything is no success, and may be asked for again."""
    upload = driver.begin_upload("a", PutOptions())
    upload.put_part(1, BytesBody(b"y"))
    send = driver._client.request

    def cut(*args: Any, **named: Any) -> Any:
        return msgspec.structs.replace(send(*args, **named), data=data)

    with monkeypatch.context() as patched:
        patched.setattr(driver._client, "request", cut)
        with pytest.raises(Corrupted) as caught:
            upload.finish()

    assert caught.value.retryable


def test_lost_answers(faults: Faults, patient: Storage) -> None:
    """What was done, though nobody heard of it, is done."""
    faults.add(Lost(), "^PUT .*small")
    patient.write_bytes("small", b"x")
    upload = patient.driver.begin_upload("parts", PutOptions())
    upload.put_part(1, BytesBody(b"y"))
    faults.add(Lost(), "^POST .*uploadId")
    info = upload.finish()
    faults.add(Lost(), "^DELETE .*small")
    patient.delete("small")

    assert info.size == 1
    assert list(patient.list()) == ["parts"]


def test_cut_listing_is_no_short_one(faults: Faults, storage: Storage, patient: Storage) -> None:
    """A page of which only a part came is asked for again, or an error."""
    for n in range(30):
        storage.write_bytes(f"d/{n}", b"x")
    faults.add(truncated(700), "list-type=2", times=None)
    with pytest.raises(StorageError) as caught:
        list(storage.list())
    faults.clear()
    faults.add(truncated(700), "list-type=2", times=2)

    assert caught.value.retryable
    assert len(list(patient.list())) == 30
    assert faults.count("list-type=2") == 3


def test_other_bytes_are_noticed(faults: Faults, storage: Storage, driver: S3Driver) -> None:
    """If the service names an MD5 that is not that of what was sent, the object is not taken for stored."""
    faults.add(WrongETag(), "^PUT", times=None)
    with pytest.raises(Corrupted):
        storage.write_bytes("small", b"x")
    with pytest.raises(Corrupted):
        storage.write_bytes("streamed", pattern(12 << 20))
    by_md5 = S3Driver(msgspec.structs.replace(driver.options, checksum="md5"))
    with pytest.raises(Corrupted):
        by_md5.begin_upload("parts", PutOptions()).put_part(1, BytesBody(b"y"))


def test_parts_are_proven_by_sha256(faults: Faults, driver: S3Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service refuses a part that was changed on the way; a changed name of one that was not does no harm."""
    monkeypatch.setattr(_s3digest, "sha256_is_faster", lambda: True)
    data = pattern(11 << 20)
    size = driver.options.part_size
    upload = driver.begin_upload("a", PutOptions(), len(data))
    faults.add(Corrupt(5_000, "up"), "^PUT", times=1)
    with pytest.raises(Corrupted, match="XAmzContentSHA256Mismatch"):
        upload.put_part(1, BytesBody(data[:size]))
    before = dict(upload.done)
    faults.add(WrongETag(), "^PUT", times=2)
    for number in (1, 2, 3):
        upload.put_part(number, BytesBody(data[(number - 1) * size : number * size]))
    info = upload.finish()
    sent = [seen.headers for seen in faults.seen if "partNumber" in seen.target]

    assert before == {}
    assert [len(headers["x-amz-content-sha256"]) for headers in sent] == [64] * 4
    assert [headers for headers in sent if "content-md5" in headers] == []
    assert (info.size, info.etag) == (len(data), driver.stat("a").etag)
    assert Storage(driver).read_bytes("a") == data


def test_what_no_service_has_is_not_named_anew(
    faults: Faults, driver: S3Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload of which the service lacks a part fails, and stays as it is."""
    monkeypatch.setattr(_s3digest, "sha256_is_faster", lambda: True)
    upload = driver.begin_upload("a", PutOptions())
    upload.put_part(1, BytesBody(bytes(driver.options.part_size)))
    faults.add(Answer(200, headers={"ETag": '"5d41402abc4b2a76b9719d911017c592"'}), "^PUT", times=1)
    upload.put_part(2, BytesBody(b"lost"))
    with pytest.raises(StorageError, match="InvalidPart"):
        upload.finish()

    assert list(Storage(driver).list()) == []


@pytest.mark.parametrize(("faster", "provider"), [(False, "ceph"), (True, "other")])
def test_parts_are_proven_by_md5(
    faster: bool, provider: str, faults: Faults, driver: S3Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that is faster, and where nobody knows whether the service compares what is signed."""
    monkeypatch.setattr(_s3digest, "sha256_is_faster", lambda: faster)
    with closing(S3Driver(msgspec.structs.replace(driver.options, provider=provider))) as other:
        other.begin_upload("a", PutOptions()).put_part(1, BytesBody(b"x"))
    (headers,) = (seen.headers for seen in faults.seen if "partNumber" in seen.target)

    assert headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert headers["content-md5"] == "ndTkYSaMgDT1yFZOFVxnpg=="


def test_no_secret_in_any_line(
    faults: Faults, driver: S3Driver, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of all that is logged at the finest level, and of all errors, nothing tells a secret or a signature."""
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    options = {**settings(faults.server, provider="ceph", bucket=driver.options.bucket), "sse_customer_key": key}
    told: list[str] = []
    links: list[str] = []
    with caplog.at_level(HEADERS):
        for more in ({}, {"secret_access_key": "another-secret"}, {"session_token": "a-token"}):
            with Storage(S3Driver(Options(**{**options, **more})), Log, partial(Retry, wait=0.01)) as storage:
                told.append(repr(storage) + repr(storage.driver.options))
                faults.add(slow_down(), "PUT")
                for call in (
                    lambda s=storage: s.write_bytes("a", b"x"),
                    lambda s=storage: s.read_bytes("a"),
                    lambda s=storage: s.stat("none"),
                    lambda s=storage: list(s.list()),
                    lambda s=storage: links.append(s.link("a")),
                ):
                    try:
                        call()
                    except StorageError as exc:
                        told.append(f"{exc} {exc!r} {exc.__cause__!r}")
    out = capsys.readouterr()
    text = "\n".join([*told, caplog.text, out.out, out.err])

    assert "s3 put" in text
    assert " bytes sent, " in text
    assert ": headers sent {" in text
    assert ", attempt 2" in text
    signatures = {link.rpartition("Signature=")[2] for link in links}
    signatures |= {seen.headers["authorization"].rpartition("Signature=")[2] for seen in faults.seen}
    for secret in {faults.server.secret_key, "another-secret", "a-token", key, *signatures}:
        assert secret not in text


def test_no_secret_in_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was given by reference, or found in the environment, goes to other processes as what it was."""
    monkeypatch.setenv("THEIR_SECRET", "hush-hush")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "from-the-environment")
    given = omnistorage.open("s3://bucket", access_key_id="A", secret_access_key="env:THEIR_SECRET")
    found = omnistorage.open("s3://bucket")
    for storage in (given, found):
        storage.driver.presign("a") if hasattr(storage.driver, "presign") else None
        data = pickle.dumps(storage.driver)
        again: Any = pickle.loads(data)

        assert b"hush" not in data
        assert b"from-the-environment" not in data
        assert again.presign("a")
