"""Many small objects by one thread: each has its own outcome, whatever happens to the others."""

from __future__ import annotations

import msgspec

from omnistorage.core.driver import PutItem
from omnistorage.core.errors import NotFound, StorageError
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, read_all
from omnistorage.drivers._s3together import SMALL
from omnistorage.drivers.s3 import S3Driver
from omnistorage.layers.prefix import Prefix
from omnistorage.layers.retry import Retry
from s3_scenes import fresh_bucket
from servers import Server
from servers.faults import Cut, Faults, internal_error, slow_down

TIME = 1_600_000_000_123_456_789


def items(count: int, size: int = 100) -> list[PutItem]:
    """Return objects to store, each different."""
    return [
        (f"folder/{at:03}", BytesBody(f"{at:03}".encode() * size), PutOptions(mtime_ns=TIME + at))
        for at in range(count)
    ]


def test_objects_are_stored_and_read_together(s3_server: Server) -> None:
    """What is stored together is what single requests read, and the other way round, with its time and MD5."""
    driver = fresh_bucket(s3_server)
    stored = driver.put_together(items(20), 4)
    driver.put("single", BytesBody(b"one"), PutOptions(mtime_ns=TIME))
    found = driver.get_together(["single", *(path for path, _, _ in items(20))], 4)

    assert [one.path for one in stored if not isinstance(one, Exception)] == [path for path, _, _ in items(20)]
    for at, (info, (path, body, options)) in enumerate(zip(stored, items(20), strict=True)):
        assert info == msgspec.structs.replace(driver.stat(path), content_type=None)
        with driver.get(path) as stream:
            assert read_all(stream) == f"{at:03}".encode() * 100
        got = found[at + 1]
        assert not isinstance(got, Exception)
        assert got[0] is not None
        assert got[0].mtime_ns == options.mtime_ns
        assert got[1] == f"{at:03}".encode() * 100
        assert body.size == 300
    assert not isinstance(found[0], Exception)
    assert found[0][1] == b"one"


def test_large_ones_go_the_long_way(radosgw: Server) -> None:
    """An object that is too large for this, and one that must be absent, are stored all the same."""
    driver = fresh_bucket(radosgw, provider="minio")
    large = b"x" * (SMALL + 1)
    stored = driver.put_together(
        [
            *items(2),
            ("large", BytesBody(large), PutOptions(mtime_ns=TIME)),
            ("absent", BytesBody(b"a"), PutOptions(mtime_ns=TIME, if_absent=True)),
        ],
        2,
    )

    assert [one for one in stored if isinstance(one, Exception)] == []
    assert driver.stat("large").size == len(large)
    assert driver.stat("absent").size == 1


def test_what_is_missing_fails_alone(rclone_s3: Server) -> None:
    """An object that is not there is NotFound, and the others are read."""
    driver = fresh_bucket(rclone_s3)
    driver.put_together(items(3), 2)
    found = driver.get_together(["folder/000", "nowhere", "folder/002"], 2)

    assert isinstance(found[1], NotFound)
    assert [one[1][:3] for one in found if not isinstance(one, Exception)] == [b"000", b"002"]


def test_failures_for_the_moment_are_repeated(rclone_s3: Server) -> None:
    """Answers that ask for patience, and connections that break, cost no object when there is a retry layer."""
    driver = fresh_bucket(rclone_s3)
    with Faults(rclone_s3) as faults:
        options = msgspec.structs.replace(driver.options, endpoint_url=faults.server.endpoint)
        storage = Prefix(Retry(S3Driver(options), sleep=lambda seconds: None), "below")
        faults.add(slow_down(0), "PUT .*/folder/003")
        faults.add(internal_error(), "PUT .*/folder/007")
        faults.add(Cut(10), "PUT .*/folder/011")
        stored = storage.put_together(items(16), 4)
        faults.add(slow_down(0), "GET .*/folder/003")
        faults.add(Cut(150, side="down"), "GET .*/folder/007")
        found = storage.get_together([path for path, _, _ in items(16)], 4)

    assert [one.path for one in stored if not isinstance(one, Exception)] == [path for path, _, _ in items(16)]
    assert [one[1] for one in found if not isinstance(one, Exception)] == [
        f"{at:03}".encode() * 100 for at in range(16)
    ]


def test_failures_that_last_name_the_object(rclone_s3: Server) -> None:
    """Where every request fails, each object has the error, with the id of the request."""
    driver = fresh_bucket(rclone_s3)
    with Faults(rclone_s3) as faults:
        options = msgspec.structs.replace(driver.options, endpoint_url=faults.server.endpoint)
        storage = Retry(S3Driver(options), attempts=2, sleep=lambda seconds: None)
        faults.add(internal_error(), "PUT ", times=None)
        stored = storage.put_together(items(3), 2)

    assert all(isinstance(one, StorageError) and one.retryable and one.request_id for one in stored)


def test_threads_do_not_ask_for_more_than_the_width(rclone_s3: Server) -> None:
    """No more connections are made than requests may be under way."""
    driver = fresh_bucket(rclone_s3)
    with Faults(rclone_s3) as faults:
        options = msgspec.structs.replace(driver.options, endpoint_url=faults.server.endpoint)
        S3Driver(options).put_together(items(40), 5)

        assert faults.count("PUT ") == 40
        assert faults.connections == 5
