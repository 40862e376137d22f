"""``omnistorage touch``."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_runs import Run


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("2020-01-01T00:00:00", 1_577_836_800),
        ("2020-01-01T00:00:00.5", 1_577_836_800.5),
        ("2020-01-01T01:00:00+01:00", 1_577_836_800),
        ("2020-01-01", 1_577_836_800),
        ("200101", 1_577_836_800),
    ],
)
def test_times(run: Run, tree: Path, given: str, seconds: float) -> None:
    """Each way to write a time sets it, in UTC."""
    ran = run("touch", "-t", given, tree / "a.txt")

    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tree / "a.txt").stat().st_mtime == seconds
    assert (tree / "a.txt").read_bytes() == b"hello"


@pytest.mark.parametrize("given", ["yesterday", "2020-13-01", "2020-01-01 00:00:00", ""])
def test_bad_time(run: Run, tree: Path, given: str) -> None:
    """What is no time is a usage error, and nothing is touched."""
    ran = run("touch", "-t", given, tree / "a.txt")

    assert ran.code == 2
    assert "bad time" in ran.err
    assert (tree / "a.txt").stat().st_mtime == 1_700_000_000


def test_creates(run: Run, tmp_path: Path) -> None:
    """What is not there becomes an empty object, with the folders above it."""
    ran = run("touch", "-t", "2020-01-01", "new/x")

    assert ran.code == 0
    assert (tmp_path / "new" / "x").read_bytes() == b""
    assert (tmp_path / "new" / "x").stat().st_mtime == 1_577_836_800


@pytest.mark.parametrize("flags", [("-C",), ("-n",)])
def test_creates_nothing(run: Run, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """With -C, and in a dry run, nothing is made, and that is no failure."""
    ran = run("touch", *flags, "x")

    assert (ran.code, ran.out) == (0, "")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_directories(run: Run, tree: Path) -> None:
    """Of a directory, the objects in it are touched; with -R also those below, as far as filters select them."""
    run("touch", "-t", "2020-01-01", tree / "b")
    flat = {place.name for place in tree.rglob("*") if place.stat().st_mtime == 1_577_836_800}
    run("touch", "-R", "-t", "2021-01-01", tree, "--exclude", "*.bin")
    deep = {place.name for place in tree.rglob("*") if place.stat().st_mtime == 1_609_459_200}

    assert flat == {".hid", "c.bin"}
    assert deep == {"a.txt", ".hid", "f"}


def test_recursive_makes_nothing(run: Run, tmp_path: Path) -> None:
    """With -R a missing directory is missing."""
    ran = run("touch", "-R", "nope")

    assert ran.code == 3
    assert not (tmp_path / "nope").exists()
