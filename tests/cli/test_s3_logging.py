"""What ``-vv`` and ``--dump headers`` tell of requests: what went on, and no secret, whatever happens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cli_runs import Run
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.testing.bodies import pattern
from s3_scenes import configured, fresh_bucket, settings
from servers import Server
from servers.faults import Faults, internal_error, slow_down

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
TOKEN = "a-token-of-this-session"
REQUEST = re.compile(
    r"(GET|HEAD|PUT|POST|DELETE) 127\.0\.0\.1:\d+/\S*: \d{3} in [\d.]+ ms, \d+ bytes sent, \w+ got, "
)


@pytest.fixture
def faults(moto: Server) -> Iterator[Faults]:
    """A proxy before a server that takes any token of a session."""
    with Faults(moto) as faults:
        yield faults


@pytest.fixture
def sealing(radosgw: Server) -> Iterator[Faults]:
    """A proxy before a server that encrypts by keys of one's own."""
    with Faults(radosgw) as faults:
        yield faults


@pytest.fixture
def driver(moto: Server, faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> S3Driver:
    """A bucket behind it, in a session; ``work`` means it, ``wrong`` none."""
    bucket = fresh_bucket(moto).options.bucket
    secrets = {"session_token": TOKEN, "secret_access_key": "a-secret-of-ours"}
    options = Options(**settings(faults.server, provider="moto", bucket=bucket, **secrets))
    wrong = msgspec.structs.replace(options, bucket="there-is-none")
    config = configured(tmp_path / "config.toml", work=options, wrong=wrong)
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(config))
    return S3Driver(options)


def test_each_request_is_a_line(run: Run, driver: S3Driver, faults: Faults) -> None:
    """With ``-vv`` only; without, nothing is said of them."""
    run("rcat", "work:d/a", stdin=b"x")
    quiet = run("lsf", "-R", "work:", "-v")
    asked = faults.count("list-type=2")
    ran = run("lsf", "-R", "work:", "-vv")
    lines = ran.err.splitlines()

    assert (quiet.code, quiet.err) == (0, "")
    assert ran.out == quiet.out == "d/\nd/a\n"
    assert len(lines) == faults.count("list-type=2") - asked == 1
    assert " DEBUG : GET 127.0.0.1:" in lines[0]
    assert REQUEST.search(lines[0])
    assert "list-type=2" in lines[0]
    assert "headers sent" not in lines[0]


@pytest.mark.parametrize("flags", [(), ("-q",), ("-vv",)])
def test_dump_headers(run: Run, driver: S3Driver, flags: tuple[str, ...]) -> None:
    """It brings ``-vv`` along, as with rclone, also with ``-q``; and can be given beside filters."""
    ran = run("lsf", "work:", "--dump", "headers,filters", *flags)

    assert ran.code == 0
    assert "--- start filters ---" in ran.err
    assert ": headers sent {" in ran.err
    assert "'authorization': '***'" in ran.err
    assert REQUEST.search(ran.err)
    assert ("-vv is set" in ran.err) is (flags != ("-vv",))


def test_dump_headers_of_transfers(run: Run, driver: S3Driver, tmp_path: Path) -> None:
    """There the flags are put together in another order."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(b"x")
    ran = run("copy", "d", "work:", "--dump", "headers", "--use-json-log")
    lines = [json.loads(line) for line in ran.err.splitlines()]

    assert ran.code == 0
    assert any(": headers sent {" in line["msg"] and line["level"] == "debug" for line in lines)


def test_other_dumps_are_refused(run: Run, tmp_path: Path) -> None:
    """What is known is named."""
    ran = run("lsf", tmp_path, "--dump", "headers,bodies")

    assert ran.code == 2
    assert "'bodies' cannot be dumped; known: filters, headers" in ran.err


def test_logging_is_over_with_the_run(run: Run, driver: S3Driver) -> None:
    """The next run in this process says no more than it is asked to."""
    run("lsf", "work:", "-vv")

    assert run("lsf", "work:").err == ""


@pytest.fixture
def sealed(radosgw: Server, sealing: Faults, driver: S3Driver, tmp_path: Path) -> str:
    """The name of a remote whose objects are encrypted by ``KEY``."""
    bucket = fresh_bucket(radosgw).options.bucket
    options = Options(**settings(sealing.server, bucket=bucket, sse_customer_key=KEY))
    added = configured(tmp_path / "sealed.toml", sealed=options).read_text()
    with (tmp_path / "config.toml").open("a") as config:
        config.write(added)
    return "sealed"


def test_no_secret_in_any_line_of_a_run(
    run: Run, driver: S3Driver, faults: Faults, sealed: str, sealing: Faults, tmp_path: Path
) -> None:
    """Of a session with a token, and with a key of one's own: uploads whole and in parts, links, failures."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "small").write_bytes(b"x")
    (tmp_path / "d" / "large").write_bytes(pattern(41 << 20))
    log = ("-vv", "--dump", "headers", "--low-level-retries", "3")
    runs = []
    for remote, proxy in (("work", faults), (sealed, sealing)):
        proxy.add(slow_down(0), "^PUT", times=1)
        runs.append(run("copy", "d", f"{remote}:d", *log))
        runs.append(run("sync", f"{remote}:d", f"back {remote}", *log))
        runs.append(run("check", "d", f"{remote}:d", "--download", "-vv", "--dump", "headers"))
        runs.append(run("copyto", f"{remote}:d/large", f"{remote}:e", *log))
    linked = run("link", "work:d/small", "-vv")
    done = [*runs, linked]
    # There is no link to what has a key of its own.
    runs.append(run("link", "sealed:d/large", "-vv"))
    faults.add(internal_error(), "^GET", times=None)
    runs.append(run("sync", "work:d", "again", *log))
    faults.clear()
    runs.append(run("copy", "d", "wrong:d", *log))
    runs.append(run("lsf", "wrong:", "-vv", "--log-file", tmp_path / "log"))

    told = "\n".join([*(ran.out + ran.err for ran in runs), linked.err, (tmp_path / "log").read_text()])
    signatures = {seen.headers["authorization"].rpartition("Signature=")[2] for seen in (*faults.seen, *sealing.seen)}
    signatures.add(linked.out.strip().rpartition("Signature=")[2])
    assert [ran.code for ran in done] == [0] * 9
    assert 0 not in [ran.code for ran in runs[8:]]
    assert len(REQUEST.findall(told)) > 20
    assert ", attempt 2" in told
    assert "uploadId=" in told
    assert "Traceback" in told
    for secret in {"a-secret-of-ours", TOKEN, KEY, sealing.server.secret_key, *signatures}:
        assert secret
        assert secret not in told
