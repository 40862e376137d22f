"""The MD5 of objects that came in parts: kept beside them as rclone keeps it, and read by either."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, FileBody
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.storage import Storage
from omnistorage.sync import Options as SyncOptions
from omnistorage.sync import copy
from omnistorage.testing.bodies import pattern
from s3_scenes import Rclone, fresh_bucket, rclone_on, settings
from servers import Server

DATA = pattern(12 << 20)
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture(params=["radosgw", "moto", "rclone_s3"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def driver(server: Server) -> Iterator[S3Driver]:
    """An empty bucket, whose driver sends what has more than 5 MiB in parts, with the MD5 of the whole."""
    driver = fresh_bucket(server, upload_cutoff=5 << 20, upload_md5=True)
    yield driver
    driver.close()


@pytest.fixture
def rclone(server: Server, driver: S3Driver) -> Rclone:
    """Run rclone; ``{}`` in its arguments is the bucket."""
    return rclone_on(server, driver.options.bucket)


def again(driver: S3Driver, **options: Any) -> S3Driver:
    """Return a driver for the same bucket with other options."""
    return S3Driver(msgspec.structs.replace(driver.options, **options))


def large(src: Storage, dst: Storage) -> None:
    """Copy all, by parts."""
    assert copy(src, dst, SyncOptions(part_cutoff=5 << 20)).ok


@pytest.mark.parametrize("how", ["parts", "put", "file"])
def test_rclone_reads_it(driver: S3Driver, rclone: Rclone, tmp_path: Path, how: str) -> None:
    """``rclone md5sum`` and ``rclone check`` have a hash of a large object, whichever way it went up."""
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a").write_bytes(DATA)
    match how:
        case "parts":
            large(Storage(FileDriver(FileOptions(root=str(folder)))), Storage(driver))
        case "put":
            driver.put("a", BytesBody(DATA), PutOptions())
        case _:
            driver.put("a", FileBody(folder / "a"), PutOptions())

    assert rclone("md5sum", "{}") == f"{MD5}  a\n"
    assert rclone("check", folder, "{}", "--combined", "-") == "= a\n"
    assert driver.stat("a").hashes == {"md5": MD5}
    assert "md5chksum" not in driver.metadata("a")


def test_without_the_option_nothing_is_read_twice(driver: S3Driver, tmp_path: Path) -> None:
    """A local file is read once then, and its MD5 is not known at the begin."""
    if driver._client.preset.name == "rclone":
        pytest.skip("its ETags are MD5")
    (tmp_path / "a").write_bytes(DATA)
    plain = again(driver, upload_md5=False)
    large(Storage(FileDriver(FileOptions(root=str(tmp_path)))), Storage(plain))

    assert plain.stat("a").hashes == {}


def test_it_comes_along_from_another_service(driver: S3Driver, moto: Server) -> None:
    """Where the source tells an MD5, it is kept without the option, and nothing is read for it."""
    source = fresh_bucket(moto)
    source.put("whole", BytesBody(DATA), PutOptions())
    again(source, upload_md5=True, upload_cutoff=5 << 20).put("parts", BytesBody(DATA), PutOptions())
    plain = again(driver, upload_md5=False)
    large(Storage(source), Storage(plain))

    assert source.stat("parts").etag != MD5
    assert [plain.stat(key).hashes for key in ("parts", "whole")] == [{"md5": MD5}] * 2


def test_it_stays_when_what_is_beside_changes(driver: S3Driver) -> None:
    """New metadata or another time are no reason to forget it; other bytes are."""
    if not driver.features.set_metadata:
        pytest.skip("copies nothing")
    driver.put("a", BytesBody(DATA), PutOptions())
    driver.set_metadata("a", {"colour": "blue"})
    driver.set_modified("a", 1_600_000_000_000_000_000)
    kept = driver._client.request("HEAD", driver.options.bucket, "a").headers.get("x-amz-meta-md5chksum")
    driver.put("a", BytesBody(b"x"), PutOptions())

    assert kept is not None
    assert driver.stat("a").hashes == {"md5": hashlib.md5(b"x").hexdigest()}


def test_caller_may_know_it(driver: S3Driver) -> None:
    """Whoever begins an upload may say the MD5 of what is to come."""
    plain = again(driver, upload_md5=False)
    upload = plain.begin_upload("a", PutOptions(hashes={"md5": MD5, "sha1": "00" * 20}), len(DATA))
    for number, at in enumerate(range(0, len(DATA), upload.part_size), 1):
        upload.put_part(number, BytesBody(DATA[at : at + upload.part_size]))
    upload.finish()

    assert plain.stat("a").hashes == {"md5": MD5}


def test_no_other_options_know_it() -> None:
    """The option is off where nobody asks for it."""
    assert not Options().upload_md5
    assert S3Driver(Options(bucket="b")).features.upload_hashes == frozenset()


def test_what_rclone_wrote_goes_on(driver: S3Driver, rclone: Rclone, server: Server, tmp_path: Path) -> None:
    """What rclone stored in parts has it for us, and for rclone when we took it elsewhere."""
    (tmp_path / "a").write_bytes(DATA)
    rclone("copy", tmp_path / "a", "{}", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    assert driver.stat("a").hashes == {"md5": MD5}
    other = fresh_bucket(server, upload_cutoff=5 << 20)
    with Storage(S3Driver(Options(**settings(server, bucket=other.options.bucket)))) as there:
        large(Storage(driver), there)
        found = json.loads(rclone("lsjson", "--hash", f"R:{other.options.bucket}"))

    assert [row["Hashes"] for row in found] == [{"md5": MD5}]
