"""The plan: a function from pairs to actions."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core.info import DIR, FILE, LINK, OTHER, ObjectInfo
from omnistorage.sync.model import Action, Compare, Policy, Result, Verb
from omnistorage.sync.pairing import pair
from omnistorage.sync.plan import plan

SYNC = Policy(delete=True)
Words = list[tuple[str, str]]


def _infos(*texts: str) -> list[ObjectInfo]:
    """Make a listing: ``a`` a file, ``a=2`` one with other content and time, ``a/`` a directory, ``a@`` a link."""
    infos = []
    for text in texts:
        path, _, version = text.partition("=")
        kind = {"/": DIR, "@": LINK, "|": OTHER}.get(path[-1], FILE)
        size = int(version or 1)
        infos.append(
            ObjectInfo(path if kind is FILE else path[:-1], kind, size if kind is FILE else None, 1000 + size)
        )
    return sorted(infos, key=lambda info: info.order)


def _plan(src: list[ObjectInfo], dst: list[ObjectInfo], policy: Policy = SYNC, **how: bool) -> list[Action]:
    return list(plan(pair([src], [dst]), policy, Result(failures=[]), **how))


def _words(actions: list[Action]) -> Words:
    return [(action.verb.value, action.path) for action in actions]


@pytest.mark.parametrize(
    ("src", "dst", "words"),
    [
        pytest.param("", "", [], id="nothing"),
        pytest.param("a", "", [("copy", "a")], id="new"),
        pytest.param("a", "a", [], id="equal"),
        pytest.param("a=2", "a", [("copy", "a")], id="changed"),
        pytest.param("", "a", [("delete", "a")], id="gone"),
        pytest.param("a/ a/b", "", [("copy", "a/b")], id="directories are made by what stands in them"),
        pytest.param(
            "",
            "a/ a/b a/c/ a/c/d",
            [("delete", "a/b"), ("delete", "a/c/d"), ("rmdir", "a/c"), ("rmdir", "a")],
            id="tree",
        ),
        pytest.param("", "a/ b/", [("rmdir", "a"), ("rmdir", "b")], id="empty directories"),
        pytest.param("a/ a/b", "a/ a/b a/c/", [("rmdir", "a/c")], id="a directory that is kept"),
        pytest.param("a/b", "a/ a/b a/c/ a/c/d", [("delete", "a/c/d"), ("rmdir", "a/c")], id="flat source"),
        pytest.param(
            "a/z", "a/ a/c/ a/c/d a/z", [("delete", "a/c/d"), ("rmdir", "a/c")], id="flat source, later file"
        ),
        pytest.param("a/z", "a/ a/c/", [("copy", "a/z"), ("rmdir", "a/c")], id="flat source, new file"),
        pytest.param("a/", "a/ a/b", [("delete", "a/b")], id="empty at the source, full at the destination"),
        pytest.param("a", "a/ a/b z", [("fail", "a"), ("delete", "z")], id="file over directory"),
        pytest.param("a/ a/b", "a z", [("fail", "a"), ("delete", "z")], id="directory over file"),
        pytest.param("a/ a/b a-c", "a", [("fail", "a"), ("copy", "a-c")], id="a name between"),
        pytest.param(
            "a a-b", "a/ a/k a-b/ a-b/k b", [("fail", "a-b"), ("fail", "a"), ("delete", "b")], id="two clashes"
        ),
        pytest.param("a/ a/b", "a@", [("fail", "a")], id="never through a link at the destination"),
        pytest.param("a", "a@", [("copy", "a")], id="a link is replaced, not written through"),
        pytest.param("a@", "", [("skip", "a")], id="link"),
        pytest.param("a@", "a", [("skip", "a")], id="a link keeps what is there"),
        pytest.param("a@", "a/ a/b", [("skip", "a")], id="a link keeps the directory that is there"),
        pytest.param("a|", "a/ a/b a/c/", [("skip", "a")], id="a FIFO keeps it, too"),
    ],
)
def test_sync(src: str, dst: str, words: Words) -> None:
    """Rules 2, 7, 11: what is new or differs is copied, the rest deleted, clashes block only themselves."""
    assert sorted(_words(_plan(_infos(*src.split()), _infos(*dst.split())))) == sorted(words)


def test_directories_go_after_their_content() -> None:
    """A directory is removed after all that stands in it, the deepest first."""
    words = _words(_plan([], _infos("a/", "a/b/", "a/b/c", "a/b/c0/", "a/d")))

    assert words == [
        ("delete", "a/b/c"),
        ("rmdir", "a/b/c0"),
        ("rmdir", "a/b"),
        ("delete", "a/d"),
        ("rmdir", "a"),
    ]


@pytest.mark.parametrize(
    ("src", "dst", "policy", "words"),
    [
        pytest.param("a", "b c/", {"delete": False}, [("copy", "a")], id="copy deletes nothing"),
        pytest.param("q/", "", {"empty_dirs": True}, [("mkdir", "q")], id="--create-empty-src-dirs"),
        pytest.param("q/", "", {"empty_dirs": True, "has_dirs": False}, [], id="where there are none"),
        pytest.param("", "q/ q/a", {"has_dirs": False}, [("delete", "q/a")], id="prefixes are not removed"),
        pytest.param("a", "a", {"move": True, "delete": False}, [("compare", "a")], id="move wants proof"),
        pytest.param(
            "a=2", "a", {"move": True, "delete": False, "ignore_existing": True}, [("skip", "a")], id="kept"
        ),
        pytest.param("a=2", "a", {"immutable": True}, [("fail", "a")], id="immutable"),
        pytest.param("a=2", "a", {"compare": Compare.SIZE}, [("copy", "a")], id="size"),
    ],
)
def test_policies(src: str, dst: str, policy: dict[str, object], words: Words) -> None:
    """Each setting changes what it is about."""
    asked = msgspec.structs.replace(SYNC, **policy)

    assert _words(_plan(_infos(*src.split()), _infos(*dst.split()), asked)) == words


def test_immutable_has_its_code() -> None:
    """A change to what must not change ends with 6, a clash with 1."""
    immutable = msgspec.structs.replace(SYNC, immutable=True)
    actions = _plan(_infos("a=2", "b"), _infos("a", "b/"), immutable)

    assert [(action.path, action.exit_code) for action in actions] == [("a", 6), ("b", 1)]


def test_every_asks_for_all() -> None:
    """``every`` gives one action for each path, also for what needs nothing; the counters stay the same."""
    src, dst = _infos("a", "b=2", "c/", "c/d"), _infos("a", "b", "c/", "c/d")
    brief, full = Result(failures=[]), Result(failures=[])
    list(plan(pair([src], [dst]), SYNC, brief))
    actions = list(plan(pair([src], [dst]), SYNC, full, every=True))

    assert _words(actions) == [("keep", "a"), ("copy", "b"), ("keep", "c"), ("keep", "c/d")]
    assert (full.checked, full.equal) == (brief.checked, brief.equal) == (3, 2)


def test_reasons() -> None:
    """Rule 7: every action says why."""
    actions = _plan(_infos("a", "b=2", "c@", "d"), _infos("b", "d/", "e", "f/"))

    assert all(action.reason for action in actions)
    assert len(actions) == 6


# -- properties ------------------------------------------------------------------------------------------------

names = st.sampled_from(["a", "a-", "b", "c.d"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
contents = st.integers(1, 3)
trees = st.dictionaries(paths, contents, max_size=10).map(
    lambda files: {
        path: size for path, size in files.items() if not any(other.startswith(path + "/") for other in files)
    }
)
"""Path to content; no path is a directory as well."""


def _listing(tree: dict[str, int], *, flat: bool) -> list[ObjectInfo]:
    above = {path[:at] for path in tree for at, letter in enumerate(path) if letter == "/"}
    infos = [ObjectInfo(path, FILE, size, 1000 + size) for path, size in tree.items()]
    infos += [] if flat else [ObjectInfo(path, DIR) for path in above]
    return sorted(infos, key=lambda info: info.order)


def _applied(actions: list[Action], src: dict[str, int], dst: dict[str, int]) -> dict[str, int]:
    after = dict(dst)
    for action in actions:
        if action.verb is Verb.COPY:
            after[action.path] = src[action.path]
        elif action.verb is Verb.DELETE:
            del after[action.path]
    return after


@given(trees, trees, st.booleans(), st.booleans())
def test_applied_the_plan_gives_the_source(
    src: dict[str, int], dst: dict[str, int], flat_src: bool, flat_dst: bool
) -> None:
    """Rule 7: a destination on which the plan was carried out is the source, except below clashes."""
    policy = msgspec.structs.replace(SYNC, has_dirs=not flat_dst)
    actions = _plan(_listing(src, flat=flat_src), _listing(dst, flat=flat_dst), policy)
    clashes = [action.path for action in actions if action.verb is Verb.FAIL]
    after = _applied(actions, src, dst)

    def apart(tree: dict[str, int]) -> dict[str, int]:
        return {
            path: size
            for path, size in tree.items()
            if path not in clashes and not any(path.startswith(one + "/") for one in clashes)
        }

    assert apart(after) == apart(src)
    for path in clashes:
        below = {one: size for one, size in dst.items() if one == path or one.startswith(path + "/")}

        assert below.items() <= after.items()


@given(trees, trees)
def test_deletes_are_of_the_destination_alone(src: dict[str, int], dst: dict[str, int]) -> None:
    """Rule 2: nothing is deleted that the source has, no directory that holds something of it, and nothing twice."""
    actions = _plan(_listing(src, flat=False), _listing(dst, flat=False))
    deleted = [action.path for action in actions if action.verb is Verb.DELETE]
    removed = [action.path for action in actions if action.verb is Verb.RMDIR]

    assert len(deleted) == len(set(deleted))
    assert len(removed) == len(set(removed))
    assert set(deleted) <= dst.keys() - src.keys()
    assert not any(path.startswith(folder + "/") for folder in removed for path in src)


@given(trees, st.booleans(), st.booleans())
def test_equal_trees_need_nothing(tree: dict[str, int], flat_src: bool, flat_dst: bool) -> None:
    """A second sync has nothing to do, also between a flat storage and one with directories."""
    assert _plan(_listing(tree, flat=flat_src), _listing(tree, flat=flat_dst)) == []


@given(trees, trees)
def test_copy_deletes_nothing(src: dict[str, int], dst: dict[str, int]) -> None:
    """Without ``delete`` there is neither a delete nor a removal of a directory."""
    actions = _plan(_listing(src, flat=False), _listing(dst, flat=False), Policy())

    assert {action.verb for action in actions} <= {Verb.COPY, Verb.FAIL}
