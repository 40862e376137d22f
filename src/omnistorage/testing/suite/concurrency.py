"""Cases about many threads at once, and many calls in the midst of each other."""

from __future__ import annotations

import pytest

from omnistorage.core.errors import NotFound, StorageError
from omnistorage.core.streams import read_all
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

from .base import Suite, keys, put, raw_list, together

ROUNDS = 10


class Concurrency(Suite):
    """A storage can be used from many threads, also while its streams are open."""

    def test_threads_on_different_keys(self, storage: Storage) -> None:
        """Threads that work on keys of their own do not see each other."""

        def work(thread: int) -> list[str]:
            wrong = []
            for n in range(ROUNDS):
                path, data = f"t{thread}/{n}", pattern(3000 + thread, seed=thread * 20 + n)
                storage.write_bytes(path, data)
                if storage.read_bytes(path) != data:
                    wrong.append(path)
                if n % 2:
                    storage.delete(path)
            return wrong + [key for key in keys(storage, f"t{thread}/") if int(key.rpartition("/")[2]) % 2]

        results = together(self.threads, work)

        assert results == [[]] * self.threads
        assert len(keys(storage)) == self.threads * ROUNDS // 2

    def test_threads_on_one_key(self, storage: Storage) -> None:
        """Of several puts at once one wins as a whole; none is mixed with another."""
        contents = [pattern(50_000 + 1000 * n, seed=n) for n in range(self.threads)]
        results = self._put_at_once(storage, contents)

        assert [result for result in results if not isinstance(result, StorageError)] != []
        assert contents.count(storage.read_bytes("a")) == 1

    def test_threads_on_one_key_leave_one_entry(self, storage: Storage) -> None:
        """What several threads put under one key at once is listed once."""
        self._put_at_once(storage, [b"x" * (n + 1) for n in range(self.threads)])

        assert keys(storage) == ["a"]

    def _put_at_once(self, storage: Storage, contents: list[bytes]) -> list[object]:
        return together(self.threads, lambda n: storage.write_bytes("a", contents[n]))

    def test_readers_see_whole_objects(self, storage: Storage) -> None:
        """Where puts are atomic, a reader meets an old or a new object while it is replaced, no third thing."""
        if not storage.features.atomic_put:
            pytest.skip("needs features.atomic_put")
        contents = [b"a" * 200_000, b"b" * 300_000, b"c" * 100]
        storage.write_bytes("a", contents[0])

        def work(thread: int) -> list[int]:
            wrong = []
            for n in range(ROUNDS):
                if thread < 2:
                    storage.write_bytes("a", contents[(n + thread) % 3])
                elif (got := storage.read_bytes("a")) not in contents:
                    wrong.append(len(got))
            return wrong

        assert together(max(4, self.threads), work) == [[]] * max(4, self.threads)

    def test_object_never_vanishes(self, storage: Storage) -> None:
        """Where puts are atomic, an object that is being replaced is never missing in between."""
        if not storage.features.atomic_put:
            pytest.skip("needs features.atomic_put")
        put(storage, "d/a", "d/b")

        def work(thread: int) -> set[int]:
            seen = set()
            for n in range(ROUNDS):
                if thread < 2:
                    storage.write_bytes("d/a", b"x" * (n + 1))
                else:
                    seen.add(len([info for info in raw_list(storage, "d") if info.path in ("d/a", "d/b")]))
                    storage.stat("d/a")
            return seen - {2}

        assert together(4, work) == [set()] * 4

    def test_delete_has_no_ghost(self, storage: Storage) -> None:
        """Threads that put and delete one key leave a whole object or none."""
        assert self._put_and_delete(storage) == [None] * self.threads
        assert self._left(storage) in ([], [b"whole"])

    def test_delete_leaves_no_entry(self, storage: Storage) -> None:
        """Threads that put and delete one key leave an entry of it if it is there."""
        self._put_and_delete(storage)

        assert keys(storage) == ["a"] * len(self._left(storage))

    def _put_and_delete(self, storage: Storage) -> list[object]:
        def work(thread: int) -> None:
            for _ in range(ROUNDS):
                if thread % 2:
                    storage.delete("a")
                else:
                    storage.write_bytes("a", b"whole")

        return together(self.threads, work)

    def _left(self, storage: Storage) -> list[bytes]:
        try:
            return [storage.read_bytes("a")]
        except NotFound:
            return []

    def test_calls_while_a_stream_is_open(self, storage: Storage) -> None:
        """An open stream neither blocks other calls nor is disturbed by them."""
        data = pattern(1 << 20)
        storage.write_bytes("a", data)
        put(storage, "b", "c")
        with storage.driver.get("a") as stream:
            first = stream.read(1000)
            storage.write_bytes("new", b"new")
            storage.delete("b")
            listed = keys(storage)
            other = storage.read_bytes("c")
            with storage.driver.get("a", 500_000) as second:
                middle = read_all(second)
            rest = read_all(stream)

        assert first + rest == data
        assert middle == data[500_000:]
        assert (listed, other) == (["a", "c", "new"], b"x")

    def test_change_while_listing(self, storage: Storage) -> None:
        """What is there all the time is listed, whatever comes and goes meanwhile."""
        steady = [f"d/{n:03}" for n in range(100)]
        put(storage, *steady, "d/gone")
        found = []
        for n, path in enumerate(storage.list("d/")):
            found.append(path)
            if n == 0:
                storage.delete("d/gone")
                put(storage, "d/new")

        assert [path for path in found if path in steady] == steady

    def test_many_open_streams(self, storage: Storage) -> None:
        """A dozen streams can be open at once."""
        contents = [pattern(20_000, seed=n) for n in range(12)]
        for n, data in enumerate(contents):
            storage.write_bytes(f"{n}", data)
        streams = [storage.driver.get(f"{n}") for n in range(12)]
        got = [stream.read(10) for stream in streams]
        rest = [read_all(stream) for stream in reversed(streams)]
        for stream in streams:
            stream.close()

        assert [a + b for a, b in zip(got, reversed(rest), strict=True)] == contents
