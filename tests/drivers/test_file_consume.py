"""Local files that are handed over to a local storage: renamed where that is the same, copied elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnistorage.core.errors import AlreadyExists, IsADirectory, NotADirectory, SourceChanged, StorageError, Truncated
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, FileBody
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage
from omnistorage.testing.bodies import BodyBroke, BrokenBody

WHEN = 1_600_000_000_123_456_789


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(FileDriver(Options(root=str(tmp_path / "root"))))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that is not needed any more."""
    path = tmp_path / "source"
    path.write_bytes(b"bytes")
    return path


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another device than ``tmp_path``."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second device")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_file_is_renamed(storage: Storage, source: Path, tmp_path: Path) -> None:
    """On one device the file itself becomes the object, with the time and mode that were asked for."""
    number = source.stat().st_ino
    storage.write_bytes("d/a", b"old")
    info = storage.driver.put("d/a", FileBody(source), PutOptions(consume=True, mtime_ns=WHEN, mode=0o600))
    about = (tmp_path / "root/d/a").stat()

    assert (about.st_ino, about.st_mtime_ns, about.st_mode & 0o777) == (number, WHEN, 0o600)
    assert (info.path, info.size, info.mtime_ns) == ("d/a", 5, WHEN)
    assert storage.read_bytes("d/a") == b"bytes"
    assert not source.exists()


def test_file_of_another_device_is_copied(storage: Storage, elsewhere: Path) -> None:
    """Where a rename is impossible the bytes are copied, and the file is left to its owner."""
    source = elsewhere / "source"
    source.write_bytes(b"bytes")
    storage.driver.put("a", FileBody(source), PutOptions(consume=True))

    assert storage.read_bytes("a") == b"bytes"
    assert source.exists()


def test_link_is_not_renamed(storage: Storage, source: Path, tmp_path: Path) -> None:
    """A link to a file would be another thing in another place: the bytes are copied."""
    (tmp_path / "link").symlink_to("source")
    storage.driver.put("a", FileBody(tmp_path / "link"), PutOptions(consume=True))

    assert storage.read_bytes("a") == b"bytes"
    assert not (tmp_path / "root/a").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert source.read_bytes() == b"bytes"


def test_changed_file_is_not_renamed(storage: Storage, source: Path) -> None:
    """A file that is no longer what was announced is refused, and stays where it is."""

    class Changed(FileBody):
        def check(self) -> None:
            raise SourceChanged

    with pytest.raises(SourceChanged):
        storage.driver.put("a", Changed(source), PutOptions(consume=True))
    body = FileBody(source)
    source.write_bytes(b"longer than before")
    with pytest.raises(Truncated):
        storage.driver.put("a", body, PutOptions(consume=True))

    assert not storage.exists("a")
    assert source.read_bytes() == b"longer than before"


def test_what_is_there_is_not_replaced(storage: Storage, source: Path) -> None:
    """Neither an object, if it must be absent, nor a folder; the file stays."""
    storage.write_bytes("a", b"old")
    storage.mkdir("d")
    with pytest.raises(AlreadyExists):
        storage.driver.put("a", FileBody(source), PutOptions(consume=True, if_absent=True))
    with pytest.raises(IsADirectory):
        storage.driver.put("d", FileBody(source), PutOptions(consume=True))

    assert storage.read_bytes("a") == b"old"
    assert source.read_bytes() == b"bytes"


def test_failed_puts_leave_nothing(storage: Storage, tmp_path: Path) -> None:
    """Whatever a put fails of, the folder is as before."""
    storage.write_bytes("a", b"old")
    storage.mkdir("d")
    names = sorted(os.listdir(tmp_path / "root"))
    for path, body, error in (
        ("a", BrokenBody(b"bytes", 3), BodyBroke),
        ("a", BrokenBody(b"bytes", 3, KeyboardInterrupt), KeyboardInterrupt),
        ("d", BytesBody(b"x"), IsADirectory),
        ("a/b", BytesBody(b"x"), NotADirectory),
        ("a/b/c", BytesBody(b"x"), NotADirectory),
    ):
        with pytest.raises(error):
            storage.driver.put(path, body, PutOptions())

    assert sorted(os.listdir(tmp_path / "root")) == names
    assert storage.read_bytes("a") == b"old"


def test_moves(storage: Storage, tmp_path: Path) -> None:
    """A folder moves as one, but neither into itself nor onto a file; a file replaces no folder."""
    storage.write_bytes("d/e/a", b"x")
    storage.write_bytes("f", b"file")
    for src, dst in (("d", "d/e/below"), ("d", "f"), ("f", "d"), ("f", "d/e"), ("d", "d")):
        with pytest.raises(StorageError):
            storage.driver.move(src, dst)
    info = storage.driver.move("d", "g/h")

    assert (info.path, info.is_dir) == ("g/h", True)
    assert list(storage.list()) == ["f", "g/h/e/a"]
    assert sorted(os.listdir(tmp_path / "root")) == ["f", "g"]


ELSEWHERE = """
import os, sys
for name in ("copy_file_range", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "SEEK_DATA"):
    delattr(os, name)
sys.modules["fcntl"] = None
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage
storage = Storage(FileDriver(Options(root=sys.argv[1])))
storage.write_bytes("d/a", b"x")
print(*storage.list())
"""


def test_systems_that_lack_calls(tmp_path: Path) -> None:
    """The driver can be imported and used where the operating system offers less."""
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=True
    )

    assert done.stdout.strip() == "d/a"
