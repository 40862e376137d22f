"""Bringing both sides together: one pass over two listings in path order, with flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NoReturn

from omnistorage.core.errors import StorageError
from omnistorage.core.info import DIR, ObjectInfo

from .model import Pair

Infos = list[ObjectInfo]


def pair(src: Iterable[Infos], dst: Iterable[Infos]) -> Iterator[Pair]:
    """Yield what stands at each path: at the source, at the destination, None where nothing does.

    Both listings must be in path order. An object on one side and a directory of the same name on the other
    come as one pair of different kinds, before what stands in the directory. Otherwise pairs come in path order,
    except that an object which only one side has may come a few entries late.

    What the destination lists twice in a row counts once.

    Raises:
        StorageError: A listing went back in the path order; what it says is missing may be there.
    """
    left: Iterator[ObjectInfo] = chain.from_iterable(src)
    right: Iterator[ObjectInfo] = chain.from_iterable(dst)
    waiting = _Waiting()
    # The last that stood on both sides, and how far the destination alone has come.
    met: ObjectInfo | None = None
    passed = ""
    s, d = next(left, None), next(right, None)
    while s is not None and d is not None:
        if s.path == d.path and s.kind is d.kind:
            if waiting.held:
                yield from waiting.before(s.order)
            yield s, d
            met = d
            s, d = next(left, None), next(right, None)
            continue
        s_order, d_order = s.order, d.order
        if s_order == d_order:
            # Neither is a directory: a file here, a link or a device there.
            yield from waiting.before(s_order)
            yield s, d
            met = d
            s, d = next(left, None), next(right, None)
        elif s_order < d_order:
            if s_order <= passed:
                _went_back("source", s)
            yield from waiting.pass_by((s, None), s_order)
            s = next(left, None)
        else:
            if met is None or not _repeats(met, d):
                yield from waiting.pass_by((None, d), d_order)
                passed = d_order
            d = next(right, None)
    if s is not None and passed:
        rest = _beyond(passed, chain((s,), left))
        s, left = next(rest), rest
    while s is not None and any(there is not None for _, there in waiting.held):
        yield from waiting.pass_by((s, None), s.order)
        s = next(left, None)
    while d is not None and any(here is not None for here, _ in waiting.held):
        if met is None or not _repeats(met, d):
            yield from waiting.pass_by((None, d), d.order)
        d = next(right, None)
    yield from waiting.rest()
    # The other side has ended, and nothing of it waits: no name can meet another any more.
    if s is not None:
        yield s, None
        for s in left:
            yield s, None
    if d is not None:
        for extra in chain((d,), right):
            if met is None or not _repeats(met, extra):
                yield None, extra


def _repeats(met: ObjectInfo, d: ObjectInfo) -> bool:
    """Say whether the destination lists again what it had listed last; deleting that would be a loss."""
    if d.order < met.order:
        _went_back("destination", d)
    return d.order == met.order


def _beyond(passed: str, infos: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
    """Watch the rest of the source: what the destination alone seemed to have must not turn up."""
    for info in infos:
        if info.order <= passed:
            _went_back("source", info)
        yield info


def _went_back(side: str, info: ObjectInfo) -> NoReturn:
    raise StorageError(
        f"the {side} is not listed in path order, so nothing is known of it", op="list", path=info.path
    )


class _Waiting:
    """Objects of one side whose name may still turn up as a directory on the other.

    ``a`` sorts before ``a/``, and between them only names such as ``a-b`` can come: so few wait at a time, and
    each name in ``held`` begins with the one before.
    """

    def __init__(self) -> None:
        self.held: list[Pair] = []

    def before(self, order: str) -> Iterator[Pair]:
        """Yield those that can no longer be matched when ``order`` is reached."""
        held = self.held
        while held and order > _path(held[-1]) + "/":
            yield held.pop()

    def pass_by(self, one: Pair, order: str) -> Iterator[Pair]:
        """Take an entry of one side, and yield what is ripe."""
        yield from self.before(order)
        held = self.held
        src, dst = one
        info = src or dst
        assert info is not None
        if info.kind is not DIR:
            held.append(one)
        elif held and _path(held[-1]) == info.path and (held[-1][0] is None) == (dst is None):
            other_src, other_dst = held.pop()
            yield src or other_src, dst or other_dst
        else:
            yield one

    def rest(self) -> Iterator[Pair]:
        """Yield all that still wait."""
        while self.held:
            yield self.held.pop()


def _path(one: Pair) -> str:
    info = one[0] or one[1]
    assert info is not None
    return info.path
