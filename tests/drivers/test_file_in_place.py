"""``file://``: writing under the final name, and giving a file a second name, for those who ask for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from cli_runs import run_here
from omnistorage.core.errors import AlreadyExists, Corrupted, IsADirectory, SourceChanged, SpecialFile, Truncated
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, FileBody
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage
from omnistorage.sync import Options as SyncOptions
from omnistorage.sync import copy
from omnistorage.testing.bodies import BodyBroke, BrokenBody, ChangedBody, LyingBody, ProvenBody
from sync_scenes import WHEN, files, held, leftovers

IN_PLACE = PutOptions(inplace=True, mtime_ns=WHEN)


@pytest.fixture
def driver(tmp_path: Path) -> FileDriver:
    return FileDriver(Options(root=str(tmp_path / "root")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.mark.parametrize("old", [b"", b"short", b"longer than what comes"])
def test_same_file(driver: FileDriver, root: Path, old: bytes) -> None:
    """The file stays the one it was: its number, its other names and its mode; what was longer is cut."""
    (root / "a").write_bytes(old)
    os.chmod(root / "a", 0o600)
    os.link(root / "a", root / "twin")
    before = os.stat(root / "a")
    info = driver.put("a", BytesBody(b"what comes"), IN_PLACE)
    after = os.stat(root / "a")

    assert (root / "twin").read_bytes() == b"what comes"
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert (info.size, info.mtime_ns, after.st_mtime_ns) == (10, WHEN, WHEN)


def test_new_file_in_new_folders(driver: FileDriver, root: Path) -> None:
    """Folders are made as for any other put, and no temporary file is."""
    driver.put("d/e/a", BytesBody(b"new"), IN_PLACE)

    assert (root / "d/e/a").read_bytes() == b"new"
    assert leftovers(root) == []


def test_mode(driver: FileDriver, root: Path) -> None:
    """A mode that was asked for is set."""
    driver.put("a", BytesBody(b"1"), PutOptions(inplace=True, mode=0o640))

    assert os.stat(root / "a").st_mode & 0o777 == 0o640


def test_source_that_is_not_there_costs_nothing(driver: FileDriver, root: Path) -> None:
    """The source is opened before the old bytes go."""
    (root / "a").write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        driver.put("a", FileBody(root / "missing"), IN_PLACE)

    assert (root / "a").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (BrokenBody(b"x" * 1000, 500), BodyBroke),
        (LyingBody(b"x" * 10, 20), Truncated),
        (ChangedBody(b"x" * 10), SourceChanged),
        (ProvenBody(b"x" * 10, refuse=True, look=lambda: None), Corrupted),
    ],
)
def test_failures_are_told(driver: FileDriver, root: Path, body: BytesBody, error: type[Exception]) -> None:
    """What goes wrong is an error here, too; and the time of a broken file is not the one of a whole one."""
    (root / "a").write_bytes(b"old")
    with pytest.raises(error):
        driver.put("a", body, IN_PLACE)

    assert os.stat(root / "a").st_mtime_ns != WHEN


def test_what_is_no_file(driver: FileDriver, root: Path) -> None:
    """Nothing is written into a FIFO, a directory, or what a link points to."""
    os.mkfifo(root / "fifo")
    (root / "dir").mkdir()
    (root / "target").write_bytes(b"old")
    os.symlink("target", root / "link")
    storage = Storage(driver)
    for path, error in (("fifo", SpecialFile), ("dir", IsADirectory), ("link", SpecialFile)):
        with pytest.raises(error):
            storage.driver.put(path, BytesBody(b"new"), IN_PLACE)

    assert (root / "target").read_bytes() == b"old"


def test_other_name_of_the_source(driver: FileDriver, root: Path, tmp_path: Path) -> None:
    """Rule 1: where source and destination are two names of one file, it is not emptied before it is read."""
    (tmp_path / "source").write_bytes(b"content")
    os.link(tmp_path / "source", root / "a")
    info = driver.put("a", FileBody(tmp_path / "source"), IN_PLACE)

    assert (root / "a").read_bytes() == (tmp_path / "source").read_bytes() == b"content"
    assert info.size == 7


@pytest.mark.parametrize("command", ["copy", "sync", "move"])
def test_hard_linked_trees(command: str, tmp_path: Path) -> None:
    """Rule 1: ``--inplace -I`` between trees that share files loses nothing."""
    files(tmp_path / "s", {"a": b"content", "b": b"other"})
    (tmp_path / "d").mkdir()
    os.link(tmp_path / "s/a", tmp_path / "d/a")
    ran = run_here(command, tmp_path / "s", tmp_path / "d", "--inplace", "--ignore-times")

    assert ran.code == 0
    assert held(files(tmp_path / "d")) == {"a": b"content", "b": b"other"}


def test_interrupted_run_is_noticed_by_the_next(tmp_path: Path) -> None:
    """Rule 9: half a file has another time, or size, than its source, so that the next run stores it again."""
    src, dst = files(tmp_path / "s", {"a": b"content"}), files(tmp_path / "d", {"a": b"before!"}, when=WHEN - 1)
    with pytest.raises(BodyBroke):
        dst.driver.put("a", BrokenBody(b"content", 3), IN_PLACE)
    copy(src, dst, SyncOptions(inplace=True))

    assert held(dst) == {"a": b"content"}


# -- a second name ---------------------------------------------------------------------------------------------

LINK = PutOptions(link=True, if_absent=True, mtime_ns=WHEN)


def test_second_name(driver: FileDriver, root: Path, tmp_path: Path) -> None:
    """``link`` gives the file a second name, with folders made, and costs no bytes."""
    source = tmp_path / "source"
    source.write_bytes(b"content")
    info = driver.put("d/a", FileBody(source), LINK)

    assert os.stat(root / "d/a").st_ino == os.stat(source).st_ino
    assert (info.path, info.size, info.mtime_ns) == ("d/a", 7, os.stat(source).st_mtime_ns)


def test_second_name_replaces_nothing(driver: FileDriver, root: Path, tmp_path: Path) -> None:
    """What is there stays."""
    source = tmp_path / "source"
    source.write_bytes(b"content")
    (root / "a").write_bytes(b"old")
    with pytest.raises((AlreadyExists, FileExistsError)):
        driver.put("a", FileBody(source), LINK)

    assert (root / "a").read_bytes() == b"old"


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_copied_where_no_second_name_can_be(
    code: int, driver: FileDriver, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of another disk or owner, or one that has as many names as there can be, is copied."""
    source = tmp_path / "source"
    source.write_bytes(b"content")

    plain = os.link

    def link(src: str, dst: str, **options: Any) -> None:
        if src == str(source):
            raise OSError(code, os.strerror(code))
        plain(src, dst, **options)

    monkeypatch.setattr(os, "link", link)
    driver.put("a", FileBody(source), LINK)

    assert (root / "a").read_bytes() == b"content"
    assert os.stat(root / "a").st_ino != os.stat(source).st_ino
    assert leftovers(root) == []


def test_changed_file_gets_no_second_name(driver: FileDriver, root: Path, tmp_path: Path) -> None:
    """A body that says it was changed is not linked."""
    source = tmp_path / "source"
    source.write_bytes(b"content")
    body = ChangedBody(b"content")
    body.local_path = str(source)
    with pytest.raises(SourceChanged):
        driver.put("a", body, LINK)

    assert not (root / "a").exists()


def test_link_is_not_linked(driver: FileDriver, root: Path, tmp_path: Path) -> None:
    """A symbolic link is not given a second name: what it points to is stored."""
    (tmp_path / "target").write_bytes(b"content")
    os.symlink(tmp_path / "target", tmp_path / "source")
    driver.put("a", FileBody(tmp_path / "source"), LINK)

    assert not (root / "a").is_symlink()
    assert (root / "a").read_bytes() == b"content"
