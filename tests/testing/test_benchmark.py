"""The benchmark measures every verb, leaves nothing behind, and complains in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from omnistorage.core.errors import StorageError
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.storage import Storage
from omnistorage.testing import Fail, FaultyDriver
from omnistorage.testing.benchmark import main, run

SMALL = ["--size", "64k", "--large", "2", "--count", "10", "--small", "100", "--threads", "2"]
NAMES = ["put small", "get small", "put large", "get large", "list", "stat", "delete"]


def test_run() -> None:
    """Each verb is counted, and what was there before is all that is there afterwards."""
    storage = Storage(MemoryDriver())
    storage.write_bytes("mine", b"x")
    found = run(storage, size=100_000, large=2, small=10, count=20, threads=3)

    assert [one.name for one in found] == NAMES
    assert [one.count for one in found] == [20, 20, 2, 2, 1, 20, 20]
    assert [one.bytes for one in found] == [200, 200, 200_000, 200_000, 0, 0, 0]
    assert all(0 < one.p50 <= one.p95 <= one.p99 <= one.seconds for one in found)
    assert list(storage.list()) == ["mine"]


def test_run_tidies_after_failure() -> None:
    """A failure in the middle leaves nothing behind either."""
    storage = Storage(FaultyDriver(MemoryDriver(), Fail("get", at=5)))
    with pytest.raises(StorageError):
        run(storage, size=1000, large=2, small=10, count=20)

    assert list(storage.list()) == []


def test_main_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an option, people get a line for each verb."""
    code = main(["memory://", *SMALL])
    out, err = capsys.readouterr()

    assert (code, err) == (0, "")
    assert [line[:10].strip() for line in out.splitlines()] == ["", *NAMES]


def test_main_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get one object with all settings and results."""
    code = main(["memory://", "--json", *SMALL])
    told = json.loads(capsys.readouterr().out)

    assert code == 0
    assert (told["url"], told["size"], told["count"]) == ("memory://", 65536, 10)
    assert [one["name"] for one in told["results"]] == NAMES
    assert all(one["ops_per_second"] > 0 for one in told["results"])


def test_main_leaves_no_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is as empty afterwards as it was."""
    code = main([str(tmp_path), *SMALL])

    assert code == 0, capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_main_complains_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong address is told in one line, without a traceback."""
    code = main(["nosuch://x", *SMALL])
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    assert err.startswith("benchmark: ")
    assert err.count("\n") == 1
    assert "nosuch" in err


@pytest.mark.parametrize("wrong", [["--size", "4x"], ["--count", "0"], ["--size", ""], ["--size", "k"], []])
def test_main_refuses_wrong_options(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option ends with usage, as other programs do."""
    with pytest.raises(SystemExit) as caught:
        main(["memory://", *wrong] if wrong else [])

    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err
