"""Uploads to local files that the next run finds: what counts after a kill or a loss of power, and whose they are."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnistorage.core.errors import NotFound, SourceChanged, Truncated
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, ByteStream, Upload
from omnistorage.drivers import _localrange, _localtemp, _localupload
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

SAME = PutOptions(origin="these bytes", mtime_ns=123)
PART = 64 << 10

UPLOAD = """
import sys
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.testing.bodies import pattern

driver = FileDriver(Options(root=sys.argv[1], fsync=sys.argv[2]))
upload = driver.begin_upload("d/a", PutOptions(origin="these bytes"))
upload.put_part(1, BytesBody(pattern(upload.part_size, 1)))
print(upload.part_size, flush=True)
sys.stdin.read()
"""


class Extent(Body):
    """A range of an open file, which is not to be read."""

    def __init__(self, fd: int, offset: int, size: int, *, changed: bool = False) -> None:
        self.extent = (fd, offset)
        self.size = size
        self.moved: list[int] = []
        self.progress = self.moved.append
        self._changed = changed

    def open(self) -> ByteStream:
        raise AssertionError("the kernel could have copied it")

    def check(self) -> None:
        if self._changed:
            raise SourceChanged


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let parts be so small that many of them cost nothing."""
    monkeypatch.setattr(_localupload, "_PART", PART)
    monkeypatch.setattr(_localupload.LocalUpload, "part_size", PART)


@pytest.fixture
def driver(tmp_path: Path) -> FileDriver:
    return FileDriver(Options(root=str(tmp_path)))


def begun(driver: FileDriver, parts: int = 2) -> None:
    """Leave an upload of ``a`` with so many parts."""
    upload = driver.begin_upload("a", SAME)
    for number in range(1, parts + 1):
        upload.put_part(number, BytesBody(pattern(PART, number)))
    upload.leave()


def files_of(root: Path) -> tuple[Path, Path]:
    """Return the hidden file and the record of the only upload in a folder."""
    (part,), (done,) = root.glob(".omnistorage-*.part"), root.glob(".omnistorage-*.done")
    return part, done


def finished(driver: FileDriver, upload: Upload) -> bytes:
    """Store the parts 1 to 3 as far as they are missing, and return the object."""
    for number in range(1, 4):
        if number not in upload.done:
            upload.put_part(number, BytesBody(pattern(PART, number)))
    upload.finish()
    return Storage(driver).read_bytes("a")


WHOLE = b"".join(pattern(PART, number) for number in range(1, 4))


def test_killed_upload_is_found_and_a_running_one_is_not(tmp_path: Path) -> None:
    """Rule 9: while its process lives an upload is nobody else's; after kill -9 the next one has its parts."""
    driver = FileDriver(Options(root=str(tmp_path)))
    command = [sys.executable, "-c", UPLOAD, str(tmp_path), "never"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        size = int(process.stdout.readline())
        other = driver.begin_upload("d/a", SAME)
        meanwhile = dict(other.done)
        other.put_part(1, BytesBody(b"other"))
        other.finish()
        process.send_signal(signal.SIGKILL)
    again = driver.begin_upload("d/a", SAME)
    done = dict(again.done)
    again.put_part(2, BytesBody(b"tail"))
    again.finish()

    assert meanwhile == {}
    assert done == {1: size}
    assert Storage(driver).read_bytes("d/a") == pattern(size, 1) + b"tail"
    assert os.listdir(tmp_path / "d") == ["a"]


@pytest.mark.parametrize(("fsync", "counts"), [("never", False), ("data", True), ("full", True)])
def test_power_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: str, counts: bool) -> None:
    """After the machine started anew, only parts count that were forced to the disk before they were written down."""
    boot = tmp_path / "boot id"
    boot.write_text("first\n")
    monkeypatch.setattr(_localupload, "_BOOT_ID", str(boot))
    driver = FileDriver(Options(root=str(tmp_path / "root"), fsync=fsync))  # type: ignore[arg-type]
    begun(driver)
    boot.write_text("second\n")
    upload = driver.begin_upload("a", SAME)
    done = dict(upload.done)

    assert done == ({1: PART, 2: PART} if counts else {})
    assert finished(driver, upload) == WHOLE


def test_system_without_boot_id(driver: FileDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one start of the machine cannot be told from the next, each part is forced to the disk."""
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", forced.append)
    begun(driver)
    lazily = len(forced)
    monkeypatch.setattr(_localupload, "_BOOT_ID", "/no such file")
    upload = driver.begin_upload("b", SAME)
    before = len(forced)
    upload.put_part(1, BytesBody(b"x"))
    upload.abort()

    assert lazily == 0
    assert len(forced) == before + 1


def test_part_is_durable_before_it_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``fsync=data`` a part whose bytes did not reach the disk is no part."""
    driver = FileDriver(Options(root=str(tmp_path), fsync="data"))
    upload = driver.begin_upload("a", SAME)
    upload.put_part(1, BytesBody(pattern(PART, 1)))
    seen: list[bytes] = []

    def fail(fd: int) -> None:
        seen.append(files_of(tmp_path)[1].read_bytes().splitlines()[-1])
        raise OSError(errno.EIO, "the disk is broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="broken"):
            upload.put_part(2, BytesBody(pattern(PART, 2)))
    done = dict(upload.done)

    assert seen == [b"1 %d" % PART]
    assert done == {1: PART}
    assert finished(driver, upload) == WHOLE


def _no_file(part: Path, done: Path) -> None:
    part.unlink()


def _no_record(part: Path, done: Path) -> None:
    done.unlink()


def _torn_header(part: Path, done: Path) -> None:
    done.write_bytes(b"parts of 655")


def _foreign_record(part: Path, done: Path) -> None:
    done.write_bytes(b"something else\n1 65536\n")


def _record_is_folder(part: Path, done: Path) -> None:
    done.unlink()
    done.mkdir()


def _file_is_link(part: Path, done: Path) -> None:
    part.unlink()
    part.symlink_to("victim")


@pytest.mark.parametrize(
    "damage", [_no_file, _no_record, _torn_header, _foreign_record, _record_is_folder, _file_is_link]
)
def test_halves_of_an_upload(driver: FileDriver, tmp_path: Path, damage: Callable[[Path, Path], None]) -> None:
    """What is not whole is not gone on with: no line of a record counts for bytes that are not there."""
    (tmp_path / "victim").write_bytes(b"victim")
    begun(driver)
    damage(*files_of(tmp_path))
    upload = driver.begin_upload("a", SAME)
    done = dict(upload.done)

    assert done == {}
    assert finished(driver, upload) == WHOLE
    assert (tmp_path / "victim").read_bytes() == b"victim"


def test_finished_object_is_not_written_to(driver: FileDriver, tmp_path: Path) -> None:
    """A process killed between giving the final name and taking the hidden one away leaves a second name only."""
    begun(driver, 3)
    part, _ = files_of(tmp_path)
    os.link(part, tmp_path / "precious")
    upload = driver.begin_upload("a", PutOptions(origin="other bytes"))
    for number in range(1, 4):
        upload.put_part(number, BytesBody(b"x" * PART))
    upload.finish()

    assert (tmp_path / "precious").read_bytes() == WHOLE
    assert sorted(os.listdir(tmp_path)) == ["a", "precious"]


def test_upload_of_another_user(driver: FileDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another user began is left alone: the object would be his."""
    begun(driver)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    upload = driver.begin_upload("a", SAME)
    done = dict(upload.done)

    assert done == {}
    assert finished(driver, upload) == WHOLE


def test_file_system_without_locks(driver: FileDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can tell whether an upload is in use, each run begins its own, and leaves nothing."""
    monkeypatch.setattr(_localtemp, "fcntl", None)
    one, two = driver.begin_upload("a", SAME), driver.begin_upload("a", SAME)
    one.put_part(1, BytesBody(b"one"))
    two.put_part(1, BytesBody(b"two"))
    one.finish()
    two.finish()

    assert Storage(driver).read_bytes("a") == b"two"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("lost", [".done", ".part"])
def test_swept_while_it_is_claimed(
    driver: FileDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """A sweep between the opening and the lock of a file takes the parts, and no more."""
    begun(driver)
    real = _localtemp.lock
    swept: list[str] = []

    def late(fd: int, *, shared: bool = False) -> bool | None:
        name = os.readlink(f"/proc/self/fd/{fd}")
        if name.endswith(lost) and not swept:
            os.unlink(name)
            swept.append(name)
        return real(fd, shared=shared)

    monkeypatch.setattr(_localupload, "lock", late)
    upload = driver.begin_upload("a", SAME)
    done = dict(upload.done)
    names = sorted(path.suffix for path in tmp_path.glob(".omnistorage-*"))

    assert len(swept) == 1
    assert done == {}
    assert names == [".done", ".part"]
    assert finished(driver, upload) == WHOLE
    assert os.listdir(tmp_path) == ["a"]


def test_old_parts_are_swept_and_never_listed(driver: FileDriver, tmp_path: Path) -> None:
    """Rule 9: what nobody went on with goes after its time; until then nobody sees it."""
    begun(driver)
    listed = driver.list("").infos, driver.names("").infos
    fresh = driver.sweep(older_than=1000.0)
    for left in tmp_path.iterdir():
        os.utime(left, (0, 0))
    held = driver.begin_upload("a", SAME)
    in_use = driver.sweep(older_than=1000.0)
    held.leave()

    assert listed == ([], [])
    assert (fresh, in_use) == (0, 0)
    assert driver.sweep(older_than=1000.0) == 2
    assert os.listdir(tmp_path) == []


def test_record_alone_is_swept_at_once(driver: FileDriver, tmp_path: Path) -> None:
    """Killed between giving the final name and removing the record: nobody can go on with it, whatever its age."""
    begun(driver)
    part, record = files_of(tmp_path)
    driver.list("")
    young = driver.sweep(noticed=True)
    upload = driver.begin_upload("a", SAME)
    part.rename(tmp_path / "a")
    in_use = driver.sweep()
    upload.leave()

    assert (young, in_use) == (0, 0)
    assert driver.sweep() == 1
    assert not record.exists()
    assert os.listdir(tmp_path) == ["a"]


def test_left_upload_takes_no_calls(driver: FileDriver) -> None:
    """Whoever let go of an upload has it no more."""
    upload = driver.begin_upload("a", SAME)
    upload.leave()
    with pytest.raises(NotFound):
        upload.put_part(1, BytesBody(b"x"))
    with pytest.raises(NotFound):
        upload.finish()
    upload.abort()

    assert dict(driver.begin_upload("a", SAME).done) == {}


def test_size_of_parts(driver: FileDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts grow with the object: whole MiB, and never more than a few thousand of them."""
    monkeypatch.setattr(_localupload, "_PART", 8 << 20)
    sizes = {}
    for size in (0, 1, 2 << 30, 17 << 30, (17 << 30) + 1, 1 << 40, 1 << 50):
        upload = driver.begin_upload("a", PutOptions(), size)
        sizes[size] = upload.part_size
        upload.abort()

    assert [sizes[0], sizes[1], sizes[2 << 30]] == [8 << 20] * 3
    assert sizes[1 << 40] == 512 << 20
    assert all(size % (1 << 20) == 0 for size in sizes.values())
    assert all(-(-size // part) <= 2200 for size, part in sizes.items())


# -- ranges that the kernel copies ----------------------------------------------------------------------------


def _sparse(path: Path, runs: list[tuple[int, int]]) -> bytes:
    """Make a file of runs of data and holes, each in blocks of 4 KiB, and return its bytes."""
    with path.open("wb") as file:
        for data, hole in runs:
            file.write(pattern(data * 4096, data))
            file.seek(hole * 4096, os.SEEK_CUR)
        file.truncate(file.tell())
    return path.read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    runs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=5),
    start=st.integers(0, 30_000),
    at=st.integers(0, 20_000),
    length=st.integers(0, 60_000),
    kernel=st.sampled_from(["copies", "refuses", "gives nothing"]),
    most=st.sampled_from([None, 1000, 1 << 20]),
)
def test_copy_range(
    tmp_path: Path, runs: list[tuple[int, int]], start: int, at: int, length: int, kernel: str, most: int | None
) -> None:
    """Exactly the range arrives, whatever stood there, whatever the kernel can, in pieces no larger than allowed."""
    source, target = tmp_path / "source", tmp_path / "target"
    data = _sparse(source, runs)
    old = bytearray(b"\xff" * 90_000)
    target.write_bytes(old)
    moved: list[int] = []

    def refuse(*args: int) -> int:
        raise OSError(errno.EXDEV, "not here")

    with source.open("rb") as one, target.open("rb+") as two, pytest.MonkeyPatch.context() as patch:
        if kernel != "copies":
            patch.setattr(os, "copy_file_range", refuse if kernel == "refuses" else lambda *args: 0)
        ration = None if most is None else lambda wanted: min(wanted, most)
        count = _localrange.copy_range(one.fileno(), start, two.fileno(), at, length, moved.append, ration)
    wanted = data[start : start + length]
    old[at : at + len(wanted)] = wanted

    assert count == len(wanted) == sum(moved)
    assert most is None or len(runs) > 1 or runs[0][1] or max(moved, default=0) <= most
    assert target.read_bytes() == old


def test_part_from_a_file(driver: FileDriver, tmp_path: Path) -> None:
    """Parts that are ranges of a file are copied by the kernel, and their holes stay holes."""
    data = _sparse(tmp_path / "source", [(4, 60), (2, 62), (1, 127), (0, 3)])
    upload = driver.begin_upload("a", SAME)
    with (tmp_path / "source").open("rb") as source:
        bodies = [Extent(source.fileno(), at, min(PART * 4, len(data) - at)) for at in range(0, len(data), PART * 4)]
        upload.part_size = PART * 4
        for number, body in reversed(list(enumerate(bodies, 1))):
            upload.put_part(number, body)
        with pytest.raises(SourceChanged):
            upload.put_part(1, Extent(source.fileno(), 0, PART * 4, changed=True))
        missing = 1 not in upload.done
        upload.put_part(1, bodies[0])
        with pytest.raises(Truncated):
            upload.put_part(6, Extent(source.fileno(), len(data) - 10, 100))
    upload.finish()

    assert missing
    assert (tmp_path / "a").read_bytes() == data
    assert sum(sum(body.moved) for body in bodies) == len(data) + PART * 4
    assert (tmp_path / "a").stat().st_blocks * 512 < len(data) // 2
