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
    """A proxy before a server that takes any token of a session, and keys of one's own."""
    with Faults(moto) as faults:
        yield faults


@pytest.fixture
def driver(moto: Server, faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> S3Driver:
    """A bucket behind it, with all secrets that there are; ``work`` means it, ``wrong`` none."""
    bucket = fresh_bucket(moto).options.bucket
    secrets = {"session_token": TOKEN, "sse_customer_key": KEY, "secret_access_key": "a-secret-of-ours"}
    options = Options(**settings(faults.server, provider="moto", bucket=bucket, **secrets))
    wrong = msgspec.structs.replace(options, sse_customer_key="", bucket="there-is-none")
    plain = msgspec.structs.replace(options, sse_customer_key="")
    config = configured(tmp_path / "config.toml", work=options, wrong=wrong, plain=plain)
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


def test_no_secret_in_any_line_of_a_run(run: Run, driver: S3Driver, faults: Faults, tmp_path: Path) -> None:
    """Of a session with a token and a key of one's own: uploads whole and in parts, links, failures of all kinds."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "small").write_bytes(b"x")
    (tmp_path / "d" / "large").write_bytes(pattern(41 << 20))
    log = ("-vv", "--dump", "headers", "--low-level-retries", "3")
    faults.add(slow_down(0), "^PUT", times=1)
    runs = [run("copy", "d", "work:d", *log)]
    runs.append(run("sync", "work:d", "back", *log))
    runs.append(run("check", "d", "work:d", "--download", "-vv", "--dump", "headers"))
    run("rcat", "plain:small", stdin=b"x")
    linked = run("link", "plain:small", "-vv")
    # There is no link to what has a key of its own, nor does this server copy it; both are failures with a trace.
    runs.append(run("link", "work:d/large", "-vv"))
    runs.append(run("copyto", "work:d/large", "work:e", *log))
    faults.add(internal_error(), "^GET", times=None)
    runs.append(run("sync", "work:d", "again", *log))
    faults.clear()
    runs.append(run("copy", "d", "wrong:d", *log))
    runs.append(run("lsf", "wrong:", "-vv", "--log-file", tmp_path / "log"))

    told = "\n".join([*(ran.out + ran.err for ran in runs), linked.err, (tmp_path / "log").read_text()])
    signatures = {seen.headers["authorization"].rpartition("Signature=")[2] for seen in faults.seen}
    signatures.add(linked.out.strip().rpartition("Signature=")[2])
    assert [ran.code for ran in (*runs[:3], linked)] == [0] * 4
    assert 0 not in [ran.code for ran in runs[3:]]
    assert len(REQUEST.findall(told)) > 20
    assert ", attempt 2" in told
    assert "uploadId=" in told
    assert "Traceback" in told
    for secret in {"a-secret-of-ours", TOKEN, KEY, *signatures}:
        assert secret
        assert secret not in told
