"""``omnistorage ls``, ``lsl`` and ``lsd``; their formats are in the recorded cases, too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cli_runs import Ran, Run, refuse


def test_ls(run: Run, tree: Path) -> None:
    """Size and path of all objects, in path order."""
    ran = run("ls", tree)

    assert ran.code == 0
    assert ran.out == "        5 a.txt\n        1 b/.hid\n     1500 b/c.bin\n        0 b/e/f\n"
    assert ran.err == ""


def test_lsl(run: Run, tree: Path) -> None:
    """Times are local and have nine digits."""
    os.utime(tree / "a.txt", ns=(1, 1_700_000_000_123_456_789))

    assert run("lsl", tree, "--include", "a.txt").out == "        5 2023-11-14 22:13:20.123456789 a.txt\n"


def test_lsd(run: Run, tree: Path) -> None:
    """Directories only, with nothing below them unless asked for."""
    first = run("lsd", tree).out.splitlines()
    every = run("lsd", "-R", tree).out.splitlines()

    assert first == [f"          -1 2023-11-14 22:13:20        -1 {name}" for name in ("b", "empty")]
    assert [line.split()[-1] for line in every] == ["b", "b/e", "empty"]


@pytest.mark.parametrize("command", ["ls", "lsl", "lsd", "lsf", "lsjson", "tree", "stat", "cat", "md5sum", "about"])
def test_missing(run: Run, command: str) -> None:
    """A place that is not there has exit code 3 and one line that names it; nothing is printed."""
    ran = run(command, "nope")

    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("omnistorage: file ")
    assert ran.err.endswith("'nope': not found\n")


@pytest.mark.parametrize("command", ["ls", "lsl", "lsd", "lsf", "lsjson", "tree", "cat", "md5sum", "delete", "purge"])
def test_unknown_flag(run: Run, tree: Path, command: str) -> None:
    """A flag that does not exist is a usage error of one line."""
    ran = run(command, tree, "--no-such-flag")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert f"omnistorage {command} --help" in ran.err


@pytest.mark.parametrize(("command", "out"), [("ls", "        5 a.txt\n"), ("lsd", ""), ("lsf", "a.txt\n")])
def test_of_one_object(run: Run, tree: Path, command: str, out: str) -> None:
    """An object is a listing of itself, and filters are refused there."""
    plain = run(command, tree / "a.txt")
    filtered = run(command, tree / "a.txt", "--include", "*")

    assert (plain.code, plain.out) == (0, out)
    assert (filtered.code, filtered.out) == (1, "")
    assert "filters cannot be used with a single file" in filtered.err


@pytest.mark.parametrize(
    "command", ["ls", "lsl", "lsf -R", "lsf -R --files-only --csv", "lsjson -R", "tree", "md5sum"]
)
def test_folder_that_cannot_be_listed(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """It is reported, the rest is listed, and the exit code is 1."""
    refuse(monkeypatch, "list", "b")
    refuse(monkeypatch, "names", "b")
    (tree / "z.txt").touch()
    ran = run(*command.split(), tree)

    assert ran.code == 1
    assert "a.txt" in ran.out
    assert "z.txt" in ran.out
    assert "c.bin" not in ran.out
    assert "ERROR : b: cannot be listed: access denied" in ran.err


def test_root_that_cannot_be_listed(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing beside it to go on with: one line, exit code 1."""
    refuse(monkeypatch, "names", "")
    ran = run("lsf", "-R", tree)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"omnistorage: file list '{tree}': access denied\n"


def test_links_and_fifos_are_reported(run: Run, tree: Path) -> None:
    """What is neither an object nor a directory is named on stderr and is not listed."""
    (tree / "link").symlink_to("a.txt")
    os.mkfifo(tree / "fifo")
    ran = run("lsf", tree)

    assert (ran.code, ran.out) == (0, "a.txt\nb/\nempty/\n")
    assert "NOTICE: link: symbolic link is not followed" in ran.err
    assert "NOTICE: fifo: is neither a file nor a directory" in ran.err


def test_names_are_bytes(run: Run, tmp_path: Path) -> None:
    """Names with newlines and with bytes that are not UTF-8 are printed as they are."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "new\nline").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd/\xff\xfe")).touch()

    assert run("lsf", "odd").out.encode("utf-8", "surrogateescape") == b"new\nline\n\xff\xfe\n"


def test_truth_values_as_rclone_has_them(run: Run, tree: Path) -> None:
    """A flag may be given as ``--flag=false`` or ``--flag=true``."""
    off = run("lsf", tree, "--dir-slash=false", "--files-only=false")
    on = run("lsf", tree, "--dirs-only=true")

    assert off.out == "a.txt\nb\nempty\n"
    assert on.out == "b/\nempty/\n"


def test_output_that_cannot_be_written(process: Callable[..., Ran], tree: Path) -> None:
    """A full disk under the output is one line and exit code 1."""
    with open("/dev/full", "wb") as full:
        ran = process("ls", tree, stdout=full.fileno())

    assert ran.code == 1
    assert ran.err.endswith("No space left on device\n")
    assert ran.err.count("\n") == 1
