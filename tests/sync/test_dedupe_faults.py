"""Duplicates while things fail or change: what is not proven to be a copy at that moment stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, PermissionDenied, SourceChanged, StorageError, Unreachable
from omnistorage.core.layer import Layer
from omnistorage.core.streams import ByteStream
from omnistorage.core.wrapped import WrappedStream
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage
from omnistorage.sync import DedupeEvent, DedupeOptions, DedupeResult, dedupe
from omnistorage.sync.dedupe_model import Deed, Mode
from omnistorage.testing import CutStream, Fail, FaultyDriver
from sync_scenes import PLACES, WHEN, Tree, files, fill, held, memory

TREE: Tree = {"a": b"same", "b": b"same", "c/d": b"same", "e": b"two!", "f": b"two!", "g": b"alone"}
LARGE = 200_000

anywhere = pytest.mark.parametrize("place", PLACES)


def _when_found(storage: Storage, act: Callable[[], object], mode: Mode = "first", **options: Any) -> DedupeResult:
    """Dedupe, and do something between hashing and deleting."""
    acts = [act]

    def note(event: DedupeEvent) -> None:
        if event.deed is Deed.FOUND and acts:
            acts.pop()()

    return dedupe(storage, DedupeOptions(mode=mode, **options), observer=note)


def _failed(result: DedupeResult) -> dict[str, type[StorageError]]:
    return {event.path: type(event.error) for event in result.failures if event.error is not None}


# -- failing calls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unreachable, None], ids=["broken off", "ended early"])
@pytest.mark.parametrize("size", [10, LARGE])
def test_reading_fails(error: type[StorageError] | None, size: int) -> None:
    """An object that cannot be read to its end is no duplicate, and is reported; the others are seen to."""
    tree = dict.fromkeys("abc", b"x" * size) | {"y": b"other", "z": b"other"}
    storage = fill(Storage(_Readable(memory().driver)), tree)
    faulty = FaultyDriver(storage.driver, CutStream(5, error=error, path="b", times=None))
    result = dedupe(Storage(faulty), DedupeOptions(mode="newest"))

    assert (result.deleted, result.errors, list(_failed(result))) == (2, 1, ["b"])
    assert set(held(storage)) == {"a", "b", "y"}


class _Readable(Layer):
    """A service that computes no hashes, so that objects must be read."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.features = msgspec.structs.replace(inner.features, computes=frozenset(), ranges=False)


class _Broken(WrappedStream):
    def read(self, size: int | None = -1, /) -> bytes:
        raise Unreachable("the disk is dying")


class _BadDisk(Layer):
    """Local files of which one cannot be read."""

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        stream = self.inner.get(path, offset, length)
        return _Broken(stream) if path == "b" else stream


def test_reading_a_local_file_fails(tmp_path: Path) -> None:
    """The same with files of this machine."""
    storage = files(tmp_path / "t", TREE)
    result = dedupe(Storage(_BadDisk(storage.driver)), DedupeOptions(mode="first"))

    assert (result.deleted, _failed(result)) == (2, {"b": Unreachable})
    assert set(held(storage)) == {"a", "b", "e", "g"}


@anywhere
def test_deleting_fails(place: str, tmp_path: Path) -> None:
    """A copy that cannot be deleted stays and is reported; the others go."""
    storage = PLACES[place](tmp_path / "t", TREE)
    faulty = FaultyDriver(storage.driver, Fail("delete", path="b", error=PermissionDenied))
    result = dedupe(Storage(faulty), DedupeOptions(mode="first"))

    assert (result.deleted, _failed(result)) == (2, {"b": PermissionDenied})
    assert set(held(storage)) == {"a", "b", "e", "g"}
    with pytest.raises(PermissionDenied):
        result.raise_for_errors()


# Files are opened, not asked for; the memory service's own mark is proof, so that nothing is read.
@pytest.mark.parametrize(
    ("place", "op"), [("file", "get"), ("memory", "stat"), ("s3", "stat"), ("plain", "stat"), ("plain", "get")]
)
def test_proof_fails(place: str, op: str, tmp_path: Path) -> None:
    """What cannot be asked for right before the delete stays."""
    storage = PLACES[place](tmp_path / "t", TREE)
    faulty = FaultyDriver(storage.driver)
    result = _when_found(
        Storage(faulty), lambda: faulty.add(Fail(op, path="f", times=None, error=Unreachable)), "first"
    )

    assert (result.deleted, _failed(result)) == (2, {"f": Unreachable})
    assert set(held(storage)) == {"a", "e", "f", "g"}


def test_listing_fails(tmp_path: Path) -> None:
    """A directory that cannot be listed is reported; what stands elsewhere is seen to."""
    storage = files(tmp_path / "t", TREE)
    faulty = FaultyDriver(storage.driver, Fail("list", path="c", error=PermissionDenied))
    result = dedupe(Storage(faulty), DedupeOptions(mode="first"))

    assert (result.deleted, _failed(result)) == (2, {"c": PermissionDenied})
    assert set(held(storage)) == {"a", "c/d", "e", "g"}


@pytest.mark.parametrize(("place", "op"), [("file", "move"), ("memory", "move"), ("s3", "copy")])
def test_renaming_fails(place: str, op: str, tmp_path: Path) -> None:
    """What cannot be renamed keeps its name, and nothing is left at the new one."""
    storage = PLACES[place](tmp_path / "t", {"a": b"x", "b": b"x"})
    faulty = FaultyDriver(storage.driver, Fail(op, path="a", error=PermissionDenied))
    result = dedupe(Storage(faulty), DedupeOptions(mode="rename"))

    assert (result.renamed, _failed(result)) == (1, {"a": PermissionDenied})
    assert held(storage) == {"a": b"x", "b-2": b"x"}


def test_linking_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no link can be made, the copy stays a copy."""
    storage = files(tmp_path / "t", TREE)

    def refuse(*args: Any, **options: Any) -> None:
        raise OSError(31, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    result = dedupe(storage, DedupeOptions(mode="first", hardlink=True))

    assert (result.linked, result.errors) == (0, 3)
    assert held(storage) == TREE


# -- changes between finding and deleting ----------------------------------------------------------------------


@anywhere
@pytest.mark.parametrize("data", [b"new!", b"longer than before"])
def test_copy_changes(place: str, data: bytes, tmp_path: Path) -> None:
    """A copy that is changed after it was hashed is left, reported and counted."""
    storage = PLACES[place](tmp_path / "t", TREE)
    result = _when_found(storage, lambda: storage.write_bytes("b", data))

    assert (result.deleted, _failed(result)) == (2, {"b": SourceChanged})
    assert held(storage) == {"a": b"same", "b": data, "e": b"two!", "g": b"alone"}


@anywhere
@pytest.mark.parametrize("data", [b"new!", b"longer than before"])
def test_kept_object_changes(place: str, data: bytes, tmp_path: Path) -> None:
    """When what is to stay is changed, none of its copies goes."""
    storage = PLACES[place](tmp_path / "t", TREE)
    result = _when_found(storage, lambda: storage.write_bytes("a", data))

    assert (result.deleted, _failed(result)) == (1, {"b": SourceChanged, "c/d": SourceChanged})
    assert held(storage) == {"a": data, "b": b"same", "c/d": b"same", "e": b"two!", "g": b"alone"}


@anywhere
def test_kept_object_vanishes(place: str, tmp_path: Path) -> None:
    """When what is to stay is gone, none of its copies goes."""
    storage = PLACES[place](tmp_path / "t", TREE)
    result = _when_found(storage, lambda: storage.delete("a"))

    assert (result.deleted, _failed(result)) == (1, {"b": SourceChanged, "c/d": SourceChanged})
    assert set(held(storage)) == {"b", "c/d", "e", "g"}


@anywhere
def test_copy_vanishes(place: str, tmp_path: Path) -> None:
    """A copy that somebody else deleted is no failure, and not counted as ours."""
    storage = PLACES[place](tmp_path / "t", TREE)
    result = _when_found(storage, lambda: storage.delete("b"))

    assert (result.deleted, result.left, result.errors) == (2, 1, 0)
    assert set(held(storage)) == {"a", "e", "g"}


@pytest.mark.parametrize("path", ["a", "b"])
def test_local_change_that_size_and_time_do_not_show(path: str, tmp_path: Path) -> None:
    """Files are compared byte by byte: a change with the old size and time set back is seen."""
    storage = files(tmp_path / "t", TREE)

    def change() -> None:
        (tmp_path / "t" / path).write_bytes(b"SAME")
        os.utime(tmp_path / "t" / path, ns=(WHEN, WHEN))

    result = _when_found(storage, change)

    assert "b" in _failed(result)
    assert storage.read_bytes(path) == b"SAME"
    assert storage.read_bytes("b") in (b"same", b"SAME")


def test_change_that_a_service_does_not_mark(tmp_path: Path) -> None:
    """Without a mark of the content, objects are read again before one goes."""
    storage = PLACES["plain"](tmp_path, TREE)
    result = _when_found(storage, lambda: storage.write_bytes("b", b"SAME"))

    assert _failed(result) == {"b": SourceChanged}
    assert storage.read_bytes("b") == b"SAME"


@pytest.mark.parametrize("hardlink", [False, True])
def test_copy_becomes_a_name_of_the_kept_file(hardlink: bool, tmp_path: Path) -> None:
    """A copy that somebody made a hard link meanwhile is the same file, and stays."""
    root = tmp_path / "t"
    storage = files(root, TREE)

    def link() -> None:
        os.unlink(root / "b")
        os.link(root / "a", root / "b")

    result = _when_found(storage, link, hardlink=hardlink)

    assert (result.left, result.errors, result.deleted + result.linked) == (1, 0, 2)
    assert os.stat(root / "b").st_ino == os.stat(root / "a").st_ino


def test_copy_becomes_a_symbolic_link(tmp_path: Path) -> None:
    """A copy that somebody made a link to the kept file is not followed, and stays."""
    root = tmp_path / "t"
    storage = files(root, TREE)

    def link() -> None:
        os.unlink(root / "b")
        (root / "b").symlink_to("a")

    result = _when_found(storage, link)

    assert list(_failed(result)) == ["b"]
    assert (root / "b").is_symlink()
    assert (root / "b").read_bytes() == b"same"


def test_folder_becomes_a_link_to_where_the_kept_file_is(tmp_path: Path) -> None:
    """With links=follow, a copy that by now is the kept file by another path stays."""
    root = tmp_path / "t"
    files(root, {"one/a": b"same", "two/a": b"same"}).close()
    storage = Storage(FileDriver(Options(root=str(root), links="follow")))

    def swap() -> None:
        os.rename(root / "two", tmp_path / "gone")
        (root / "two").symlink_to("one")

    result = _when_found(storage, swap)

    assert (result.deleted, result.left) == (0, 1)
    assert (root / "one" / "a").read_bytes() == b"same"


def test_vanishes_before_it_is_read(tmp_path: Path) -> None:
    """An object that is gone before it is looked into is no failure."""
    storage = files(tmp_path / "t", TREE)
    faulty = FaultyDriver(storage.driver, Fail("get", path="b", error=NotFound))
    result = dedupe(Storage(faulty), DedupeOptions(mode="first"))

    assert (result.deleted, result.errors) == (2, 0)


def test_observer_that_raises_ends_the_run() -> None:
    """What the caller's own code raises comes through, and nothing more is deleted."""
    storage = memory({f"{group}{copy}": group.encode() for group in "abcdef" for copy in "12"})

    def note(event: DedupeEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dedupe(storage, DedupeOptions(mode="first"), observer=note)

    assert len(held(storage)) == 12
