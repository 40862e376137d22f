"""The back door: the one place where a service's errors become ours, late ones too."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from .driver import Driver, GetResults, PutItem, PutResults
from .errors import StorageError, Unsupported
from .info import ObjectInfo
from .layer import Layer
from .options import PutOptions
from .streams import Body, ByteStream, descriptor, fill

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")


class Guard(Layer):
    """Translates what a driver raises, and adds verb, path and scheme to what it raises bare."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.local_root = inner.local_root
        self.many = inner.many

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as exc:
            self.translate(op, path, exc)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        try:
            stream = self.inner.get(path, offset, length)
        except Exception as exc:
            self.translate("get", path, exc)
        return GuardedStream(self, path, stream)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        if options.if_match is not None and not self.features.if_match:
            raise Unsupported("cannot replace on a condition without a race", op="put", path=path, scheme=self.scheme)
        return super().put(path, body, options)

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return GuardedStream(self, path, super().get_version(path, version, offset, length))

    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        results = self.inner.put_many(items)
        self._translate_all("put", [item[0] for item in items], results)
        return results

    def put_together(self, items: Sequence[PutItem], width: int) -> PutResults:
        results = self.inner.put_together(items, width)
        self._translate_all("put", [item[0] for item in items], results)
        return results

    def get_together(self, paths: Sequence[str], width: int) -> GetResults:
        results = self.inner.get_together(paths, width)
        self._translate_all("get", paths, results)
        return results

    def _translate_all(self, op: str, paths: Sequence[str], results: list[Any]) -> None:
        for at, result in enumerate(results):
            if isinstance(result, Exception):
                try:
                    self.translate(op, paths[at], result)
                except Exception as exc:
                    # A bug, too, stays in its place: raised here, it would hide what became of the others.
                    results[at] = exc

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        try:
            yield from self.inner.versions(path)
        except Exception as exc:
            self.translate("versions", path, exc)

    def translate(self, op: str, path: str, exc: Exception) -> NoReturn:
        """Raise the error of ours that ``exc`` means, with ``exc`` as its cause; a bug flies on as it is."""
        if isinstance(exc, StorageError):
            exc.op = exc.op or op
            exc.path = exc.path or path
            exc.scheme = exc.scheme or self.scheme
            raise exc
        kind = self.inner.classify(exc)
        if kind is None:
            raise exc
        # The default words of our class are better than the library's where the class is precise.
        text = "" if kind is not StorageError else str(exc) or type(exc).__name__
        raise kind(text, op=op, path=path, scheme=self.scheme) from exc


class GuardedStream:
    """A stream whose late errors are translated like those of its opening."""

    # Not one of io's classes: theirs take longer to make and to end than a small file takes to read.
    __slots__ = ("_guard", "_path", "closed", "raw")

    def __init__(self, guard: Guard, path: str, stream: ByteStream) -> None:
        self._guard = guard
        self._path = path
        self.closed = False
        self.raw = stream

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self.raw.read(size)
        except Exception as exc:
            self._guard.translate("read", self._path, exc)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        try:
            return fill(self.raw, buffer)
        except Exception as exc:
            self._guard.translate("read", self._path, exc)

    def fileno(self) -> int:
        """The descriptor of a local file, so that the kernel can copy; UnsupportedOperation elsewhere."""
        found = descriptor(self.raw)
        if found < 0:
            raise io.UnsupportedOperation("fileno")
        return found

    def close(self) -> None:
        self.closed = True
        try:
            self.raw.close()
        except Exception as exc:
            self._guard.translate("close", self._path, exc)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
