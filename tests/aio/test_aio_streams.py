"""Readers and writers to await."""

from __future__ import annotations

import asyncio
import gc
import io
import os
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from aio_scenes import MIB, Gate, Hold, cancel_held, in_loop, local
from omnistorage import aio
from omnistorage.core.errors import (
    Cancelled,
    Closed,
    NotFound,
)
from omnistorage.core.layer import Layer
from omnistorage.drivers import memory
from omnistorage.storage import Storage

T = TypeVar("T")


class TestReader:
    def test_everything(self, storage: Storage) -> None:
        """A reader reads, seeks, tells and yields chunks and lines."""
        storage.write_bytes("a", b"one\ntwo\nthree")

        async def scene(s: aio.AsyncStorage) -> dict[str, Any]:
            seen: dict[str, Any] = {}
            async with s.open_reader("a") as reader:
                seen["line"] = await reader.readline()
                seen["tell"] = await reader.tell()
                seen["read"] = await reader.read(2)
                seen["seek"] = await reader.seek(-5, io.SEEK_END)
                seen["rest"] = await reader.read()
                await reader.seek(0)
                buffer = bytearray(3)
                seen["readinto"] = await reader.readinto(buffer), bytes(buffer)
                await reader.seek(0)
                seen["chunks"] = [chunk async for chunk in reader.chunks(5)]
                await reader.seek(0)
                seen["lines"] = [line async for line in reader]
                seen["open"] = reader.closed
                seen["name"] = reader.name
            seen["closed"] = reader.closed
            return seen

        assert in_loop(storage, scene) == {
            "line": b"one\n",
            "tell": 4,
            "read": b"tw",
            "seek": 8,
            "rest": b"three",
            "readinto": (3, b"one"),
            "chunks": [b"one\nt", b"wo\nth", b"ree"],
            "lines": [b"one\n", b"two\n", b"three"],
            "open": False,
            "name": "a",
            "closed": True,
        }

    def test_awaited(self, storage: Storage) -> None:
        """A reader that was awaited can be entered, or closed by hand; ranges are kept."""
        storage.write_bytes("a", b"0123456789")

        async def scene(s: aio.AsyncStorage) -> tuple[bytes, bytes]:
            async with await s.open_reader("a", offset=2, length=3) as reader:
                first = await reader.read()
            by_hand = await s.open_reader("a")
            second = await by_hand.read(1)
            await by_hand.close()
            await by_hand.close()
            return first, second

        assert in_loop(storage, scene) == (b"234", b"0")

    def test_missing(self, storage: Storage) -> None:
        """A missing object is an error of the opening."""

        async def scene(s: aio.AsyncStorage) -> None:
            with pytest.raises(NotFound):
                await s.open_reader("a")
            with pytest.raises(NotFound):
                async with s.open_reader("a"):
                    pass

        in_loop(storage, scene)

    def test_text(self, storage: Storage) -> None:
        """Text is read and written through ``open``, line by line."""

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            async with s.open("a", "w", encoding="latin-1") as writer:
                await writer.write("grün\nblau\n")
            async with s.open("a", "r", encoding="latin-1") as reader:
                lines = [line async for line in reader]
                with pytest.raises(io.UnsupportedOperation):
                    await reader.readinto(bytearray(1))
            async with s.open("a") as reader:
                raw = await reader.read()
            with pytest.raises(ValueError, match="mode"):
                await s.open("a", "a")
            return writer.info.size, lines, raw

        assert in_loop(storage, scene) == (10, ["grün\n", "blau\n"], b"gr\xfcn\nblau\n")

    def test_cancelled_read_can_go_on(self, storage: Storage) -> None:
        """After a cancelled read the reader still reads, from wherever it is put."""
        storage.write_bytes("a", b"abc")
        gate = Gate()

        class SlowRead(Layer):
            def get(self, path: str, offset: int = 0, length: int | None = None) -> Any:
                stream = super().get(path, offset, length)

                class Held(io.RawIOBase):
                    def readinto(self, buffer: Any) -> int:
                        gate.waiting.set()
                        assert gate.go.wait(20)
                        data = stream.read(len(buffer))
                        buffer[: len(data)] = data
                        return len(data)

                    def close(self) -> None:
                        stream.close()
                        super().close()

                return Held()

        async def scene(s: aio.AsyncStorage) -> bytes:
            async with s.open_reader("a") as reader:
                await cancel_held(asyncio.create_task(reader.read(1)), gate)
                await reader.seek(1)
                return await reader.read()

        assert in_loop(Storage(SlowRead(storage.driver)), scene) == b"bc"


class TestWriter:
    def test_commit(self, storage: Storage) -> None:
        """The object appears, whole, when the block ends well, and not before."""

        async def scene(s: aio.AsyncStorage) -> tuple[Any, ...]:
            async with s.open_writer("a", buffer_size=10) as writer:
                for n in range(10):
                    await writer.write(b"%04d" % n)
                told, before = await writer.tell(), await s.exists("a")
            assert writer.info is not None
            return told, before, writer.closed, writer.info.size, len(await s.read_bytes("a"))

        assert in_loop(storage, scene) == (40, False, True, 40, 40)

    def test_awaited(self, storage: Storage) -> None:
        """A writer that was awaited can be entered, or closed or aborted by hand."""

        async def scene(s: aio.AsyncStorage) -> list[str]:
            async with await s.open_writer("a") as one:
                await one.write(b"1")
            two = await s.open_writer("b")
            await two.write(b"2")
            await two.close()
            await two.close()
            three = await s.open_writer("c")
            await three.write(b"3")
            await three.abort()
            await three.close()
            with pytest.raises(Closed):
                await three.write(b"4")
            return [path async for path in s.list()]

        assert in_loop(storage, scene) == ["a", "b"]

    def test_abort_on_exception(self, storage: Storage) -> None:
        """Nothing appears when the block raises, of bytes or of text."""

        async def scene(s: aio.AsyncStorage) -> list[str]:
            for mode, data in (("wb", b"half"), ("w", "half")):
                with pytest.raises(LookupError):  # noqa: PT012 -- the block itself is to raise
                    async with s.open("a", mode) as writer:
                        await writer.write(data)
                        raise LookupError
                assert writer.info is None
            return [path async for path in s.list()]

        assert in_loop(storage, scene) == []

    @pytest.mark.parametrize("buffer_size", [None, 1000])
    def test_abort_on_cancellation(self, tmp_path: Path, buffer_size: int | None) -> None:
        """Nothing appears, and nothing is left, when the block is cancelled between two writes."""

        async def scene(s: aio.AsyncStorage) -> None:
            written = asyncio.Event()

            async def write() -> None:
                async with s.open_writer("a", buffer_size=buffer_size) as writer:
                    await writer.write(b"x" * 5000)
                    written.set()
                    await asyncio.Event().wait()

            work = asyncio.create_task(write())
            await written.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

        in_loop(local(tmp_path), scene)

        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("verb", ["put", "put_part"])
    def test_cancelled_commit(self, verb: str) -> None:
        """A close or write that is cancelled on its way aborts, also an upload in parts."""
        gate = Gate()
        driver = memory.MemoryDriver()
        storage = Storage(driver, partial(Hold, verb=verb, gate=gate))
        data = b"x" * (6 * MIB if verb == "put_part" else 3 * MIB)

        async def scene(s: aio.AsyncStorage) -> list[str]:
            writer = await s.open_writer("a", buffer_size=MIB if verb == "put_part" else None)

            async def write() -> None:
                await writer.write(data)
                await writer.close()

            await cancel_held(asyncio.create_task(write()), gate)
            with pytest.raises(Cancelled):
                await writer.close()
            return [path async for path in s.list()]

        assert in_loop(storage, scene) == []
        assert driver._space.uploads == {}

    def test_timeout_that_is_caught(self) -> None:
        """A block that catches the cancellation of its write does not end as if all were stored."""
        gate = Gate()
        driver = memory.MemoryDriver()

        async def scene(s: aio.AsyncStorage) -> None:
            async with s.open_writer("a", buffer_size=MIB) as writer:
                await cancel_held(asyncio.create_task(writer.write(b"x" * 6 * MIB)), gate)

        with pytest.raises(Cancelled, match="nothing was stored"):
            in_loop(Storage(driver, partial(Hold, verb="put_part", gate=gate)), scene)

        assert driver._space.objects == {}
        assert driver._space.uploads == {}

    def test_dropped(self) -> None:
        """A writer that is dropped unclosed stores nothing, and says so."""
        driver = memory.MemoryDriver()

        async def scene(s: aio.AsyncStorage) -> None:
            writer = await s.open_writer("a", buffer_size=10)
            await writer.write(b"x" * 100)
            with pytest.warns(ResourceWarning, match="never closed"):  # noqa: PT031 -- dropping it is two statements
                del writer
                gc.collect()

        in_loop(Storage(driver), scene)

        assert driver._space.objects == {}
        assert driver._space.uploads == {}
