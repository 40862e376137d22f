"""What the matrix of faults is made of: recipes with what they are to come to, and faults for each verb."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from omnistorage.core.driver import Driver
from omnistorage.core.errors import PermissionDenied, StorageError, Unreachable
from omnistorage.core.info import Page
from omnistorage.core.layer import Layer
from omnistorage.storage import Storage
from omnistorage.sync import (
    CheckOptions,
    Compare,
    DedupeOptions,
    Options,
    SavedPlan,
    apply_plan,
    check,
    copy,
    copy_one,
    dedupe,
    move,
    sync,
    verify,
    write_plan,
)
from omnistorage.testing import CutStream, DuplicatePage, Fail, FailBody, Fault, FaultyDriver, ShortListing
from sync_scenes import PLACES, SLOW, Tree, held

T = TypeVar("T")

HERE: Tree = {"a": b"one", "dir/b": b"two", "dir/name": b"renamed", "same": b"=", "z/e": b"five"}
THERE: Tree = {"a": b"old!", "dir/gone": b"x", "same": b"=", "was": b"renamed", "y/gone": b"gone too"}
KEPT = HERE | {path: data for path, data in THERE.items() if path not in HERE}


class Places(NamedTuple):
    """The sides of a run."""

    src: Storage
    dst: Storage
    other: Storage


class End(NamedTuple):
    """How a run says that it ended."""

    errors: int
    code: int


class Recipe(NamedTuple):
    """Something to run, and what it comes to where nothing fails.

    Attributes:
        run: Runs it with options that the matrix may add to.
        dst: What the destination holds then.
        src: What the source holds then.
        lost: Contents that it rightly replaces or deletes.
        other: What the third place holds before.
        here: What the source holds before.
        there: What the destination holds before.
        transfers: It can be tried again by ``attempts``.
    """

    run: Callable[[Places, dict[str, Any]], End]
    dst: Tree
    src: Tree = HERE
    lost: frozenset[bytes] = frozenset()
    other: Tree = {}  # noqa: RUF012 -- a tuple cannot be changed, and no test changes a tree
    here: Tree = HERE
    there: Tree = THERE
    transfers: bool = True


def _run(recipe: Any, **settings: Any) -> Callable[[Places, dict[str, Any]], End]:
    def run(places: Places, more: dict[str, Any]) -> End:
        named = {name: _named(places, value) for name, value in settings.items()}
        result = recipe(places.src, places.dst, Options(**{"transfers": 1, **named, **more}))
        return End(result.errors, result.exit_code)

    return run


def _named(places: Places, value: Any) -> Any:
    if value == "other":
        return places.other
    return (places.other,) if value == ("other",) else value


def _one(path: str, target: str, **how: Any) -> Callable[[Places, dict[str, Any]], End]:
    def run(places: Places, more: dict[str, Any]) -> End:
        result = copy_one(places.src, path, places.dst, target, Options(**more), **how)
        return End(result.errors, result.exit_code)

    return run


def _applied(places: Places, more: dict[str, Any]) -> End:
    # Made where nothing fails, so that the faults meet what carries it out.
    inner = [Storage(attrgetter("inner.inner")(side.driver)) for side in places]
    file = io.StringIO()
    write_plan(file, inner[0], inner[1])
    result = apply_plan(SavedPlan(file), places.src, places.dst, Options(**more))
    return End(result.errors, result.exit_code)


def _checked(places: Places, more: dict[str, Any]) -> End:
    found = check(places.src, places.dst, CheckOptions(by="bytes", checkers=1))
    return End(found.errors, 0 if found.ok else 1)


def _verified(places: Places, more: dict[str, Any]) -> End:
    import hashlib

    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n".encode() for path, data in HERE.items()]
    found = verify(places.dst, sums=lines)
    return End(found.errors, 0 if found.ok else 1)


def _deduped(places: Places, more: dict[str, Any]) -> End:
    found = dedupe(places.dst, DedupeOptions(mode="first"))
    return End(found.errors, 1 if found.errors or found.left else 0)


_REPLACED = frozenset({b"old!"})
_GONE = frozenset({b"old!", b"x", b"gone too"})
_COPIES: Tree = {"a": b"double", "b/c": b"double", "b/d": b"other", "z": b"double"}

RECIPES: dict[str, Recipe] = {
    "copy": Recipe(_run(copy), KEPT, lost=_REPLACED),
    "copy and verify": Recipe(_run(copy, verify=True), KEPT, lost=_REPLACED),
    "copy in place": Recipe(_run(copy, inplace=True), KEPT, lost=_REPLACED),
    "copy without listing": Recipe(_run(copy, traverse=False), KEPT, lost=_REPLACED),
    "copy by hash": Recipe(_run(copy, compare=Compare.HASH), KEPT, lost=_REPLACED),
    "copy where not elsewhere": Recipe(
        _run(copy, compare_with=("other",)),
        {path: data for path, data in KEPT.items() if path != "dir/b"},
        lost=_REPLACED,
        other={"dir/b": b"two", "a": b"something else"},
    ),
    "copy from elsewhere": Recipe(
        _run(copy, copy_from=("other",)), KEPT, lost=_REPLACED, other={"dir/b": b"two", "a": b"something else"}
    ),
    "sync, deletes after": Recipe(_run(sync, empty_dirs=True), HERE, lost=_GONE),
    "sync, deletes during": Recipe(_run(sync, delete_mode="during"), HERE, lost=_GONE),
    "sync, deletes before": Recipe(_run(sync, delete_mode="before"), HERE, lost=_GONE),
    "sync with backup": Recipe(_run(sync, backup="other"), HERE),
    "sync with suffix": Recipe(_run(sync, backup="other", suffix=".old", delete_mode="during"), HERE),
    "sync with renames": Recipe(_run(sync, track_renames=True), HERE, lost=_GONE),
    "sync with renames and backup": Recipe(_run(sync, track_renames=True, backup="other"), HERE),
    "move": Recipe(_run(move, delete_empty_dirs=True), KEPT, {}, lost=_REPLACED),
    "move with backup": Recipe(_run(move, backup="other"), KEPT, {}),
    "copyto": Recipe(_one("dir/b", "a"), THERE | {"a": b"two"}, lost=_REPLACED),
    "moveto": Recipe(
        _one("dir/b", "new/b", delete_source=True),
        THERE | {"new/b": b"two"},
        {path: data for path, data in HERE.items() if path != "dir/b"},
    ),
    "apply": Recipe(_applied, HERE, lost=_GONE),
    "check": Recipe(_checked, HERE, there=HERE, transfers=False),
    "verify": Recipe(_verified, HERE, there=HERE, transfers=False),
    "dedupe": Recipe(_deduped, {"a": b"double", "b/d": b"other"}, there=_COPIES, transfers=False),
}

TRANSFERRING = [name for name, recipe in RECIPES.items() if recipe.transfers]

LOOKING = frozenset({"copy without listing", "copyto", "moveto", "apply"})
"""Recipes that look at single objects before the first transfer, instead of listing them."""

RELATED = {"was": ("dir/name",), "dir/name": ("was",), "dir/b": ("a", "new/b"), "new/b": ("dir/b",)}
"""Paths that have to do with each other: old and new name."""

KINDS = {
    "file": ("file", "file"),
    "memory": ("memory", "memory"),
    "memory to s3": ("memory", "s3"),
    "s3 to file": ("s3", "file"),
    "s3": ("s3", "s3"),
}
"""What the source is, and what the destination and the third place are, by their names in ``PLACES``."""


def kinds_for(name: str) -> list[str]:
    """Return what a recipe is tried with: one of the kinds with S3, with ``OMNISTORAGE_SLOW=1`` all."""
    one = _WITH_S3[[*RECIPES].index(name) % len(_WITH_S3)]
    return [kind for kind in KINDS if SLOW or kind not in _WITH_S3 or kind == one]


def is_tried(kind: str, number: int) -> bool:
    """Say whether one of many cases is tried: with S3 every eighth, unless ``OMNISTORAGE_SLOW=1`` asks for all."""
    return SLOW or kind not in _WITH_S3 or number % 8 == 1


_WITH_S3 = [kind for kind, places in KINDS.items() if "s3" in places]


class Unordered(Fault):
    """Give a page backwards, though the service says that it lists in order."""

    op = "list"

    def page(self, number: int, page: Page, inner: object) -> Page:
        """Return the page, turned around."""
        return msgspec.structs.replace(page, infos=page.infos[::-1])


class Case(NamedTuple):
    """A fault.

    Attributes:
        make: Makes it, for a verb and the number of the call.
        passes: It is gone at the next attempt.
        lies: It gives something wrong without an error, which nobody can know.
    """

    make: Callable[[str, int], Fault]
    passes: bool = False
    lies: bool = False


ANY: dict[str, Case] = {
    "once": Case(lambda verb, at: Fail(verb, at=at, error=Unreachable), passes=True),
    "always": Case(lambda verb, at: Fail(verb, at=at, times=None, error=PermissionDenied)),
    "late": Case(lambda verb, at: Fail(verb, at=at, error=Unreachable, late=True), passes=True),
}
SPECIAL: dict[str, dict[str, Case]] = {
    "get": {
        "cut": Case(lambda verb, at: CutStream(1, at=at), passes=True),
        "short": Case(lambda verb, at: CutStream(1, at=at, error=None), passes=True),
    },
    "put": {"disk": Case(lambda verb, at: FailBody(1, at=at, error=Unreachable), passes=True)},
    "list": {
        "twice": Case(lambda verb, at: DuplicatePage(at), lies=True),
        "lost": Case(lambda verb, at: ShortListing(1, at=at), lies=True),
        "unordered": Case(lambda verb, at: Unordered(), lies=True),
    },
}


def cases_for(verb: str) -> dict[str, Case]:
    """Return what can go wrong with a verb."""
    return ANY | SPECIAL.get(verb, {})


def places_of(kind: str, root: Path, recipe: Recipe) -> Places:
    """Make the three sides of a recipe."""
    src, dst = (PLACES[name] for name in KINDS[kind])
    return Places(src(root / "src", recipe.here), dst(root / "dst", recipe.there), dst(root / "other", recipe.other))


def watched(places: Places) -> tuple[Places, dict[str, FaultyDriver]]:
    """Put a driver that may fail before each side."""
    drivers = {name: FaultyDriver(side.driver) for name, side in zip(Places._fields, places, strict=True)}
    return Places(*map(Storage, drivers.values())), drivers


def ended(recipe: Recipe, places: Places, **more: Any) -> End:
    """Run; what fails as a whole ends with 1."""
    try:
        return recipe.run(places, more)
    except StorageError:
        return End(1, 1)


def verbs_called(recipe: Recipe, kind: str, root: Path) -> Iterator[tuple[str, str, int]]:
    """Run where nothing fails, and yield side, verb and number of calls."""
    places = places_of(kind, root, recipe)
    shown, drivers = watched(places)
    end = ended(recipe, shown)
    assert end == End(0, 0)
    assert (held(places.src), held(places.dst)) == (recipe.src, recipe.dst)
    for side, driver in drivers.items():
        # Closing and describing are no verbs of the service.
        for verb, count in sorted(driver.calls.items()):
            yield side, verb, count


class _Paths(Layer):
    """Writes down which verbs are called on which paths."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.seen: dict[tuple[str, str], None] = {}

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        self.seen[op, path] = None
        return call()


def calls_about_objects(recipe: Recipe, kind: str, root: Path) -> list[tuple[str, str, str]]:
    """Run where nothing fails, and return side, verb and path of the calls about one object."""
    logs = [_Paths(side.driver) for side in places_of(kind, root, recipe)]
    ended(recipe, Places(*map(Storage, logs)))
    objects = recipe.here.keys() | recipe.there.keys() | recipe.dst.keys()
    return [
        (side, verb, path)
        for side, log in zip(Places._fields, logs, strict=True)
        for verb, path in log.seen
        if path in objects
    ]


def missing(recipe: Recipe, places: Places) -> Counter[bytes]:
    """Return what is missing of the contents that there were before."""
    before = set(recipe.here.values()) | set(recipe.there.values()) | set(recipe.other.values())
    now = {data for side in places for data in held(side).values()}
    return Counter(before - now - recipe.lost)
