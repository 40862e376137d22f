"""``omnistorage jobs``: what was interrupted is shown, resumed and forgotten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_runs import Ran, Run
from journal_scenes import KEY, OTHER, lock_file, opened, running, version
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.opening import open_remote
from omnistorage.sync import joblock
from omnistorage.sync.journal import JobKey, UploadRecord
from omnistorage.sync.model import Result

PART = 8 << 20

_HOLDER = """
import sys, time
from omnistorage.sync.journal import JobKey, Journal
key = JobKey(kind="copy", source=("file", "/here"), dest=("file", "/there"))
journal = Journal.open(key, folder=sys.argv[1], command=["copy", "here", "there"])
journal.tally(7, 700)
journal._beat()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def state(tmp_path: Path, run: Run) -> Path:
    """The state folder of the commands that ``run`` runs."""
    return tmp_path / ".state"


def interrupted(state: Path, *command: str, key: JobKey = KEY, **about: Any) -> str:
    """Leave an interrupted job, and return its id."""
    with opened(state, key, command=list(command) or None, **about) as journal:
        journal.tally(3, 2048)
    return journal.id


def begun(state: Path, dest: Path, path: str, address: str = "") -> str:
    """Leave an interrupted job that had sent one part of a large object, and return its id."""
    with opened(state, dest=address or str(dest)) as journal, open_remote(str(dest)) as storage:
        upload = storage.driver.begin_upload(path, PutOptions(), 3 * PART)
        upload.put_part(1, BytesBody(b"x" * upload.part_size))
        assert upload.token is not None
        record = UploadRecord(token=upload.token, part_size=upload.part_size, source=version(1), saved=PART)
        journal.note_upload(path, record)
    return journal.id


def test_no_jobs(run: Run, state: Path) -> None:
    """Nothing on stdout, an empty list as JSON, a line if asked to talk; the folder is not made."""
    assert run("jobs") == (0, "", "")
    assert json.loads(run("jobs", "--json").out) == json.loads(run("jobs", "list", "--json").out) == []
    assert "no run is under way" in run("jobs", "-v").err
    assert not state.exists()


def test_list(run: Run, state: Path) -> None:
    """Interrupted, failed and running jobs, the oldest first, for people and for programs; also while one runs."""
    with running(_HOLDER, state):
        first = lock_file(state)
        interrupted(state, "sync", "a b", "there", "--exclude", "*\n", key=OTHER, source="a b", dest="there")
        with opened(state, JobKey(kind="move", source=("x",), dest=("y",)), source="x", dest="work:y") as journal:
            journal.note_failure("p", "no")
            journal.done(Result(transferred=1, bytes=5, errors=1))
        text, encoded = run("jobs"), run("jobs", "list", "--json")
    lines, jobs = text.out.splitlines(), json.loads(encoded.out)

    assert first.exists()
    assert (text.code, text.err, encoded.code) == (0, "", 0)
    assert [line.split()[:2] for line in lines] == [
        ["ID", "STATE"],
        [KEY.id, "running"],
        [OTHER.id, "interrupted"],
        [journal.id, "failed"],
    ]
    assert lines[1].endswith("7 objects, 700 B          copy here there")
    assert lines[2].endswith("3 objects, 2 KiB          sync 'a b' there --exclude '*\\n'")
    assert lines[3].endswith(f"1 objects, 5 B; 1 failed  move {os.getcwd()}/x work:y")
    assert [job["state"] for job in jobs] == ["running", "interrupted", "failed"]
    assert jobs[1]["command"] == ["sync", "a b", "there", "--exclude", "*\n"]
    assert jobs[1]["cwd"] == os.getcwd()
    assert (jobs[1]["objects"], jobs[1]["bytes"], jobs[2]["failures"]) == (3, 2048, 1)
    assert jobs[2]["command"] is None
    assert (jobs[0]["host"], jobs[1]["pid"]) == (joblock.host_name(), os.getpid())
    assert jobs[0]["started"].endswith("Z")


def test_list_of_what_cannot_be_read(run: Run, state: Path) -> None:
    """Damaged files are jobs of which little is known, and can be forgotten."""
    id = interrupted(state, "copy", "a", "b")
    lock_file(state).write_bytes(b"\xff")
    (state / "jobs" / f"{id}.json").write_bytes(b"{")
    (state / "jobs" / "nothing.lock").mkdir()
    listed, resumed, forgotten = run("jobs"), run("jobs", "resume", id), run("jobs", "forget", id)

    assert listed.out.splitlines()[1].endswith("unknown")
    assert (resumed.code, forgotten.code) == (1, 0)
    assert "was not begun by a command" in resumed.err
    assert not lock_file(state).exists()


def test_resume(run: Run, state: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs again in its own folder, with flags that are added, and the job is gone when it ends well."""
    id = interrupted(state, "-v", "copy", "tree", "there", "--exclude", "*.bin")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ran = run("jobs", "resume", id[:4], "--json")
    there = sorted(path.relative_to(tmp_path / "there").as_posix() for path in (tmp_path / "there").rglob("*"))

    assert ran.code == 0
    assert json.loads(ran.out)["transferred"] == 3
    assert "a.txt: Copied" in ran.err
    assert there == ["a.txt", "b", "b/.hid", "b/e", "b/e/f"]
    assert run("jobs").out == ""


def test_resume_that_fails(run: Run, state: Path) -> None:
    """The exit code is that of the command, and the job stays."""
    id = interrupted(state, "copy", "missing", "there")
    ran = run("jobs", "resume", id)
    usage = run("jobs", "resume", id, "--nonsense")

    assert ran.code == 3
    assert "'missing' not found" in ran.err
    assert usage.code == 2
    assert "--nonsense" in usage.err
    assert id in run("jobs").out


def test_what_cannot_be_resumed(run: Run, state: Path) -> None:
    """A running job, one of a program, one whose command held a secret, and none or two of this name: one line."""
    hidden = interrupted(state, "copy", ":s3,secret_access_key=hunter2:a", "b", key=OTHER)
    plain = interrupted(state, key=JobKey(kind="copy", source=("x",), dest=("y",)))
    with running(_HOLDER, state) as process:
        runs = run("jobs", "resume", KEY.id)
    unknown, ambiguous = run("jobs", "resume", "zz"), run("jobs", "resume", "")

    assert runs.err == f"omnistorage: job {KEY.id} is running: process {process.pid} on {joblock.host_name()}\n"
    assert "a secret in the command" in run("jobs", "resume", hidden).err
    assert "was not begun by a command" in run("jobs", "resume", plain).err
    assert unknown.err.startswith("omnistorage: unknown job 'zz'; known: ")
    assert (unknown.code, ambiguous.code, runs.code) == (1, 1, 1)
    assert "hunter2" not in run("jobs").out


def test_several_of_a_prefix(run: Run, state: Path) -> None:
    """A prefix that two jobs share is refused, and both are named."""
    ids: dict[str, str] = {}
    for number in range(40):
        key = JobKey(kind="copy", source=(str(number),), dest=())
        if key.id[0] in ids:
            break
        ids[key.id[0]] = interrupted(state, "copy", "a", "b", key=key)
    interrupted(state, "copy", "a", "b", key=key)
    ran = run("jobs", "forget", key.id[0])

    assert ran.code == 1
    assert f"several jobs begin with '{key.id[0]}': " in ran.err
    assert key.id in ran.err
    assert len(run("jobs").out.splitlines()) == len(ids) + 2


def test_forget_takes_parts_back(run: Run, state: Path, tmp_path: Path) -> None:
    """Hidden parts at the destination go with the job; what was done stays."""
    dest = tmp_path / "dest"
    dest.mkdir()
    (dest / "done").write_bytes(b"done")
    id = begun(state, dest, "large")
    listed, before = run("jobs").out, sorted(path.name for path in dest.iterdir())
    ran = run("jobs", "forget", id[:5], "-v")

    assert "1 in parts, 8 MiB" in listed
    assert len(before) > 1
    assert ran.code == 0
    assert f"{id}: is forgotten, 1 uploads aborted" in ran.err
    assert [path.name for path in dest.iterdir()] == ["done"]
    assert [path.name for path in (state / "jobs").iterdir()] == ["pruned"]


def test_forget_where_parts_are_gone(run: Run, state: Path, tmp_path: Path) -> None:
    """Parts that somebody swept, or a destination that is gone as a whole, are no reason to keep a job."""
    dest = tmp_path / "dest"
    dest.mkdir()
    id = begun(state, dest, "large")
    for path in dest.iterdir():
        path.unlink()
    dest.rmdir()

    assert run("jobs", "forget", id).code == 0
    assert run("jobs").out == ""


def test_forget_that_cannot_abort(run: Run, state: Path, tmp_path: Path) -> None:
    """A destination that cannot be opened keeps the job, unless --force is given; --config may make it one."""
    dest = tmp_path / "dest"
    dest.mkdir()
    id = begun(state, dest, "large", address="work:")
    parts = list(dest.iterdir())
    refused = run("jobs", "forget", id)
    still = run("jobs").out
    (tmp_path / "c.toml").write_text(f'[remotes.work]\ntype = "file"\nroot = "{dest}"\n')
    allowed = run("jobs", "forget", id, "--config", tmp_path / "c.toml")
    left = list(dest.iterdir())
    id = begun(state, dest, "large", address=":file,password=hunter2:x")
    secret, forced = run("jobs", "forget", id), run("jobs", "forget", id, "--force")

    assert (refused.code, allowed.code, secret.code, forced.code) == (1, 0, 1, 0)
    assert "unknown remote 'work:'" in refused.err
    assert "interrupted" in still
    assert "1 in parts, 8 MiB" in still
    assert parts
    assert left == []
    assert "holds a secret" in secret.err
    assert run("jobs").out == ""


def test_forget_all(run: Run, state: Path) -> None:
    """All go but those that run, which are also refused by name."""
    interrupted(state, "copy", "a", "b", key=OTHER)
    with running(_HOLDER, state):
        by_name, everything = run("jobs", "forget", KEY.id), run("jobs", "forget", "--all")
        listed = run("jobs").out.splitlines()
    neither, both = run("jobs", "forget"), run("jobs", "forget", KEY.id, "--all")

    assert by_name.code == 1
    assert "another run of this job is under way" in by_name.err
    assert everything.code == 0
    assert [line.split()[:2] for line in listed[1:]] == [[KEY.id, "running"]]
    assert (neither.code, both.code) == (2, 2)
    assert run("jobs", "forget", "--all").code == 0


def test_a_listing_leaves_all_as_it_is(run: Run, state: Path) -> None:
    """Looking at jobs changes nothing, and starts no database."""
    with opened(state, command=["copy"]) as journal:
        journal.mark_equal("a", version(1), version(2))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (state / "jobs").iterdir()}
    for _ in range(3):
        run("jobs")
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (state / "jobs").iterdir()}

    assert before == after


def test_a_folder_that_cannot_be_read(process: Callable[..., Ran], tmp_path: Path) -> None:
    """One line, and no traceback."""
    (tmp_path / "file").touch()
    ran = process("jobs", env={"OMNISTORAGE_STATE": str(tmp_path / "file")})
    none = process("jobs", env={"OMNISTORAGE_STATE": ""})

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert none == (0, "", "")
