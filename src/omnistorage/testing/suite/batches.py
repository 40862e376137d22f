"""Cases about many puts at once: each item stands for itself, and its answer is in its place."""

from __future__ import annotations

import pytest

from omnistorage.core.driver import PutItem, PutResults
from omnistorage.core.errors import InvalidPath, SourceChanged, StorageError, Truncated
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, PlainFile
from omnistorage.storage import Storage
from omnistorage.testing.bodies import BodyBroke, BrokenBody, LyingBody, pattern

from .base import Suite, keys, nothing_at, put

DATA = pattern(3000)

BAD: dict[str, tuple[Body, type[Exception] | tuple[type[Exception], ...]]] = {
    "broken": (BrokenBody(DATA, 1000), (BodyBroke, StorageError)),
    "too short": (LyingBody(DATA[:-1], len(DATA)), Truncated),
    "too long": (LyingBody(DATA, len(DATA) - 1), Truncated),
}


class Batches(Suite):
    """What is stored together is stored as if one after the other."""

    def test_put_many(self, storage: Storage) -> None:
        """All objects are stored, in one directory or in many, and described in the order in which they came."""
        wanted = {f"{folder}{n}": pattern(n, n) for n in range(9) for folder in ("", "d/", "d/e/", "z/")}
        results = _put_many(storage, wanted)

        assert [result for result in results if isinstance(result, Exception)] == []
        assert [result.path for result in results if isinstance(result, ObjectInfo)] == list(wanted)
        assert {path: storage.read_bytes(path) for path in keys(storage)} == wanted

    def test_put_many_tells_what_a_listing_says(self, storage: Storage) -> None:
        """The answer for an object is what a look at it gives."""
        results = _put_many(storage, {"a": b"", "d/b": DATA, "d/c": b"x"})

        for result in results:
            assert isinstance(result, ObjectInfo)
            now = storage.stat(result.path)
            assert (result.kind, result.size, result.mtime_ns) == (now.kind, now.size, now.mtime_ns)

    def test_put_many_of_files(self, storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Files of this machine are stored whole; one that is not as it was listed is not."""
        folder = tmp_path_factory.mktemp("sources")
        items: list[PutItem] = []
        for n, size in enumerate((0, 1, 700_000, 3000)):
            source = folder / f"source of {n}"
            source.write_bytes(pattern(size, n))
            body = PlainFile(str(source), size, source.stat().st_mtime_ns)
            items.append((f"d{n % 2}/{n}", body, PutOptions(mtime_ns=1_600_000_000 * 10**9)))
        (folder / "source of 3").write_bytes(b"changed")
        results = storage.driver.put_many(items)

        assert [type(result) for result in results[:3]] == [ObjectInfo] * 3
        assert isinstance(results[3], (SourceChanged, Truncated))
        assert {path: storage.read_bytes(path) for path in keys(storage)} == {
            f"d{n % 2}/{n}": pattern(size, n) for n, size in ((0, 0), (2, 700_000), (1, 1))
        }

    def test_put_many_of_none(self, storage: Storage) -> None:
        """Nothing given, nothing stored."""
        put(storage, "a")

        assert list(storage.driver.put_many([])) == []
        assert keys(storage) == ["a"]

    def test_put_many_replaces(self, storage: Storage) -> None:
        """Objects that were there hold the new bytes, also shorter ones, and their neighbours the old."""
        put(storage, "a", "d/b", "d/c", data=b"old and long")
        results = _put_many(storage, {"d/b": b"new", "a": b""})

        assert [result.size for result in results if isinstance(result, ObjectInfo)] == [3, 0]
        assert storage.read_bytes("d/b") == b"new"
        assert storage.read_bytes("a") == b""
        assert storage.read_bytes("d/c") == b"old and long"
        assert keys(storage) == ["a", "d/b", "d/c"]

    def test_put_many_to_one_path(self, storage: Storage) -> None:
        """Of two items for the same path the later one stays."""
        items = [("d/a", BytesBody(data), PutOptions()) for data in (b"first", b"2nd")]
        results = storage.driver.put_many(items)

        assert [isinstance(result, ObjectInfo) for result in results] == [True, True]
        assert storage.read_bytes("d/a") == b"2nd"
        assert keys(storage) == ["d/a"]

    @pytest.mark.parametrize("kind", BAD)
    def test_put_many_with_a_bad_one(self, storage: Storage, kind: str) -> None:
        """An item that fails is told in its place, leaves nothing of itself, and does not hinder the others."""
        body, error = BAD[kind]
        results = storage.driver.put_many([_item("d/a", DATA), ("d/b", body, PutOptions()), _item("d/c", b"x")])

        assert len(results) == 3
        assert isinstance(results[1], error)
        assert not isinstance(results[0], Exception)
        assert not isinstance(results[2], Exception)
        assert nothing_at(storage, "d/b")
        assert storage.read_bytes("d/a") == DATA
        assert storage.read_bytes("d/c") == b"x"
        assert keys(storage) == ["d/a", "d/c"]

    @pytest.mark.parametrize("kind", BAD)
    def test_put_many_with_a_bad_one_keeps_the_old(self, storage: Storage, kind: str) -> None:
        """The object that an item failed to replace is still there."""
        body, error = BAD[kind]
        put(storage, "d/a", "d/b", data=b"old")
        results = storage.driver.put_many([("d/a", body, PutOptions()), _item("d/b", b"new")])

        assert isinstance(results[0], error)
        assert storage.read_bytes("d/a") == b"old"
        assert storage.read_bytes("d/b") == b"new"
        assert keys(storage) == ["d/a", "d/b"]

    def test_put_many_tells_where(self, storage: Storage) -> None:
        """The error of an item says which path of which storage it is about."""
        body, _ = BAD["too short"]
        answer = storage.driver.put_many([_item("a", b"x"), ("d/b", body, PutOptions())])[1]

        assert isinstance(answer, Truncated)
        assert (answer.op, answer.path, answer.scheme) == ("put", "d/b", storage.scheme)

    @pytest.mark.parametrize("key", ["../a", "d//a", "d/../../a", "d/", "a\0b", "cut \ud800 half"])
    def test_put_many_with_a_bad_name(self, storage: Storage, key: str) -> None:
        """A name that cannot be carried is refused in its place; one that can be is stored exactly."""
        results = _put_many(storage, {"d/a": b"beside", key: b"x", "d/b": b"after"})
        answer = results[1]

        assert isinstance(answer, InvalidPath) or (isinstance(answer, ObjectInfo) and answer.path == key)
        assert isinstance(answer, InvalidPath) or storage.read_bytes(key) == b"x"
        assert isinstance(answer, InvalidPath) or storage.features.any_key
        assert [isinstance(result, ObjectInfo) for result in results[::2]] == [True, True]
        assert {*keys(storage)} - {key} == {"d/a", "d/b"}
        assert storage.read_bytes("d/a") == b"beside"

    def test_put_many_with_times(self, storage: Storage) -> None:
        """Each object gets its own time, as exactly as the storage claims."""
        precision = storage.features.precision
        if not storage.features.mtime or precision is None:
            pytest.skip("needs features.mtime")
        times = {f"d/{n}": 1_600_000_000_123_456_789 + n * 86_400_000_000_001 for n in range(5)}
        storage.driver.put_many([_item(path, b"x", mtime_ns=time) for path, time in times.items()])

        for path, time in times.items():
            assert abs((storage.stat(path).mtime_ns or 0) - time) < precision


def _item(path: str, data: bytes, **options: int) -> PutItem:
    return path, BytesBody(data), PutOptions(**options)  # type: ignore[arg-type]


def _put_many(storage: Storage, objects: dict[str, bytes]) -> PutResults:
    results = storage.driver.put_many([_item(path, data) for path, data in objects.items()])
    assert len(results) == len(objects)
    return results
