"""Many small files stored at once in a local folder: what arrives, beside whom, and what is held meanwhile."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from batch_scenes import (
    CHANGES,
    FDS,
    WHEN,
    Change,
    LongWay,
    become_dangling,
    become_directory,
    become_fifo,
    become_link,
    errors,
    grow,
    item,
    needs_proc,
    shrink,
    store,
    temp_of,
    touch,
    tree,
)
from omnistorage.core.driver import PutResults
from omnistorage.core.errors import (
    InvalidPath,
    SourceChanged,
    SpecialFile,
)
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.drivers._localcopy import SMALL
from omnistorage.drivers.file import Options
from omnistorage.testing.bodies import WatchedBody, pattern
from omnistorage.testing.suite.names import HOSTILE
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


# -- what goes well --------------------------------------------------------------------------------------------


def test_folders_interleaved(source: Path, root: Path, driver: LongWay) -> None:
    """Files of many folders in any order reach theirs; folders that are missing are made."""
    data = {f"{'/'.join(['n'] * (n % 4 + 1))}/{n % 5}/{n}": pattern(n * 7, n) for n in range(60)}
    results = store(driver, [item(source, path, bytes_) for path, bytes_ in data.items()])

    assert [result.path for result in results if isinstance(result, ObjectInfo)] == list(data)
    assert tree(root) == data | {"d/old": b"old"}
    assert len(driver.puts) == 20
    assert leftovers(root) == []


def test_short_way_is_taken(source: Path, root: Path, driver: LongWay) -> None:
    """Where the folder is there, no file needs a put of its own, also if it replaces one."""
    results = store(driver, [item(source, f"d/{name}", name.encode()) for name in ("new", "old", "é")])

    assert errors(results) == [None] * 3
    assert driver.puts == []
    assert tree(root) == {"d/new": b"new", "d/old": b"old", "d/é": "é".encode()}


@pytest.mark.parametrize(("size", "puts"), [(0, 0), (1, 0), (SMALL, 0), (SMALL + 1, 1)])
def test_sizes(source: Path, root: Path, driver: LongWay, size: int, puts: int) -> None:
    """Up to ``SMALL`` bytes go the short way, more the long one; both store all of them, with their time."""
    (result,) = store(driver, [item(source, "d/a", pattern(size))])

    assert isinstance(result, ObjectInfo)
    assert (result.size, result.mtime_ns) == (size, WHEN)
    assert (root / "d/a").read_bytes() == pattern(size)
    assert (root / "d/a").stat().st_mtime_ns == WHEN
    assert len(driver.puts) == puts


@pytest.mark.parametrize("when", [0, 1, -1, 999_999_999, WHEN, 2**33 * 10**9 + 1])
def test_time_is_exact(source: Path, root: Path, driver: LongWay, when: int) -> None:
    """The time of modification arrives to the nanosecond, also from before 1970 and after 2038."""
    results = store(driver, [item(source, "d/a", b"a", when=when)])

    assert errors(results) == [None]
    assert (root / "d/a").stat().st_mtime_ns == when


def test_mode_is_that_of_a_new_file(source: Path, root: Path, driver: LongWay) -> None:
    """A file stored with others has the same permissions as one stored alone."""
    first = item(source, "d/a", b"a")
    store(driver, [first])
    driver.put("d/b", first[1], first[2])

    assert driver.puts == ["d/b"]
    assert stat.S_IMODE((root / "d/a").stat().st_mode) == stat.S_IMODE((root / "d/b").stat().st_mode)


def test_hostile_names(source: Path, root: Path, driver: LongWay) -> None:
    """Strange names reach the disk exactly."""
    names = sorted({name for name in HOSTILE.values() if "/" not in name})
    results = store(driver, [item(source, name, b"x", key=f"d/{name}") for name in names])

    assert errors(results) == [None] * len(names)
    assert sorted(os.listdir(root / "d")) == sorted([*names, "old"])
    assert driver.puts == []


def test_bad_names_between_good_ones(source: Path, root: Path, driver: LongWay) -> None:
    """A key that leads elsewhere, or that no name can carry, fails alone."""
    bad = ["../x", "d/../x", "d//x", "/x", "d/", "x\0", "\ud800", "d/.omnistorage-1.tmp", "n" * 256]
    items = [item(source, str(n), b"x", key=key) for n, key in enumerate(bad)]
    items = [item(source, "first", b"1", key="d/first"), *items, item(source, "last", b"9", key="d/last")]
    results = store(driver, items)

    assert errors(results) == [None, *[InvalidPath] * len(bad), None]
    assert tree(root) == {"d/old": b"old", "d/first": b"1", "d/last": b"9"}
    assert sorted(os.listdir(root.parent)) == ["root", "source"]


def test_short_reads_are_no_change(
    source: Path, root: Path, driver: LongWay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that gives less at once than it was asked for is asked again."""
    items = [item(source, "d/a", pattern(1000))]
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: read(fd, min(size, 300)))
    results = store(driver, items)
    monkeypatch.undo()

    assert errors(results) == [None]
    assert (root / "d/a").read_bytes() == pattern(1000)
    assert driver.puts == []


# -- other writers ---------------------------------------------------------------------------------------------


def test_leftover_is_replaced(source: Path, root: Path, driver: LongWay) -> None:
    """What a killed writer left under the same temporary name is in nobody's way, however long it is."""
    temp_of(root, "d/a").write_bytes(b"left over, and longer than what comes")
    temp_of(root, "d/b").symlink_to("/nowhere")
    results = store(driver, [item(source, f"d/{name}", name.encode()) for name in ("1", "a", "b", "c")])

    assert errors(results) == [None] * 4
    assert tree(root) == {"d/old": b"old", "d/1": b"1", "d/a": b"a", "d/b": b"b", "d/c": b"c"}
    assert leftovers(root) == []
    assert driver.puts == ["d/a", "d/b"]


def test_leftover_with_a_second_name(source: Path, root: Path, driver: LongWay) -> None:
    """A leftover that is an object by its second name is not written over."""
    os.link(root / "d/old", temp_of(root, "d/a"))
    results = store(driver, [item(source, "d/a", b"a")])

    assert errors(results) == [None]
    assert tree(root) == {"d/old": b"old", "d/a": b"a"}


def test_live_writer_is_not_disturbed(source: Path, root: Path, driver: LongWay) -> None:
    """While somebody else writes the same target, both end whole, and the last to finish stays."""
    temp = temp_of(root, "d/a")
    fd = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, b"half")
        results = store(driver, [item(source, f"d/{name}", name.encode()) for name in ("a", "b")])
        ours = tree(root)
        os.write(fd, b" and half")
        os.rename(temp, root / "d/a")
    finally:
        os.close(fd)

    assert errors(results) == [None, None]
    assert ours == {"d/old": b"old", "d/a": b"a", "d/b": b"b", f"d/{temp.name}": b"half"}
    assert tree(root) == {"d/old": b"old", "d/a": b"half and half", "d/b": b"b"}


def test_writer_of_our_own(source: Path, root: Path, driver: LongWay) -> None:
    """A put of another thread to the same target, which is midway, ends whole, too."""
    between: list[PutResults] = []
    items = [item(source, "d/a", b"short")]
    body = WatchedBody(pattern(5000), lambda: between.append(store(driver, items)))
    driver.put("d/a", body, PutOptions())

    assert [errors(results) for results in between] == [[None]]
    assert tree(root) == {"d/old": b"old", "d/a": pattern(5000)}


# -- what is held, and the body itself -------------------------------------------------------------------------


@needs_proc
@pytest.mark.timeout(20)
def test_no_descriptor_is_leaked(source: Path, root: Path, driver: LongWay) -> None:
    """After good and bad files no more is open than before."""
    before = len(os.listdir(FDS))
    for n, change in enumerate(CHANGES):
        items = [item(source, f"s{n}/a", b"changing", key=f"d/{n}"), item(source, f"b{n}", b"b", key=f"new{n}/b")]
        items.append(item(source, f"c{n}", pattern(SMALL + 1), key=f"d/c{n}"))
        change(source / f"s{n}/a")
        temp_of(root, f"d/{n}").write_bytes(b"left over")
        results = store(driver, [*items, ("../x", items[0][1], items[0][2])])
        assert errors(results)[1:] == [None, None, InvalidPath]

    assert len(os.listdir(FDS)) == before


def test_settings_that_need_the_long_way(source: Path, root: Path) -> None:
    """Files that are to reach the disk at once, or links as objects, are stored one by one."""
    for settings in ({"fsync": "data"}, {"fsync": "full"}, {"links": "keep"}):
        driver = LongWay(Options(root=str(root), **settings))  # type: ignore[arg-type]
        results = store(driver, [item(source, "d/a", b"a"), item(source, "d/b", b"b")])
        assert errors(results) == [None, None]
        assert driver.puts == ["d/a", "d/b"]


def test_options_that_need_the_long_way(source: Path, root: Path, driver: LongWay) -> None:
    """What the short way cannot do, it does not forget: no replacing, a mode, the time of now."""
    (_, body, _) = item(source, "a", b"a")
    wanted = [
        ("d/old", body, PutOptions(mtime_ns=WHEN, if_absent=True)),
        ("d/mode", body, PutOptions(mtime_ns=WHEN, mode=0o640)),
        ("d/now", body, PutOptions()),
    ]
    results = store(driver, wanted)

    assert [error and issubclass(error, FileExistsError) for error in errors(results)] == [True, None, None]
    assert (root / "d/old").read_bytes() == b"old"
    assert stat.S_IMODE((root / "d/mode").stat().st_mode) == 0o640
    assert (root / "d/now").stat().st_mtime_ns > WHEN
    assert driver.puts == ["d/old", "d/mode", "d/now"]


def test_plain_file_checks_itself(source: Path) -> None:
    """A body that was opened tells whether the file was written meanwhile, and does not mind if it was replaced."""
    _, body, _ = item(source, "a", b"data")
    with body.open() as stream:
        assert stream.read() == b"data"
        body.check()
        (source / "b").write_bytes(b"another")
        (source / "b").rename(source / "a")
        body.check()
    for change in (shrink, grow, touch):
        _, body, _ = item(source, "c", b"data")
        with body.open():
            change(source / "c")
            with pytest.raises(SourceChanged):
                body.check()


@needs_proc
@pytest.mark.timeout(20)
@pytest.mark.parametrize("change", [become_directory, become_fifo, become_link, become_dangling])
def test_plain_file_opens_files_only(source: Path, change: Change) -> None:
    """What took the place of the file is refused at once, without waiting and with nothing left open."""
    _, body, _ = item(source, "a", b"data")
    change(source / "a")
    before = len(os.listdir(FDS))
    with pytest.raises((SpecialFile, IsADirectoryError)):
        body.open()

    assert len(os.listdir(FDS)) == before
