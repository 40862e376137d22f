"""What a run remembers for the next one, and what becomes of it."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal_scenes import KEY, LONG_AGO, OTHER, Said, database, lock_file, opened, start, version
from omnistorage.sync import fingerprint, jobfiles
from omnistorage.sync.jobfiles import prune
from omnistorage.sync.journal import Fingerprint, JobKey, Journal, UploadRecord
from omnistorage.sync.model import Result

RECORD = UploadRecord(token="t-1", part_size=5 << 20, source=version(9), size=100 << 20, temp={"a": [1, "ü"]})

_MARKS_IN_PARALLEL = """
import sys
from concurrent.futures import ThreadPoolExecutor
from omnistorage.sync.journal import Fingerprint, JobKey, Journal
key = JobKey(kind="copy", source=("file", "/here"), dest=("file", "/there"))
with Journal.open(key, folder=sys.argv[1]) as journal, ThreadPoolExecutor(8) as pool:
    def mark(number):
        version = Fingerprint(number, 1_700_000_000_123_456_789)
        journal.mark_equal(f"p/{number}", version, version)
        return journal.known_equal(f"p/{number}", version, version)
    assert all(pool.map(mark, range(5000)))
with Journal.open(key, folder=sys.argv[1]) as journal, ThreadPoolExecutor(8) as pool:
    def known(number):
        version = Fingerprint(number, 1_700_000_000_123_456_789)
        return journal.known_equal(f"p/{number}", version, version)
    assert all(pool.map(known, range(5000)))
    assert not known(5000)
print("fine")
"""


# -- equal contents --------------------------------------------------------------------------------------------


def test_marks_are_kept_when_interrupted(tmp_path: Path) -> None:
    """The next run knows what was equal, and only for these very versions and this job."""
    with opened(tmp_path) as journal:
        journal.mark_equal("a", version(1), version(2))
        at_once = journal.known_equal("a", version(1), version(2))
    with opened(tmp_path, OTHER) as other:
        elsewhere = other.known_equal("a", version(1), version(2))
    with opened(tmp_path) as journal:
        known = [
            journal.known_equal(path, src, dst)
            for path, src, dst in [
                ("a", version(1), version(2)),
                ("a", version(2), version(1)),
                ("a", version(1), version(3)),
                ("a", msgspec.structs.replace(version(1), etag="x"), version(2)),
                ("b", version(1), version(2)),
            ]
        ]

    assert at_once
    assert not elsewhere
    assert known == [True, False, False, False, False]


def test_marks_go_when_done(tmp_path: Path) -> None:
    """Who compares contents again after a whole run means it."""
    with opened(tmp_path) as journal:
        journal.mark_equal("a", version(1), version(2))
        journal.done()
    with opened(tmp_path) as journal:
        known = journal.known_equal("a", version(1), version(2))

    assert not known
    assert sorted(path.name for path in (tmp_path / "jobs").iterdir()) == ["pruned"]


@pytest.mark.parametrize(
    "weak", [Fingerprint(1, None), Fingerprint(None, LONG_AGO), Fingerprint(None, None)], ids=repr
)
def test_no_mark_without_identity(weak: Fingerprint, tmp_path: Path) -> None:
    """Where a changed object could look the same, nothing is remembered."""
    with opened(tmp_path) as journal:
        journal.mark_equal("a", weak, version(1))
        journal.mark_equal("b", version(1), weak)
        known = journal.known_equal("a", weak, version(1)) or journal.known_equal("b", version(1), weak)

    assert not known


def test_no_mark_for_what_just_changed(tmp_path: Path) -> None:
    """A file of this moment may change again within one tick of its clock; an etag would tell."""
    now = time.time_ns()
    coarse, fine = now // 10**9 * 10**9, now | 1
    with opened(tmp_path) as journal:
        known = []
        for moment in (coarse, fine, coarse - 5 * 10**9, fine - 10**9):
            new = Fingerprint(1, moment)
            journal.mark_equal("a", new, version(1))
            known.append(journal.known_equal("a", new, version(1)))
        marked = Fingerprint(1, now, "etag")
        journal.mark_equal("a", marked, version(1))
        known.append(journal.known_equal("a", marked, version(1)))

    assert known == [False, False, True, True, True]


def test_marks_do_not_outlive_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the power fails, files may come back with other bytes than those that were compared."""
    with opened(tmp_path) as journal:
        journal.mark_equal("a", version(1), version(2))
        journal.note_upload("b", RECORD)
    monkeypatch.setattr("omnistorage.sync.joblock.boot_id", lambda: "another life")
    with opened(tmp_path) as journal:
        known, upload = journal.known_equal("a", version(1), version(2)), journal.upload_of("b")
        boot = journal.boot

    assert not known
    assert upload is not None
    assert upload.boot != boot == "another life"


def test_marks_grow_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison of more than a week ago is made again."""
    with opened(tmp_path) as journal:
        journal.mark_equal("a", version(1), version(2))
    later = time.time() + 8 * 86400
    monkeypatch.setattr("omnistorage.sync.jobstore.time.time", lambda: later)
    with opened(tmp_path) as journal:
        known = journal.known_equal("a", version(1), version(2))

    assert not known


def test_marks_from_many_threads(tmp_path: Path) -> None:
    """Threads mark and ask side by side, and nothing is lost."""
    out, err = start(_MARKS_IN_PARALLEL, tmp_path).communicate(timeout=60)

    assert (out, err) == ("fine\n", "")


@given(path=st.text(min_size=1), others=st.lists(st.text(min_size=1), max_size=5))
def test_any_path(path: str, others: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Marks, uploads and failures come back under the very path they were given, whatever it is made of."""
    folder = tmp_path_factory.mktemp("state")
    with opened(folder) as journal:
        journal.mark_equal(path, version(1), version(2))
        journal.note_upload(path, RECORD)
        journal.note_failure(path, "no")
    with opened(folder) as journal:
        known = {one for one in (path, *others) if journal.known_equal(one, version(1), version(2))}
        uploads, failed = journal.uploads(), [one for one, _ in journal.failed_before()]

    assert known == {path}
    assert list(uploads) == failed == [path]


versions = st.builds(
    Fingerprint,
    st.none() | st.integers(0, 10),
    st.none() | st.integers(0, 10),
    st.none() | st.sampled_from(["", "1", "None", "1 1", "'1'"]),
)


@given(one=st.tuples(versions, versions), two=st.tuples(versions, versions))
def test_seals(one: tuple[Fingerprint, Fingerprint], two: tuple[Fingerprint, Fingerprint]) -> None:
    """A seal stands for one pair of versions, and for no other; beside an etag, the time makes no difference."""

    def known(pair: tuple[Fingerprint, Fingerprint]) -> list[object]:
        return [(of.size, of.etag, of.mtime_ns if of.etag is None else None) for of in pair]

    assert (fingerprint.seal(*one) == fingerprint.seal(*two)) == (known(one) == known(two))


# -- uploads and failures --------------------------------------------------------------------------------------


def test_uploads(tmp_path: Path) -> None:
    """How to go on with an upload is known to the next run, until it is forgotten."""
    with opened(tmp_path) as journal:
        none = journal.upload_of("a")
        journal.note_upload("a", RECORD)
        journal.note_upload("b", msgspec.structs.replace(RECORD, token="t-2"))
        journal.note_saved("a", 10 << 20)
        own = journal.upload_of("a")
        journal.forget_upload("b")
    with opened(tmp_path) as journal:
        kept = journal.upload_of("a")
        all_of_them = journal.uploads()
        gone = journal.upload_of("b")
        journal.forget_upload("a")
        journal.done()

    saved = msgspec.structs.replace(RECORD, saved=10 << 20, boot=journal.boot)
    assert (none, gone) == (None, None)
    assert own == kept == saved
    assert all_of_them == {"a": saved}
    assert not lock_file(tmp_path).exists()


def test_uploads_outlive_a_run_that_is_done(tmp_path: Path) -> None:
    """What nobody finished or aborted stays known, so that it can be: as an interrupted job."""
    with opened(tmp_path) as journal:
        journal.note_upload("a", RECORD)
        journal.done(Result())
    with opened(tmp_path) as journal:
        before, uploads = journal.before, list(journal.uploads())

    assert before is not None
    assert (before.state, before.uploads) == ("interrupted", 1)
    assert uploads == ["a"]


def test_failures(tmp_path: Path) -> None:
    """Paths that failed are known to the next run; what it does not fail in is then forgotten."""
    with opened(tmp_path) as journal:
        for number in range(2500):
            journal.note_failure(f"p/{number:04}", "disk full")
        journal.mark_equal("a", version(1), version(2))
        journal.done(Result(errors=2500))
    with opened(tmp_path) as journal:
        before = journal.before
        failed = list(journal.failed_before())
        known = journal.known_equal("a", version(1), version(2))
        journal.note_failure("p/0007", "again")
        journal.done(Result(errors=1))
    with opened(tmp_path) as journal:
        again = list(journal.failed_before())
        journal.done(Result())

    assert before is not None
    assert (before.state, before.failures) == ("failed", 2500)
    assert failed == [(f"p/{number:04}", "disk full") for number in range(2500)]
    assert not known
    assert again == [("p/0007", "again")]
    assert not lock_file(tmp_path).exists()


def test_failures_of_interrupted_runs_add_up(tmp_path: Path) -> None:
    """A run that did not come to its end may not have seen to what failed before."""
    for path in ("a", "b"):
        with opened(tmp_path) as journal:
            journal.note_failure(path, "no")
    with opened(tmp_path) as journal:
        failed = [path for path, _ in journal.failed_before()]

    assert failed == ["a", "b"]


# -- the end ---------------------------------------------------------------------------------------------------


def test_a_run_without_marks_makes_no_database(tmp_path: Path) -> None:
    """Only the lock and the order are there while it runs, nothing when it is done, and SQLite is not loaded."""
    code = (
        "import os, sys; from omnistorage.sync.journal import *\n"
        "key = JobKey(kind='copy', source=('a',), dest=('b',))\n"
        "journal = Journal.open(key, folder=sys.argv[1], command=['copy', 'a', 'b'])\n"
        "journal.known_equal('a', Fingerprint(1, 1), Fingerprint(1, 1))\n"
        "print(sorted(os.listdir(sys.argv[1] + '/jobs')) == [f'{key.id}.json', f'{key.id}.lock', 'pruned'])\n"
        "journal.done()\n"
        "print(os.listdir(sys.argv[1] + '/jobs'), 'sqlite3' in sys.modules)\n"
    )
    out, err = start(code, tmp_path).communicate(timeout=60)

    assert (out, err) == ("True\n['pruned'] False\n", "")


def test_states(tmp_path: Path) -> None:
    """An exception interrupts, a limit does too and keeps marks, done and close may be called again."""
    with suppress(RuntimeError), opened(tmp_path) as journal:
        journal.tally(3, 300)
        raise RuntimeError
    with opened(tmp_path) as journal:
        interrupted = journal.before
        journal.mark_equal("a", version(1), version(2))
        journal.done(Result(transferred=5, bytes=500, limit="max_transfer"))
        journal.done()
        journal.close()
    with opened(tmp_path) as journal:
        limited, known = journal.before, journal.known_equal("a", version(1), version(2))
        journal.done()
    with opened(tmp_path) as journal:
        done = journal.before

    assert interrupted is not None
    assert (interrupted.state, interrupted.objects, interrupted.bytes) == ("interrupted", 3, 300)
    assert limited is not None
    assert (limited.state, limited.objects, limited.bytes) == ("interrupted", 5, 500)
    assert known
    assert done is None


def test_a_run_that_did_nothing_changes_nothing(tmp_path: Path) -> None:
    """Refused before its first change, a run leaves no job, and the one that was interrupted as it was."""
    opened(tmp_path).close()
    none = lock_file(tmp_path).exists()
    with opened(tmp_path) as journal:
        journal.tally(3, 300)
        journal.note_upload("a", RECORD)
    token = journal.before
    for _ in range(2):
        with opened(tmp_path) as journal:
            pass
    with opened(tmp_path) as journal:
        before = journal.before

    assert token is None
    assert not none
    assert before is not None
    assert (before.state, before.objects, before.bytes, before.uploads) == ("interrupted", 3, 300, 1)


def test_uploads_count_before_they_are_looked_at(tmp_path: Path) -> None:
    """A run that never came to its uploads leaves them as they were."""
    with opened(tmp_path) as journal:
        journal.note_upload("a", msgspec.structs.replace(RECORD, saved=7))
    with opened(tmp_path) as journal:
        journal.tally(1, 10)
        journal._beat()
    with opened(tmp_path) as journal:
        before = journal.before

    assert before is not None
    assert (before.objects, before.uploads, before.saved) == (1, 1, 7)


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """The folder is 0700, and so deep as it is ours."""
    state = tmp_path / "deep" / "state"
    old = os.umask(0)
    try:
        with opened(state) as journal:
            journal.mark_equal("a", version(1), version(2))
            journal.flush()
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (state, *state.rglob("*"))}
    finally:
        os.umask(old)

    assert modes.pop("state") == modes.pop("jobs") == 0o700
    del modes["pruned"]
    assert set(modes.values()) == {0o600}


def test_key(tmp_path: Path) -> None:
    """Each part of a key makes another job, and equal keys the same one."""
    keys = [
        KEY,
        msgspec.structs.replace(KEY, kind="move"),
        msgspec.structs.replace(KEY, source=("file", "/her", "e")),
        msgspec.structs.replace(KEY, dest=("file", "/\udcff")),
        msgspec.structs.replace(KEY, selection="- *.tmp"),
    ]
    again = JobKey(kind="copy", source=("file", "/here"), dest=("file", "/there"))

    assert len({key.id for key in keys}) == len(keys)
    assert again.id == KEY.id
    assert len(KEY.id) == 12


# -- what goes wrong -------------------------------------------------------------------------------------------


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(10_000))


def _header_only(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def _torn(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    path.write_bytes(data)


def _of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE bookmarks (url)")
    foreign.close()


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as ours:
        ours.execute("PRAGMA user_version = 2")
    ours.close()


def _without_tables(path: Path) -> None:
    with sqlite3.connect(path) as ours:
        ours.execute("DROP TABLE marks")
        ours.execute("DROP TABLE uploads")
    ours.close()


@pytest.mark.parametrize(
    "damage",
    [_garbage, _header_only, _torn, _of_another_program, _newer, _without_tables],
    ids=lambda one: one.__name__,
)
def test_a_bad_database_is_set_aside(damage: object, tmp_path: Path) -> None:
    """It gets another name and one line, nothing in it is believed, and the run remembers anew."""
    with opened(tmp_path) as journal:
        for number in range(500):
            journal.mark_equal(f"p/{number}", version(1), version(2))
        journal.note_upload("u", RECORD)
    damage(database(tmp_path))  # type: ignore[operator]
    said = Said()
    with opened(tmp_path, warn=said) as journal:
        known = journal.known_equal("other", version(1), version(2))
        upload = journal.upload_of("u")
        journal.mark_equal("b", version(1), version(2))
        journal.note_upload("v", RECORD)
    with opened(tmp_path, warn=said) as journal:
        after = journal.known_equal("b", version(1), version(2)), list(journal.uploads())

    assert not known
    assert upload is None
    assert after == (True, ["v"])
    assert len(said) == 1
    assert "is set aside" in said[0]
    assert len(list((tmp_path / "jobs").glob(f"{KEY.id}.db.corrupt-*[0-9a-f]"))) == 1


def test_damage_met_midway(tmp_path: Path) -> None:
    """Pages that turn out to be bad later cost what was known, and nothing else; uploads of this run are kept."""
    with opened(tmp_path) as journal:
        for number in range(5000):
            journal.mark_equal(f"p/{number:05}", version(number), version(2))
    said = Said()
    with opened(tmp_path, warn=said) as journal:
        first = journal.known_equal("p/00000", version(0), version(2))
        journal.note_upload("u", RECORD)
        path = database(tmp_path)
        with open(path, "r+b") as file:
            file.seek(8192)
            file.write(os.urandom(path.stat().st_size - 8192))
        lies = [
            number for number in range(5000) if journal.known_equal(f"p/{number:05}", version(1), version(number))
        ]
    with opened(tmp_path, warn=said) as journal:
        uploads = list(journal.uploads())

    assert first
    assert lies == []
    assert uploads == ["u"]
    assert len(said) <= 1


def test_a_log_without_its_database(tmp_path: Path) -> None:
    """A removal that was killed midway leaves a log, which is not taken for that of the next database."""
    with opened(tmp_path) as journal:
        journal.mark_equal("a", version(1), version(2))
        journal.flush()
        logs = {path: path.read_bytes() for path in (tmp_path / "jobs").glob("*.db-*")}
        journal.done()
    for path, data in logs.items():
        path.write_bytes(data)
    said = Said()
    with opened(tmp_path, warn=said) as journal:
        journal.mark_equal("b", version(1), version(2))
    with opened(tmp_path, warn=said) as journal:
        known = [journal.known_equal(path, version(1), version(2)) for path in "ab"]

    assert logs
    assert known == [False, True]
    assert said == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The run gets a journal of its own process, and one line."""
    (tmp_path / "file").touch()
    said = Said()
    with opened(tmp_path / "file" / "state", warn=said) as journal:
        journal.mark_equal("a", version(1), version(2))
        journal.note_failure("b", "no")
        journal.note_upload("c", RECORD)
        journal.tally(1, 1)
        upload = journal.upload_of("c")
        journal.forget_upload("c")
        facts = journal.known_equal("a", version(1), version(2)), list(journal.failed_before()), journal.uploads()
        journal.done(Result(errors=1))

    assert facts == (False, [], {})
    assert upload is not None
    assert upload.token == RECORD.token
    assert len(said) == 1
    assert "cannot be used" in said[0]


def test_no_state_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty ``OMNISTORAGE_STATE`` means that nothing is kept, and that is no reason for a line."""
    monkeypatch.setenv("OMNISTORAGE_STATE", "")
    said = Said()
    with Journal.open(KEY, warn=said) as one, Journal.open(KEY, warn=said) as two:
        one.mark_equal("a", version(1), version(2))
        two.done()

    assert said == []


def test_a_full_disk(tmp_path: Path) -> None:
    """When nothing more can be written, that is said once, and the run goes on to its end."""
    code = (
        "import resource, sys; from omnistorage.sync.journal import *\n"
        "key = JobKey(kind='copy', source=('a',), dest=('b',))\n"
        "journal = Journal.open(key, folder=sys.argv[1], warn=print)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "for number in range(20_000): journal.mark_equal(f'p/{number}', Fingerprint(1, 1), Fingerprint(1, 1))\n"
        "journal.note_upload('a', UploadRecord(token='t', part_size=1, source=Fingerprint(1, 1)))\n"
        "print(journal.upload_of('a').token, journal.known_equal('p/1', Fingerprint(1, 1), Fingerprint(1, 1)))\n"
        "journal.done()\n"
    )
    out, err = start(code, tmp_path).communicate(timeout=60)
    lines = out.splitlines()

    assert err == ""
    assert len(lines) == 2
    assert "cannot be kept" in lines[0]
    assert lines[1] == "t False"


def test_the_default_warning_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever gives no function finds the line in the log."""
    (tmp_path / "file").touch()
    opened(tmp_path / "file").close()

    assert [record.name for record in caplog.records] == ["omnistorage"]
    assert "state folder" in caplog.text


# -- secrets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    [
        ":s3,secret_access_key=hunter2,region=x:bucket/a",
        ':s3,secret_access_key="hunter2":bucket',
        "sftp://user:hunter2@host/a",
        "s3://bucket/a?secret_access_key=hunter2",
        "s3://bucket/a?secret%5Faccess%5Fkey=hunter2",
        "work,password=hunter2:a",
        "--password=hunter2",
    ],
)
def test_secrets_are_not_kept(word: str, tmp_path: Path) -> None:
    """No file below the state folder holds one, and the order says that it is not whole."""
    command = ["copy", word, "there", "--secret-access-key", "hunter2", "--exclude", "x"]
    place = "" if word.startswith("-") else word
    with opened(tmp_path, command=command, source=place, dest=place, config="c.toml") as journal:
        journal.note_failure("a", f"cannot open {word}")
        journal.tally(1, 1)
        files = jobfiles.JobFiles(str(tmp_path), KEY.id)
        order = files.read_order()
        journal.flush()
        kept = b"".join(path.read_bytes() for path in (tmp_path / "jobs").iterdir())

    assert order is not None
    assert order.command is not None
    assert (order.command[0], order.command[2]) == ("copy", "there")
    assert order.command[5:] == ["--exclude", "x"]
    assert not order.is_whole
    assert b"unter2" not in kept


def test_orders_without_secrets_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """References, times, filters and names that are no UTF-8 come back as they were; paths become absolute."""
    monkeypatch.chdir(tmp_path)
    command = ["copy", "a b", ":s3,secret_access_key='env:KEY':b", "--exclude", "*:{{x=y}}", "n\udcff", "-v"]
    with opened(tmp_path, command=command, source="a b", dest="work:b", config="c") as journal:
        journal.tally(1, 1)
        order = jobfiles.JobFiles(str(tmp_path), KEY.id).read_order()

    assert order is not None
    assert order.command == command
    assert order.is_whole
    assert (order.cwd, order.source) == (str(tmp_path), str(tmp_path / "a b"))
    assert (order.dest, order.config) == ("work:b", str(tmp_path / "c"))


# -- growing old -----------------------------------------------------------------------------------------------


def test_what_nobody_came_back_to_is_removed(tmp_path: Path) -> None:
    """After thirty days; a job that runs stays, and so does what is younger."""
    for key in (KEY, OTHER):
        with opened(tmp_path, key, command=["copy"]) as journal:
            journal.mark_equal("a", version(1), version(2))
    running = opened(tmp_path, JobKey(kind="move", source=("a",), dest=("b",)))
    folder = tmp_path / "jobs"
    (folder / f"{OTHER.id}.db.corrupt-1").touch()
    (folder / "0123456789ab.db").touch()
    old = time.time() - 31 * 86400
    for path in folder.iterdir():
        if KEY.id not in path.name:
            os.utime(path, (old, old))
    prune(str(tmp_path))
    left = {path.name.split(".")[0] for path in folder.iterdir()}
    running.close()

    assert left == {KEY.id, running.id, "pruned"}


def test_the_engine_need_not_wait(tmp_path: Path) -> None:
    """Opening a short run's journal and deleting it takes a few milliseconds at the very most."""
    times = []
    for _ in range(20):
        began = time.perf_counter()
        with opened(tmp_path, command=["copy", "a", "b"]) as journal:
            journal.done()
        times.append(time.perf_counter() - began)

    # The best of many, as other programs want the machine as well.
    assert min(times) < 0.005
