"""A class of the user's own, which has only the six methods of ``Backend``, passes the suite."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

import pytest

from omnistorage.core.backend import Backend
from omnistorage.storage import Storage
from omnistorage.testing import DriverSuite

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Shelf:
    """A dictionary with the six methods; it knows nothing of this package."""

    def __init__(self) -> None:
        self.things: dict[str, bytes] = {}

    def open_writer(
        self, path: str, *, content_type: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> Pencil:
        return Pencil(self, path)

    def open_reader(self, path: str, *, offset: int = 0, length: int | None = None) -> io.BytesIO:
        return io.BytesIO(self.things[path][offset : None if length is None else offset + length])

    def exists(self, path: str) -> bool:
        return path in self.things

    def delete(self, path: str) -> None:
        self.things.pop(path, None)

    def list(self, prefix: str = "") -> Iterator[str]:
        return (path for path in list(self.things) if path.startswith(prefix))

    def close(self) -> None:
        pass


class Pencil:
    """What is written counts when it is closed without an exception."""

    def __init__(self, shelf: Shelf, path: str) -> None:
        self._shelf = shelf
        self._path = path
        self._data = io.BytesIO()
        self._ended = False

    def write(self, data: Buffer, /) -> int:
        return self._data.write(data)

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._shelf.things[self._path] = self._data.getvalue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        self._ended = True


class TestAdapted(DriverSuite):
    # A listing opens every object to learn its size.
    many = 60
    limits: ClassVar = {"test_pickle_is_small": "a plain class pickles as it likes, here with all it holds"}

    @pytest.fixture
    def driver(self) -> Shelf:
        return Shelf()


def test_shelf_is_a_backend() -> None:
    """The suite above ran on something that is a Backend by its methods only."""
    assert isinstance(Shelf(), Backend)
    assert Shelf.__mro__ == (Shelf, object)


def test_sizes_are_told() -> None:
    """A size is told though the class has no way to ask for it."""
    shelf = Shelf()
    shelf.things = {"a": b"12345", "d/b": b""}

    assert [(info.path, info.size) for info in Storage(shelf).scan()] == [("a", 5), ("d/b", 0)]
