"""The awaitable face of the library: every verb of ``Storage`` as a coroutine.

    from omnistorage import aio

    async with aio.open("s3://bucket") as storage:
        await storage.write_bytes("greeting.txt", b"hello")
        async for path in storage.list("greet"):
            print(path, await storage.read_text(path))

``import omnistorage`` does not import this package, nor asyncio.
"""

from __future__ import annotations

from typing import Any

from omnistorage.core.info import ObjectInfo
from omnistorage.storage import Path
from omnistorage.storage import copy_path as _copy_path
from omnistorage.storage import move_path as _move_path

from .entries import Entries
from .many import Outcome
from .opening import Opening
from .storage import THREADS, AsyncStorage
from .streams import AsyncReader, AsyncWriter

__all__ = [
    "open",
    "AsyncStorage",
    "AsyncReader",
    "AsyncWriter",
    "Entries",
    "Opening",
    "Outcome",
    "copy_path",
    "move_path",
]


def open(url: str, *, threads: int = THREADS, **options: Any) -> Opening[AsyncStorage]:
    """Open a storage by address or remote name; to be awaited, or entered with ``async with``.

    Args:
        url: What ``omnistorage.open`` takes.
        threads: Most blocking calls at once; further ones wait for their turn.
        **options: Passed on to ``omnistorage.open``.
    """

    async def opened() -> AsyncStorage:
        from functools import partial

        from omnistorage.opening import open as open_storage
        from omnistorage.storage import Storage

        from .calls import Calls
        from .stopping import Stop

        calls = Calls(1)
        try:
            storage: Storage = await calls.call(Stop(), partial(open_storage, url, **options), undo=Storage.close)
        finally:
            await calls.close()
        return AsyncStorage(storage, threads=threads)

    return Opening(opened)


async def copy_path(src: AsyncStorage, src_path: Path, dst: AsyncStorage, dst_path: Path) -> ObjectInfo:
    """Copy one object between any two storages, with its time, type and metadata as far as both keep them.

    Cancelled between two chunks, it leaves nothing at ``dst``.

    Raises:
        NotFound: There is no such object at ``src``.
        Corrupted: What arrived has another size.
    """
    return await src.run(_copy_path, src, src_path, dst, dst_path)


async def move_path(src: AsyncStorage, src_path: Path, dst: AsyncStorage, dst_path: Path) -> ObjectInfo:
    """Move one object between any two storages; the source goes when its bytes are known to have arrived.

    Raises:
        NotFound: There is no such object at ``src``.
        Corrupted: What arrived has another size; the source stays.
    """
    return await src.run(_move_path, src, src_path, dst, dst_path)
