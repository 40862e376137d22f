"""What is about to be opened: one object for ``await`` and for ``async with``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

Opened = TypeVar("Opened", bound=AbstractAsyncContextManager[Any])


class Opening(Generic[Opened]):
    """Opens when it is awaited, or entered with ``async with``, which closes it, too.

    Both ``async with storage.open_writer(p) as w`` and ``w = await storage.open_writer(p)`` are meant. Nothing
    happens before, so that one which is never used leaves nothing to close.
    """

    def __init__(self, opener: Callable[[], Awaitable[Opened]]) -> None:
        self._opener = opener
        self._opened: Opened | None = None

    def __await__(self) -> Generator[Any, None, Opened]:
        return self._opener().__await__()

    async def __aenter__(self) -> Opened:
        opened = self._opened = await self._opener()
        await opened.__aenter__()
        return opened

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._opened is not None
        return await self._opened.__aexit__(kind, exc, trace)
