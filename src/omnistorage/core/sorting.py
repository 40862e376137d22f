"""Sorting more than fits in memory: in runs that go to disk, merged as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final, Generic, TypeVar

T = TypeVar("T")

_CHUNK: Final = 1000


class Sorter(Generic[T]):
    """Takes items in any order and yields them sorted, equal ones in the order they came; items must pickle.

    Args:
        key: By what to sort.
        in_memory: Items that are held in memory; more are sorted by way of temporary files.
    """

    def __init__(self, key: Callable[[T], Any], in_memory: int) -> None:
        self._key = key
        self._most = in_memory
        self._held: list[T] = []
        self._file: IO[bytes] | None = None
        # Where each run begins in the file, and where the last one ends.
        self._marks: list[int] = [0]

    def __bool__(self) -> bool:
        return bool(self._held) or self._file is not None

    def append(self, item: T) -> None:
        """Take an item."""
        self._held.append(item)
        if len(self._held) > self._most:
            self._spill()

    def extend(self, items: Iterable[T]) -> None:
        """Take several items."""
        self._held += items
        if len(self._held) > self._most:
            self._spill()

    def __iter__(self) -> Iterator[T]:
        for chunk in self.chunks():
            yield from chunk

    def chunks(self) -> Iterator[list[T]]:
        """Yield the items in lists: one of all, where they fit in memory."""
        self._held.sort(key=self._key)
        if self._file is None:
            if self._held:
                yield self._held
            return
        from heapq import merge
        from itertools import islice, pairwise

        # Equal ones come from the earlier run first: those in memory came last.
        runs = [self._load(self._file, *ends) for ends in pairwise(self._marks)]
        merged = merge(*runs, self._held, key=self._key)
        while chunk := list(islice(merged, _CHUNK)):
            yield chunk

    def close(self) -> None:
        """Free memory and disk space."""
        self._held = []
        self._marks = [0]
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self.close()

    def _spill(self) -> None:
        import pickle
        import tempfile

        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="omnistorage-sort-")
        self._held.sort(key=self._key)
        self._file.seek(self._marks[-1])
        for start in range(0, len(self._held), _CHUNK):
            pickle.dump(self._held[start : start + _CHUNK], self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._marks.append(self._file.tell())
        self._held = []

    def _load(self, file: IO[bytes], position: int, end: int) -> Iterator[T]:
        import pickle

        while position < end:
            # The runs share a file, and are read in turn.
            file.seek(position)
            chunk: list[T] = pickle.load(file)
            position = file.tell()
            yield from chunk
