"""What rclone, boto3 and obstore store is what we read, and the other way round."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import omnistorage
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.s3 import S3Driver
from omnistorage.layers.prefix import Prefix
from omnistorage.storage import Storage
from omnistorage.sync import sync
from omnistorage.testing.bodies import pattern
from s3_scenes import Rclone, fresh_bucket, needed, rclone_on
from servers import Server
from servers.clients import client

WHEN = 1_600_000_001_123_456_789
SMALL = b"some bytes"
LARGE = pattern(12 << 20)
KEYS = ["plain", "d/a b+c%2F", "\u00fc\U0001f600", "d//e", "./x", "a&<b>"]
"""Keys that each of these programs can say; on rclone's own server some are no names of files."""


@pytest.fixture(params=["radosgw", "moto", "rclone_s3", "localstack", "swift_s3"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def driver(server: Server) -> Iterator[S3Driver]:
    """An empty bucket."""
    driver = fresh_bucket(server, upload_cutoff=5 << 20)
    yield driver
    driver.close()


@pytest.fixture
def storage(driver: S3Driver) -> Storage:
    """An empty bucket behind its front door."""
    return Storage(driver)


@pytest.fixture
def rclone(server: Server, driver: S3Driver) -> Rclone:
    """Run rclone; ``{}`` in its arguments is the bucket."""
    return rclone_on(server, driver.options.bucket)


def md5(data: bytes) -> str:
    """Return the MD5 of bytes."""
    return hashlib.md5(data).hexdigest()


def in_parts(driver: S3Driver, path: str, data: bytes, options: PutOptions) -> None:
    """Store an object by an upload in parts."""
    upload = driver.begin_upload(path, options, len(data))
    for number, at in enumerate(range(0, len(data), upload.part_size), 1):
        upload.put_part(number, BytesBody(data[at : at + upload.part_size]))
    upload.finish()


# -- rclone --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_rclone_writes(storage: Storage, server: Server, rclone: Rclone, tmp_path: Path, data: bytes) -> None:
    """Bytes, time, MD5 and metadata are those that rclone stored, also where it stored parts."""
    file = tmp_path / "a.txt"
    file.write_bytes(data)
    os.utime(file, ns=(WHEN, WHEN))
    metadata = ("-M", "--metadata-set", "colour=blue", "--metadata-set", "cache-control=no-cache")
    rclone("copyto", file, "{}/d/a.txt", *metadata, "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    info = storage.stat("d/a.txt")
    told = storage.driver.metadata("d/a.txt")

    assert storage.read_bytes("d/a.txt") == data
    assert (info.size, info.mtime_ns) == (len(data), WHEN)
    assert info.hashes == {"md5": md5(data)}
    assert info.content_type == "text/plain; charset=utf-8"
    assert info.metadata["colour"] == "blue"
    assert told["cache-control"] == "no-cache" or server.kind == "rclone"


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
def test_rclone_reads(driver: S3Driver, rclone: Rclone, tmp_path: Path, parts: bool) -> None:
    """Bytes, time, type and metadata are for rclone those that we stored, and a sync finds nothing to do."""
    data = LARGE if parts else SMALL
    options = PutOptions(
        mtime_ns=WHEN, content_type="text/x-special", metadata={"colour": "blue", "cache-control": "no-cache"},
        attributes=True,
    )  # fmt: skip
    if parts:
        in_parts(driver, "d/a", data, options)
    else:
        driver.put("d/a", BytesBody(data), options)
    (found,) = json.loads(rclone("lsjson", "{}/d", "-M", "--hash"))
    file = tmp_path / "d/a"
    rclone("copyto", "{}/d/a", file)

    assert file.read_bytes() == data
    assert (found["Size"], found["ModTime"]) == (len(data), "2020-09-13T12:26:41.123456789Z")
    assert found["MimeType"] == "text/x-special"
    assert {name.lower(): value for name, value in found["Metadata"].items()}.items() >= {
        "colour": "blue",
        "content-type": "text/x-special",
        "mtime": "2020-09-13T12:26:41.123456789Z",
    }.items()
    if not parts:
        assert found["Hashes"] == {"md5": md5(data)}
    assert os.stat(file).st_mtime_ns == WHEN
    assert rclone("check", tmp_path / "d", "{}/d", "--combined", "-") == "= a\n"


def test_rclone_names(storage: Storage, server: Server, rclone: Rclone) -> None:
    """Keys that rclone lists are those that we wrote, so far as it can say them."""
    keys = [key for key in KEYS if "//" not in key and "./" not in key]
    for key in keys:
        storage.write_bytes(key, b"x")
    listed = rclone("lsf", "-R", "--files-only", "{}").splitlines()

    assert sorted(listed) == sorted(keys)


def test_sync_after_rclone_does_nothing(storage: Storage, server: Server, rclone: Rclone, tmp_path: Path) -> None:
    """A tree that rclone copied is in sync for us, and one that we copied is for rclone."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        (folder / "d").mkdir(parents=True)
        for number, name in enumerate(("a", "d/b", "d/c d")):
            (folder / name).write_bytes(name.encode())
            os.utime(folder / name, ns=(WHEN + number, WHEN + number))
    rclone("copy", theirs, "{}/theirs")
    settings = storage.driver.options

    def below(prefix: str) -> Storage:
        return Storage(S3Driver(settings), partial(Prefix, prefix=prefix), *needed(server))

    with below("theirs") as remote, omnistorage.open(theirs) as local:
        seen = sync(local, remote)
    with below("ours") as remote, omnistorage.open(ours) as local:
        sent = sync(local, remote)
    log = tmp_path / "log"
    rclone("sync", ours, "{}/ours", "--dry-run", "--log-file", log)
    said = log.read_text()
    os.utime(ours / "a", ns=(WHEN, WHEN + 10**9))
    rclone("sync", ours, "{}/ours", "--dry-run", "--log-file", log)

    assert (seen.transferred, seen.equal) == (0, 3)
    assert sent.transferred == 3
    assert storage.read_bytes("ours/d/c d") == b"d/c d"
    assert "Skipped" not in said
    # So it would have been said.
    assert "Skipped" in log.read_text()
    assert rclone("check", ours, "{}/ours", "--combined", "-").count("=") == 3


NAMES = ("a.html", "B.TXT", "c.json", "d.unknown", "e", "f.tar.gz", "g.gz", "h.js", ".css", "i.jpg", "k.svg", "l.csv")


def test_types_are_those_of_rclone(storage: Storage, rclone: Rclone, tmp_path: Path) -> None:
    """What no source tells follows from the name, so that a site that is copied by either is served alike."""
    for name in NAMES:
        (tmp_path / name).write_text(name)
    rclone("copy", tmp_path, "{}/theirs")
    with Storage(S3Driver(storage.driver.options), partial(Prefix, prefix="ours")) as remote:
        with omnistorage.open(tmp_path) as local:
            sync(local, remote)
        remote.write_bytes("put.html", b"x")
        with remote.open_writer("written.html") as writer:
            writer.write(pattern(6 << 20))
        remote.write_bytes("said.html", b"x", content_type="text/x-special")

    ours = {name: storage.stat(f"ours/{name}").content_type for name in NAMES}
    theirs = {name: storage.stat(f"theirs/{name}").content_type for name in NAMES}
    others = [storage.stat(f"ours/{name}.html").content_type for name in ("put", "written", "said")]

    assert ours == theirs
    assert others == ["text/html; charset=utf-8", "text/html; charset=utf-8", "text/x-special"]


# -- boto3 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_boto3_writes(storage: Storage, server: Server, tmp_path: Path, data: bytes) -> None:
    """Bytes, MD5, type and metadata are those that boto3 stored; the time is that of the storing."""
    from boto3.s3.transfer import TransferConfig

    bucket, s3 = storage.driver.options.bucket, client(server)
    file = tmp_path / "a"
    file.write_bytes(data)
    more = {
        "Metadata": {"Colour": "blue", "note": "a  b"},
        "ContentType": "text/x-special",
        "CacheControl": "no-cache",
    }
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    began = datetime.now(UTC).timestamp()
    s3.upload_file(str(file), bucket, "d/a", ExtraArgs=more, Config=config)
    info = storage.stat("d/a")
    told = storage.driver.metadata("d/a")

    assert storage.read_bytes("d/a") == data
    assert info.hashes == ({"md5": md5(data)} if data is SMALL or server.kind == "rclone" else {})
    assert info.content_type == "text/x-special"
    assert (info.metadata["colour"], info.metadata["note"].split()) == ("blue", ["a", "b"])
    assert info.mtime_ns is not None
    assert abs(info.mtime_ns / 1e9 - began) < 60
    assert told["cache-control"] == "no-cache" or server.kind == "rclone"


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
def test_boto3_reads(driver: S3Driver, server: Server, parts: bool) -> None:
    """Bytes, type and metadata are for boto3 those that we stored, and the time is where rclone keeps it."""
    data = LARGE if parts else SMALL
    options = PutOptions(mtime_ns=WHEN, content_type="text/x-special", metadata={"colour": "blue"})
    if parts:
        in_parts(driver, "d/a", data, options)
    else:
        driver.put("d/a", BytesBody(data), options)
    found = client(server).get_object(Bucket=driver.options.bucket, Key="d/a")

    assert found["Body"].read() == data
    assert found["ContentType"] == "text/x-special"
    assert {name.lower(): value for name, value in found["Metadata"].items()} == {
        "colour": "blue",
        "mtime": "1600000001.123456789",
    }
    if not parts:
        assert found["ETag"] == f'"{md5(data)}"'


def test_boto3_names(storage: Storage, server: Server) -> None:
    """Keys of any letters are the same for both."""
    bucket, s3 = storage.driver.options.bucket, client(server)
    keys = KEYS if server.kind != "rclone" else [key for key in KEYS if "//" not in key and "./" not in key]
    for number, key in enumerate(keys):
        if number % 2:
            storage.write_bytes(key, key.encode())
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]

    assert sorted(listed) == sorted(storage.list()) == sorted(keys)
    assert [storage.read_bytes(key).decode() for key in keys] == keys
    assert [s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys] == keys


# -- obstore -------------------------------------------------------------------------------------------------


@pytest.fixture
def obstore(server: Server, driver: S3Driver) -> Any:
    """The bucket as obstore has it."""
    from obstore.store import S3Store

    return S3Store(
        driver.options.bucket,
        endpoint=server.endpoint,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        region=server.region,
        client_options={"allow_http": True},
    )


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_obstore_writes(storage: Storage, server: Server, obstore: Any, data: bytes) -> None:
    """Bytes, MD5, type and metadata are those that obstore stored."""
    attributes = {"Content-Type": "text/x-special", "Cache-Control": "no-cache", "colour": "blue"}
    obstore.put("d/a", data, attributes=attributes)
    info = storage.stat("d/a")

    assert storage.read_bytes("d/a") == data
    assert info.content_type == "text/x-special"
    assert info.metadata["colour"] == "blue"
    if data is SMALL:
        assert info.hashes == {"md5": md5(data)}


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
def test_obstore_reads(driver: S3Driver, obstore: Any, parts: bool) -> None:
    """Bytes, size, type and metadata are for obstore those that we stored."""
    data = LARGE if parts else SMALL
    options = PutOptions(mtime_ns=WHEN, content_type="text/x-special", metadata={"colour": "blue"})
    if parts:
        in_parts(driver, "d/a", data, options)
    else:
        driver.put("d/a", BytesBody(data), options)
    found = obstore.get("d/a")

    assert bytes(found.bytes()) == data
    assert found.meta["size"] == len(data)
    assert found.attributes["Content-Type"] == "text/x-special"
    assert [entry["path"] for page in obstore.list() for entry in page] == ["d/a"]
