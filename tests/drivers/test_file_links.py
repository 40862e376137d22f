"""Symbolic links of the local driver: refused, followed, or kept as objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

from omnistorage.core.errors import AlreadyExists, InvalidPath, NotFound, SpecialFile, StorageError
from omnistorage.core.info import DIR, FILE, LINK, OTHER, Kind
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage

WHEN = 1_500_000_000_123_456_789


def opened(root: Path, links: Literal["skip", "follow", "keep"]) -> Storage:
    """Return a storage of small pages, so that names and what stands behind them are read apart."""
    return Storage(FileDriver(Options(root=str(root), links=links, page_size=2)))


def kinds(storage: Storage) -> dict[str, Kind]:
    """Return kind by path of all that a walk finds."""
    return {info.path: info.kind for info in storage.scan()}


def brief(storage: Storage, path: str = "") -> dict[str, Kind]:
    """Return kind by path of one folder, by the verb that asks for names only."""
    found: dict[str, Kind] = {}
    page = storage.driver.names(path)
    while True:
        found |= {info.path: info.kind for info in page.infos}
        if page.next is None:
            return found
        page = storage.driver.names(path, page=page.next)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with links to a file, a folder, nothing, themselves, above and outside."""
    root = tmp_path / "root"
    (root / "dir/sub").mkdir(parents=True)
    (root / "file").write_bytes(b"bytes")
    (root / "dir/a").write_bytes(b"a")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret")
    for name, target in {
        "to-file": "file",
        "to-dir": "dir",
        "to-outside": "../outside",
        "dangling": "nowhere",
        "own": "own",
        "dir/up": "..",
        "dir/sub/here": ".",
        "above": "../..",
    }.items():
        (root / name).symlink_to(target)
    return root


def test_skipped_links_are_listed_as_links(tree: Path) -> None:
    """A link is never passed over in silence: listing and stat call it a link, and nobody goes through it."""
    storage = opened(tree, "skip")
    found = kinds(storage)
    links = {path for path, kind in found.items() if kind is LINK}

    assert links == {"to-file", "to-dir", "to-outside", "dangling", "own", "dir/up", "dir/sub/here", "above"}
    assert {path for path in found if path not in links} == {"file", "dir", "dir/a", "dir/sub"}
    assert {storage.stat(path).kind for path in links} == {LINK}
    assert brief(storage) == {path: kind for path, kind in found.items() if "/" not in path}


@pytest.mark.parametrize("name", ["to-file", "to-dir", "dangling", "own"])
def test_skipped_links_are_not_read(tree: Path, name: str) -> None:
    """A link cannot be read, and the message says what it is."""
    with pytest.raises(SpecialFile, match="symbolic link"):
        opened(tree, "skip").read_bytes(name)


def test_nothing_goes_through_a_skipped_link(tree: Path) -> None:
    """A folder that is a link is neither listed nor written to nor swept."""
    driver = opened(tree, "skip").driver
    for call in (
        lambda: driver.list("to-outside"),
        lambda: driver.names("to-outside"),
        lambda: driver.mkdir("to-outside"),
        lambda: driver.sweep("to-outside"),
        lambda: driver.put("to-outside/new", BytesBody(b"x"), PutOptions()),
        lambda: driver.rmdir("to-dir"),
    ):
        with pytest.raises(StorageError):
            call()

    assert os.listdir(tree.parent / "outside") == ["secret"]
    assert (tree / "to-dir").is_symlink()


def test_folder_that_becomes_a_link_is_noticed(tree: Path) -> None:
    """A folder that was used before, and was replaced by a link by us, is refused at once."""
    storage = opened(tree, "skip")
    storage.write_bytes("d/a", b"x")
    storage.delete("d/a")
    storage.rmdir("d")
    (tree / "d").symlink_to("../outside")

    with pytest.raises(SpecialFile):
        storage.write_bytes("d/a", b"x")
    assert os.listdir(tree.parent / "outside") == ["secret"]


def test_root_may_be_a_link(tree: Path) -> None:
    """Whoever names a link as the root means what it points to."""
    storage = opened(tree / "to-dir", "skip")
    storage.write_bytes("new", b"x")

    assert storage.stat("").kind is DIR
    assert list(storage.list()) == ["a", "new", "sub/here", "up"]
    assert (tree / "dir/new").read_bytes() == b"x"


def test_put_and_delete_touch_the_link_not_its_target(tree: Path) -> None:
    """A link that is replaced or deleted leaves what it pointed to as it was, followed or not."""
    for links in ("skip", "follow"):
        storage = opened(tree, links)
        (tree / "one").symlink_to("file")
        (tree / "two").symlink_to("file")
        storage.write_bytes("one", b"new")
        storage.delete("two")

        assert (tree / "file").read_bytes() == b"bytes"
        assert not (tree / "one").is_symlink()
        assert not (tree / "two").is_symlink()
        (tree / "one").unlink()


def test_followed_links_are_what_they_point_to(tree: Path) -> None:
    """A walk goes through links, also out of the root, but not in circles; dangling links are links."""
    storage = opened(tree, "follow")
    found = kinds(storage)

    assert found["to-file"] is FILE
    assert found["to-dir"] is DIR
    assert found["to-dir/a"] is FILE
    assert found["to-outside/secret"] is FILE
    circles = {"dangling", "own", "dir/up", "dir/sub/here", "above", "to-dir/up", "to-dir/sub/here"}
    assert {path for path, kind in found.items() if kind is LINK} == circles
    assert {path: storage.stat(path).kind for path in found} == found
    assert brief(storage) == {path: kind for path, kind in found.items() if "/" not in path}
    assert storage.read_bytes("to-outside/secret") == b"secret"
    assert storage.stat("to-file").size == 5
    with pytest.raises(StorageError):
        storage.read_bytes("dangling")


def test_two_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    """A circle of two is cut where it closes."""
    for one, two in (("a", "b"), ("b", "a")):
        (tmp_path / one).mkdir()
        (tmp_path / one / "to").symlink_to(f"../{two}")
    found = kinds(opened(tmp_path, "follow"))

    assert found == {"a": DIR, "a/to": DIR, "a/to/to": LINK, "b": DIR, "b/to": DIR, "b/to/to": LINK}


def test_followed_link_gets_its_target_time(tree: Path) -> None:
    """With links followed, times are those of the target, for reading and writing."""
    storage = opened(tree, "follow")
    storage.driver.set_modified("to-file", WHEN)

    assert (tree / "file").stat().st_mtime_ns == WHEN
    assert storage.stat("to-file").mtime_ns == WHEN


def test_kept_links_are_small_objects(tree: Path) -> None:
    """A kept link is an object NAME.rclonelink that holds its target, broken or not; all verbs agree."""
    storage = opened(tree, "keep")
    found = {info.path: info for info in storage.scan()}
    names = [info.order for info in storage.scan()]
    links = {path for path in found if path.endswith(".rclonelink")}

    assert links == {
        f"{name}.rclonelink"
        for name in ("to-file", "to-dir", "to-outside", "dangling", "own", "dir/up", "dir/sub/here", "above")
    }
    assert names == sorted(names)
    assert {info.kind for path, info in found.items() if path in links} == {FILE}
    assert storage.read_bytes("dangling.rclonelink") == b"nowhere"
    assert storage.read_bytes("to-outside.rclonelink", offset=3, length=3) == b"out"
    assert {path: storage.stat(path) for path in links} == {path: found[path] for path in links}
    assert {path: len(storage.read_bytes(path)) for path in links} == {path: found[path].size for path in links}
    assert brief(storage) == {path: info.kind for path, info in found.items() if "/" not in path}


def test_key_of_a_kept_link_is_the_only_one(tree: Path) -> None:
    """Without the suffix a kept link is not there: not to be read, described or deleted."""
    storage = opened(tree, "keep")
    for call in (
        lambda: storage.read_bytes("to-file"),
        lambda: storage.stat("to-file"),
        lambda: storage.driver.delete("to-file"),
        lambda: storage.driver.set_modified("to-file", WHEN),
        lambda: storage.stat("file.rclonelink"),
        lambda: storage.read_bytes("file.rclonelink"),
        lambda: storage.driver.delete("file.rclonelink"),
        lambda: storage.driver.delete("nope.rclonelink"),
    ):
        with pytest.raises(NotFound):
            call()

    assert (tree / "to-file").is_symlink()
    assert (tree / "file").exists()


def test_kept_links_make_the_round_trip(tree: Path, tmp_path: Path) -> None:
    """What one storage gives for a link makes the same link in another, with its time."""
    source, target = opened(tree, "keep"), opened(tmp_path / "copy", "keep")
    source.driver.set_modified("dangling.rclonelink", WHEN)
    for info in list(source.scan()):
        if info.kind is FILE:
            target.write_bytes(info.path, source.read_bytes(info.path), modified=info.mtime_ns)

    assert os.readlink(tmp_path / "copy/dangling") == "nowhere"
    assert os.readlink(tmp_path / "copy/dir/up") == ".."
    assert target.stat("dangling.rclonelink").mtime_ns == WHEN
    assert [info for info in target.scan() if info.kind is FILE] == [
        info for info in source.scan() if info.kind is FILE
    ]


def test_kept_links_are_replaced_copied_moved_and_deleted(tmp_path: Path) -> None:
    """The other verbs treat a kept link as the object that it is."""
    storage = opened(tmp_path, "keep")
    storage.write_bytes("d/a.rclonelink", b"one")
    storage.write_bytes("d/a.rclonelink", b"two")
    with pytest.raises(AlreadyExists):
        storage.write_bytes("d/a.rclonelink", b"three", if_absent=True)
    storage.copy("d/a.rclonelink", "b.rclonelink")
    storage.move("b.rclonelink", "e/c.rclonelink")
    storage.move("e/c.rclonelink", "plain")
    digest = storage.driver.hash("d/a.rclonelink", "md5")
    storage.delete("d/a.rclonelink")

    assert digest == "b8a9f715dbb64fd5c56e7783c6820a61"
    assert list(storage.list()) == ["plain"]
    assert (tmp_path / "plain").read_bytes() == b"two"
    assert not (tmp_path / "plain").is_symlink()
    assert os.listdir(tmp_path / "d") == []


@pytest.mark.parametrize("target", [b"", b"a\0b", b"x" * 5000])
def test_what_cannot_be_a_target_is_refused(tmp_path: Path, target: bytes) -> None:
    """Bytes that no link can hold are refused, and leave nothing."""
    storage = opened(tmp_path, "keep")
    with pytest.raises(InvalidPath):
        storage.write_bytes("a.rclonelink", target)

    assert os.listdir(tmp_path) == []


def test_kept_link_does_not_replace_what_has_its_key(tmp_path: Path) -> None:
    """A real file of that name is shown as something that cannot be read, and is not replaced or lost."""
    (tmp_path / "a.rclonelink").write_bytes(b"a real file")
    (tmp_path / "a").symlink_to("nowhere")
    storage = opened(tmp_path, "keep")

    assert kinds(storage) == {"a.rclonelink": OTHER}
    assert brief(storage) == {"a.rclonelink": OTHER}
    assert storage.stat("a.rclonelink").kind is OTHER
    with pytest.raises(SpecialFile):
        storage.read_bytes("a.rclonelink")
    with pytest.raises(AlreadyExists):
        storage.write_bytes("a.rclonelink", b"elsewhere")
    assert (tmp_path / "a.rclonelink").read_bytes() == b"a real file"


def test_target_of_invalid_utf8(tmp_path: Path) -> None:
    """Targets are bytes of the disk, whatever they mean."""
    storage = opened(tmp_path, "keep")
    storage.write_bytes("a.rclonelink", b"caf\xe9")

    assert os.readlink(os.fsencode(tmp_path / "a")) == b"caf\xe9"
    assert storage.read_bytes("a.rclonelink") == b"caf\xe9"
    assert storage.stat("a.rclonelink").size == 4
