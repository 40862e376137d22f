"""An interrupted run goes on: what was found out is not found out again, and two runs do not do the same work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from cli_runs import run_here
from omnistorage.storage import Storage
from omnistorage.sync import Compare, Journal, Locked, Options, sync
from omnistorage.sync.run import Run
from sync_scenes import WHEN, Counting, files, held

TREE = {f"f{number:03}": bytes([number]) * 1000 for number in range(200)}
BY_CONTENT = Options(compare=Compare.HASH)


def _journal(src: Storage, dst: Storage, folder: Path, options: Options = BY_CONTENT) -> Journal:
    return Journal.between("sync", src.driver, dst.driver, options, folder=folder)


@pytest.mark.parametrize("before", ["equal", "nothing"], ids=["after comparing", "after copying"])
def test_finished_objects_are_not_read_again(before: str, tmp_path: Path) -> None:
    """Rule 9: after an interrupt, objects that were compared or copied are not compared by content again."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", TREE if before == "equal" else {})
    with _journal(src, dst, tmp_path / "state") as journal:
        run = Run.between(src, dst, BY_CONTENT, delete=True)
        run.journal = journal
        for _ in islice(run, 120):
            pass
    counting = Counting(src.driver)
    with _journal(src, dst, tmp_path / "state") as journal:
        result = sync(Storage(counting), dst, BY_CONTENT, journal=journal)

    assert held(dst) == TREE
    assert counting.calls["get"] <= len(TREE) - 120
    assert result.ok


def test_changed_object_is_read_again(tmp_path: Path) -> None:
    """What was compared and then changed under the same size is compared again."""
    src, dst = files(tmp_path / "s", {"a": b"one"}), files(tmp_path / "d", {"a": b"one"})
    with _journal(src, dst, tmp_path / "state") as journal:
        run = Run.between(src, dst, BY_CONTENT, delete=True)
        run.journal = journal
        next(iter(run))
    dst.write_bytes("a", b"two", modified=WHEN + 1)
    with _journal(src, dst, tmp_path / "state") as journal:
        sync(src, dst, BY_CONTENT, journal=journal)

    assert held(dst) == {"a": b"one"}


def test_two_runs_exclude_each_other(tmp_path: Path) -> None:
    """A run that another one is doing right now is refused, with who does it; another selection is another job."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d")
    with _journal(src, dst, tmp_path / "state"):
        with pytest.raises(Locked, match="another run"), _journal(src, dst, tmp_path / "state"):
            pass
        with _journal(src, dst, tmp_path / "state", Options()) as journal:
            assert sync(src, dst, journal=journal).ok


def test_killed_command_is_a_job_that_can_be_resumed(tmp_path: Path) -> None:
    """After ``kill -9``, ``jobs`` shows what was interrupted, ``jobs resume`` ends it, and nothing stays behind."""
    size = 200_000
    files(tmp_path / "s", {f"f{number}": os.urandom(size) for number in range(60)})
    words = [sys.executable, "-m", "omnistorage", "copy", "s", "d", "--bwlimit", "1M"]
    running = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while len(list((tmp_path / "d").glob("f*"))) < 3:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    shown = run_here("jobs")
    (line,) = [line for line in shown.out.splitlines() if "copy s d" in line]
    resumed = subprocess.run(
        [*words[:3], "jobs", "resume", line.split()[0]], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    after = run_here("jobs")

    assert "interrupted" in line
    assert resumed.returncode == 0
    assert held(files(tmp_path / "d")) == held(files(tmp_path / "s"))
    assert "copy s d" not in after.out
