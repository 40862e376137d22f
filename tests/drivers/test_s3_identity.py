"""In whose name the S3 driver asks, and where: regions and credentials are learnt, secrets go nowhere else."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

import omnistorage
from omnistorage.core.errors import ConfigError, StorageError, Unauthenticated
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers import _presets
from omnistorage.drivers._httplog import HEADERS
from omnistorage.drivers._s3client import Client
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.layers.log import Log
from omnistorage.layers.retry import Retry
from omnistorage.storage import Storage
from s3_scenes import ANY_REGION, ANY_SIGNATURE, KINDS, fresh_bucket, secretive, settings
from servers import Server
from servers.faults import Answer, Faults, expired_token, redirect, slow_down


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """Ceph's gateway; with ``everywhere`` each server in turn."""
    found: Server = request.getfixturevalue(getattr(request, "param", "radosgw"))
    return found


everywhere = pytest.mark.parametrize("server", KINDS, indirect=True)


@pytest.fixture
def faults(server: Server) -> Iterator[Faults]:
    """A proxy before the server."""
    with Faults(server) as faults:
        yield faults


@pytest.fixture
def driver(server: Server, faults: Faults) -> Iterator[S3Driver]:
    """An empty bucket, reached by the proxy."""
    direct = fresh_bucket(server)
    driver = S3Driver(Options(**settings(faults.server, bucket=direct.options.bucket)))
    yield driver
    driver.close()
    direct.close()


@pytest.fixture
def storage(driver: S3Driver) -> Storage:
    """The bucket behind its front door, where nothing is tried again."""
    return Storage(driver)


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


@pytest.fixture
def elsewhere(faults: Faults, driver: S3Driver) -> Iterator[Storage]:
    """The bucket for who thinks that it is in another region, with an object ``a``; nothing was asked by it yet."""
    driver.put("a", BytesBody(b"x"), PutOptions())
    faults.clear()
    with Storage(S3Driver(msgspec.structs.replace(driver.options, region="eu-north-1"))) as storage:
        yield storage


def _regions(faults: Faults) -> list[str]:
    return [f"{seen.method} {unquote(seen.headers['authorization']).split('/')[2]}" for seen in faults.seen]


@everywhere
def test_region_is_learnt(faults: Faults, elsewhere: Storage, server: Server) -> None:
    """A bucket in another region costs one request more, once; what is signed names that region."""
    faults.add(Answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": server.region}), times=1)
    first = elsewhere.read_bytes("a")
    second = elsewhere.stat("a").size

    assert (first, second) == (b"x", 1)
    assert _regions(faults) == ["GET eu-north-1", "GET us-east-1", "HEAD us-east-1"]


@everywhere
@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT"])
def test_region_that_the_service_names(faults: Faults, elsewhere: Storage, server: Server, verb: str) -> None:
    """The server's own words are understood; where an answer has none, they are asked for, once."""
    calls: dict[str, Callable[[], object]] = {
        "GET": lambda: elsewhere.read_bytes("a"),
        "HEAD": lambda: elsewhere.stat("a"),
        "PUT": lambda: elsewhere.write_bytes("b", b"y"),
    }
    calls[verb]()
    calls[verb]()
    asked = ["GET eu-north-1", "GET us-east-1"] if verb == "HEAD" else []

    if server.kind in ANY_REGION:
        assert _regions(faults) == [f"{verb} eu-north-1"] * 2
    else:
        assert _regions(faults) == [f"{verb} eu-north-1", *asked, *[f"{verb} us-east-1"] * 2]


def test_region_is_asked_for_once(faults: Faults, elsewhere: Storage) -> None:
    """A HEAD that is refused without a reason costs one question for each bucket, whatever comes of it."""
    faults.add(Answer(400), "^HEAD", times=None)
    for _ in range(3):
        with pytest.raises(StorageError, match="400"):
            elsewhere.stat("a")

    assert _regions(faults) == ["HEAD eu-north-1", "GET eu-north-1", *["HEAD eu-north-1"] * 2]


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


class Keys:
    """A file of credentials in the place of the user's own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, key: str, secret: str) -> None:
        self.path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Keys that no server knows."""
    keys = Keys(tmp_path / "credentials")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys.path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    keys.write("old", "worn")
    return keys


@pytest.fixture
def finding(faults: Faults, driver: S3Driver, keys: Keys) -> Iterator[Storage]:
    """The bucket for who has found the keys of that file."""
    options = {**settings(faults.server, bucket=driver.options.bucket), "access_key_id": "", "secret_access_key": ""}
    found = S3Driver(Options(**options))
    found._client.credentials()
    with Storage(found) as storage:
        yield storage


@everywhere
def test_expired_credentials_are_asked_for_again(
    faults: Faults, finding: Storage, keys: Keys, server: Server
) -> None:
    """When the service says that they have expired, the file they come from is read once more."""
    if server.kind in ANY_SIGNATURE:
        finding.write_bytes("a", b"not refused")
    else:
        with pytest.raises(Unauthenticated):
            finding.write_bytes("a", b"x")
    keys.write(server.access_key, server.secret_key)
    faults.clear()
    finding.write_bytes("a", b"x")
    faults.add(expired_token(), "PUT")
    finding.write_bytes("b", b"y")

    assert faults.count("PUT") == (3 if server.kind in ANY_SIGNATURE else 4)
    assert [finding.read_bytes(path) for path in "ab"] == [b"x", b"y"]


@everywhere
@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT", "POST", "LIST"])
def test_credentials_that_were_replaced(
    verb: str, faults: Faults, finding: Storage, driver: S3Driver, keys: Keys, server: Server
) -> None:
    """However a service says that it does not know the keys (any more), those that its user has by now are taken."""
    driver.put("a", BytesBody(b"x"), PutOptions())
    keys.write(server.access_key, server.secret_key)
    faults.clear()
    calls: dict[str, Callable[[], object]] = {
        "GET": lambda: finding.read_bytes("a"),
        "HEAD": lambda: finding.stat("a").size,
        "PUT": lambda: [type(result).__name__ for result in finding.driver.put_many([_item("b"), _item("c")])],
        "POST": lambda: finding.driver.begin_upload("b", PutOptions()).abort(),
        "LIST": lambda: list(finding.list()),
    }
    first = calls[verb]()
    sent = len(faults.seen)
    again = calls[verb]()

    expected = {"GET": b"x", "HEAD": 1, "PUT": ["ObjectInfo"] * 2, "POST": None, "LIST": [*"a"]}
    assert again == first == expected[verb]
    # Of puts at once each is refused before any is repeated.
    if verb != "PUT":
        assert sent - (len(faults.seen) - sent) == (0 if server.kind in ANY_SIGNATURE else 1)


def _item(path: str) -> tuple[str, BytesBody, PutOptions]:
    return path, BytesBody(b"y"), PutOptions()


@pytest.mark.parametrize(
    "answer", [Answer(403, "SignatureDoesNotMatch"), Answer(403)], ids=["a wrong signature", "no reason"]
)
def test_credentials_that_nobody_replaced(answer: Answer, faults: Faults, finding: Storage) -> None:
    """Where there are no others, what may mean something else is no reason to ask the service again."""
    faults.add(answer, "a", times=None)
    for _ in range(3):
        with pytest.raises(StorageError):
            finding.read_bytes("a")

    assert faults.count("GET") == 3


def test_other_credentials_are_tried_once(faults: Faults, finding: Storage, keys: Keys) -> None:
    """However often there are others, each request is sent twice at most."""
    faults.add(Answer(403, "SignatureDoesNotMatch"), "a", times=None)
    for number in range(3):
        keys.write("old", f"worn {number}")
        with pytest.raises(Unauthenticated):
            finding.read_bytes("a")

    assert faults.count("GET") == 6


def test_credentials_that_stay_what_they_are(faults: Faults, storage: Storage) -> None:
    """Those given as options are not tried twice."""
    faults.add(expired_token(), times=None)
    with pytest.raises(Unauthenticated, match="expired"):
        storage.write_bytes("a", b"x")

    assert faults.count() == 1


@everywhere
def test_no_secret_in_any_line(
    faults: Faults, driver: S3Driver, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of all that is logged at the finest level, and of all errors, nothing tells a secret or a signature."""
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    options = settings(secretive(faults.server), bucket=driver.options.bucket, sse_customer_key=key)
    told: list[str] = []
    if driver._client.preset.no_customer_keys:
        with pytest.raises(ConfigError, match="takes no notice of sse_customer_key") as refused:
            S3Driver(Options(**options))
        told.append(f"{refused.value} {refused.value!r}")
        del options["sse_customer_key"]
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
    for secret in {options["secret_access_key"], "another-secret", "a-token", key, *signatures}:
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
