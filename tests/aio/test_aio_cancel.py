"""Cancelled calls end before their task does, and leave nothing behind."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from aio_scenes import MIB, Gate, Gated, Hold, cancel_held, happened, in_loop, let_others_run, local, open_soon
from omnistorage import aio
from omnistorage.core.layer import Layer
from omnistorage.core.streams import FileBody, StreamBody
from omnistorage.drivers import memory
from omnistorage.storage import Storage

T = TypeVar("T")


class TestCancellation:
    @pytest.mark.parametrize("known_size", [True, False])
    def test_write(self, tmp_path: Path, known_size: bool) -> None:
        """A write cancelled in the middle leaves neither object nor temporary file, and reads no further."""
        source = Gated()

        async def scene(s: aio.AsyncStorage) -> None:
            body = StreamBody(source, 4 * MIB if known_size else None)
            await cancel_held(asyncio.create_task(s.write_bytes("a", body)), source)

        in_loop(local(tmp_path), scene)

        assert os.listdir(tmp_path) == []
        assert source.reads == 2

    def test_write_keeps_what_was_there(self, storage: Storage) -> None:
        """The old object stays when the write of the new one is cancelled."""
        source = Gated()

        async def scene(s: aio.AsyncStorage) -> bytes:
            await s.write_bytes("a", b"old")
            await cancel_held(asyncio.create_task(s.write_bytes("a", source)), source)
            return await s.read_bytes("a")

        assert in_loop(storage, scene) == b"old"

    def test_large_local_file(self, tmp_path: Path) -> None:
        """A file of this machine is read in chunks, or the kernel would copy it to its end."""
        (tmp_path / "from").write_bytes(b"x" * (MIB + 1))
        seen: list[str | None] = []

        class Look(Layer):
            def put(self, path: str, body: Any, options: Any) -> Any:
                seen.append(body.local_path)
                with body.open() as stream, pytest.raises(io.UnsupportedOperation):
                    stream.fileno()
                return super().put(path, body, options)

        async def scene(s: aio.AsyncStorage) -> int | None:
            return (await s.write_bytes("a", FileBody(tmp_path / "from"))).size

        assert in_loop(local(tmp_path / "to", Look), scene) == MIB + 1
        assert seen == [None]

    def test_twice(self, tmp_path: Path) -> None:
        """A second cancellation does not make the task leave its thread alone."""
        source = Gated()

        async def scene(s: aio.AsyncStorage) -> None:
            work = asyncio.create_task(s.write_bytes("a", source))
            await happened(source.waiting)
            work.cancel()
            await let_others_run()
            await cancel_held(work, source)

        in_loop(local(tmp_path), scene)

        assert os.listdir(tmp_path) == []

    def test_read(self, storage: Storage) -> None:
        """A cancelled read asks for no further chunk."""
        source = Gated()

        class Slow(Layer):
            def get(self, path: str, offset: int = 0, length: int | None = None) -> Any:
                return source

        async def scene(s: aio.AsyncStorage) -> None:
            await cancel_held(asyncio.create_task(s.read_bytes("a")), source)

        in_loop(Storage(Slow(storage.driver)), scene)

        assert source.reads == 2

    def test_copy_path(self, tmp_path: Path) -> None:
        """A cancelled copy between two storages leaves nothing at the destination, and the source as it was."""
        source = Gated()

        class Slow(Layer):
            def get(self, path: str, offset: int = 0, length: int | None = None) -> Any:
                return source

        src = Storage(Slow(memory.MemoryDriver()))
        src.write_bytes("a", b"x" * 4 * MIB)

        async def scene(s: aio.AsyncStorage) -> bool:
            async with aio.AsyncStorage(local(tmp_path)) as dst:
                await cancel_held(asyncio.create_task(aio.copy_path(s, "a", dst, "b")), source)
            return await s.exists("a")

        assert in_loop(src, scene) is True
        assert os.listdir(tmp_path) == []
        assert source.reads == 2

    def test_before_it_began(self, tmp_path: Path) -> None:
        """A call that waits for a free thread is cancelled without having begun."""
        gate = Gate()

        async def scene(s: aio.AsyncStorage) -> bool:
            first = asyncio.create_task(s.write_bytes("first", b""))
            await happened(gate.waiting)
            second = asyncio.create_task(s.write_bytes("second", b""))
            await let_others_run()
            second.cancel()
            await let_others_run()
            at_once = second.cancelled()
            gate.go.set()
            await first
            return at_once

        storage = local(tmp_path, partial(Hold, verb="put", gate=gate))

        assert in_loop(storage, scene, threads=1) is True
        assert os.listdir(tmp_path) == ["first"]

    def test_timeout(self, storage: Storage) -> None:
        """asyncio.timeout stops a write, and is a TimeoutError as it should be."""

        class Dripping(io.RawIOBase):
            reads = 0

            def readable(self) -> bool:
                return True

            def read(self, size: int | None = -1, /) -> bytes:
                Dripping.reads += 1
                assert Dripping.reads < 10_000, "not stopped"
                threading.Event().wait(0.001)
                return b"."

            def readinto(self, buffer: Any, /) -> int:
                buffer[:1] = self.read()
                return 1

        async def scene(s: aio.AsyncStorage) -> bool:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await s.write_bytes("a", Dripping())
            return await s.exists("a")

        assert in_loop(storage, scene) is False

    def test_task_group(self, tmp_path: Path) -> None:
        """When one task of a group fails, the writes of its siblings stop and leave nothing."""
        source = Gated()

        opening: list[asyncio.Task[None]] = []

        async def fail() -> None:
            await happened(source.waiting)
            opening.append(asyncio.create_task(open_soon(source)))
            raise LookupError("sibling")

        async def scene(s: aio.AsyncStorage) -> None:
            with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 -- the group is to raise
                async with asyncio.TaskGroup() as group:
                    group.create_task(s.write_bytes("a", source))
                    group.create_task(fail())
            assert [str(error) for error in caught.value.exceptions] == ["sibling"]

        in_loop(local(tmp_path), scene)

        assert os.listdir(tmp_path) == []

    def test_opening(self, storage: Storage) -> None:
        """A reader whose opening was cancelled is closed again."""
        storage.write_bytes("a", b"abc")
        gate = Gate()
        streams: list[Any] = []

        class Remember(Layer):
            def get(self, path: str, offset: int = 0, length: int | None = None) -> Any:
                streams.append(super().get(path, offset, length))
                return streams[-1]

        held = Storage(storage.driver, Remember, partial(Hold, verb="get", gate=gate))

        async def scene(s: aio.AsyncStorage) -> None:
            async def opened() -> None:
                await s.open_reader("a")

            await cancel_held(asyncio.create_task(opened()), gate)

        in_loop(held, scene)

        assert [stream.closed for stream in streams] == [True]
