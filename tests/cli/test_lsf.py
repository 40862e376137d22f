"""``omnistorage lsf``: columns, separators, times."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli_runs import Run, refuse


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ("", ["a.txt", "b/", "empty/"]),
        ("-R --files-only", ["a.txt", "b/.hid", "b/c.bin", "b/e/f"]),
        ("-R --dirs-only", ["b/", "b/e/", "empty/"]),
        ("--dirs-only --files-only", []),
        ("--absolute --no-dir-slash", ["/a.txt", "/b", "/empty"]),
        ("--format sp --separator |", ["5|a.txt", "-1|b/", "-1|empty/"]),
        ("--format pt -t unix --files-only", ["a.txt;1700000000"]),
        ("--format tp -t DateOnly --files-only", ["2023-11-14;a.txt"]),
        ("--format tp -t max --files-only", ["2023-11-14 22:13:20.000000000;a.txt"]),
        ("--format hp --files-only", ["5d41402abc4b2a76b9719d911017c592;a.txt"]),
        ("--format hp --files-only --hash xxh3", ["9555e8555c62dcfd;a.txt"]),
        ("--format mp", ["text/plain; charset=utf-8;a.txt", "inode/directory;b/", "inode/directory;empty/"]),
        ("--format pioTM --files-only", ["a.txt;;;;{}"]),
        ("-R --max-depth 2 --exclude *.bin", ["a.txt", "b/", "b/.hid", "b/e/", "empty/"]),
    ],
)
def test_columns(run: Run, tree: Path, flags: str, lines: list[str]) -> None:
    """Each flag gives what rclone gives."""
    ran = run("lsf", *flags.split(), tree)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == lines


def test_csv(run: Run, tmp_path: Path) -> None:
    """Cells with commas, quotes and line ends stand in quotes."""
    for name in ("a,b", 'c"d', "e\nf", " g", "h"):
        (tmp_path / name).touch()

    assert run("lsf", "--csv", "--format", "ps", ".").out == '" g",0\n"a,b",0\n"c""d",0\n"e\nf",0\nh,0\n'


@pytest.mark.parametrize("letters", ["q", "pq", "e"])
def test_unknown_column(run: Run, tree: Path, letters: str) -> None:
    """A letter that means nothing is refused with the known ones."""
    ran = run("lsf", "--format", letters, tree)

    assert (ran.code, ran.out) == (1, "")
    assert f"unknown format character {letters[-1]!r}" in ran.err


def test_unknown_hash(run: Run, tree: Path) -> None:
    """The known hashes are listed."""
    ran = run("lsf", "--format", "h", "--hash", "foo", tree)

    assert (ran.code, ran.out) == (2, "")
    assert "known: md5, sha1" in ran.err


def test_object_that_cannot_be_hashed(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its column is empty, it is reported, and the exit code is 1."""
    refuse(monkeypatch, "hash", "a.txt")
    ran = run("lsf", "--format", "hp", "--files-only", tree)

    assert (ran.code, ran.out) == (1, ";a.txt\n")
    assert "ERROR : a.txt: cannot be hashed: access denied" in ran.err


def test_same_with_and_without_the_parser(run: Run, tree: Path) -> None:
    """The short way for plain listings gives the same as the long one."""
    short = run("lsf", "-R", tree)
    long = run("lsf", "-R", tree, "--max-depth", "-1")

    assert short == long
    assert short.out.splitlines() == ["a.txt", "b/", "b/.hid", "b/c.bin", "b/e/", "b/e/f", "empty/"]


def test_time_in_another_zone(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are local."""
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    os.utime(tree / "a.txt", (1_700_000_000, 1_700_000_000))
    ran = run("lsf", "--files-only", "--format", "t", "-t", "RFC3339", tree)

    assert ran.out == "2023-11-14T17:13:20-05:00\n"
