"""Keeping old versions: nothing that is replaced or deleted is lost, whatever fails when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_runs import run_here
from omnistorage.core.errors import PermissionDenied
from omnistorage.storage import Storage
from omnistorage.sync import GuardError, Options, copy, sync
from omnistorage.sync.backup import with_suffix
from omnistorage.testing import CutStream, Fail, FaultyDriver
from sync_scenes import OLD, PLACES, TREE, both_ways, contents, files, held, memory, on_s3

REPLACED = {name: OLD[name] for name in ("b.txt", "deep/gone", "gone/on/e", "z")}


@both_ways
@pytest.mark.parametrize("other", [True, False])
def test_what_goes_is_kept(here: str, there: str, other: bool, tmp_path: Path) -> None:
    """What a sync replaces and deletes stands in the backup, under the same path, of whatever kind its place is."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    kept = memory() if other or there == "plain" else PLACES[there](tmp_path / "b", {})
    result = sync(src, dst, Options(backup=kept))

    assert held(dst) == TREE
    assert held(kept) == REPLACED
    assert result.backed_up == len(REPLACED)


def test_no_backup_overwrites_a_backup(tmp_path: Path) -> None:
    """Rule 1: a second run keeps its old versions beside those of the first (rclone overwrites them)."""
    (tmp_path / "s").mkdir()
    dst = files(tmp_path / "d")
    for text in (b"1", b"2 ", b"3  ", b"4   "):
        files(tmp_path / "s", {"a": text})
        ran = run_here("sync", tmp_path / "s", tmp_path / "d", "--backup-dir", tmp_path / "b")
        assert ran.code == 0

    assert held(dst) == {"a": b"4   "}
    assert held(files(tmp_path / "b")) == {"a": b"1", "a.~1~": b"2 ", "a.~2~": b"3  "}


def test_failed_copy_leaves_the_old_file_where_it_was(tmp_path: Path) -> None:
    """Rule 1, deviation d: a transfer that fails leaves the old object at its place (rclone: only in the backup)."""
    files(tmp_path / "s", {"a": b"new"})
    dst = files(tmp_path / "d", {"a": b"old!"})
    kept = files(tmp_path / "b")
    faulty = FaultyDriver(files(tmp_path / "s").driver, CutStream(after=1))
    result = copy(Storage(faulty), dst, Options(backup=kept))

    assert result.errors == 1
    assert held(dst) == {"a": b"old!"}
    assert held(kept) == {}


def test_failed_backup_keeps_the_old_object() -> None:
    """Rule 1: what cannot be kept is neither replaced nor deleted; the rest goes on."""
    denied = [Fail("put", path=path, error=PermissionDenied(), times=None) for path in ("b.txt", "z")]
    src, dst, kept = memory(TREE), memory(OLD), FaultyDriver(memory().driver, *denied)
    result = sync(src, dst, Options(backup=Storage(kept)))

    assert result.errors == 2
    assert held(dst) == TREE | {"b.txt": OLD["b.txt"], "z": OLD["z"]}


def test_backups_on_one_disk_cost_no_bytes(tmp_path: Path) -> None:
    """On one disk the backup is the old file itself, with its time; later copies do not change it."""
    src, dst, kept = (
        files(tmp_path / "s", {"a": b"new"}),
        files(tmp_path / "d", {"a": b"old!"}),
        files(tmp_path / "b"),
    )
    inode = os.stat(tmp_path / "d/a").st_ino
    then = os.stat(tmp_path / "d/a").st_mtime_ns
    sync(src, dst, Options(backup=kept))
    about = os.stat(tmp_path / "b/a")

    assert (about.st_ino, about.st_mtime_ns, about.st_nlink) == (inode, then, 1)


@pytest.mark.parametrize("inplace", [False, True])
def test_written_in_place(inplace: bool, tmp_path: Path) -> None:
    """With ``inplace`` the file stays the same one, and its backup is not changed through it."""
    src, dst, kept = (
        files(tmp_path / "s", {"a": b"new"}),
        files(tmp_path / "d", {"a": b"old!"}),
        files(tmp_path / "b"),
    )
    inode = os.stat(tmp_path / "d/a").st_ino
    sync(src, dst, Options(backup=kept, inplace=inplace))

    assert held(kept) == {"a": b"old!"}
    assert held(dst) == {"a": b"new"}
    assert (os.stat(tmp_path / "d/a").st_ino == inode) is inplace


def test_suffix_beside(tmp_path: Path) -> None:
    """Without a place of their own, backups stand beside the new objects and survive the run that made them."""
    files(tmp_path / "s", {"a": b"new", "a.bak": b"a real one"})
    dst = files(tmp_path / "d", {"a": b"old!", "a.bak": b"a real one", "gone": b"g"})
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", "--suffix", ".bak")

    assert ran.code == 0
    assert held(dst) == {"a": b"new", "a.bak": b"a real one", "a.bak.~1~": b"old!", "gone.bak": b"g"}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a.txt", "a-X.txt"),
        ("d.e/a", "d.e/a-X"),
        ("a.tar.gz", "a-X.tar.gz"),
        (".dot", "-X.dot"),
        ("v1.2", "v1-X.2"),
        ("report.v2.txt", "report.v2-X.txt"),
        ("page.html.gz", "page-X.html.gz"),
    ],
)
def test_suffix_before_the_extension(path: str, wanted: str) -> None:
    """The extension stays the last part, one of two parts if the inner one is an extension by itself."""
    assert with_suffix(path, "-X", keep_extension=True) == wanted
    assert with_suffix(path, "-X") == path + "-X"


OVERLAPS = {
    "inside the destination": "d/b",
    "inside the source": "s/b",
    "above both": ".",
    "the source": "s",
    "the destination": "d",
}


@pytest.mark.parametrize("place", OVERLAPS.values(), ids=OVERLAPS)
def test_overlapping_backups_are_refused(place: str, tmp_path: Path) -> None:
    """Rule 3: a backup folder that the run itself reads or deletes is refused before the first change."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", OLD)
    with pytest.raises(GuardError, match="--backup-dir"):
        sync(src, dst, Options(backup=files(tmp_path / place)))

    assert held(dst) == OLD


def test_backups_inside_if_excluded(tmp_path: Path) -> None:
    """A backup folder inside the destination is fine when the filter leaves it out, and is left alone."""
    files(tmp_path / "s", TREE)
    dst = files(tmp_path / "d", OLD)
    flags = ("--backup-dir", tmp_path / "d/kept", "--exclude", "/kept/**")
    codes = [run_here("sync", tmp_path / "s", tmp_path / "d", *flags).code for _ in range(2)]

    assert codes == [0, 0]
    assert held(dst) == TREE | {f"kept/{name}": data for name, data in REPLACED.items()}


STATES = st.lists(st.dictionaries(st.sampled_from("abc"), st.binary(max_size=3), min_size=1), min_size=2, max_size=5)


@given(STATES)
def test_no_version_is_ever_lost(states: list[dict[str, bytes]]) -> None:
    """Rule 1: after any series of syncs, each version that was ever at the destination is there or in the backup."""
    _no_version_is_lost("memory", states)


@on_s3
@given(STATES)
def test_no_version_is_ever_lost_on_s3(states: list[dict[str, bytes]]) -> None:
    """Rule 1: so it is on S3."""
    _no_version_is_lost("s3", states)


def _no_version_is_lost(kind: str, states: list[dict[str, bytes]]) -> None:
    dst, kept = PLACES[kind](Path(), {}), PLACES[kind](Path(), {})
    seen: dict[bytes, None] = {}
    for number, state in enumerate(states):
        src = memory(state, when=10**18 + number * 10**10)
        sync(src, dst, Options(backup=kept))
        seen.update(dict.fromkeys(state.values()))

    assert contents(dst, kept).keys() >= seen.keys()
