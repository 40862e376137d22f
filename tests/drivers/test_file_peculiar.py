"""What only local files have: bytes in names, modes, times of a nanosecond, special files, full disks."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat as st
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnistorage.core.address import Address
from omnistorage.core.errors import (
    ConfigError,
    InvalidPath,
    NoSpace,
    NotADirectory,
    NotFound,
    PermissionDenied,
    SpecialFile,
    Unsupported,
)
from omnistorage.core.info import DIR, FILE, OTHER
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, FileBody
from omnistorage.core.walk import walk
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

WHEN = 1_600_000_000_123_456_789
NOBODY = 65534


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(FileDriver(Options(root=str(tmp_path))))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another device than ``tmp_path``."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second device")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, while we are somebody whom permissions stop."""
    folder = Path(tempfile.mkdtemp(prefix="omnistorage-test-"))
    folder.chmod(0o777)
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        os.seteuid(me)
        shutil.rmtree(folder)


# -- times and modes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [WHEN, 0, -1, -1_000_000_001, 1])
def test_times_of_a_nanosecond(storage: Storage, tmp_path: Path, when: int) -> None:
    """Times of modification are kept to the nanosecond, also those before 1970."""
    put = storage.write_bytes("a", b"x", modified=when)
    storage.write_bytes("b", b"x")
    storage.driver.set_modified("b", when)
    listed = {info.path: info.mtime_ns for info in storage.scan()}

    assert put.mtime_ns == when
    assert listed == {"a": when, "b": when}
    assert (tmp_path / "a").stat().st_mtime_ns == when


def test_modes(storage: Storage, tmp_path: Path) -> None:
    """A mode that is given is set whatever the umask; else the umask decides; a copy has that of its source."""
    mask = os.umask(0o027)
    try:
        storage.driver.put("given", BytesBody(b"x"), PutOptions(mode=0o666))
        storage.write_bytes("d/default", b"x")
        upload = storage.driver.begin_upload("parts", PutOptions(mode=0o600))
        upload.put_part(1, BytesBody(b"x"))
        upload.finish()
        storage.copy("given", "copy")
    finally:
        os.umask(mask)
    modes = {path: oct(st.S_IMODE((tmp_path / path).stat().st_mode)) for path in [*storage.list(), "d"]}

    assert modes == {"given": "0o666", "d/default": "0o640", "d": "0o750", "parts": "0o600", "copy": "0o666"}


def test_folder_that_may_not_be_written_to(unprivileged: Path) -> None:
    """The error says which key, and that permission is lacking; nothing changes."""
    storage = Storage(FileDriver(Options(root=str(unprivileged))))
    storage.write_bytes("d/a", b"x")
    storage.mkdir("closed")
    (unprivileged / "d").chmod(0o555)
    (unprivileged / "closed").chmod(0)
    for call in (
        lambda: storage.write_bytes("d/b", b"x"),
        lambda: storage.driver.delete("d/a"),
        lambda: storage.move("d/a", "c"),
        lambda: storage.mkdir("d/e"),
        lambda: storage.driver.begin_upload("d/b", PutOptions()),
        lambda: storage.driver.list("closed"),
        lambda: storage.stat("closed/a"),
    ):
        with pytest.raises(PermissionDenied) as caught:
            call()
        assert caught.value.path in ("d/a", "d/b", "d/e", "closed", "closed/a")
    (unprivileged / "d").chmod(0o755)

    assert list(walk(storage.driver, "d")) == [[storage.stat("d/a")]]


# -- forced to the disk --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "files", "folders"), [("never", 0, 0), ("data", 1, 0), ("full", 1, 3)])
def test_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, files: int, folders: int) -> None:
    """Bytes are forced to the disk before the name, and with ``full`` the names, too; with ``never`` nothing."""
    storage = Storage(FileDriver(Options(root=str(tmp_path), fsync=policy)))  # type: ignore[arg-type]
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(fd: int) -> None:
        events.append("folder" if st.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def noted_rename(src: str, dst: str) -> None:
        events.append("rename")
        rename(src, dst)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    storage.write_bytes("new/folder/a", b"x")

    assert (events.count("file"), events.count("folder")) == (files, folders)
    assert events.index("rename") == events.count("file") + max(0, folders - 1)
    assert events[-1] == ("folder" if folders else "rename")


# -- names ---------------------------------------------------------------------------------------------------


def test_bytes_of_names(storage: Storage, tmp_path: Path) -> None:
    """A name that is no UTF-8 has the same bytes on the disk, and comes back by all verbs."""
    folder = os.fsencode(tmp_path)
    os.mkdir(folder + b"/d\xff")
    with open(folder + b"/d\xff/caf\xe9", "wb") as file:
        file.write(b"x")
    storage.write_bytes("d\udcff/new\udcfe", b"x")
    storage.copy("d\udcff/caf\udce9", "d\udcff/copy\udce9")
    storage.move("d\udcff/new\udcfe", "d\udcff/moved\udcfe")

    assert sorted(os.listdir(folder + b"/d\xff")) == [b"caf\xe9", b"copy\xe9", b"moved\xfe"]
    assert list(storage.list()) == ["d\udcff/caf\udce9", "d\udcff/copy\udce9", "d\udcff/moved\udcfe"]
    assert storage.read_bytes("d\udcff/caf\udce9") == b"x"
    assert storage.stat("d\udcff/caf\udce9").kind is FILE


@pytest.mark.parametrize("name", ["\udcc3\udca9", "\ud83d\ude00", "a\ud800"])  # noqa: PT014 -- they differ
def test_text_that_is_no_name(storage: Storage, tmp_path: Path, name: str) -> None:
    """Text that would be read back as another name is refused, or an object would change its key."""
    for path in (name, f"d/{name}", f"{name}/a"):
        with pytest.raises(InvalidPath):
            storage.write_bytes(path, b"x")

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "\U0001f600" * 63, "\udcff" * 255])
def test_longest_names(storage: Storage, tmp_path: Path, name: str) -> None:
    """A name of 255 bytes leaves room for the temporary one; parts, too."""
    storage.write_bytes(name, b"x")
    upload = storage.driver.begin_upload(f"d/{name}", PutOptions())
    upload.put_part(1, BytesBody(b"x"))
    upload.finish()

    assert list(storage.list()) == sorted([name, f"d/{name}"])
    assert len(os.listdir(os.fsencode(tmp_path))) == 2


def test_path_longer_than_the_kernel_takes(storage: Storage) -> None:
    """A path beyond PATH_MAX is refused with its reason by whatever verb."""
    deep = "/".join(["d" * 200] * 30)
    for call in (
        lambda: storage.write_bytes(deep, b"x"),
        lambda: storage.mkdir(deep),
        lambda: storage.driver.begin_upload(deep, PutOptions()),
        lambda: storage.stat(deep),
        lambda: storage.read_bytes(deep),
        lambda: storage.driver.list(deep),
    ):
        with pytest.raises((InvalidPath, NotFound)):
            call()
    with pytest.raises(InvalidPath, match="more than"):
        storage.write_bytes(deep, b"x")

    assert list(storage.scan()) == []


# -- special files and roots ---------------------------------------------------------------------------------


def test_special_files(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FIFOs and sockets are shown as what they are, and refused at once instead of waited for."""
    os.mkfifo(tmp_path / "fifo")
    # The path of a socket is short.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    names = [(info.path, info.kind) for info in storage.driver.names("").infos]

    assert [(info.path, info.kind) for info in storage.scan()] == [("fifo", OTHER), ("socket", OTHER)]
    assert names == [("fifo", OTHER), ("socket", OTHER)]
    assert storage.stat("fifo").kind is OTHER
    for name in ("fifo", "socket"):
        with pytest.raises(SpecialFile):
            storage.read_bytes(name)
        with pytest.raises(SpecialFile):
            storage.copy(name, "copy")
    with pytest.raises(NotADirectory):
        storage.driver.list("fifo")
    storage.write_bytes("fifo", b"replaced")
    assert storage.read_bytes("fifo") == b"replaced"


def test_devices_are_not_read() -> None:
    """A device is no file of bytes."""
    devices = Storage(FileDriver(Options(root="/dev")))

    assert devices.stat("null").kind is OTHER
    with pytest.raises(SpecialFile):
        devices.read_bytes("zero")


def test_root_that_is_not_there(tmp_path: Path) -> None:
    """A missing root cannot be listed; the first put makes it."""
    storage = Storage(FileDriver(Options(root=str(tmp_path / "one/two"))))
    with pytest.raises(NotFound):
        storage.driver.list("")
    with pytest.raises(NotFound):
        storage.stat("")
    usage = storage.about()
    storage.write_bytes("a", b"x")

    assert usage.total
    assert (tmp_path / "one/two/a").read_bytes() == b"x"
    assert storage.stat("").kind is DIR


def test_root_that_is_a_file(tmp_path: Path) -> None:
    """A file as the root is described as one, and holds nothing."""
    (tmp_path / "file").write_bytes(b"bytes")
    storage = Storage(FileDriver(Options(root=str(tmp_path / "file"))))

    assert (storage.stat("").kind, storage.stat("").size) == (FILE, 5)
    for call in (
        lambda: storage.driver.list(""),
        lambda: storage.driver.names(""),
        lambda: storage.write_bytes("a", b"x"),
        lambda: storage.mkdir("d/e"),
    ):
        with pytest.raises(NotADirectory):
            call()
    assert (tmp_path / "file").read_bytes() == b"bytes"


def test_root_of_the_machine(tmp_path: Path) -> None:
    """With ``/`` as the root, keys are absolute paths without the slash."""
    driver, _ = FileDriver.from_address(Address(scheme="file", path="/"))
    storage = Storage(driver)
    key = f"{tmp_path}/a"[1:]
    storage.write_bytes(key, b"x")

    assert storage.read_bytes(key) == b"x"
    assert list(storage.list(f"{tmp_path}/"[1:])) == [key]
    assert os.listdir(tmp_path) == ["a"]


def test_address_of_another_host() -> None:
    """``file://host/path`` is not silently a path of this machine."""
    with pytest.raises(ConfigError, match="another host"):
        FileDriver.from_address(Address(scheme="file", authority="host", path="/x"))


# -- devices and disks ---------------------------------------------------------------------------------------


def test_move_to_another_device(tmp_path: Path, elsewhere: Path) -> None:
    """A move that the kernel cannot do is a copy and a delete, with time and mode."""
    (tmp_path / "other").symlink_to(elsewhere)
    storage = Storage(FileDriver(Options(root=str(tmp_path), links="follow")))
    storage.driver.put("a", BytesBody(pattern(500_000)), PutOptions(mtime_ns=WHEN, mode=0o600))
    info = storage.driver.move("a", "other/d/b")

    assert (info.path, info.size, info.mtime_ns) == ("other/d/b", 500_000, WHEN)
    assert (elsewhere / "d/b").read_bytes() == pattern(500_000)
    assert st.S_IMODE((elsewhere / "d/b").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["other"]


def test_move_to_another_device_that_fails(tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the copy fails the source stays; a whole folder is not moved that way."""
    (tmp_path / "other").symlink_to(elsewhere)
    storage = Storage(FileDriver(Options(root=str(tmp_path), links="follow")))
    storage.write_bytes("d/a", pattern(500_000))
    with pytest.raises(Unsupported):
        storage.driver.move("d", "other/d")

    def full(src: int, dst: int, count: int) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(NoSpace):
        storage.driver.move("d/a", "other/a")

    assert storage.read_bytes("d/a") == pattern(500_000)
    assert os.listdir(elsewhere) == []


LIMITED = """
import resource, sys
from omnistorage.core.errors import NoSpace
from omnistorage.core.streams import BytesBody, FileBody
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage

resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
storage = Storage(FileDriver(Options(root=sys.argv[1])))
for body in (BytesBody(b"x" * 400_000), FileBody(sys.argv[2])):
    try:
        storage.write_bytes("a", body)
    except NoSpace as exc:
        print(exc.path)
"""


def test_file_larger_than_allowed(tmp_path: Path) -> None:
    """A file that the system does not let grow is refused as one for which there is no space."""
    root, source = tmp_path / "root", tmp_path / "source"
    root.mkdir()
    source.write_bytes(b"x" * 400_000)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, root, source], stdout=subprocess.PIPE, text=True, check=True
    )

    assert done.stdout.split() == ["a", "a"]
    assert os.listdir(root) == []


def test_full_disk(tmp_path: Path) -> None:
    """On a full disk the old object stays, and nothing else."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("we may not mount a small disk here")
    try:
        storage = Storage(FileDriver(Options(root=str(disk))))
        (tmp_path / "large").write_bytes(pattern(2 << 20))
        storage.write_bytes("a", b"old")
        for body in (BytesBody(pattern(2 << 20)), FileBody(tmp_path / "large")):
            with pytest.raises(NoSpace):
                storage.write_bytes("a", body)
        upload = storage.driver.begin_upload("b", PutOptions())
        with pytest.raises(NoSpace):
            upload.put_part(1, BytesBody(pattern(2 << 20)))
        done = dict(upload.done)
        upload.abort()

        assert storage.read_bytes("a") == b"old"
        assert done == {}
        assert os.listdir(disk) == ["a"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
