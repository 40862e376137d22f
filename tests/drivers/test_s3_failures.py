"""What the S3 driver makes of failures: the right error, and one mend where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from typing import Any

import msgspec
import pytest

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
from omnistorage.drivers import _s3digest
from omnistorage.drivers.s3 import Options, S3Driver
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
    internal_error,
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


DELETED = """<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Error><Key>a</Key><Code>InternalError</Code><Message>Try again.</Message></Error>
<Error><Key>b</Key><Code>AccessDenied</Code><Message>No.</Message></Error>
<Error><Key>none</Key><Code>NoSuchKey</Code><Message>No.</Message></Error></DeleteResult>"""


def test_some_deletes_fail(faults: Faults, storage: Storage, patient: Storage) -> None:
    """Each key has its own error, with the request; what may pass is asked for again, and nothing else is."""
    for key in "abc":
        storage.write_bytes(key, b"x")
    faults.add(Answer(200, page=DELETED), "POST", times=2)
    first = storage.delete_many(["a", "b", "c", "none"])
    asked = faults.count("POST")
    again = patient.delete_many(["a", "b", "c", "none"])

    assert [type(one) for one in first] == [Unreachable, PermissionDenied, type(None), type(None)]
    assert [one.request_id for one in first if one is not None] == [REQUEST_ID] * 2
    assert [type(one) for one in again] == [type(None), PermissionDenied, type(None), type(None)]
    assert faults.count("POST") - asked == 2
    assert sorted(storage.list()) == ["b", "c"]


def test_failure_of_a_key_that_was_not_asked_for(faults: Faults, storage: Storage) -> None:
    """What failed, and cannot be told which it was, counts for none of them as deleted."""
    for key in ("a", "x\ry"):
        storage.write_bytes(key, b"x")
    faults.add(Answer(200, page=DELETED.replace("<Key>b<", "<Key>x\ry<")), "POST")
    found = storage.delete_many(["a", "x\ry"])

    assert [type(one) for one in found] == [Unreachable, PermissionDenied]


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_of_this_machine_is_wrong(
    hours: int, faults: Faults, patient: Storage, storage: Storage, driver: S3Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service itself refuses what is signed for another hour; its date sets the clock, once for all."""
    real = time.time
    monkeypatch.setattr("omnistorage.drivers._s3client.time.time", lambda: real() + 3600 * hours)
    sent = []
    for call in (
        lambda: storage.stat("none"),
        lambda: storage.write_bytes("a", b"x"),
        lambda: list(storage.list()),
        lambda: storage.read_bytes("a"),
        lambda: storage.delete_many(["a"]),
    ):
        driver._client._skew = 0.0
        before = faults.count()
        # The first is of nothing; it is looked for, also as a folder.
        with suppress(NotFound):
            call()
        sent.append(faults.count() - before)
    left = [*storage.list()]

    assert left == []
    assert sent == [3, 2, 2, 2, 2]
    assert abs(driver._client._skew + 3600 * hours) < 60
