"""Objects that go to S3 by one request: whatever they are read from, the service checks their bytes by a header."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from omnistorage.core.errors import AlreadyExists, Corrupted, Truncated
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, FileBody, OpenerBody, StreamBody
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern
from s3_scenes import fresh_bucket, settings
from servers import Server
from servers.clients import client
from servers.faults import Corrupt, Faults

LONG = pattern(40 << 20)
"""More than is read into memory."""

SHORT = LONG[: 12 << 20]
"""More than a part has."""

NAMES = {
    "md5": "content-md5",
    "crc32c": "x-amz-checksum-crc32c",
    "crc64nvme": "x-amz-checksum-crc64nvme",
    "sha256": "x-amz-checksum-sha256",
}


def in_memory(data: bytes, folder: Path) -> Body:
    """Return bytes as a body."""
    return BytesBody(bytearray(data))


def in_a_file(data: bytes, folder: Path) -> Body:
    """Return a local file as a body."""
    (folder / "file").write_bytes(data)
    return FileBody(folder / "file")


def elsewhere(data: bytes, folder: Path) -> Body:
    """Return a body as that of an object of another service."""
    return OpenerBody(lambda: io.BytesIO(data), len(data))


@pytest.fixture
def faults(radosgw: Server) -> Iterator[Faults]:
    """A proxy before radosgw."""
    with Faults(radosgw) as faults:
        yield faults


def bucket(server: Server, faults: Faults, **options: Any) -> S3Driver:
    """Return a driver for an empty bucket, reached by the proxy."""
    name = fresh_bucket(server).options.bucket
    return S3Driver(Options(**settings(faults.server, provider="ceph", bucket=name, **options)))


@pytest.mark.parametrize("data", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("body", [in_memory, in_a_file])
def test_what_is_damaged_on_the_way_replaces_nothing(
    radosgw: Server, faults: Faults, body: Callable[[bytes, Path], Body], data: bytes, tmp_path: Path
) -> None:
    """The service refuses it; what was there before stays, and the whole may be sent again."""
    driver = bucket(radosgw, faults)
    driver.put("a", BytesBody(b"old"), PutOptions())
    faults.add(Corrupt(5_000_000, "up"), "^PUT", times=1)
    with pytest.raises(Corrupted) as refused:
        driver.put("a", body(data, tmp_path), PutOptions())
    with Storage(driver) as storage:
        assert refused.value.retryable
        assert storage.read_bytes("a") == b"old"
        driver.put("a", body(data, tmp_path), PutOptions())
        assert storage.read_bytes("a") == data


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("body", [in_memory, in_a_file, elsewhere])
def test_checksum_that_was_asked_for_is_sent(
    radosgw: Server, faults: Faults, body: Callable[[bytes, Path], Body], kind: str, tmp_path: Path
) -> None:
    """Also of what is neither in memory nor a file, and of what is longer than memory is to hold."""
    driver = bucket(radosgw, faults, checksum=kind)
    infos = [driver.put("a", body(data, tmp_path), PutOptions()) for data in (SHORT, LONG)]
    sent = [seen.headers for seen in faults.seen if seen.method == "PUT"]

    assert [NAMES[kind] in headers for headers in sent] == [True, True]
    assert [info.size for info in infos] == [len(SHORT), len(LONG)]
    assert driver.stat("a").hashes == infos[1].hashes != {}


@pytest.mark.parametrize("body", [in_memory, in_a_file, elsewhere])
@pytest.mark.parametrize("kind", ["crc32c", "crc64nvme", "sha256"])
def test_service_keeps_the_checksum(
    localstack: Server, body: Callable[[bytes, Path], Body], kind: str, tmp_path: Path
) -> None:
    """It is that of the bytes, as the service has worked it out, too."""
    driver = fresh_bucket(localstack, checksum=kind)
    driver.put("a", body(LONG, tmp_path), PutOptions())
    told = client(localstack).head_object(Bucket=driver.options.bucket, Key="a", ChecksumMode="ENABLED")

    assert told[f"Checksum{kind.upper()}"]
    assert told["ChecksumType"] == "FULL_OBJECT"


def test_known_md5_is_sent(radosgw: Server, faults: Faults, tmp_path: Path) -> None:
    """Who knows the MD5 of an object lets the service check by it, and one that is wrong stores nothing."""
    driver = bucket(radosgw, faults)
    with pytest.raises(Corrupted):
        driver.put("a", elsewhere(LONG, tmp_path), PutOptions(hashes={"md5": "0" * 32}))
    with Storage(driver) as storage:
        assert not storage.exists("a")


@pytest.mark.parametrize("count", [len(LONG) - 1, len(LONG) + 1])
def test_announced_size_is_kept_to_by_way_of_a_file(radosgw: Server, faults: Faults, count: int) -> None:
    """Where bytes are gathered first, less or more of them than announced are refused as they are elsewhere."""
    driver = bucket(radosgw, faults, checksum="sha256")
    with pytest.raises(Truncated):
        driver.put("a", StreamBody(io.BytesIO(LONG), count), PutOptions())
    with Storage(driver) as storage:
        assert not storage.exists("a")


def test_new_object_beyond_one_request(radosgw: Server, faults: Faults) -> None:
    """What must be absent and is too large for one request goes by parts, and is refused if it is there."""
    driver = bucket(radosgw, faults)
    driver._client.preset = msgspec.structs.replace(driver._client.preset, max_part_size=6 << 20)
    driver.put("a", BytesBody(SHORT), PutOptions(if_absent=True))
    with pytest.raises(AlreadyExists):
        driver.put("a", BytesBody(SHORT[::-1]), PutOptions(if_absent=True))
    with Storage(driver) as storage:
        assert storage.read_bytes("a") == SHORT
    assert (driver.stat("a").etag or "").endswith("-3")
