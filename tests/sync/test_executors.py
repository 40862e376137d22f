"""Runs whose work is done by threads, by processes, and by a Dask cluster, of which a worker is killed midway."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from cli_runs import run_here
from executor_scenes import Deadly, dawdle
from omnistorage.cli._executors import Processes
from omnistorage.core.content import common_hash
from omnistorage.core.errors import Unsupported
from omnistorage.core.info import ObjectInfo
from omnistorage.core.layer import Layer
from omnistorage.drivers.file import FileDriver
from omnistorage.layers.limit import Limit
from omnistorage.storage import Storage
from omnistorage.sync import CheckOptions, Compare, Options, check, copy, move, sync
from omnistorage.sync.backup import Backup
from omnistorage.sync.limits import Admission
from omnistorage.sync.model import Action, Event, Outcome, Policy, Result, Verb
from omnistorage.sync.run import Run
from omnistorage.sync.transfer import Transfer
from sync_scenes import NEWER, OLD, TREE, WHEN, Tree, files, held, leftovers, memory, plain

MANY: Tree = {f"d{number % 9}/f{number:04}": b"bytes of %d" % number for number in range(2500)}
SOME: Tree = {path: data for path, data in MANY.items() if int(path[-4:]) < 500}


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed: Any = import_module("distributed")
    # On a busy machine a fresh process may take its time.
    patience: Any = import_module("dask.config").set({"distributed.comm.timeouts.connect": "100s"})
    with (
        patience,
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            silence_logs=50,
            worker_dashboard_address=None,
        ) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def dask(cluster: Any) -> Iterator[Executor]:
    distributed: Any = import_module("distributed")
    with distributed.Client(cluster, set_as_default=False) as client:
        yield client.get_executor()


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "threads":
        with ThreadPoolExecutor(2) as threads:
            yield threads
    else:
        yield request.getfixturevalue("pool" if request.param == "processes" else "dask")


def _worker(executor: Any) -> int:
    """Return the process of one of two workers, when both are there."""
    client = executor._client
    client.wait_for_workers(2, timeout=30)
    return int(min(client.run(os.getpid).values()))


def _counters(result: Result) -> dict[str, object]:
    names = ("transferred", "bytes", "deleted", "touched", "equal", "deleted_sources", "backed_up", "server_moves")
    return {name: getattr(result, name) for name in (*names, "skipped", "errors", "exit_code", "unverified")}


# -- the same as without ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("compare", [Compare.MTIME, Compare.HASH])
@pytest.mark.parametrize("recipe", [sync, copy, move])
def test_as_without(recipe: Any, compare: Compare, executor: Executor, tmp_path: Path) -> None:
    """Every recipe does and counts the same, whoever does the work."""
    options = Options(compare=compare)
    places = [(files(tmp_path / side / "s", TREE, when=NEWER), files(tmp_path / side / "d", OLD)) for side in "ab"]
    one = recipe(*places[0], options)
    two = recipe(*places[1], options, executor=executor)

    assert _counters(two) == _counters(one)
    assert [held(side) for side in places[1]] == [held(side) for side in places[0]]
    assert leftovers(tmp_path) == []


def test_metadata_travels(executor: Executor, tmp_path: Path) -> None:
    """What is kept beside the bytes is kept wherever the work is done."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", {"a": b"one"})
    for number, path in enumerate(TREE):
        os.chmod(tmp_path / "s" / path, 0o600 + number)
    result = copy(src, dst, Options(metadata=True), executor=executor)

    assert result.failures == []
    assert (result.transferred, result.metadata_set) == (len(TREE) - 1, 1)
    modes = [os.stat(tmp_path / "d" / path).st_mode & 0o777 for path in TREE]
    assert modes == [0o600 + number for number in range(len(TREE))]


def test_check_finds_the_same(executor: Executor, tmp_path: Path) -> None:
    """Contents are compared where the executor is, and the answer is that of this process."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", OLD)
    found = check(src, dst, CheckOptions(by="bytes"), executor=executor)

    assert found == check(src, dst, CheckOptions(by="bytes"))
    assert (found.matches, found.differs, found.errors) == (1, 1, 0)


def test_many_in_batches(executor: Executor, tmp_path: Path) -> None:
    """Many small files arrive, each once, and a second run finds nothing to do."""
    src, dst = files(tmp_path / "s", SOME), files(tmp_path / "d")
    first, second = sync(src, dst, executor=executor), sync(src, dst, executor=executor)

    assert (first.transferred, first.errors, second.changed) == (len(SOME), 0, 0)
    assert held(dst) == SOME


def test_limit_is_kept_by_the_caller(executor: Executor, tmp_path: Path) -> None:
    """A limit on bytes holds across all workers, also for copies that only a look at the contents shows."""
    tree = {f"f{number}": b"new %04d" % number for number in range(40)}
    src = files(tmp_path / "s", tree)
    dst = files(tmp_path / "d", {path: data[::-1] for path, data in tree.items()})
    options = Options(compare=Compare.HASH, max_transfer=10 * 8)
    result = copy(src, dst, options, executor=executor)

    assert (result.transferred, result.bytes, result.limit, result.exit_code) == (10, 80, "max_transfer", 8)
    assert sum(held(dst)[path] == data for path, data in tree.items()) == 10


def test_ends_are_told_here(executor: Executor, tmp_path: Path) -> None:
    """An observer in this process hears the end of every action, wherever it was done."""
    src, dst = files(tmp_path / "s", {**TREE, "large": b"x" * (3 << 20)}), files(tmp_path / "d")
    told: list[Event] = []
    copy(src, dst, observer=told.append, executor=executor)

    assert sorted(event.path for event in told if event.kind == "end") == sorted([*TREE, "large"])


# -- workers that are lost -------------------------------------------------------------------------------------


class _Killer:
    """Kills a worker of a cluster when so many actions have ended."""

    def __init__(self, pid: int, after: int) -> None:
        self.pid = pid
        self.left = after

    def __call__(self, event: Event) -> None:
        if event.kind == "end":
            self.left -= 1
            if self.left == 0:
                os.kill(self.pid, signal.SIGKILL)


@pytest.mark.parametrize(("tree", "renames"), [(MANY, True), (SOME, False)], ids=["renamed", "moved"])
def test_move_with_a_worker_killed(tree: Tree, renames: bool, dask: Executor, tmp_path: Path) -> None:
    """A worker of a Dask cluster is killed midway: each object is moved, and counted, once."""
    src, dst = files(tmp_path / "s", tree), files(tmp_path / "d")
    if not renames:
        src.driver.local_root = None
    killer = _Killer(_worker(dask), after=len(tree) // 4)
    result = move(src, dst, observer=killer, executor=dask)
    again = move(src, dst, executor=dask)

    assert killer.left <= 0
    assert held(dst) == tree
    assert held(src) == {}
    assert result.failures == []
    assert (result.transferred, result.deleted_sources, result.skipped) == (len(tree), len(tree), 0)
    assert (result.errors, result.unverified, result.exit_code) == (0, 0, 0)
    assert again.changed == 0


def test_sync_with_backups_and_a_worker_killed(dask: Executor, tmp_path: Path) -> None:
    """What is replaced or deleted meanwhile is kept once, and counted once."""
    new = {path: b"new " + data for path, data in SOME.items() if path < "d8"}
    src, dst = files(tmp_path / "s", new, when=NEWER), files(tmp_path / "d", SOME)
    kept = files(tmp_path / "kept")
    killer = _Killer(_worker(dask), after=128)
    result = sync(src, dst, Options(backup=kept), observer=killer, executor=dask)

    assert killer.left <= 0
    assert result.failures == []
    assert held(dst) == new
    assert held(kept) == SOME
    assert (result.transferred, result.deleted) == (len(new), len(SOME) - len(new))
    assert result.backed_up == len(SOME)


def test_killed_again_and_again(cluster: Any, dask: Executor, tmp_path: Path) -> None:
    """An object that kills each worker fails with its batch; all others go on, and the next run ends it."""
    tree = {f"f{number:03}": b"%d" % number for number in range(320)}
    src, dst = files(tmp_path / "s", tree), files(tmp_path / "d")
    allowed, cluster.scheduler.allowed_failures = cluster.scheduler.allowed_failures, 0
    try:
        deadly = Storage(dst.driver, partial(Deadly, path="f100"))
        result = sync(src, deadly, executor=dask)
    finally:
        cluster.scheduler.allowed_failures = allowed
    lost = {outcome.action.path for outcome in result.failures}

    assert "f100" in lost
    assert "KilledWorker" in str(result.failures[0].error)
    assert result.transferred + result.errors == len(tree)
    assert result.errors < len(tree)
    assert result.exit_code == 1
    assert lost | set(held(dst)) == set(tree)
    assert sync(src, dst, executor=dask).errors == 0
    assert held(dst) == tree


_CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1")
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


def test_scheduler_killed(tmp_path: Path) -> None:
    """When the scheduler is gone for good, what it had and what comes fails, after the time to find it again."""
    distributed: Any = import_module("distributed")
    src, dst = files(tmp_path / "s", {"a": b"small", "b": b"large" * (1 << 20), "c": b"last"}), files(tmp_path / "d")
    script = tmp_path / "cluster.py"
    script.write_text(_CLUSTER)
    words = [sys.executable, str(script)]
    slow = Storage(dst.driver, partial(Limit, bytes_per_second=100_000))
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        logging.getLogger("distributed.client").setLevel(60)
        with distributed.Client(address, timeout=1, set_as_default=False) as client:

            def kill(event: Event) -> None:
                if event.path == "a":
                    process.kill()

            options = Options(transfers=1, max_transfer=10**9)  # a limit on bytes lets each object travel alone
            result = copy(src, slow, options, observer=kill, executor=client.get_executor())

    assert (result.transferred, result.errors, result.exit_code) == (1, 2, 1)
    assert {str(outcome.error).partition("lost by ")[2][:12] for outcome in result.failures} == {"the executor"}
    assert held(dst) == {"a": b"small"}
    assert copy(src, dst).transferred == 2


def test_broken_pool(tmp_path: Path) -> None:
    """A pool that breaks loses what it had: all of that, and all that comes, fails, and nothing hangs."""
    src, dst = files(tmp_path / "s", SOME), files(tmp_path / "d")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as broken:
        result = move(src, Storage(dst.driver, partial(Deadly, path="d4/f0265")), executor=broken)

    assert result.transferred + result.errors == len(SOME)
    assert result.errors
    assert result.exit_code == 1
    assert "lost by the executor: BrokenProcessPool" in str(result.failures[0].error)
    assert {**held(src), **held(dst)} == SOME
    assert move(src, dst).errors == 0
    assert held(dst) == SOME


def test_pool_that_renews_itself(tmp_path: Path) -> None:
    """The pool of ``--processes`` is made anew; what was lost is tried again, and in the end all is done."""
    src, dst, fuse = files(tmp_path / "s", SOME), files(tmp_path / "d"), tmp_path / "fuse"
    fuse.touch()
    deadly = Storage(dst.driver, partial(Deadly, path="d4/f0265", fuse=str(fuse)))
    with Processes(2) as renewed:
        result = copy(src, deadly, Options(attempts=2), executor=renewed)

    assert not fuse.exists()
    assert (result.transferred, result.errors) == (len(SOME), 0)
    assert held(dst) == SOME


def test_broken_pool_ends_its_processes(tmp_path: Path) -> None:
    """SIGTERM is how a broken pool ends the rest: an idle process ends, a busy one cleans up before that."""
    begun, cleaned = tmp_path / "begun", tmp_path / "cleaned"
    with Processes(2) as renewed:
        busy = renewed.submit(dawdle, str(begun), str(cleaned))
        while not begun.exists():
            time.sleep(0.01)
        idle = renewed.submit(os.getpid).result(20)
        os.kill(idle, signal.SIGTERM)
        with pytest.raises(BrokenExecutor):
            busy.result(20)
        other = renewed.submit(os.getpid).result(20)

    assert cleaned.exists()
    assert other != idle


def test_executor_that_is_shut_down(tmp_path: Path) -> None:
    """What cannot be handed over any more is a failure of each object."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d")
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    result = copy(src, dst, executor=ended)

    assert (result.errors, result.transferred, result.exit_code) == (len(TREE), 0, 1)
    assert "cannot schedule new futures" in str(result.failures[0].error)


def test_cancelled_by_its_owner(tmp_path: Path) -> None:
    """Futures that somebody cancels are failures of what they were about."""

    class Cancelling(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            future = super().submit(time.sleep, 0.01)
            later = super().submit(*args, **kwargs)
            assert later.cancel()
            del future
            return later

    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d")
    with Cancelling(1) as owner:
        result = copy(src, dst, executor=owner)

    assert (result.errors, result.transferred) == (len(TREE), 0)
    assert "CancelledError" in str(result.failures[0].error)


# -- done twice ------------------------------------------------------------------------------------------------


def _elsewhere(transfer: Transfer) -> Transfer:
    made: Transfer = pickle.loads(pickle.dumps(transfer))
    return made


def _policy(src: Storage, dst: Storage, **changed: Any) -> Policy:
    return Policy(hash_name=common_hash(src.driver, dst.driver), **changed)


def _twice(transfer: Transfer, actions: list[Action]) -> tuple[list[Outcome], list[Outcome]]:
    """Do a batch in a worker that is lost then, and again in another one."""
    return _elsewhere(transfer).batch(actions), _elsewhere(transfer).batch(actions)


@pytest.mark.parametrize("renames", [True, False])
def test_move_done_twice(renames: bool, tmp_path: Path) -> None:
    """A move whose source a lost worker deleted counts as done, as if it had been done now."""
    src, dst = files(tmp_path / "s", TREE, when=NEWER), files(tmp_path / "d", {"a": b"old"})
    if not renames:
        src.driver.local_root = None
    actions = [Action(Verb.COPY, info.path, "", info, _stat(dst, info.path)) for info in src.scan() if info.is_file]
    transfer = Transfer(src.driver, dst.driver, _policy(src, dst, move=True))
    one, two = _twice(transfer, actions)

    assert two == one
    assert {outcome.verified for outcome in two} == {"hash"}
    assert held(dst) == TREE


def _stat(storage: Storage, path: str) -> ObjectInfo | None:
    return storage.stat(path) if storage.exists(path) else None


def test_equal_object_moved_twice(tmp_path: Path) -> None:
    """A source that was deleted because its bytes were there already counts as that."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", TREE)
    actions = [Action(Verb.COMPARE, path, "", src.stat(path), dst.stat(path)) for path in TREE]
    one, two = _twice(Transfer(src.driver, dst.driver, _policy(src, dst, move=True)), actions)

    assert two == one
    assert {outcome.action.verb for outcome in two} == {Verb.KEEP}


@pytest.mark.parametrize("there", [None, b"other", b"???"])
def test_source_that_somebody_deleted(there: bytes | None, tmp_path: Path) -> None:
    """A source that is gone while the destination has nothing, or something else, was not moved."""
    src, dst = files(tmp_path / "s", {"a": b"one"}, when=NEWER), files(tmp_path / "d", {"a": there} if there else {})
    action = Action(Verb.COPY, "a", "", src.stat("a"), _stat(dst, "a"))
    src.delete("a")
    (outcome,) = _elsewhere(Transfer(src.driver, dst.driver, _policy(src, dst, move=True))).batch([action])

    assert (outcome.action.verb, outcome.action.reason) == (Verb.SKIP, "vanished from the source")


def test_rename_done_twice(tmp_path: Path) -> None:
    """An object that has its new path already was renamed; one that is gone altogether was not."""
    src, dst = files(tmp_path / "s", {"new": b"one", "lost": b"two"}), files(tmp_path / "d", {"old": b"one"})
    actions = [
        Action(Verb.RENAME, "new", "", src.stat("new"), dst.stat("old")),
        Action(Verb.RENAME, "lost", "", src.stat("lost"), ObjectInfo("gone", size=3, mtime_ns=WHEN)),
    ]
    one, two = _twice(Transfer(src.driver, dst.driver, _policy(src, dst)), actions)

    assert two[0] == one[0]
    assert (one[0].renamed, one[0].error) == (True, None)
    assert two[1].error is not None
    assert held(dst) == {"new": b"one"}


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("lost_at", ["the end", "the change"])
def test_backups_made_once(lost_at: str, linked: bool, tmp_path: Path) -> None:
    """A backup that a lost worker made stands for the same object, and is not made again under another name."""
    src, dst = files(tmp_path / "s", {"a": b"new one"}, when=NEWER), files(tmp_path / "d", OLD)
    kept = files(tmp_path / "kept")
    backup = Backup(dst.driver, kept.driver, ".old", linked=linked)
    actions = [
        Action(Verb.COPY, "a", "", src.stat("a"), dst.stat("a")),
        Action(Verb.DELETE, "z", "", dst=dst.stat("z")),
    ]
    if lost_at == "the change":
        made: Backup = pickle.loads(pickle.dumps(backup))
        assert [made.keep(one.path, one.dst, one.src) for one in actions] == ["a.old", "z.old"]
    one, two = _twice(Transfer(src.driver, dst.driver, _policy(src, dst), backup=backup), actions)

    assert [outcome.backup for outcome in one] == ["a.old", "z.old"]
    assert two == one
    assert held(kept) == {"a.old": OLD["a"], "z.old": OLD["z"]}


def test_an_older_backup_is_no_proof(tmp_path: Path) -> None:
    """A backup of equal size and time but other bytes does not stand for the object that is about to go."""
    dst, kept = files(tmp_path / "d", {"a": b"one"}), files(tmp_path / "kept", {"a": b"two"})
    backup = Backup(dst.driver, kept.driver)
    actions = [Action(Verb.DELETE, "a", "", dst=dst.stat("a"))]
    one, two = _twice(Transfer(dst.driver, dst.driver, _policy(dst, dst, delete=True), backup=backup), actions)

    assert one[0].backup == "a.~1~"
    assert held(kept) == {"a": b"two", "a.~1~": b"one"}
    assert len(two) == 1
    assert two[0].error is None


# -- what cannot be shared -------------------------------------------------------------------------------------


def test_memory_is_refused(pool: Executor, tmp_path: Path) -> None:
    """A storage that lives in this process is refused before anything is done."""
    with pytest.raises(Unsupported, match="memory storages cannot be shared with other processes"):
        copy(memory(TREE), files(tmp_path), executor=pool)
    assert held(files(tmp_path)) == {}


def test_a_copy_of_a_backend_is_refused(pool: Executor, tmp_path: Path) -> None:
    """An object of the application that says nothing of pickling would be copied, and what it stores be lost."""
    src = files(tmp_path, TREE)

    with pytest.raises(Unsupported, match="Plain does not say how other processes reach its objects"):
        copy(src, plain(), executor=pool)
    assert held(src) == TREE


def test_nobody_can_be_asked_elsewhere(pool: Executor, tmp_path: Path) -> None:
    """Whoever is asked before each change sits in this process."""
    run = Run.between(files(tmp_path / "s", TREE), files(tmp_path / "d"), Options(), executor=pool, approve=bool)

    with pytest.raises(Unsupported, match="nobody can be asked"):
        run.result()


def test_move_into_half_objects_is_refused(pool: Executor, tmp_path: Path) -> None:
    """A worker that is thought lost could cut an object short whose source another one has deleted."""
    src = files(tmp_path / "s", TREE)

    with pytest.raises(Unsupported, match="whole or not at all"):
        move(src, files(tmp_path / "d"), Options(inplace=True), executor=pool)
    assert held(src) == TREE


def test_what_does_not_pickle_is_refused(pool: Executor, tmp_path: Path) -> None:
    """Anything else that cannot travel is said in one line."""

    class OfThisFunction(Layer):
        pass

    dst = Storage(files(tmp_path / "d").driver, OfThisFunction)

    with pytest.raises(Unsupported, match="cannot be given to other processes"):
        copy(files(tmp_path / "s", TREE), dst, executor=pool)


def test_admission_stays_here() -> None:
    """A transfer elsewhere asks for no bytes; whoever asked does that."""
    src = Storage(FileDriver())
    there = _elsewhere(Transfer(src.driver, src.driver, Policy(), admission=Admission(5, "HARD")))

    assert (there._admission, there._must_ask) == (None, True)


# -- the command -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sync", "copy", "move"])
def test_command_on_a_cluster(command: str, cluster: Any, tmp_path: Path) -> None:
    """``--dask`` lets the workers of a cluster do the transfers."""
    files(tmp_path / "s", TREE)
    ran = run_here(command, "--dask", cluster.scheduler_address, tmp_path / "s", tmp_path / "d")

    assert (ran.code, ran.err) == (0, "")
    assert held(files(tmp_path / "d")) == TREE


@pytest.mark.parametrize("command", ["copyto", "moveto"])
def test_one_object_by_processes(command: str, tmp_path: Path) -> None:
    """A single object gets its new name there as well, and the limit is divided."""
    files(tmp_path / "s", TREE)
    ran = run_here(command, "--processes", "1", "--bwlimit", "50M", tmp_path / "s/a", tmp_path / "d/b")

    assert (ran.code, ran.err) == (0, "")
    assert held(files(tmp_path / "d")) == {"b": b"one"}
    assert (tmp_path / "s/a").exists() is (command == "copyto")


def test_bandwidth_is_divided(tmp_path: Path) -> None:
    """Two processes together keep to the limit that was given for all."""
    files(tmp_path / "s", {"one": b"1" * (1 << 20), "two": b"2" * (1 << 20)})
    began = time.monotonic()
    ran = run_here("copy", "--processes", "2", "--bwlimit", "1M", "--json", tmp_path / "s", tmp_path / "d")

    assert ran.code == 0
    assert time.monotonic() - began > 1.7
    assert len(held(files(tmp_path / "d"))) == 2


def test_one_line_for_each_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No scheduler, no library, too many wishes: one line, and the right exit code."""
    files(tmp_path / "s", TREE)
    places = tmp_path / "s", tmp_path / "d"
    monkeypatch.setattr("omnistorage.cli._executors._PATIENCE", 0.5)
    silent = run_here("copy", "--dask", "tcp://127.0.0.1:9", *places)
    both = run_here("copy", "--dask", "tcp://127.0.0.1:9", "--processes", "2", *places)
    asking = run_here("copy", "-i", "--processes", "2", *places)
    held_here = run_here("copy", "--processes", "2", tmp_path / "s", "memory://there")
    planned = run_here("plan", "--processes", "2", *places)
    monkeypatch.setitem(sys.modules, "distributed", None)
    missing = run_here("copy", "--dask", "tcp://127.0.0.1:9", *places)

    assert (silent.code, both.code, asking.code, held_here.code, missing.code) == (5, 2, 2, 1, 1)
    assert (planned.code, planned.out) == (2, "")
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in silent.err
    assert missing.err == "omnistorage: --dask needs distributed: pip install 'omnistorage[dask]'\n"
    assert held_here.err == "omnistorage: memory storages cannot be shared with other processes\n"
    assert [ran.err.count("\n") for ran in (silent, both, asking)] == [1, 1, 1]


def _begun(tmp_path: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a copy by two processes that takes a while; return it and the processes below it."""
    files(tmp_path / "s", {"one": b"1" * (4 << 20), "two": b"2" * (4 << 20)})
    words = [sys.executable, "-m", "omnistorage", "copy", "--processes", "2", "--bwlimit", "200k"]
    process = subprocess.Popen(
        [*words, str(tmp_path / "s"), str(tmp_path / "d")], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(leftovers(tmp_path / "d")) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    return process, _below(process.pid)


def _below(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _gone(pids: list[int], within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while any(os.path.exists(f"/proc/{pid}") and "Z" not in _state(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    """After ``kill -9`` of the command no process of it is left, and none of its temporary files."""
    process, below = _begun(tmp_path)
    process.kill()
    process.communicate()

    assert len(below) >= 2
    assert _gone(below)
    assert held(files(tmp_path / "d")) == {}
    assert leftovers(tmp_path / "d") == []


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C, though only the command hears it, ends what its processes do, in one line and with 130."""
    process, below = _begun(tmp_path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert (process.returncode, err.strip()) == (130, "omnistorage: interrupted")
    assert _gone(below)
    assert leftovers(tmp_path / "d") == []
