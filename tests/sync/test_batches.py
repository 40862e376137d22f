"""Small files that travel together: who stores them, what a failure costs, and what is tidied up afterwards."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from omnistorage.core.driver import PutItem, PutResults
from omnistorage.core.errors import IsADirectory, ReadOnly
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.drivers._localcopy import write_all
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.layers.readonly import Readonly
from omnistorage.storage import Storage
from omnistorage.sync import Options, copy, move, sync, workers
from omnistorage.sync.model import Action, Outcome, Verb
from omnistorage.sync.workers import Batch, Workers
from sync_scenes import WHEN, Counting, Tree, files, held, leftovers

DAY = 86400

Crew = Workers[Action, Outcome]


class Noting(FileDriver):
    """Notes how many files came at once, and what came alone."""

    def __init__(self, options: FileOptions | None = None) -> None:
        super().__init__(options)
        self.batches: list[int] = []
        self.got: list[str] = []

    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        self.batches.append(len(items))
        return super().put_many(items)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> object:  # type: ignore[override]
        self.got.append(path)
        return super().get(path, offset, length)


def many(count: int) -> Tree:
    return {f"d{n % 7}/{n:04}": str(n).encode() for n in range(count)}


def noting(root: Path) -> tuple[Noting, Storage]:
    root.mkdir(exist_ok=True)
    driver = Noting(FileOptions(root=str(root)))
    return driver, Storage(driver)


# -- who stores them -------------------------------------------------------------------------------------------


def test_small_files_travel_together(tmp_path: Path) -> None:
    """From folder to folder small files are handed over by the batch, and are read without the source's ``get``."""
    tree = many(1000)
    files(tmp_path / "s", tree)
    reading, src = noting(tmp_path / "s")
    writing, dst = noting(tmp_path / "d")
    result = sync(src, dst)

    assert (result.ok, result.transferred, result.bytes) == (True, 1000, sum(map(len, tree.values())))
    assert sum(writing.batches) == 1000
    assert len(writing.batches) <= 20
    assert reading.got == []
    assert held(dst) == tree
    assert {dst.stat(path).mtime_ns for path in tree} == {WHEN}


def test_layer_around_the_source_sees_each_file(tmp_path: Path) -> None:
    """Where a layer stands around the source, each file is read through it."""
    tree = many(100)
    counting = Counting(files(tmp_path / "s", tree).driver)
    writing, dst = noting(tmp_path / "d")
    result = sync(Storage(counting), dst)

    assert (result.ok, result.transferred) == (True, 100)
    assert counting.calls["get"] == 100
    assert writing.batches == []
    assert held(dst) == tree


def test_layer_around_the_destination_sees_each_file(tmp_path: Path) -> None:
    """Where a layer stands around the destination, each file is stored through it."""
    tree = many(100)
    writing, dst = noting(tmp_path / "d")
    counting = Counting(dst.driver)
    result = sync(files(tmp_path / "s", tree), Storage(counting))

    assert (result.ok, result.transferred) == (True, 100)
    assert counting.calls["put"] == 100
    assert writing.batches == []
    assert held(dst) == tree


@pytest.mark.parametrize("options", [Options(verify=True), Options(dry_run=True), Options(max_transfer=10**9)])
def test_careful_runs_go_file_by_file(tmp_path: Path, options: Options) -> None:
    """Proof by hash, a dry run and a limit look at each file, so nothing is handed over by the batch."""
    writing, dst = noting(tmp_path / "d")
    result = sync(files(tmp_path / "s", many(10)), dst, options)

    assert (result.ok, result.transferred) == (True, 10)
    assert writing.batches == []


def test_move_goes_file_by_file(tmp_path: Path) -> None:
    """A source is deleted only on proof, or renamed: it is never a plain copy."""
    writing, dst = noting(tmp_path / "d")
    src = files(tmp_path / "s", many(10))
    result = move(src, dst)

    assert (result.ok, result.deleted_sources) == (True, 10)
    assert writing.batches == []
    assert held(src) == {}


# -- what a failure costs --------------------------------------------------------------------------------------


def test_failure_within_a_batch(tmp_path: Path) -> None:
    """A file that cannot be stored is one error; all others are copied, those behind it, too."""
    tree = {f"{n:03}": str(n).encode() for n in range(150)}
    src, (writing, dst) = files(tmp_path / "s", tree), noting(tmp_path / "d")

    class InTheWay(Noting):
        def put_many(self, items: Sequence[PutItem]) -> PutResults:
            # After the listing, so that the plan does not know.
            (tmp_path / "d/070/full").mkdir(parents=True, exist_ok=True)
            return super().put_many(items)

    driver = InTheWay(writing.options)
    result = sync(src, Storage(driver))

    assert (result.errors, result.transferred) == (1, 149)
    assert [(failed.action.path, type(failed.error)) for failed in result.failures] == [("070", IsADirectory)]
    assert sum(driver.batches) == 150
    assert held(dst) == {path: data for path, data in tree.items() if path != "070"}
    assert leftovers(tmp_path) == []


def test_file_that_vanishes_is_skipped(tmp_path: Path) -> None:
    """A file that is deleted at the source between the listing and the copy is no error."""
    tree = {f"{n:03}": str(n).encode() for n in range(20)}
    src = files(tmp_path / "s", tree)

    class Late(Noting):
        def put_many(self, items: Sequence[PutItem]) -> PutResults:
            (tmp_path / "s/007").unlink()
            return super().put_many(items)

    driver = Late(FileOptions(root=str(tmp_path / "d")))
    result = sync(src, Storage(driver))

    assert (result.errors, result.transferred, result.skipped) == (0, 19, 1)
    assert held(Storage(driver)) == {path: data for path, data in tree.items() if path != "007"}


def test_destination_that_takes_nothing(tmp_path: Path) -> None:
    """Where nothing may be stored, each file is an error, and the run comes to its end."""
    dst = files(tmp_path / "d")
    result = sync(files(tmp_path / "s", many(10)), Storage(Readonly(dst.driver)))

    assert (result.errors, result.transferred) == (10, 0)
    assert {type(failed.error) for failed in result.failures} == {ReadOnly}
    assert held(dst) == {}


def test_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt in the midst of a batch ends the run; what is there is whole."""
    tree = {f"{n:03}": f"content of {n}".encode() for n in range(100)}
    src, dst = files(tmp_path / "s", tree), files(tmp_path / "d")
    threads: list[threading.Thread] = []

    def interrupted(fd: int, data: bytes) -> None:
        if data == tree["070"]:
            threads.append(threading.current_thread())
            write_all(fd, data[:4])
            raise KeyboardInterrupt
        write_all(fd, data)

    monkeypatch.setattr("omnistorage.drivers._localbatch.write_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sync(src, dst)

    assert threads == [threading.main_thread()]
    assert leftovers(tmp_path) == []
    assert held(dst) == {path: data for path, data in tree.items() if path < "070"}


# -- with threads and without ----------------------------------------------------------------------------------


class Acting:
    """Does nothing but note where it was done; ``wall`` and ``busy`` say how long that took, in seconds."""

    def __init__(self, *, wall: float, busy: float) -> None:
        self.threads: list[threading.Thread] = []
        self.cancelled = False
        self._wall, self._busy = wall, busy
        self._now = self._worked = 0.0

    def batch(self, actions: list[Action]) -> list[Outcome]:
        self.threads.append(threading.current_thread())
        self._now += self._wall
        self._worked += self._busy
        return [Outcome(action) for action in actions]

    def cancel(self) -> None:
        self.cancelled = True

    def clock(self) -> SimpleNamespace:
        return SimpleNamespace(perf_counter=lambda: self._now, thread_time=lambda: self._worked)


def batches(count: int, size: int) -> list[Batch[Action, Outcome]]:
    def action(path: str) -> Action:
        return Action(Verb.COPY, path, "", ObjectInfo(path, FILE, size, WHEN))

    return [Batch([action(f"{n}/{m}") for m in range(3)], 3 * size) for n in range(count)]


def done(crew: Crew, work: Iterable[Batch[Action, Outcome]]) -> list[str]:
    """Run batches and return the paths of all outcomes."""
    try:
        return [outcome.action.path for outcomes in crew.run(work) for outcome in outcomes]
    finally:
        crew.close()


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Acting, Crew]]:
    def make(*, wall: float, busy: float, near: bool = True) -> tuple[Acting, Crew]:
        acting = Acting(wall=wall, busy=busy)
        monkeypatch.setattr(workers, "time", acting.clock())
        return acting, Workers(acting, 3, near=near)

    return make


def test_threads_where_batches_wait(team: Callable[..., tuple[Acting, Crew]]) -> None:
    """Once a device has been seen to set the pace, threads take over; no outcome is lost or doubled."""
    acting, crew = team(wall=0.2, busy=0.01)
    work = batches(20, 10)
    paths = done(crew, work)
    here = [thread is threading.main_thread() for thread in acting.threads]

    assert here == [True] * 2 + [False] * 18
    assert sorted(paths) == sorted(action.path for batch in work for action in batch.todo)
    assert paths[:6] == [action.path for batch in work[:2] for action in batch.todo]


def test_no_threads_where_the_processor_works(team: Callable[..., tuple[Acting, Crew]]) -> None:
    """As long as the work is the interpreter's own, no thread is started, and outcomes come in order."""
    acting, crew = team(wall=0.2, busy=0.15)
    work = batches(20, 10)

    assert done(crew, work) == [action.path for batch in work for action in batch.todo]
    assert set(acting.threads) == {threading.main_thread()}


@pytest.mark.parametrize(("near", "size"), [(False, 10), (True, workers.SMALL + 1)])
def test_threads_at_once(team: Callable[..., tuple[Acting, Crew]], near: bool, size: int) -> None:
    """Large files, and places that are not of this machine, are not tried without threads."""
    acting, crew = team(wall=0.2, busy=0.15, near=near)
    paths = done(crew, batches(8, size))

    assert threading.main_thread() not in acting.threads
    assert len(set(paths)) == len(paths) == 24


def test_no_threads_where_nobody_is_asked(team: Callable[..., tuple[Acting, Crew]]) -> None:
    """Batches that say so are done without threads also where a side is far, and others beside them are not."""
    acting, crew = team(wall=0.2, busy=0.15, near=False)
    work = batches(8, 10)
    for batch in work[::2]:
        batch.here = True
    paths = done(crew, work)

    assert acting.threads.count(threading.main_thread()) == 4
    assert len(set(paths)) == len(paths) == 24


def test_switch_within_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes over to threads midway copies all the same, each file once."""
    monkeypatch.setattr(workers, "_TRIAL", 0.0)
    tree = many(400)
    threads: set[bool] = set()

    class Waiting(Noting):
        def put_many(self, items: Sequence[PutItem]) -> PutResults:
            threads.add(threading.current_thread() is threading.main_thread())
            # Much longer than the work: the first batch must be seen to have waited.
            time.sleep(0.15)
            return super().put_many(items)

    driver = Waiting(FileOptions(root=str(tmp_path / "d")))
    result = sync(files(tmp_path / "s", tree), Storage(driver))

    assert threads == {True, False}
    assert (result.ok, result.transferred, sum(driver.batches)) == (True, 400, 400)
    assert held(Storage(driver)) == tree


def test_failing_work_stops_the_threads(team: Callable[..., tuple[Acting, Crew]]) -> None:
    """When the plan breaks off, what runs is told to stop and is waited for."""
    acting, crew = team(wall=0.2, busy=0.01)

    def breaking() -> Iterator[Batch[Action, Outcome]]:
        yield from batches(6, 10)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        done(crew, breaking())

    assert acting.cancelled
    assert len(acting.threads) == 6


# -- what is tidied up -----------------------------------------------------------------------------------------


def leave(place: Path, *, days: float) -> Path:
    """Make what a killed writer leaves, some days old."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"half")
    when = time.time() - days * DAY
    os.utime(place, (when, when))
    return place


@pytest.mark.parametrize("verb", [sync, copy])
def test_old_leftovers_go(tmp_path: Path, verb: Callable[[Storage, Storage], object]) -> None:
    """A leftover that a listing of the destination came across goes if it is old; a fresh one may be in use."""
    src, dst = files(tmp_path / "s", many(10)), files(tmp_path / "d", many(10))
    old = [leave(tmp_path / f"d/{folder}.omnistorage-00000001.tmp", days=2) for folder in ("", "d1/", "d3/")]
    fresh = leave(tmp_path / "d/d1/.omnistorage-00000002.tmp", days=0.5)
    of_source = leave(tmp_path / "s/d1/.omnistorage-00000003.tmp", days=2)
    verb(src, dst)

    assert [place.exists() for place in old] == [False] * 3
    assert fresh.read_bytes() == b"half"
    assert of_source.read_bytes() == b"half"
    assert held(dst) == held(src) == many(10)


def test_dry_run_sweeps_nothing(tmp_path: Path) -> None:
    """A dry run lets leftovers be, and a run after it with the same storage removes them."""
    src, dst = files(tmp_path / "s", many(10)), files(tmp_path / "d")
    old = leave(tmp_path / "d/d1/.omnistorage-00000001.tmp", days=2)
    sync(src, dst, Options(dry_run=True))
    before = old.exists()
    sync(src, dst)

    assert before
    assert not old.exists()


def test_sweeping_keeps_times_of_folders(tmp_path: Path) -> None:
    """A folder that was copied to, and swept, has the time it has at the source."""
    src, dst = files(tmp_path / "s", {"d/a": b"a"}), files(tmp_path / "d")
    os.utime(tmp_path / "s/d", ns=(WHEN, WHEN))
    old = leave(tmp_path / "d/d/.omnistorage-00000001.tmp", days=2)
    sync(src, dst)

    assert not old.exists()
    assert (tmp_path / "d/d").stat().st_mtime_ns == WHEN


def test_nothing_is_swept_where_nothing_was_seen(tmp_path: Path) -> None:
    """Sweeping what was noticed looks at no folder that a listing did not find littered."""
    storage = files(tmp_path / "d", many(10))
    list(storage.list())
    old = leave(tmp_path / "d/d1/.omnistorage-00000001.tmp", days=2)
    first = storage.driver.sweep(noticed=True)
    list(storage.list())
    storage.driver.list("d1")
    elsewhere = storage.driver.sweep("d2", noticed=True)
    second = storage.driver.sweep("d1", noticed=True)
    third = storage.driver.sweep(noticed=True)

    assert (first, elsewhere, second, third) == (0, 0, 1, 0)
    assert not old.exists()


def test_sync_of_equals_with_readonly(tmp_path: Path) -> None:
    """A run that has nothing to do succeeds also where it may not tidy up."""
    dst = files(tmp_path / "d", many(10))
    old = leave(tmp_path / "d/d1/.omnistorage-00000001.tmp", days=2)
    result = sync(files(tmp_path / "s", many(10)), Storage(Readonly(dst.driver)))

    assert (result.ok, result.equal, result.changed) == (True, 10, 0)
    assert old.exists()
