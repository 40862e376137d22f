"""When things fail in the midst of a run: nothing is lost, the rest converges, and the next run sees to the rest."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import Corrupted, NotFound, PermissionDenied, StorageError, Unreachable
from omnistorage.core.info import Page
from omnistorage.core.streams import ByteStream
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.drivers.memory import Options as MemoryOptions
from omnistorage.storage import Storage
from omnistorage.sync import Compare, Filter, Options, Result, check, copy, move, sync
from omnistorage.testing import CutStream, DuplicatePage, Fail, FailBody, Fault, FaultyDriver, Vanish
from sync_scenes import (
    PLACES,
    S3_WAYS,
    SLOW,
    WAYS,
    WHEN,
    Counting,
    Tree,
    contents,
    files,
    fill,
    held,
    leftovers,
    memory,
)

SRC: Tree = {"a": b"one", "dir/b": b"two", "dir/c": b"three", "dir/d": b"four", "same": b"=", "z/e": b"five"}
DST: Tree = {"a": b"old!", "dir/b": b"older", "dir/gone": b"x", "dir/in/deep": b"y", "same": b"=", "trash/t": b"t"}


def _paged(root: Path, tree: Tree, size: int = 2) -> Storage:
    """Make a storage of files that lists a few entries at a time."""
    root.mkdir()
    return fill(Storage(FileDriver(FileOptions(root=str(root), page_size=size))), tree)


def _faulty(storage: Storage, *faults: Fault) -> Storage:
    return Storage(FaultyDriver(storage.driver, *faults))


# -- listings --------------------------------------------------------------------------------------------------

LISTINGS: dict[str, Callable[[], Fault]] = {
    "first page": lambda: Fail("list", path="dir", error=PermissionDenied),
    "later page": lambda: Fail("list", path="dir", at=2, error=Unreachable),
    "vanished": lambda: Fail("list", path="dir", error=NotFound),
}

FILTERS = pytest.mark.parametrize(
    "options", [Options(), Options(filter=Filter().exclude("*.tmp"))], ids=["all", "filtered"]
)


@FILTERS
@pytest.mark.parametrize("fault", LISTINGS)
def test_source_listing_fails(fault: str, options: Options, tmp_path: Path) -> None:
    """Rule 2: nothing below a directory that was not listed to its end is deleted; the rest converges."""
    src = _faulty(_paged(tmp_path / "s", SRC), LISTINGS[fault]())
    dst = files(tmp_path / "d", DST)
    result = sync(src, dst, options)
    after = held(dst)

    assert (after["dir/gone"], after["dir/in/deep"]) == (b"x", b"y")
    assert (after["a"], after["z/e"]) == (b"one", b"five")
    assert "trash/t" not in after
    assert not (tmp_path / "d" / "trash").exists()
    assert (result.errors, result.exit_code, result.deleted) == (1, 1, 1)
    assert result.protected >= 3


def test_source_listing_fails_and_max_delete(tmp_path: Path) -> None:
    """Rules 2 and 3: what is protected anyway is not counted as a delete."""
    src = _faulty(_paged(tmp_path / "s", SRC), LISTINGS["first page"]())
    result = sync(src, files(tmp_path / "d", DST), Options(max_delete=1))

    assert (result.errors, result.deleted) == (1, 1)


@pytest.mark.parametrize("fault", LISTINGS)
def test_source_listing_fails_in_a_move(fault: str, tmp_path: Path) -> None:
    """Rules 4 and 8: a move leaves what it could not see, moves the rest, and says so."""
    inner = _paged(tmp_path / "s", SRC)
    dst = files(tmp_path / "d")
    result = move(_faulty(inner, LISTINGS[fault]()), dst, Options(delete_empty_dirs=True))

    assert contents(inner, dst) == contents(memory(SRC))
    assert held(dst)["z/e"] == b"five"
    assert result.exit_code == 1


@FILTERS
@pytest.mark.parametrize("fault", LISTINGS)
@pytest.mark.parametrize("run", [sync, copy, move])
def test_destination_listing_fails(run: Any, fault: str, options: Options, tmp_path: Path) -> None:
    """Rule 2: below a directory of the destination that could not be listed nothing is overwritten blindly."""
    src = files(tmp_path / "s", SRC | {"dir/x": b"six"})
    inner = _paged(tmp_path / "d", DST)
    result = run(src, _faulty(inner, LISTINGS[fault]()), options)
    after = held(inner)

    assert (after["a"], after["z/e"]) == (b"one", b"five")
    assert "dir/x" not in after
    if fault != "later page":
        # Of the first page of three everything up to dir/gone is known.
        assert {path: data for path, data in after.items() if path.startswith("dir/")} == {
            path: data for path, data in DST.items() if path.startswith("dir/")
        }
    assert result.exit_code == 1
    assert contents(src, inner) >= contents(memory({"x": b"six", "c": b"three"}))


def test_named_files_of_the_destination_fail(tmp_path: Path) -> None:
    """Rule 2: with a list of files, one that cannot be looked at is neither overwritten nor deleted."""
    chosen = Options(filter=Filter.only("a", "dir/b", "dir/gone", "z/e"))
    inner = files(tmp_path / "d", DST)
    result = sync(memory(SRC), _faulty(inner, Fail("stat", path="dir/b", error=PermissionDenied)), chosen)

    assert held(inner)["dir/b"] == b"older"
    assert held(inner)["a"] == b"one"
    assert result.exit_code == 1


def test_named_files_of_the_source_fail(tmp_path: Path) -> None:
    """Rule 2: with a list of files, one that cannot be looked at counts as there."""
    chosen = Options(filter=Filter.only("a", "dir/b", "dir/gone", "z/e"))
    src = _faulty(memory(SRC), Fail("stat", path="dir/b", error=PermissionDenied))
    dst = files(tmp_path / "d", DST)
    result = sync(src, dst, chosen)

    assert held(dst)["dir/b"] == b"older"
    assert "dir/gone" not in held(dst)
    assert (result.errors, result.exit_code) == (1, 1)


@pytest.mark.parametrize("side", ["src", "dst"])
@pytest.mark.parametrize("run", [sync, copy, move])
def test_flat_listing_fails(run: Any, side: str) -> None:
    """Rule 2: a storage that is listed in one go is known whole or not at all; nothing is deleted then."""
    small = {"src": MemoryDriver(MemoryOptions(page_size=2)), "dst": MemoryDriver(MemoryOptions(page_size=2))}
    src, dst = fill(Storage(small["src"]), SRC), fill(Storage(small["dst"]), DST)
    broken = {"src": src, "dst": dst}
    broken[side] = _faulty(broken[side], Fail("list", at=2, error=Unreachable))
    with pytest.raises(Unreachable):
        run(broken["src"], broken["dst"])

    assert {"dir/gone", "dir/in/deep", "trash/t"} <= held(dst).keys()
    assert contents(memory(SRC)) <= contents(src, dst)


@pytest.mark.parametrize("run", [sync, copy, move])
@pytest.mark.parametrize("at", [1, 2])
def test_destination_is_listed_twice(run: Any, at: int) -> None:
    """Rule 2: a page that comes twice deletes nothing that the source has, and makes no copy blind."""
    src, dst = memory(SRC), fill(Storage(MemoryDriver(MemoryOptions(page_size=2))), DST | SRC)
    with pytest.raises(StorageError, match="path order"):
        run(src, _faulty(dst, DuplicatePage(at)))

    assert (DST | SRC).items() <= held(dst).items()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_destination_lists_an_object_twice(at: int) -> None:
    """Rule 2: an object that comes twice in a row is one object, and is not deleted for being there too often."""
    dst = fill(Storage(MemoryDriver(MemoryOptions(page_size=1))), SRC)
    result = sync(memory(SRC), _faulty(dst, DuplicatePage(at)))

    assert held(dst) == SRC
    assert (result.changed, result.errors) == (0, 0)


class _Backwards(Counting):
    """A storage that says it lists in path order, and does not."""

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Any:
        found = super().list(path, recursive=recursive, page=page)
        return msgspec.structs.replace(found, infos=found.infos[::-1])


@pytest.mark.parametrize("side", ["src", "dst"])
def test_listing_out_of_order(side: str) -> None:
    """Rule 2: a listing that is not in path order stops the run before anything is deleted."""
    src, dst = memory(SRC), memory(SRC | {"gone": b"x"})
    backwards = Storage(_Backwards((src if side == "src" else dst).driver))
    with pytest.raises(StorageError, match="path order"):
        sync(backwards if side == "src" else src, backwards if side == "dst" else dst)

    assert held(dst) == SRC | {"gone": b"x"}


def test_marker_that_cannot_be_looked_for(tmp_path: Path) -> None:
    """Rule 2: a directory that may be excluded, or not, is left alone and counted; the rest converges."""
    chosen = Options(filter=Filter().exclude_if_present(".skip"))
    src = _faulty(files(tmp_path / "s", SRC), Fail("stat", path="dir/.skip", error=PermissionDenied))
    dst = files(tmp_path / "d", DST)
    result = sync(src, dst, chosen)

    assert held(dst)["dir/gone"] == b"x"
    assert held(dst)["a"] == b"one"
    assert (result.errors, result.exit_code) == (1, 1)


@pytest.mark.parametrize("scenario", ["missing", "unreadable"])
def test_no_source(scenario: str, tmp_path: Path) -> None:
    """Rule 2: a source that is not there, or cannot be read, is not an empty one."""
    src = files(tmp_path / "s", SRC)
    if scenario == "missing":
        src = Storage(FileDriver(FileOptions(root=str(tmp_path / "nowhere"))))
    else:
        src = _faulty(src, Fail("list", path="", error=PermissionDenied))
    dst = files(tmp_path / "d", DST)
    with pytest.raises((NotFound, PermissionDenied)):
        sync(src, dst, Options(allow_empty_source=True))

    assert held(dst) == DST


# -- verbs -----------------------------------------------------------------------------------------------------

VERBS = ["get", "put", "stat", "delete", "set_modified", "mkdir", "rmdir", "hash", "move"]
KINDS = ["file", "memory", "plain"]


def _turns(verb: str, late: bool) -> list[tuple[str, str]]:
    """Return what a verb fails between: with S3 one way for each, with ``OMNISTORAGE_SLOW=1`` all."""
    at = VERBS.index(verb) + late
    return [*itertools.product(KINDS, KINDS), *(S3_WAYS if SLOW else [S3_WAYS[at % len(S3_WAYS)]])]


def _quietly(run: Any, src: Storage, dst: Storage, options: Options) -> Result | None:
    """Run; what fails as a whole (the root cannot be looked at) has no result."""
    try:
        result: Result = run(src, dst, options)
    except StorageError:
        return None
    return result


@pytest.mark.parametrize("late", [False, True], ids=["before", "answer lost"])
@pytest.mark.parametrize("side", ["src", "dst"])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("run", [sync, copy, move])
def test_each_verb_fails(run: Any, verb: str, side: str, late: bool, tmp_path: Path) -> None:
    """Rules 1, 4, 8: whichever call fails, no bytes are lost, failures are counted, and a rerun converges."""
    for turn, (here, there) in enumerate(_turns(verb, late)):
        for at, options in ((1, Options()), (3, Options(compare=Compare.HASH, empty_dirs=True, verify=True))):
            root = tmp_path / f"{turn}-{at}"
            inner = {"src": PLACES[here](root / "s", SRC), "dst": PLACES[there](root / "d", DST)}
            faulty = dict(inner)
            driver = FaultyDriver(inner[side].driver, Fail(verb, at=at, error=Unreachable, late=late))
            faulty[side] = Storage(driver)
            result = _quietly(run, faulty["src"], faulty["dst"], options)
            met = driver.calls[verb] >= at
            everywhere, after = contents(inner["src"], inner["dst"]), held(inner["dst"])
            driver.heal()
            again = run(faulty["src"], faulty["dst"], options) if held(inner["src"]) or run is copy else None

            assert set(SRC.values()) <= set(everywhere), (here, there, at)
            assert all(after[path] in (SRC.get(path), DST.get(path)) for path in after), (here, there, at)
            # Of directory times, and what is asked a second time, nothing needs to be told.
            if met and result is not None and verb in ("put", "get", "mkdir") and not result.ok:
                assert result.exit_code == 1
            assert again is None or again.errors == 0, (here, there, at)
            if run is sync:
                assert held(inner["dst"]) == SRC, (here, there, at)
            else:
                assert SRC.items() <= held(inner["dst"]).items(), (here, there, at)


@pytest.mark.parametrize("run", [sync, copy, move])
def test_others_converge(run: Any, tmp_path: Path) -> None:
    """Rule 8: one object that cannot be stored is one error, and all others arrive."""
    src, inner = files(tmp_path / "s", SRC), files(tmp_path / "d")
    result = run(src, _faulty(inner, Fail("put", path="dir/c", times=None)))

    assert held(inner) == {path: data for path, data in SRC.items() if path != "dir/c"}
    assert (result.errors, result.exit_code, result.transferred) == (1, 1, len(SRC) - 1)
    assert [outcome.action.path for outcome in result.failures] == ["dir/c"]
    assert contents(src, inner)[b"three"] == 1


def test_deletes_that_fail(tmp_path: Path) -> None:
    """Rule 8: a delete that fails is one error, the others are done, and the directory stays."""
    inner = files(tmp_path / "d", DST)
    result = sync(files(tmp_path / "s", SRC), _faulty(inner, Fail("delete", path="trash/t", error=PermissionDenied)))

    assert held(inner) == SRC | {"trash/t": b"t"}
    assert (result.errors, result.deleted) == (1, 2)


def test_deleted_by_somebody_else(tmp_path: Path) -> None:
    """A delete of what is gone already has its way."""
    inner = files(tmp_path / "d", DST)
    result = sync(files(tmp_path / "s", SRC), _faulty(inner, Vanish("trash/t")))

    assert held(inner) == SRC
    assert result.errors == 0


# -- streams ---------------------------------------------------------------------------------------------------

LARGE = bytes(range(256)) * 8192


@pytest.mark.parametrize("after", [0, 1, 100, 1 << 20, len(LARGE) - 1])
@pytest.mark.parametrize("silent", [False, True], ids=["error", "silent end"])
@pytest.mark.parametrize(("here", "there"), [way for way in WAYS if way.values != ("s3", "s3")])
def test_cut_streams(after: int, silent: bool, here: str, there: str, tmp_path: Path) -> None:
    """Rule 1: bytes that end too early are an error, and the destination keeps the old ones."""
    src = PLACES[here](tmp_path / "s", {"big": LARGE, "ok": b"1"})
    dst = PLACES[there](tmp_path / "d", {"big": b"old"})
    cut = CutStream(after, path="big", error=None if silent else Unreachable, times=None)
    result = copy(_faulty(src, cut), dst)

    assert held(dst) == {"big": b"old", "ok": b"1"}
    assert (result.errors, result.exit_code) == (1, 1)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("after", [0, 100, len(LARGE) - 1])
def test_disk_fails_in_the_midst(after: int, tmp_path: Path) -> None:
    """Rule 1: a put that breaks off keeps the old bytes and leaves nothing behind."""
    src, inner = memory({"big": LARGE}), files(tmp_path / "d", {"big": b"old"})
    result = sync(src, _faulty(inner, FailBody(after)))

    assert held(inner) == {"big": b"old"}
    assert result.errors == 1
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("run", [sync, copy, move])
@pytest.mark.parametrize("compare", [Compare.MTIME, Compare.HASH])
@pytest.mark.parametrize(("here", "there"), [*itertools.product(["file", "memory"], KINDS), *S3_WAYS])
def test_vanished_source(run: Any, compare: Compare, here: str, there: str, tmp_path: Path) -> None:
    """What vanishes between the listing and the reading is skipped, with a word, and is no error."""
    src = _faulty(PLACES[here](tmp_path / "s", SRC), Vanish("a", "dir/b", "same"))
    dst = PLACES[there](tmp_path / "d", DST)
    events: list[str] = []
    result = run(
        src,
        dst,
        Options(compare=compare),
        observer=lambda event: events.append(event.outcome.action.reason if event.outcome else ""),
    )

    assert result.errors == 0
    assert (held(dst)["a"], held(dst)["dir/c"], held(dst)["same"]) == (b"old!", b"three", b"=")
    assert any("vanished" in reason for reason in events)
    assert result.skipped >= 2


class _Changing(Counting):
    """A folder of files in which one is written to while it is being read."""

    def __init__(self, inner: Driver, change: Callable[[], object]) -> None:
        super().__init__(inner)
        self.local_root = None
        self._change = change

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        stream = super().get(path, offset, length)
        if path == "a":
            self._change()
        return stream


def _rewrite(place: Path) -> None:
    place.write_bytes(b"eno")


def _grow(place: Path) -> None:
    with place.open("ab") as file:
        file.write(b"more")


def _shrink(place: Path) -> None:
    os.truncate(place, 1)


@pytest.mark.parametrize("change", [_rewrite, _grow, _shrink])
@pytest.mark.parametrize("run", [sync, copy, move])
@pytest.mark.parametrize("there", PLACES)
def test_source_changes_while_it_is_read(
    run: Any, change: Callable[[Path], None], there: str, tmp_path: Path
) -> None:
    """Rule 1: a mixture of two versions of the source is not stored; the next run is right."""
    inner = files(tmp_path / "s", SRC)
    dst = PLACES[there](tmp_path / "d", DST)
    result = run(Storage(_Changing(inner.driver, lambda: change(tmp_path / "s" / "a"))), dst)
    kept = held(dst)["a"]
    now = (tmp_path / "s" / "a").read_bytes()
    again = run(inner, dst)

    assert kept == b"old!"
    assert (result.errors, result.exit_code) == (1, 1)
    assert again.errors == 0
    assert held(dst)["a"] == now


def test_a_put_that_lies(tmp_path: Path) -> None:
    """Rule 4: bytes that arrive otherwise than they were sent are noticed, and the source stays."""
    src = memory(SRC)
    result = move(src, Storage(_Flipping(memory().driver)))

    assert held(src) == SRC
    assert all(isinstance(outcome.error, Corrupted) for outcome in result.failures)
    assert result.errors == len(SRC)


def test_verify(tmp_path: Path) -> None:
    """Rule 8: without ``verify`` only the size is known, and that is counted; with it every byte is compared."""
    trusting = copy(memory(SRC), Storage(_Flipping(memory().driver)))
    verifying = copy(memory(SRC), Storage(_Flipping(memory().driver)), Options(verify=True))
    honest = copy(memory(SRC), memory(), Options(verify=True))

    assert (trusting.errors, trusting.unverified) == (0, len(SRC))
    assert (verifying.errors, verifying.transferred) == (len(SRC), 0)
    assert (honest.errors, honest.unverified) == (0, 0)


class _Flipping(Counting):
    """A storage that stores other bytes than it was given."""

    def put(self, path: str, body: Any, options: Any) -> Any:
        from omnistorage.core.streams import BytesBody

        with body.open() as stream:
            data = stream.read()
        return super().put(path, BytesBody(data[::-1].swapcase() + b"" if data != b"=" else b"#"), options)


# -- check -----------------------------------------------------------------------------------------------------


def test_check_reports_what_it_could_not_see(tmp_path: Path) -> None:
    """Rule 8: a directory or object that cannot be read is neither equal nor missing, but an error."""
    src = _faulty(
        files(tmp_path / "s", SRC),
        Fail("list", path="dir", error=PermissionDenied),
        Fail("get", path="a", error=PermissionDenied),
    )
    found = check(src, files(tmp_path / "d", SRC))

    assert (found.errors, found.only_dst, found.only_src, found.differs) == (2, 0, 0, 0)
    assert not found.ok


def test_times_are_kept_when_only_they_fail(tmp_path: Path) -> None:
    """Rule 8: a time that cannot be set is an error of that object alone."""
    src, inner = memory({"a": b"1", "b": b"2"}, when=WHEN + 10**9), files(tmp_path / "d", {"a": b"1", "b": b"2"})
    result = sync(src, _faulty(inner, Fail("set_modified", path="a", error=PermissionDenied)))

    assert (result.errors, result.touched) == (1, 1)
    assert held(inner) == {"a": b"1", "b": b"2"}


class _Rewrite(Fault):
    """Replace an object at the moment it has been listed, with as many bytes and the same time."""

    op = "list"

    def page(self, number: int, page: Page, inner: Driver) -> Page:
        if any(info.path == "a" for info in page.infos):
            Storage(inner).write_bytes("a", b"eno", modified=WHEN)
        return page


@pytest.mark.parametrize("run", [sync, copy, move])
@pytest.mark.parametrize("there", ["file", "memory", "s3"])
def test_object_of_s3_changes_after_it_was_listed(run: Any, there: str, tmp_path: Path) -> None:
    """Rules 1, 4: what the listing told is not taken for the new object; its bytes are lost nowhere.

    Ceph takes no notice of the ETag that a copy within it is to have (nor do moto and rclone, also when it is
    boto3 that asks): there the later object arrives, and that it is another one is a failure.
    """
    src, dst = PLACES["s3"](tmp_path, SRC), PLACES[there](tmp_path / "d", DST)
    result = run(_faulty(src, _Rewrite()), dst)
    kept, everywhere = held(dst)["a"], contents(src, dst)
    again = run(src, dst)

    assert kept in (b"old!", b"eno")
    assert b"eno" in everywhere
    assert result.errors == 1 or (kept == b"eno" and there != "s3")
    assert result.exit_code == result.errors <= 1
    assert again.errors == 0
    assert held(dst)["a"] == b"eno"
