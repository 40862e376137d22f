"""What is peculiar to S3, on a whole object store: keys, conditions, parts, encryption, versions, buckets."""

from __future__ import annotations

import hashlib
import io
import secrets
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from omnistorage.core.errors import (
    AlreadyExists,
    ConfigError,
    InvalidPath,
    IsADirectory,
    NoSpace,
    NotEmpty,
    NotFound,
    StorageError,
    Truncated,
    Unauthenticated,
    Unsupported,
)
from omnistorage.core.info import DIR, FILE, ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.placed import placed
from omnistorage.core.streams import BytesBody, StreamBody, read_all
from omnistorage.core.wrapped import carried
from omnistorage.drivers._s3unfinished import unfinished
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.storage import Storage
from omnistorage.testing.bodies import BrokenBody, ChangedBody, Dribble, LyingBody, pattern
from s3_scenes import ANY_SIGNATURE, KINDS, fresh_bucket, service, settings
from servers import Server, running
from servers.clients import client
from servers.faults import Faults


@pytest.fixture
def driver(radosgw: Server) -> Iterator[S3Driver]:
    """An empty bucket."""
    driver = fresh_bucket(radosgw)
    yield driver
    driver.close()


@pytest.fixture
def storage(driver: S3Driver) -> Storage:
    """An empty bucket behind its front door."""
    return Storage(driver)


class Counted:
    """The requests that a driver sends, by method and what they are about."""

    def __init__(self, driver: S3Driver, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        client = driver._client
        send = client.request

        def request(method: str, bucket: str, key: str = "", *args: object, **named: object) -> object:
            self.sent.append(f"{method} {key}".strip())
            return send(method, bucket, key, *args, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(client, "request", request)


def test_what_cannot_be_a_key(storage: Storage) -> None:
    """A key that is too long, has a NUL or is no text is refused before it is sent."""
    for key in ("k" * 1025, "\U0001f600" * 257, "a\0b", "cut \ud800", "raw \udcff"):
        with pytest.raises(InvalidPath):
            storage.write_bytes(key, b"x")

    assert list(storage.list()) == []


def test_requests_are_few(driver: S3Driver, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object is described and stored by one request, a directory by two; a list asks once for a thousand."""
    for n in range(1001):
        storage.write_bytes(f"d/{n:04}", b"x")
    counted = Counted(driver, monkeypatch)

    def cost(call: object) -> list[str]:
        counted.sent.clear()
        call()  # type: ignore[operator]
        return list(counted.sent)

    assert cost(lambda: storage.stat("d/0001")) == ["HEAD d/0001"]
    assert cost(lambda: storage.stat("d")) == ["HEAD d", "GET"]
    assert cost(lambda: storage.write_bytes("a", b"x")) == ["PUT a"]
    assert cost(lambda: storage.read_bytes("a")) == ["GET a"]
    assert cost(lambda: storage.copy("a", "b")) == ["PUT b"]
    assert cost(lambda: list(storage.list())) == ["GET", "GET"]
    assert cost(lambda: storage.delete_many([f"d/{n:04}" for n in range(1001)])) == ["POST", "POST"]


def test_many_long_keys_are_deleted(storage: Storage, driver: S3Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What names a thousand keys is not longer than a service reads, also where XML makes several letters of one."""
    keys = [f"{'&' * 1000}{n:04}" for n in range(1000)]
    for key in (keys[0], keys[999]):
        storage.write_bytes(key, b"x")
    counted = Counted(driver, monkeypatch)
    failures = storage.delete_many(keys)

    assert set(failures) == {None}
    assert counted.sent == ["POST"] * 5
    assert list(storage.list()) == []


def test_etag_may_have_its_quotes(storage: Storage) -> None:
    """Other programs tell an ETag with the quotes that HTTP gives it."""
    info = storage.write_bytes("a", b"1")
    storage.replace("a", b"2", etag=f'"{info.etag}"')

    assert storage.read_bytes("a") == b"2"


def test_stream_tells_what_it_reads(storage: Storage, driver: S3Driver) -> None:
    """An open stream says which version it has, and how long the whole object is."""
    info = storage.write_bytes("a", b"0123456789", modified=1_600_000_000_123_456_789)
    with driver.get("a", 3, 4) as stream:
        told = carried(stream)

    assert told is not None
    assert (told.size, told.etag, told.mtime_ns) == (10, info.etag, 1_600_000_000_123_456_789)


def test_end_of_a_reader_costs_nothing(driver: S3Driver, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks for the end of an object, as archives are read, does not ask once more how long it is."""
    storage.write_bytes("a", b"0123456789")
    counted = Counted(driver, monkeypatch)
    with storage.open_reader("a") as reader:
        end = reader.seek(-3, 2)
        got = reader.read()

    assert (end, got) == (7, b"789")
    assert counted.sent == ["GET a", "GET a"]


def test_long_object_has_its_md5(storage: Storage) -> None:
    """What is too long for memory goes by one request all the same, and its ETag is its MD5."""
    data = pattern(12 << 20)
    info = storage.write_bytes("a", data)

    assert info.hashes == {"md5": hashlib.md5(data).hexdigest()}
    assert [dict(found.hashes) for found in storage.scan()] == [dict(info.hashes)]
    assert storage.read_bytes("a", offset=5 << 20) == data[5 << 20 :]


def test_if_absent_of_a_long_object(storage: Storage) -> None:
    """The condition holds for a streamed object, too."""
    storage.write_bytes("a", b"old")
    with pytest.raises(AlreadyExists):
        storage.write_bytes("a", pattern(12 << 20), if_absent=True)
    storage.write_bytes("b", pattern(12 << 20), if_absent=True)

    assert storage.read_bytes("a") == b"old"
    assert storage.stat("b").size == 12 << 20


@pytest.mark.parametrize("size", [12 << 20, None], ids=["announced", "unknown"])
def test_parts_of_a_put(radosgw: Server, size: int | None) -> None:
    """Beyond the cutoff, or where nobody knows how much comes, a put goes by parts; the object is whole."""
    data = pattern(12 << 20)
    with Storage(fresh_bucket(radosgw, upload_cutoff=1 << 20)) as storage:
        storage.write_bytes("a", StreamBody(Dribble(io.BytesIO(data), 1 << 20), size), modified=5)
        info = storage.stat("a")

        assert hashlib.md5(storage.read_bytes("a")).digest() == hashlib.md5(data).digest()
        assert (info.size, info.mtime_ns) == (len(data), 5)
        assert (info.etag or "").endswith("-3")
        assert info.hashes == {}


@pytest.mark.parametrize(
    "body",
    [
        BrokenBody(pattern(12 << 20), 11 << 20),
        BrokenBody(pattern(12 << 20), 11 << 20, sized=False),
        LyingBody(pattern(12 << 20), 13 << 20),
        LyingBody(pattern(12 << 20), (12 << 20) - 1),
        ChangedBody(pattern(12 << 20)),
    ],
    ids=["broken", "broken, unknown size", "short", "long", "changed"],
)
@pytest.mark.parametrize("cutoff", [1 << 20, 1 << 30], ids=["parts", "stream"])
def test_failed_put_leaves_nothing(radosgw: Server, body: LyingBody, cutoff: int) -> None:
    """Neither an object nor an upload that would cost money for ever."""
    driver = fresh_bucket(radosgw, upload_cutoff=cutoff)
    with Storage(driver) as storage:
        storage.write_bytes("a", b"old")
        with pytest.raises(Exception, match=r".*"):
            storage.write_bytes("a", body)

        assert storage.read_bytes("a") == b"old"
        assert list(unfinished(driver._client, driver.options.bucket, "")) == []


@pytest.mark.parametrize("kind", KINDS)
def test_sweep_removes_old_uploads(kind: str, request: pytest.FixtureRequest) -> None:
    """Uploads that nobody finished are removed by age, below the folder that is named, and no others."""
    driver = fresh_bucket(request.getfixturevalue(kind))
    began = time.time()
    for path in ("d/a", "d/b", "e/c"):
        driver.begin_upload(path, PutOptions()).put_part(1, BytesBody(b"x"))
    ended = time.time()
    told = [begun / 1e9 for _, _, begun in _uploads(driver)]
    time.sleep(1.1)

    if kind == "swift_s3":
        # It names the second that follows, so that what is a second old is younger there.
        assert all(begun % 1_000_000_000 == 0 for _, _, begun in _uploads(driver))
        time.sleep(1)
    if kind == "moto":
        # Of each upload it says that it began in 2010.
        assert max(told) < began - 10 * 365 * 86400
        assert driver.sweep(older_than=3600, dry_run=True) == 3
    else:
        assert began - 1.1 < min(told)
        assert max(told) < ended + 1.1
        assert driver.sweep(older_than=3600) == 0
    assert driver.sweep("d", older_than=1, dry_run=True) == 2
    assert driver.sweep("d", older_than=1) == 2
    assert [key for key, _, _ in _uploads(driver)] == ["e/c"]
    assert driver.sweep(older_than=0.0, noticed=True) == 0
    assert driver.sweep(older_than=1) == 1


# To moto, each upload began in 2010.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "moto"])
def test_sweep_goes_by_the_clock_of_the_service(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ours is wrong, what somebody is sending is not taken for old, and what is old is not kept."""
    driver = fresh_bucket(request.getfixturevalue(kind))
    driver.begin_upload("a", PutOptions())
    # When it began may be told as the second that follows, and the time as the one that has begun.
    time.sleep(3.1)
    real, real_ns = time.time, time.time_ns
    removed = []
    for hours in (2, -2):
        monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)  # noqa: B023 -- used up within the turn
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + hours * 3600 * 10**9)  # noqa: B023 -- as above
        removed.append([driver.sweep(older_than=age, dry_run=True) for age in (60, 1)])

    assert removed == [[0, 1]] * 2


def _uploads(driver: S3Driver) -> list[tuple[str, str, int]]:
    return list(unfinished(driver._client, driver.options.bucket, ""))


def test_token_is_for_its_key(driver: S3Driver) -> None:
    """The token of one object does not continue another."""
    upload = driver.begin_upload("a", PutOptions())
    assert upload.token is not None

    with pytest.raises(NotFound):
        driver.resume_upload("b", upload.token, PutOptions())
    upload.abort()


def test_parts_are_large_enough_for_large_objects(driver: S3Driver) -> None:
    """No object needs more parts than there may be."""
    upload = driver.begin_upload("a", PutOptions(), 1 << 40)
    upload.abort()

    assert -(-(1 << 40) // upload.part_size) <= 10_000


def test_parts_grow_where_nobody_knows_how_much_comes(radosgw: Server) -> None:
    """A stream of any length has no more parts than there can be: these grow, be it put or written."""
    sizes = []
    driver = fresh_bucket(radosgw)
    driver._client.preset = msgspec.structs.replace(driver._client.preset, max_parts=20)
    data = pattern(32 << 20)
    with Storage(driver) as storage:
        with storage.open_writer("written") as writer:
            writer.write(data)
        storage.write_bytes("put", io.BytesIO(data))
        with storage.open_writer("known", size=len(data)) as writer:
            writer.write(data)
        for path in ("written", "put", "known"):
            assert storage.read_bytes(path) == data
            etag = storage.stat(path).etag or ""
            sizes.append(int(etag.partition("-")[2]))

    # Of 5, 5, 10, 10 and 2 MiB; of 5 MiB each.
    assert sizes == [5, 5, 7]


def test_parts_without_a_size_are_enough_for_the_largest_objects(driver: S3Driver) -> None:
    """What is written may come to five TiB, in parts as they are by default."""
    large = S3Driver(msgspec.structs.replace(driver.options, part_size=Options().part_size))
    upload = large.begin_upload("a", PutOptions())
    lengths = [upload.part_length(number) for number in range(1, 10_001)]
    upload.abort()

    assert lengths[0] == 8 << 20
    assert sum(lengths) > 5 << 40
    assert max(lengths) <= 5 << 30


def test_too_many_parts_say_what_helps(radosgw: Server) -> None:
    """Where all parts have one size, a stream that is too long fails with words that help, and leaves nothing."""
    driver = fresh_bucket(radosgw)
    driver._client.preset = msgspec.structs.replace(driver._client.preset, max_parts=2, equal_parts=True)
    with Storage(driver) as storage:
        with pytest.raises(NoSpace, match="larger part_size"), storage.open_writer("a") as writer:
            writer.write(pattern(16 << 20))
        with pytest.raises(NoSpace, match="larger part_size"):
            storage.write_bytes("a", io.BytesIO(pattern(16 << 20)))

        assert list(storage.list()) == []
        assert list(unfinished(driver._client, driver.options.bucket, "")) == []


def test_changes_keep_the_rest(storage: Storage, driver: S3Driver) -> None:
    """A new time leaves metadata and type as they are, new metadata time and type."""
    storage.write_bytes("a", b"x", content_type="text/x", metadata={"colour": "bl\u00e4u\n"}, modified=7)
    before = storage.stat("a")
    storage.set_modified("a", 1_600_000_000_123_456_789)
    timed = storage.stat("a")
    driver.set_metadata("a", {"shape": "round", "cache-control": "no-store"})
    changed = storage.stat("a")

    assert dict(before.metadata) == {"colour": "bl\u00e4u\n"}
    assert (timed.mtime_ns, timed.content_type, timed.metadata) == (
        1_600_000_000_123_456_789,
        "text/x",
        before.metadata,
    )
    assert (changed.mtime_ns, changed.content_type, dict(changed.metadata)) == (
        1_600_000_000_123_456_789,
        "text/x",
        {"shape": "round"},
    )
    assert driver.metadata("a")["cache-control"] == "no-store"


def test_own_key(radosgw: Server) -> None:
    """What is encrypted by a key of ours is read with it only, by parts, too, and its ETag is no MD5."""
    key = b64encode(bytes(range(32))).decode()
    driver = fresh_bucket(radosgw, sse_customer_key=key)
    data = pattern(11 << 20)
    with (
        Storage(driver) as storage,
        Storage(S3Driver(Options(**settings(radosgw, bucket=driver.options.bucket)))) as no,
    ):
        info = storage.write_bytes("a", data)
        upload = driver.begin_upload("b", PutOptions())
        upload.put_part(1, BytesBody(data))
        upload.finish()

        assert info.hashes == {}
        assert [storage.read_bytes(path) == data for path in "ab"] == [True] * 2
        with pytest.raises(StorageError):
            no.read_bytes("a")


@pytest.mark.parametrize("size", [0, 3, 11 << 20])
@pytest.mark.parametrize("kind", ["radosgw", "localstack"])
def test_own_key_goes_along(request: pytest.FixtureRequest, kind: str, size: int) -> None:
    """Copies, changes and versions of what is encrypted so are encrypted so, also where only parts can be copied."""
    key, data = b64encode(bytes(range(32))).decode(), pattern(size)
    options = {"sse_customer_key": key, "versioned": True, "copy_cutoff": 6 << 20}
    driver = fresh_bucket(request.getfixturevalue(kind), **options)
    driver.put("a", BytesBody(data), PutOptions(metadata={"k": "v"}, content_type="text/x-special"))
    with Storage(driver) as storage:
        storage.copy("a", "b")
        storage.set_modified("b", 7)
        storage.write_bytes("a", b"later")
        storage.restore("a", list(storage.versions("a"))[1].version or "")
        info = storage.stat("b")

        assert [storage.read_bytes(path) == data for path in "ab"] == [True] * 2
        assert (info.size, info.mtime_ns, info.content_type, info.metadata["k"]) == (size, 7, "text/x-special", "v")


def test_own_key_that_was_forgotten(radosgw: Server) -> None:
    """A HEAD is answered without a reason; the words name the one that is likely."""
    sealed = fresh_bucket(radosgw, sse_customer_key=b64encode(bytes(range(32))).decode())
    sealed.put("a", BytesBody(b"x"), PutOptions())
    plain = S3Driver(Options(**settings(radosgw, bucket=sealed.options.bucket)))
    with pytest.raises(StorageError, match="sse_customer_key"):
        plain.stat("a")


@pytest.mark.parametrize("size", [3, 11 << 20])
def test_own_key_that_is_ignored(size: int, rclone_s3: Server) -> None:
    """A service that takes no notice of the key fails the put, before it has a byte of what is sent in parts."""
    key = b64encode(bytes(range(32))).decode()
    plain = fresh_bucket(rclone_s3)
    given = {**settings(rclone_s3, bucket=plain.options.bucket, upload_cutoff=5 << 20), "sse_customer_key": key}
    with Storage(S3Driver(Options(**{**given, "provider": "other"}))) as storage:
        with pytest.raises(Unsupported, match="no notice of sse_customer_key"):
            storage.write_bytes("a", bytes(size))
        (failed,) = storage.driver.put_many([("b", BytesBody(b"x"), PutOptions())])
        left = list(unfinished(plain._client, plain.options.bucket, "")) if size > 5 << 20 else []

    assert isinstance(failed, Unsupported)
    assert left == []

    with pytest.raises(ConfigError, match="takes no notice of sse_customer_key"):
        S3Driver(Options(**given))


def test_markers_of_directories(storage: Storage) -> None:
    """An empty object whose key ends with a slash is what others call a directory: it is listed as one."""
    storage.write_bytes("d/e/", b"")
    storage.write_bytes("d/a", b"x")

    assert [(info.path, info.kind) for info in storage.scan("d")] == [("d/a", FILE), ("d/e", DIR)]
    assert [(info.path, info.kind) for info in storage.scan("d", recursive=False)] == [("d/a", FILE), ("d/e", DIR)]
    assert list(storage.scan("d/e")) == []
    assert storage.stat("d/e").kind is DIR


@pytest.mark.parametrize("kind", ["moto", "localstack"])
def test_buckets_are_made_in_their_region(request: pytest.FixtureRequest, kind: str) -> None:
    """Also where nobody knows that the service wants to hear of it, or where it has another name for it."""
    server: Server = request.getfixturevalue(kind)
    made = []
    for options in ({"region": "eu-west-1"}, {"location_constraint": "eu-central-1"}):
        bucket = f"located-{secrets.token_hex(4)}"
        with service(server, **options) as buckets:
            buckets.mkdir(bucket)
            buckets.mkdir(bucket)
        made.append(client(server).get_bucket_location(Bucket=bucket)["LocationConstraint"])

    assert made == ["eu-west-1", "eu-central-1"]


@pytest.mark.parametrize("way", ["put", "together", "parts", "copy", "unsized"])
@pytest.mark.parametrize("among_buckets", [False, True])
def test_bucket_is_made_with_its_first_object(radosgw: Server, way: str, among_buckets: bool) -> None:
    """Where that was asked for, and where buckets are directories, as these are made by whatever stands in them."""
    bucket, other = f"first-{secrets.token_hex(6)}", fresh_bucket(radosgw)
    other.put("source", BytesBody(b"first"), PutOptions())
    given = {} if among_buckets else {"bucket": bucket, "make_bucket": True}
    driver = S3Driver(Options(**settings(radosgw, **given)))
    path, body = (f"{bucket}/a" if among_buckets else "a"), BytesBody(b"first")
    match way:
        case "put":
            driver.put(path, body, PutOptions())
        case "together":
            (info,) = driver.put_together([(path, body, PutOptions())], 2)
            assert isinstance(info, ObjectInfo)
        case "parts":
            upload = driver.begin_upload(path, PutOptions())
            upload.put_part(1, body)
            upload.finish()
        case "unsized":
            driver.put(path, StreamBody(io.BytesIO(b"first")), PutOptions())
        case _:
            driver.copy_from(placed(other, "source"), path)

    assert read_all(driver.get(path)) == b"first"


def test_no_bucket_is_made_unasked(radosgw: Server) -> None:
    """A name that was mistyped is an error; so is a source whose bucket is not there, which is not made for it."""
    names = [f"unasked-{secrets.token_hex(6)}" for _ in range(2)]
    driver = S3Driver(Options(**settings(radosgw, bucket=names[0])))
    source = S3Driver(Options(**settings(radosgw, bucket=names[1])))
    target = fresh_bucket(radosgw, make_bucket=True)
    with pytest.raises(NotFound):
        driver.put("a", BytesBody(b"x"), PutOptions())
    with pytest.raises(NotFound):
        driver.begin_upload("a", PutOptions())
    with pytest.raises(NotFound):
        target.copy_from(placed(source, "a"), "a")
    (failure,) = driver.put_together([("a", BytesBody(b"x"), PutOptions())], 2)

    assert isinstance(failure, NotFound)
    with service(radosgw) as buckets:
        assert [buckets.exists(name) for name in names] == [False, False]


def test_buckets_have_the_time_of_their_making(radosgw: Server) -> None:
    """It is told by the listing of all."""
    began = time.time_ns() - 2 * 10**9
    bucket = fresh_bucket(radosgw).options.bucket
    with service(radosgw) as buckets:
        times = {info.path: info.mtime_ns for info in buckets.scan(recursive=False)}

    assert began < (times[bucket] or 0) < time.time_ns() + 2 * 10**9


def test_buckets_are_directories(radosgw: Server) -> None:
    """At ``s3://`` buckets are made, listed, filled and removed like directories."""
    # A server of its own: that of the others has hundreds of buckets by now, and all are looked through.
    with running(radosgw.kind) as own:
        _buckets_are_directories(own)


def _buckets_are_directories(radosgw: Server) -> None:
    one, two = (fresh_bucket(radosgw).options.bucket for _ in range(2))
    with service(radosgw, list_chunk=2) as storage:
        for path in ("a", "d/b", "d/c", "e"):
            storage.write_bytes(f"{one}/{path}", b"x")
        storage.copy(f"{one}/a", f"{two}/copy")
        listed = {info.path for info in storage.scan(recursive=False)}
        below = [info.path for info in storage.scan(one) if info.kind is FILE]
        everything = [info.order for info in storage.scan()]
        with pytest.raises(NotEmpty):
            storage.rmdir(one)
        storage.delete_many([f"{one}/{path}" for path in ("a", "d/b", "d/c", "e")])
        storage.rmdir(one)

        assert {one, two} <= listed
        assert below == [f"{one}/{path}" for path in ("a", "d/b", "d/c", "e")]
        assert everything == sorted(everything)
        assert f"{two}/copy" in everything
        assert not storage.exists(one)
        assert storage.exists(two)
        with pytest.raises(IsADirectory):
            storage.write_bytes("not-a-bucket", b"x")
        with pytest.raises(InvalidPath):
            storage.write_bytes(f"{two}/../x", b"x")
        with pytest.raises(InvalidPath):
            storage.write_bytes("No Name Of A Bucket/x", b"x")
        storage.write_bytes("no-such-bucket-before/x", b"x")
        assert list(storage.list("no-such")) == ["no-such-bucket-before/x"]


def test_errors_name_bucket_and_request(radosgw: Server, storage: Storage) -> None:
    """Who reads an error knows which bucket it is about, what the service said, and how to ask its owner."""
    wrong = Storage(S3Driver(Options(**settings(radosgw, bucket="some-bucket", secret_access_key="wrong"))))
    missing = Storage(S3Driver(Options(**settings(radosgw, bucket="no-such-bucket"))))
    with pytest.raises(Unauthenticated) as refused:
        wrong.write_bytes("a", b"x")
    with pytest.raises(NotFound) as lost:
        missing.write_bytes("a", b"x")

    for error, bucket in ((refused.value, "some-bucket"), (lost.value, "no-such-bucket")):
        assert bucket in str(error)
        assert error.request_id
        assert error.request_id in str(error)
        assert "wrong" not in str(error)
    with pytest.raises(NotFound, match="no-such-bucket"):
        missing.stat("")


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_clock_is_made_up_for(kind: str, request: pytest.FixtureRequest) -> None:
    """A clock that is an hour off costs one request more, once."""
    server = request.getfixturevalue(kind)
    direct = fresh_bucket(server)
    with Faults(server) as faults:
        driver = S3Driver(Options(**settings(faults.server, bucket=direct.options.bucket)))
        storage = Storage(driver)
        driver._client._skew = 3600.0
        storage.write_bytes("a", b"x")
        driver._client._skew = -3600.0
        sizes = [storage.stat("a").size, storage.stat("a").size]
        driver._client._skew = 3600.0
        data = storage.read_bytes("a")
        storage.close()
        sent = Counter(seen.method for seen in faults.seen)

    assert (sizes, data) == ([1, 1], b"x")
    if server.kind in ANY_SIGNATURE:
        assert sent == {"PUT": 1, "HEAD": 2, "GET": 1}
    else:
        assert sent == {"PUT": 2, "HEAD": 3, "GET": 2}
        assert abs(driver._client._skew) < 60


def test_short_body_is_told_as_such(storage: Storage) -> None:
    """Also where the bytes stream through, and however the connection takes it."""
    with pytest.raises(Truncated):
        storage.write_bytes("a", LyingBody(pattern(12 << 20), 13 << 20))
    storage.write_bytes("a", b"next")

    assert storage.read_bytes("a") == b"next"
