"""Bringing both sides together: one pass over two listings in path order, with flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from omnistorage.core.info import DIR, ObjectInfo

from .model import Pair

Infos = list[ObjectInfo]


def pair(src: Iterable[Infos], dst: Iterable[Infos]) -> Iterator[Pair]:
    """Yield what stands at each path: at the source, at the destination, None where nothing does.

    Both listings must be in path order. An object on one side and a directory of the same name on the other
    come as one pair of different kinds, before what stands in the directory. Otherwise pairs come in path order,
    except that an object which only one side has may come a few entries late.
    """
    left, right = chain.from_iterable(src), chain.from_iterable(dst)
    waiting = _Waiting()
    s, d = next(left, None), next(right, None)
    while s is not None and d is not None:
        if s.path == d.path and s.kind is d.kind:
            if waiting.held:
                yield from waiting.before(s.path)
            yield s, d
            s, d = next(left, None), next(right, None)
            continue
        s_order, d_order = s.order, d.order
        if s_order == d_order:
            # Neither is a directory: a file here, a link or a device there.
            yield from waiting.before(s_order)
            yield s, d
            s, d = next(left, None), next(right, None)
        elif s_order < d_order:
            yield from waiting.pass_by((s, None), s_order)
            s = next(left, None)
        else:
            yield from waiting.pass_by((None, d), d_order)
            d = next(right, None)
    while s is not None and waiting.held:
        yield from waiting.pass_by((s, None), s.order)
        s = next(left, None)
    while d is not None and waiting.held:
        yield from waiting.pass_by((None, d), d.order)
        d = next(right, None)
    yield from waiting.rest()
    # The other side has ended, and nothing of it waits: no name can meet another any more.
    if s is not None:
        yield s, None
        for s in left:
            yield s, None
    if d is not None:
        yield None, d
        for d in right:
            yield None, d


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
