"""Small objects that are copied as they are: a batch at a time, rather than one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from omnistorage.core.driver import Driver, PutItem, PutResults
from omnistorage.core.errors import SourceChanged, StorageError
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, PlainFile

from .model import Action, Outcome, Verb, origin_of
from .source import WATCHED

WIDTH: Final = 8
"""Requests that one thread keeps under way at most: with more, others would have none."""


class Slots:
    """Requests that may be under way at a time, shared by all threads of a run."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._changed = threading.Condition()

    def take(self, most: int) -> int:
        """Wait until there is room, and take it for at most so many requests; return for how many."""
        with self._changed:
            while not self._free:
                self._changed.wait()
            taken = min(self._free, most)
            self._free -= taken
            if self._free:
                # One is woken at a time: the others would only find that nothing is left for them.
                self._changed.notify()
            return taken

    def give(self, count: int) -> None:
        """Give back what was taken."""
        with self._changed:
            self._free += count
            self._changed.notify()


def plain_between(
    src: Driver, dst: Driver, width: int, go_on: Callable[[int], object], *, keeps: bool
) -> Plain | None:
    """Return who copies small objects from one place to the other; None if nothing is won by that."""
    most = WATCHED - 1
    if src.local_root is None:
        most = min(most, src.many) if dst.features.local else 0
    elif not dst.features.local:
        most = min(most, dst.many)
    return Plain(src, dst, most, width, go_on, keeps=keeps) if most else None


class Plain:
    """Copies batches of small objects between a folder of this machine and somewhere else, or another folder.

    Args:
        src: The source.
        dst: The destination.
        most: Bytes of the largest object that is small.
        width: Requests under way at a time, of all threads.
        go_on: Called now and then; raises to stop.
        keeps: What is replaced has to be kept before.

    Attributes:
        near: Nothing has to be waited for.
    """

    def __init__(
        self, src: Driver, dst: Driver, most: int, width: int, go_on: Callable[[int], object], *, keeps: bool
    ) -> None:
        self.near = src.local_root is not None and dst.features.local
        self._src = src
        self._dst = dst
        self._most = most
        self._keeps = keeps
        self._slots = Slots(width)
        self._go_on = go_on

    def takes(self, action: Action) -> bool:
        """Say whether this can copy an object."""
        src = action.src
        if action.verb is not Verb.COPY or src is None or src.size is None or src.size > self._most:
            return False
        # What comes from a service may bring its time with it.
        timed = src.mtime_ns is not None or self._src.local_root is None
        return timed and src.kind is FILE and (action.dst is None or not self._keeps)

    def copy(self, actions: list[Action]) -> PutResults:
        """Copy objects; return for each what was stored, or what went wrong."""
        try:
            return self._fetch(actions) if self._src.local_root is None else self._hand_over(actions)
        except StorageError as exc:
            # A destination that takes nothing at all says so once.
            return [exc] * len(actions)

    def _hand_over(self, actions: list[Action]) -> PutResults:
        root = self._src.local_root
        items: list[PutItem] = []
        for action in actions:
            src: Any = action.src
            body = PlainFile(f"{root}/{origin_of(src)}", src.size, src.mtime_ns)
            body.progress = self._go_on
            items.append((action.path, body, PutOptions(mtime_ns=src.mtime_ns)))
        if self._dst.features.local:
            return self._dst.put_many(items)
        width = self._slots.take(WIDTH)
        try:
            return self._dst.put_together(items, width)
        finally:
            self._slots.give(width)

    def alone(self, do: Callable[[Action], Outcome], action: Action) -> Outcome:
        """Do one action that is not done together with others, when there is room for it."""
        if self.near:
            return do(action)
        self._slots.take(1)
        try:
            return do(action)
        finally:
            self._slots.give(1)

    def _fetch(self, actions: list[Action]) -> PutResults:
        width = self._slots.take(WIDTH)
        try:
            found = self._src.get_together([origin_of(action.src) for action in actions if action.src], width)
        finally:
            self._slots.give(width)
        failed: dict[int, Exception] = {}
        items: list[PutItem] = []
        for at, got in enumerate(found):
            src: Any = actions[at].src
            if isinstance(got, Exception):
                failed[at] = got
            elif _is_other(src, got[0], len(got[1])):
                failed[at] = SourceChanged(op="get", path=origin_of(src), scheme=self._src.scheme)
            else:
                options = PutOptions(mtime_ns=src.mtime_ns, content_type=src.content_type)
                if got[0] is not None:
                    # What the listing did not tell.
                    options = PutOptions(
                        mtime_ns=got[0].mtime_ns if src.mtime_ns is None else src.mtime_ns,
                        content_type=src.content_type or got[0].content_type,
                    )
                items.append((actions[at].path, BytesBody(got[1]), options))
        self._go_on(0)
        stored = iter(self._dst.put_many(items))
        return [failed[at] if at in failed else next(stored) for at in range(len(actions))]


def _is_other(listed: ObjectInfo, told: ObjectInfo | None, size: int) -> bool:
    """Say whether what came is not what a listing spoke of."""
    if listed.size != size:
        return True
    return told is not None and None not in (told.etag, listed.etag) and told.etag != listed.etag
