"""Duplicates: which objects are found, which one stays, and that nothing else changes."""

from __future__ import annotations

import hashlib
import os
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, Unsupported
from omnistorage.core.info import FILE, ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.limit import Limit
from omnistorage.layers.prefix import Prefix
from omnistorage.storage import Storage
from omnistorage.sync import DedupeEvent, DedupeOptions, Filter, GuardError, dedupe
from omnistorage.sync.dedupe_model import Choice, Deed, Group, Mode
from sync_scenes import PLACES, WHEN, Counting, Tree, contents, files, fill, held, leftovers, memory, on_s3, plain

DELETING: tuple[Mode, ...] = ("first", "newest", "oldest", "largest", "smallest")
CHANGING = ("list", "skip", *DELETING, "rename")

TREE: Tree = {
    "a.txt": b"one",
    "b/a.txt": b"one",
    "b/two": b"two",
    "c": b"one",
    "d/empty": b"",
    "d/two": b"two",
    "empty": b"",
    "only": b"1",
}

anywhere = pytest.mark.parametrize("place", PLACES)

LARGE = 200_000


def groups_of(storage: Storage, **options: Any) -> list[list[str]]:
    """Return the paths of each group."""
    found: list[list[str]] = []

    def note(event: DedupeEvent) -> None:
        if event.group is not None:
            found.append([copy.info.path for copy in event.group])

    dedupe(storage, DedupeOptions(**options), observer=note)
    return found


# -- properties ------------------------------------------------------------------------------------------------

names = some.text("ab.é", min_size=1, max_size=3).filter(lambda name: name.strip("."))
paths = some.lists(names, min_size=1, max_size=3).map("/".join)
bodies = some.sampled_from([b"", b"x", b"y", b"xy", b"yx", b"x" * 70_000, b"x" * 69_999 + b"y"])


@some.composite
def trees(draw: some.DrawFn) -> Tree:
    """Draw a tree in which no object has the name of a directory."""
    tree = draw(some.dictionaries(paths, bodies, max_size=12))
    above = {path[:at] for path in tree for at in range(len(path)) if path[at] == "/"}
    return {path: data for path, data in tree.items() if path not in above}


any_deduping = given(
    tree=trees(), mode=some.sampled_from(CHANGING), times=some.randoms(use_true_random=False), empty=some.booleans()
)


@pytest.mark.parametrize("place", ["file", "memory", "plain"])
@any_deduping
def test_nothing_is_lost(place: str, tree: Tree, mode: Mode, times: Any, empty: bool) -> None:
    """Whatever the mode: each content is still there, once in modes that delete, and nothing else has changed."""
    _nothing_is_lost(place, tree, mode, times, empty)


@on_s3
@any_deduping
def test_nothing_is_lost_on_s3(tree: Tree, mode: Mode, times: Any, empty: bool) -> None:
    """So it is on S3."""
    _nothing_is_lost("s3", tree, mode, times, empty)


def _nothing_is_lost(place: str, tree: Tree, mode: Mode, times: Any, empty: bool) -> None:
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        storage = stack.enter_context(PLACES[place](root / "t", {}))
        for path, data in tree.items():
            fill(storage, {path: data}, when=WHEN + times.randrange(3) * 10**9)
        before = {path: storage.stat(path) for path in tree}
        result = dedupe(storage, DedupeOptions(mode=mode, empty=empty))
        after = held(storage)
        again = dedupe(storage, DedupeOptions(mode="list", empty=empty))

    count = Counter(tree.values())
    shared = {data for data, number in count.items() if number > 1 and (data or empty)}
    extra = sum(count[data] - 1 for data in shared)
    assert (result.groups, result.duplicates, result.errors, result.left) == (len(shared), extra, 0, 0)
    assert result.wasted == sum((count[data] - 1) * len(data) for data in shared)
    assert set(after.values()) == set(tree.values())
    if mode == "rename":
        assert Counter(after.values()) == count
        assert {path for path, data in tree.items() if data not in shared} <= set(after)
        assert result.renamed == sum(count[data] for data in shared)
        return
    assert after.items() <= tree.items()
    if mode not in DELETING:
        assert after == tree
        return
    left = Counter(after.values())
    assert {data: left[data] for data in shared} == dict.fromkeys(shared, 1)
    assert {data: left[data] for data in count if data not in shared} == {
        data: count[data] for data in count if data not in shared
    }
    assert (result.deleted, result.freed, again.groups) == (extra, result.wasted, 0)
    for path, data in after.items():
        alike = [before[other] for other in sorted(tree, key=str.encode) if tree[other] == data]
        if data in shared and place != "plain":
            assert path == _expected(alike, mode).path


def _expected(alike: list[ObjectInfo], mode: Mode) -> ObjectInfo:
    if mode == "newest":
        return max(alike, key=lambda info: info.mtime_ns or 0)
    return min(alike, key=lambda info: info.mtime_ns or 0) if mode == "oldest" else alike[0]


# -- what is found ---------------------------------------------------------------------------------------------


@anywhere
def test_groups(place: str, tmp_path: Path) -> None:
    """Groups come in path order of their first objects, and the objects in path order; empty ones are asked for."""
    storage = PLACES[place](tmp_path / "t", TREE)

    assert groups_of(storage) == [["a.txt", "b/a.txt", "c"], ["b/two", "d/two"]]
    assert groups_of(storage, empty=True)[2] == ["d/empty", "empty"]
    assert held(storage) == TREE


@anywhere
def test_large_objects(place: str, tmp_path: Path) -> None:
    """Large objects that are alike at both ends may still differ in between."""
    data = bytes(LARGE)
    middle = data[: LARGE // 2] + b"!" + data[LARGE // 2 + 1 :]
    storage = PLACES[place](tmp_path / "t", {"a": data, "b": middle, "c": data, "d": data[:-1] + b"!", "e": middle})

    assert groups_of(storage) == [["a", "c"], ["b", "e"]]


def test_large_local_files_are_not_read_in_vain(tmp_path: Path) -> None:
    """Files whose ends differ are not read as a whole."""
    tree = {str(number): bytes([number]) + bytes(2_000_000) for number in range(5)}
    counting = Counting(files(tmp_path / "t", tree).driver)
    read = []

    class Reading(Layer):
        def get(self, path: str, offset: int = 0, length: int | None = None) -> Any:
            stream = self.inner.get(path, offset, length)
            plain_read = stream.read

            class Told:
                raw = stream

                def read(self, size: int = -1) -> bytes:
                    data = plain_read(size)
                    read.append(len(data))
                    return data

                def close(self) -> None:
                    stream.close()

                def __enter__(self) -> Told:
                    return self

                def __exit__(self, *exc: object) -> None:
                    self.close()

            return Told()

    result = dedupe(Storage(Reading(counting)))

    assert result.groups == 0
    assert 0 < sum(read) < 500_000


def test_filter(tmp_path: Path) -> None:
    """What the filter leaves out is no duplicate, and is not deleted."""
    storage = files(tmp_path / "t", TREE)
    dedupe(storage, DedupeOptions(mode="first", filter=Filter().exclude("/a.txt")))

    assert held(storage) == {path: data for path, data in TREE.items() if path not in ("c", "d/two")}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Names that are not UTF-8 are names like others."""
    odd = b"\xff\xfe\n".decode("utf-8", "surrogateescape")
    storage = files(tmp_path / "t", {odd: b"same", "z": b"same"})
    result = dedupe(storage, DedupeOptions(mode="newest"))

    assert (result.deleted, list(held(storage))) == (1, ["z"])


class Hashed(Layer):
    """A service that tells md5 in its listings."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.features = msgspec.structs.replace(inner.features, hashes=frozenset({"md5"}), computes=frozenset())

    def stat(self, path: str) -> ObjectInfo:
        return self._told(self.inner.stat(path))

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        found = self.inner.list(path, recursive=recursive, page=page)
        return Page([self._told(info) for info in found.infos], found.next)

    def _told(self, info: ObjectInfo) -> ObjectInfo:
        # The memory driver's etag happens to be just that; no other mark of the content is told.
        hashes = {"md5": info.etag} if info.etag else {}
        return msgspec.structs.replace(info, hashes=hashes, etag=None, mtime_ns=None)


def test_known_hashes_are_enough() -> None:
    """Where a service tells hashes, no object is read."""
    counting = Counting(memory(TREE).driver)
    storage = Storage(Hashed(counting))
    result = dedupe(storage, DedupeOptions(mode="first"))

    assert (result.deleted, counting.calls["get"], counting.calls["hash"]) == (3, 0, 0)
    assert set(held(storage)) == set(TREE) - {"b/a.txt", "c", "d/two"}


class Sizeless(Layer):
    """A service that does not tell sizes."""

    def stat(self, path: str) -> ObjectInfo:
        return msgspec.structs.replace(self.inner.stat(path), size=None)

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        found = self.inner.list(path, recursive=recursive, page=page)
        return Page([msgspec.structs.replace(info, size=None) for info in found.infos], found.next)


def test_sizes_that_are_not_told() -> None:
    """They are found out by reading; empty objects are still left alone."""
    storage = Storage(Sizeless(memory(TREE).driver))
    result = dedupe(storage, DedupeOptions(mode="first"))

    assert (result.deleted, result.freed, result.errors) == (3, 9, 0)
    assert {"empty", "d/empty"} < set(held(storage))


def test_below_a_prefix(tmp_path: Path) -> None:
    """A part of a storage is a storage."""
    driver = files(tmp_path / "t", TREE).driver
    storage = Storage(Prefix(driver, "b"))
    storage.write_bytes("x", b"two")
    result = dedupe(storage, DedupeOptions(mode="first"))

    assert (result.deleted, sorted(held(storage))) == (1, ["a.txt", "two"])


def test_missing_folder(tmp_path: Path) -> None:
    """What is not there has no duplicates, and that is an error."""
    with pytest.raises(NotFound):
        dedupe(Storage(FileDriver(FileOptions(root=str(tmp_path / "nope")))))


# -- files of this machine -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", DELETING)
def test_hard_links_are_one_file(tmp_path: Path, mode: Mode) -> None:
    """Names of one file are no duplicates of each other, and stay or go together."""
    storage = files(tmp_path / "t", {"a": b"same", "c": b"other"})
    os.link(tmp_path / "t/a", tmp_path / "t/b")
    alone = dedupe(storage, DedupeOptions(mode=mode))
    fill(storage, {"0": b"same"}, when=WHEN - 1)
    result = dedupe(storage, DedupeOptions(mode=mode))

    assert (alone.groups, alone.links, alone.deleted) == (0, 1, 0)
    assert (result.groups, result.duplicates, result.links, result.freed) == (1, 1, 1, 4)
    assert set(held(storage)) == ({"a", "b", "c"} if mode == "newest" else {"0", "c"})


def test_hard_links_count_as_deletes(tmp_path: Path) -> None:
    """The guard counts names that go, not files."""
    storage = files(tmp_path / "t", {"0": b"same", "a": b"same"})
    os.link(tmp_path / "t/a", tmp_path / "t/b")
    with pytest.raises(GuardError):
        dedupe(storage, DedupeOptions(mode="first", max_delete=1))
    result = dedupe(storage, DedupeOptions(mode="first", max_delete=2))

    assert (result.deleted, result.freed, list(held(storage))) == (2, 4, ["0"])


@pytest.mark.parametrize("mode", DELETING)
def test_links_are_left_alone(tmp_path: Path, mode: Mode) -> None:
    """Symbolic links and special files are never looked into, nor deleted."""
    root = tmp_path / "t"
    storage = files(root, {"a": b"same", "b": b"same"})
    (root / "link").symlink_to("a")
    (root / "other").symlink_to("a")
    os.mkfifo(root / "fifo")
    os.mkfifo(root / "fifo2")
    result = dedupe(storage, DedupeOptions(mode=mode))

    assert (result.deleted, result.errors) == (1, 0)
    assert sorted(os.listdir(root)) == ["a", "fifo", "fifo2", "link", "other"]


@pytest.mark.parametrize("mode", DELETING)
def test_followed_links_lead_to_the_same_file(tmp_path: Path, mode: Mode) -> None:
    """With links=follow, one file has several paths; none of them is deleted as a copy of another."""
    root = tmp_path / "t"
    files(root, {"dir/a": b"same", "dir/b": b"other"}).close()
    (root / "again").symlink_to("dir")
    (root / "one").symlink_to("dir/a")
    storage = Storage(FileDriver(FileOptions(root=str(root), links="follow")))
    result = dedupe(storage, DedupeOptions(mode=mode))

    assert (result.groups, result.deleted, result.links) == (0, 0, 3)
    assert set(held(storage)) == {"again/a", "again/b", "dir/a", "dir/b", "one"}


def test_kept_links_are_left_alone(tmp_path: Path) -> None:
    """With links=keep, equal links are objects of equal bytes, and stay."""
    root = tmp_path / "t"
    files(root, {"a": b"same", "b": b"same"}).close()
    for name in ("one", "two"):
        (root / name).symlink_to("a")
    storage = Storage(FileDriver(FileOptions(root=str(root), links="keep")))
    result = dedupe(storage, DedupeOptions(mode="first"))

    assert (result.deleted, result.left, result.errors) == (1, 2, 0)
    assert sorted(os.listdir(root)) == ["a", "one", "two"]


def test_limited_local_storage(tmp_path: Path) -> None:
    """A layer that hides which file is read does not hide it from us: hard links are still one file."""
    driver = files(tmp_path / "t", {"a": b"same", "c": b"same"}).driver
    os.link(tmp_path / "t/a", tmp_path / "t/b")
    result = dedupe(Storage(Limit(driver, bytes_per_second=1e9)), DedupeOptions(mode="first"))

    assert (result.deleted, result.links, result.left) == (1, 1, 0)
    assert sorted(os.listdir(tmp_path / "t")) == ["a", "b"]


def test_hardlink(tmp_path: Path) -> None:
    """Instead of being deleted, copies become names of the file that is kept; a second run finds nothing."""
    root = tmp_path / "t"
    storage = files(root, TREE)
    dry = dedupe(storage, DedupeOptions(mode="first", hardlink=True, dry_run=True))
    unlinked = os.stat(root / "a.txt").st_nlink
    result = dedupe(storage, DedupeOptions(mode="first", hardlink=True))
    again = dedupe(storage, DedupeOptions(mode="first", hardlink=True))

    assert (dry.linked, dry.deleted, unlinked) == (3, 0, 1)
    assert (result.linked, result.deleted, result.freed, result.errors) == (3, 0, 9, 0)
    assert (again.groups, again.links) == (0, 3)
    assert held(storage) == TREE
    assert os.stat(root / "c").st_ino == os.stat(root / "a.txt").st_ino
    assert leftovers(root) == []


@pytest.mark.parametrize("storage", [memory, plain, lambda: Storage(Counting(FileDriver()))])
def test_hardlink_needs_a_plain_folder(storage: Callable[[], Storage]) -> None:
    """Elsewhere it is refused before anything is looked at."""
    with pytest.raises(Unsupported):
        dedupe(storage(), DedupeOptions(mode="first", hardlink=True))


# -- choosing --------------------------------------------------------------------------------------------------


def test_choices() -> None:
    """Each group is asked for; what is answered is done, until it is to be ended."""
    storage = memory({f"{group}{number}": group.encode() for group in "abcd" for number in "123"})
    answers = iter([Choice(Deed.KEEP, 2), Choice(Deed.SKIP), Choice(Deed.RENAME), Choice(Deed.QUIT)])
    asked: list[tuple[int, Choice]] = []

    def choose(group: Group, proposal: Choice) -> Choice:
        asked.append((group.number, proposal))
        return next(answers)

    result = dedupe(storage, DedupeOptions(mode="interactive"), choose=choose)

    assert asked == [(number, Choice(Deed.SKIP)) for number in (1, 2, 3, 4)]
    assert (result.deleted, result.skipped, result.renamed, result.quit) == (2, 1, 3, True)
    assert sorted(held(storage)) == ["a2", "b1", "b2", "b3", "c1-1", "c2-2", "c3-3", "d1", "d2", "d3"]


def test_what_the_mode_would_do_is_proposed() -> None:
    """With another mode, its choice is shown to whoever is asked, and may be changed."""
    storage = memory({"a": b"x"}, when=WHEN)
    fill(storage, {"b": b"x"}, when=WHEN + 5)
    proposals: list[Choice] = []

    def choose(group: Group, proposal: Choice) -> Choice:
        proposals.append(proposal)
        return Choice(Deed.SKIP)

    result = dedupe(storage, DedupeOptions(mode="newest"), choose=choose)

    assert proposals == [Choice(Deed.KEEP, 2)]
    assert (result.skipped, len(held(storage))) == (1, 2)


@pytest.mark.parametrize("number", [-1, 0, 3])
def test_number_that_is_not_there(number: int) -> None:
    """A number that no object of the group has deletes nothing."""
    storage = memory({"a": b"x", "b": b"x"})
    with pytest.raises(ValueError, match="1 to 2"):
        dedupe(storage, DedupeOptions(mode="interactive"), choose=lambda group, _: Choice(Deed.KEEP, number))

    assert len(held(storage)) == 2


def test_nobody_to_ask() -> None:
    """A mode that is not known, or that needs answers, is refused at once."""
    for options in (DedupeOptions(mode="interactive"), DedupeOptions(mode="bogus")):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=options.mode):
            dedupe(memory(), options)


# -- renaming --------------------------------------------------------------------------------------------------


@anywhere
def test_rename(place: str, tmp_path: Path) -> None:
    """Names get numbers before their endings; names that are taken stay what they are."""
    tree = {"d/f.txt": b"x", "f.txt": b"x", ".hidden": b"x", "f-3.txt": b"taken", "n.e/plain": b"x"}
    storage = PLACES[place](tmp_path / "t", tree)
    result = dedupe(storage, DedupeOptions(mode="rename"))

    assert (result.renamed, result.errors) == (4, 0)
    assert held(storage) == {
        ".hidden-1": b"x",
        "d/f-2.txt": b"x",
        "f-4.txt": b"x",
        "f-3.txt": b"taken",
        "n.e/plain-4": b"x",
    }


@pytest.mark.parametrize("place", ["file", "memory"])
def test_rename_meets_a_name_that_was_free(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that somebody takes at that moment is not taken from him."""
    storage = PLACES[place](tmp_path / "t", {"a": b"x", "b": b"x"})
    kind: Any = {"file": FileDriver, "memory": MemoryDriver}[place]
    stat = kind.stat

    def faster(self: Any, path: str) -> ObjectInfo:
        try:
            found: ObjectInfo = stat(self, path)
            return found
        except (NotFound, FileNotFoundError):
            if path == "a-1":
                self.put(path, BytesBody(b"mine"), PutOptions())
            raise

    monkeypatch.setattr(kind, "stat", faster)
    result = dedupe(storage, DedupeOptions(mode="rename"))

    assert (result.renamed, result.errors) == (2, 0)
    assert held(storage) == {"a-1": b"mine", "a-2": b"x", "b-2": b"x"}


def test_rename_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems that know no hard links rename in the plain way."""
    storage = files(tmp_path / "t", {"a": b"x", "b": b"x"})
    monkeypatch.setattr(os, "link", partial(_refuse, PermissionError(1, "Operation not permitted")))
    result = dedupe(storage, DedupeOptions(mode="rename"))

    assert (result.renamed, result.errors) == (2, 0)
    assert held(storage) == {"a-1": b"x", "b-2": b"x"}


def _refuse(error: Exception, *args: Any, **options: Any) -> None:
    raise error


# -- guards and dry runs ---------------------------------------------------------------------------------------


@anywhere
@pytest.mark.parametrize("limits", [{"max_delete": 2}, {"max_delete_size": 8}])
@pytest.mark.parametrize("dry_run", [False, True])
def test_too_many_deletes(place: str, limits: dict[str, int], dry_run: bool, tmp_path: Path) -> None:
    """The guard stands before the first delete, in a dry run as well."""
    storage = PLACES[place](tmp_path / "t", TREE)
    with pytest.raises(GuardError):
        dedupe(storage, DedupeOptions(mode="first", dry_run=dry_run, **limits))  # type: ignore[arg-type]
    after = held(storage)
    more: dict[str, Any] = {name: limit + 1 for name, limit in limits.items()}
    result = dedupe(storage, DedupeOptions(mode="first", **more))

    assert after == TREE
    assert result.deleted == 3


def test_too_many_deletes_by_choice() -> None:
    """Who is asked can delete up to the limit; the choice that would pass it is refused as a whole."""
    storage = memory(TREE)
    with pytest.raises(GuardError, match="chosen before"):
        dedupe(storage, DedupeOptions(mode="interactive", max_delete=2), choose=lambda group, _: Choice(Deed.KEEP, 1))

    assert set(held(storage)) == set(TREE) - {"b/a.txt", "c"}


@anywhere
@pytest.mark.parametrize("mode", ["skip", "rename", *DELETING])
def test_dry_run(place: str, mode: Mode, tmp_path: Path) -> None:
    """A dry run tells what would be done and changes nothing."""
    storage = PLACES[place](tmp_path / "t", TREE)
    told: list[list[tuple[str, str, str]]] = []
    for dry_run in (True, False):
        events: list[DedupeEvent] = []
        dedupe(storage, DedupeOptions(mode=mode, dry_run=dry_run), observer=events.append)
        told.append(sorted((event.deed.value, event.path, event.other) for event in events))
        if dry_run:
            assert held(storage) == TREE

    assert told[0] == told[1]
    assert len(told[0]) > 3


# -- names -----------------------------------------------------------------------------------------------------


class Twins(Layer):
    """A service that lists an object twice, as two versions: only one of them can be meant by its path."""

    def __init__(self, inner: Driver, *twins: str) -> None:
        super().__init__(inner)
        self._twins = twins

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        found = self.inner.list(path, recursive=recursive, page=page)
        infos = [info for info in found.infos for _ in range(1 + (info.path in self._twins))]
        versions = [msgspec.structs.replace(info, version=str(at)) for at, info in enumerate(infos)]
        return Page(versions, found.next)


def test_by_name_lists() -> None:
    """Objects of one name are shown with their versions."""
    storage = Storage(Twins(memory(TREE).driver, "c", "b/two"))
    found: list[tuple[str, list[str | None]]] = []

    def note(event: DedupeEvent) -> None:
        if event.group is not None:
            found.append((event.group.path, [copy.info.version for copy in event.group]))

    result = dedupe(storage, DedupeOptions(by="name"), observer=note)

    assert found == [("b/two", ["2", "3"]), ("c", ["4", "5"])]
    assert (result.groups, result.duplicates, result.errors) == (2, 2, 0)


@pytest.mark.parametrize("mode", [*DELETING, "rename"])
def test_by_name_changes_nothing(mode: Mode) -> None:
    """Deleting by path would delete all of that name, so it is refused; where there are none, all is well."""
    storage = memory(TREE)
    refused = dedupe(Storage(Twins(storage.driver, "c", "b/two")), DedupeOptions(by="name", mode=mode))
    fine = dedupe(storage, DedupeOptions(by="name", mode=mode))

    assert (refused.groups, refused.errors, refused.deleted) == (2, 2, 0)
    assert [type(failure.error) for failure in refused.failures] == [Unsupported, Unsupported]
    assert (fine.groups, fine.errors) == (0, 0)
    assert held(storage) == TREE


@pytest.mark.parametrize("mode", DELETING)
def test_listed_twice_is_not_deleted(mode: Mode) -> None:
    """An object that is listed twice is no duplicate of itself, and stays, with whatever equals it."""
    storage = memory(TREE)
    events: list[DedupeEvent] = []
    result = dedupe(Storage(Twins(storage.driver, "a.txt", "only")), DedupeOptions(mode=mode), observer=events.append)

    assert contents(storage).keys() == set(TREE.values())
    assert "a.txt" in held(storage)
    assert [event.path for event in events if event.deed is Deed.LEAVE] == ["a.txt", "only"]
    assert (result.left, result.deleted) == (2, 2)


# -- size ------------------------------------------------------------------------------------------------------


class Endless(Layer):
    """A service with so many objects, half of them duplicates, whose hashes it tells; none is really there."""

    def __init__(self, inner: Driver, count: int) -> None:
        super().__init__(inner)
        self._count = count
        self.features = msgspec.structs.replace(
            inner.features, hashes=frozenset({"md5"}), computes=frozenset(), recursive=True, ordered=True
        )

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        start = page if isinstance(page, int) else 0
        end = min(start + 1000, self._count)
        infos = [
            ObjectInfo(f"{at:09}", FILE, 10, at, hashes={"md5": hashlib.md5(b"%d" % (at // 2)).hexdigest()})
            for at in range(start, end)
        ]
        return Page(infos, end if end < self._count else None)


def test_memory_is_flat() -> None:
    """Six times as many objects, and as many duplicates, take no more memory."""
    peaks = []
    for count in (2_000, 12_000):
        storage = Storage(Endless(MemoryDriver(), count))
        dedupe(storage)
        tracemalloc.start()
        try:
            result = dedupe(storage, DedupeOptions(mode="newest", dry_run=True))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert (result.groups, result.deleted) == (count // 2, count // 2)

    assert peaks[1] < peaks[0] * 1.5


def test_modes_are_those_of_the_command() -> None:
    """Every mode is tried by these tests."""
    assert set(get_args(Mode)) == {"interactive", *CHANGING}
