"""The promises of the engine, with S3 at one side or both: each server that is there, through the same scenes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from omnistorage.core.errors import StorageError
from omnistorage.storage import Storage
from omnistorage.sync import CheckOptions, Options, check, copy, copy_one, move, sync
from omnistorage.sync.transfer import Transfer
from s3_scenes import fresh_bucket, needed
from servers import Server
from sync_scenes import OLD, PLACES, TREE, WHEN, Counting, Tree, fill, held

Place = Callable[[Path, Tree], Storage]
KINDS = ("radosgw", "moto", "rclone_s3", "localstack", "swift_s3")
SIDES = [("file", "s3"), ("s3", "file"), ("s3", "s3"), ("memory", "s3"), ("s3", "plain")]

LINE = "e e/f\n"
"""A key that moto takes for the key without its end."""


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def tree(server: Server) -> Tree:
    """What the source holds."""
    return {path: data for path, data in TREE.items() if path != LINE or server.kind != "moto"}


@pytest.fixture
def place(server: Server) -> Iterator[Callable[[str, Path, Tree], Storage]]:
    """Make a place of a kind that holds a tree."""
    with ExitStack() as stack:

        def make(kind: str, root: Path, tree: Tree) -> Storage:
            if kind != "s3":
                return PLACES[kind](root, tree)
            storage = stack.enter_context(Storage(fresh_bucket(server), *needed(server)))
            return fill(storage, tree, when=WHEN)

        yield make


sides = pytest.mark.parametrize(("here", "there"), SIDES, ids=lambda kind: str(kind))


@sides
def test_sync_makes_both_alike(
    here: str, there: str, place: Callable[..., Storage], tree: Tree, tmp_path: Path
) -> None:
    """After a sync both places hold the same, bytes and names, ``check`` agrees, and a second one writes nothing."""
    src, dst = place(here, tmp_path / "s", tree), place(there, tmp_path / "d", OLD)
    dry = sync(src, dst, Options(dry_run=True))
    result = sync(src, dst)
    found = check(src, dst, CheckOptions(by="bytes"))
    counting = Counting(dst.driver)
    again = sync(src, Storage(counting))

    assert held(dst) == held(src) == tree
    assert (result.errors, dry.transferred, dry.deleted) == (0, result.transferred, result.deleted)
    assert (found.ok, found.matches) == (True, len(tree))
    assert counting.writes == {}
    assert (again.changed, again.errors, again.equal) == (0, 0, len(tree))
    if "plain" not in (here, there):
        assert {dst.stat(path).mtime_ns for path in tree if path not in OLD} == {WHEN}


@pytest.mark.parametrize("limit", [None, 40])
def test_contents_decide_without_questions(
    limit: int | None, place: Callable[..., Storage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where listings tell no times, an MD5 decides, without threads; what differs is copied by them, to a limit."""
    tree = {f"d/{n:03}": b"%03d" % n for n in range(200)}
    src, dst = place("file", tmp_path / "s", tree), place("s3", tmp_path / "d", tree)
    other = {path: data[1:] + b"!" for path, data in tree.items() if int(path[2:]) % 2}
    fill(src, other, when=WHEN + 10**9)
    threads: dict[str, set[bool]] = {"compared": set(), "copied": set()}
    for name, what in (("_compare", "compared"), ("_copy_plain", "copied")):
        real = getattr(Transfer, name)

        def noting(*args: Any, real: Callable[..., Any] = real, what: str = what) -> Any:
            threads[what].add(threading.current_thread() is threading.main_thread())
            return real(*args)

        monkeypatch.setattr(Transfer, name, noting)
    result = sync(src, dst, Options(max_transfer=limit, cutoff="SOFT"))
    copied = [path for path in tree if path in other and dst.read_bytes(path) == other[path]]

    assert threads == {"compared": {True}, "copied": {False}}
    assert (result.errors, result.transferred) == (0, len(copied))
    if limit is None:
        assert len(copied) == 100
        assert sync(src, dst).changed == 0
    else:
        assert len(copied) * 3 in range(limit, limit + 10)


@sides
def test_move_leaves_no_source(
    here: str, there: str, place: Callable[..., Storage], tree: Tree, tmp_path: Path
) -> None:
    """Rule 4: after a move the destination has all of the source, and the source nothing."""
    src, dst = place(here, tmp_path / "s", tree), place(there, tmp_path / "d", OLD)
    result = move(src, dst)

    assert held(dst) == OLD | tree
    assert held(src) == {}
    assert (result.deleted_sources, result.errors) == (len(tree), 0)


@sides
@pytest.mark.parametrize("delete_source", [False, True])
def test_one_object_under_another_name(
    here: str, there: str, delete_source: bool, place: Callable[..., Storage], tmp_path: Path
) -> None:
    """The object that is named arrives, and not the one that has its new name at the source."""
    src = place(here, tmp_path / "s", {"f": b"mine", "h": b"other"})
    dst = place(there, tmp_path / "d", {"h": b"old"})
    result = copy_one(src, "f", dst, "h", delete_source=delete_source)

    assert (result.errors, held(dst)) == (0, {"h": b"mine"})
    assert held(src) == ({} if delete_source else {"f": b"mine"}) | {"h": b"other"}


@pytest.mark.parametrize(("here", "there"), [side for side in SIDES if "plain" not in side])
def test_copies_are_kept(here: str, there: str, place: Callable[..., Storage], tree: Tree, tmp_path: Path) -> None:
    """Rule 1: with a suffix, what is replaced or deleted stands beside the new object, and nothing else is gone."""
    src, dst = place(here, tmp_path / "s", tree), place(there, tmp_path / "d", OLD)
    changed = {path: data for path, data in OLD.items() if tree.get(path) != data}
    result = sync(src, dst, Options(suffix=".old"))

    kept = {f"{path}.old": data for path, data in changed.items()}
    if dst.features.if_absent or dst.features.local:
        assert (held(dst), result.errors) == (tree | kept, 0)
    else:
        # Without a way to take a name only if it is free, nothing can be kept, so nothing is replaced.
        assert (held(dst), result.errors) == (tree | OLD, len(changed))


@pytest.mark.parametrize(("here", "there"), [("file", "s3"), ("s3", "s3"), ("s3", "file")])
def test_large_objects(here: str, there: str, place: Callable[..., Storage], tmp_path: Path) -> None:
    """Objects in parts arrive whole: one that ends with a part, one byte less, and one byte more."""
    block = bytes(range(256)) * 4096
    tree = {f"large {extra}": (block * 12)[: (10 << 20) + extra] for extra in (-1, 0, 1)}
    src, dst = place(here, tmp_path / "s", tree), place(there, tmp_path / "d", {"large 0": b"old"})
    result = copy(src, dst, Options(part_cutoff=6 << 20, verify=True))

    assert held(dst) == tree
    assert (result.transferred, result.errors, result.unverified) == (3, 0, 0)


@pytest.mark.parametrize("verb", ["put", "get", "stat", "delete"])
def test_one_path_fails(verb: str, radosgw: Server, tmp_path: Path) -> None:
    """Rule 8: what fails is one object's failure; all others go on, and the next run finishes."""

    class Refusing(Counting):
        def around(self, op, path, call):  # type: ignore[no-untyped-def]
            if op == verb and path in ("a", "z"):
                raise StorageError("planted", op=op, path=path)
            return super().around(op, path, call)

    with Storage(fresh_bucket(radosgw)) as one, Storage(fresh_bucket(radosgw)) as two:
        fill(one, TREE)
        fill(two, OLD | {"a": b"other"})
        via = Storage(Refusing(one.driver)) if verb in ("get", "stat") else one
        to = Storage(Refusing(two.driver)) if verb in ("put", "delete") else two
        back = PLACES["file"](tmp_path / "d", {"z": b"old"})
        broken = sync(via, back if verb in ("get", "stat") else to)
        again = sync(one, back if verb in ("get", "stat") else two)
        found = held(back if verb in ("get", "stat") else two)

    # Copies within the service need no put, and what is read tells its time by itself.
    assert broken.errors == (1 if verb in ("get", "delete") else 0)
    assert (again.errors, found) == (0, TREE)
