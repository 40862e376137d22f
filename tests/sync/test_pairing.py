"""Bringing two listings together: every path once, clashes as one pair, and little in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core.info import DIR, FILE, LINK, Kind, ObjectInfo
from omnistorage.sync import pairing
from omnistorage.sync.model import Pair
from omnistorage.sync.pairing import pair

Listing = list[ObjectInfo]
Pages = list[Listing]

# Letters on both sides of the slash, so that names come between "a" and "a/".
names = st.sampled_from(["a", "a-", "a-b", "a.", "a0", "b", "\x01", "é", "\U0001f600", "\udcff"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


def _listing(files: dict[str, Kind], *, flat: bool) -> Listing:
    """List a tree as a storage would: a path that others stand below is a directory, whatever it was drawn as."""
    above = {path[:at] for path in files for at, letter in enumerate(path) if letter == "/"}
    infos = [ObjectInfo(path, kind) for path, kind in files.items() if path not in above]
    infos += [] if flat else [ObjectInfo(path, DIR) for path in above]
    return sorted(infos, key=lambda info: info.order)


trees = st.builds(
    _listing, st.dictionaries(paths, st.sampled_from([FILE, FILE, FILE, DIR, LINK]), max_size=12), flat=st.just(False)
)
flat_trees = st.builds(_listing, st.dictionaries(paths, st.just(FILE), max_size=12), flat=st.just(True))
sides = trees | flat_trees


def _pages(listing: Listing, size: int) -> Pages:
    return [listing[at : at + size] for at in range(0, len(listing), size)]


def _slowly(src: Listing, dst: Listing) -> dict[str, Pair]:
    here, there = {info.path: info for info in src}, {info.path: info for info in dst}
    return {path: (here.get(path), there.get(path)) for path in here.keys() | there.keys()}


def _order(one: Pair) -> str:
    return max(info.order for info in one if info is not None)


def _path(one: Pair) -> str:
    info = one[0] or one[1]
    assert info is not None
    return info.path


@given(sides, sides, st.integers(1, 5))
def test_every_path_once(src: Listing, dst: Listing, size: int) -> None:
    """Each path comes exactly once, with what stands at both sides, clashes of file and directory included."""
    found = list(pair(_pages(src, size), _pages(dst, size)))

    assert len(found) == len({_path(one) for one in found})
    assert {_path(one): one for one in found} == _slowly(src, dst)


@given(sides, sides)
def test_order(src: Listing, dst: Listing) -> None:
    """Pairs come in path order; only what one side alone has may wait for a directory of its name to pass."""
    found = list(pair([src], [dst]))
    steady = [_order(one) for one in found if None not in one or (one[0] or one[1]).kind is DIR]  # type: ignore[union-attr]

    assert steady == sorted(steady)
    for at, one in enumerate(found):
        assert all(_order(before) <= _path(one) + "/" for before in found[:at])


@given(trees, trees)
def test_clash_before_its_content(src: Listing, dst: Listing) -> None:
    """Rule 11: a clash is known before anything below it is decided."""
    found = list(pair([src], [dst]))
    place = {_path(one): at for at, one in enumerate(found)}

    for (here, there), path in ((one, _path(one)) for one in found):
        if here is not None and there is not None and here.kind is not there.kind:
            assert all(place[path] < at for other, at in place.items() if other.startswith(path + "/"))


def _numbered(count: int, suffix: str = "") -> Iterator[Listing]:
    for number in range(count):
        yield [ObjectInfo(f"f{number:06}{suffix}")]


@pytest.mark.parametrize("other", [0, 20_000], ids=["the other side is empty", "the other side has other names"])
@pytest.mark.parametrize("turned", [False, True], ids=["source", "destination"])
def test_memory_is_flat(other: int, turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 12: of twenty thousand objects that one side alone has, no more than a few wait at a time."""
    longest = 0

    class Watched(pairing._Waiting):
        def before(self, order: str) -> Iterator[Pair]:
            nonlocal longest
            longest = max(longest, len(self.held))
            return super().before(order)

    monkeypatch.setattr(pairing, "_Waiting", Watched)
    sides = _numbered(20_000), _numbered(other, "-x")
    found = sum(1 for _ in pair(*(sides[::-1] if turned else sides)))

    assert found == 20_000 + other
    assert longest <= 2


def test_listings_are_pulled() -> None:
    """Rule 12: no side is read further than the pair at hand needs."""
    pulled = []

    def side(name: str) -> Iterator[Listing]:
        for infos in _numbered(100):
            pulled.append(name)
            yield infos

    pairs = pair(side("src"), side("dst"))
    next(pairs)

    assert len(pulled) <= 4
