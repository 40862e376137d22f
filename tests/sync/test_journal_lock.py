"""One run of a job at a time: on one machine by the kernel, on several by a heartbeat."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path

import pytest

from journal_scenes import OTHER, Said, killed, lock_file, opened, running, start, version
from omnistorage.sync import joblock
from omnistorage.sync.journal import Locked

_HOLDER = """
import sys, time
from omnistorage.sync.journal import JobKey, Journal
key = JobKey(kind="copy", source=("file", "/here"), dest=("file", "/there"))
journal = Journal.open(key, folder=sys.argv[1])
journal.tally(7, 700)
journal._beat()
print("ready", flush=True)
time.sleep(60)
"""

_RACE = """
# Many processes race for one job, again and again; whoever gets in writes down that he did, and when he leaves.
import multiprocessing, os, random, sys, time
from omnistorage.sync import joblock
from omnistorage.sync.journal import JobKey, Journal, Locked

folder, kind, count, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
key = JobKey(kind="copy", source=("file", "/here"), dest=("file", "/there"))

def race(number, inside, wins, clashes, ending):
    if kind == "machines":
        # As if each were a machine of its own, and locks of the file system held on none of them but theirs.
        joblock.host_name = lambda: f"host{number}"
        joblock.boot_id = lambda: f"boot{number}"
        joblock._try_lock = lambda fd, shared=False: None
    while time.monotonic() < ending:
        try:
            journal = Journal.open(key, folder=folder, warn=print)
        except Locked:
            time.sleep(random.random() / 500)
            continue
        with inside.get_lock():
            inside.value += 1
            clashes.value += inside.value != 1
        wins[number] += 1
        time.sleep(random.random() / 500)
        with inside.get_lock():
            inside.value -= 1
        if random.random() < 0.5:
            journal.done()
        else:
            journal.tally(1, 1)
            journal.close()

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    inside, clashes = context.Value("i", 0), context.Value("i", 0)
    wins = context.Array("i", count)
    ending = time.monotonic() + seconds
    those = [context.Process(target=race, args=(n, inside, wins, clashes, ending)) for n in range(count)]
    for one in those: one.start()
    for one in those: one.join()
    print(sum(wins), sum(win > 0 for win in wins), clashes.value, *{one.exitcode for one in those})
"""

_AT_ONCE = """
# All begin in the same moment, round after round, and nobody leaves before all have tried.
import multiprocessing, sys
from omnistorage.sync import joblock
from omnistorage.sync.journal import JobKey, Journal, Locked

folder, kind, count, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def race(number, barrier, wins):
    if kind == "machines":
        joblock.host_name = lambda: f"host{number}"
        joblock.boot_id = lambda: f"boot{number}"
        joblock._try_lock = lambda fd, shared=False: True
    for round in range(rounds):
        key = JobKey(kind="copy", source=("file", "/here"), dest=("file", f"/{round % 5}"))
        barrier.wait()
        journal = None
        try:
            journal = Journal.open(key, folder=folder)
            with wins.get_lock():
                wins[round] += 1
        except Locked:
            pass
        barrier.wait()
        if journal is not None:
            journal.tally(1, 1)
            journal.close() if round % 2 else journal.done()

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    barrier, wins = context.Barrier(count), context.Array("i", rounds)
    those = [context.Process(target=race, args=(n, barrier, wins)) for n in range(count)]
    for one in those: one.start()
    for one in those: one.join()
    print(*sorted(set(wins)), *{one.exitcode for one in those})
"""


def test_excludes_its_like(tmp_path: Path) -> None:
    """A second run of the job is refused, in words that tell who has it; another job is not."""
    with opened(tmp_path) as journal, opened(tmp_path, OTHER):
        with pytest.raises(Locked) as caught:
            opened(tmp_path)
        journal.done()
    opened(tmp_path).close()
    error = caught.value

    assert (error.host, error.pid) == (joblock.host_name(), os.getpid())
    assert abs(error.started - time.time()) < 60
    assert abs(error.heartbeat - time.time()) < 60
    assert str(error).startswith(
        f"another run of this job is under way: process {os.getpid()} on {error.host}, since 2"
    )
    assert error.retryable
    assert pickle.loads(pickle.dumps(error)).pid == error.pid


def test_a_living_process_excludes(tmp_path: Path) -> None:
    """Also one of which nothing was heard for an hour: the kernel knows that it lives."""
    with running(_HOLDER, tmp_path) as process:
        os.utime(lock_file(tmp_path), (1, 1))
        with pytest.raises(Locked, match=f"process {process.pid} "):
            opened(tmp_path)
        seen = joblock.look(str(lock_file(tmp_path)))
    after = joblock.look(str(lock_file(tmp_path)))

    assert seen is not None
    assert after is not None
    assert (seen.running, after.running) == (True, False)


def test_a_killed_process_does_not(tmp_path: Path) -> None:
    """The next run gets in at once, and learns how far the killed one was."""
    killed(_HOLDER, tmp_path)
    with opened(tmp_path) as journal:
        before = journal.before

    assert before is not None
    assert (before.state, before.objects, before.bytes) == ("running", 7, 700)


@pytest.mark.parametrize("kind", ["processes", "machines"])
def test_one_wins(kind: str, tmp_path: Path) -> None:
    """Of many that begin in the same moment, exactly one gets in, round after round."""
    out, err = start(_AT_ONCE, tmp_path, kind, 12, 60).communicate(timeout=100)

    assert (out, err) == ("1 0\n", "")


@pytest.mark.parametrize("kind", ["processes", "machines"])
def test_never_two_at_once(kind: str, tmp_path: Path) -> None:
    """In a crowd that comes and goes, the job is never run twice at a time, and it goes round."""
    out, err = start(_RACE, tmp_path, kind, 6, 3).communicate(timeout=100)
    wins, winners, clashes, *codes = map(int, out.split())

    assert err == ""
    assert clashes == 0
    assert codes == [0]
    assert winners > 1
    assert wins > 20


class TestAnotherMachine:
    """A home folder that is shared, where the file system does not pass locks on."""

    @pytest.fixture
    def left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The state folder in which another machine is at work."""
        killed(_HOLDER, tmp_path)
        monkeypatch.setattr(joblock, "host_name", lambda: "elsewhere")
        monkeypatch.setattr(joblock, "boot_id", lambda: "another")
        return tmp_path

    def test_fresh_heartbeat(self, left: Path) -> None:
        """It lives: the run is refused."""
        with pytest.raises(Locked, match=f"on {os.uname().nodename}"):
            opened(left)
        seen = joblock.look(str(lock_file(left)))

        assert seen is not None
        assert seen.running

    def test_stale_heartbeat(self, left: Path) -> None:
        """Nothing was heard of it for two minutes: it is dead, and its job is taken over."""
        then = time.time() - joblock.DEAD - 1
        os.utime(lock_file(left), (then, then))
        seen = joblock.look(str(lock_file(left)))
        with opened(left) as journal:
            before = journal.before

        assert seen is not None
        assert not seen.running
        assert before is not None
        assert before.objects == 7

    def test_same_kernel(self, left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A container that was started again has another name, and the kernel that let go of the lock."""
        monkeypatch.undo()
        monkeypatch.setattr(joblock, "host_name", lambda: "container-2")
        with opened(left) as journal:
            before = journal.before

        assert before is not None

    def test_an_unfinished_job(self, left: Path) -> None:
        """A job that another machine left in order is free at once."""
        record = json.loads(lock_file(left).read_bytes())
        lock_file(left).write_bytes(json.dumps(record | {"state": "interrupted"}).encode())
        with opened(left) as journal:
            before = journal.before

        assert before is not None
        assert before.state == "interrupted"


def test_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that slept and was taken over by another machine notices, says so once, and leaves all to the other."""
    monkeypatch.setattr(joblock, "_try_lock", lambda fd, shared=False: True)
    said = Said()
    slow = opened(tmp_path, warn=said)
    slow.mark_equal("a", version(1), version(2))
    slow.flush()
    then = time.time() - joblock.DEAD - 1
    os.utime(lock_file(tmp_path), (then, then))
    with monkeypatch.context() as there:
        there.setattr(joblock, "host_name", lambda: "elsewhere")
        there.setattr(joblock, "boot_id", lambda: "another")
        quick = opened(tmp_path)
    for _ in range(2):
        slow._beat()
    known = slow.known_equal("a", version(1), version(2))
    slow.mark_equal("b", version(1), version(2))
    slow.done()
    seen = joblock.look(str(lock_file(tmp_path)))
    quick.close()

    assert slow.lost
    assert not known
    assert len(said) == 1
    assert seen is not None
    assert seen.record is not None
    assert seen.record.host == "elsewhere"


def test_no_locks_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has none, a process of this machine that lives excludes, and one that was killed not."""
    monkeypatch.setattr(joblock, "_try_lock", lambda fd, shared=False: None)
    with running(_HOLDER, tmp_path), pytest.raises(Locked):
        opened(tmp_path)
    opened(tmp_path).close()


def test_the_lock_of_a_file_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens a lock file in the moment in which its owner takes it away locks the next one instead."""
    path, plain = lock_file(tmp_path), joblock._try_lock
    opened(tmp_path).close()

    def too_late(fd: int, *, shared: bool = False) -> bool | None:
        monkeypatch.setattr(joblock, "_try_lock", plain)
        path.unlink()
        return plain(fd, shared=shared)

    monkeypatch.setattr(joblock, "_try_lock", too_late)
    with opened(tmp_path), pytest.raises(Locked):
        opened(tmp_path)


def test_a_claim_that_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was killed between two system calls holds up the next run for some seconds, not for ever."""
    monkeypatch.setattr(joblock, "_CLAIM_STALE", 0.2)
    opened(tmp_path).close()
    claim = Path(f"{lock_file(tmp_path)}.claim")
    claim.touch()
    opened(tmp_path).close()

    assert not claim.exists()


@pytest.mark.parametrize("content", [b"", b"{", b'{"host": 1}', b"\0" * 5000, b"\xff" * 1024])
def test_a_record_that_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    """A lock file with anything in it is nobody's as long as nobody locks it."""
    opened(tmp_path).close()
    lock_file(tmp_path).write_bytes(content)
    with opened(tmp_path) as journal:
        before = journal.before
        journal.tally(1, 1)
    with opened(tmp_path) as journal:
        after = journal.before

    assert before is None
    assert after is not None
    assert after.objects == 1


def test_looking_does_not_get_in_the_way(tmp_path: Path) -> None:
    """While others look at a lock all the time, a run gets it."""
    code = (
        "import sys; from omnistorage.sync.joblock import look\n"
        "print('ready', flush=True)\n"
        "while True: look(sys.argv[1])\n"
    )
    with running(code, lock_file(tmp_path)):
        for _ in range(200):
            opened(tmp_path).close()


def test_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life come by themselves, with the progress that was made."""
    monkeypatch.setattr("omnistorage.sync.journal.BEAT", 0.05)
    with opened(tmp_path) as journal:
        os.utime(lock_file(tmp_path), (1, 1))
        journal.tally(5, 50)
        deadline = time.monotonic() + 30
        while (seen := joblock.look(str(lock_file(tmp_path)))) and time.monotonic() < deadline:
            if seen.record is not None and seen.record.objects:
                break
            time.sleep(0.01)

    assert seen is not None
    assert seen.record is not None
    assert (seen.record.objects, seen.record.bytes) == (5, 50)
    assert abs(seen.heartbeat - time.time()) < 60
