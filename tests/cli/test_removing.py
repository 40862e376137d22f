"""``omnistorage delete``, ``deletefile``, ``purge``, ``mkdir``, ``rmdir`` and ``rmdirs``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cli_runs import Run, refuse


def _all(tree: Path) -> set[str]:
    return {place.relative_to(tree).as_posix() for place in tree.rglob("*")}


_EVERYTHING = {"a.txt", "b", "b/.hid", "b/c.bin", "b/e", "b/e/f", "empty"}


def test_delete_selected(run: Run, tree: Path) -> None:
    """Only what the filters select goes; directories stay."""
    ran = run("delete", tree, "--include", "*.bin", "--json")

    assert json.loads(ran.out) == {"deleted": 1, "bytes": 1500, "deleted_dirs": 0, "errors": 0, "dry_run": False}
    assert _all(tree) == _EVERYTHING - {"b/c.bin"}


def test_delete_nothing(run: Run, tree: Path) -> None:
    """Filters that select nothing are fine."""
    ran = run("delete", tree, "--include", "*.nope")

    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert _all(tree) == _EVERYTHING


def test_delete_with_directories(run: Run, tree: Path) -> None:
    """With --rmdirs the directories that became empty go, too, but not the root."""
    ran = run("delete", tree, "--rmdirs", "--exclude", "a.txt")

    assert ran.code == 0
    assert _all(tree) == {"a.txt"}


def test_delete_one(run: Run, tree: Path) -> None:
    """An object is deleted as such; filters are refused there."""
    refused = run("delete", tree / "a.txt", "--include", "*")
    done = run("delete", tree / "a.txt")

    assert (refused.code, done.code) == (1, 0)
    assert _all(tree) == _EVERYTHING - {"a.txt"}


@pytest.mark.parametrize("command", ["delete", "delete --rmdirs", "purge", "rmdirs"])
def test_dry_run(run: Run, tree: Path, command: str) -> None:
    """A dry run changes nothing and names what would go."""
    ran = run(*command.split(), "-n", tree)

    assert (ran.code, ran.out) == (0, "")
    assert "not deleted, as this is a dry run" in ran.err
    assert _all(tree) == _EVERYTHING


def test_delete_beside_what_cannot_be_listed(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays, the rest goes, and the exit code is 1."""
    refuse(monkeypatch, "list", "b")
    ran = run("delete", tree)

    assert ran.code == 1
    assert "b: cannot be listed" in ran.err
    assert _all(tree) == _EVERYTHING - {"a.txt"}


@pytest.mark.parametrize("command", ["delete --rmdirs", "purge", "rmdirs"])
def test_what_cannot_be_listed_is_not_empty(
    run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A directory whose content is not known stays, and those above it."""
    refuse(monkeypatch, "list", "b/e")
    ran = run(*command.split(), tree)

    assert ran.code == 1
    assert "b/e: cannot be listed" in ran.err
    assert "b/e/f" in _all(tree)
    assert not (tree / "empty").exists()


def test_one_that_cannot_be_deleted(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported once, with none of the directories above it; the rest goes."""
    refuse(monkeypatch, "delete", "b/c.bin")
    ran = run("purge", tree)

    assert ran.code == 1
    assert [line.partition("ERROR : ")[2] for line in ran.err.splitlines()] == [
        "b/c.bin: cannot be deleted: access denied"
    ]
    assert _all(tree) == {"b", "b/c.bin"}


def test_deletefile(run: Run, tree: Path) -> None:
    """An object goes; what is missing or a directory has exit code 4."""
    codes = [run("deletefile", tree / name).code for name in ("a.txt", "a.txt", "b")]

    assert codes == [0, 4, 4]
    assert _all(tree) == _EVERYTHING - {"a.txt"}


def test_purge(run: Run, tree: Path) -> None:
    """Everything goes: links, but not what they point to, and the directory itself."""
    outside = tree.parent / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (tree / "b" / "link").symlink_to(outside)
    os.mkfifo(tree / "fifo")
    ran = run("purge", tree)

    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert not tree.exists()
    assert (outside / "kept").exists()


@pytest.mark.parametrize("args", [("--include", "*"), ("--max-depth", "1"), ("--min-age", "1d")])
def test_purge_refuses_filters(run: Run, tree: Path, args: tuple[str, ...]) -> None:
    """Filters would not be heeded, so they are refused."""
    ran = run("purge", tree, *args)

    assert ran.code == 1
    assert "filters cannot be used with purge" in ran.err
    assert _all(tree) == _EVERYTHING


@pytest.mark.parametrize(
    ("command", "code"), [("delete", 3), ("deletefile", 4), ("purge", 1), ("rmdir", 1), ("rmdirs", 1)]
)
def test_missing(run: Run, command: str, code: int) -> None:
    """Each command has rclone's exit code for what is not there, and one line."""
    ran = run(command, "nope")

    assert (ran.code, ran.out) == (code, "")
    assert "nope" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("command", ["purge", "rmdir", "rmdirs", "mkdir"])
def test_object_where_a_directory_is_meant(run: Run, tree: Path, command: str) -> None:
    """An object is not taken for a directory."""
    ran = run(command, tree / "a.txt")

    assert ran.code == 1
    assert "is a file, not a directory" in ran.err
    assert _all(tree) == _EVERYTHING


def test_mkdir(run: Run, tmp_path: Path) -> None:
    """Directories above are made; again is fine; a dry run makes nothing."""
    codes = [run("mkdir", *args).code for args in (("a/b",), ("a/b",), ("-n", "c"))]

    assert codes == [0, 0, 0]
    assert _all(tmp_path) == {"a", "a/b"}


def test_rmdir(run: Run, tree: Path) -> None:
    """Only an empty directory goes."""
    full = run("rmdir", tree / "b")
    dry = run("rmdir", "-n", tree / "empty")
    empty = run("rmdir", tree / "empty")

    assert (full.code, dry.code, empty.code) == (1, 0, 0)
    assert "directory not empty" in full.err
    assert _all(tree) == _EVERYTHING - {"empty"}


@pytest.mark.parametrize(("flags", "stays"), [((), False), (("--leave-root",), True)])
def test_rmdirs(run: Run, tmp_path: Path, flags: tuple[str, ...], stays: bool) -> None:
    """Directories of directories go, deepest first; those with anything in them stay."""
    (tmp_path / "x" / "y" / "z").mkdir(parents=True)
    (tmp_path / "x" / "y" / "w").mkdir()
    code = run("rmdirs", "x", *flags).code

    assert code == 0
    assert _all(tmp_path) == ({"x"} if stays else set())


def test_rmdirs_keeps_what_is_used(run: Run, tree: Path) -> None:
    """A directory with an object, or with a link, is not empty."""
    (tree / "empty" / "link").symlink_to("nowhere")
    (tree / "c" / "d").mkdir(parents=True)
    ran = run("rmdirs", tree, "--json")

    assert json.loads(ran.out)["deleted_dirs"] == 2
    assert _all(tree) == _EVERYTHING | {"empty/link"}
