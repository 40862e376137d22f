"""A sync, copy or move killed at any moment: no half file under any name, and the next run ends what it began.

``OMNISTORAGE_CASES=200`` kills each of them 200 times; with ``--log-cli-level=INFO`` the figures are shown.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kill_scenes import TICK, Watched
from sync_scenes import NEWER, Tree, files, fill, held, leftovers

MIB = 1 << 20
LARGE = 40 * MIB
"""Beyond what goes in one piece."""
MEDIUM = 3 * MIB

MOMENTS = int(os.environ.get("OMNISTORAGE_CASES", "5"))
RECIPES = ["sync", "copy", "move", "move to another file system"]

OLD: Tree = {f"d{number % 7}/f{number:03}": b"old %d" % number for number in range(250)} | {
    "large/one": b"o" * LARGE,
    "large/two": b"short",
    "gone/a": b"gone",
    "gone/b": b"away",
}
NEW: Tree = (
    {f"d{number % 7}/f{number:03}": b"new bytes of %d" % number for number in range(300)}
    | {f"m/{number}": os.urandom(MEDIUM) for number in range(10)}
    | {"large/one": os.urandom(LARGE), "large/two": os.urandom(LARGE), "large/three": os.urandom(LARGE)}
)
TOTAL = sum(map(len, NEW.values()))

logger = logging.getLogger(__name__)


def _end(recipe: str) -> Tree:
    """Return what the destination holds when all is done."""
    return NEW if recipe == "sync" else OLD | NEW


def _changed(root: Path) -> bool:
    """Say whether the first file was replaced or one is gone, or anything new has come."""
    replaced = (root / "d0/f000").stat().st_size != len(OLD["d0/f000"])
    return replaced or not (root / "gone/a").exists() or (root / "m").exists() or bool(leftovers(root))


def _finished(target: Path) -> int:
    """Return the bytes of the new files and of the parts that are complete."""
    done = sum(len(data) for path, data in NEW.items() if _is(target / path, data))
    for record in target.rglob(".omnistorage-*.done"):
        if record.with_suffix(".part").exists():
            done += sum(int(line.split()[1]) for line in record.read_text().splitlines()[1:])
    return done


def _is(file: Path, data: bytes) -> bool:
    return file.exists() and file.stat().st_size == len(data) and file.read_bytes() == data


def _listed(root: Path) -> list[str]:
    words = [sys.executable, "-m", "omnistorage", "lsf", "-R", "--files-only", str(root)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


class Pair:
    """A source with the new tree and a destination with the old one, made anew for each moment."""

    def __init__(self, recipe: str, here: Path, elsewhere: Path) -> None:
        self._words = [recipe.partition(" ")[0], "--json"]
        self.source = here / "s"
        self.target = (here if recipe == recipe.partition(" ")[0] else elsewhere) / "d"
        self._models = here / "old", here / "new"
        for model, tree, when in zip(self._models, (OLD, NEW), (NEWER - 10**9, NEWER), strict=True):
            fill(files(model), tree, when=when)

    def lay(self) -> None:
        """Put both trees into their places."""
        for model, place in zip(self._models, (self.target, self.source), strict=True):
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(model, place)

    def start(self) -> Watched:
        """Start the command, and wait for its first change."""
        command = Watched(*self._words, self.source, self.target)
        command.wait_for(lambda: _changed(self.target))
        return command


@pytest.fixture(params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> str:
    """What is killed."""
    return str(request.param)


@pytest.fixture
def pair(recipe: str, tmp_path: Path, elsewhere: Path) -> Pair:
    """The two places."""
    return Pair(recipe, tmp_path, elsewhere)


@pytest.fixture
def elsewhere(recipe: str) -> Iterator[Path]:
    """A folder on another file system."""
    shared = Path("/dev/shm") / f"omnistorage-kill-{os.getpid()}"
    if not shared.parent.is_dir():
        pytest.skip("no file system in memory at /dev/shm")
    shared.mkdir()
    yield shared
    shutil.rmtree(shared)


@pytest.mark.timeout(60 + 10 * MOMENTS)
def test_killed_at_any_moment(recipe: str, pair: Pair) -> None:
    """Rules 1, 4 and 9: after ``kill -9`` every name holds its old bytes or its new ones, and a rerun converges."""
    end = _end(recipe)
    pair.lay()
    first = pair.start()
    began = time.monotonic()
    whole = first.result()[1]
    duration = time.monotonic() - began
    beside = max(0, whole - TOTAL)
    sums: Counter[str] = Counter()
    for number in range(MOMENTS):
        pair.lay()
        first = pair.start()
        after = random.uniform(0, duration)
        if number % 2 or whole < TOTAL:
            # Most of the time goes by with small files, and most of the bytes with large ones.
            first.wait(after)
        else:
            # How far a run has come says more than the time does where a machine is now slow, now fast.
            first.wait_for_bytes(random.uniform(0, whole))
            first.wait(after % TICK)
        sums["ended before"] += first.ended
        first.kill()
        source, target = files(pair.source), files(pair.target)
        between, left = held(target), held(source)
        visible, hidden = _listed(pair.target), leftovers(pair.target)
        finished = _finished(pair.target)
        result, written = pair.start().result()

        assert {path for path, data in between.items() if data not in (OLD.get(path), NEW.get(path))} == set(), after
        assert set(OLD) - set(between) <= ({"gone/a", "gone/b"} if recipe == "sync" else set())
        assert {path for path, data in NEW.items() if data not in (left.get(path), between.get(path))} == set(), after
        assert sorted(visible) == sorted(between)
        assert not set(hidden) & {os.path.basename(path) for path in visible}
        assert (result["exit_code"], result["errors"]) == (0, 0)
        assert held(target) == end
        assert held(source) == ({} if recipe.startswith("move") else NEW)
        assert leftovers(pair.target) == leftovers(pair.source) == []
        # Each run tells what it sends; what the system counts has the journal in it, which varies by some rows.
        assert result["bytes"] - (TOTAL - finished) <= finished / 10, (after, result, finished)
        again = max(0, written - beside - (TOTAL - finished))
        sums["finished"] += finished
        sums["again"] += again
        sums["partly"] += 0 < finished < TOTAL

    logger.info("%s: whole run %d ms, %d bytes beside %d; %s", recipe, duration * 1000, beside, TOTAL, dict(sums))
    assert sums["again"] <= sums["finished"] / 10
    assert sums["partly"] > MOMENTS // 4 or recipe == "move"
