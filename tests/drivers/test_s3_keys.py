"""Keys of any letters, on each server; what one cannot carry is named with the reason, and has to fail there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from omnistorage.core.info import FILE
from omnistorage.core.options import PutOptions
from omnistorage.drivers._s3unfinished import unfinished
from omnistorage.drivers._s3xml import fits_xml
from omnistorage.drivers.s3 import S3Driver
from omnistorage.storage import Storage
from s3_scenes import fresh_bucket
from servers import Server

KEYS = [
    "a//b",
    "./",
    "../x",
    "d/",
    "d//",
    "/",
    "//",
    "/lead",
    "tab\tline\nreturn\r",
    "\x01\x1f\x7f",
    "k" * 1024,
    "\U0001f600" * 256,
    "\U0001f600\u200d\U0001f469",
    "a+b c",
    "%2F%20%",
    " a ",
    "a&b<c>\"'",
    "?list-type=2",
    "#",
    "\ufffe\uffff",
]


FILES = "keys are paths of files there"
LONG = "names of files have 255 bytes at most there"
LACKS: dict[str, dict[str, str]] = {
    "radosgw": {},
    "localstack": {
        **dict.fromkeys(["/", "//"], "takes a key of slashes alone for the bucket"),
        **dict.fromkeys(["\x01\x1f\x7f", "\ufffe\uffff", "tab\tline\nreturn\r"], "its listings cannot say it"),
    },
    "moto": {"tab\tline\nreturn\r": "moto finds no address that holds a line end"},
    "rclone": {
        **dict.fromkeys(["a//b", "./", "../x", "d/", "d//", "/", "//", "/lead"], FILES),
        **dict.fromkeys([key for key in KEYS if len(key.encode()) > 255], LONG),
    },
}
"""Kind of a server to the keys that it cannot carry, each with the reason."""


@pytest.fixture
def driver(s3_server: Server) -> Iterator[S3Driver]:
    """An empty bucket on each server."""
    driver = fresh_bucket(s3_server)
    yield driver
    driver.close()


@pytest.fixture
def storage(driver: S3Driver) -> Storage:
    """That bucket behind its front door."""
    return Storage(driver)


@pytest.fixture(autouse=True)
def _lack(request: pytest.FixtureRequest, s3_server: Server) -> None:
    key = getattr(request.node, "callspec", None) and request.node.callspec.params.get("key")
    reason = LACKS.get(s3_server.kind, {}).get(key or "")
    if reason:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_any_key(storage: Storage, key: str) -> None:
    """A key of any letters is stored, read, described, listed, copied and deleted as it is."""
    storage.write_bytes(key, b"named")
    listed = [(info.path, info.size) for info in storage.scan()]
    copied = storage.copy(key, "copy")
    failures = storage.delete_many([key])

    assert listed == [(key, 5)]
    assert copied.path == "copy"
    assert storage.read_bytes("copy") == b"named"
    assert list(failures) == [None]
    assert list(storage.list()) == ["copy"]


def test_all_keys_together(storage: Storage, s3_server: Server) -> None:
    """Beside each other they are found by a walk through directories as by a flat listing, each once, in order."""
    keys = [key for key in KEYS if key not in LACKS.get(s3_server.kind, {})]
    for key in keys:
        storage.write_bytes(key, b"named")
    flat = list(storage.list())
    page, walked = storage.driver.list(""), []
    while True:
        walked += [info.path for info in page.infos if info.kind is FILE]
        if page.next is None:
            break
        page = storage.driver.list("", page=page.next)

    assert flat == sorted(keys)
    assert walked == sorted(key for key in keys if "/" not in key or key.startswith("/"))


def test_unfinished_uploads_are_swept(driver: S3Driver, s3_server: Server) -> None:
    """What is counted as removed is removed, whatever the key is called, also on pages of a few."""
    # Ceph has longer names of its own for uploads.
    short = [key for key in KEYS if len(key.encode()) < 900]
    keys = [key for key in short if key not in LACKS.get(s3_server.kind, {}) and fits_xml(key)]
    for key in keys:
        driver.begin_upload(key, PutOptions())
    listed = {key for key, _, _ in unfinished(driver._client, driver.options.bucket, "")}
    swept = driver.sweep(older_than=-3600.0)

    assert listed == {*keys}
    assert swept == len(keys)
    assert driver.sweep(older_than=-3600.0) == 0
