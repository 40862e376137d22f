"""Each verb that a recipe calls fails in turn, on each side, in each way: nothing is lost, and all is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from fault_scenes import (
    LOOKING,
    RECIPES,
    RELATED,
    TRANSFERRING,
    Case,
    End,
    Places,
    Recipe,
    calls_about_objects,
    cases_for,
    ended,
    is_tried,
    kinds_for,
    missing,
    places_of,
    verbs_called,
    watched,
)
from omnistorage.core.errors import PermissionDenied
from omnistorage.testing import Fail
from sync_scenes import held, leftovers

ALL = [pytest.param(name, kind, id=f"{name}, {kind}") for name in RECIPES for kind in kinds_for(name)]


def _turns(count: int, kind: str) -> list[int]:
    """Return the calls that fail: the first and the last, and where that is cheap one between."""
    return sorted({1, (count + 1) // 2, count} if kind == "memory" else {1, count})


def _is_over(recipe: Recipe, places: Places) -> bool:
    """Say whether there is nothing left to run for: one object that was moved is not there any more."""
    return recipe is RECIPES["moveto"] and "dir/b" not in held(places.src)


def _is_excused(name: str, side: str, case: Case) -> bool:
    """Say whether contents may be missing: what a listing kept quiet about gets no backup."""
    return case.lies and side == "dst" and "with" in name


def _old_or_new(recipe: Recipe, path: str, data: bytes) -> bool:
    if recipe is RECIPES["copy in place"]:
        # Asked for: what is being written has any bytes.
        return path in recipe.dst
    return data in (recipe.dst.get(path), recipe.there.get(path))


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_each_verb(name: str, kind: str, tmp_path: Path) -> None:
    """Rules 1, 4, 8: no content is lost, paths hold old or new bytes, what is not done is told, a rerun converges."""
    recipe = RECIPES[name]
    tried = 0
    for side, verb, count in list(verbs_called(recipe, kind, tmp_path / "clean")):
        for how, case in cases_for(verb).items():
            for at in _turns(count, kind):
                tried += 1
                if not is_tried(kind, tried):
                    continue
                where = f"{side}.{verb} {how} at {at}"
                root = tmp_path / str(tried)
                places = places_of(kind, root, recipe)
                shown, drivers = watched(places)
                drivers[side].add(case.make(verb, at))
                end = ended(recipe, shown)
                after, left = held(places.dst), leftovers(root)
                done = (held(places.src), after) == (recipe.src, recipe.dst)
                lost = missing(recipe, places)
                drivers[side].heal()
                again = End(0, 0) if _is_over(recipe, places) else ended(recipe, shown)

                assert _is_excused(name, side, case) or not lost, where
                assert all(_old_or_new(recipe, *item) for item in after.items()), where
                assert (end.errors > 0) <= (end.code != 0), where
                assert case.lies or done or end.code != 0, where
                assert again == End(0, 0), where
                # Which copy is the first is what the listing says.
                if not (name == "dedupe" and case.lies):
                    assert (held(places.src), held(places.dst)) == (recipe.src, recipe.dst), where
                assert left == [], where
    # Of one object that the service copies itself there are three calls, not four.
    assert tried >= (9 if kind == "s3" else 10)


TRANSFERS = [pytest.param(name, kind, id=f"{name}, {kind}") for name in TRANSFERRING for kind in kinds_for(name)]


@pytest.mark.parametrize(("name", "kind"), TRANSFERS)
def test_one_path_fails(name: str, kind: str, tmp_path: Path) -> None:
    """Rule 8: what always fails about one object ends nothing but that object, and all others converge."""
    recipe = RECIPES[name]
    for turn, (side, verb, path) in enumerate(calls_about_objects(recipe, kind, tmp_path / "clean")):
        if not is_tried(kind, turn):
            continue
        where = f"{side}.{verb} of {path}"
        places = places_of(kind, tmp_path / str(turn), recipe)
        shown, drivers = watched(places)
        drivers[side].add(Fail(verb, path=path, times=None, error=PermissionDenied))
        if name == "apply" and verb == "stat":
            # It is refused as a whole if one path cannot be looked at.
            assert ended(recipe, shown) == End(1, 1), where
            assert (held(places.src), held(places.dst)) == (recipe.here, recipe.there), where
            continue
        end = ended(recipe, shown)
        after, source = held(places.dst), held(places.src)
        wrong = {one for one in after.keys() | recipe.dst.keys() if after.get(one) != recipe.dst.get(one)}
        wrong |= {one for one in source.keys() | recipe.src.keys() if source.get(one) != recipe.src.get(one)}

        assert not missing(recipe, places), where
        assert wrong <= {path, *RELATED.get(path, ())}, where
        assert end.code != 0 or not wrong, where
        assert end.errors <= 1 + len(RELATED.get(path, ())), where


@pytest.mark.parametrize(("name", "kind"), TRANSFERS)
def test_attempts(name: str, kind: str, tmp_path: Path) -> None:
    """What passes is healed by another attempt, counts as done, and as no failure."""
    recipe = RECIPES[name]
    turn = 0
    for side, verb, path in calls_about_objects(recipe, kind, tmp_path / "clean"):
        for how, case in cases_for(verb).items():
            if not case.passes or (verb == "stat" and name in LOOKING):
                # What is asked before the first transfer is not repeated by this, but by ``layers.retry``.
                continue
            turn += 1
            if not is_tried(kind, turn):
                continue
            where = f"{side}.{verb} of {path} {how}"
            places = places_of(kind, tmp_path / str(turn), recipe)
            shown, drivers = watched(places)
            fault = case.make(verb, 1)
            fault.path = path
            drivers[side].add(fault)
            end = ended(recipe, shown, attempts=3)

            assert not missing(recipe, places), where
            assert end == End(0, 0), where
            assert (held(places.src), held(places.dst)) == (recipe.src, recipe.dst), where
