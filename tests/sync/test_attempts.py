"""Attempts: what may pass is tried again, what cannot is not, and each object counts once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cli_runs import run_here
from omnistorage.core.errors import PermissionDenied, Unreachable
from omnistorage.drivers.file import FileDriver
from omnistorage.storage import Storage
from omnistorage.sync import Options, copy, move, sync
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import WHEN, files, held, leftovers, memory

HERE = {"a": b"1", "b": b"2", "c": b"3"}


@pytest.mark.parametrize("attempts", [1, 2, 3, 5])
@pytest.mark.parametrize("times", [1, 2, 4, None])
def test_tried_as_often_as_allowed(attempts: int, times: int | None) -> None:
    """An object is tried ``attempts`` times in all, others once; failures and successes are counted once."""
    inner = memory()
    driver = FaultyDriver(inner.driver, Fail("put", path="b", times=times))
    result = copy(memory(HERE), Storage(driver), Options(attempts=attempts))
    healed = times is not None and times < attempts

    assert driver.calls["put"] == 2 + (attempts if times is None or not healed else times + 1)
    assert (result.errors, result.exit_code) == ((0, 0) if healed else (1, 1))
    assert (result.transferred, result.bytes) == ((3, 3) if healed else (2, 2))
    assert result.planned == 3
    assert len(result.failures) == result.errors
    assert held(inner) == (HERE if healed else {"a": b"1", "c": b"3"})


def test_what_cannot_pass_is_not_repeated() -> None:
    """A refusal is one call."""
    driver = FaultyDriver(memory().driver, Fail("put", path="b", times=None, error=PermissionDenied))
    result = copy(memory(HERE), Storage(driver), Options(attempts=5))

    assert (driver.calls["put"], result.errors) == (3, 1)


@pytest.mark.parametrize("mode", ["before", "during", "after"])
@pytest.mark.parametrize("times", [1, 2, None])
def test_deletes(mode: str, times: int | None) -> None:
    """A delete that may pass is tried again, in each mode; what still fails is one failure."""
    inner = memory(HERE | {"x": b"4", "y": b"5"})
    driver = FaultyDriver(inner.driver, Fail("delete", path="x", times=times))
    result = sync(memory(HERE), Storage(driver), Options(attempts=3, delete_mode=mode))  # type: ignore[arg-type]

    assert driver.calls["delete"] == 1 + (3 if times is None else times + 1)
    assert (result.errors, result.deleted) == ((1, 1) if times is None else (0, 2))
    assert held(inner) == (HERE | {"x": b"4"} if times is None else HERE)


def test_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is between rounds: none before the first, and one for all that failed in it."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    driver = FaultyDriver(memory().driver, Fail("put", times=4))
    result = copy(memory(HERE), Storage(driver), Options(attempts=5, attempts_wait=7.0, transfers=1))

    assert result.errors == 0
    assert waits == [7.0, 7.0]


def test_changed_source_is_looked_at_again_after_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is still being written is stored as it stands after the wait, and not given up."""
    src = files(tmp_path / "s", HERE)
    dst = files(tmp_path / "d")
    place = tmp_path / "s" / "b"
    plain = FileDriver.put_many

    def put_many(self: FileDriver, items: object) -> object:
        if place.read_bytes() == b"2":
            place.write_bytes(b"half of it")
        return plain(self, items)  # type: ignore[arg-type]

    monkeypatch.setattr(FileDriver, "put_many", put_many)
    monkeypatch.setattr(time, "sleep", lambda seconds: place.write_bytes(b"all of it, at last"))
    result = copy(src, dst, Options(attempts=2, attempts_wait=1.0))

    assert held(dst) == HERE | {"b": b"all of it, at last"}
    assert (result.errors, result.transferred) == (0, 3)
    assert dst.stat("b").mtime_ns == src.stat("b").mtime_ns
    assert leftovers(tmp_path) == []


def test_source_that_vanishes_meanwhile() -> None:
    """What is gone at the next attempt is skipped, as it would be at the first."""
    src = memory(HERE)
    driver = FaultyDriver(memory().driver, Fail("put", path="b"))

    def gone(seconds: float) -> None:
        src.delete("b")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", gone)
        result = copy(src, Storage(driver), Options(attempts=2))

    assert (result.errors, result.transferred, result.skipped) == (0, 2, 1)


def test_rename_whose_answer_was_lost() -> None:
    """Rule 5: it counts as done if the object is there under its new name, and its content is proven."""
    inner = memory({"old": b"content", "same": b"="})
    driver = FaultyDriver(inner.driver, Fail("move", error=Unreachable, late=True))
    result = sync(memory({"new": b"content", "same": b"="}), Storage(driver), Options(track_renames=True, attempts=2))

    assert held(inner) == {"new": b"content", "same": b"="}
    assert (result.renamed, result.errors, driver.calls["put"]) == (1, 0, 0)


def test_somebody_elses_object_is_no_rename() -> None:
    """Rule 5: what stands under the new name by chance, with other bytes, is not taken for the renamed object."""
    inner = memory({"old": b"content", "same": b"="})

    class Swapped(FaultyDriver):
        def move(self, src: str, dst: str) -> object:  # type: ignore[override]
            inner.delete(src)
            inner.write_bytes(dst, b"another", modified=WHEN)
            raise Unreachable

    result = sync(
        memory({"new": b"content", "same": b"="}),
        Storage(Swapped(inner.driver)),
        Options(track_renames=True, attempts=2),
    )

    assert (result.renamed, result.errors, result.exit_code) == (0, 1, 1)


def test_move_repeats_a_delete_at_the_source() -> None:
    """Rule 4: if only the delete at the source fails, the next attempt proves and deletes."""
    inner = memory(HERE)
    src = Storage(FaultyDriver(inner.driver, Fail("delete", path="b")))
    dst = memory()
    result = move(src, dst, Options(attempts=2))

    assert (held(inner), held(dst)) == ({}, HERE)
    assert (result.errors, result.transferred, result.deleted_sources) == (0, 3, 3)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--retries`` is the number of attempts; 1 means no second one."""
    files(tmp_path / "s", HERE)
    plain = FileDriver.put_many
    failed: list[int] = []

    def put_many(self: FileDriver, items: object) -> object:
        if not failed:
            failed.append(1)
            raise Unreachable
        return plain(self, items)  # type: ignore[arg-type]

    monkeypatch.setattr(FileDriver, "put_many", put_many)
    once = run_here("copy", tmp_path / "s", tmp_path / "d", "--retries", "1", "--low-level-retries", "1")
    failed.clear()
    twice = run_here("copy", tmp_path / "s", tmp_path / "d", "--retries", "2", "--low-level-retries", "1")

    assert once.code != 0
    assert twice.code == 0
    assert held(files(tmp_path / "d")) == HERE
