"""Looking objects up at the destination instead of listing it, or not looking at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from cli_runs import run_here
from omnistorage.core.driver import Driver
from omnistorage.core.errors import PermissionDenied
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.storage import Storage
from omnistorage.sync import Filter, GuardError, Options, copy, move, sync
from omnistorage.sync.lookup import looked_up
from omnistorage.sync.scan import Scan
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import OLD, TREE, Counting, both_ways, files, held, memory
from sync_scenes import PLACES as KINDS

T = TypeVar("T")


@pytest.mark.parametrize("settings", [{}, {"filter": Filter().exclude("deep/**")}, {"ignore_existing": True}])
@both_ways
def test_same_as_with_a_listing(here: str, there: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """Rule 6: a copy that looks objects up does what one that lists does, and lists no destination."""
    listed = KINDS[there](tmp_path / "one", OLD)
    inner = KINDS[there](tmp_path / "two", OLD)
    watched = Counting(inner.driver)
    first = copy(KINDS[here](tmp_path / "s", TREE), listed, Options(**settings))
    second = copy(KINDS[here](tmp_path / "s2", TREE), Storage(watched), Options(traverse=False, **settings))

    assert held(inner) == held(listed)
    assert (second.transferred, second.checked, second.errors) == (first.transferred, first.checked, 0)
    assert watched.calls["list"] == 0


def test_move_looks_up(tmp_path: Path) -> None:
    """Rule 4: a move that looks objects up proves them as any other does."""
    src, dst = files(tmp_path / "s", TREE), memory(OLD)
    result = move(src, dst, Options(traverse=False))

    assert held(src) == {}
    assert TREE.items() <= held(dst).items()
    assert result.errors == 0


def test_sync_lists_all_the_same(tmp_path: Path) -> None:
    """What is to be deleted is seen only in a listing: a sync looks at all of it."""
    dst = files(tmp_path / "d", OLD)
    sync(memory(TREE), dst, Options(traverse=False))

    assert held(dst) == TREE


def test_cannot_be_looked_up(tmp_path: Path) -> None:
    """Rule 2: what cannot be looked up is not overwritten, is one failure, and ends nothing else."""
    inner = files(tmp_path / "d", OLD)
    dst = Storage(FaultyDriver(inner.driver, Fail("stat", path="b.txt", times=None, error=PermissionDenied)))
    result = copy(memory(TREE), dst, Options(traverse=False))

    assert held(inner) == OLD | TREE | {"b.txt": OLD["b.txt"]}
    assert (result.errors, result.exit_code) == (1, 1)
    assert [outcome.action.path for outcome in result.failures] == ["b.txt"]


def test_file_in_the_way(tmp_path: Path) -> None:
    """Rule 11: a file where the source has a directory fails what stands below, and nothing else."""
    dst = files(tmp_path / "d", {"deep": b"a file"})
    result = copy(memory({"a": b"1", "deep/d": b"2"}), dst, Options(traverse=False))

    assert held(dst) == {"a": b"1", "deep": b"a file"}
    assert result.errors == 1


class _Far(Counting):
    """A storage that waits, so that many are looked up at once, and of which nothing can be looked up."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.features = msgspec.structs.replace(inner.features, local=False)
        self.threads: set[int] = set()

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        if op == "stat":
            self.threads.add(threading.get_ident())
            raise PermissionDenied
        return call()


def test_failures_are_written_down_by_who_reads_them() -> None:
    """What cannot be looked up is known when its pair is seen, not before: the run reads that table meanwhile."""
    far = _Far(memory().driver)
    scan = Scan(far, Filter())
    infos = [ObjectInfo(f"{number}", FILE, 1, 1) for number in range(200)]
    pairs = looked_up([infos], far, scan, workers=4)
    known = [(info.path, len(scan.broken)) for info, _ in pairs if info is not None]

    assert known == [(f"{number}", number + 1) for number in range(200)]
    assert threading.get_ident() not in far.threads


def test_unseen_destination(tmp_path: Path) -> None:
    """``check_dest=False`` copies all, equal or not, and asks the destination nothing."""
    inner = memory(TREE)
    watched = Counting(inner.driver)
    result = copy(memory(TREE), Storage(watched), Options(check_dest=False))

    assert result.transferred == len(TREE)
    assert held(inner) == TREE
    assert (watched.calls["list"], watched.calls["stat"]) == (0, 0)


@pytest.mark.parametrize(
    "settings", [{"suffix": ".old"}, {"backup": memory()}, {"immutable": True}, {"ignore_existing": True}]
)
def test_unseen_destination_is_refused(settings: dict[str, Any]) -> None:
    """Rule 3: what depends on what stands at the destination is not asked for without looking there."""
    dst = memory(OLD)
    with pytest.raises(GuardError, match="--no-check-dest"):
        copy(memory(TREE), dst, Options(check_dest=False, **settings))
    with pytest.raises(GuardError, match="--no-check-dest"):
        sync(memory(TREE), dst, Options(check_dest=False))

    assert held(dst) == OLD


def test_commands(tmp_path: Path) -> None:
    """``--no-traverse`` and ``--no-check-dest`` are the flags; the latter is refused for a sync."""
    src = files(tmp_path / "s", {"a": b"1", "b": b"2"})
    looked = run_here("copy", tmp_path / "s", tmp_path / "d", "--no-traverse")
    unseen = run_here("copy", tmp_path / "s", tmp_path / "e", "--no-check-dest")
    refused = run_here("sync", tmp_path / "s", tmp_path / "f", "--no-check-dest")

    assert (looked.code, unseen.code, refused.code) == (0, 0, 7)
    assert held(files(tmp_path / "d")) == held(files(tmp_path / "e")) == held(src)
    assert not (tmp_path / "f").exists()
