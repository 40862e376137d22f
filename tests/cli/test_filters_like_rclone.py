"""Filters, side by side with rclone on random trees and flags: the rules they become, and the files they select.

``OMNISTORAGE_CASES=2000`` compares more cases than the usual run does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings

from cli_runs import run_here
from filter_scenes import ALL_FLAGS, ANY_GLOBS, CASES, TREES, Flag, Tree, arguments, plant, rule_flags

RCLONE = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))

pytestmark = pytest.mark.skipif(RCLONE is None and "CI" not in os.environ, reason="rclone is not installed")

BEGIN, END = "--- start filters ---\n", "--- end filters ---\n"


class Answer(NamedTuple):
    """What a program says to flags of filters."""

    code: int
    rules: list[str]
    files: list[str]


def by_rclone(root: Path, flags: list[str]) -> Answer:
    done = subprocess.run(
        [str(RCLONE), "lsf", "-R", "--files-only", str(root), "--dump", "filters", *flags],
        capture_output=True,
        env={"RCLONE_CONFIG": "", "HOME": str(root), "TZ": "UTC"},
        check=False,
    )
    rules, rest = _split(done.stdout.decode())
    return Answer(done.returncode, rules, [] if done.returncode else sorted(rest.splitlines()))


def by_ours(root: Path, flags: list[str]) -> Answer:
    with patch.dict(os.environ, {"OMNISTORAGE_CONFIG": "", "TZ": "UTC"}):
        ran = run_here("lsf", "-R", "--files-only", root, "--dump", "filters", *flags)
    return Answer(ran.code, _split(ran.err)[0], [] if ran.code else sorted(ran.out.splitlines()))


def _split(text: str) -> tuple[list[str], str]:
    """Return the dump of the filters, without times, and what follows it."""
    before, _, rest = text.partition(BEGIN)
    dump, end, after = rest.partition(END)
    # rclone adds what its clock says to fixed times.
    return [line for line in dump.splitlines() if not line.startswith("Last-modified")], after if end else before


@settings(max_examples=CASES)
@example([("--include", "\\***")])
@example([("--include", "a\\***b")])
@example([("--include", "\\**")])
@given(rule_flags(ANY_GLOBS))
def test_rules_become_what_rclone_makes_of_them(flags: list[Flag]) -> None:
    """The same flags are refused by both, or become the same expressions in the same order."""
    with tempfile.TemporaryDirectory() as folder:
        given = arguments(flags, Path(folder))
        (root := Path(folder) / "root").mkdir()

        assert by_ours(root, given) == by_rclone(root, given)


@settings(max_examples=CASES)
@example({"a*x/y/zb": (1, 0)}, [("--include", "a\\***b")])
@given(TREES, ALL_FLAGS)
def test_files_are_those_of_rclone(tree: Tree, flags: list[Flag]) -> None:
    """The same flags select the same files of the same tree."""
    with tempfile.TemporaryDirectory() as folder:
        given = arguments(flags, Path(folder))
        plant(tree, root := Path(folder) / "root")

        assert by_ours(root, given) == by_rclone(root, given)
