"""In which order transfers are done, when somebody asked for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final

import msgspec

from .model import Action, Verb

_IN_MEMORY: Final = 100_000
_FIELDS: Final = ("size", "name", "modtime")
_WAYS: Final = ("asc", "ascending", "desc", "descending", "mixed")

Entry = tuple[Any, int, Action]


class Order(msgspec.Struct, frozen=True):
    """An order of transfers.

    Attributes:
        field: What counts: ``size`` (bytes), ``name`` (the whole path) or ``modtime``, all of the source.
        descending: The largest, last or newest first.
        mixed: Of 100 transfers, how many come from the small end, the others from the large one; None for one end.
    """

    field: str
    descending: bool = False
    mixed: int | None = None


def parse_order(text: str) -> Order:
    """Read ``size``, ``name`` or ``modtime``, then perhaps ``,asc``, ``,desc`` or ``,mixed`` with ``,50``.

    Raises:
        ValueError: It is none of these.
    """
    field, *rest = text.lower().split(",")
    way = rest[0] if rest else "asc"
    percent = rest[1] if len(rest) > 1 else "50"
    if field not in _FIELDS or way not in _WAYS or len(rest) > 2 or (len(rest) == 2 and way != "mixed"):
        raise ValueError(f"bad order {text!r}: want size, name or modtime, then ,asc or ,desc or ,mixed[,PERCENT]")
    if not percent.isdigit() or int(percent) > 100:
        raise ValueError(f"bad order {text!r}: want a percentage from 0 to 100 after 'mixed'")
    return Order(field, way.startswith("desc"), int(percent) if way == "mixed" else None)


def ordered(actions: Iterable[Action], order: Order) -> Iterator[Action]:
    """Yield transfers in this order and, before them, all other actions as they come; the path breaks ties.

    A plan that is too long for memory is sorted by way of temporary files.
    """
    runs = _Sorted(order)
    try:
        for action in actions:
            if action.verb is Verb.COPY or action.verb is Verb.COMPARE:
                runs.add(action)
            else:
                yield action
        yield from _mix(runs, order.mixed) if order.mixed is not None else runs.ascending()
    finally:
        runs.close()


def _mix(runs: _Sorted, percent: int) -> Iterator[Action]:
    """Take from both ends in turn, until they meet."""
    small, large = runs.ascending(), runs.descending()
    due = 0
    for _ in range(runs.count):
        due += percent
        if due >= 100:
            due -= 100
            yield next(small)
        else:
            yield next(large)


class _Sorted:
    """Actions in order, read from either end as often as asked."""

    def __init__(self, order: Order) -> None:
        self._key = _KEYS[order.field]
        self._backwards = order.descending
        self._held: list[Entry] = []
        self._runs: list[tuple[IO[bytes], list[int]]] = []
        self.count = 0

    def add(self, action: Action) -> None:
        # The number keeps ties in path order, and actions themselves from being compared.
        self._held.append((self._key(action), self.count, action))
        self.count += 1
        if len(self._held) >= _IN_MEMORY:
            self._spill()

    def ascending(self) -> Iterator[Action]:
        return self._merged(reverse=self._backwards)

    def descending(self) -> Iterator[Action]:
        return self._merged(reverse=not self._backwards)

    def close(self) -> None:
        for file, _ in self._runs:
            file.close()

    def _merged(self, *, reverse: bool) -> Iterator[Action]:
        from heapq import merge

        parts = [_load(file, offsets, reverse) for file, offsets in self._runs]
        held = sorted(self._held, key=_rank, reverse=reverse)
        for entry in merge(held, *parts, key=_rank, reverse=reverse):
            yield entry[2]

    def _spill(self) -> None:
        import pickle
        import tempfile

        file = tempfile.TemporaryFile(prefix="omnistorage-order-")
        offsets = []
        self._held.sort(key=_rank)
        for start in range(0, len(self._held), 1000):
            offsets.append(file.tell())
            pickle.dump(self._held[start : start + 1000], file, protocol=pickle.HIGHEST_PROTOCOL)
        self._runs.append((file, offsets))
        self._held = []


def _rank(entry: Entry) -> tuple[Any, int]:
    return entry[:2]


def _load(file: IO[bytes], offsets: list[int], reverse: bool) -> Iterator[Entry]:
    import pickle

    for offset in reversed(offsets) if reverse else offsets:
        # Both ends may be read at the same time.
        file.seek(offset)
        chunk = pickle.load(file)
        yield from reversed(chunk) if reverse else chunk


def _size(action: Action) -> int:
    return (action.src.size or 0) if action.src is not None else 0


def _name(action: Action) -> str:
    return action.path


def _modtime(action: Action) -> int:
    return (action.src.mtime_ns or 0) if action.src is not None else 0


_KEYS: Final[dict[str, Callable[[Action], Any]]] = {"size": _size, "name": _name, "modtime": _modtime}
