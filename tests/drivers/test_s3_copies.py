"""Copies within S3 of what is too large for one request, and changes of what is beside such bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec
import pytest

from omnistorage.core.errors import SourceChanged, StorageError, Unsupported
from omnistorage.core.options import PutOptions
from omnistorage.core.placed import placed
from omnistorage.core.streams import BytesBody
from omnistorage.drivers._s3unfinished import unfinished
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern
from s3_scenes import KINDS, fresh_bucket, settings
from servers import Server
from servers.faults import Answer, Delay, Faults, slow_down

WHEN = 1_600_000_001_123_456_789
DATA = pattern(12 << 20)
OPTIONS = PutOptions(
    mtime_ns=WHEN,
    content_type="text/x-special",
    metadata={"colour": "bl\u00e4u", "x-amz-tagging": "k=v"},
    attributes=True,
)


@pytest.fixture
def faults(radosgw: Server) -> Iterator[Faults]:
    """A proxy before radosgw."""
    with Faults(radosgw) as faults:
        yield faults


@pytest.fixture
def driver(radosgw: Server, faults: Faults) -> Iterator[S3Driver]:
    """A bucket of a service that copies no more than 5 MiB by one request, as far as the driver knows."""
    bucket = fresh_bucket(radosgw).options.bucket
    driver = S3Driver(Options(**settings(faults.server, provider="ceph", bucket=bucket)))
    driver._client.preset = msgspec.structs.replace(driver._client.preset, max_copy=5 << 20)
    driver.put("d/a b", BytesBody(DATA), OPTIONS)
    yield driver
    driver.close()


def parts_of(faults: Faults) -> int:
    """Return how many parts were copied."""
    return sum("x-amz-copy-source-range" in seen.headers for seen in faults.seen)


def refuse_whole(faults: Faults) -> None:
    """Let the service say what AWS says to a copy that is too large."""
    message = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
    faults.add(Answer(400, "InvalidRequest", message), "^PUT [^?]*$")


def test_large_copy_goes_by_parts(faults: Faults, driver: S3Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, time, type and metadata are those of the source, and nothing travels through us."""
    monkeypatch.setattr("omnistorage.drivers._s3copy.STEP", 5 << 20)
    refuse_whole(faults)
    storage = Storage(driver)
    storage.copy("d/a b", "e")
    told = driver.metadata("e")

    assert parts_of(faults) == 3
    assert faults.sent() < len(DATA) + 100_000
    assert storage.read_bytes("e") == DATA
    assert storage.stat("e").mtime_ns == WHEN
    assert (told["colour"], told["content-type"]) == ("bl\u00e4u", "text/x-special")


def test_cutoff_is_an_option(faults: Faults, radosgw: Server) -> None:
    """What is larger than the user wants to be copied by one request goes by parts of that size, and only that."""
    bucket = fresh_bucket(radosgw).options.bucket
    driver = S3Driver(Options(**settings(faults.server, provider="ceph", bucket=bucket, copy_cutoff=5 << 20)))
    driver.put("a", BytesBody(DATA), OPTIONS)
    driver.put("small", BytesBody(DATA[: 5 << 20]), OPTIONS)
    with Storage(driver) as storage:
        storage.copy("small", "b")
        none = parts_of(faults)
        storage.copy("a", "c")
        copied = parts_of(faults)
        storage.set_modified("c", 7)

        assert (none, copied, parts_of(faults)) == (0, 3, 6)
        assert storage.read_bytes("b") == DATA[: 5 << 20]
        assert storage.read_bytes("c") == DATA
        assert (storage.stat("b").mtime_ns, storage.stat("c").mtime_ns) == (WHEN, 7)


def test_part_that_fails_for_the_moment_is_copied_again(
    faults: Faults, driver: S3Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other: what was copied of a large object is not copied once more."""
    monkeypatch.setattr("omnistorage.drivers._s3copy.STEP", 5 << 20)
    monkeypatch.setattr("omnistorage.drivers._s3copy._WAITS", (0.01, 0.01))
    refuse_whole(faults)
    faults.add(slow_down(), "partNumber=2", times=2)
    driver.copy("d/a b", "e")

    assert parts_of(faults) == 5
    assert Storage(driver).read_bytes("e") == DATA


def test_parts_of_two_objects_are_none(
    faults: Faults, driver: S3Driver, radosgw: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that is replaced while its parts are copied makes no mixture, though no condition is minded there."""
    monkeypatch.setattr("omnistorage.drivers._s3copy.STEP", 5 << 20)
    refuse_whole(faults)
    faults.add(Delay(1.0), "partNumber=3")
    direct = S3Driver(Options(**settings(radosgw, bucket=driver.options.bucket)))
    writer = threading.Timer(0.5, direct.put, ("d/a b", BytesBody(DATA[::-1]), PutOptions()))
    writer.start()
    with pytest.raises(SourceChanged):
        driver.copy("d/a b", "e")
    writer.join()
    with Storage(driver) as storage:
        assert list(storage.list()) == ["d/a b"]
        assert list(unfinished(driver._client, driver.options.bucket, "")) == []


@pytest.mark.parametrize("chosen", ["", "GLACIER"])
def test_class_does_not_depend_on_the_size(moto: Server, chosen: str) -> None:
    """By parts as by one request, a copy is kept as the options say, or as the bucket does; a change leaves it."""
    source = fresh_bucket(moto, storage_class="STANDARD_IA")
    for path, size in (("small", 1), ("large", 12 << 20)):
        source.put(path, BytesBody(DATA[:size]), OPTIONS)
    driver = S3Driver(
        Options(**settings(moto, bucket=source.options.bucket, copy_cutoff=6 << 20, storage_class=chosen))
    )
    for path in ("small", "large"):
        driver.copy(path, f"{path}-copy")
        source.set_modified(path, 7)
    heads = {info.path: driver._head(source.options.bucket, info.path) or {} for info in driver.list("").infos}
    kept = {path: head.get("x-amz-storage-class", "") for path, head in heads.items()}

    assert kept == {
        "small": "STANDARD_IA", "small-copy": chosen, "large": "STANDARD_IA", "large-copy": chosen,
    }  # fmt: skip


def test_large_object_gets_another_time(faults: Faults, driver: S3Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be copied onto itself by one request is so by parts; the rest of it stays."""
    monkeypatch.setattr("omnistorage.drivers._s3copy.STEP", 5 << 20)
    storage = Storage(driver)
    storage.set_modified("d/a b", 7)
    told = driver.metadata("d/a b")

    assert parts_of(faults) == 3
    assert storage.stat("d/a b").mtime_ns == 7
    assert storage.read_bytes("d/a b") == DATA
    assert (told["colour"], told["content-type"]) == ("bl\u00e4u", "text/x-special")


def test_copy_that_fails_leaves_nothing(faults: Faults, driver: S3Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an object nor an upload that would cost money for ever."""
    monkeypatch.setattr("omnistorage.drivers._s3copy.STEP", 5 << 20)
    refuse_whole(faults)
    faults.add(Answer(403, "AccessDenied"), "partNumber=2")
    storage = Storage(driver)
    with pytest.raises(StorageError, match="AccessDenied"):
        storage.copy("d/a b", "e")

    assert not storage.exists("e")
    assert list(unfinished(driver._client, driver.options.bucket, "")) == []


def test_change_of_what_was_replaced(faults: Faults, driver: S3Driver, radosgw: Server) -> None:
    """An object that is replaced while its time is changed keeps what it was replaced by."""
    driver._client.preset = msgspec.structs.replace(driver._client.preset, max_copy=1 << 40)
    faults.add(Answer(412, "PreconditionFailed"), "^PUT [^?]*$")
    with pytest.raises(SourceChanged):
        driver.set_modified("d/a b", 7)


@pytest.mark.parametrize("kind", KINDS)
def test_copy_of_what_was_replaced(kind: str, request: pytest.FixtureRequest) -> None:
    """It fails as changed; the later version arrives where the service takes no notice of which one is meant."""
    with Storage(fresh_bucket(request.getfixturevalue(kind))) as storage:
        listed = storage.write_bytes("a", b"first")
        storage.write_bytes("a", b"second!")
        with pytest.raises(SourceChanged):
            storage.driver.copy_from(placed(storage.driver, "a", listed.etag), "b")
        arrived = storage.read_bytes("b") if storage.exists("b") else None
        now = storage.stat("a").etag
        storage.driver.copy_from(placed(storage.driver, "a", now), "c")

        assert arrived == (None if kind in ("localstack", "swift_s3") else b"second!")
        assert storage.read_bytes("c") == b"second!"


def test_no_parts_where_there_are_none(faults: Faults, driver: S3Driver) -> None:
    """A service that copies no parts says what is the case."""
    driver._client.preset = msgspec.structs.replace(driver._client.preset, no_part_copy=True)
    with pytest.raises(Unsupported, match="larger"):
        driver.set_modified("d/a b", 7)
