"""Cases about whole objects: store, read, describe, replace, delete."""

from __future__ import annotations

import hashlib

import pytest

from omnistorage.core.errors import (
    AlreadyExists,
    InvalidPath,
    IsADirectory,
    NotFound,
    PreconditionFailed,
    Unsupported,
)
from omnistorage.core.info import DIR, FILE
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

from .base import Suite, keys, nothing_at, put, raw_put, together


class Objects(Suite):
    """An object holds the bytes that were stored last, and nothing else does."""

    def test_put_and_get(self, storage: Storage) -> None:
        """What was stored is what is read."""
        storage.write_bytes("a.txt", b"hello")

        assert storage.read_bytes("a.txt") == b"hello"

    def test_put_of_every_byte(self, storage: Storage) -> None:
        """Bytes are not text: line ends, NUL and invalid UTF-8 come back as they are."""
        data = bytes(range(256)) + b"\r\n\n\r\xff\xfe\x1a"
        storage.write_bytes("bytes", data)

        assert storage.read_bytes("bytes") == data

    def test_put_in_directories(self, storage: Storage) -> None:
        """The directories above an object need not be made first."""
        storage.write_bytes("one/two/three/a", b"deep")

        assert storage.read_bytes("one/two/three/a") == b"deep"
        assert keys(storage) == ["one/two/three/a"]

    def test_put_of_nothing(self, storage: Storage) -> None:
        """An object of no bytes is an object."""
        storage.write_bytes("empty", b"")

        assert storage.read_bytes("empty") == b""
        assert storage.stat("empty").size == 0
        assert keys(storage) == ["empty"]

    def test_put_replaces_with_shorter(self, storage: Storage) -> None:
        """The second put wins, also when it is shorter."""
        storage.write_bytes("a", b"the first and long one")
        storage.write_bytes("a", b"2nd")

        assert storage.read_bytes("a") == b"2nd"
        assert storage.stat("a").size == 3
        assert keys(storage) == ["a"]

    def test_put_replaces_with_longer(self, storage: Storage) -> None:
        """The second put wins, also when it is longer."""
        storage.write_bytes("a", b"1st")
        storage.write_bytes("a", pattern(100_000))

        assert storage.read_bytes("a") == pattern(100_000)

    def test_put_replaces_with_nothing(self, storage: Storage) -> None:
        """An object can be emptied."""
        storage.write_bytes("a", b"something")
        storage.write_bytes("a", b"")

        assert storage.read_bytes("a") == b""
        assert storage.stat("a").size == 0

    def test_put_of_much(self, storage: Storage) -> None:
        """A large object comes back byte for byte."""
        data = pattern(self.large + 1)
        storage.write_bytes("large", data)
        back = storage.read_bytes("large")

        assert len(back) == len(data)
        assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest()
        assert storage.stat("large").size == len(data)

    def test_put_returns_what_stat_says(self, storage: Storage) -> None:
        """The answer to a put is no guess: path, kind, size and time are those of the stored object."""
        answer = storage.write_bytes("d/a", b"12345")
        told = storage.stat("d/a")

        assert (answer.path, answer.kind) == ("d/a", FILE)
        assert (told.path, told.kind) == ("d/a", FILE)
        assert answer.size in (None, 5)
        assert answer.mtime_ns is None or answer.mtime_ns == told.mtime_ns
        assert answer.etag is None or answer.etag == told.etag

    def test_stat_of_object(self, storage: Storage) -> None:
        """A size is told for every object, or honestly not at all."""
        storage.write_bytes("a", b"12345")
        info = storage.stat("a")

        assert info.path == "a"
        assert info.kind is FILE
        assert info.size in (5, None)

    def test_stat_of_directory(self, storage: Storage) -> None:
        """The directory above an object is described as one, real or not."""
        put(storage, "d/e/a")

        assert storage.stat("d").kind is DIR
        assert storage.stat("d/e").kind is DIR
        assert storage.stat("d/e").path == "d/e"

    def test_stat_of_root(self, storage: Storage) -> None:
        """The empty path is the root, which is always there."""
        info = storage.stat("")

        assert (info.path, info.kind) == ("", DIR)

    def test_stat_of_missing(self, storage: Storage) -> None:
        """What is not there, or only begins the name of something, is not found."""
        put(storage, "name.txt", "folder/a")

        for path in ("nope", "name", "name.tx", "name.txt2", "fold", "folder/b", "nope/a"):
            with pytest.raises(NotFound):
                storage.stat(path)

    def test_get_of_missing(self, storage: Storage) -> None:
        """A missing object is an error when it is opened, not at the first read."""
        put(storage, "name.txt")

        for path in ("nope", "name", "nope/a"):
            with pytest.raises(NotFound):
                storage.open_reader(path)

    def test_get_of_directory(self, storage: Storage) -> None:
        """A directory has no bytes."""
        put(storage, "d/a")

        with pytest.raises(IsADirectory if storage.features.mkdir else (IsADirectory, NotFound)):
            storage.read_bytes("d")

    def test_exists(self, storage: Storage) -> None:
        """Objects and directories exist, and nothing else."""
        put(storage, "d/a")
        there = [storage.exists(path) for path in ("d/a", "d", "")]
        gone = [storage.exists(path) for path in ("d/b", "a", "e/a", "d/a/b")]

        assert there == [True] * 3
        assert gone == [False] * 4

    def test_delete(self, storage: Storage) -> None:
        """A deleted object is gone from reading, describing and listing."""
        put(storage, "d/a", "d/b")
        storage.delete("d/a")

        assert nothing_at(storage, "d/a")
        assert keys(storage) == ["d/b"]

    def test_delete_of_missing(self, storage: Storage) -> None:
        """The driver says that there was nothing to delete; the front door takes it as deleted."""
        put(storage, "a")

        storage.delete("nope")
        with pytest.raises(NotFound):
            storage.driver.delete("nope")
        assert keys(storage) == ["a"]

    def test_delete_leaves_neighbours(self, storage: Storage) -> None:
        """Only the named object goes, not what begins with its name."""
        put(storage, "a", "a.txt", "ab", "b/a", "aa/a")
        storage.delete("a")

        assert keys(storage) == ["a.txt", "aa/a", "ab", "b/a"]

    def test_put_after_delete(self, storage: Storage) -> None:
        """A name can be used again."""
        storage.write_bytes("a", b"first")
        storage.delete("a")
        storage.write_bytes("a", b"second")

        assert storage.read_bytes("a") == b"second"

    def test_put_at_root_is_refused(self, storage: Storage) -> None:
        """The root is a directory; no object can stand there."""
        with pytest.raises((IsADirectory, InvalidPath)):
            storage.write_bytes("", b"x")
        assert storage.stat("").kind is DIR
        assert keys(storage) == []

    def test_object_and_directory_of_one_name(self, storage: Storage) -> None:
        """Where directories are real, an object cannot replace one; where they are not, both can be."""
        storage.write_bytes("d/a", b"below")
        if storage.features.mkdir:
            with pytest.raises(IsADirectory):
                storage.write_bytes("d", b"x")
        else:
            storage.write_bytes("d", b"at")
            assert storage.read_bytes("d") == b"at"

        assert storage.read_bytes("d/a") == b"below"

    def test_put_below_object(self, storage: Storage) -> None:
        """Where directories are real, nothing can be stored below an object; where not, both can be."""
        storage.write_bytes("a", b"at")
        if storage.features.mkdir:
            with pytest.raises(NotADirectoryError):
                storage.write_bytes("a/b", b"x")
        else:
            storage.write_bytes("a/b", b"below")
            assert storage.read_bytes("a/b") == b"below"

        assert storage.read_bytes("a") == b"at"

    def test_if_absent(self, storage: Storage) -> None:
        """A conditional put never replaces: where it cannot be done, it is refused, not forgotten."""
        storage.write_bytes("old", b"old")
        if storage.features.if_absent:
            storage.write_bytes("new", b"new", if_absent=True)
            with pytest.raises(AlreadyExists):
                storage.write_bytes("old", b"changed", if_absent=True)
            assert storage.read_bytes("new") == b"new"
        else:
            with pytest.raises(Unsupported):
                storage.write_bytes("new", b"new", if_absent=True)
            with pytest.raises(Unsupported):
                raw_put(storage, "old", b"changed", if_absent=True)
            assert nothing_at(storage, "new")

        assert storage.read_bytes("old") == b"old"

    def test_replace(self, storage: Storage) -> None:
        """An object is replaced if it is still the one that was meant, or it stays; other services refuse."""
        old = storage.write_bytes("a", b"old")
        if not storage.features.if_match:
            with pytest.raises(Unsupported):
                storage.replace("a", b"new", etag="x")
            assert storage.read_bytes("a") == b"old"
            return
        assert old.etag is not None
        new = storage.replace("a", b"new", etag=old.etag)
        for path, data, etag in (("a", b"late", old.etag), ("none", b"x", old.etag)):
            with pytest.raises(PreconditionFailed):
                storage.replace(path, data, etag=etag)

        assert storage.read_bytes("a") == b"new"
        assert storage.stat("a").etag == new.etag
        assert nothing_at(storage, "none")

    def test_replace_has_one_winner(self, storage: Storage) -> None:
        """Of several threads that replace what they have read, exactly one does."""
        if not storage.features.if_match:
            pytest.skip("needs features.if_match")
        etag = storage.write_bytes("prize", b"old").etag or ""
        contents = [pattern(2000, seed) for seed in range(self.threads)]
        results = together(self.threads, lambda n: storage.replace("prize", contents[n], etag=etag))
        winners = [n for n, result in enumerate(results) if not isinstance(result, Exception)]

        assert len(winners) == 1
        assert storage.read_bytes("prize") == contents[winners[0]]

    def test_if_absent_has_one_winner(self, storage: Storage) -> None:
        """Of several threads that store at once if there is nothing, exactly one does."""
        if not storage.features.if_absent:
            pytest.skip("needs features.if_absent")
        contents = [pattern(2000, seed) for seed in range(self.threads)]
        results = together(self.threads, lambda n: storage.write_bytes("prize", contents[n], if_absent=True))
        losers = [result for result in results if isinstance(result, AlreadyExists)]
        winners = [n for n, result in enumerate(results) if not isinstance(result, Exception)]

        assert len(losers) == self.threads - 1
        assert len(winners) == 1
        assert storage.read_bytes("prize") == contents[winners[0]]
