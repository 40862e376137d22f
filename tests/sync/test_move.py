"""Moving: the source goes when its bytes are proven to have arrived, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import SourceChanged
from omnistorage.core.layer import Layer
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.storage import Storage
from omnistorage.sync import (
    Compare,
    Filter,
    Options,
    copy_one,
    move,
)
from sync_scenes import (
    NEWER,
    OLDER,
    PLACES,
    S3_WAYS,
    TREE,
    WHEN,
    Counting,
    both_ways,
    contents,
    files,
    fill,
    held,
    memory,
)

DOUBTFUL = {
    "newer destination, -u": (Options(update=True), b"here", WHEN, b"there", NEWER, False),
    "same size and time, other bytes": (Options(), b"here", WHEN, b"HERE", WHEN, True),
    "same size, --size-only": (Options(compare=Compare.SIZE), b"here", WHEN, b"HERE", OLDER, True),
    "other size, --ignore-size": (Options(ignore_size=True), b"here", WHEN, b"there", WHEN, True),
    "--ignore-existing": (Options(ignore_existing=True), b"here", WHEN, b"there", OLDER, False),
    "--immutable": (Options(immutable=True), b"here", NEWER, b"there", WHEN, False),
    "--immutable, unseen": (Options(immutable=True), b"here", WHEN, b"HERE", WHEN, False),
    "--immutable -c": (Options(immutable=True, compare=Compare.HASH), b"here", WHEN, b"HERE", WHEN, False),
}
"""Options, source, its time, destination, its time, and whether the source may go (its bytes have arrived)."""


@pytest.mark.parametrize("case", DOUBTFUL)
@both_ways
def test_move_deletes_on_proof_only(here: str, there: str, case: str, tmp_path: Path) -> None:
    """Rule 4: whatever makes an object stay as it is, its source's bytes are somewhere afterwards."""
    options, ours, our_time, theirs, their_time, may_go = DOUBTFUL[case]
    if "plain" in (here, there) and options.update:
        pytest.skip("without times nothing is newer")
    src, dst = PLACES[here](tmp_path / "s", {}), PLACES[there](tmp_path / "d", {})
    fill(src, {"f": ours, "other": b"fine"}, when=our_time)
    fill(dst, {"f": theirs}, when=their_time)
    result = move(src, dst, options)

    assert contents(src, dst)[ours] >= 1
    assert held(dst)["other"] == b"fine"
    if not may_go and "plain" not in (here, there):
        assert held(src) == {"f": ours}
        assert held(dst)["f"] == theirs
    assert result.exit_code == (6 if options.immutable and held(src) else 0)


@both_ways
def test_move_of_equal_objects(here: str, there: str, tmp_path: Path) -> None:
    """Rule 4: what is there already, byte for byte, is deleted at the source and not sent again."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", TREE)
    counting = Counting(dst.driver)
    result = move(src, Storage(counting))

    assert held(src) == {}
    assert held(dst) == TREE
    assert "put" not in counting.writes
    assert (result.transferred, result.deleted_sources) == (0, len(TREE))


@pytest.mark.parametrize("equal", [False, True])
def test_move_leaves_what_was_changed_after_its_proof(equal: bool, tmp_path: Path) -> None:
    """Rule 4: bytes that come to the source between proof and delete are nowhere else, so they stay."""
    src = files(tmp_path / "s", {"f": b"what was seen", "other": b"fine"})
    dst = memory({"f": b"what was seen"} if equal else {})
    late = tmp_path / "s" / "f"
    result = move(src, Storage(Meddled(dst.driver, lambda: late.write_bytes(b"what has come"))))

    assert (held(src), held(dst)) == ({"f": b"what has come"}, {"f": b"what was seen", "other": b"fine"})
    assert [type(one.error) for one in result.failures] == [SourceChanged]
    assert (result.exit_code, result.deleted_sources) == (1, 1)


@pytest.mark.parametrize("hashes_are_free", [False, True])
def test_move_where_only_the_time_differs(hashes_are_free: bool) -> None:
    """Rule 4: an object that needs but its time set is moved in one go: touched there, gone here."""
    src, dst = memory({"f": b"x"}, when=NEWER), memory({"f": b"x"}, when=WHEN)
    if hashes_are_free:
        src, dst = (Storage(_FreeHashes(side.driver)) for side in (src, dst))
    result = move(src, dst)

    assert held(src) == {}
    assert dst.stat("f").mtime_ns == NEWER
    assert (result.touched, result.deleted_sources, result.errors) == (1, 1, 0)


class _FreeHashes(Counting):
    """A storage whose listings tell hashes."""

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Any:
        found = super().list(path, recursive=recursive, page=page)
        infos = [msgspec.structs.replace(info, hashes={"etag": info.etag or ""}) for info in found.infos]
        return msgspec.structs.replace(found, infos=infos)


def test_move_where_times_cannot_be_set() -> None:
    """Rule 4: where a time can only be set by storing again, the source is deleted once, and without an error."""
    src, dst = memory({"f": b"x"}, when=NEWER), memory({"f": b"x"}, when=WHEN)
    fixed = Counting(dst.driver)
    fixed.features = msgspec.structs.replace(fixed.features, set_modified=False)
    result = move(src, Storage(fixed))

    assert (held(src), held(dst)) == ({}, {"f": b"x"})
    assert dst.stat("f").mtime_ns == NEWER
    assert (result.errors, result.transferred, result.deleted_sources) == (0, 1, 1)


class _Mounted(FileDriver):
    """A folder that is shown at a second place as by a bind mount: no comparison of paths can tell."""

    def identity(self) -> tuple[str, ...]:
        return ("file", self.options.root)


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize("options", [Options(), Options(ignore_times=True)], ids=["equal", "copied"])
def test_move_onto_itself_by_another_name(options: Options, layered: bool, tmp_path: Path) -> None:
    """Rule 4: a file that is source and destination in one is not deleted, whatever its two places are called."""
    src = files(tmp_path / "s", TREE)
    (tmp_path / "link").symlink_to(tmp_path / "s")
    mounted: Driver = _Mounted(FileOptions(root=str(tmp_path / "link")))
    result = move(Storage(Counting(src.driver)) if layered else src, Storage(mounted), options)

    assert held(src) == TREE
    assert result.errors == len(TREE)


def test_rename_within_a_folder(tmp_path: Path) -> None:
    """Another name in the same folder is another object, with layers and without."""
    src = files(tmp_path / "s", {"f": b"x", "h": b"y"})
    results = [copy_one(src, "f", src, "g", delete_source=True)]
    layered = Storage(Counting(src.driver))
    results.append(copy_one(layered, "h", layered, "i", delete_source=True))

    assert held(src) == {"g": b"x", "i": b"y"}
    assert [result.errors for result in results] == [0, 0]


@pytest.mark.parametrize(("here", "there"), [("file", "file"), ("file", "memory"), ("memory", "file"), *S3_WAYS])
def test_move_one(here: str, there: str, tmp_path: Path) -> None:
    """An object that is moved to another name is there whole, and gone here."""
    src, dst = PLACES[here](tmp_path / "s", {"f": b"x", "g": b"y"}), PLACES[there](tmp_path / "d", {"h": b"old"})
    result = copy_one(src, "f", dst, "h", delete_source=True)

    assert (held(src), held(dst)) == ({"g": b"y"}, {"h": b"x"})
    assert (result.transferred, result.errors) == (1, 0)


class _Timeless(Counting):
    """A storage that does not know the time of its objects, although it keeps times as a rule."""

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Any:
        found = super().list(path, recursive=recursive, page=page)
        return msgspec.structs.replace(
            found, infos=[msgspec.structs.replace(info, mtime_ns=None) for info in found.infos]
        )


@pytest.mark.parametrize("turned", [False, True])
def test_move_where_one_time_is_not_known(turned: bool) -> None:
    """Rule 4: an object without a time is compared by its bytes, and no time is made up."""
    src, dst = memory({"f": b"x", "g": b"new"}), memory({"f": b"x", "g": b"old"})
    timeless = Storage(_Timeless((dst if turned else src).driver))
    result = move(src, timeless) if turned else move(timeless, dst)

    assert (held(src), held(dst)) == ({}, {"f": b"x", "g": b"new"})
    assert dst.stat("f").mtime_ns == WHEN
    assert (result.errors, result.touched) == (0, 0)


@pytest.mark.parametrize("below", ["src", "dst"])
def test_move_one_between_a_folder_and_its_own_folder(below: str, tmp_path: Path) -> None:
    """Rule 3: one named object may go up or down within its own tree; that is no overlap."""
    outer, inner = files(tmp_path / "t", {"k": b"0"}), files(tmp_path / "t" / "deep")
    src, dst = (inner, outer) if below == "src" else (outer, inner)
    src.write_bytes("f", b"x")
    result = move(src, dst, Options(filter=Filter.only("f")))

    assert held(outer) == ({"k": b"0", "f": b"x"} if below == "src" else {"k": b"0", "deep/f": b"x"})
    assert result.errors == 0


def test_move_one_onto_itself(tmp_path: Path) -> None:
    """Rule 4: moving an object to its own place, however that is spelled, changes nothing."""
    src = files(tmp_path / "s", {"f": b"x"})
    (tmp_path / "link").symlink_to(tmp_path / "s")
    results = [copy_one(src, "f", src, "f", delete_source=True)]
    results.append(copy_one(src, "f", files(tmp_path / "link"), "f", delete_source=True))
    results.append(copy_one(src, "f", files(tmp_path / "s" / ".." / "s"), "f", delete_source=True))

    assert held(src) == {"f": b"x"}
    assert [result.errors for result in results] == [0, 0, 0]


def test_hard_links_can_be_moved(tmp_path: Path) -> None:
    """Two names of one file are two names: the one at the source goes, the one at the destination stays."""
    src, dst = files(tmp_path / "s", {"f": b"x"}), files(tmp_path / "d")
    (tmp_path / "d" / "f").hardlink_to(tmp_path / "s" / "f")
    result = move(src, dst)

    assert (held(src), held(dst)) == ({}, {"f": b"x"})
    assert result.errors == 0


def test_move_removes_empty_directories_when_asked(tmp_path: Path) -> None:
    """``delete_empty_dirs`` removes what is empty below the source; without it directories stay."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d")
    src.mkdir("was/empty")
    move(src, dst)
    stayed = sorted(info.path for info in src.scan())
    move(src, dst, Options(delete_empty_dirs=True))

    assert stayed == ["deep", "deep/er", "e e", "was", "was/empty"]
    assert list(src.scan()) == []
    assert (tmp_path / "s").is_dir()


def test_move_takes_only_equal_bytes_from_elsewhere() -> None:
    """Rule 4: what has size and time of the source in a place to copy from, but other bytes, is not taken."""
    src, dst = memory({"a": b"1", "b": b"2"}), memory()
    result = move(src, dst, Options(copy_from=(memory({"a": b"1", "b": b"x"}),)))

    assert (held(src), held(dst)) == ({}, {"a": b"1", "b": b"2"})
    assert (result.errors, result.transferred) == (0, 2)


def test_move_leaves_directories_that_a_filter_leaves_out(tmp_path: Path) -> None:
    """``delete_empty_dirs`` removes only what the filter selects, and nothing that lies too deep."""
    src, dst = files(tmp_path / "s", {"a/b/c": b"1", "top/x": b"2"}), files(tmp_path / "d")
    for path in ("out/empty", "in/empty", "top/deep/empty"):
        src.mkdir(path)
    move(src, dst, Options(filter=Filter().exclude("/out/", "/top/deep/"), delete_empty_dirs=True))
    filtered = sorted(info.path for info in src.scan())
    move(src, dst, Options(filter=Filter(max_depth=1), delete_empty_dirs=True))

    assert held(dst) == {"a/b/c": b"1", "top/x": b"2"}
    assert filtered == ["out", "out/empty", "top", "top/deep", "top/deep/empty"]
    assert sorted(info.path for info in src.scan()) == filtered


class Meddled(Layer):
    """Calls somebody when the bytes of ``f`` that are stored have been read to their end."""

    def __init__(self, inner: Driver, meddle: Callable[[], object]) -> None:
        super().__init__(inner)
        self._meddle = meddle

    def hash(self, path: str, name: str) -> str:
        found = super().hash(path, name)
        if path == "f":
            self._meddle()
        return found
