"""Lists of paths that a transfer writes: what was equal, what differed, what was on one side only, what failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli_runs import run_here
from sync_scenes import NEWER, files, fill, held

RCLONE = Path(sys.executable).parent / "rclone"
REPORTS = ("combined", "match", "differ", "missing-on-src", "missing-on-dst", "error", "dest-after")


def _sides(root: Path) -> None:
    fill(files(root / "s", {"same": b"1", "n/new": b"2"}), {"changed": b"new text"}, when=NEWER)
    files(root / "d", {"same": b"1", "changed": b"old", "n/gone": b"3"})


def _flags(root: Path) -> list[str]:
    return [word for report in REPORTS for word in (f"--{report}", str(root / report))]


def _lists(root: Path) -> dict[str, list[str]]:
    return {report: sorted((root / report).read_text().splitlines()) for report in REPORTS}


@pytest.mark.parametrize("command", ["sync", "copy"])
@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["real", "dry"])
def test_lists_are_those_of_rclone(command: str, more: list[str], tmp_path: Path) -> None:
    """Each list has the paths that rclone lists, in a real run and in a dry one."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for root in (ours, theirs):
        _sides(root)
    ran = run_here(command, ours / "s", ours / "d", *_flags(ours), *more)
    words = [str(RCLONE), "--config", "", command, str(theirs / "s"), str(theirs / "d"), *_flags(theirs), *more]
    subprocess.run(words, check=True, capture_output=True)

    assert ran.code == 0
    assert _lists(ours) == _lists(theirs)


def test_failures_are_listed(tmp_path: Path) -> None:
    """What fails is listed under ``!``, and what the destination keeps is in ``--dest-after``."""
    files(tmp_path / "s", {"clash/x": b"1", "a": b"2"})
    dst = files(tmp_path / "d", {"clash": b"in the way"})
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", *_flags(tmp_path))

    assert ran.code == 1
    assert _lists(tmp_path)["combined"] == ["! clash", "+ a"]
    assert _lists(tmp_path)["dest-after"] == ["a", "clash"]
    assert held(dst) == {"clash": b"in the way", "a": b"2"}


def test_unwritable_list_ends_it_before_it_begins(tmp_path: Path) -> None:
    """A list that cannot be written is one line, and nothing is done."""
    _sides(tmp_path)
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", "--combined", tmp_path / "no/such/folder")

    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert set(held(files(tmp_path / "d"))) == {"same", "changed", "n/gone"}
