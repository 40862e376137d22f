"""Cases about directories: real ones, which can be empty, and those that are only prefixes."""

from __future__ import annotations

import pytest

from omnistorage.core.errors import IsADirectory, NotADirectory, NotEmpty, NotFound, Unsupported
from omnistorage.core.info import DIR
from omnistorage.storage import Storage

from .base import Suite, keys, missing, paths, put, raw_list, together


class Directories(Suite):
    """Directories are made, kept and removed where they are real, and never removed with what they hold."""

    def test_mkdir(self, storage: Storage) -> None:
        """A directory that was made is there, empty; without real ones the driver refuses."""
        if not storage.features.mkdir:
            with pytest.raises(Unsupported):
                storage.driver.mkdir("d")
            with pytest.raises(Unsupported):
                storage.driver.rmdir("d")
            return
        storage.mkdir("d")

        assert storage.stat("d").kind is DIR
        assert storage.stat("d").path == "d"
        assert paths(raw_list(storage)) == ["d/"]
        assert raw_list(storage, "d") == []

    def test_mkdir_where_directories_are_prefixes(self, storage: Storage) -> None:
        """The front door lets applications make directories everywhere; it does no harm."""
        storage.mkdir("d")
        storage.write_bytes("d/a", b"x")

        assert keys(storage) == ["d/a"]

    def test_mkdir_twice(self, storage: Storage) -> None:
        """A directory that is there is fine, and keeps what it holds."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        storage.mkdir("d")
        put(storage, "d/a")
        storage.mkdir("d")

        assert paths(raw_list(storage, "d")) == ["d/a"]

    def test_mkdir_makes_parents(self, storage: Storage) -> None:
        """The directories above are made, too."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        storage.mkdir("one/two/three")

        assert paths(list(storage.scan())) == ["one/", "one/two/", "one/two/three/"]

    def test_mkdir_of_root(self, storage: Storage) -> None:
        """The root is always there."""
        storage.mkdir("")

        assert storage.stat("").kind is DIR

    def test_mkdir_at_once(self, storage: Storage) -> None:
        """Threads that make the same directories at the same moment all succeed."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        results = together(self.threads, lambda n: storage.mkdir("one/two/three"))

        assert results == [None] * self.threads

    def test_put_at_once_in_new_directory(self, storage: Storage) -> None:
        """Threads that store into a directory that none of them has made all succeed."""
        results = together(self.threads, lambda n: storage.write_bytes(f"one/two/{n}", b"x"))

        assert [result for result in results if isinstance(result, Exception)] == []
        assert len(keys(storage)) == self.threads

    def test_file_in_the_way_of_mkdir(self, storage: Storage) -> None:
        """No directory can be made at or below an object, which stays."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        storage.write_bytes("a", b"object")

        with pytest.raises(NotADirectory):
            storage.mkdir("a")
        with pytest.raises(NotADirectory):
            storage.mkdir("a/b")
        assert storage.read_bytes("a") == b"object"

    def test_rmdir(self, storage: Storage) -> None:
        """An empty directory is gone after it was removed, and only that one."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        storage.mkdir("d/e")
        storage.rmdir("d/e")

        assert paths(list(storage.scan())) == ["d/"]
        assert not storage.exists("d/e")

    def test_rmdir_of_full(self, storage: Storage) -> None:
        """A directory that holds something is never removed."""
        put(storage, "d/e/a")

        with pytest.raises(NotEmpty):
            storage.rmdir("d/e")
        with pytest.raises(NotEmpty):
            storage.rmdir("d")
        assert keys(storage) == ["d/e/a"]

    def test_rmdir_of_missing(self, storage: Storage) -> None:
        """There is nothing to remove."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        with pytest.raises(NotFound):
            storage.rmdir("nope")

    def test_rmdir_of_object(self, storage: Storage) -> None:
        """An object is not removed as a directory."""
        storage.write_bytes("a", b"object")
        if storage.features.mkdir:
            with pytest.raises(NotADirectory):
                storage.rmdir("a")

        assert storage.read_bytes("a") == b"object"

    def test_delete_of_directory(self, storage: Storage) -> None:
        """Deleting a directory as an object deletes nothing."""
        put(storage, "d/a")
        with pytest.raises(IsADirectory if storage.features.mkdir else (IsADirectory, NotFound)):
            storage.driver.delete("d")

        assert keys(storage) == ["d/a"]

    def test_delete_of_empty_directory(self, storage: Storage) -> None:
        """An empty directory is no object either."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        storage.mkdir("d")

        with pytest.raises(IsADirectory):
            storage.delete("d")
        assert storage.stat("d").kind is DIR

    def test_empty_directory_stays(self, storage: Storage) -> None:
        """A real directory outlives its last object; one that is only a prefix does not."""
        put(storage, "d/a")
        storage.delete("d/a")

        assert storage.exists("d") is storage.features.mkdir
