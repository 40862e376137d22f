"""What comes from a bucket stays below the destination, and what is secret stays out of every line."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cli_runs import run_here
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.s3 import Options as S3Options
from omnistorage.storage import Storage
from omnistorage.sync import sync
from s3_scenes import KINDS, configured, fresh_bucket, secretive, settings
from servers import Server
from servers.faults import Faults, internal_error
from sync_scenes import files, held

CLIMBING = ["../x", "../../x", "/abs", "//abs", "a/../../x", "a//b", "./x", "a/./b", "x/..", ".."]
GOOD = {"fine": b"fine", "a/b": b"ab", "..x/y..": b"dots", "C:\\x": b"drive", "con": b"device"}


@pytest.fixture
def bucket(radosgw: Server) -> Iterator[Storage]:
    """An empty bucket."""
    with Storage(fresh_bucket(radosgw)) as storage:
        yield storage


def _fill(storage: Storage, keys: dict[str, bytes]) -> None:
    for key, data in keys.items():
        storage.driver.put(key, BytesBody(data), PutOptions())


def test_no_key_leaves_the_destination(bucket: Storage, tmp_path: Path) -> None:
    """Keys that would lead elsewhere as paths are failures of their own, and all others arrive."""
    _fill(bucket, GOOD | dict.fromkeys(CLIMBING, b"evil"))
    root = tmp_path / "outer" / "inner" / "root"
    (tmp_path / "outer" / "x").parent.mkdir()
    result = sync(bucket, files(root))
    below = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}

    assert {path for path in below if not path.startswith("outer/inner/root/")} == set()
    assert {key: (root / key).read_bytes() for key in GOOD} == GOOD
    assert b"evil" not in {(tmp_path / path).read_bytes() for path in below}
    assert not os.path.lexists("/abs")
    assert result.errors == len(CLIMBING)
    assert {outcome.action.path for outcome in result.failures} >= {"../x", "/abs", "a//b"}
    assert result.exit_code != 0


def test_object_and_folder_of_one_name(bucket: Storage, tmp_path: Path) -> None:
    """Rule 11: of ``a`` and ``a/b`` a folder can hold one; the other is a failure, and all else goes on."""
    _fill(bucket, {"a": b"object", "a/b": b"below", "z": b"last"})
    there = files(tmp_path / "d")
    result = sync(bucket, there)
    found = held(there)

    assert result.errors == 1
    assert found.pop("z") == b"last"
    assert found in ({"a": b"object"}, {"a/b": b"below"})


def test_names_that_are_too_long(bucket: Storage, tmp_path: Path) -> None:
    """A key whose name no file can have is its own failure."""
    long = "n" * 300
    _fill(bucket, {long: b"long", f"d/{long}/x": b"below", "z": b"last"})
    there = files(tmp_path / "d")
    result = sync(bucket, there)

    assert held(there) == {"z": b"last"}
    assert result.errors == 2


TLS = {"radosgw": "radosgw_tls", "rclone_s3": "rclone_s3_tls"}
"""Servers that speak it, by the fixture of the same one without."""


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_in_any_line(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a whole run at -vv, with failures and retries, no line or file has a key, a token or a signed link."""
    customer_key = b64encode(bytes(range(32))).decode()
    token = "FwoGZXIvYXdzSECRETSESSIONTOKEN"
    server: Server = secretive(request.getfixturevalue(kind))
    by_tls: Server = secretive(request.getfixturevalue(TLS.get(kind, kind)))
    # The others take no notice of such a key, and are refused.
    seals = kind in ("radosgw", "localstack")
    secrets: dict[str, str] = {"secret": server.secret_key, "customer key": customer_key, "token": token}
    source, state = tmp_path / "s", tmp_path / "state"
    caplog.set_level("DEBUG")
    monkeypatch.setenv("OMNISTORAGE_STATE", str(state))
    (source / "d").mkdir(parents=True)
    (source / "d" / "small").write_bytes(b"small")
    (source / "large").write_bytes(os.urandom(6 << 20))
    with ExitStack() as stack:
        faults = stack.enter_context(Faults(by_tls))
        plain = stack.enter_context(Faults(server))
        one = stack.enter_context(Storage(fresh_bucket(faults.server)))
        two = stack.enter_context(Storage(fresh_bucket(plain.server)))
        sealing = {"sse_customer_key": customer_key} if seals else {}
        sealed = settings(faults.server, bucket=one.driver.options.bucket, **sealing)
        temporary = settings(plain.server, bucket=two.driver.options.bucket, session_token=token)
        keys = settings(plain.server, bucket=two.driver.options.bucket)
        config = configured(
            tmp_path / "c.toml",
            sealed=S3Options(**sealed),
            temporary=S3Options(**temporary),
            plain=S3Options(**keys),
        )
        faults.add(internal_error(), "PUT .*small")
        said = []

        def run(*words: str | Path) -> Any:
            # In this process, so that what the library logs is seen, too.
            ran = run_here(words[0], "--config", config, "-vv", *words[1:])
            said.append(ran.out + ran.err + caplog.text)
            caplog.clear()
            return ran

        cutoff = ("--multi-thread-cutoff", "5Mi", "--dump", "headers")
        up = run("sync", *cutoff, source, "sealed:")
        back = run("sync", *cutoff, "sealed:", tmp_path / "d")
        again = run("sync", *cutoff, source, "plain:")
        # One server takes no notice of a token that it has not given out.
        run("sync", *cutoff, source, "temporary:x")
        shell = f"s3://{two.driver.options.bucket}/q?endpoint_url={plain.server.endpoint}&region=us-east-1"
        inline = f"{shell}&access_key_id={quote(server.access_key)}&secret_access_key={quote(server.secret_key)}"
        named = run("sync", *cutoff, source, inline)
        failing = run("copy", "--dump", "headers", inline.replace("s3://", "s3://no-"), tmp_path / "none")
        link = run_here("link", "--config", config, "plain:d/small").out.strip()
        signature = link.rpartition("Signature=")[2]
        verbose = run("link", "plain:d/small")
        signed = [seen.headers["authorization"] for seen in (*faults.seen, *plain.seen)]

    kept = "".join(path.read_text(errors="replace") for path in state.rglob("*") if path.is_file())
    assert (up.code, back.code, again.code, named.code) == (0, 0, 0, 0), said
    assert all("INFO" in text and "omnistorage.drivers._http" in text for text in said[:4])
    # The lines of the command itself, one for each request, with headers.
    for ran in (up, back, again, named, failing, verbose):
        assert " DEBUG : " in ran.err
        assert " bytes sent, " in ran.err
    for ran in (up, back, again, named, failing):
        assert ": headers sent {" in ran.err
    assert ("customer-key': '***'" in up.err) is seals
    assert ", attempt 2" in up.err
    assert len(signature) == 64
    secrets |= {f"signature {at}": text.rpartition("Signature=")[2] for at, text in enumerate(signed)}
    assert failing.code != 0
    assert "no such bucket" in failing.err
    for name, secret in secrets.items():
        for text in (*said, kept):
            assert secret not in text, name
            assert secret.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D") not in text, name
    assert (verbose.code, "Signature=" in verbose.err) == (0, False)
    assert "AWS4-HMAC-SHA256 Credential" not in "".join(said)
