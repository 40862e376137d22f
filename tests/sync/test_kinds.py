"""Directories, times, links and names: what is carried over, and what is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli_runs import run_here
from omnistorage.storage import Storage
from omnistorage.sync import (
    Compare,
    Options,
    copy,
    sync,
)
from sync_scenes import (
    NEWER,
    WHEN,
    Counting,
    Tree,
    files,
    held,
    leftovers,
    memory,
)


def test_directory_times(tmp_path: Path) -> None:
    """Directories that a run made or changed get the time they have at the source, those above them, too."""
    src, dst = files(tmp_path / "s", {"x/y/z/f": b"1", "k/l": b"2"}), files(tmp_path / "d", {"k/gone/m": b"3"})
    for number, folder in enumerate(["x", "x/y", "x/y/z", "k"]):
        src.set_modified(folder, WHEN + number)
    sync(src, dst)

    assert [dst.stat(folder).mtime_ns for folder in ["x", "x/y", "x/y/z", "k"]] == [WHEN + n for n in range(4)]


def test_directory_times_left_alone(tmp_path: Path) -> None:
    """``dir_times=False`` leaves directories with the time they get."""
    src, dst = files(tmp_path / "s", {"x/f": b"1"}), files(tmp_path / "d")
    src.set_modified("x", WHEN)
    sync(src, dst, Options(dir_times=False))

    assert (dst.stat("x").mtime_ns or 0) > WHEN


@pytest.mark.parametrize("run", [sync, copy])
def test_empty_directories(run: Any, tmp_path: Path) -> None:
    """Directories that are empty at the source are made when asked for, and then nothing is left to do."""
    src, dst = files(tmp_path / "s", {"a": b"1"}), files(tmp_path / "d")
    src.mkdir("q/r")
    run(src, dst)
    without = [info.path for info in dst.scan()]
    result = run(src, dst, Options(empty_dirs=True))
    counting = Counting(dst.driver)
    run(src, Storage(counting), Options(empty_dirs=True))

    assert without == ["a"]
    assert [info.path for info in dst.scan()] == ["a", "q", "q/r"]
    assert result.made_dirs == 2
    assert counting.writes == {}


def test_touch(tmp_path: Path) -> None:
    """Where only the time differs it is set, and no bytes are moved; unless that is not wanted."""
    src, dst = files(tmp_path / "s", {"a": b"1"}, when=NEWER), files(tmp_path / "d", {"a": b"1"})
    left = sync(src, dst, Options(update_modtime=False))
    time_left = dst.stat("a").mtime_ns
    result = sync(src, dst)

    assert (left.touched, left.transferred, time_left) == (0, 0, WHEN)
    assert (result.touched, result.transferred, dst.stat("a").mtime_ns) == (1, 0, NEWER)


def test_immutable_ends_with_6(tmp_path: Path) -> None:
    """A change to what is immutable is an error with code 6; what is new is still copied."""
    src, dst = files(tmp_path / "s", {"a": b"new", "b": b"2"}), files(tmp_path / "d", {"a": b"old!"})
    result = sync(src, dst, Options(immutable=True))

    assert held(dst) == {"a": b"old!", "b": b"2"}
    assert (result.errors, result.exit_code) == (1, 6)


def test_immutable_by_hash_looks_first() -> None:
    """``-c --immutable`` accepts equal content, whatever its time."""
    result = sync(memory({"a": b"1"}), memory({"a": b"1"}, when=NEWER), Options(immutable=True, compare=Compare.HASH))

    assert (result.errors, result.exit_code, result.equal) == (0, 0, 1)


def test_immutable_without_times_looks_first() -> None:
    """``--immutable --no-update-modtime`` accepts equal content, and only that."""
    src = memory({"a": b"1", "b": b"2"})
    dst = memory({"a": b"1", "b": b"3"}, when=NEWER)
    result = sync(src, dst, Options(immutable=True, update_modtime=False))

    assert held(dst) == {"a": b"1", "b": b"3"}
    assert (result.errors, result.exit_code, result.touched) == (1, 6, 0)


@pytest.mark.parametrize("command", ["copyto", "moveto"])
@pytest.mark.parametrize("flags", [("--dry-run",), ("--compare-dest", "r"), ()])
@pytest.mark.parametrize("name", ["folder", "file/below"])
def test_what_is_in_the_way_of_one_object(command: str, flags: tuple[str, ...], name: str, tmp_path: Path) -> None:
    """Rule 11: a folder in the place of a single object, or a file above it, is a failure; a dry run sees it, too."""
    src = files(tmp_path / "s", {"a": b"1"})
    dst = files(tmp_path / "d", {"folder/x": b"2", "file": b"3"})
    files(tmp_path / "r", {"folder": b"1", "below": b"1"})
    words = [str(tmp_path / word) if word == "r" else word for word in flags]
    ran = run_here(command, tmp_path / "s" / "a", tmp_path / "d" / name, *words)

    assert ran.code == 1
    assert held(src) == {"a": b"1"}
    assert held(dst) == {"folder/x": b"2", "file": b"3"}


def test_special_files_are_left_alone(tmp_path: Path) -> None:
    """Links and FIFOs of the source are counted as skipped, and keep what has their name at the destination."""
    import os

    src, dst = files(tmp_path / "s", {"a": b"1"}), files(tmp_path / "d", {"link/k": b"2", "pipe": b"3"})
    (tmp_path / "s" / "link").symlink_to("a")
    os.mkfifo(tmp_path / "s" / "pipe")
    result = sync(src, dst)

    assert held(dst) == {"a": b"1", "link/k": b"2", "pipe": b"3"}
    assert (result.skipped, result.errors) == (2, 0)


def test_links_at_the_destination_are_not_followed(tmp_path: Path) -> None:
    """Nothing is written through a link: a file replaces it, a directory is a clash."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "f").write_bytes(b"mine")
    src, dst = files(tmp_path / "s", {"f": b"1", "dir/f": b"2"}), files(tmp_path / "d")
    (tmp_path / "d" / "f").symlink_to(tmp_path / "out" / "f")
    (tmp_path / "d" / "dir").symlink_to(tmp_path / "out")
    result = sync(src, dst)

    assert (tmp_path / "out" / "f").read_bytes() == b"mine"
    assert (tmp_path / "d" / "f").read_bytes() == b"1"
    assert not (tmp_path / "d" / "f").is_symlink()
    assert result.errors == 1


@pytest.mark.parametrize(("src_tree", "dst_tree"), [({"x": b"f"}, {"x/k": b"k"}), ({"x/k": b"f"}, {"x": b"k"})])
def test_clash(src_tree: Tree, dst_tree: Tree, tmp_path: Path) -> None:
    """Rule 11: a clash is an error, is left as it is, and keeps nothing else from being done."""
    src = files(tmp_path / "s", src_tree | {"ok": b"1"})
    dst = files(tmp_path / "d", dst_tree | {"z": b"2"})
    result = sync(src, dst)

    assert held(dst) == dst_tree | {"ok": b"1"}
    assert (result.errors, result.exit_code, result.deleted) == (1, 1, 1)


# -- names ------------------------------------------------------------------------------------------------------

HOSTILE = [
    " ",
    " a ",
    "a\nb",
    "a\tb\r",
    "\x01\x7f",
    "'\"`$(rm)",
    "*?[x]{y}",
    "\\",
    "-rf",
    "~",
    "con.",
    "a:b",
    "%2e%2e",
    "..a",
    "...",
    "\u202egnp.exe",
    "\U0001f600",
    "\udcff\udc80",
    "e\u0301",
    "\u00e9",
    "\ufeff",
    "x" * 255,
    ".hidden",
    "deep/\n/er",
]


def test_hostile_names(tmp_path: Path) -> None:
    """Names go from files to memory and back unchanged, whatever is in them.

    Rule 11: NFC and NFD stay two names, and that they mean the same is reported.
    """
    tree = {name: name.encode("utf-8", "surrogateescape") for name in HOSTILE}
    src, between, dst = files(tmp_path / "s", tree), memory(), files(tmp_path / "d")
    results = [sync(src, between), sync(between, dst), sync(src, dst)]

    assert held(between) == held(dst) == tree
    assert [[one.action.path for one in result.failures] for result in results] == [["\u00e9"]] * 3
    assert results[2].changed == 0


@pytest.mark.parametrize(
    "name", ["a//b", "../up", "/root", "./x", "nul\0", "x" * 256, ".omnistorage-x", "\ud800", ""]
)
def test_names_that_cannot_be_carried(name: str, tmp_path: Path) -> None:
    """Rule 8: a name that the destination cannot carry is that object's failure, and nobody else's."""
    if not name:
        pytest.skip("no storage has an object without a name")
    src, dst = memory({name: b"odd", "fine": b"1"}), files(tmp_path / "d", {"gone": b"2"})
    result = sync(src, dst)

    assert held(dst) == {"fine": b"1"}
    assert (result.errors, result.exit_code, result.deleted) == (1, 1, 1)
    assert not (tmp_path / "up").exists()
    assert leftovers(tmp_path) == []
