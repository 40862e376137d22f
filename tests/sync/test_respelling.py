"""Another spelling of a name: on request, and for an object that is moved onto itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from caseless import Caseless
from omnistorage.core.errors import StorageError, Unreachable
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.prefix import Prefix
from omnistorage.storage import Storage, move_path
from omnistorage.sync import Compare, GuardError, Options, sync
from omnistorage.sync.plans import SavedPlan, apply_plan, write_plan
from omnistorage.sync.recipes import copy_one
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import NEWER, Tree, files, fill, held, memory

NFD, NFC = "e\u0301", "\u00e9"
FIX = Options(fix_case=True, compare=Compare.HASH)


def _caseless(root: Path, tree: Tree) -> Storage:
    root.mkdir(exist_ok=True)
    return fill(Storage(Caseless(FileDriver(FileOptions(root=str(root))))), tree)


def _names(root: Path) -> list[str]:
    found = [(Path(above), dirs, names) for above, dirs, names in os.walk(root)]
    return sorted(str((above / name).relative_to(root)) for above, dirs, names in found for name in dirs + names)


SPELLED: Tree = {"Dir/Sub/A.txt": b"1", "Dir/new": b"2", "B": b"3"}
BEFORE: Tree = {"dir/sub/a.txt": b"1", "dir/gone": b"", "b": b"old"}
AFTER = ["B", "Dir", "Dir/Sub", "Dir/Sub/A.txt", "Dir/new"]


def test_spelled_as_the_source(tmp_path: Path) -> None:
    """With fix_case, objects and folders get the spelling of the source, and a second run has nothing to do."""
    src, dst = files(tmp_path / "s", SPELLED), _caseless(tmp_path / "d", BEFORE)
    result, again = sync(src, dst, FIX), sync(src, dst, FIX)

    assert _names(tmp_path / "d") == AFTER
    assert held(dst) == SPELLED
    assert (result.errors, result.renamed, again.changed) == (0, 4, 0)


def test_spelled_as_the_source_where_case_counts(tmp_path: Path) -> None:
    """The same where the destination tells cases apart, but was asked not to; and so for decomposed names."""
    src = files(tmp_path / "s", SPELLED | {f"{NFC}/x": b"4"})
    dst = files(tmp_path / "d", BEFORE | {f"{NFD}/x": b"4"})
    result = sync(src, dst, Options(fix_case=True, ignore_case_sync=True))

    assert held(dst) == held(src)
    assert (result.errors, result.renamed) == (0, 5)


@pytest.mark.parametrize("caseless", [True, False])
def test_folders_keep_their_time(caseless: bool, tmp_path: Path) -> None:
    """A folder has the time it has at the source, also if it or a name in it was respelled."""
    src, tree = files(tmp_path / "s", {"Dir/Sub/A": b"1", "Dir/Sub/b": b"2"}), {"dir/sub/a": b"1"}
    dst = _caseless(tmp_path / "d", tree) if caseless else files(tmp_path / "d", tree)
    src.set_modified("Dir/Sub", NEWER)
    src.set_modified("Dir", NEWER + 5)
    sync(src, dst, Options(fix_case=True, ignore_case_sync=True))

    assert _names(tmp_path / "d") == ["Dir", "Dir/Sub", "Dir/Sub/A", "Dir/Sub/b"]
    assert (dst.stat("Dir/Sub").mtime_ns, dst.stat("Dir").mtime_ns) == (NEWER, NEWER + 5)


def test_dry_run_and_plan(tmp_path: Path) -> None:
    """Rule 7: a dry run changes nothing and counts the same; a plan in a file can be applied."""
    src, dst = files(tmp_path / "s", SPELLED), _caseless(tmp_path / "d", BEFORE)
    before = _names(tmp_path / "d")
    dry = sync(src, dst, Options(fix_case=True, dry_run=True))
    after = _names(tmp_path / "d")
    with open(tmp_path / "plan", "w+") as file:
        write_plan(file, src, dst, Options(fix_case=True))
        result = apply_plan(SavedPlan(file), src, dst)

    assert before == after
    assert _names(tmp_path / "d") == AFTER
    assert (dry.renamed, result.renamed, result.errors) == (4, 4, 0)


def test_what_has_the_name_stays(tmp_path: Path) -> None:
    """Nothing is replaced by respelling: a name that is taken, by something the filter hides, is a failure."""
    from omnistorage.sync import Filter

    src, dst = files(tmp_path / "s", {"A": b"1"}), files(tmp_path / "d", {"a": b"1", "A": b"hidden"})
    result = sync(src, dst, Options(fix_case=True, ignore_case_sync=True, filter=Filter.max_size(5)))

    assert held(dst) == {"a": b"1", "A": b"hidden"}
    assert result.errors == 1


@pytest.mark.parametrize("place", ["files", "memory"])
def test_move_onto_itself(place: str, tmp_path: Path) -> None:
    """Where ``f`` and ``F`` are one object, a move gives it the other spelling, and a copy leaves it alone."""
    both = (
        _caseless(tmp_path / "d", {"d/f": b"1"})
        if place == "files"
        else fill(Storage(Caseless(MemoryDriver())), {"d/f": b"1"})
    )
    copied = copy_one(both, "d/f", both, "d/F")
    between = list(both.list())
    moved = copy_one(both, "d/f", both, "D/F", delete_source=True)

    assert between == ["d/f"]
    assert list(both.list()) == ["d/F"]
    assert both.read_bytes("d/F") == b"1"
    assert (copied.changed, moved.renamed, moved.errors) == (0, 1, 0)


@pytest.mark.parametrize("at", [1, 2])
def test_a_rename_that_fails_halfway_is_taken_back(at: int, tmp_path: Path) -> None:
    """If the second step fails, the object has its old name again."""
    both = _caseless(tmp_path / "d", {"f": b"1"})
    faulty = Storage(FaultyDriver(both.driver, Fail("move", at=at, error=Unreachable)))
    result = copy_one(faulty, "f", faulty, "F", delete_source=True)

    assert _names(tmp_path / "d") == ["f"]
    assert result.errors == 1


def test_one_object_is_not_moved_by_copying() -> None:
    """Where a service cannot rename, moving an object onto another spelling of itself would delete it."""

    class Unmovable(Caseless):
        def __init__(self) -> None:
            import msgspec

            super().__init__(MemoryDriver())
            self.features = msgspec.structs.replace(self.features, move=False)

    one = fill(Storage(Unmovable()), {"f": b"1"})
    two = Storage(one.driver)
    with pytest.raises(StorageError, match="same object"):
        one.move("f", "F")
    with pytest.raises(StorageError, match="same object"):
        move_path(one, "f", two, "F")

    assert held(one) == {"f": b"1"}


def test_places_under_two_spellings_overlap(tmp_path: Path) -> None:
    """Rule 3: a place inside the other is found whatever the spelling, so that no source is deleted as extraneous."""
    tree = Caseless(MemoryDriver())
    whole = fill(Storage(tree), {"Photos/Sub/a": b"1", "Photos/b": b"2"})
    inner = Storage(Prefix(tree, "photos/SUB"))
    with pytest.raises(GuardError):
        sync(inner, Storage(Prefix(tree, "Photos")))
    with pytest.raises(GuardError):
        sync(Storage(Prefix(tree, "Photos")), Storage(Prefix(tree, "photos")))

    assert held(whole) == {"Photos/Sub/a": b"1", "Photos/b": b"2"}


def test_a_source_under_another_spelling_is_not_deleted(tmp_path: Path) -> None:
    """Rule 4: a move that finds source and destination to be one object fails and keeps it."""
    tree = Caseless(MemoryDriver())
    whole = fill(Storage(tree), {"A/f": b"1"})
    from omnistorage.sync.run import Run

    result = Run(Prefix(tree, "A"), Prefix(tree, "a"), Options(), move=True).result()

    assert held(whole) == {"A/f": b"1"}
    assert result.errors == 1


def test_without_listing_the_destination() -> None:
    """Also where objects are looked up one by one, or not at all, no two of the source go to one name."""
    for options in (Options(traverse=False), Options(check_dest=False)):
        src, dst = memory({"A": b"1", "a": b"22", "b": b"3"}), fill(Storage(Caseless(MemoryDriver())), {})
        from omnistorage.sync import copy

        result = copy(src, dst, options)

        assert held(dst) == {"A": b"1", "b": b"3"}
        assert [one.action.path for one in result.failures] == ["a"]
