"""What a run tells while it goes on, and how it is stopped in the midst of it."""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.streams import ByteStream
from omnistorage.layers.readonly import Readonly
from omnistorage.storage import Storage
from omnistorage.sync import Event, Options, Verb, copy, move, sync
from omnistorage.sync.run import Run
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import Counting, files, held, leftovers, memory

BIG = bytes(range(256)) * (5 << 12)
"""5 MiB, enough to be told about while it moves."""


class Stopped(BaseException):
    """Stands for Ctrl-C: not an Exception, so nothing that handles failures may catch it."""


def _by_path(events: list[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.path].append(event)
    return found


def _storage(kind: str, root: Path, tree: dict[str, bytes]) -> Storage:
    return files(root, tree) if kind == "file" else memory(tree)


@pytest.mark.parametrize("here", ["file", "memory"])
@pytest.mark.parametrize("there", ["file", "memory"])
def test_events_of_a_large_object(here: str, there: str, tmp_path: Path) -> None:
    """A large object is announced with its size, its bytes add up to it, its end comes last; small ones just end."""
    src = _storage(here, tmp_path / "s", {"big": BIG, "small": b"x"})
    events: list[Event] = []
    copy(src, _storage(there, tmp_path / "d", {}), observer=events.append)
    found = _by_path(events)
    moved = [event.bytes for event in found["big"] if event.kind == "bytes"]

    assert [event.kind for event in found["small"]] == ["end"]
    assert (found["big"][0].kind, found["big"][0].bytes) == ("begin", len(BIG))
    assert sum(moved) == len(BIG)
    assert [event.kind for event in found["big"]].count("end") == 1
    assert found["big"][-1].kind == "end"
    assert (found["big"][-1].outcome or pytest.fail("no outcome")).bytes == len(BIG)


def test_every_action_ends() -> None:
    """Each action ends with one event that carries its outcome, failures and deletes included."""
    src = memory({"a": b"1", "b": b"2", "same": b"3"})
    dst = Storage(FaultyDriver(memory({"gone": b"4", "same": b"3"}).driver, Fail("put", path="b")))
    events: list[Event] = []
    sync(src, dst, observer=events.append)
    ends = {
        event.path: (event.outcome.action.verb, event.outcome.error is not None)
        for event in events
        if event.kind == "end" and event.outcome is not None
    }

    assert ends == {"a": (Verb.COPY, False), "b": (Verb.COPY, True), "gone": (Verb.DELETE, False)}


@pytest.mark.parametrize("kind", ["begin", "bytes", "end"])
@pytest.mark.parametrize("error", [ValueError, OSError, KeyError], ids=lambda kind: kind.__name__)
def test_observers_that_fail(kind: str, error: type[Exception], tmp_path: Path) -> None:
    """What an observer raises ends the run and reaches the caller as it is; no half file is left."""
    src, dst = files(tmp_path / "s", {"big": BIG, "z": b"1"}), files(tmp_path / "d", {"big": b"old"})

    def observer(event: Event) -> None:
        if event.kind == kind:
            raise error("not in the mood")

    with pytest.raises(error, match="not in the mood"):
        copy(src, dst, observer=observer)

    assert dst.read_bytes("big") in (b"old", BIG)
    assert leftovers(tmp_path) == []


# -- stopping --------------------------------------------------------------------------------------------------


class _Endless(Counting):
    """A storage whose large object comes for ever, telling when its first bytes were read."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.begun = threading.Event()

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        stream = super().get(path, offset, length)
        return _Loop(self.begun) if path == "big" else stream


class _Loop:
    def __init__(self, begun: threading.Event) -> None:
        self._begun = begun

    def read(self, size: int = -1, /) -> bytes:
        self._begun.set()
        return bytes(1024)

    def close(self) -> None:
        return

    def __enter__(self) -> _Loop:
        return self

    def __exit__(self, *exc: object) -> None:
        return


def _workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("omnistorage")}


@pytest.mark.parametrize("run", [copy, sync, move])
def test_stopped_in_the_midst(run: Any, tmp_path: Path) -> None:
    """Rule 1: Ctrl-C during a large copy leaves the old bytes, no temporary file, and no thread."""
    src = _Endless(files(tmp_path / "s", {"big": BIG, "small": b"1"}).driver)
    # What can be renamed has no midst.
    src.local_root = None
    dst = files(tmp_path / "d", {"big": b"old", "gone": b"2"})

    def interrupt(event: Event) -> None:
        # The end of the small one, in the main thread, while the large one is on its way.
        if event.kind == "end":
            src.begun.wait(30)
            raise Stopped

    with pytest.raises(Stopped):
        run(Storage(src), dst, Options(max_transfer=1 << 40), observer=interrupt)

    assert _workers() == set()
    assert dst.read_bytes("big") == b"old"
    assert "gone" in held(dst)
    assert leftovers(tmp_path) == []
    assert src.inner.stat("big").size == len(BIG)


def test_a_run_that_is_not_finished(tmp_path: Path) -> None:
    """Who stops asking for outcomes stops the run: its threads end and nothing is deleted."""
    src = memory({f"f{number}": b"x" for number in range(500)})
    dst = files(tmp_path / "d", {"gone": b"1"})
    outcomes = iter(Run.between(src, dst, Options(max_transfer=1 << 40), delete=True))
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]

    assert _workers() == set()
    assert "gone" in held(dst)
    assert len(held(dst)) < 501
    assert leftovers(tmp_path) == []


def test_a_lent_executor_stays_open() -> None:
    """An executor of the caller is used and not shut down."""
    from concurrent.futures import ThreadPoolExecutor

    src, dst = memory({"a": b"1"}), memory({"b": b"2"})
    with ThreadPoolExecutor(1) as pool:
        result = sync(src, dst, executor=pool)

        assert (result.transferred, result.deleted) == (1, 1)
        assert pool.submit(int, "1").result() == 1


def test_a_source_for_reading_only(tmp_path: Path) -> None:
    """A move from a read-only source copies, deletes nothing there, and counts each as an error."""
    inner = files(tmp_path / "s", {"a": b"1", "b": b"2"})
    src, dst = Storage(Readonly(inner.driver)), files(tmp_path / "d")
    result = move(src, dst)

    assert held(inner) == held(dst) == {"a": b"1", "b": b"2"}
    assert (result.errors, result.exit_code) == (2, 1)
