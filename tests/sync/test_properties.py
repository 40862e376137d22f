"""What is true of any two trees and any options: plans, guards, dry runs, and what follows from them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError, Unreachable
from omnistorage.core.info import DIR, FILE, Kind, ObjectInfo, Page
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.storage import Storage
from omnistorage.sync import (
    Action,
    CheckOptions,
    Compare,
    GuardError,
    Options,
    Policy,
    Result,
    Verb,
    check,
    copy,
    execute,
    move,
    sync,
)
from omnistorage.sync import plan as planned
from omnistorage.sync.plan import plan
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import NEWER, OLDER, PLACES, WHEN, Counting, Tree, files, fill, held, on_s3

NAMES = ["a", "b", "a-", "é", "B"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(PATHS, st.sampled_from([b"", b"1", b"2", b"longer", b"content"]), max_size=8)
TIMES = st.sampled_from([OLDER, WHEN, NEWER])
ENTRY = st.tuples(
    st.sampled_from([FILE, FILE, DIR, Kind.LINK]), st.sampled_from([0, 3, None]), st.one_of(st.none(), TIMES)
)
SIDE = st.dictionaries(PATHS, ENTRY, max_size=6)
FLAGS = (
    *("update", "ignore_times", "ignore_existing", "ignore_size", "immutable", "touch"),
    *("delete", "move", "empty_dirs", "has_times", "has_dirs"),
)
COUNTERS = (
    *("listed", "checked", "equal", "planned", "planned_bytes", "transferred", "bytes", "touched", "renamed"),
    *("deleted", "deleted_bytes", "deleted_dirs", "made_dirs", "deleted_sources", "skipped", "protected"),
    *("errors", "exit_code"),
)
POLICIES = st.builds(
    Policy,
    compare=st.sampled_from(Compare),
    **{name: st.booleans() for name in FLAGS},
    hash_name=st.sampled_from([None, "md5"]),
)


Way = tuple[str, str]

IN_MEMORY: Way = ("memory", "memory")
WITH_S3 = st.sampled_from([("memory", "s3"), ("s3", "memory"), ("s3", "s3")])
"""What source and destination are, by their names in ``PLACES``."""


def _sides(way: Way, here: Tree, there: Tree, when: int = WHEN) -> tuple[Storage, Storage]:
    src, dst = (PLACES[name](Path(), {}) for name in way)
    return fill(src, here, when=when), fill(dst, there)


def _possible(tree: Tree, *others: Tree) -> Tree:
    """Leave out what stands where another path has a directory."""
    paths = {path for one in (tree, *others) for path in one}
    return {path: data for path, data in tree.items() if not any(one.startswith(path + "/") for one in paths)}


def _infos(side: dict[str, Any]) -> dict[str, ObjectInfo]:
    return {path: ObjectInfo(path, *facts) for path, facts in side.items()}


@given(SIDE, SIDE, POLICIES, st.booleans())
def test_plan_is_pure(here: dict[str, Any], there: dict[str, Any], policy: Policy, every: bool) -> None:
    """The same pairs give the same actions and counters, each path at most one, and deletes only if asked for."""
    src, dst = _infos(here), _infos(there)
    order = sorted(src.keys() | dst.keys(), key=lambda path: path.encode())
    pairs = [(src.get(path), dst.get(path)) for path in order]
    counters = [Result(), Result()]
    first, second = (list(plan(iter(pairs), policy, one, every=every)) for one in counters)
    deletes = {action.path for action in first if action.verb in (Verb.DELETE, Verb.RMDIR)}

    assert first == second
    assert counters[0] == counters[1]
    assert len({action.path for action in first}) == len(first)
    assert deletes <= ((dst.keys() - src.keys()) if policy.delete else set())
    assert {action.path for action in first} <= set(order)


def test_plan_reaches_no_storage() -> None:
    """Deciding knows nothing of storages, clocks and logs, by what its rooms import."""
    for room in ("plan", "compare", "model"):
        names = vars(sys.modules[f"omnistorage.sync.{room}"])
        assert not {"time", "logging", "os", "Storage", "Driver", "datetime"} & names.keys()


# Options after which both sides are equal, whatever was there.
LEVELLING = st.builds(
    Options,
    compare=st.sampled_from([Compare.MTIME, Compare.HASH]),
    ignore_times=st.booleans(),
    delete_mode=st.sampled_from(["before", "during", "after"]),
    order_by=st.sampled_from(["", "size", "name,desc", "modtime,mixed,30"]),
    check_first=st.booleans(),
    verify=st.booleans(),
    inplace=st.booleans(),
    empty_dirs=st.booleans(),
    transfers=st.integers(1, 4),
    attempts=st.integers(1, 3),
    suffix=st.just(""),
    allow_empty_source=st.just(True),
)


@given(TREES, TREES, TIMES, LEVELLING)
def test_levels(here: Tree, there: Tree, when: int, options: Options) -> None:
    """A sync makes the destination like the source; a check finds nothing then, and a second sync does nothing."""
    _levels(IN_MEMORY, here, there, when, options)


@on_s3
@given(WITH_S3, TREES, TREES, TIMES, LEVELLING)
def test_levels_on_s3(way: Way, here: Tree, there: Tree, when: int, options: Options) -> None:
    """So it does from, to and within S3."""
    _levels(way, here, there, when, options)


def _levels(way: Way, here: Tree, there: Tree, when: int, options: Options) -> None:
    here, there = _possible(here, there), _possible(there, here)
    if options.compare is Compare.MTIME and not options.ignore_times and when == WHEN:
        # Of equal size and time but other bytes: told apart by contents only, which was not asked for.
        there = {path: data for path, data in there.items() if path not in here or len(here[path]) != len(data)}
    src, dst = _sides(way, here, there, when)
    sync(src, dst, options)
    found = check(src, dst, CheckOptions(by="bytes"))
    counting = Counting(dst.driver)
    again = sync(src, Storage(counting), msgspec.structs.replace(options, ignore_times=False))

    assert held(dst) == here
    assert found.ok
    assert found.matches == len(here)
    assert (again.changed, again.errors) == (0, 0)
    assert counting.writes == {}


@given(TREES, TREES, TIMES, LEVELLING, st.booleans(), st.sampled_from([sync, copy, move]))
def test_dry_run_tells_what_comes(
    here: Tree, there: Tree, when: int, options: Options, update: bool, run: Any
) -> None:
    """Rule 7: a dry run counts what the run will do, and touches neither side."""
    _tells(IN_MEMORY, here, there, when, options, update, run)


@on_s3
@given(WITH_S3, TREES, TREES, TIMES, LEVELLING, st.booleans(), st.sampled_from([sync, copy, move]))
def test_dry_run_tells_what_comes_on_s3(
    way: Way, here: Tree, there: Tree, when: int, options: Options, update: bool, run: Any
) -> None:
    """Rule 7: so it does from, to and within S3."""
    _tells(way, here, there, when, options, update, run)


def _tells(way: Way, here: Tree, there: Tree, when: int, options: Options, update: bool, run: Any) -> None:
    here, there = _possible(here, there), _possible(there, here)
    src, dst = _sides(way, here, there, when)
    options = msgspec.structs.replace(options, update=update, transfers=1)
    one, two = Counting(src.driver), Counting(dst.driver)
    dry = run(Storage(one), Storage(two), msgspec.structs.replace(options, dry_run=True))
    before = held(src), held(dst)
    real = run(src, dst, options)

    assert before == (here, there)
    assert (one.writes, two.writes) == ({}, {})
    for name in COUNTERS:
        assert getattr(dry, name) == getattr(real, name), name


LIMITS = (st.integers(0, 4), st.one_of(st.none(), st.integers(0, 12)), st.booleans())


@given(TREES, TREES, *LIMITS)
def test_guards_bound_deletes(here: Tree, there: Tree, most: int, size: int | None, empty: bool) -> None:
    """Rule 3: either no more is deleted than allowed, or nothing at all is changed; a plan says so beforehand."""
    _guards_bound(IN_MEMORY, here, there, most, size, empty)


@on_s3
@given(WITH_S3, TREES, TREES, *LIMITS)
def test_guards_bound_deletes_on_s3(
    way: Way, here: Tree, there: Tree, most: int, size: int | None, empty: bool
) -> None:
    """Rule 3: so it is from, to and within S3."""
    _guards_bound(way, here, there, most, size, empty)


def _guards_bound(way: Way, here: Tree, there: Tree, most: int, size: int | None, empty: bool) -> None:
    here, there = _possible(here, there), _possible(there, here)
    extra = {path: data for path, data in there.items() if path not in here}
    allowed = len(extra) <= most and (size is None or sum(map(len, extra.values())) <= size)
    allowed = allowed and (bool(here) or not extra or empty)
    options = Options(max_delete=most, max_delete_size=size, allow_empty_source=empty)
    src, dst = _sides(way, here, there)
    try:
        result = sync(src, dst, options)
    except GuardError:
        assert not allowed
        assert held(dst) == there
        return

    assert allowed
    assert result.deleted == len(extra)
    assert held(dst).keys() == here.keys()


class _Failing(FaultyDriver):
    """Notes which listings came to their end, and which did not."""

    def __init__(self, inner: Driver, at: int) -> None:
        super().__init__(inner, Fail("list", at=at, error=Unreachable))
        self.ended: set[str] = set()
        self.failed: set[str] = set()

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        try:
            found = super().list(path, recursive=recursive, page=page)
        except Unreachable:
            self.failed.add(path)
            raise
        if found.next is None:
            self.ended.add(path)
        return found


class _Deletes(Counting):
    """Calls ``look`` with each path that is deleted, before it is."""

    def __init__(self, inner: Driver, look: Callable[[str], object]) -> None:
        super().__init__(inner)
        self._look = look

    def delete(self, path: str) -> None:
        self._look(path)
        super().delete(path)


@settings(max_examples=100)
@given(
    TREES.filter(bool),
    TREES,
    st.integers(1, 8),
    st.sampled_from(["before", "during", "during", "after"]),
    st.integers(1, 3),
    st.one_of(st.none(), st.none(), st.integers(0, 3)),
)
def test_deletes_are_proven(
    tmp_path_factory: Any, here: Tree, there: Tree, at: int, mode: Any, size: int, most: int | None
) -> None:
    """Rule 2: whichever page of a listing fails, nothing is deleted whose absence was not proven by then."""
    here, there = _possible(here, there), _possible(there, here)
    root = tmp_path_factory.mktemp("any")
    (root / "s").mkdir()
    driver = FileDriver(FileOptions(root=str(root / "s"), page_size=size))
    fill(Storage(driver), here)
    # Both of this machine: then one thread does all, and what comes first is no matter of luck.
    failing, inner = _Failing(driver, at), files(root / "d", there)
    dirs = {path[:end] for path in here for end, letter in enumerate(path) if letter == "/"}
    unproven: list[str] = []

    def look(path: str) -> None:
        """The deepest directory above that the source has, too, tells that the path is not there."""
        above = [path[:end] for end, letter in enumerate(path) if letter == "/" and path[:end] in dirs]
        if (above[-1] if above else "") not in failing.ended:
            unproven.append(path)

    dst = Storage(_Deletes(inner.driver, look))
    options = Options(delete_mode=mode, max_delete=most, ignore_times=True, transfers=1)
    result = None
    refused = False
    try:
        with pytest.MonkeyPatch.context() as patch:
            # As if there were thousands: what is ripe is deleted after each transfer.
            patch.setattr(execute, "BATCH_COUNT", 1)
            result = sync(Storage(failing), dst, options)
    except GuardError:
        refused = True
    except StorageError:
        assert failing.failed == {""}
    after = held(inner)
    gone = there.keys() - after.keys()
    below = {path for path in there.keys() - here.keys() if any(path.startswith(f"{one}/") for one in failing.failed)}

    assert unproven == []
    assert gone <= there.keys() - here.keys()
    assert not refused or after == there
    assert most is None or len(gone) <= most
    if result is not None:
        assert result.errors == len(failing.failed)
        # In the midst of a run a directory may be over whose parent fails later.
        assert gone >= there.keys() - here.keys() - below
        assert mode == "during" or gone.isdisjoint(below)
    elif mode != "during":
        assert not gone


@given(TREES, TREES)
def test_plan_is_what_is_done(here: Tree, there: Tree) -> None:
    """Rule 7: the actions of a plan are those of the run, and asking for a plan twice gives it twice."""
    foretold, done = _foretold_and_done(IN_MEMORY, here, there)

    assert done == foretold


@on_s3
@given(WITH_S3, TREES, TREES)
def test_plan_is_what_is_done_on_s3(way: Way, here: Tree, there: Tree) -> None:
    """Rule 7: so it is from, to and within S3; what is read tells a time that no listing did."""
    foretold, done = ([_untimed(one) for one in actions] for actions in _foretold_and_done(way, here, there))

    assert done == foretold


def _untimed(action: Action) -> Action:
    infos = (info and msgspec.structs.replace(info, mtime_ns=None) for info in (action.src, action.dst))
    return msgspec.structs.replace(action, **dict(zip(("src", "dst"), infos, strict=True)))


def _foretold_and_done(way: Way, here: Tree, there: Tree) -> tuple[list[Action], list[Action]]:
    here, there = _possible(here, there), _possible(there, here)
    src, dst = _sides(way, here, there)
    options = Options(allow_empty_source=True, transfers=1)
    first, second = list(planned(src, dst, options)), list(planned(src, dst, options))
    done: list[Action] = []
    sync(src, dst, options, observer=lambda event: done.append(event.outcome.action) if event.outcome else None)

    assert first == second
    return first, done
