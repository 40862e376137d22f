"""What the tests of the awaitable face share: scenes in a loop, gates for threads, layers that hold and count."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from omnistorage import aio
from omnistorage.core.driver import Driver
from omnistorage.core.layer import Layer
from omnistorage.drivers import file
from omnistorage.storage import Storage

T = TypeVar("T")

MIB = 1 << 20


def local(root: Path, *layers: Callable[[Driver], Driver]) -> Storage:
    return Storage(file.FileDriver(file.Options(root=str(root))), *layers)


def in_loop(storage: Storage, scene: Callable[[aio.AsyncStorage], Awaitable[T]], **options: Any) -> T:
    """Play a scene with an open storage in a loop of its own."""

    async def played() -> T:
        async with aio.AsyncStorage(storage, **options) as opened:
            return await scene(opened)

    return asyncio.run(played())


async def happened(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 20)


async def let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def open_soon(gate: Gated | Gate) -> None:
    """Let a thread through, but not before the loop has had its turns to pass on a cancellation."""
    await let_others_run()
    gate.go.set()


class Gated(io.RawIOBase):
    """Four chunks; the second waits until it is let through."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.go = threading.Event()
        self.reads = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads == 2:
            self.waiting.set()
            assert self.go.wait(20)
        return b"x" * MIB if self.reads <= 4 else b""

    def readinto(self, buffer: Any, /) -> int:
        data = self.read()
        buffer[: len(data)] = data
        return len(data)


class Gate:
    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.go = threading.Event()


class Hold(Layer):
    """Holds one verb until it is let through, and counts how many are held at once."""

    def __init__(self, inner: Driver, verb: str, gate: Gate) -> None:
        super().__init__(inner)
        self.verb = verb
        self.gate = gate

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        if op == self.verb:
            self.gate.waiting.set()
            assert self.gate.go.wait(20)
        return call()


class Count(Layer):
    """Counts calls, and how many were under way at once; ``barrier`` makes them meet."""

    def __init__(self, inner: Driver, barrier: threading.Barrier | None = None) -> None:
        super().__init__(inner)
        self.lock = threading.Lock()
        self.barrier = barrier
        self.now = self.peak = self.calls = 0

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        with self.lock:
            self.calls += 1
            self.now += 1
            self.peak = max(self.peak, self.now)
        try:
            if self.barrier is not None:
                self.barrier.wait(20)
            return call()
        finally:
            with self.lock:
                self.now -= 1


async def cancel_held(work: asyncio.Task[Any], gate: Gated | Gate) -> None:
    """Cancel a task whose thread stands at the gate; then open it, and see the task end as cancelled."""
    await happened(gate.waiting)
    work.cancel()
    await let_others_run()
    ended_early = work.done()
    gate.go.set()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert not ended_early, "a thread went on behind the caller's back"
