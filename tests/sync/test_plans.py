"""A plan as a file: what it says, and when it may still be carried out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_runs import run_here
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.sync import GuardError, Options, PlanError, SavedPlan, apply_plan, move, sync, write_plan
from sync_scenes import NEWER, OLD, PLACES, TREE, Counting, both_ways, files, held, memory, on_s3

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..") and not name.startswith(".omnistorage-")
)
TREES = st.dictionaries(NAMES, st.binary(max_size=6), max_size=6)


@both_ways
def test_applied_plan_is_a_sync(here: str, there: str, tmp_path: Path) -> None:
    """A plan that is written and applied leaves what a sync would have left."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    file = io.StringIO()
    totals = write_plan(file, src, dst)
    result = apply_plan(SavedPlan(file), src, dst)

    assert held(dst) == TREE == held(src)
    assert totals.actions["copy"] == result.transferred
    assert totals.actions["delete"] == result.deleted == 3
    assert result.ok


def test_planning_changes_nothing(tmp_path: Path) -> None:
    """Rule 7: writing a plan makes no call that changes anything, on either side."""
    src, dst = memory(TREE), memory(OLD)
    counting = Counting(src.driver), Counting(dst.driver)
    write_plan(io.StringIO(), type(src)(counting[0]), type(dst)(counting[1]))

    assert [one.writes for one in counting] == [{}, {}]


@given(TREES, TREES)
def test_any_plan_can_be_read_again(here: dict[str, bytes], there: dict[str, bytes]) -> None:
    """Whatever the names, the plan that is read is the one that was made, and applying it is a sync."""
    _can_be_read_again("memory", here, there)


@on_s3
@given(TREES, TREES)
def test_any_plan_can_be_read_again_on_s3(here: dict[str, bytes], there: dict[str, bytes]) -> None:
    """So it is within S3, whatever the names."""
    _can_be_read_again("s3", here, there)


def _can_be_read_again(kind: str, here: dict[str, bytes], there: dict[str, bytes]) -> None:
    src, dst = PLACES[kind](Path(), here), PLACES[kind](Path(), there)
    file = io.StringIO()
    write_plan(file, src, dst, Options(allow_empty_source=True))
    apply_plan(SavedPlan(file), src, dst, Options(allow_empty_source=True))

    assert held(dst) == here


@pytest.mark.parametrize("place", ["memory", "s3"])
def test_moving_plan_deletes_sources_on_proof(place: str, tmp_path: Path) -> None:
    """Rule 4: a plan of a move leaves nothing at the source, neither what was there before nor what was copied."""
    src, dst = PLACES[place](tmp_path, TREE), PLACES[place](tmp_path, {"a": TREE["a"]})
    file = io.StringIO()
    write_plan(file, src, dst, recipe="move")
    result = apply_plan(SavedPlan(file), src, dst)

    assert held(src) == {}
    assert held(dst) == TREE
    assert result.deleted_sources == len(TREE)


CHANGES = {
    "source changed": lambda src, dst: src.write_bytes("a", b"other", modified=NEWER),
    "source gone": lambda src, dst: src.delete("b.txt"),
    "destination changed": lambda src, dst: dst.write_bytes("b.txt", b"mine", modified=NEWER),
    "destination appeared": lambda src, dst: dst.write_bytes("é", b"mine", modified=NEWER),
    "deleted one is at the source again": lambda src, dst: src.write_bytes("z", b"back", modified=NEWER),
    "deleted one changed": lambda src, dst: dst.write_bytes("z", b"mine!", modified=NEWER),
    "other bytes of equal size": lambda src, dst: dst.write_bytes("z", b"mine", modified=NEWER),
}


@pytest.mark.parametrize("place", ["file", "s3"])
@pytest.mark.parametrize("what", CHANGES)
def test_outdated_plan_is_refused(what: str, place: str, tmp_path: Path) -> None:
    """Rule 7: a plan whose paths have changed is refused before the first change."""
    make = PLACES[place]
    src, dst = make(tmp_path / "s", TREE | {"a": b"ONE and more"}), make(tmp_path / "d", OLD)
    file = io.StringIO()
    write_plan(file, src, dst)
    CHANGES[what](src, dst)
    before = held(src), held(dst)
    with pytest.raises(GuardError, match="out of date"):
        apply_plan(SavedPlan(file), src, dst)

    assert (held(src), held(dst)) == before


def test_what_is_not_planned_may_change(tmp_path: Path) -> None:
    """Rule 7: new objects that the plan does not name do not matter, and stay as they are."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", OLD)
    file = io.StringIO()
    write_plan(file, src, dst)
    src.write_bytes("later", b"1")
    dst.write_bytes("other", b"2")
    apply_plan(SavedPlan(file), src, dst)

    assert held(dst) == TREE | {"other": b"2"}


@pytest.mark.parametrize("place", ["memory", "s3"])
def test_a_path_that_cannot_be_blocks_nothing_else(place: str, tmp_path: Path) -> None:
    """Rule 11: a key that no file can have, or that a link leads out of the folder, is its own failure here, too."""
    out = tmp_path / "out"
    out.mkdir()
    src, dst = PLACES[place](tmp_path / "s", {"b": b"1", "z": b"2"}), files(tmp_path / "d", {})
    for key in ("../x", "link/x", "a//b"):
        src.driver.put(key, BytesBody(b"evil"), PutOptions())
    (tmp_path / "d").mkdir(exist_ok=True)
    (tmp_path / "d" / "link").symlink_to(out)
    file = io.StringIO()
    write_plan(file, src, dst)
    result = apply_plan(SavedPlan(file), src, dst)

    assert {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir() if path.is_file()} == {
        "b": b"1",
        "z": b"2",
    }
    assert {outcome.action.path for outcome in result.failures} == {"../x", "link/x", "a//b"}
    assert list(out.iterdir()) == []
    assert not (tmp_path / "x").exists()


BROKEN = {
    "no plan": "hello\n",
    "another object": '{"a": 1}\n',
    "a later form": '{"omnistorage_plan": 99}\n',
    "cut off": '{"omnistorage_plan": 1, "recipe": "sync"}\n',
    "unknown verb": '{"omnistorage_plan": 1}\n{"verb": "explode", "path": "a", "reason": ""}\n{"totals": {}}\n',
    "no path": '{"omnistorage_plan": 1}\n{"verb": "copy"}\n{"totals": {}}\n',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    """A file that is not a whole plan is refused by the library and, in one line, by the command."""
    (tmp_path / "p").write_text(text)
    with pytest.raises(PlanError):
        SavedPlan(io.StringIO(text))
    ran = run_here("apply", tmp_path / "p")

    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1


def test_command(tmp_path: Path) -> None:
    """``plan`` writes a file that a person can read, ``apply`` does it, and refuses when it is out of date."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", OLD)
    planned = run_here("plan", tmp_path / "s", tmp_path / "d", "-o", tmp_path / "p.json")
    lines = [json.loads(line) for line in (tmp_path / "p.json").read_text().splitlines()]
    before = held(dst)
    applied = run_here("apply", tmp_path / "p.json")
    src.write_bytes("a", b"again", modified=NEWER)
    run_here("plan", tmp_path / "s", tmp_path / "d", "-o", tmp_path / "p.json")
    src.write_bytes("a", b"and again", modified=NEWER)
    late = run_here("apply", tmp_path / "p.json")

    assert (planned.code, applied.code, late.code) == (0, 0, 7)
    assert before == OLD
    assert lines[0]["omnistorage_plan"] == 1
    assert ("delete", "z", "not in the source") in {
        (one.get("verb"), one.get("path"), one.get("reason")) for one in lines
    }
    assert lines[-1]["totals"]["actions"]["delete"] == 3
    assert held(dst) == TREE


def test_backups_are_planned(tmp_path: Path) -> None:
    """A plan knows where old versions go, and applying it keeps them there."""
    files(tmp_path / "s", TREE)
    dst = files(tmp_path / "d", OLD)
    run_here("plan", tmp_path / "s", tmp_path / "d", "--backup-dir", tmp_path / "b", "-o", tmp_path / "p.json")
    run_here("apply", tmp_path / "p.json")

    assert held(dst) == TREE
    assert held(files(tmp_path / "b")) == {name: OLD[name] for name in ("b.txt", "deep/gone", "gone/on/e", "z")}


def test_deterministic(tmp_path: Path) -> None:
    """The same two sides give the same plan, however often it is made."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", OLD)
    texts = [io.StringIO() for _ in range(3)]
    for text in texts:
        write_plan(text, src, dst)
    bodies = {text.getvalue().partition("\n")[2] for text in texts}

    assert len(bodies) == 1


@pytest.mark.parametrize("place", ["memory", "s3"])
def test_plan_of_equal_sides_is_empty(place: str, tmp_path: Path) -> None:
    """After a sync, or a move, there is nothing to plan."""
    src, dst = PLACES[place](tmp_path, TREE), PLACES[place](tmp_path, OLD)
    sync(src, dst)
    file, other = io.StringIO(), io.StringIO()
    totals = write_plan(file, src, dst)
    move(src, dst)
    moved = write_plan(other, src, dst, recipe="move")

    assert (totals.actions, moved.actions) == ({}, {})
