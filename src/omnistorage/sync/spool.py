"""A list that goes to disk when it grows, so that a run over ten million objects fits in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any, Final, Generic, TypeVar

T = TypeVar("T")

_CHUNK: Final = 10_000


class Spool(Generic[T]):
    """Takes items one by one and yields them in this order or backwards, as often as asked; items must pickle."""

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._tail: list[T] = []
        self._file: IO[bytes] | None = None
        self._starts: list[int] = []
        self._count = 0
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return self._count

    def append(self, item: T) -> None:
        """Add an item at the end."""
        self._tail.append(item)
        self._count += 1
        if len(self._tail) >= _CHUNK:
            self._spill()

    def __iter__(self) -> Iterator[T]:
        if self._file is not None:
            import pickle

            position = 0
            end = self._file.seek(0, 2)
            while position < end:
                self._file.seek(position)
                chunk: Any = pickle.load(self._file)
                position = self._file.tell()
                yield from chunk
        yield from self._tail

    def __reversed__(self) -> Iterator[T]:
        yield from reversed(self._tail)
        if self._file is not None:
            import pickle

            for start in reversed(self._starts):
                self._file.seek(start)
                chunk: Any = pickle.load(self._file)
                yield from reversed(chunk)

    def close(self) -> None:
        """Free the disk space."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._tail = []
        self._starts = []
        self._count = 0

    def __del__(self) -> None:
        self.close()

    def _spill(self) -> None:
        import pickle
        import tempfile

        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="omnistorage-plan-")
        self._starts.append(self._file.seek(0, 2))
        pickle.dump(self._tail, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._tail = []
