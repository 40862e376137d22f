"""What killed processes leave behind in a local folder, who takes it over, and who sweeps it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from omnistorage.core.errors import AlreadyExists, NotEmpty, NotFound, Truncated
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, PlainFile
from omnistorage.drivers import _localtemp
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage
from omnistorage.testing.bodies import WatchedBody, pattern

PUT = """
import sys
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import OpenerBody
from omnistorage.drivers.file import FileDriver, Options

class Endless:
    count = 0
    def __enter__(self):
        return self
    def __exit__(self, *error):
        pass
    def read(self, size=-1):
        self.count += 1
        if self.count == 3:
            print("midway", flush=True)
            sys.stdin.read()
        return b"half" * 10

driver = FileDriver(Options(root=sys.argv[1]))
driver.put("d/a", OpenerBody(Endless, None), PutOptions())
"""

UPLOAD = """
import sys
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, PlainFile
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.testing.bodies import pattern

driver = FileDriver(Options(root=sys.argv[1]))
upload = driver.begin_upload("d/a", PutOptions(mtime_ns=123))
upload.put_part(2, BytesBody(pattern(upload.part_size, 2)))
upload.put_part(1, BytesBody(pattern(upload.part_size, 1)))
print(upload.token, flush=True)
sys.stdin.read()
"""


@contextmanager
def running(program: str, root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a program until it has said one line, and kill it in the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def killed(program: str, root: Path) -> str:
    """Run a program until it has said one line, kill it, and return the line."""
    with running(program, root) as (_, line):
        return line


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(FileDriver(Options(root=str(tmp_path))))


def test_killed_put_leaves_one_hidden_file(storage: Storage, tmp_path: Path) -> None:
    """After kill -9 the old object is there, nothing is listed beside it, and a rerun leaves no trace."""
    storage.write_bytes("d/a", b"old")
    line = killed(PUT, tmp_path)
    left = sorted(os.listdir(tmp_path / "d"))
    read, listed = storage.read_bytes("d/a"), list(storage.list())
    named = [info.path for info in storage.driver.names("d").infos]
    again = killed(PUT, tmp_path), sorted(os.listdir(tmp_path / "d"))
    storage.write_bytes("d/a", b"new")

    assert (line, read, listed, named) == ("midway", b"old", ["d/a"], ["d/a"])
    assert len(left) == 2
    assert left[0].startswith(".omnistorage-")
    assert again == ("midway", left)
    assert os.listdir(tmp_path / "d") == ["a"]
    assert storage.read_bytes("d/a") == b"new"


def test_running_put_is_not_disturbed(storage: Storage, tmp_path: Path) -> None:
    """While another process writes, neither a second writer nor a sweep nor rmdir takes its file away."""
    with running(PUT, tmp_path) as (_, line):
        before = os.listdir(tmp_path / "d")
        storage.write_bytes("d/a", b"other")
        storage.delete("d/a")
        swept = storage.driver.sweep(older_than=0.0)
        with pytest.raises(NotEmpty):
            storage.rmdir("d")

        assert (line, swept, len(before)) == ("midway", 0, 1)
        assert os.listdir(tmp_path / "d") == before
    assert storage.driver.sweep(older_than=0.0) == 1


def test_folder_of_leftovers_is_empty(storage: Storage, tmp_path: Path) -> None:
    """What nobody can see does not keep a folder from being removed; in a folder with objects it stays."""
    killed(PUT, tmp_path)
    storage.write_bytes("d/b", b"x")
    with pytest.raises(NotEmpty):
        storage.rmdir("d")
    kept = len(os.listdir(tmp_path / "d"))
    storage.delete("d/b")
    storage.rmdir("d")

    assert kept == 2
    assert not (tmp_path / "d").exists()


def test_sweep_goes_by_age(storage: Storage, tmp_path: Path) -> None:
    """Only what is old enough goes, at any depth, also links; objects of any age stay."""
    storage.write_bytes("d/e/f", b"x", modified=0)
    for n, folder in enumerate(("", "d", "d/e")):
        for age, name in ((0, "new"), (5000, "old")):
            left = tmp_path / folder / f".omnistorage-{name}{n}.tmp"
            left.write_bytes(b"left")
            os.utime(left, (left.stat().st_mtime - age,) * 2)
    link = tmp_path / "d/.omnistorage-link.tmp"
    link.symlink_to("nowhere")
    os.utime(link, (0, 0), follow_symlinks=False)
    swept = storage.driver.sweep(older_than=4000.0)
    rest = sorted(path.name for path in tmp_path.rglob(".omnistorage-*"))
    below = storage.driver.sweep("d/e", older_than=0.0)

    assert swept == 4
    assert rest == [".omnistorage-new0.tmp", ".omnistorage-new1.tmp", ".omnistorage-new2.tmp"]
    assert below == 1
    assert list(storage.list()) == ["d/e/f"]


def test_leftover_by_a_second_name_is_not_overwritten(storage: Storage, tmp_path: Path) -> None:
    """A process killed between giving a name and taking the other away leaves both: the object is safe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", lambda path: None)
        storage.write_bytes("a", b"precious", if_absent=True)
    os.link(tmp_path / "a", tmp_path / "b")
    names = len(os.listdir(tmp_path))
    with pytest.raises(AlreadyExists):
        storage.write_bytes("a", b"second", if_absent=True)
    storage.write_bytes("a", b"third")

    assert names == 3
    assert (tmp_path / "b").read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_leftover_of_another_kind_is_not_written_to(storage: Storage, tmp_path: Path) -> None:
    """Whoever puts a link at the name of a temporary file does not redirect what is written."""
    temp = tmp_path / f".omnistorage-{_localtemp.mark('a')}.tmp"
    (tmp_path / "victim").write_bytes(b"victim")
    temp.symlink_to("victim")
    storage.write_bytes("a", b"mine")
    temp.mkdir()
    storage.write_bytes("a", b"mine, too")

    assert storage.read_bytes("victim") == b"victim"
    assert storage.read_bytes("a") == b"mine, too"


def test_two_writers_of_one_target(storage: Storage, tmp_path: Path) -> None:
    """A put in the midst of another one to the same key mixes nothing and leaves nothing."""
    one, two = pattern(300_000, 1), pattern(200_000, 2)
    seen: list[bytes] = []

    def other() -> None:
        thread = threading.Thread(target=storage.write_bytes, args=("a", two))
        thread.start()
        thread.join()
        seen.append(storage.read_bytes("a"))

    storage.write_bytes("a", WatchedBody(one, other))

    assert seen == [two]
    assert storage.read_bytes("a") == one
    assert os.listdir(tmp_path) == ["a"]


def test_file_that_is_taken_for_abandoned(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loses the file between its making and its lock writes another, and touches not what has its name."""
    temp = tmp_path / f".omnistorage-{_localtemp.mark('a')}.tmp"
    real = _localtemp.lock

    def late(fd: int) -> bool | None:
        if not seen:
            seen.append(fd)
            temp.unlink()
            temp.write_bytes(b"half of another writer's")
        return real(fd)

    seen: list[int] = []
    monkeypatch.setattr(_localtemp, "lock", late)
    storage.write_bytes("a", b"mine")

    assert storage.read_bytes("a") == b"mine"
    assert temp.read_bytes() == b"half of another writer's"


@pytest.mark.parametrize("call", ["open", "fstat"])
@pytest.mark.parametrize("many", [False, True])
def test_stopped_while_it_is_made(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, many: bool
) -> None:
    """Rule 1: Ctrl-C right behind the making of a temporary file leaves none."""
    (tmp_path / "source").write_bytes(b"new")
    body = PlainFile(str(tmp_path / "source"), 3, (tmp_path / "source").stat().st_mtime_ns)
    real: Callable[..., Any] = getattr(os, call)

    def stop(*args: Any, **options: Any) -> Any:
        result = real(*args, **options)
        if any(name.startswith(".omnistorage-") for name in os.listdir(tmp_path)):
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(os, call, stop)
    items = [("a", body, PutOptions(mtime_ns=1))]
    with pytest.raises(KeyboardInterrupt):
        storage.driver.put_many(items) if many else storage.driver.put(*items[0])
    monkeypatch.undo()

    assert os.listdir(tmp_path) == ["source"]


def test_killed_upload_goes_on(storage: Storage, tmp_path: Path) -> None:
    """Another process goes on with the parts that are safe; nothing of it is seen before the end."""
    token = killed(UPLOAD, tmp_path)
    before = list(storage.list()), len(os.listdir(tmp_path / "d"))
    upload = storage.driver.resume_upload("d/a", token, PutOptions(mtime_ns=77))
    size = upload.part_size
    done = dict(upload.done)
    upload.put_part(3, BytesBody(b"tail"))
    info = upload.finish()

    assert before == ([], 2)
    assert done == {1: size, 2: size}
    assert (info.size, info.mtime_ns) == (2 * size + 4, 77)
    assert storage.read_bytes("d/a") == pattern(size, 1) + pattern(size, 2) + b"tail"
    assert os.listdir(tmp_path / "d") == ["a"]


def test_running_upload_is_not_swept(storage: Storage, tmp_path: Path) -> None:
    """Its two files stay as long as a process has them open, however old; then they go."""
    with running(UPLOAD, tmp_path):
        for left in (tmp_path / "d").iterdir():
            os.utime(left, (0, 0))

        assert storage.driver.sweep(older_than=1000.0) == 0
        assert len(os.listdir(tmp_path / "d")) == 2
    assert storage.driver.sweep(older_than=1000.0) == 2
    assert os.listdir(tmp_path / "d") == []


@pytest.mark.parametrize("torn", [b"3", b"3 ", b"3 4", b"3 83"])
def test_torn_record_counts_what_is_whole(storage: Storage, tmp_path: Path, torn: bytes) -> None:
    """A line that was being written when the power went is no part, whatever is written behind it."""
    upload = storage.driver.begin_upload("a", PutOptions())
    size, token = upload.part_size, upload.token or ""
    upload.put_part(1, BytesBody(pattern(size)))
    record = tmp_path / f".omnistorage-{token}.done"
    record.write_bytes(record.read_bytes() + torn)
    resumed = storage.driver.resume_upload("a", token, PutOptions())
    before = dict(resumed.done)
    resumed.put_part(2, BytesBody(b"tail"))
    again = dict(storage.driver.resume_upload("a", token, PutOptions()).done)
    resumed.finish()

    assert before == {1: size}
    assert again == {1: size, 2: 4}
    assert storage.read_bytes("a") == pattern(size) + b"tail"


def test_upload_without_record_is_none(storage: Storage, tmp_path: Path) -> None:
    """If the power went before the record was begun, there is nothing to go on with."""
    token = storage.driver.begin_upload("a", PutOptions()).token or ""
    (tmp_path / f".omnistorage-{token}.done").write_bytes(b"parts of 83")
    with pytest.raises(NotFound):
        storage.driver.resume_upload("a", token, PutOptions())

    assert list(storage.list()) == []


def test_missing_part_can_still_come(storage: Storage) -> None:
    """An upload that lacks a part is not finished, and not lost."""
    upload = storage.driver.begin_upload("a", PutOptions())
    size = upload.part_size
    upload.put_part(3, BytesBody(b"tail"))
    upload.put_part(1, BytesBody(pattern(size)))
    with pytest.raises(Truncated, match="part 2"):
        upload.finish()
    upload.put_part(2, BytesBody(b"short"))
    with pytest.raises(Truncated, match="part 2"):
        upload.finish()
    upload.put_part(2, BytesBody(pattern(size, 2)))
    upload.finish()

    assert storage.read_bytes("a") == pattern(size) + pattern(size, 2) + b"tail"


def test_part_that_is_too_long_spoils_nothing(storage: Storage) -> None:
    """A part longer than parts are is refused before it reaches into the next one."""
    upload = storage.driver.begin_upload("a", PutOptions())
    size = upload.part_size
    upload.put_part(2, BytesBody(b"tail"))
    with pytest.raises(Truncated):
        upload.put_part(1, BytesBody(pattern(size + 1)))
    with pytest.raises(ValueError, match="from 1"):
        upload.put_part(0, BytesBody(b"x"))
    upload.put_part(1, BytesBody(pattern(size)))
    upload.finish()

    assert storage.read_bytes("a") == pattern(size) + b"tail"


def test_part_that_breaks_again_is_no_part(storage: Storage) -> None:
    """A part that was stored, and whose second coming breaks off, must come once more."""
    upload = storage.driver.begin_upload("a", PutOptions())
    upload.put_part(1, BytesBody(b"one"))
    broken = BytesBody(b"two")
    broken.size = 5
    with pytest.raises(Truncated):
        upload.put_part(1, broken)

    assert dict(upload.done) == {}


def test_aborted_upload_leaves_no_files(storage: Storage, tmp_path: Path) -> None:
    """An abort removes both hidden files; one after another process has finished removes nothing else."""
    upload = storage.driver.begin_upload("a", PutOptions())
    upload.abort()
    empty = os.listdir(tmp_path)
    one = storage.driver.begin_upload("a", PutOptions())
    two = storage.driver.resume_upload("a", one.token or "", PutOptions())
    two.put_part(1, BytesBody(b"by two"))
    told = dict(one.done)
    two.finish()
    with pytest.raises(NotFound):
        one.put_part(1, BytesBody(b"spoilt"))
    one.abort()

    assert empty == []
    assert told == {1: 6}
    assert storage.read_bytes("a") == b"by two"
    assert os.listdir(tmp_path) == ["a"]
