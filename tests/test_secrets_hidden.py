"""Secrets that somebody put where none belong, and things that hold some: neither shows any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import omnistorage
from cli_runs import run_here
from omnistorage import opening
from omnistorage.config import Config, Remote
from omnistorage.core.errors import ConfigError, StorageError
from omnistorage.core.grammar import canonical
from omnistorage.core.info import Form
from omnistorage.drivers._s3client import Call, Client
from omnistorage.drivers._s3links import form
from omnistorage.drivers.s3 import Options

SECRET = "hush-hush"
KEYS: dict[str, Any] = {"access_key_id": "AKID", "secret_access_key": SECRET}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are keys, so that a request would go out."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")


def test_addresses_and_remotes_hide_secrets(tmp_path: Path) -> None:
    """Their reprs end up in logs as those of options do."""
    (tmp_path / "c.toml").write_text(f'[remotes.w]\ntype = "s3"\nsecret_access_key = "{SECRET}"\n')
    config = Config.load(tmp_path / "c.toml")
    held: list[Any] = [
        opening.parse(f"s3://me:{SECRET}@b/p?secret_access_key={SECRET}&proxy=http://u:{SECRET}@h&region=x"),
        opening.resolve("w:b", config=config, session_token=SECRET),
        config.remote("w"),
        config.remotes(),
        config,
        Remote(name="a", type="s3", options={"remote": f":s3,secret_access_key={SECRET}:b"}),
    ]
    for one in held:
        assert SECRET not in f"{one!r} {one}"
    assert "region" in repr(held[0])
    assert "'w'" in repr(held[2])


def test_forms_hide_what_lets_in() -> None:
    """A form shows where it is sent and what its fields are called."""
    client = Client(Options(bucket="b", region="x", session_token=SECRET, **KEYS))
    made = form(client, "b", "k", 60, None)

    assert isinstance(made, Form)
    assert made.fields["x-amz-signature"] not in repr(made)
    assert made.fields["policy"] not in repr(made)
    assert SECRET not in repr(made)
    assert made.url in repr(made)
    assert "x-amz-signature" in repr(made)


def test_calls_hide_keys() -> None:
    """What is about to be sent may have a key of the customer's among its headers."""
    call = Call("PUT", "b", "k", {"x-amz-server-side-encryption-customer-key": SECRET, "content-type": "x"}, b"data")

    assert SECRET not in repr(call)
    assert "content-type" in repr(call)


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{SECRET}@127.0.0.1:9",
        f"me:{SECRET}@127.0.0.1:9",
        f"http://me:{SECRET}/x@127.0.0.1:9",
        f"ftp://me:{SECRET}@127.0.0.1:9",
        f"http://{SECRET}@127.0.0.1:9",
        f"http://127.0.0.1:9@me:{SECRET}",
    ],
)
def test_no_password_in_an_endpoint(url: str, tmp_path: Path) -> None:
    """It is refused, as nobody would send it; no message shows it, not even one about something else."""
    with pytest.raises(ConfigError, match="'endpoint_url' cannot hold a user or password") as refused:
        omnistorage.open("s3://b/p", endpoint_url=url)
    config = tmp_path / "c.toml"
    config.write_text(f'[remotes.w]\ntype = "s3"\nendpoint_url = "{url}"\n')
    told = [str(refused.value), canonical(opening.parse(f"s3://b/p?endpoint_url={url}"))]
    for words in (
        ("lsf", "-vv", f"s3://b/p?endpoint_url={url}"),
        ("lsf", "-vv", f"s3://b/p?endpoint_url={url}&part_size=x"),
        ("cat", f":s3,endpoint_url='{url}':b/p"),
        ("plan", f"s3://b/p?endpoint_url={url}", tmp_path / "d"),
        ("link", f"s3://b/p?endpoint_url={url}&anonymous=x"),
        ("config", "show", "--config", config),
        ("config", "dump", "--config", config),
    ):
        ran = run_here(*words)
        told.append(ran.out + ran.err)

    assert SECRET not in "".join(told)


def test_no_password_beside_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """``s3://KEY:SECRET@bucket`` would be a bucket of that name, and stand in each request."""
    for words in (("lsf", "-vv"), ("mkdir",), ("cat", "-vv")):
        ran = run_here(*words, f"s3://AKID:{SECRET}@b/p?endpoint_url=http://127.0.0.1:9")

        assert ran.code != 0
        assert "keys cannot stand before the bucket; access_key_id and secret_access_key are options" in ran.err
        assert SECRET not in ran.err


@pytest.mark.parametrize("option", ["access_key_id", "secret_access_key", "session_token"])
@pytest.mark.parametrize("value", ["x\udcff", "x\ny", "x\0"])
def test_what_is_no_key(option: str, value: str) -> None:
    """A secret that cannot be sent is a setting that is wrong, and not a path that cannot be stored."""
    options = KEYS | {option: f"{SECRET}{value}"}
    with pytest.raises(ConfigError, match=f"{option} has a control character") as given:
        omnistorage.open("s3://b", endpoint_url="http://127.0.0.1:9", **options)

    assert SECRET not in str(given.value)


def test_a_line_end_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is looked at, too."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}\n")
    ran = run_here("lsf", "-vv", "s3://b?endpoint_url=http://127.0.0.1:9")

    assert ran.code != 0
    assert "secret_access_key has a control character, such as the end of a line" in ran.err
    assert SECRET not in ran.err


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("option", ["acl", "storage_class", "sse_kms_key_id", "content_type"])
def test_what_is_no_text_tells_no_neighbours(option: str, anonymous: bool) -> None:
    """A header that cannot be sent is named, and no exception behind that error holds the other ones."""
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    given = {"anonymous": True} if anonymous else {**KEYS, "session_token": "a-token"}
    options: dict[str, Any] = {"sse_customer_key": key, "retries": 0, **given}
    put: dict[str, Any] = {}
    (put if option == "content_type" else options)[option] = "te\udcffxt"
    with (
        omnistorage.open("s3://b", endpoint_url="http://127.0.0.1:9", **options) as storage,
        pytest.raises(StorageError, match=r"HTTP cannot carry the header '.*' with such a value") as refused,
    ):
        storage.write_bytes("a", b"x", **put)
    told = ""
    error: BaseException | None = refused.value
    while error is not None:
        told += f"{error} {error!r} {getattr(error, 'object', '')}"
        error = error.__cause__ or error.__context__

    assert not any(secret in told for secret in (SECRET, "a-token", key))
