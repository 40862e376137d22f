"""A sync that is killed at any moment: no half file under any name, and the next run ends what it began."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from omnistorage.sync import sync
from sync_scenes import NEWER, Tree, files, fill, held, leftovers

LARGE = 8 << 20

OLD: Tree = {f"d{number % 7}/f{number:03}": b"old %d" % number for number in range(250)} | {
    "large/one": b"o" * LARGE,
    "large/two": b"short",
    "gone/a": b"gone",
}
NEW: Tree = {f"d{number % 7}/f{number:03}": b"new bytes of %d" % number for number in range(300)} | {
    "large/one": b"n" * LARGE,
    "large/two": b"N" * LARGE,
    "large/three": b"3" * LARGE,
}


def _changed(root: Path) -> bool:
    """Say whether the first file was replaced, or anything new has come."""
    return (root / "d0/f000").stat().st_size != len(OLD["d0/f000"]) or bool(leftovers(root))


def _killed(source: Path, target: Path, after: float) -> None:
    """Start a sync, and kill it so many seconds after its first change."""
    words = [sys.executable, "-m", "omnistorage", "sync", str(source), str(target)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    try:
        while process.poll() is None and not _changed(target):
            time.sleep(0.001)
        time.sleep(after)
    finally:
        process.kill()
        process.communicate()


def _listed(root: Path) -> list[str]:
    words = [sys.executable, "-m", "omnistorage", "lsf", "-R", "--files-only", str(root)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize("moment", range(10))
def test_killed_at_any_moment(moment: int, tmp_path: Path) -> None:
    """Rules 1 and 9: after ``kill -9`` every name holds its old bytes or its new ones, and a rerun converges."""
    after = random.uniform(0.0, 0.01 * (moment + 1))
    src, dst = files(tmp_path / "s"), files(tmp_path / "d", OLD)
    fill(src, NEW, when=NEWER)
    _killed(tmp_path / "s", tmp_path / "d", after)
    between = held(dst)
    visible = _listed(tmp_path / "d")
    hidden = leftovers(tmp_path)
    result = sync(src, dst)

    assert {path for path, data in between.items() if data not in (OLD.get(path), NEW.get(path))} == set(), after
    assert set(OLD) - {"gone/a"} <= set(between)
    assert sorted(visible) == sorted(between)
    assert not set(hidden) & {os.path.basename(path) for path in visible}
    assert result.errors == 0
    assert held(dst) == NEW
    assert leftovers(tmp_path) == []
