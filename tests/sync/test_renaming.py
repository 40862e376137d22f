"""Runs with new names: the same promises as without."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli_runs import run_here
from omnistorage.core import walk
from omnistorage.core.errors import PermissionDenied
from omnistorage.storage import Storage
from omnistorage.sync import CheckOptions, Filter, Options, check, copy, move, sync
from omnistorage.sync import renaming as renaming_room
from omnistorage.sync.filters import Filter as AnyFilter
from omnistorage.sync.renaming import RenamingScan
from omnistorage.sync.transforms import Renaming
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import Tree, both_ways, contents, files, held, memory

names = st.sampled_from(["a", "A", "ab", "b", "b-", "\u00e9", "e\u0301", "x.txt", "X.TXT", "\u65e5"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
trees = st.lists(paths, max_size=8, unique=True).map(
    lambda found: {
        path: b"x" * (1 + at)
        for at, path in enumerate(found)
        if not any(other.startswith(path + "/") for other in found)
    }
)
ways = st.lists(
    st.sampled_from(
        [
            "prefix=z",
            "all,suffix=-x",
            "all,lowercase",
            "dir,uppercase",
            "all,nfd",
            "truncate=1",
            "ascii",
            "all,regex=b/a",
        ]
    ),
    min_size=1,
    max_size=2,
).map(tuple)


@given(trees, trees, ways)
@settings(max_examples=200, deadline=None)
def test_each_object_arrives_under_its_new_name(here: Tree, there: Tree, texts: tuple[str, ...]) -> None:
    """What arrives is what was sent, no two of the source share a name, and who gets none is told."""
    src, dst = memory(here), memory({path: b"an older one, and longer: " + data for path, data in there.items()})
    options = Options(name_transform=texts, allow_empty_source=True, unicode_normalization=False)
    result = sync(src, dst, options)
    after = held(dst)
    renaming = Renaming(texts)
    again = sync(src, dst, options)
    found = check(src, dst, CheckOptions(by="bytes", name_transform=texts, unicode_normalization=False, one_way=True))

    assert held(src) == here
    new: dict[str, list[bytes]] = {}
    for path, data in here.items():
        try:
            new.setdefault(renaming.path(path), []).append(data)
        except Exception:
            assert result.errors
    for path, data in after.items():
        assert data in new.get(path, []) or (result.errors and data.startswith(b"an older"))
    if not result.errors:
        assert after == {path: data for path, (data,) in new.items()}
        assert found.ok
    assert (again.changed, again.errors) == (0, result.errors)


@given(trees, ways)
@settings(max_examples=100, deadline=None)
def test_a_move_loses_nothing(here: Tree, texts: tuple[str, ...]) -> None:
    """Rule 4: whatever becomes of the names, each content is somewhere."""
    src, dst = memory(here), memory()
    move(src, dst, Options(name_transform=texts))

    assert contents(src, dst) == contents(memory(here))


@both_ways
def test_any_two_places(here: str, there: str, tmp_path: Path) -> None:
    """New names are given between all kinds of places, and a second run finds all in place."""
    from sync_scenes import PLACES

    tree: Tree = {"b/c": b"1", "b-/d": b"22", "a": b"333", "z/y/x": b"4444"}
    src, dst = PLACES[here](tmp_path / "s", tree), PLACES[there](tmp_path / "d", {"old": b""})
    options = Options(name_transform=("all,regex=^[ab]/q", "suffix=.1"))
    first, again = sync(src, dst, options), sync(src, dst, options)

    assert held(dst) == {"q/c.1": b"1", "q-/d.1": b"22", "q.1": b"333", "z/y/x.1": b"4444"}
    assert (first.errors, first.deleted, again.changed) == (0, 1, 0)


def test_names_of_many_are_sorted_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 12: the entries of one folder are sorted in runs; all come in the path order of their new names."""
    monkeypatch.setattr(renaming_room, "SORT_IN_MEMORY", 50)
    src = files(
        tmp_path / "s", {f"{at:03}/{at}": b"" for at in range(100)} | {f"{at:03}.x": b"" for at in range(300)}
    )
    scan = RenamingScan(src.driver, AnyFilter(), Renaming(("all,regex=^(.)(.)(.)/$3$2$1",)), lambda clash: None)
    orders = [info.order for infos in scan for info in infos]

    assert len(orders) == 500
    assert orders == sorted(orders)
    assert walk.SORT_IN_MEMORY > 1000


def test_two_that_get_one_name(tmp_path: Path) -> None:
    """Rule 11: the second one is told with both names and stays; what is in the folder of both is not deleted."""
    tree: Tree = {"aa": b"1", "ab": b"22", "Dir/x": b"333", "dir/y": b"4444", "f": b"", "F/z": b"5"}
    src = files(tmp_path / "s", tree)
    dst = files(tmp_path / "d", {"dir/y": b"4444", "gone": b"", "dir/old": b""})
    result = sync(src, dst, Options(name_transform=("all,lowercase", "file,truncate=1")))

    assert held(dst) == {"a": b"1", "dir/x": b"333", "dir/y": b"4444", "dir/old": b"", "f": b""}
    assert sorted(one.action.path for one in result.failures) == ["F", "ab", "dir"]
    assert "'a', as 'aa'" in next(one.action.reason for one in result.failures if one.action.path == "ab")
    assert (result.deleted, result.exit_code) == (1, 1)


def test_a_name_that_cannot_be(tmp_path: Path) -> None:
    """An object that would get no name fails with one line, the others arrive, and nothing is missed near it."""
    src = files(tmp_path / "s", {"d/\u00e9": b"1", "d/b": b"2", "c": b"3"})
    dst = files(tmp_path / "d", {"d/kept": b"", "gone": b""})
    result = sync(src, dst, Options(name_transform=("ascii",)))

    assert held(dst) == {"d/b": b"2", "d/kept": b"", "c": b"3"}
    assert [one.action.path for one in result.failures] == ["d/\u00e9"]
    assert (result.errors, result.protected) == (1, 1)


@pytest.mark.parametrize("broken", ["d", "d/e"])
def test_what_could_not_be_listed_is_protected_under_its_new_name(broken: str, tmp_path: Path) -> None:
    """Rule 2: a folder of the source that cannot be listed protects the one that it is called there, and no other."""
    src = files(tmp_path / "s", {"d/e/a": b"1", "f/a": b"2"})
    dst = files(tmp_path / "d", {"nd/ne/kept": b"", "d/gone": b"", "gone": b""})
    faulty = FaultyDriver(src.driver, Fail("list", path=broken, times=None, error=PermissionDenied))
    result = sync(Storage(faulty), dst, Options(name_transform=("dir,prefix=n",)))

    assert held(dst) == {"nd/ne/kept": b"", "nf/a": b"2"}
    assert result.errors == 1


def test_filters_are_about_the_source(tmp_path: Path) -> None:
    """Filters look at the names that the source has; there, only what they select may be deleted."""
    src = files(tmp_path / "s", {"a.txt": b"1", "b.dat": b"2"})
    dst = files(tmp_path / "d", {"old.txt": b"", "old.bak": b""})
    options = Options(name_transform=("suffix=.bak",), filter=Filter.include("*.txt"))
    first, again = sync(src, dst, options), sync(src, dst, options)

    assert held(dst) == {"a.txt.bak": b"1", "old.bak": b""}
    assert (first.transferred, first.deleted, again.changed) == (1, 1, 0)


def test_lists_of_files_are_about_the_source(tmp_path: Path) -> None:
    """A list names objects of the source, and what is there under their new names is known."""
    src, dst = memory({"d/b": b"1", "a": b"2", "c": b"3"}), memory({"y": b""})
    options = Options(name_transform=("regex=^b/z", "regex=^a/x"), filter=Filter.only("d/b", "a", "missing"))
    first, again = sync(src, dst, options), copy(src, dst, options)

    assert held(dst) == {"d/z": b"1", "x": b"2", "y": b""}
    assert (first.transferred, again.changed) == (2, 0)


def test_on_the_command_line(tmp_path: Path) -> None:
    """The flag may be repeated; a single object gets its new name as well; a wrong one is a wrong usage."""
    files(tmp_path / "s", {"d/a.txt": b"1", "b.txt": b"2"})
    many = run_here(
        "copy", tmp_path / "s", tmp_path / "m", "--name-transform", "prefix=p-", "--name-transform", "dir,uppercase"
    )
    one = run_here("copy", tmp_path / "s" / "b.txt", tmp_path / "o", "--name-transform", "suffix=.bak")
    exact = run_here("copyto", tmp_path / "s" / "b.txt", tmp_path / "o" / "c", "--name-transform", "suffix=.bak")
    checked = run_here(
        "check", tmp_path / "s", tmp_path / "m", "--name-transform", "prefix=p-", "--name-transform", "dir,uppercase"
    )
    wrong = run_here("sync", tmp_path / "s", tmp_path / "m", "--name-transform", "nonsense")

    assert [ran.code for ran in (many, one, exact, checked, wrong)] == [0, 0, 0, 0, 2]
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["b.txt.bak", "c.bak"]
    assert sorted(held(files(tmp_path / "m"))) == ["D/p-a.txt", "p-b.txt"]
    assert "unknown name transform 'nonsense'" in wrong.err
