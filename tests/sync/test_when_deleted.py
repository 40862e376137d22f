"""Before, during or after the transfers: each mode deletes the same, and only what is proven to be gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_runs import run_here
from omnistorage.core.driver import Driver
from omnistorage.core.errors import Unreachable
from omnistorage.core.info import Page
from omnistorage.core.layer import Layer
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.storage import Storage
from omnistorage.sync import GuardError, Options, execute, sync
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import OLD, PLACES, TREE, Tree, both_ways, files, fill, held, memory

T = TypeVar("T")
MODES = ("before", "during", "after")


class Log(Layer):
    """Writes down which verbs are called on which paths."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.calls: list[tuple[str, str]] = []

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        self.calls.append((op, path))
        return call()


@pytest.mark.parametrize("mode", MODES)
@both_ways
def test_ends_alike(here: str, there: str, mode: Any, tmp_path: Path) -> None:
    """The destination is like the source in the end, whenever is deleted."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    result = sync(src, dst, Options(delete_mode=mode))

    assert held(dst) == TREE
    assert (result.deleted, result.errors) == (3, 0)


@pytest.mark.parametrize("mode", MODES)
def test_order(mode: Any, tmp_path: Path) -> None:
    """Deletes come before all transfers, after all, or (during) when the folder of the source is listed."""
    here = {f"{folder}/{number}": b"x" for folder in "abc" for number in range(70)}
    there = {"a/gone": b"x", "c/gone": b"x"}
    src, log = files(tmp_path / "s", here), Log(files(tmp_path / "d", there).driver)
    sync(src, Storage(log), Options(delete_mode=mode))
    writes = [call for call in log.calls if call[0] in ("put", "delete")]
    first, last = writes.index(("delete", "a/gone")), writes.index(("delete", "c/gone"))

    assert len(writes) == len(here) + 2
    if mode == "before":
        assert (first, last) == (0, 1)
    elif mode == "after":
        assert (first, last) == (len(writes) - 2, len(writes) - 1)
    else:
        # The last folder is over only when the listing is.
        assert first < len(writes) - 2


@pytest.mark.parametrize("mode", MODES)
def test_unlisted_folder_is_protected(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 2, deviation b: below a folder that cannot be listed nothing is deleted (rclone does, in two modes)."""
    files(tmp_path / "s", {"a": b"1", "sub/x": b"2", "other/y": b"3"})
    dst = files(tmp_path / "d", {"sub/x": b"2", "sub/deep/z": b"4", "gone": b"5", "other/w": b"6"})
    root, plain = str(tmp_path / "s"), FileDriver.list

    def answer(self: FileDriver, path: str, *, recursive: bool = False, page: object = None) -> Page:
        if path == "sub" and self.options.root == root:
            raise PermissionError(13, "Permission denied")
        return plain(self, path, recursive=recursive, page=page)

    monkeypatch.setattr(FileDriver, "list", answer)
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", f"--delete-{mode}", "--ignore-errors")

    assert ran.code == 1
    assert held(dst) == {"a": b"1", "sub/x": b"2", "sub/deep/z": b"4", "other/y": b"3"}


@pytest.mark.parametrize("mode", MODES)
def test_empty_source_is_refused_first(mode: Any, tmp_path: Path) -> None:
    """Rule 3, deviation c: an empty source is refused before the first delete, in each mode."""
    src, dst = files(tmp_path / "s"), files(tmp_path / "d", OLD)
    with pytest.raises(GuardError, match="empty"):
        sync(src, dst, Options(delete_mode=mode))

    assert held(dst) == OLD


@pytest.mark.parametrize("mode", MODES)
def test_max_delete_is_asked_first(mode: str, tmp_path: Path) -> None:
    """Deviation c: a plan with too many deletes changes nothing (rclone deletes as many as allowed, then stops)."""
    files(tmp_path / "s", TREE)
    dst = files(tmp_path / "d", OLD)
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", f"--delete-{mode}", "--max-delete", "2")

    assert ran.code == 7
    assert held(dst) == OLD


def test_one_object_is_copied_in_each_mode(tmp_path: Path) -> None:
    """A single object deletes nothing, and is copied whenever deletes would have been done."""
    files(tmp_path / "s", TREE)
    dst = files(tmp_path / "d", OLD)
    for number, mode in enumerate(MODES):
        ran = run_here("sync", tmp_path / "s" / "a", tmp_path / "d" / str(number), f"--delete-{mode}")

        assert ran.code == 0
        assert held(dst) == OLD | {f"{one}/a": TREE["a"] for one in range(number + 1)}


def test_modes_exclude_each_other(tmp_path: Path) -> None:
    """Two modes at once are a wrong usage."""
    ran = run_here("sync", tmp_path, tmp_path / "d", "--delete-before", "--delete-after")

    assert ran.code == 2
    assert "exclude each other" in ran.err


@pytest.mark.parametrize("mode", MODES)
def test_listing_that_fails_late(mode: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 2: a delete waits for the last page of the listing that proves it, however much was copied meanwhile."""
    monkeypatch.setattr(execute, "BATCH_COUNT", 1)
    (tmp_path / "s").mkdir()
    driver = FileDriver(FileOptions(root=str(tmp_path / "s"), page_size=1))
    fill(Storage(driver), {"b": b"1", "c": b"2", "d": b"3"})
    dst = files(tmp_path / "d", {"a": b"x"})
    with pytest.raises(Unreachable):
        sync(Storage(FaultyDriver(driver, Fail("list", at=3))), dst, Options(delete_mode=mode))

    assert held(dst)["a"] == b"x"


PATHS = st.lists(st.sampled_from(["a", "b", "a-"]), min_size=1, max_size=3).map("/".join)


@given(st.sets(PATHS, min_size=1), st.sets(PATHS), st.sampled_from(MODES))
def test_any_tree(here: set[str], there: set[str], mode: Any) -> None:
    """Rule 2: in each mode exactly what the source lacks is deleted."""
    tree: Tree = {path: path.encode() for path in here if not any(one.startswith(path + "/") for one in here)}
    old: Tree = {
        path: b"longer than any path" for path in there if not any(one.startswith(path + "/") for one in there | here)
    }
    clash = any(one.startswith(path + "/") for path in tree for one in old)
    src, dst = memory(tree), memory(old)
    result = sync(src, dst, Options(delete_mode=mode))

    if not clash:
        assert held(dst) == tree
        assert result.deleted == len(old.keys() - tree.keys())
