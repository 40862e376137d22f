"""Runs from one place to another: what they do, what they leave alone, and what they say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omnistorage.storage import Storage
from omnistorage.sync import (
    CheckOptions,
    Compare,
    Filter,
    Options,
    Result,
    check,
    copy,
    move,
    sync,
)
from omnistorage.sync.recipes import plan
from sync_scenes import (
    OLD,
    PLACES,
    TREE,
    Counting,
    both_ways,
    files,
    held,
    memory,
)


def _facts(result: Result) -> dict[str, Any]:
    """What a dry run and a real one must agree on."""
    names = (
        "listed checked equal planned planned_bytes transferred bytes touched deleted deleted_bytes deleted_dirs "
        "made_dirs deleted_sources skipped protected errors limit exit_code"
    )
    return {name: getattr(result, name) for name in names.split()}


# -- any two places --------------------------------------------------------------------------------------------


@both_ways
def test_sync_then_check_finds_nothing(here: str, there: str, tmp_path: Path) -> None:
    """After a sync both places hold the same, bytes and names, and ``check`` agrees."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    result = sync(src, dst)
    found = check(src, dst, CheckOptions(by="bytes"))

    assert held(dst) == held(src) == TREE
    assert result.ok
    assert (found.ok, found.matches) == (True, len(TREE))


@both_ways
def test_sync_twice_does_nothing(here: str, there: str, tmp_path: Path) -> None:
    """A second sync changes nothing: not one writing call is made."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    sync(src, dst)
    counting = Counting(dst.driver)
    again = sync(src, Storage(counting))

    assert counting.writes == {}
    assert (again.changed, again.errors, again.equal) == (0, 0, len(TREE))


@both_ways
@pytest.mark.parametrize("run", [sync, copy, move])
def test_dry_run(here: str, there: str, run: Any, tmp_path: Path) -> None:
    """Rule 7: a dry run changes nothing, and its counters are those of the real run."""
    # A rename moves no bytes, which only the real run can know: so the sides are not of one kind for move.
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    one, two = Counting(src.driver), Counting(dst.driver)
    dry = run(Storage(one), Storage(two), Options(dry_run=True))
    before = held(src), held(dst)
    real = run(src, dst)
    facts = _facts(real)
    if real.server_moves:
        facts["bytes"] = dry.bytes

    assert (one.writes, two.writes) == ({}, {})
    assert before == (TREE, OLD)
    assert _facts(dry) == facts


@both_ways
def test_copy_deletes_nothing(here: str, there: str, tmp_path: Path) -> None:
    """After a copy the destination has all of the source, and what it had besides."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    result = copy(src, dst)

    assert held(dst) == OLD | TREE
    assert held(src) == TREE
    assert (result.deleted, result.deleted_dirs) == (0, 0)


@both_ways
def test_move_leaves_no_source(here: str, there: str, tmp_path: Path) -> None:
    """Rule 4: after a move the destination has all of the source, and the source nothing."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    result = move(src, dst)

    assert held(dst) == OLD | TREE
    assert held(src) == {}
    assert (result.deleted_sources, result.errors) == (len(TREE), 0)


@both_ways
def test_check_sees_each_difference(here: str, there: str, tmp_path: Path) -> None:
    """``check`` tells apart what is equal, differs, and is on one side only, and changes nothing."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD | {"é": b"ACCENT"})
    one, two = Counting(src.driver), Counting(dst.driver)
    signs: dict[str, str] = {}
    found = check(
        Storage(one), Storage(two), found=lambda difference: signs.__setitem__(difference.path, difference.sign)
    )

    assert signs["b.txt"] == "*"
    assert (found.only_src, found.only_dst) == (4, 3)
    assert (one.writes, two.writes) == ({}, {})


def test_same_size_other_bytes_are_seen_by_check(tmp_path: Path) -> None:
    """Size and time can lie; ``check`` reads."""
    src, dst = files(tmp_path / "s", {"a": b"one"}), files(tmp_path / "d", {"a": b"two"})

    assert check(src, dst).differs == 1
    assert check(src, dst, CheckOptions(by="size")).differs == 0
    assert check(src, dst, CheckOptions(by="size")).unverified == 1


# -- limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "limit", "moved"),
    [
        ("HARD", 150, 1),
        ("SOFT", 150, 2),
        ("CAUTIOUS", 250, 3),
        ("HARD", 250, 2),
        ("HARD", 99, 0),
        ("SOFT", 1, 1),
        ("HARD", 450, 6),
    ],
)
def test_max_transfer(mode: Any, limit: int, moved: int) -> None:
    """A limit ends the run with code 8; HARD and CAUTIOUS never pass it, SOFT by one; CAUTIOUS goes on with less."""
    src = memory({f"f{number}": bytes(100 if number < 3 else 50) for number in range(6)})
    dst = memory({"gone": b"x"})
    result = sync(src, dst, Options(max_transfer=limit, cutoff=mode))
    reached = moved < 6

    assert result.transferred == moved
    assert (result.exit_code, result.limit) == ((8, "max_transfer") if reached else (0, ""))
    assert ("gone" in held(dst)) is reached


def test_max_transfer_ends_with_8_also_after_a_failure() -> None:
    """What ended the run is the exit code, as with rclone, and not what failed before."""
    src, dst = memory({"a": b"new", "b": bytes(100)}), memory({"a": b"old!"})
    result = sync(src, dst, Options(immutable=True, max_transfer=50))

    assert (result.errors, result.exit_code) == (1, 8)


def test_max_transfer_does_not_count_what_is_elsewhere() -> None:
    """What a place to compare with holds takes nothing of the limit, and is no reason to end the run."""
    src = memory({"a": bytes(100), "b": bytes(40), "c": bytes(100)})
    other = memory({"a": bytes(100), "c": bytes(100)})
    dst = memory()
    result = sync(src, dst, Options(max_transfer=50, compare_with=(other,)))

    assert list(held(dst)) == ["b"]
    assert (result.transferred, result.exit_code) == (1, 0)


def test_max_transfer_counts_what_is_not_elsewhere() -> None:
    """Where there are other places, the limit still holds."""
    src = memory({f"f{number}": bytes(40) for number in range(3)})
    dst = memory()
    result = sync(src, dst, Options(max_transfer=100, compare_with=(memory({"f0": bytes(9)}),)))

    assert (result.transferred, result.errors, result.exit_code) == (2, 0, 8)


def test_max_transfer_counts_transfers() -> None:
    """What is compared and found equal takes nothing of the limit."""
    equal = {f"e{number}": bytes(100) for number in range(5)}
    src, dst = memory(equal | {"new": bytes(100)}), memory(equal)
    result = sync(src, dst, Options(max_transfer=100, compare=Compare.HASH))

    assert (result.transferred, result.exit_code) == (1, 0)


def test_max_transfer_ends_comparisons_that_find_a_difference() -> None:
    """What the content shows to differ is admitted like any transfer; one that is not is no failure."""
    src = memory({f"f{number}": b"n" * 100 for number in range(6)})
    dst = memory({f"f{number}": b"o" * 100 for number in range(6)})
    result = sync(src, dst, Options(max_transfer=250, compare=Compare.HASH))

    assert (result.transferred, result.errors, result.exit_code) == (2, 0, 8)


def test_ten_thousand_deletes_and_more() -> None:
    """Rule 12: a plan longer than what is kept in memory goes by way of the disk."""
    src, dst = memory({"keep": b"1"}), memory({f"d{number:05}": b"" for number in range(10_050)} | {"keep": b"1"})
    result = sync(src, dst)

    assert held(dst) == {"keep": b"1"}
    assert (result.deleted, result.errors) == (10_050, 0)


def test_plan_is_what_is_done(tmp_path: Path) -> None:
    """Rule 7: the plan lists each action with its reason, deletes last; it changes nothing."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", OLD)
    actions = list(plan(src, dst))
    verbs = [action.verb.value for action in actions]

    assert held(dst) == OLD
    assert verbs == sorted(verbs, key=["copy", "delete", "rmdir"].index)
    assert all(action.reason for action in actions)


@pytest.mark.parametrize("delete_excluded", [False, True])
def test_filtered_sync(delete_excluded: bool, tmp_path: Path) -> None:
    """Rule 6: what the filter leaves out is left alone at both sides, unless it is to be deleted."""
    chosen = Filter().exclude("*.tmp")
    src = files(tmp_path / "s", {"a": b"1", "b.tmp": b"2"})
    dst = files(tmp_path / "d", {"b.tmp": b"old", "c.tmp": b"3", "gone": b"4", "e/f.tmp": b"5"})
    sync(src, dst, Options(filter=chosen.delete_excluded() if delete_excluded else chosen))
    left = {} if delete_excluded else {"b.tmp": b"old", "c.tmp": b"3", "e/f.tmp": b"5"}

    assert held(dst) == {"a": b"1"} | left
