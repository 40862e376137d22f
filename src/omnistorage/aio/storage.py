"""The awaitable front door: the verbs of ``Storage``, done in threads that the caller's cancellation stops."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload
from weakref import WeakSet

from omnistorage.core.driver import Driver
from omnistorage.core.errors import Closed, StorageError
from omnistorage.core.features import Features
from omnistorage.core.info import Form, ObjectInfo, Usage
from omnistorage.storage import Content, Path, Storage

from .calls import Calls
from .entries import Entries, Source
from .many import Items, Outcome, each
from .opening import Opening
from .stopping import Stop, Stopping
from .streams import AsyncReader, AsyncWriter

T = TypeVar("T")

THREADS = 16
"""Calls at once, where nothing else is said."""

LIMIT = 16
"""Objects at once in ``put_many`` and ``get_many``, where nothing else is said."""


class AsyncStorage:
    """A Storage to ``await``: the same verbs, arguments and errors; the loop never waits for a disk or network.

    Cancelling a task stops what it waits for: an upload, copy or read fails before its next chunk (1 MiB at most),
    a listing before its next page, and the driver removes its temporary objects, before CancelledError is
    raised. A request which moves no bytes through us (a rename, a copy at the service) is not interrupted, and
    neither is a service that does not answer; CancelledError then comes behind it, at the latest after the
    timeout of the driver. A cancelled write has stored the whole object or nothing.

    Safe to use from many tasks of one event loop.

    Args:
        storage: What to work on; closed together with this.
        threads: Most blocking calls at once; further ones wait for their turn.

    Raises:
        ValueError: ``threads`` is not positive.
    """

    def __init__(self, storage: Storage, *, threads: int = THREADS) -> None:
        self._storage = storage
        self._calls = Calls(threads)
        self._listings: WeakSet[Source[Any]] = WeakSet()
        self._closing = False

    # -- about the storage ---------------------------------------------------------------------------------

    @property
    def driver(self) -> Driver:
        return self._storage.driver

    @property
    def scheme(self) -> str:
        return self._storage.scheme

    @property
    def features(self) -> Features:
        return self._storage.features

    @property
    def closed(self) -> bool:
        return self._closing or self._storage.closed

    async def close(self) -> None:
        """Wait for the calls that are under way, end the listings, and free what the storage holds.

        A second call does nothing.
        """
        if self._closing:
            return
        self._closing = True
        for source in list(self._listings):
            source.stop.wanted = False
            self._calls.submit(source.close, Closed(scheme=self.scheme))
        await self._calls.close(self._storage.close)

    async def __aenter__(self) -> Self:
        if self.closed:
            raise Closed(scheme=self.scheme)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncStorage {self._storage!r}>"

    # -- anything that blocks ------------------------------------------------------------------------------

    async def run(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Do a blocking call in a thread of this storage and return what it returns.

        Each AsyncStorage among the arguments is handed over as a Storage that serves this call only, and whose
        requests and streams raise Cancelled once the waiting task is cancelled. CancelledError is raised when the
        call has ended.

        >>> async def total(storage: AsyncStorage) -> int:
        ...     return await storage.run(lambda one: sum(info.size or 0 for info in one.scan()), storage)
        """
        stop = Stop()
        views: dict[int, Storage] = {}

        def given(value: Any) -> Any:
            if not isinstance(value, AsyncStorage):
                return value
            # One view for each storage, so that "is the source the destination?" has the same answer.
            key = id(value._storage)
            if key not in views:
                views[key] = value._view(stop)
            return views[key]

        named = {name: given(value) for name, value in kwargs.items()}
        return await self._calls.call(stop, partial(func, *map(given, args), **named))

    def _view(self, stop: Stop) -> Storage:
        if self._closing:
            raise Closed(scheme=self.scheme)
        return Storage(self._storage.driver, partial(Stopping, stop=stop))

    # -- whole objects -------------------------------------------------------------------------------------

    async def read_bytes(self, path: Path, *, offset: int = 0, length: int | None = None) -> bytes:
        return await self.run(Storage.read_bytes, self, path, offset=offset, length=length)

    async def write_bytes(
        self,
        path: Path,
        data: Content,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        modified: datetime | int | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        return await self.run(
            Storage.write_bytes,
            self,
            path,
            data,
            content_type=content_type,
            metadata=metadata,
            modified=modified,
            if_absent=if_absent,
        )

    async def read_text(self, path: Path, encoding: str = "utf-8", errors: str = "strict") -> str:
        return await self.run(Storage.read_text, self, path, encoding, errors)

    async def write_text(self, path: Path, text: str, encoding: str = "utf-8", **options: Any) -> ObjectInfo:
        return await self.run(Storage.write_text, self, path, text, encoding, **options)

    # -- many objects --------------------------------------------------------------------------------------

    def put_many(self, items: Items[tuple[Path, Content]], limit: int = LIMIT) -> AsyncGenerator[Outcome, None]:
        """Store objects, at most ``limit`` at once, and yield an Outcome for each, the first to end first.

        An object that could not be stored is an Outcome with an error, and not the end. Items are asked for when
        there is room for them: at most ``limit`` are in memory. Leaving the loop stops what is under way.

        Raises:
            ValueError: ``limit`` is not positive.
        """

        async def put(item: tuple[Path, Content]) -> Outcome:
            path, data = item
            try:
                return Outcome(os.fspath(path), info=await self.write_bytes(path, data))
            except StorageError as exc:
                return Outcome(os.fspath(path), error=exc)

        return each(items, put, _checked(limit), self._pull)

    def get_many(self, paths: Items[Path], limit: int = LIMIT) -> AsyncGenerator[Outcome, None]:
        """Read objects, at most ``limit`` at once, and yield an Outcome for each, the first to end first.

        An object that could not be read is an Outcome with an error, and not the end. At most ``limit`` are in
        memory. Leaving the loop stops what is under way.

        Raises:
            ValueError: ``limit`` is not positive.
        """

        async def get(path: Path) -> Outcome:
            try:
                return Outcome(os.fspath(path), data=await self.read_bytes(path))
            except StorageError as exc:
                return Outcome(os.fspath(path), error=exc)

        return each(paths, get, _checked(limit), self._pull)

    async def _pull(self, items: Iterator[T]) -> tuple[T, ...]:
        # A generator may read files to make its items; that must not happen on the loop.
        def pull() -> tuple[T, ...]:
            for item in items:
                return (item,)
            return ()

        return await self.run(pull)

    # -- streams -------------------------------------------------------------------------------------------

    def open_reader(
        self, path: Path, *, offset: int = 0, length: int | None = None, version: str | None = None
    ) -> Opening[AsyncReader[bytes]]:
        return self._reading(
            lambda view: view.open_reader(path, offset=offset, length=length, version=version),
        )

    def open_writer(
        self,
        path: Path,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        modified: datetime | int | None = None,
        buffer_size: int | None = None,
        size: int | None = None,
        if_absent: bool = False,
    ) -> Opening[AsyncWriter[bytes]]:
        return self._writing(
            lambda view: view.open_writer(
                path,
                content_type=content_type,
                metadata=metadata,
                modified=modified,
                buffer_size=buffer_size,
                size=size,
                if_absent=if_absent,
            )
        )

    @overload
    def open(self, path: Path, mode: Literal["rb"] = "rb") -> Opening[AsyncReader[bytes]]: ...
    @overload
    def open(self, path: Path, mode: Literal["wb", "xb"], **options: Any) -> Opening[AsyncWriter[bytes]]: ...
    @overload
    def open(self, path: Path, mode: str, **options: Any) -> Opening[Any]: ...
    def open(self, path: Path, mode: str = "rb", **options: Any) -> Opening[Any]:
        make = self._reading if "r" in mode else self._writing
        return make(lambda view: view.open(path, mode, **options))

    def _reading(self, opener: Callable[[Storage], io.IOBase]) -> Opening[AsyncReader[Any]]:
        async def opened() -> AsyncReader[Any]:
            stop = Stop()
            raw = await self._calls.call(stop, opener, self._view(stop), undo=io.IOBase.close)
            return AsyncReader(self._calls, stop, raw)

        return Opening(opened)

    def _writing(self, opener: Callable[[Storage], Any]) -> Opening[AsyncWriter[Any]]:
        async def opened() -> AsyncWriter[Any]:
            stop = Stop()
            raw = await self._calls.call(stop, opener, self._view(stop), undo=lambda writer: writer.abort())
            return AsyncWriter(self._calls, stop, raw)

        return Opening(opened)

    # -- looking -------------------------------------------------------------------------------------------

    async def exists(self, path: Path) -> bool:
        return await self.run(Storage.exists, self, path)

    async def stat(self, path: Path) -> ObjectInfo:
        return await self.run(Storage.stat, self, path)

    def list(self, prefix: Path = "") -> Entries[str]:
        return self._listing(lambda view: view.list(prefix))

    def scan(self, prefix: Path = "", *, recursive: bool = True) -> Entries[ObjectInfo]:
        return self._listing(lambda view: view.scan(prefix, recursive=recursive))

    def _listing(self, lister: Callable[[Storage], Iterator[T]]) -> Entries[T]:
        stop = Stop()
        source = Source(stop, lambda: lister(self._view(stop)))
        self._listings.add(source)
        return Entries(self._calls, source)

    async def about(self) -> Usage:
        return await self.run(Storage.about, self)

    async def hash(self, path: Path, name: str = "sha256") -> str:
        return await self.run(Storage.hash, self, path, name)

    async def link(self, path: Path, *, method: str = "GET", expires: float = 3600.0) -> str:
        return await self.run(Storage.link, self, path, method=method, expires=expires)

    async def form(self, path: Path, *, expires: float = 3600.0, max_size: int | None = None) -> Form:
        return await self.run(Storage.form, self, path, expires=expires, max_size=max_size)

    def versions(self, path: Path) -> Entries[ObjectInfo]:
        return self._listing(lambda view: view.versions(path))

    # -- changing ------------------------------------------------------------------------------------------

    async def replace(
        self,
        path: Path,
        data: Content,
        *,
        etag: str,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        modified: datetime | int | None = None,
    ) -> ObjectInfo:
        return await self.run(
            Storage.replace,
            self,
            path,
            data,
            etag=etag,
            content_type=content_type,
            metadata=metadata,
            modified=modified,
        )

    async def restore(self, path: Path, version: str) -> ObjectInfo:
        return await self.run(Storage.restore, self, path, version)

    async def delete(self, path: Path) -> None:
        await self.run(Storage.delete, self, path)

    async def delete_many(self, paths: Iterable[Path]) -> Sequence[StorageError | None]:
        return await self.run(Storage.delete_many, self, paths)

    async def mkdir(self, path: Path) -> None:
        await self.run(Storage.mkdir, self, path)

    async def rmdir(self, path: Path) -> None:
        await self.run(Storage.rmdir, self, path)

    async def copy(self, src: Path, dst: Path) -> ObjectInfo:
        return await self.run(Storage.copy, self, src, dst)

    async def move(self, src: Path, dst: Path) -> ObjectInfo:
        return await self.run(Storage.move, self, src, dst)

    async def set_modified(self, path: Path, modified: datetime | int) -> None:
        await self.run(Storage.set_modified, self, path, modified)


def _checked(limit: int) -> int:
    if limit <= 0:
        raise ValueError(f"limit is a positive number, not {limit}")
    return limit


for _name, _verb in vars(AsyncStorage).items():
    # The promises are those of Storage, word by word, where nothing else is said.
    if not _name.startswith("_") and not _verb.__doc__:
        _verb.__doc__ = getattr(Storage, _name).__doc__
