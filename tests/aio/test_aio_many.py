"""Listings and many objects at once, with async for."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from aio_scenes import Count, Gate, Gated, Hold, cancel_held, happened, in_loop, local, open_soon
from omnistorage import aio
from omnistorage.aio.calls import Calls
from omnistorage.aio.entries import BATCH, Source
from omnistorage.aio.stopping import Stop
from omnistorage.core.errors import (
    Cancelled,
    InvalidPath,
    NotFound,
    PermissionDenied,
)
from omnistorage.core.info import Page
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers import memory
from omnistorage.storage import Storage

T = TypeVar("T")


class TestListings:
    def test_order_and_prefix(self, storage: Storage) -> None:
        """list and scan yield what those of Storage yield."""
        for path in ("b/1", "b/2", "a", "bc"):
            storage.write_bytes(path, b"")

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            return (
                [path async for path in s.list("b")],
                [info.path async for info in s.scan(recursive=False)],
                [info.path async for info in s.scan("b")],
            )

        assert in_loop(storage, scene) == (["b/1", "b/2", "bc"], ["a", "b", "bc"], ["b/1", "b/2"])

    def test_many(self) -> None:
        """Nothing is lost or doubled between two trips to a thread."""
        storage = Storage(memory.MemoryDriver(memory.Options(page_size=70)))
        names = [f"{n:05}" for n in range(2 * BATCH + 17)]
        for name in names:
            storage.write_bytes(name, b"")

        async def scene(s: aio.AsyncStorage) -> list[str]:
            return [path async for path in s.list()]

        assert in_loop(storage, scene) == names

    def test_missing_directory(self, tmp_path: Path) -> None:
        """A directory that is not there is an error of the iteration."""

        async def scene(s: aio.AsyncStorage) -> None:
            with pytest.raises(NotFound):
                await anext(s.scan("no/such"))

        in_loop(local(tmp_path), scene)

    def test_error_comes_behind_what_was_listed(self, storage: Storage) -> None:
        """What came before a failed page is yielded first; then the error, each time it is asked."""

        class Broken(Layer):
            def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
                if page is not None:
                    raise PermissionDenied("second page")
                return Page([storage.write_bytes("a", b"")], "more")

        async def scene(s: aio.AsyncStorage) -> list[str]:
            seen = []
            listing = s.list()
            with pytest.raises(PermissionDenied):  # noqa: PT012 -- the loop itself is to raise
                async for path in listing:
                    seen.append(path)
            with pytest.raises(PermissionDenied):
                await anext(listing)
            return seen

        assert in_loop(Storage(Broken(storage.driver)), scene) == ["a"]

    def test_early_exit_closes_the_generator(self) -> None:
        """Leaving the loop closes the generator, in a thread, after at most two trips."""
        seen: list[int] = []
        closed_in: list[threading.Thread] = []

        def numbers() -> Iterator[int]:
            try:
                for n in range(100 * BATCH):
                    seen.append(n)
                    yield n
            finally:
                closed_in.append(threading.current_thread())

        async def scene() -> None:
            calls = Calls(2)
            async for n in aio.Entries(calls, Source(Stop(), numbers)):
                if n == 5:
                    break
            await calls.close()

        asyncio.run(scene())

        assert len(seen) <= 2 * BATCH
        assert len(closed_in) == 1
        assert closed_in[0] is not threading.main_thread()

    def test_back_pressure(self) -> None:
        """Who asks slowly is one step ahead of, and no more."""
        count = Count(memory.MemoryDriver(memory.Options(page_size=BATCH)))
        storage = Storage(count)
        for n in range(8 * BATCH):
            count.inner.put(f"{n:05}", BytesBody(b""), PutOptions())

        async def scene(s: aio.AsyncStorage) -> int:
            async with s.list() as listing:
                await anext(listing)
                await s.run(lambda: None)
                return count.calls

        assert in_loop(storage, scene, threads=1) <= 3

    def test_cancelled(self, storage: Storage) -> None:
        """A cancelled iteration asks for no further page, and does not look complete afterwards."""
        gate = Gate()
        storage.write_bytes("d/a", b"")

        async def scene(s: aio.AsyncStorage) -> None:
            listing = s.list()
            work = asyncio.create_task(anext(listing))
            await cancel_held(work, gate)
            with pytest.raises(Cancelled):
                await anext(listing)

        in_loop(Storage(storage.driver, partial(Hold, verb="list", gate=gate)), scene)


class TestMany:
    def test_put_and_get(self, storage: Storage) -> None:
        """Each item comes back as an outcome, failures among them as values."""
        items = [(f"d/{n}", b"%d" % n) for n in range(50)] + [("bad\0", b"")] * (storage.scheme == "file")

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            put = {outcome.path: outcome async for outcome in s.put_many(items)}
            got = {o.path: o async for o in s.get_many([path for path, _ in items[:50]] + ["missing"], limit=3)}
            return put, got

        put, got = in_loop(storage, scene)

        assert len(put) == len(items)
        assert {path: outcome.info.size for path, outcome in put.items() if outcome.info} == {
            path: len(data) for path, data in items[:50]
        }
        assert {path: outcome.data for path, outcome in got.items()} == {**dict(items[:50]), "missing": None}
        assert isinstance(got["missing"].error, NotFound)
        if storage.scheme == "file":
            assert isinstance(put["bad\0"].error, InvalidPath)

    @pytest.mark.parametrize("kind", ["list", "generator", "async"])
    def test_limit(self, kind: str) -> None:
        """As many calls as allowed are under way at once, and never one more."""
        count = Count(memory.MemoryDriver(), threading.Barrier(4))
        items = [(str(n), b"") for n in range(24)]

        async def coming() -> AsyncIterator[tuple[str, bytes]]:
            for item in items:
                await asyncio.sleep(0)
                yield item

        given: Any = {"list": items, "generator": (item for item in items), "async": coming()}[kind]

        async def scene(s: aio.AsyncStorage) -> set[str]:
            return {outcome.path async for outcome in s.put_many(given, limit=4)}

        assert in_loop(Storage(count), scene) == {path for path, _ in items}
        assert count.peak == 4

    def test_items_are_made_in_a_thread(self, storage: Storage) -> None:
        """A generator of items, which may read files, does not run on the loop."""
        made_in: set[bool] = set()

        def items() -> Iterator[tuple[str, bytes]]:
            for n in range(3):
                made_in.add(threading.current_thread() is threading.main_thread())
                yield str(n), b""

        async def scene(s: aio.AsyncStorage) -> int:
            return len([outcome async for outcome in s.put_many(items())])

        assert in_loop(storage, scene) == 3
        assert made_in == {False}

    def test_source_that_fails(self, storage: Storage) -> None:
        """When the items end with an error, what was begun is finished and reported before it is raised."""

        def items() -> Iterator[tuple[str, bytes]]:
            yield "a", b"1"
            yield "b", b"2"
            raise LookupError("no more")

        async def scene(s: aio.AsyncStorage) -> set[str]:
            seen = set()
            with pytest.raises(LookupError, match="no more"):  # noqa: PT012 -- the loop itself is to raise
                async for outcome in s.put_many(items()):
                    seen.add(outcome.path)
            return seen

        assert in_loop(storage, scene) == {"a", "b"}

    def test_bug_is_raised(self, storage: Storage) -> None:
        """What is not a failure of the storage ends the loop."""

        async def scene(s: aio.AsyncStorage) -> None:
            with pytest.raises(TypeError):
                async for _ in s.put_many([("a", 5)]):  # type: ignore[list-item]
                    pass

        in_loop(storage, scene)

    def test_read_what_is_listed(self, storage: Storage) -> None:
        """A listing is a source of paths."""
        for n in range(10):
            storage.write_bytes(f"d/{n}", b"%d" % n)

        async def scene(s: aio.AsyncStorage) -> list[bytes | None]:
            return sorted([outcome.data async for outcome in s.get_many(s.list("d/"))])  # type: ignore[type-var]

        assert in_loop(storage, scene) == [b"%d" % n for n in range(10)]

    @pytest.mark.parametrize("way", ["break", "raise", "cancel"])
    def test_early_exit(self, tmp_path: Path, way: str) -> None:
        """Leaving the loop stops the writes under way, and they leave nothing."""
        source = Gated()

        async def scene(s: aio.AsyncStorage) -> None:
            opening: list[asyncio.Task[None]] = []

            async def loop() -> None:
                async for outcome in s.put_many([("quick", b"q"), ("slow", source)], limit=2):
                    assert outcome.path == "quick"
                    await happened(source.waiting)
                    opening.append(asyncio.create_task(open_soon(source)))
                    if way == "break":
                        break
                    if way == "raise":
                        raise LookupError
                    working.cancel()

            working = asyncio.create_task(loop())
            await asyncio.wait([working])
            assert working.cancelled() == (way == "cancel")
            if way != "cancel":
                assert isinstance(working.exception(), LookupError) == (way == "raise")

        in_loop(local(tmp_path), scene)

        assert os.listdir(tmp_path) == ["quick"]
