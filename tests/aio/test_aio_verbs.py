"""The awaitable face: every verb of Storage, with its arguments and errors, on threads of its own."""

from __future__ import annotations

import asyncio
import inspect
import io
import subprocess
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from aio_scenes import MIB, Count, Gate, Hold, cancel_held, happened, in_loop, let_others_run, local
from omnistorage import aio
from omnistorage.core.errors import (
    AlreadyExists,
    Cancelled,
    Closed,
    NotFound,
    StorageError,
)
from omnistorage.core.extras import Extras
from omnistorage.drivers import memory
from omnistorage.storage import Storage

T = TypeVar("T")


class TestSameAsStorage:
    def public(self) -> dict[str, Any]:
        verbs = vars(Extras) | vars(Storage)
        return {name: verb for name, verb in verbs.items() if not name.startswith("_")}

    def test_every_verb_is_there(self) -> None:
        """A verb added to Storage must be added here, or awaiting applications would lack it."""
        assert self.public().keys() <= vars(aio.AsyncStorage).keys()

    def test_every_verb_takes_the_same_arguments(self) -> None:
        """Names, order, kinds and defaults of arguments are those of Storage."""
        for name, verb in self.public().items():
            if callable(verb):
                here = inspect.signature(getattr(aio.AsyncStorage, name)).parameters.values()
                there = inspect.signature(verb).parameters.values()

                assert [(p.name, p.kind, p.default) for p in here] == [(p.name, p.kind, p.default) for p in there], (
                    name
                )

    def test_every_verb_has_its_promise(self) -> None:
        """Each verb has a docstring, that of Storage where nothing else is said."""
        for name in self.public():
            assert getattr(aio.AsyncStorage, name).__doc__, name
        assert aio.AsyncStorage.stat.__doc__ == Storage.stat.__doc__

    def test_import_is_not_paid_by_others(self) -> None:
        """Who does not await does not import asyncio."""
        code = "import sys, omnistorage; print([m for m in ('asyncio', 'omnistorage.aio') if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

        assert done.stdout == "[]\n"


class TestVerbs:
    def test_bytes(self, storage: Storage) -> None:
        """What is written is what is read, whole and in ranges."""

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            info = await s.write_bytes("a/b", b"0123456789", modified=datetime(2024, 5, 6, tzinfo=UTC))
            return info, await s.stat("a/b"), await s.read_bytes("a/b"), await s.read_bytes("a/b", offset=2, length=3)

        info, stat, whole, part = in_loop(storage, scene)

        assert (info.path, info.size, info.modified) == ("a/b", 10, datetime(2024, 5, 6, tzinfo=UTC))
        assert stat.size == 10
        assert (whole, part) == (b"0123456789", b"234")

    def test_large_bytes(self, storage: Storage) -> None:
        """Objects of many chunks pass unharmed, from bytes and from a stream."""
        data = bytes(range(256)) * (3 * MIB // 256) + b"end"

        async def scene(s: aio.AsyncStorage) -> tuple[bytes, bytes]:
            await s.write_bytes("one", data)
            await s.write_bytes("two", io.BytesIO(data))
            return await s.read_bytes("one"), await s.read_bytes("two")

        one, two = in_loop(storage, scene)

        assert one == data
        assert two == data

    def test_if_absent(self, storage: Storage) -> None:
        """Arguments reach the driver: what is there is not replaced."""

        async def scene(s: aio.AsyncStorage) -> bytes:
            await s.write_bytes("a", b"first")
            with pytest.raises(AlreadyExists):
                await s.write_bytes("a", b"second", if_absent=True)
            return await s.read_bytes("a")

        assert in_loop(storage, scene) == b"first"

    def test_text(self, storage: Storage) -> None:
        """Text is encoded and decoded as asked for."""

        async def scene(s: aio.AsyncStorage) -> tuple[str, bytes]:
            await s.write_text("a", "grün", "latin-1")
            return await s.read_text("a", "latin-1"), await s.read_bytes("a")

        assert in_loop(storage, scene) == ("grün", b"gr\xfcn")

    def test_looking(self, storage: Storage) -> None:
        """exists, hash and about say what Storage says."""

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            await s.write_bytes("a", b"abc")
            return await s.exists("a"), await s.exists("b"), await s.hash("a", "md5"), await s.about()

        there, missing, digest, usage = in_loop(storage, scene)

        assert there is True
        assert missing is False
        assert digest == "900150983cd24fb0d6963f7d28e17f72"
        assert usage.used is not None

    def test_changing(self, storage: Storage) -> None:
        """copy, move, delete, delete_many and set_modified do what they do."""

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            await s.write_bytes("a", b"abc")
            copied = await s.copy("a", "b")
            moved = await s.move("a", "c")
            await s.set_modified("c", datetime(2001, 2, 3, tzinfo=UTC))
            modified = (await s.stat("c")).modified
            await s.delete("b")
            await s.delete("never there")
            left = [path async for path in s.list()]
            failures = await s.delete_many(["c", "never there"])
            return copied, moved, modified, left, failures, [path async for path in s.list()]

        copied, moved, modified, left, failures, nothing = in_loop(storage, scene)

        assert (copied.path, copied.size) == ("b", 3)
        assert (moved.path, moved.size) == ("c", 3)
        assert modified == datetime(2001, 2, 3, tzinfo=UTC)
        assert left == ["c"]
        assert failures == [None, None]
        assert nothing == []

    def test_directories(self, tmp_path: Path) -> None:
        """Directories are made and removed."""

        async def scene(s: aio.AsyncStorage) -> tuple[bool, bool]:
            await s.mkdir("a/b")
            made = (tmp_path / "a/b").is_dir()
            await s.rmdir("a/b")
            return made, (tmp_path / "a/b").exists()

        assert in_loop(local(tmp_path), scene) == (True, False)

    def test_properties(self, storage: Storage) -> None:
        """What needs no waiting is not awaited."""

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            return s.scheme, s.features, s.closed, s.driver

        assert in_loop(storage, scene)[:3] == (storage.scheme, storage.features, False)

    def test_errors_keep_type_and_attributes(self, storage: Storage) -> None:
        """An error is the one that Storage raises, with verb, path and scheme."""

        async def scene(s: aio.AsyncStorage) -> StorageError:
            with pytest.raises(FileNotFoundError) as caught:
                await s.read_bytes("no/such")
            assert isinstance(caught.value, NotFound)
            return caught.value

        error = in_loop(storage, scene)

        assert (error.op, error.path, error.scheme) == ("get", "no/such", storage.scheme)

    def test_wrong_arguments(self, storage: Storage) -> None:
        """A bug of the caller is a TypeError or ValueError here, too."""

        async def scene(s: aio.AsyncStorage) -> None:
            with pytest.raises(TypeError, match="not text"):
                await s.write_bytes("a", io.StringIO("text"))  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="offset"):
                await s.read_bytes("a", offset=-1)
            with pytest.raises(ValueError, match="limit"):
                s.get_many([], limit=0)

        in_loop(storage, scene)
        with pytest.raises(ValueError, match="threads"):
            aio.AsyncStorage(storage, threads=0)


class TestOpenAndClose:
    @pytest.fixture
    def opened(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def opener(url: str, **options: Any) -> Storage:
            asked.append({"url": url, "thread": threading.current_thread(), **options})
            return Storage(memory.MemoryDriver())

        monkeypatch.setattr("omnistorage.opening.open", opener)
        return asked

    def test_by_address(self, opened: list[dict[str, Any]]) -> None:
        """An address is opened in a thread, with the options given, by ``async with``."""

        async def scene() -> bool:
            async with aio.open("memory://x", page_size=5) as s:
                await s.write_bytes("a", b"")
            return s.closed

        assert asyncio.run(scene()) is True
        assert (opened[0]["url"], opened[0]["page_size"]) == ("memory://x", 5)
        assert opened[0]["thread"] is not threading.main_thread()

    def test_by_await(self, opened: list[dict[str, Any]]) -> None:
        """Opening can be awaited, too; nothing is opened before."""

        async def scene() -> bytes:
            opening = aio.open("memory://")
            assert opened == []
            s = await opening
            await s.write_bytes("a", b"b")
            data = await s.read_bytes("a")
            await s.close()
            await s.close()
            return data

        assert asyncio.run(scene()) == b"b"

    def test_closed(self, storage: Storage) -> None:
        """After close everything is refused with Closed, also what was opened before."""

        async def scene() -> None:
            s = aio.AsyncStorage(storage)
            await s.write_bytes("a", b"line\n")
            reader = await s.open_reader("a")
            listing = s.list()
            assert [path async for path in s.list()] == ["a"]
            await s.close()

            assert s.closed
            assert storage.closed
            for call in (s.stat("a"), reader.read(), anext(listing), s.open_writer("b"), s.run(print, s)):
                with pytest.raises(Closed):
                    await call
            with pytest.raises(Closed):
                async with s:
                    pass
            await reader.close()
            await listing.close()
            assert reader.closed

        asyncio.run(scene())

    def test_threads_end(self, storage: Storage) -> None:
        """Close leaves no thread behind."""
        before = set(threading.enumerate())

        async def scene(s: aio.AsyncStorage) -> None:
            await asyncio.gather(*(s.exists(str(n)) for n in range(10)))

        in_loop(storage, scene)

        assert set(threading.enumerate()) - before == set()

    def test_close_waits(self, tmp_path: Path) -> None:
        """A call that is under way ends well before the storage is closed."""
        gate = Gate()

        async def scene() -> int | None:
            s = aio.AsyncStorage(local(tmp_path, partial(Hold, verb="put", gate=gate)))
            writing = asyncio.create_task(s.write_bytes("a", b"abc"))
            await happened(gate.waiting)
            closing = asyncio.create_task(s.close())
            await let_others_run()
            assert not closing.done()
            gate.go.set()
            await closing
            return (await writing).size

        assert asyncio.run(scene()) == 3


class TestLoop:
    def test_stays_responsive(self, storage: Storage) -> None:
        """Other tasks go on while a call of the driver is blocked."""
        gate = Gate()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            for _ in range(100):
                await asyncio.sleep(0)
                ticks += 1
            gate.go.set()

        async def scene(s: aio.AsyncStorage) -> bool:
            looking = asyncio.create_task(s.exists("a"))
            await happened(gate.waiting)
            await tick()
            return await looking

        assert in_loop(Storage(storage.driver, partial(Hold, verb="stat", gate=gate)), scene) is False
        assert ticks == 100

    def test_threads_are_bounded(self, storage: Storage) -> None:
        """Never more than ``threads`` calls are at work."""
        count = Count(storage.driver)

        async def scene(s: aio.AsyncStorage) -> None:
            await asyncio.gather(*(s.exists(str(n)) for n in range(40)))

        in_loop(Storage(count), scene, threads=3)

        assert count.calls == 40
        assert count.peak <= 3


class TestRun:
    def test_any_call(self, storage: Storage) -> None:
        """A function gets Storages for AsyncStorages, the same one for the same one, and runs in a thread."""

        def look(one: Storage, two: Storage, *, three: Storage, text: str) -> tuple[Any, ...]:
            return type(one), one is two, one is three, text, threading.current_thread() is threading.main_thread()

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            return await s.run(look, s, s, three=s, text="t")

        assert in_loop(storage, scene) == (Storage, True, True, "t", False)

    def test_cleaning_up_is_allowed(self, storage: Storage) -> None:
        """A function that was stopped may delete what it made, but do nothing else."""
        gate = Gate()
        refused: list[StorageError] = []

        def work(one: Storage) -> None:
            one.write_bytes("temp", b"")
            gate.waiting.set()
            assert gate.go.wait(20)
            try:
                one.write_bytes("more", b"")
            except Cancelled as exc:
                refused.append(exc)
                one.delete("temp")
                raise

        async def scene(s: aio.AsyncStorage) -> list[str]:
            await cancel_held(asyncio.create_task(s.run(work, s)), gate)
            return [path async for path in s.list()]

        assert in_loop(storage, scene) == []
        assert [(error.op, error.path) for error in refused] == [("put", "more")]

    def test_copy_and_move_between_storages(self, storage: Storage, tmp_path: Path) -> None:
        """Objects travel between two storages; a moved one is gone at the source."""

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            async with aio.AsyncStorage(local(tmp_path / "other")) as other:
                await s.write_bytes("a", b"abc")
                copied = await aio.copy_path(s, "a", other, "x")
                within = await aio.copy_path(s, "a", s, "b")
                moved = await aio.move_path(s, "a", other, "y")
                return copied.size, within.path, moved.size, await s.exists("a"), await other.read_bytes("y")

        assert in_loop(storage, scene) == (3, "b", 3, False, b"abc")
