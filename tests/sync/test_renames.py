"""Tracked renames: on evidence of content, or not at all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_runs import run_here
from omnistorage.storage import Storage
from omnistorage.sync import Compare, GuardError, Options, sync
from sync_scenes import NEWER, PLACES, WHEN, Counting, Tree, files, fill, held, memory, on_s3

TRACK = Options(track_renames=True)


def _kinds(kind: str, root: Path, tree: Tree, when: int = WHEN) -> Storage:
    return fill(PLACES[kind](root, {}), tree, when=when)


@pytest.mark.parametrize("kind", ["file", "memory", "s3"])
@pytest.mark.parametrize("when", [WHEN, NEWER], ids=["same time", "other time"])
def test_renamed_object_is_not_sent(kind: str, when: int, tmp_path: Path) -> None:
    """Rule 5: what only has another path is renamed at the destination, with its new time; no bytes travel."""
    src = _kinds(kind, tmp_path / "s", {"new/name": b"content", "b": b"bb"}, when)
    dst = _kinds(kind, tmp_path / "d", {"old": b"content", "b": b"bb"})
    counting = Counting(dst.driver)
    result = sync(src, Storage(counting), TRACK)

    assert (result.renamed, result.transferred, result.deleted) == (1, 0, 0)
    assert held(dst) == {"new/name": b"content", "b": b"bb"}
    assert counting.calls["put"] == 0
    assert dst.stat("new/name").mtime_ns == when


STRATEGIES = ("hash", "modtime", "leaf", "modtime,leaf")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_size_and_time_are_no_evidence(strategy: str, tmp_path: Path) -> None:
    """Rule 5, deviation e: another content of equal size, time and name is copied (rclone renames)."""
    files(tmp_path / "s", {"new/f": b"content A"})
    dst = files(tmp_path / "d", {"old/f": b"content B"})
    flags = ("--track-renames", "--track-renames-strategy", strategy)
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", *flags, "-v")

    assert ran.code == 0
    assert held(dst) == {"new/f": b"content A"}
    assert "Renamed" not in ran.err


def test_each_object_is_renamed_once(tmp_path: Path) -> None:
    """Of three old copies of one content, two become the new ones and one is deleted."""
    src = files(tmp_path / "s", {"n1": b"same", "n2": b"same"})
    dst = files(tmp_path / "d", {"o1": b"same", "o2": b"same", "o3": b"same"})
    result = sync(src, dst, TRACK)

    assert (result.renamed, result.deleted, result.transferred) == (2, 1, 0)
    assert held(dst) == {"n1": b"same", "n2": b"same"}


def test_renames_are_no_deletes(tmp_path: Path) -> None:
    """Rule 5: a rename does not count for ``max_delete``, also in a dry run, which names it."""
    files(tmp_path / "s", {"new": b"content"})
    dst = files(tmp_path / "d", {"old": b"content"})
    flags = ("--track-renames", "--max-delete", "0")
    dry = run_here("sync", tmp_path / "s", tmp_path / "d", *flags, "--dry-run")
    before = held(dst)
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", *flags)

    assert (dry.code, ran.code) == (0, 0)
    assert "Skipped rename" in dry.err
    assert before == {"old": b"content"}
    assert held(dst) == {"new": b"content"}


def test_not_together_with_delete_before() -> None:
    """Rule 3: what would be renamed must not be deleted first."""
    options = msgspec.structs.replace(TRACK, delete_mode="before")
    with pytest.raises(GuardError, match="--delete-before"):
        sync(memory({"a": b"1"}), memory({"b": b"1"}), options)


def test_empty_objects_are_not_tracked() -> None:
    """Rule 5: empty objects are all alike: they are made and deleted, not renamed."""
    src, dst = memory({"a": b""}), memory({"b": b""})
    result = sync(src, dst, TRACK)

    assert (result.renamed, result.transferred, result.deleted) == (0, 1, 1)


def test_where_nothing_can_be_renamed(tmp_path: Path) -> None:
    """A destination that can neither move nor copy gets the object sent, and the old one is deleted."""
    from sync_scenes import plain

    src, dst = files(tmp_path, {"new": b"content"}), plain({"old": b"content"})
    result = sync(src, dst, TRACK)

    assert (result.renamed, result.transferred, result.deleted) == (0, 1, 1)
    assert held(dst) == {"new": b"content"}


BODIES = st.sampled_from([b"1", b"2", b"aa", b"bb", b""])
TREES = st.dictionaries(st.sampled_from(["a", "b", "c/a", "c/b", "d"]), BODIES, min_size=1)


@given(TREES, TREES, st.sampled_from(STRATEGIES), st.booleans())
def test_sync_is_the_same_with_renames(here: Tree, there: Tree, strategy: str, later: bool) -> None:
    """Whatever is renamed, the destination becomes like the source, and a dry run foretells the counts."""
    _is_the_same("memory", here, there, strategy, later)


@on_s3
@given(TREES, TREES, st.sampled_from(STRATEGIES), st.booleans())
def test_sync_is_the_same_with_renames_on_s3(here: Tree, there: Tree, strategy: str, later: bool) -> None:
    """So it is on S3."""
    _is_the_same("s3", here, there, strategy, later)


def _is_the_same(kind: str, here: Tree, there: Tree, strategy: str, later: bool) -> None:
    src, dst = memory(here, when=NEWER if later else WHEN), PLACES[kind](Path(), there)
    traits: Any = frozenset(strategy.split(","))
    options = Options(track_renames=True, rename_by=traits, compare=Compare.HASH)
    dry = sync(src, dst, msgspec.structs.replace(options, dry_run=True))
    result = sync(src, dst, options)
    again = sync(src, dst, options)

    assert held(dst) == here
    assert (dry.renamed, dry.deleted, dry.transferred) == (result.renamed, result.deleted, result.transferred)
    assert again.changed == 0
    if strategy == "hash":
        new = Counter(data for name, data in here.items() if name not in there and data)
        old = Counter(data for name, data in there.items() if name not in here and data)
        assert result.renamed == (new & old).total()
