"""The decision on a pair: rclone's table as a table, and what must hold for every pair."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core.info import ObjectInfo
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.storage import Storage
from omnistorage.sync import Options, copy
from omnistorage.sync.compare import compare, known_hashes_differ
from omnistorage.sync.model import Compare, Policy, Result, Verb
from omnistorage.sync.plan import plan
from omnistorage.sync.recipes import plan as plan_run

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND

Side = tuple[bytes, int]
"""Content, and seconds after NOW."""

ROWS: dict[str, tuple[Side, Side]] = {
    "identical": ((b"x", 0), (b"x", 0)),
    "same size and time, other content": ((b"x", 0), (b"y", 0)),
    "same content, source newer": ((b"x", 100), (b"x", 0)),
    "other content, source newer": ((b"x", 100), (b"y", 0)),
    "other content, source older": ((b"x", 0), (b"y", 100)),
    "same content, source older": ((b"x", 0), (b"x", 100)),
    "sizes differ, same time": ((b"x", 0), (b"yy", 0)),
}

COLUMNS: dict[str, Options] = {
    "default": Options(),
    "-c": Options(compare=Compare.HASH),
    "--size-only": Options(compare=Compare.SIZE),
    "-u": Options(update=True),
    "-u -c": Options(update=True, compare=Compare.HASH),
    "-I": Options(ignore_times=True),
    "--ignore-size": Options(ignore_size=True),
    "--immutable": Options(immutable=True),
}

TABLE = {
    "identical": "skip skip skip skip skip copy skip skip",
    "same size and time, other content": "skip copy skip skip copy copy skip skip",
    "same content, source newer": "touch skip skip touch skip copy touch fail",
    "other content, source newer": "copy copy skip copy copy copy copy fail",
    "other content, source older": "copy copy skip skip skip copy copy fail",
    "same content, source older": "touch skip skip skip skip copy touch fail",
    "sizes differ, same time": "copy copy copy copy copy copy skip fail",
}
"""What rclone does, a word for each of COLUMNS."""

CELLS = [
    pytest.param(row, column, word, id=f"{row}/{column}")
    for row, words in TABLE.items()
    for column, word in zip(COLUMNS, words.split(), strict=True)
]


def _two(row: str) -> tuple[Storage, Storage]:
    src, dst = Storage(MemoryDriver()), Storage(MemoryDriver())
    (here, since), (there, then) = ROWS[row]
    src.write_bytes("f", here, modified=NOW + since * SECOND)
    dst.write_bytes("f", there, modified=NOW + then * SECOND)
    return src, dst


@pytest.mark.parametrize(("row", "column", "word"), CELLS)
def test_the_table(row: str, column: str, word: str) -> None:
    """Rule 7: every cell of the table is what the plan says, and what a run then does."""
    src, dst = _two(row)
    options = COLUMNS[column]
    (here, since), (there, then) = ROWS[row]
    planned = {action.verb for action in plan_run(src, dst, options)} - {Verb.KEEP, Verb.SKIP}
    result = copy(src, dst, options)
    after = dst.stat("f")

    assert planned == ({Verb(word)} if word != "skip" else set())
    assert dst.read_bytes("f") == (here if word == "copy" else there)
    assert after.mtime_ns == NOW + SECOND * (since if word in ("copy", "touch") else then)
    assert (result.transferred, result.touched, result.exit_code) == (
        int(word == "copy"),
        int(word == "touch"),
        6 if word == "fail" else 0,
    )


@pytest.mark.parametrize(("row", "column", "word"), CELLS)
def test_the_table_without_a_look(row: str, column: str, word: str) -> None:
    """Where listings do not settle a cell, ``compare`` asks for the content; else it says what the table says."""
    (here, since), (there, then) = ROWS[row]
    options = COLUMNS[column]
    policy = Policy(
        compare=options.compare,
        update=options.update,
        ignore_times=options.ignore_times,
        ignore_size=options.ignore_size,
        immutable=options.immutable,
        hash_name="md5",
    )
    src = ObjectInfo("f", size=len(here), mtime_ns=NOW + since * SECOND)
    dst = ObjectInfo("f", size=len(there), mtime_ns=NOW + then * SECOND)
    verb, reason = compare(src, dst, policy)
    fitting = {"skip": {Verb.KEEP, Verb.SKIP}, "touch": {Verb.TOUCH}, "copy": {Verb.COPY}, "fail": {Verb.FAIL}}

    assert verb is Verb.COMPARE or verb in fitting[word]
    assert reason


def _info(**fields: object) -> ObjectInfo:
    return msgspec.structs.replace(ObjectInfo("f", size=1, mtime_ns=NOW), **fields)


@pytest.mark.parametrize(
    ("src", "dst", "policy", "verb"),
    [
        pytest.param({"mtime_ns": NOW + 99}, {}, {"window_ns": 100}, Verb.KEEP, id="within the window"),
        pytest.param({"mtime_ns": NOW + 100}, {}, {"window_ns": 100}, Verb.COPY, id="the window is not included"),
        pytest.param({"mtime_ns": NOW - 99}, {}, {"window_ns": 100}, Verb.KEEP, id="older, within the window"),
        pytest.param({"mtime_ns": NOW - 100}, {}, {"window_ns": 100}, Verb.COPY, id="older than the window"),
        pytest.param({"mtime_ns": NOW - 99}, {}, {"window_ns": 100, "update": True}, Verb.KEEP, id="-u, within"),
        pytest.param({"mtime_ns": NOW - 100}, {}, {"window_ns": 100, "update": True}, Verb.SKIP, id="-u, beyond"),
        pytest.param(
            {"size": 2}, {}, {"ignore_existing": True, "ignore_times": True}, Verb.SKIP, id="existing first"
        ),
        pytest.param({}, {}, {"ignore_times": True, "immutable": True}, Verb.COPY, id="-I before --immutable"),
        pytest.param({}, {}, {"compare": Compare.HASH}, Verb.KEEP, id="-c without a hash is size only"),
        pytest.param({}, {}, {"compare": Compare.HASH, "hash_name": "md5"}, Verb.COMPARE, id="-c with a hash"),
        pytest.param(
            {},
            {},
            {"compare": Compare.HASH, "hash_name": "md5", "immutable": True},
            Verb.COMPARE,
            id="-c --immutable looks before it fails",
        ),
        pytest.param(
            {"hashes": {"md5": "a"}}, {"hashes": {"md5": "b"}}, {"compare": Compare.HASH}, Verb.COPY, id="hash"
        ),
        pytest.param(
            {"hashes": {"md5": "a"}}, {"hashes": {"md5": "a"}}, {"compare": Compare.HASH}, Verb.KEEP, id="same"
        ),
        pytest.param(
            {"hashes": {"md5": "a"}, "mtime_ns": NOW + 5},
            {"hashes": {"md5": "a"}},
            {},
            Verb.TOUCH,
            id="free hash, time",
        ),
        pytest.param(
            {"hashes": {"md5": "a"}, "mtime_ns": NOW + 5},
            {"hashes": {"md5": "a"}},
            {"touch": False},
            Verb.KEEP,
            id="--no-update-modtime",
        ),
        pytest.param({"size": None}, {}, {"has_times": False}, Verb.COPY, id="nothing is known"),
        pytest.param({"size": None, "mtime_ns": None}, {}, {}, Verb.COPY, id="nothing is known of this one"),
        pytest.param({"mtime_ns": None}, {}, {}, Verb.KEEP, id="no time here: size decides"),
        pytest.param(
            {"mtime_ns": None, "hashes": {"md5": "a"}},
            {"hashes": {"md5": "b"}},
            {},
            Verb.COPY,
            id="no time: free hash",
        ),
        pytest.param(
            {"hashes": {"md5": "a"}},
            {"mtime_ns": None, "hashes": {"md5": "a"}},
            {},
            Verb.KEEP,
            id="no time: same hash",
        ),
        pytest.param({"mtime_ns": None}, {}, {"hash_name": "md5"}, Verb.COMPARE, id="no time: a hash can be had"),
        pytest.param(
            {"mtime_ns": None, "hashes": {"md5": "a"}},
            {"hashes": {"md5": "b"}},
            {"has_times": False},
            Verb.KEEP,
            id="times that are not kept: size decides",
        ),
        pytest.param({"size": None}, {}, {}, Verb.KEEP, id="no size here: time decides"),
        pytest.param({"mtime_ns": NOW + 5}, {}, {"has_times": False}, Verb.KEEP, id="times that mean nothing"),
        pytest.param({"size": 2}, {}, {"has_times": False, "ignore_size": True}, Verb.KEEP, id="nothing to look at"),
        pytest.param({"size": 0}, {"size": 0}, {"compare": Compare.SIZE}, Verb.KEEP, id="both empty"),
    ],
)
def test_fine_points(src: dict[str, object], dst: dict[str, object], policy: dict[str, object], verb: Verb) -> None:
    """Windows are strict, the order of the questions is fixed, and what is not known is never held for equal."""
    found, reason = compare(_info(**src), _info(**dst), msgspec.structs.replace(Policy(), **policy))

    assert found is verb, reason


def test_hashes_that_are_not_shared() -> None:
    """Different hash names prove nothing."""
    assert known_hashes_differ(_info(hashes={"md5": "a"}), _info(hashes={"sha1": "a"})) is None
    assert known_hashes_differ(_info(hashes={"md5": "a"}), _info()) is None


infos = st.builds(
    ObjectInfo,
    st.just("f"),
    size=st.none() | st.integers(0, 3),
    mtime_ns=st.none() | st.integers(NOW, NOW + 4),
    hashes=st.dictionaries(st.sampled_from(["md5", "sha1"]), st.sampled_from(["a", "b"])),
)
policies = st.builds(
    Policy,
    compare=st.sampled_from(Compare),
    window_ns=st.integers(1, 3),
    update=st.booleans(),
    ignore_times=st.booleans(),
    ignore_existing=st.booleans(),
    ignore_size=st.booleans(),
    immutable=st.booleans(),
    touch=st.booleans(),
    move=st.booleans(),
    has_times=st.booleans(),
    hash_name=st.none() | st.just("md5"),
)


@given(infos, infos, policies)
def test_pure(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> None:
    """The same pair always gets the same verdict, and one that can be carried out."""
    before = msgspec.structs.astuple(src), msgspec.structs.astuple(dst)
    verdict = compare(src, dst, policy)

    assert compare(src, dst, policy) == verdict
    assert (msgspec.structs.astuple(src), msgspec.structs.astuple(dst)) == before
    assert verdict[0] in (Verb.KEEP, Verb.COPY, Verb.TOUCH, Verb.SKIP, Verb.FAIL, Verb.COMPARE)
    assert verdict[0] is not Verb.TOUCH or src.mtime_ns is not None


@given(infos, infos, policies)
def test_the_quick_way_is_the_long_way(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> None:
    """What the plan decides at a glance is what the rules decide."""
    quick = list(plan([(src, dst)], policy, Result(failures=[])))
    slow = list(plan([(src, dst)], policy, Result(failures=[]), every=True))

    assert [action for action in slow if action.verb is not Verb.KEEP] == quick


@given(infos, infos, policies)
def test_a_source_is_never_given_up_unseen(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> None:
    """Rule 4: a move keeps nothing as equal without a look at the content."""
    moving = msgspec.structs.replace(policy, move=True)
    verbs = {action.verb for action in plan([(src, dst)], moving, Result(failures=[]))}

    assert verbs <= {Verb.COMPARE, Verb.COPY, Verb.SKIP, Verb.FAIL}
