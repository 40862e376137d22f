"""Readers and writers to ``await``: the synchronous ones, moved by threads."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, AnyStr, Generic, Self, TypeVar

from omnistorage.core.errors import Cancelled, Closed
from omnistorage.core.info import ObjectInfo
from omnistorage.core.streams import CHUNK

from .calls import Calls
from .stopping import Stop

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")


class _Moved:
    """A synchronous stream whose calls are done in threads, one after the other."""

    def __init__(self, calls: Calls, stop: Stop, raw: Any) -> None:
        self._calls = calls
        self._stop = stop
        self._raw = raw
        self._turn = asyncio.Lock()
        self.name: str = raw.name

    @property
    def closed(self) -> bool:
        """True when nothing can be read or written any more."""
        return bool(self._raw.closed)

    async def _call(self, func: Callable[..., T], *args: Any) -> T:
        async with self._turn:
            self._stop.wanted = True
            return await self._calls.call(self._stop, func, *args)

    async def _surely(self, func: Callable[[], object]) -> None:
        self._stop.wanted = True
        await self._calls.surely(func)


class AsyncReader(_Moved, Generic[AnyStr]):
    """Reads an object; bytes, or text if it was opened so.

    A read that was cancelled leaves the position undefined: seek before you go on.

    Attributes:
        name: The path that is read.
    """

    async def read(self, size: int = -1) -> AnyStr:
        """Read ``size`` bytes (characters of text), fewer only at the end; all that is left if negative."""
        data: AnyStr = await self._call(self._raw.read, size)
        return data

    async def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into ``buffer`` and return the number of bytes, 0 at the end.

        Raises:
            io.UnsupportedOperation: This is a reader of text.
        """
        if isinstance(self._raw, io.TextIOBase):
            raise io.UnsupportedOperation("readinto")
        return int(await self._call(self._raw.readinto, buffer))

    async def readline(self, size: int = -1) -> AnyStr:
        """Read up to the end of the line, with it, at most ``size`` bytes; empty at the end."""
        line: AnyStr = await self._call(self._raw.readline, size)
        return line

    async def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position within the range that was opened, and return it."""
        return int(await self._call(self._raw.seek, offset, whence))

    async def tell(self) -> int:
        """Return the position within the range that was opened."""
        return int(await self._call(self._raw.tell))

    async def chunks(self, size: int = CHUNK) -> AsyncIterator[AnyStr]:
        """Yield what is left in pieces of ``size`` bytes (characters of text), the last may be shorter.

        Raises:
            ValueError: ``size`` is not positive.
        """
        if size <= 0:
            raise ValueError(f"size is a positive number of bytes, not {size}")
        while data := await self.read(size):
            yield data

    async def __aiter__(self) -> AsyncIterator[AnyStr]:
        """Yield the lines; meanwhile the position is somewhere behind the last of them."""
        # Many lines for each trip to a thread: a trip costs more than a line.
        while lines := await self._call(self._raw.readlines, CHUNK):
            for line in lines:
                yield line

    async def close(self) -> None:
        """Close; a second call does nothing."""
        if not self.closed:
            await self._surely(self._raw.close)

    async def __aenter__(self) -> Self:
        if self.closed:
            raise Closed(op="read", path=self.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncWriter(_Moved, Generic[AnyStr]):
    """Stores what is written to it as one object, with the promise of ``Writer``.

    The object appears, whole, on a clean close. It does not appear when the ``async with`` block raises or is
    cancelled, nor when a write or the close is cancelled, nor when the writer is dropped unclosed.

    Attributes:
        name: The path that is written to.
    """

    _cancelled = False

    def __init__(self, calls: Calls, stop: Stop, raw: Any) -> None:
        super().__init__(calls, stop, raw)
        # Text stands on a Writer, which alone knows what was stored.
        self._bottom = raw.buffer if isinstance(raw, io.TextIOWrapper) else raw

    @property
    def closed(self) -> bool:
        """True after ``close`` or ``abort``."""
        return bool(self._bottom.closed)

    @property
    def info(self) -> ObjectInfo | None:
        """What was stored; None before the writer is closed, and after an abort."""
        info: ObjectInfo | None = self._bottom.info
        return info

    async def write(self, data: AnyStr | bytearray | memoryview) -> int:
        """Take all of ``data`` and return its length. If this is cancelled, the writer is aborted.

        Raises:
            Closed: The writer was closed or aborted.
            StorageError: A part could not be stored; the writer can only be aborted then.
        """
        self._check("write")
        return int(await self._whole(self._raw.write, data))

    async def close(self) -> None:
        """Commit: make the object appear. A second call does nothing.

        Raises:
            Cancelled: A write was cancelled; nothing was stored.
            StorageError: It could not be stored; nothing is left of it.
        """
        if self._cancelled:
            # Silence would look like success to a block that caught the cancellation of its write.
            raise Cancelled("a write was cancelled, nothing was stored", op="close", path=self.name)
        if not self.closed:
            await self._whole(self._raw.close)

    async def abort(self) -> None:
        """Throw away what was written. A second call, or one after ``close``, does nothing."""
        if not self.closed:
            await self._surely(self._raw.abort)

    async def tell(self) -> int:
        """Return the number of bytes written so far."""
        return int(self._bottom.tell())

    async def _whole(self, func: Callable[..., T], *args: Any) -> T:
        try:
            return await self._call(func, *args)
        except asyncio.CancelledError:
            self._cancelled = not self.closed or self.info is None
            await self.abort()
            raise

    def _check(self, op: str) -> None:
        if self.closed:
            raise Closed(op=op, path=self.name)

    async def __aenter__(self) -> Self:
        self._check("write")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            await self.abort()

    def __del__(self) -> None:
        if getattr(self, "_bottom", None) is None or self.closed:
            return
        try:
            # Not here: this may be the thread of the loop, and aborting may talk to a service.
            self._calls.submit(self._raw.abort)
        except Closed:
            return  # the writer inside warns and aborts by itself
        warnings.warn(
            f"writer of {self.name!r} was never closed; nothing was stored",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )
