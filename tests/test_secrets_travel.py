"""Secrets and other processes: what is pickled says where a secret is found, and never what it is."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import omnistorage
from cli_runs import run_here
from omnistorage.config import Config
from omnistorage.core.errors import ConfigError, Unsupported
from omnistorage.core.redact import holds_secret
from omnistorage.sync import sync
from s3_scenes import configured, fresh_bucket
from servers import Server
from sync_scenes import held

FILE = """
[remotes.work]
type = "s3"
access_key_id = "AKID"
secret_access_key = "hush-file"
proxy = "http://me:hush-proxy@127.0.0.1:9"
[remotes.named]
type = "s3"
access_key_id = "AKID"
secret_access_key = "env:THEIR_SECRET"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that holds secrets."""
    monkeypatch.setenv("THEIR_SECRET", "hush-env")
    (tmp_path / "config.toml").write_text(FILE)
    return tmp_path / "config.toml"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "x"),
        ("secret_access_key", "true-ish"),
        ("pin", 1234),
        ("proxy", "http://u:p@h"),
        ("remote", ":s3,secret_access_key=x:b"),
    ],
)
def test_what_is_a_secret(name: str, value: object) -> None:
    """The name tells, or a password in a URL or a connection string."""
    assert holds_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_key_id", "AKID"),
        ("sse_kms_key_id", "arn:aws:kms:eu-west-1:1:key/x"),
        ("password", ""),
        ("password", "env:PW"),
        ("token_url", "https://h/token"),
        ("tagging", "key=a&secret=b"),
        ("endpoint_url", "http://127.0.0.1:9000"),
        ("verify", True),
    ],
)
def test_what_is_none(name: str, value: object) -> None:
    """Names of keys, references, and words that merely look so do not keep a storage from other processes."""
    assert not holds_secret(name, value)


def test_a_remote_travels_as_its_name(config: Path) -> None:
    """What the configuration holds is found again there, with what it says then."""
    with omnistorage.open("work:bucket", config=config) as storage:
        data = pickle.dumps(storage.driver)
        shown = repr(storage.driver.options)
    config.write_text(FILE.replace("hush-file", "another"))
    again: Any = pickle.loads(data)

    assert b"hush" not in data
    assert "hush" not in shown
    assert again.options.secret_access_key == "another"
    assert again.options.proxy == "http://me:hush-proxy@127.0.0.1:9"
    assert b"another" not in pickle.dumps(again)


def test_a_remote_of_the_environment(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    """Variables of a remote go before its file, and need none."""
    monkeypatch.setenv("OMNISTORAGE_REMOTE_WORK_SECRET_ACCESS_KEY", "hush-variable")
    monkeypatch.setenv("OMNISTORAGE_REMOTE_AIR_TYPE", "s3")
    monkeypatch.setenv("OMNISTORAGE_REMOTE_AIR_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("OMNISTORAGE_REMOTE_AIR_SECRET_ACCESS_KEY", "hush-air")
    for address, where, secret in (("work:b", config, "hush-variable"), ("air:b", "", "hush-air")):
        with omnistorage.open(address, config=where) as storage:
            data = pickle.dumps(storage.driver)
        again: Any = pickle.loads(data)

        assert b"hush" not in data
        assert again.options.secret_access_key == secret


def test_what_is_found_nowhere_stays(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text from a program, a configuration in memory, one that says something else by now: each is refused."""
    given = omnistorage.open("s3://b", access_key_id="AKID", secret_access_key="hush-given")
    over = omnistorage.open("work:b", config=config, session_token="hush-token")
    memory = omnistorage.open("work:b", config=Config(None, Config.load(config)._data))
    stale = omnistorage.open("work:b", config=config)
    lost = omnistorage.open("named:b", config=config)
    config.write_text(FILE.replace("hush-file", "another"))
    for storage, words in (
        (given, "^s3: secret_access_key given as text: secrets go to other processes by reference only"),
        (over, "^s3: session_token given as text"),
        (memory, "^other processes cannot find config:work.secret_access_key: neither a file nor the environment"),
        (stale, "^other processes would find another config:work.secret_access_key"),
    ):
        with storage, pytest.raises(Unsupported, match=words) as refused:
            pickle.dumps(storage.driver)

        assert "hush" not in str(refused.value)
    data = pickle.dumps(lost.driver)
    monkeypatch.delenv("THEIR_SECRET")
    with lost, pytest.raises(ConfigError, match="env:THEIR_SECRET: there is no such environment variable"):
        pickle.loads(data)


def test_a_sync_that_would_send_one_begins_nothing(radosgw: Server, tmp_path: Path) -> None:
    """It ends before the first object, and says which option it is."""
    bucket = fresh_bucket(radosgw)
    (tmp_path / "a").write_bytes(b"x")
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        omnistorage.open(
            f"s3://{bucket.options.bucket}",
            endpoint_url=radosgw.endpoint,
            access_key_id=radosgw.access_key,
            secret_access_key=radosgw.secret_key,
        ) as storage,
    ):
        with pytest.raises(Unsupported, match="secret_access_key given as text"):
            sync(omnistorage.open(tmp_path), storage, executor=pool)

        assert held(storage) == {}


def test_processes_of_the_command(radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote whose file holds the secret is reached by all of them; an address with one is refused in a line."""
    bucket = fresh_bucket(radosgw)
    config = configured(tmp_path / "config.toml", work=bucket.options)
    # Of which the other processes are to know nothing.
    monkeypatch.delenv(str(bucket.options.secret_access_key.reference).partition(":")[2])
    names = [f"d/{n}" for n in range(200)]
    for name in names:
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_bytes(name.encode())
    told = run_here("sync", "--config", config, "--processes", "2", tmp_path / "src", "work:")
    address = (
        f"s3://{bucket.options.bucket}/x?endpoint_url={radosgw.endpoint}&access_key_id={radosgw.access_key}"
        f"&secret_access_key={radosgw.secret_key}"
    )
    refused = run_here("sync", "--processes", "2", tmp_path / "src", address)

    assert (told.code, told.err) == (0, "")
    assert sorted(held(omnistorage.open("work:", config=config))) == sorted(names)
    assert refused.code != 0
    assert refused.err.count("\n") == 1
    assert "secret_access_key given as text: secrets go to other processes by reference only" in refused.err
    assert radosgw.secret_key not in refused.err
