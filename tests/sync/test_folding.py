"""Names that mean the same under two spellings: one object, or a clash that is told and blocks nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caseless import Caseless
from omnistorage.core.errors import PermissionDenied
from omnistorage.core.info import ObjectInfo
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.storage import Storage
from omnistorage.sync import CheckOptions, Options, Result, check, copy, folding, move, sync
from omnistorage.sync.folding import Folding
from omnistorage.sync.model import Pair, origin_of
from omnistorage.sync.spelling import Spelling
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import NEWER, Tree, contents, files, fill, held, memory

NFD, NFC = "e\u0301", "\u00e9"

names = st.sampled_from(["a", "A", "b", "B-", NFD, NFC, "\u00c9", "\u212b", "\u00c5", "\u65e5"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
path_lists = st.lists(paths, max_size=8, unique=True)


def _tree(found: list[str], first: int, *, case: bool = False) -> Tree:
    """Make a tree that a file system can hold, each object of another length."""
    above = {_key(folder, case) for folder in _folders(found)}
    return {path: b"x" * (first + at) for at, path in enumerate(found) if _key(path, case) not in above}


def _folders(found: Iterable[str]) -> set[str]:
    return {path[:at] for path in found for at, letter in enumerate(path) if letter == "/"}


def _caseless(tree: Tree | None = None, *, nfc: bool = False) -> Storage:
    return fill(Storage(Caseless(MemoryDriver(), nfc=nfc)), tree or {})


def _failed(result: Result) -> list[str]:
    return sorted(one.action.path for one in result.failures)


def _key(path: str, case: bool = False) -> str:
    return Spelling(nfc=True, case=case).key(path)


# -- two spellings of one name, where names are bytes ------------------------------------------------------------


@given(path_lists, path_lists)
@settings(max_examples=300)
def test_nothing_is_lost_where_both_can_stand(here: list[str], there: list[str]) -> None:
    """Rule 11: every object of the source arrives under a spelling of its name; only what has none there goes."""
    src, dst = memory(_tree(here, 1)), memory(_tree(there, 101))
    mine, theirs = held(src), held(dst)
    result = sync(src, dst, Options(allow_empty_source=True))
    after = held(dst)
    keys = {_key(path) for path in mine}

    assert held(src) == mine
    assert contents(src) <= contents(dst)
    for path, data in mine.items():
        assert data in [after[other] for other in after if _key(other) == _key(path)]
    for path in theirs:
        # Of two folders with one name, each is a mirror of its own.
        assert path in after if _key(path) in keys and not _twins(mine) else path not in after or result.errors
    assert _twins(mine) <= bool(result.errors) <= _twins(after)


def _clash(one: Tree, two: Tree) -> bool:
    """Say whether something is a file on one side and a folder on the other."""

    def keys(paths: Iterable[str]) -> set[str]:
        return {_key(path, True) for path in paths}

    return bool(keys(one) & keys(_folders(two)) or keys(_folders(one)) & keys(two))


def _twins(tree: Tree, *, case: bool = False) -> bool:
    spelled = tree.keys() | _folders(tree)
    return len({_key(path, case) for path in spelled}) < len(spelled)


@given(path_lists, path_lists)
@example([f"{NFC}/{NFD}"], [f"{NFC}/{NFC}"])
@example([f"{NFD}/{NFD}"], [f"{NFD}/a", f"{NFD}/{NFC}"])
@settings(max_examples=200)
def test_again_does_nothing(here: list[str], there: list[str]) -> None:
    """A second run changes nothing, and a check misses nothing of the source."""
    src, dst = memory(_tree(here, 1)), memory(_tree(there, 101))
    sync(src, dst, Options(allow_empty_source=True))
    found = check(src, dst, CheckOptions(by="bytes", one_way=True))
    again = sync(src, dst, Options(allow_empty_source=True))

    assert again.changed == 0
    assert found.ok


@given(path_lists, path_lists)
@settings(max_examples=200)
def test_a_moved_object_is_there(here: list[str], there: list[str]) -> None:
    """Rule 4: whatever the spellings, a move loses no content."""
    src, dst = memory(_tree(here, 1)), memory(_tree(there, 101))
    before = contents(src)
    move(src, dst)

    assert before <= contents(src, dst)


def test_new_files_go_into_the_folder_that_is_there(tmp_path: Path) -> None:
    """A folder is never made a second time under another spelling, also when all in it is new or gone."""
    src = files(tmp_path / "s", {f"d/{NFD}/{NFD}/new": b"1", f"d/{NFD}/{NFD}/same": b"2"})
    dst = files(tmp_path / "d", {f"d/{NFC}/{NFC}/same": b"2", f"d/{NFC}/{NFC}/gone": b"3", f"d/{NFC}/old/x": b""})
    result = sync(src, dst)

    assert held(dst) == {f"d/{NFC}/{NFC}/new": b"1", f"d/{NFC}/{NFC}/same": b"2"}
    assert (result.transferred, result.deleted, result.deleted_dirs, result.errors) == (1, 2, 1, 0)
    assert not dst.exists(f"d/{NFC}/old")


def test_folders_get_their_time(tmp_path: Path) -> None:
    """The time of a folder is that of the source, whatever it is called there."""
    src, dst = files(tmp_path / "s", {f"{NFD}/new": b"1"}), files(tmp_path / "d", {f"{NFC}/old": b"2"})
    src.set_modified(NFD, NEWER)
    copy(src, dst)

    assert dst.stat(NFC).mtime_ns == NEWER


def test_file_and_folder_under_two_spellings(tmp_path: Path) -> None:
    """A file here and a folder there are a clash under any spelling, and nothing below it is touched."""
    src, dst = (
        files(tmp_path / "s", {NFD: b"file", "z": b"1"}),
        files(tmp_path / "d", {f"{NFC}/x": b"2", f"{NFC}/y": b""}),
    )
    result = sync(src, dst)

    assert held(dst) == {f"{NFC}/x": b"2", f"{NFC}/y": b"", "z": b"1"}
    assert _failed(result) == [NFC]


def test_twins_of_the_source_are_kept_and_told(tmp_path: Path) -> None:
    """Both spellings are copied, the clash is told by both names, and deletes elsewhere are done."""
    src = files(tmp_path / "s", {NFC: b"1", NFD: b"22"})
    dst = files(tmp_path / "d", {NFC: b"1", "gone": b""})
    result = sync(src, dst)

    assert held(dst) == {NFC: b"1", NFD: b"22"}
    assert (_failed(result), result.deleted, result.exit_code) == ([NFC], 1, 1)
    assert r"'e\u0301'" in result.failures[0].action.reason
    assert r"'\xe9'" in result.failures[0].action.reason


def test_a_twin_at_the_destination_is_not_deleted(tmp_path: Path) -> None:
    """What has another spelling of a name of the source is not superfluous, nor is it an error to a copy."""
    src, dst = files(tmp_path / "s", {NFC: b"1"}), files(tmp_path / "d", {NFC: b"1", NFD: b"22", "z": b""})
    copied, synced = copy(src, dst), sync(src, dst)

    assert held(dst) == {NFC: b"1", NFD: b"22"}
    assert (copied.errors, _failed(synced), synced.deleted) == (0, [NFD], 1)


@pytest.mark.parametrize(("here", "there"), [("\u212a", "K"), ("a\u037e", "a;"), ("\u1fef/x", "`/x")])
def test_letters_with_a_form_in_ascii(here: str, there: str) -> None:
    """The few names in ASCII that have another spelling are kept beside it: they had been passed by."""
    src, dst = memory({here: b"1"}), memory({there: b"22", "z": b""})
    sync(src, dst)
    again = sync(src, dst)

    assert held(dst) == {here: b"1", there: b"22"}
    assert (again.changed, again.protected) == (0, 1)


def test_without_normalization() -> None:
    """On request, each spelling is a name of its own."""
    src, dst = memory({NFD: b"1"}), memory({NFC: b"1"})
    result = sync(src, dst, Options(unicode_normalization=False))
    found = check(src, memory({NFC: b"1"}), CheckOptions(unicode_normalization=False))

    assert held(dst) == {NFD: b"1"}
    assert (result.transferred, result.deleted) == (1, 1)
    assert (found.only_src, found.only_dst) == (1, 1)


@pytest.mark.parametrize("broken", [NFD, f"{NFD}/{NFD}"])
def test_what_could_not_be_listed_protects_the_other_spelling(broken: str, tmp_path: Path) -> None:
    """Rule 2: a folder of the source that cannot be listed protects what is in it under any of its spellings."""
    tree = {f"{NFD}/{NFD}/a": b"1", f"{NFD}/{NFD}/b": b"2", f"{NFD}/c": b"3"}
    src = files(tmp_path / "s", tree)
    dst = files(tmp_path / "d", {f"{NFC}/{NFC}/a": b"1", f"{NFC}/{NFC}/kept": b"", "gone": b""})
    faulty = FaultyDriver(src.driver, Fail("list", path=broken, times=None, error=PermissionDenied))
    result = sync(Storage(faulty), dst)

    assert f"{NFC}/{NFC}/kept" in held(dst)
    assert "gone" not in held(dst)
    assert result.errors == 1
    assert result.protected >= 1


def test_a_folder_of_unknown_marker_protects_the_other_spelling(tmp_path: Path) -> None:
    """Rule 2: so does a folder of which not even that is known whether it is selected."""
    from omnistorage.sync import Filter

    src, dst = (
        files(tmp_path / "s", {f"{NFD}/a": b"1", "z": b""}),
        files(tmp_path / "d", {f"{NFC}/a": b"1", "y": b""}),
    )
    faulty = FaultyDriver(src.driver, Fail("stat", path=f"{NFD}/.skip", times=None, error=PermissionDenied))
    result = sync(Storage(faulty), dst, Options(filter=Filter.exclude_if_present(".skip")))

    assert held(dst) == {f"{NFC}/a": b"1", "z": b""}
    assert (result.errors, result.protected) == (1, 2)


# -- upper and lower case ----------------------------------------------------------------------------------------


@given(path_lists, path_lists, st.booleans())
@settings(max_examples=300)
def test_a_destination_without_case(here: list[str], there: list[str], nfc: bool) -> None:
    """Rule 11: one of several names that become one is copied, each of the others is told and overwrites nothing."""
    src, dst = memory(_tree(here, 1)), _caseless(_tree(there, 101, case=True), nfc=nfc)
    mine, theirs = held(src), held(dst)
    result = sync(src, dst, Options(allow_empty_source=True))
    after = held(dst)
    keys = {_key(path, True) for path in mine}
    again = sync(src, dst, Options(allow_empty_source=True))

    for path, data in after.items():
        twins = [mine[other] for other in mine if _key(other, True) == _key(path, True)]
        assert data in twins or (data == theirs.get(path) and bool(result.errors) >= bool(twins))
    for path in theirs:
        assert _key(path, True) not in keys or _key(path, True) in {_key(other, True) for other in after}
    assert not result.errors or _clash(mine, theirs) or any(_twins(side, case=True) for side in (mine, theirs))
    assert not _twins(mine, case=True) or result.errors
    if not result.errors:
        assert {_key(path, True) for path in after} == keys
    assert (again.changed, again.errors) == (0, result.errors)
    assert check(src, dst, CheckOptions(by="bytes")).ok or result.errors


def test_case_of_the_destination_stays() -> None:
    """Objects and folders keep the spelling that they have there, and what is new goes into these folders."""
    src = memory({"Photos/Cat.JPG": b"1", "Photos/New": b"2", "UP": b"changed"})
    dst = _caseless({"photos/cat.jpg": b"1", "photos/gone": b"", "up": b"old"})
    result = sync(src, dst)

    assert held(dst) == {"photos/cat.jpg": b"1", "photos/New": b"2", "up": b"changed"}
    assert (result.transferred, result.deleted, result.errors) == (2, 1, 0)


def test_the_name_that_is_there_has_the_older_right() -> None:
    """Of names that become one, that goes on which the destination has as it is; the others overwrite nothing."""
    src, dst = (
        memory({"A": b"other", "a": b"same", "B/x": b"1", "b/x": b"22", "b/y": b""}),
        _caseless({"a": b"same", "b/x": b"22"}),
    )
    result = sync(src, dst)

    assert held(dst) == {"a": b"same", "b/x": b"22", "b/y": b""}
    assert _failed(result) == ["A", "B"]
    assert "'A' from 'a'" in result.failures[0].action.reason


def test_below_a_folder_with_a_twin_nothing_is_deleted() -> None:
    """What stands in the one folder of the destination may be a copy out of either of the source."""
    src, dst = memory({"B/x": b"1", "b/y": b"22"}), _caseless({"b/x": b"1", "b/y": b"22", "gone": b""})
    result = sync(src, dst)

    assert held(dst) == {"b/x": b"1", "b/y": b"22"}
    assert (_failed(result), result.deleted, result.protected) == (["B"], 1, 1)


@pytest.mark.parametrize("most", [0, 1, 100])
def test_new_names_do_not_wait_for_an_empty_destination(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the destination has ended, copies begin at once; a name that was seen before is found again."""
    monkeypatch.setattr(folding, "_MOST_SEEN", most)
    pulled = 0

    def source() -> Iterator[list[ObjectInfo]]:
        nonlocal pulled
        for name in ("A", "B", "C", "a", "b", "d"):
            pulled += 1
            yield [ObjectInfo(name)]

    united = Folding(Spelling(case=True))
    pairs = united.unite(source(), [])
    next(pairs)
    early = pulled
    rest = [src.path for src, _ in pairs if src is not None]

    assert early <= 2
    assert sorted(rest) == ["B", "C", "d"]
    assert sorted(one.path for one in united.clashes) == ["a", "b"]


def test_case_on_request(tmp_path: Path) -> None:
    """With --ignore-case-sync, a destination that tells cases apart is treated as if it did not."""
    src, dst = memory({"A": b"1", "D/B": b"2"}), memory({"a": b"1", "d/b": b"2", "d/c": b""})
    plain = check(src, dst)
    result = sync(src, dst, Options(ignore_case_sync=True))
    found = check(src, dst, CheckOptions(ignore_case_sync=True))

    assert held(dst) == {"a": b"1", "d/b": b"2"}
    assert (result.transferred, result.deleted) == (0, 1)
    assert found.ok
    assert not plain.ok


def test_twins_of_either_side_with_case_on_request() -> None:
    """Nothing is deleted that is a twin of something at the source, and nothing overwritten."""
    src, dst = memory({"A": b"1", "a": b"22", "B": b"3"}), memory({"A": b"1", "b": b"3", "bb": b"", "B": b"3"})
    result = sync(src, dst, Options(ignore_case_sync=True))

    assert held(dst) == {"A": b"1", "b": b"3", "B": b"3"}
    assert _failed(result) == ["a", "b"]


# -- what it costs -----------------------------------------------------------------------------------------------


def _pairs(src: list[str], dst: list[str], spelling: Spelling) -> list[tuple[str | None, str | None]]:
    united = Folding(spelling).unite([[ObjectInfo(path) for path in src]], [[ObjectInfo(path) for path in dst]])
    return [_shown(one) for one in united]


def _shown(one: Pair) -> tuple[str | None, str | None]:
    src, dst = one
    return None if src is None else origin_of(src), None if dst is None else dst.path


def test_plain_names_do_not_wait() -> None:
    """Names that have one spelling only come as they are found, in whatever script; the others when all have come."""
    found = _pairs(["a", f"{NFD}/x", "\u65e5/a"], ["b", "z", "\u00e9/x", "\u0444"], Spelling())

    assert found == [
        ("a", None),
        (None, "b"),
        (None, "z"),
        (None, "\u0444"),
        ("\u65e5/a", None),
        (f"{NFD}/x", "\u00e9/x"),
    ]


def test_nothing_waits_beyond_its_directory() -> None:
    """What waits comes when its directory is over, and not when all is."""
    found = _pairs([f"a/{NFD}", "b"], ["a/z", "a/\u00e9", "b"], Spelling())

    assert found == [(None, "a/z"), (f"a/{NFD}", "a/\u00e9"), ("b", "b")]


@pytest.mark.parametrize("spelling", [Spelling(), Spelling(case=True)], ids=["nfc", "case"])
def test_what_waits_goes_to_disk(spelling: Spelling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 12: few entries wait in memory, and all are united that wait on disk."""
    monkeypatch.setattr(folding, "_IN_MEMORY", 50)
    monkeypatch.setattr("omnistorage.sync.spool._CHUNK", 50)
    src = [f"{NFD}{at:04}" for at in range(1000)] + [f"{NFD}x/{at:04}" for at in range(500)]
    dst = [f"{NFC}{at:04}" for at in range(1000)] + [f"{NFC}x/{at:04}" for at in range(500)]
    found = _pairs(src, dst, spelling)

    assert sorted(found) == sorted(zip(src, dst, strict=True))


def test_deep_trees() -> None:
    """Folders under two spellings may be nested deeper than the interpreter's stack."""
    depth = 1200
    src, dst = "/".join([NFD] * depth), "/".join([NFC] * depth)

    assert _pairs([src], [dst], Spelling()) == [(src, dst)]
    both = [src, src + "x"]
    assert _pairs(both, [*both, dst], Spelling()) == [*zip(both, both, strict=True), (None, dst)]
