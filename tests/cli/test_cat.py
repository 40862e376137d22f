"""``omnistorage cat`` and ``rcat``."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cli_runs import Ran, Run, refuse


@pytest.mark.parametrize(
    ("flags", "out"),
    [
        ("", "hello"),
        ("--head 3", "hel"),
        ("--head 0", "hello"),
        ("--tail 2", "lo"),
        ("--tail 20", "hello"),
        ("--offset 1 --count 3", "ell"),
        ("--offset -3 --count 1", "l"),
        ("--offset 9", ""),
        ("--count 0", ""),
        ("--discard", ""),
        ("--separator |", "hello|"),
    ],
)
def test_ranges(run: Run, tree: Path, flags: str, out: str) -> None:
    """Each flag prints what rclone prints."""
    assert run("cat", tree / "a.txt", *flags.split()) == Ran(0, out, "")


def test_all_below(run: Run, tree: Path) -> None:
    """Of a directory, all selected objects are printed, in path order."""
    assert run("cat", tree, "--exclude", "*.bin", "--separator", ",").out == "hello,h,,"


def test_contradicting_ranges(run: Run, tree: Path) -> None:
    """Two ways to say which bytes are refused."""
    ran = run("cat", tree / "a.txt", "--head", "1", "--tail", "1")

    assert (ran.code, ran.out) == (1, "")
    assert "take one of --head, --tail" in ran.err


def test_object_that_cannot_be_read(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported, the others are printed, and the exit code is 1."""
    refuse(monkeypatch, "get", "a.txt")
    ran = run("cat", tree, "--exclude", "*.bin")

    assert (ran.code, ran.out) == (1, "h")
    assert "ERROR : a.txt: cannot be read: access denied" in ran.err


def test_rcat(run: Run, tmp_path: Path) -> None:
    """Standard input becomes an object, and the folders above it are made."""
    ran = run("rcat", "new/x", stdin="some bytes")

    assert ran == Ran(0, "", "")
    assert (tmp_path / "new" / "x").read_text() == "some bytes"


def test_rcat_of_nothing(run: Run, tmp_path: Path) -> None:
    """Empty input is an empty object."""
    assert run("rcat", "x", "--size", "0").code == 0
    assert (tmp_path / "x").read_bytes() == b""


def test_rcat_dry_run(run: Run, tmp_path: Path) -> None:
    """A dry run stores nothing and says so."""
    ran = run("rcat", "-n", "new/x", stdin="some bytes")

    assert (ran.code, ran.out) == (0, "")
    assert "x: not stored, as this is a dry run" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_rcat_of_another_size(run: Run, tmp_path: Path) -> None:
    """What was announced must come, or what was there stays."""
    (tmp_path / "x").write_text("old")
    ran = run("rcat", "x", "--size", "11", stdin="some bytes")

    assert ran.code == 1
    assert "11 bytes were announced, 10 came" in ran.err
    assert (tmp_path / "x").read_text() == "old"


@pytest.mark.parametrize("place", [".", "folder", "folder/"])
def test_rcat_onto_a_folder(run: Run, tmp_path: Path, place: str) -> None:
    """A directory is not replaced."""
    (tmp_path / "folder").mkdir()
    ran = run("rcat", place, stdin="x")

    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert list((tmp_path / "folder").iterdir()) == []


def test_rcat_onto_a_full_disk(process: Callable[..., Ran], tmp_path: Path) -> None:
    """When there is no space, the old object stays, nothing is left behind, and the exit code is 1."""
    (tmp_path / "x").write_text("old")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    ran = process("rcat", "x", stdin=b"x" * 1_000_000, before=limit)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "omnistorage: file put 'x': no space left\n"
    assert [place.name for place in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "old"


def test_rcat_interrupted(tmp_path: Path) -> None:
    """Stopped by ^C in the middle of the input, rcat leaves nothing and ends with 130."""
    command = [sys.executable, "-m", "omnistorage", "rcat", "x"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMNISTORAGE_CONFIG": ""},
    ) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        # More than the pipe holds: when this has been taken, the command is reading.
        running.stdin.write(b"x" * 3_000_000)
        running.stdin.flush()
        while running.poll() is None:
            # Once more, as one that comes just before a system call is only noticed after it.
            running.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                running.wait(0.5)
        error = running.stderr.read()

    assert running.returncode == 130
    assert error.strip() == b"omnistorage: interrupted"
    assert list(tmp_path.iterdir()) == []
