"""Times of modification of S3, which its listings do not tell, in what commands show and choose."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cli_runs import Run
from omnistorage.drivers.s3 import S3Driver
from omnistorage.storage import Storage
from s3_scenes import configured, fresh_bucket
from servers import Server

WHEN = 1_600_000_000_123_456_789


@pytest.fixture
def work(radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Storage:
    """A bucket with an old object and a new one, which the configured remote ``work`` means."""
    driver = fresh_bucket(radosgw)
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(configured(tmp_path / "config.toml", work=driver.options)))
    storage = Storage(S3Driver(driver.options))
    storage.write_bytes("d/old", b"x", modified=WHEN)
    storage.write_bytes("new", b"yy", modified=time.time_ns())
    return storage


def test_times_are_shown(run: Run, work: Storage) -> None:
    """As they are kept, and not as the service has stored the object."""
    (old,) = json.loads(run("lsjson", "work:d").out)

    assert run("lsl", "work:d").out == "        1 2020-09-13 12:26:40.123456789 old\n"
    assert run("lsf", "--format", "tp", "work:d").out == "2020-09-13 12:26:40;old\n"
    assert old["ModTime"] == "2020-09-13T12:26:40.123456789Z"
    assert "[Sep 13 12:26]  old" in run("tree", "-D", "work:").out
    assert run("tree", "--sort", "mtime", "work:d").code == 0


@pytest.mark.parametrize(
    ("args", "left"),
    [
        (("--max-age", "1h"), ["d/old"]),
        (("--min-age", "1h"), ["new"]),
        (("--min-age", "1h", "--exclude", "/d/**"), ["d/old", "new"]),
        (("--max-age", "2020-01-01", "--min-age", "2021-01-01"), ["new"]),
    ],
)
def test_ages_are_those_of_the_objects(run: Run, work: Storage, args: tuple[str, ...], left: list[str]) -> None:
    """What is deleted for its age has that age."""
    listed = run("lsf", "-R", "--files-only", "work:", *args).out.splitlines()
    ran = run("delete", "work:", *args)

    assert ran.code == 0
    assert list(work.list()) == left
    assert sorted(listed) == sorted({"d/old", "new"} - set(left))


def test_ages_in_transfers(run: Run, work: Storage, tmp_path: Path) -> None:
    """A copy by age takes what has that age."""
    ran = run("copy", "work:", "kept", "--min-age", "1d")

    assert ran.code == 0
    assert [str(path.relative_to(tmp_path)) for path in (tmp_path / "kept").rglob("*") if path.is_file()] == [
        "kept/d/old"
    ]
    assert (tmp_path / "kept/d/old").stat().st_mtime_ns == WHEN
