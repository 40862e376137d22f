"""Places to compare with, and to copy from."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_runs import run_here
from omnistorage.core.errors import Unreachable
from omnistorage.storage import Storage
from omnistorage.sync import Compare, Options, copy, move, sync
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import NEWER, PLACES, Counting, Tree, both_ways, files, held, leftovers, memory

HERE: Tree = {"a": b"one", "b": b"two", "dir/c": b"three"}


@both_ways
def test_compare_with(here: str, there: str, tmp_path: Path) -> None:
    """What is equal in a place to compare with is not copied; what differs there, or is not there, is."""
    src, dst = PLACES[here](tmp_path / "s", HERE), PLACES[there](tmp_path / "d", {})
    other = files(tmp_path / "o", {"a": b"one", "b": b"other!"}) if here != "plain" else PLACES[here](tmp_path, {})
    result = copy(src, dst, Options(compare_with=(other,)))

    assert held(dst) == (HERE if here == "plain" else {path: HERE[path] for path in ("b", "dir/c")})
    assert result.errors == 0


@pytest.mark.parametrize("compare", list(Compare))
def test_any_comparison(compare: Compare, tmp_path: Path) -> None:
    """Equal means there what it means between source and destination."""
    other = memory({"a": b"eno", "b": b"two"}, when=NEWER)
    dst = memory()
    copy(memory(HERE), dst, Options(compare=compare, compare_with=(other,)))
    here = {Compare.MTIME: {"a", "dir/c"}, Compare.HASH: {"a", "dir/c"}, Compare.SIZE: {"dir/c"}}

    # Another time alone is no other content where the content can be looked at.
    assert here[compare] <= held(dst).keys()
    assert ("a" in held(dst)) == (compare is not Compare.SIZE)


def test_first_place_that_has_it() -> None:
    """Places are asked in turn; one is enough."""
    first, second = Counting(memory({"a": b"one"}).driver), Counting(memory({"a": b"one", "b": b"two"}).driver)
    dst = memory()
    copy(memory(HERE), dst, Options(compare_with=(Storage(first), Storage(second))))

    assert held(dst) == {"dir/c": b"three"}
    assert (first.calls["stat"], second.calls["stat"]) == (3, 2)


@both_ways
def test_copy_from(here: str, there: str, tmp_path: Path) -> None:
    """What is equal in a place to copy from comes from there, the rest from the source."""
    src = Counting(PLACES[here](tmp_path / "s", HERE).driver)
    other = Counting(files(tmp_path / "o", {"a": b"one", "b": b"2"}).driver)
    dst = PLACES[there](tmp_path / "d", {})
    result = copy(Storage(src), dst, Options(copy_from=(Storage(other),)))

    assert held(dst) == HERE
    assert result.errors == 0
    if here != "plain":
        assert (src.calls["get"], other.calls["get"]) == (2, 1)


def test_move_from_elsewhere(tmp_path: Path) -> None:
    """Rule 4: a move that copies from elsewhere proves the content, and sends that of the source if it is another."""
    src, dst = files(tmp_path / "s", HERE), files(tmp_path / "d")
    # Of equal size and time, but other bytes: no listing can tell.
    other = memory({"a": b"eno", "b": b"two"})
    result = move(src, dst, Options(copy_from=(other,)))

    assert held(src) == {}
    assert held(dst) == HERE
    assert (result.errors, result.exit_code) == (0, 0)
    assert leftovers(tmp_path) == []


def test_file_where_a_directory_is_looked_for(tmp_path: Path) -> None:
    """A file in a place where the source has a directory is nothing equal, and no failure."""
    other = files(tmp_path / "o", {"dir": b"a file"})
    for options in (Options(compare_with=(other,)), Options(copy_from=(other,))):
        dst = memory()
        result = copy(memory(HERE), dst, options)

        assert held(dst) == HERE
        assert result.errors == 0


def test_place_that_cannot_be_asked() -> None:
    """Rule 8: an object for which a place cannot be asked is a failure of its own; a dry run says the same."""
    other = FaultyDriver(memory({"b": b"two"}).driver, Fail("stat", path="b", times=None, error=Unreachable))
    dst = memory()
    real = copy(memory(HERE), dst, Options(compare_with=(Storage(other),)))
    dry = copy(memory(HERE), memory(), Options(compare_with=(Storage(other),), dry_run=True))

    assert held(dst) == {"a": b"one", "dir/c": b"three"}
    assert (real.errors, real.transferred) == (dry.errors, dry.transferred) == (1, 2)


def test_place_that_is_not_there(tmp_path: Path) -> None:
    """A place that is not there holds nothing."""
    dst = memory()
    nowhere = files(tmp_path / "o")
    (tmp_path / "o").rmdir()
    result = sync(memory(HERE), dst, Options(copy_from=(nowhere,), compare_with=(nowhere,)))

    assert held(dst) == HERE
    assert result.errors == 0


def test_commands(tmp_path: Path) -> None:
    """``--compare-dest`` and ``--copy-dest`` may be given several times."""
    files(tmp_path / "s", HERE)
    files(tmp_path / "o", {"a": b"one"})
    files(tmp_path / "p", {"b": b"two"})
    compared = run_here(
        "copy", tmp_path / "s", tmp_path / "d", "--compare-dest", tmp_path / "o", "--compare-dest", tmp_path / "p"
    )
    copied = run_here("copy", tmp_path / "s", tmp_path / "e", "--copy-dest", tmp_path / "o")

    assert (compared.code, copied.code) == (0, 0)
    assert held(files(tmp_path / "d")) == {"dir/c": b"three"}
    assert held(files(tmp_path / "e")) == HERE
