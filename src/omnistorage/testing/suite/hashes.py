"""Cases about hashes: those a service gives for free, and those it computes."""

from __future__ import annotations

import hashlib
import io

import pytest

from omnistorage.core import hashes as registry
from omnistorage.core.errors import NotFound, StorageError, Unsupported
from omnistorage.core.info import FILE
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

from .base import Suite, raw_list

DATA = pattern(123_457)


class Hashes(Suite):
    """A hash that is told is the hash of the bytes."""

    def test_free_hashes(self, storage: Storage) -> None:
        """Every hash that is claimed to come free comes, with the listing or with stat, and is right."""
        claimed = storage.features.hashes
        if not claimed:
            pytest.skip("needs features.hashes")
        storage.write_bytes("a", DATA)
        storage.write_bytes("empty", b"")
        for path, data in (("a", DATA), ("empty", b"")):
            told = storage.stat(path).hashes

            assert {name: told.get(name) for name in claimed} == {name: _hash(name, data) for name in claimed}

    def test_hashes_of_listing(self, storage: Storage) -> None:
        """No hash in a listing or in the answer to a put is wrong, claimed or not."""
        answer = storage.write_bytes("a", DATA)
        listed = [info for info in raw_list(storage) if info.kind is FILE]

        assert dict(answer.hashes) == {name: _hash(name, DATA) for name in answer.hashes}
        for info in listed:
            assert dict(info.hashes) == {name: _hash(name, DATA) for name in info.hashes}
        assert len(listed) == 1

    def test_hashes_change_with_content(self, storage: Storage) -> None:
        """A hash is that of the bytes that are there now."""
        storage.write_bytes("a", DATA)
        before = storage.hash("a", "sha256")
        storage.write_bytes("a", DATA + b"x")

        assert before == hashlib.sha256(DATA).hexdigest()
        assert storage.hash("a", "sha256") == hashlib.sha256(DATA + b"x").hexdigest()

    def test_computed_hashes(self, storage: Storage) -> None:
        """Every hash that is claimed to be computed is, and right; without any, the verb is refused."""
        storage.write_bytes("a", DATA)
        if not storage.features.hash:
            assert storage.features.computes == frozenset()
            with pytest.raises(Unsupported):
                storage.driver.hash("a", "sha256")
            return
        claimed = storage.features.computes
        got = {name: storage.driver.hash("a", name) for name in claimed}

        assert claimed != frozenset()
        assert got == {name: _hash(name, DATA) for name in claimed}

    def test_unknown_hash(self, storage: Storage) -> None:
        """A hash that is not claimed is refused by the driver, and unknown names by the front door."""
        storage.write_bytes("a", DATA)

        with pytest.raises(Unsupported):
            storage.driver.hash("a", "nosuchhash")
        with pytest.raises(ValueError, match="nosuchhash"):
            storage.hash("a", "nosuchhash")

    def test_hash_of_missing(self, storage: Storage) -> None:
        """There is no hash of what is not there."""
        with pytest.raises(NotFound):
            storage.hash("nope", "sha256")
        for name in storage.features.computes:
            with pytest.raises(NotFound):
                storage.driver.hash("nope", name)

    def test_hash_of_directory(self, storage: Storage) -> None:
        """A directory has no hash."""
        storage.write_bytes("d/a", DATA)

        with pytest.raises(StorageError):
            storage.hash("d", "sha256")


def _hash(name: str, data: bytes) -> str:
    # Python's own where it has one, so that an error of ours is not proven by itself.
    if name in hashlib.algorithms_guaranteed and not name.startswith("shake"):
        return hashlib.new(name, data).hexdigest()
    return registry.hash_stream(io.BytesIO(data), (name,))[name]
