"""``sync``, ``copy``, ``move``, their siblings and ``check``, side by side with rclone on random trees and flags.

What differs must be one of the deviations that ``transfer_deviations`` models: each says when it is about a case, and
what our result has to be then. ``OMNISTORAGE_CASES=2000`` compares more cases than the usual run does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import event, example, given, note, settings

from cli_runs import run_here
from filter_scenes import CASES
from transfer_deviations import Expected, expected
from transfer_scenes import IN_ORDER, Case, Ended, check_cases, folder_cases, look, object_cases, plant

RCLONE = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))

pytestmark = pytest.mark.skipif(RCLONE is None and "CI" not in os.environ, reason="rclone is not installed")


def by_rclone(case: Case) -> Ended:
    with tempfile.TemporaryDirectory() as folder:
        (root := Path(folder) / "root").mkdir()
        plant(case, root)
        done = subprocess.run(
            [str(RCLONE), *case.words(root), "--retries", "1", "--config", ""],
            capture_output=True,
            env={"RCLONE_CONFIG": "", "HOME": folder, "TZ": "UTC", "GOMAXPROCS": "2"},
            check=False,
            timeout=600,
        )
        note(f"rclone {' '.join(case.words(Path('')))} -> {done.returncode}\n{done.stderr.decode()}")
        return Ended(done.returncode, look(root), sorted(done.stdout.decode().splitlines()))


def by_ours(case: Case) -> Ended:
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"OMNISTORAGE_CONFIG": "", "TZ": "UTC"}):
        (root := Path(folder) / "root").mkdir()
        plant(case, root)
        ran = run_here(*case.words(root), *(() if case.command == "check" else ("--retries", "1")))
        note(f"omnistorage {' '.join(case.words(Path('')))} -> {ran.code}\n{ran.err}")
        return Ended(ran.code, look(root), sorted(ran.out.splitlines()))


def compared(case: Case) -> None:
    """Assert that both programs do the same, but for deviations."""
    wanted: Expected = expected(case, by_rclone(case), by_rclone)
    ours = by_ours(case)
    event(f"{case.command}: {wanted.why or 'as rclone'}")

    assert ours.world == wanted.ended.world, wanted.why
    assert ours.code in wanted.codes, wanted.why
    assert ours.lines == wanted.ended.lines, wanted.why


# The usual run plays the same cases each time, a long one plays new ones.
_bounded = partial(settings, database=None, derandomize="OMNISTORAGE_CASES" not in os.environ)


ONLY_ELSEWHERE = Case(
    command="move",
    world={
        "s": {"b": (b"", 1_700_000_000_000_000_000), "only": (b"1", 1_700_000_000_000_000_000)},
        "d": {"b": (b"", 1_700_000_000_000_000_000)},
        "r": {"b": (b"", 1_700_000_000_000_000_000)},
        "b": {},
    },
    sides=("s/b", "d/a"),
    flags=(("--compare-dest", "@r"),),
    listed=(),
)
"""rclone 1.75 ends with a nil pointer."""

FOLDER_ELSEWHERE = ONLY_ELSEWHERE._replace(
    command="copyto",
    world={**ONLY_ELSEWHERE.world, "r": {"b": None, "b/c": (b"", 1_700_000_000_000_000_000)}},
)
"""rclone 1.75 looks for the name of the source, and fails as it is that of a directory."""

FOLDER_OF_BACKUPS = Case(
    command="copyto",
    world={
        "s": {".a": None, ".a/.a": (b"1", 1_700_000_000_000_000_000)},
        "d": {".a": None, ".a/.a": (b"", 1_700_000_000_000_000_000)},
        "r": {},
        "b": {".a": None, ".a/.a": (b"kept before", 1_700_000_000_000_000_000)},
    },
    sides=("s/.a/.a", "d/.a/.a"),
    flags=(("--backup-dir", "@b"),),
    listed=(),
)
"""rclone would put the old object where it finds a directory, and fails."""

EXACTLY = Case(
    command="copy",
    world={
        "s": {"a": (b"12", 1_700_000_000_000_000_000), "b": (b"", 1_700_000_000_000_000_000)},
        "d": {},
        "r": {},
        "b": {},
    },
    sides=("s", "d"),
    flags=(("--max-transfer", "2b"), *IN_ORDER),
    listed=(),
)
"""The limit is reached exactly; nothing begins after that, not even an object of no bytes."""

EMPTY = EXACTLY._replace(
    command="sync",
    world={
        "s": {"a": (b"", 1_700_000_000_000_000_000)},
        "d": {"b": None, "b/a": (b"", 1_700_000_000_000_000_000)},
        "r": {},
        "b": {"b": None, "b/a": (b"kept before", 1_700_000_000_000_000_000)},
    },
    flags=(("--backup-dir", "@b"), ("--track-renames",), ("--create-empty-src-dirs",)),
)
"""rclone takes an empty file for another empty file, which so gets no backup."""

CUT_SHORT = EXACTLY._replace(
    world={
        "s": {"A": (b"aa", 1_700_000_000_000_000_000), "a": (b"aa", 1_700_000_000_000_000_000)},
        "d": {"a": (b"", 1_700_000_000_000_000_000)},
        "r": {},
        "b": {},
    },
    flags=(("--inplace",), ("--max-transfer", "3b"), *IN_ORDER),
)
"""rclone removes what it has begun to write over."""


@_bounded(max_examples=CASES * 3 // 5)
@given(folder_cases())
@example(EXACTLY)
@example(EMPTY)
@example(CUT_SHORT)
def test_folders_become_what_rclone_makes_of_them(case: Case) -> None:
    """A run between two folders leaves the same trees, times and exit code."""
    compared(case)


@_bounded(max_examples=CASES // 5)
@given(object_cases())
@example(ONLY_ELSEWHERE)
@example(FOLDER_ELSEWHERE)
@example(FOLDER_OF_BACKUPS)
@example(FOLDER_OF_BACKUPS._replace(flags=(*FOLDER_OF_BACKUPS.flags, ("--dry-run",))))
def test_objects_go_where_rclone_takes_them(case: Case) -> None:
    """A run from one object leaves the same trees, times and exit code."""
    compared(case)


@_bounded(max_examples=CASES // 5)
@given(check_cases())
def test_check_finds_what_rclone_finds(case: Case) -> None:
    """A comparison prints the same lines, with the same exit code."""
    compared(case)
