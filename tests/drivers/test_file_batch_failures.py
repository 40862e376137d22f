"""Of many small files stored at once in a local folder, those that fail do so alone and leave nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batch_scenes import (
    CHANGES,
    WHEN,
    Change,
    LongWay,
    become_fifo,
    errors,
    item,
    store,
    tree,
)
from omnistorage.core.errors import (
    IsADirectory,
    NotADirectory,
    SourceChanged,
    SpecialFile,
)
from omnistorage.core.options import PutOptions
from omnistorage.drivers import _localroot
from omnistorage.drivers._localcopy import write_all
from omnistorage.drivers.file import Options
from omnistorage.testing.bodies import WatchedBody
from sync_scenes import leftovers


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An empty folder that files come from."""
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that files go to, with one file in it."""
    folder = tmp_path / "root"
    (folder / "d").mkdir(parents=True)
    (folder / "d/old").write_bytes(b"old")
    return folder


@pytest.fixture
def driver(root: Path) -> LongWay:
    return LongWay(Options(root=str(root)))


# -- what goes wrong -------------------------------------------------------------------------------------------


changes = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@changes
@pytest.mark.parametrize("folder", ["d", "new"])
@pytest.mark.timeout(20)
def test_source_is_not_what_was_listed(
    source: Path, root: Path, driver: LongWay, change: Change, folder: str
) -> None:
    """A source that has changed is an error of its own kind; the others are stored, and nothing is left of it."""
    # In "new" the first file, which makes the folder, is the one that fails.
    items = [item(source, "s/a", b"changing", key=f"{folder}/a"), item(source, "b", b"b", key=f"{folder}/b")]
    items.append(item(source, "c", b"c", key="d/c"))
    change(source / "s/a")
    results = store(driver, items)

    assert isinstance(results[0], CHANGES[change])
    assert errors(results[1:]) == [None, None]
    assert tree(root) == {"d/old": b"old", "d/c": b"c", f"{folder}/b": b"b"}
    assert leftovers(root) == []


@changes
@pytest.mark.timeout(20)
def test_failure_keeps_the_old(source: Path, root: Path, driver: LongWay, change: Change) -> None:
    """What a file failed to replace is still there, bytes and time."""
    before = (root / "d/old").stat()
    items = [item(source, "s/a", b"changing", key="d/old"), item(source, "b", b"b", key="d/b")]
    change(source / "s/a")
    results = store(driver, items)
    after = (root / "d/old").stat()

    assert isinstance(results[0], CHANGES[change])
    assert tree(root) == {"d/old": b"old", "d/b": b"b"}
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(os.listdir(root / "d")) == ["b", "old"]


@pytest.mark.timeout(20)
def test_fifo_with_a_writer(source: Path, root: Path, driver: LongWay) -> None:
    """A FIFO that somebody holds open without writing is not waited for."""
    items = [item(source, "a", b"changing", key="d/a"), item(source, "b", b"b", key="d/b")]
    become_fifo(source / "a")
    fd = os.open(source / "a", os.O_RDWR | os.O_NONBLOCK)
    try:
        results = store(driver, items)
    finally:
        os.close(fd)

    assert errors(results) == [SpecialFile, None]
    assert tree(root) == {"d/old": b"old", "d/b": b"b"}


@pytest.mark.timeout(20)
def test_empty_file_became_a_fifo(source: Path, root: Path, driver: LongWay) -> None:
    """Nothing read from something that is no file is not an empty file."""
    items = [item(source, "a", b"", key="d/a")]
    become_fifo(source / "a")
    os.utime(source / "a", ns=(WHEN, WHEN))
    results = store(driver, items)

    assert isinstance(results[0], (SourceChanged, SpecialFile))
    assert sorted(os.listdir(root / "d")) == ["old"]


def test_target_is_taken(source: Path, root: Path, driver: LongWay) -> None:
    """A directory at the target, or a file above it, is told for the item; the others are stored."""
    (root / "d/dir/full").mkdir(parents=True)
    (root / "file").write_bytes(b"file")
    keys = ["d/1", "d/dir", "d/2", "file/below", "file/far/below", "d/3"]
    results = store(driver, [item(source, str(n), b"x", key=key) for n, key in enumerate(keys)])

    assert errors(results) == [None, IsADirectory, None, NotADirectory, NotADirectory, None]
    assert tree(root) == {"d/old": b"old", "file": b"file", "d/1": b"x", "d/2": b"x", "d/3": b"x"}
    assert leftovers(root) == []


def test_link_at_the_target_is_replaced(source: Path, root: Path, driver: LongWay) -> None:
    """A symbolic link at the target is replaced, and what it points to is not touched."""
    (root.parent / "outside").write_bytes(b"outside")
    (root / "d/a").symlink_to("../../outside")
    results = store(driver, [item(source, "a", b"a", key="d/a")])

    assert errors(results) == [None]
    assert not (root / "d/a").is_symlink()
    assert (root / "d/a").read_bytes() == b"a"
    assert (root.parent / "outside").read_bytes() == b"outside"


def test_folder_that_is_a_link(source: Path, root: Path, driver: LongWay) -> None:
    """A folder that leads elsewhere is refused; its neighbours are stored."""
    (root.parent / "outside").mkdir()
    (root / "link").symlink_to("../outside")
    keys = ["d/1", "link/a", "link/new/a", "d/2"]
    results = store(driver, [item(source, str(n), b"x", key=key) for n, key in enumerate(keys)])

    assert errors(results) == [None, SpecialFile, SpecialFile, None]
    assert os.listdir(root.parent / "outside") == []


def test_folder_becomes_a_link(source: Path, root: Path, driver: LongWay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is replaced by a link between two files is refused from then on."""
    monkeypatch.setattr(_localroot, "_TRUST", 0.0)
    (root.parent / "outside").mkdir()

    def swap() -> None:
        (root / "d").rename(root / "was")
        (root / "d").symlink_to("../outside")

    items = [item(source, "1", b"1", key="d/1"), ("other/a", WatchedBody(b"ab", swap), PutOptions())]
    results = store(driver, [*items, item(source, "2", b"2", key="d/2")])

    assert errors(results) == [None, None, SpecialFile]
    assert os.listdir(root.parent / "outside") == []
    assert sorted(os.listdir(root / "was")) == ["1", "old"]


def test_folder_vanishes_in_between(source: Path, root: Path, driver: LongWay) -> None:
    """A folder that is removed while it is kept open is made again."""

    def remove() -> None:
        (root / "e/1").unlink()
        (root / "e").rmdir()

    (root / "e").mkdir()
    items = [item(source, "1", b"1", key="e/1"), ("d/a", WatchedBody(b"ab", remove), PutOptions())]
    results = store(driver, [*items, item(source, "2", b"2", key="e/2")])

    assert errors(results) == [None, None, None]
    assert tree(root) == {"d/old": b"old", "d/a": b"ab", "e/2": b"2"}


def test_bug_is_an_answer(source: Path, root: Path, driver: LongWay, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not the disk's fault stays what it is, in its place, and hides no other answer."""

    def broken(fd: int, data: bytes) -> None:
        if data == b"bad":
            raise ZeroDivisionError
        write_all(fd, data)

    monkeypatch.setattr("omnistorage.drivers._localbatch.write_all", broken)
    results = store(driver, [item(source, f"d/{data.decode()}", data) for data in (b"one", b"bad", b"two")])

    assert errors(results) == [None, ZeroDivisionError, None]
    assert sorted(os.listdir(root / "d")) == ["old", "one", "two"]


def test_interrupt_leaves_nothing(source: Path, root: Path, driver: LongWay, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt ends all at once; what was stored stays, and nothing is half there."""
    utime = os.utime
    items = [item(source, f"d/{name}", name.encode()) for name in ("a", "old", "z")]

    def interrupted(fd: int, ns: tuple[int, int]) -> None:
        if os.fstat(fd).st_size == 3:
            raise KeyboardInterrupt
        utime(fd, ns=ns)

    monkeypatch.setattr(os, "utime", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store(driver, items)

    assert sorted(os.listdir(root / "d")) == ["a", "old"]
    assert (root / "d/old").read_bytes() == b"old"
