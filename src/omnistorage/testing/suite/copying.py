"""Cases about copies and renames."""

from __future__ import annotations

import pytest

from omnistorage.core.errors import AlreadyExists, NotFound, StorageError, Unsupported
from omnistorage.core.info import DIR
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

from .attributes import WHEN
from .base import Suite, keys, missing, nothing_at, put

DATA = pattern(300_000)


class Copying(Suite):
    """A copy has the bytes, time, type and metadata of its source, and is an object of its own."""

    def test_copy(self, storage: Storage) -> None:
        """The copy has the same bytes, and the source stays."""
        storage.write_bytes("d/a", DATA)
        answer = storage.copy("d/a", "e/f/b")

        assert storage.read_bytes("e/f/b") == DATA
        assert storage.read_bytes("d/a") == DATA
        assert answer.path == "e/f/b"
        assert answer.size in (len(DATA), None)
        assert keys(storage) == ["d/a", "e/f/b"]

    def test_copy_replaces(self, storage: Storage) -> None:
        """A copy replaces what is at the target, also when that is longer."""
        storage.write_bytes("a", b"short")
        storage.write_bytes("b", DATA)
        storage.copy("a", "b")

        assert storage.read_bytes("b") == b"short"
        assert storage.stat("b").size in (5, None)

    def test_copy_is_its_own(self, storage: Storage) -> None:
        """Changing the source does not change the copy, nor the other way round."""
        storage.write_bytes("a", b"one")
        storage.copy("a", "b")
        storage.copy("a", "c")
        storage.write_bytes("a", b"changed")
        storage.write_bytes("c", b"other")

        assert storage.read_bytes("b") == b"one"
        assert storage.read_bytes("a") == b"changed"
        storage.delete("a")
        assert storage.read_bytes("b") == b"one"

    def test_copy_onto_itself(self, storage: Storage) -> None:
        """Copying a path onto itself changes nothing."""
        storage.write_bytes("a", DATA)
        answer = storage.copy("a", "a")
        if storage.features.copy:
            storage.driver.copy("a", "a")

        assert answer.path == "a"
        assert storage.read_bytes("a") == DATA

    def test_copy_keeps_what_is_kept(self, storage: Storage) -> None:
        """Time, type and metadata go along, as far as the storage keeps them."""
        features = storage.features
        storage.write_bytes("a", b"x", modified=WHEN, content_type="text/x-special", metadata={"k": "v"})
        storage.copy("a", "b")
        one, two = storage.stat("a"), storage.stat("b")

        assert not features.mtime or one.mtime_ns == two.mtime_ns
        assert not features.content_type or two.content_type == "text/x-special"
        assert not features.metadata or dict(two.metadata) == {"k": "v"}
        assert two.size == one.size

    def test_copy_of_missing(self, storage: Storage) -> None:
        """There is nothing to copy, and what is at the target stays."""
        storage.write_bytes("b", b"stays")

        with pytest.raises(NotFound):
            storage.copy("nope", "b")
        with pytest.raises(NotFound):
            storage.copy("nope", "c")
        assert storage.read_bytes("b") == b"stays"
        assert keys(storage) == ["b"]

    def test_copy_of_nothing(self, storage: Storage) -> None:
        """An empty object can be copied."""
        storage.write_bytes("a", b"")
        storage.copy("a", "b")

        assert storage.read_bytes("b") == b""

    def test_move(self, storage: Storage) -> None:
        """What was moved is at the target and nowhere else."""
        storage.write_bytes("d/a", DATA, modified=WHEN)
        before = storage.stat("d/a")
        answer = storage.move("d/a", "e/f/b")

        assert answer.path == "e/f/b"
        assert storage.read_bytes("e/f/b") == DATA
        assert nothing_at(storage, "d/a")
        assert keys(storage) == ["e/f/b"]
        assert not storage.features.mtime or storage.stat("e/f/b").mtime_ns == before.mtime_ns

    def test_move_replaces(self, storage: Storage) -> None:
        """A move replaces the object at the target."""
        storage.write_bytes("a", b"new")
        storage.write_bytes("b", b"old and longer")
        storage.move("a", "b")

        assert storage.read_bytes("b") == b"new"
        assert keys(storage) == ["b"]

    def test_move_onto_itself(self, storage: Storage) -> None:
        """Moving a path onto itself must not delete it."""
        storage.write_bytes("a", b"stays")
        storage.move("a", "a")
        if storage.features.move:
            storage.driver.move("a", "a")

        assert storage.read_bytes("a") == b"stays"
        assert keys(storage) == ["a"]

    def test_move_there_and_back(self, storage: Storage) -> None:
        """A name that was left can be used again."""
        storage.write_bytes("a", DATA)
        storage.move("a", "b")
        storage.move("b", "a")

        assert storage.read_bytes("a") == DATA
        assert keys(storage) == ["a"]

    def test_move_of_missing(self, storage: Storage) -> None:
        """There is nothing to move, and what is at the target stays."""
        storage.write_bytes("b", b"stays")

        with pytest.raises(NotFound):
            storage.move("nope", "b")
        assert storage.read_bytes("b") == b"stays"

    def test_move_below_an_object(self, storage: Storage) -> None:
        """A move that cannot be done leaves the source where it is."""
        storage.write_bytes("a", b"source")
        storage.write_bytes("b", b"in the way")
        if not storage.features.mkdir:
            missing(storage, "mkdir")

        with pytest.raises(StorageError):
            storage.move("a", "b/c")
        assert storage.read_bytes("a") == b"source"
        assert storage.read_bytes("b") == b"in the way"

    def test_copy_onto_directory(self, storage: Storage) -> None:
        """Neither a copy nor a move replaces a directory."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        put(storage, "a", "d/b")
        for call in (storage.copy, storage.move):
            with pytest.raises(StorageError):
                call("a", "d")

        assert keys(storage) == ["a", "d/b"]

    def test_move_of_directory(self, storage: Storage) -> None:
        """A directory moves with all it holds, but not onto something that is there."""
        if not storage.features.mkdir or not storage.features.move:
            pytest.skip("needs features.mkdir and features.move")
        put(storage, "d/a", "d/e/b", "f/c")
        storage.mkdir("d/empty")
        with pytest.raises(AlreadyExists):
            storage.move("d", "f")
        storage.move("d", "g/h")

        assert keys(storage) == ["f/c", "g/h/a", "g/h/e/b"]
        assert storage.stat("g/h/empty").kind is DIR
        assert not storage.exists("d")

    def test_copy_and_move_of_driver(self, storage: Storage) -> None:
        """Without the feature the driver refuses; with it the driver replaces and does not move bytes twice."""
        storage.write_bytes("a", DATA)
        put(storage, "b", "c")
        if storage.features.copy:
            storage.driver.copy("a", "b")
            assert storage.read_bytes("b") == DATA
        else:
            with pytest.raises(Unsupported):
                storage.driver.copy("a", "b")
        if storage.features.move:
            storage.driver.move("a", "c")
            assert storage.read_bytes("c") == DATA
            assert nothing_at(storage, "a")
        else:
            with pytest.raises(Unsupported):
                storage.driver.move("a", "c")
            assert storage.read_bytes("a") == DATA
