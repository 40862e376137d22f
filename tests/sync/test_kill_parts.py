"""A copy of large files that is killed or stopped at any moment: the next run goes on from the last part."""

from __future__ import annotations

import filecmp
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kill_scenes import Watched
from sync_scenes import leftovers

COMMAND = [sys.executable, "-m", "omnistorage", "copy", "--json"]
MIB = 1 << 20
PART = 3 * MIB
FILES = {"one": 128 * MIB, "folder/two": 136 * MIB + 4097, "folder/three": 120 * MIB - 1}
TOTAL = sum(FILES.values())
ROUNDS = 30

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three files, larger than what goes in one piece."""
    root = tmp_path_factory.mktemp("source")
    block = os.urandom(4 * MIB)
    for name, size in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        with (root / name).open("wb") as file:
            for at in range(0, size, len(block)):
                # Each block is another one, so that a part in a wrong place is seen.
                file.write((at.to_bytes(8, "big") + name[0].encode() + block)[: min(len(block), size - at)])
    yield root
    shutil.rmtree(root)


def _run(source: Path, target: Path) -> tuple[dict[str, Any], int]:
    """Copy to the end; return the result and the bytes that were written."""
    return Watched("copy", "--json", source, target).result()


def _killed(source: Path, target: Path, after: int) -> int:
    """Copy, kill that when so many bytes are written, and return how many it were in the end."""
    process = Watched("copy", "--json", source, target)
    process.wait_for(lambda: process.written >= after)
    return process.kill()


def _finished(target: Path) -> int:
    """Return the bytes of the files and parts that are complete."""
    done = sum((target / name).stat().st_size for name in FILES if (target / name).exists())
    for record in target.rglob(".omnistorage-*.done"):
        if record.with_suffix(".part").exists():
            done += sum(int(line.split()[1]) for line in record.read_text().splitlines()[1:])
    return done


def _same(source: Path, target: Path) -> bool:
    return all(filecmp.cmp(source / name, target / name, shallow=False) for name in FILES)


@pytest.mark.timeout(600)
def test_killed_at_random_moments(source: Path, tmp_path: Path) -> None:
    """Rules 1 and 9: after ``kill -9`` at any moment less than a tenth is sent again, none of it finished before."""
    whole, written = _run(source, tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole")
    again, resumed, torn = [], 0, 0
    for number in range(ROUNDS):
        target = tmp_path / f"target {number}"
        before = _killed(source, target, random.randrange(1, TOTAL))
        finished = _finished(target)
        between = {name for name in FILES if (target / name).exists()}
        torn += sum(not filecmp.cmp(source / name, target / name, shallow=False) for name in between)
        result, after = _run(source, target)
        again.append(before + after - TOTAL)
        resumed += result["resumed"] > 0

        assert result["exit_code"] == 0
        # Of what was complete, nothing at all.
        assert after < TOTAL - finished + MIB
        assert result["bytes"] + result["resumed"] == sum(FILES[name] for name in FILES.keys() - between)
        assert _same(source, target)
        assert leftovers(target) == []
        shutil.rmtree(target)

    # With --log-cli-level=INFO.
    logger.info("%d of %d resumed; sent again: %d bytes at most, %d in all", resumed, ROUNDS, max(again), sum(again))
    assert (whole["bytes"], torn) == (TOTAL, 0)
    assert TOTAL <= written < TOTAL + MIB
    # At most one part of each file was under way, and less than a tenth of all is sent again in the worst round.
    assert max(again) < 3 * PART + MIB < TOTAL / 10
    assert resumed > ROUNDS // 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_hand(number: signal.Signals, code: int, source: Path, tmp_path: Path) -> None:
    """Rule 9: Ctrl-C keeps the parts of large objects and says so, removes all else, and the next run goes on."""
    slow = [*COMMAND, "--bwlimit", "64M", "--transfers", "1", str(source), str(tmp_path / "d")]
    with subprocess.Popen(slow, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not any(
            len(path.read_bytes().splitlines()) > 2 for path in tmp_path.rglob(".omnistorage-*.done")
        ):
            time.sleep(0.01)
        process.send_signal(number)
        assert process.stderr is not None
        said = process.stderr.read()
    kept = sorted(name.rpartition(".")[2] for name in leftovers(tmp_path))
    result, _ = _run(source, tmp_path / "d")

    assert process.returncode == code
    assert said.count(" parts are kept; the next run goes on\n") == 1
    assert kept == ["done", "part"]
    assert result["resumed"] >= 2 * PART
    assert result["exit_code"] == 0
    assert _same(source, tmp_path / "d")
    assert leftovers(tmp_path) == []


def test_source_changed_after_the_kill(source: Path, tmp_path: Path) -> None:
    """Parts of a file that is another one now are of no use, even if its size and its time are the same."""
    src, dst = tmp_path / "s", tmp_path / "d"
    src.mkdir()
    shutil.copy2(source / "one", src / "one")
    slow = [*COMMAND, "--bwlimit", "64M", str(src), str(dst)]
    with subprocess.Popen(slow, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not any(
            len(path.read_bytes().splitlines()) > 2 for path in dst.rglob(".omnistorage-*.done")
        ):
            time.sleep(0.01)
        process.kill()
    left = len(leftovers(dst))
    with (src / "one").open("rb+") as file:
        file.write(b"other bytes")
    shutil.copystat(source / "one", src / "one")
    result, _ = _run(src, dst)

    assert left == 2
    assert (result["resumed"], result["bytes"], result["exit_code"]) == (0, FILES["one"], 0)
    assert filecmp.cmp(src / "one", dst / "one", shallow=False)
    assert leftovers(dst) == []


@pytest.mark.timeout(300)
def test_two_runs_at_once(source: Path, tmp_path: Path) -> None:
    """Two processes that copy to one place at once, one of them killed: nothing is mixed, and nothing stays."""
    command = [*COMMAND, str(source), str(tmp_path / "d")]
    for number in range(4):
        # Each with a memory of its own, by which a run of the same job would be refused.
        places = [os.environ | {"OMNISTORAGE_STATE": str(tmp_path / f"state {turn}")} for turn in range(2)]
        runs = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=place) for place in places]
        time.sleep(random.uniform(0.1, 0.5))
        if number % 2:
            runs[0].kill()
        codes = [run.wait() for run in runs]
        result, _ = _run(source, tmp_path / "d")

        assert codes[1] == 0
        assert result["exit_code"] == 0
        assert _same(source, tmp_path / "d")
        # What the killed one had under a random name, because it came second, is swept when it is old.
        assert number % 2 or leftovers(tmp_path) == []
        shutil.rmtree(tmp_path / "d")
