"""Asking before each change: what is answered is done, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_runs import Ran, run_here
from sync_scenes import files, held

HERE = {"a": b"1", "b": b"2", "c": b"3"}
THERE = {"x": b"8", "y": b"9"}


def _sync(root: Path, answers: str, *flags: str) -> tuple[Ran, dict[str, bytes]]:
    files(root / "s", HERE)
    dst = files(root / "d", THERE)
    ran = run_here("sync", root / "s", root / "d", "--interactive", "--transfers", "1", *flags, stdin=answers)
    return ran, held(dst)


@pytest.mark.parametrize(
    ("answers", "after"),
    [
        ("y\n" * 5, HERE),
        ("yes\nYES\nY\nn\nNo\n", HERE | THERE),
        ("n\n" * 5, THERE),
        ("n\ny\nn\ny\nn\n", {"b": b"2", "y": b"9"}),
        ("!\n!\n", HERE),
        ("s\n!\n", {}),
        ("!\ns\n", HERE | THERE),
        ("y\ns\nn\ny\n", {"a": b"1", "x": b"8"}),
    ],
)
def test_answers(answers: str, after: dict[str, bytes], tmp_path: Path) -> None:
    """Yes, no, and for all of a kind; what is declined is no failure."""
    ran, found = _sync(tmp_path, answers)

    assert found == after
    assert ran.code == 0
    assert ran.out == ""


@pytest.mark.parametrize("answers", ["y\nq\n", "y\nquit\n", "y\n"])
def test_quit(answers: str, tmp_path: Path) -> None:
    """To quit, or to say no more, ends the run as an interrupt does; what was done is done."""
    ran, found = _sync(tmp_path, answers)

    assert ran.code == 130
    assert found == THERE | {"a": b"1"}
    assert "Traceback" not in ran.err


def test_nobody_answers(tmp_path: Path) -> None:
    """Without any input nothing is changed."""
    ran, found = _sync(tmp_path, "")

    assert ran.code == 130
    assert found == THERE


def test_asked_again(tmp_path: Path) -> None:
    """What is no answer is asked again."""
    ran, found = _sync(tmp_path, "what?\n\ny\n!\n!\n")

    assert found == HERE
    assert ran.err.count("copy 'a'") == 3


def test_question_names_what_and_why(tmp_path: Path) -> None:
    """The question goes to stderr, with the size and the reason, and names are safe to print."""
    files(tmp_path / "s", {"odd\x1b[2J": b"1"})
    ran = run_here("copy", tmp_path / "s", tmp_path / "d", "-i", stdin="n\n")

    assert "(1" in ran.err
    assert "not there yet?" in ran.err
    assert "\x1b[2J" not in ran.err
    assert held(files(tmp_path / "d")) == {}


def test_move_asks(tmp_path: Path) -> None:
    """Rule 4: an object whose move is declined stays where it is."""
    src = files(tmp_path / "s", HERE)
    ran = run_here("move", tmp_path / "s", tmp_path / "d", "-i", "--transfers", "1", stdin="n\ny\nn\n")

    assert ran.code == 0
    assert held(src) == {"a": b"1", "c": b"3"}
    assert held(files(tmp_path / "d")) == {"b": b"2"}


def test_dry_run_asks_nothing(tmp_path: Path) -> None:
    """A dry run changes nothing, so there is nothing to ask."""
    ran, found = _sync(tmp_path, "", "--dry-run")

    assert ran.code == 0
    assert found == THERE
    assert "y)es" not in ran.err
