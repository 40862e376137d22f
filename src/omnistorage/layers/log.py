"""Logs every call at DEBUG and every failure at WARNING, each with its seconds.

    memory put 'a/b' took 0.002 s: 5 bytes
    memory get 'a/c' failed after 0.001 s: memory get 'a/c': not found
    memory read 'a/b' ended after 0.030 s: 5 bytes

A stream has a line when it is opened and one when it is closed, with the bytes read. Contents, metadata, links with
a signature and tokens of uploads are never logged. The logger is ``omnistorage`` where no other is given.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from omnistorage.core.driver import Driver
from omnistorage.core.errors import printable
from omnistorage.core.info import ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.streams import ByteStream
from omnistorage.core.wrapped import R, WrappedStream

T = TypeVar("T")


class Log(Layer):
    """Logs every call at DEBUG and every failure at WARNING.

    Args:
        inner: The driver around which it stands.
        logger: Where the lines go; None is the logger ``omnistorage``.
        clock: Tells the time in seconds.
    """

    def __init__(
        self, inner: Driver, logger: logging.Logger | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(inner)
        self.logger = logger or logging.getLogger("omnistorage")
        self.clock = clock

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        began = self.clock()
        try:
            result = call()
        except Exception as exc:
            self.failed(op, path, began, exc)
            raise
        self.done(op, path, "took", began, _amount(result))
        return result

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return _LoggedStream(self, path, super().get(path, offset, length))

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return _LoggedStream(self, path, super().get_version(path, version, offset, length))

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        """Yield the versions of an object, newest first; the line comes when the last one was yielded."""
        began, count = self.clock(), 0
        try:
            for info in self.inner.versions(path):
                count += 1
                yield info
        except Exception as exc:
            self.failed("versions", path, began, exc)
            raise
        self.done("versions", path, "took", began, f"{count} entries")

    def done(self, op: str, path: str, verb: str, began: float, amount: str) -> None:
        """Log a call that succeeded."""
        if self.logger.isEnabledFor(logging.DEBUG):
            took = self.clock() - began
            tail = f": {amount}" if amount else ""
            self.logger.debug("%s %s %r %s %.3f s%s", self.scheme, op, printable(path), verb, took, tail)

    def failed(self, op: str, path: str, began: float, exc: Exception) -> None:
        """Log a call that failed."""
        took = self.clock() - began
        what = printable(str(exc)) or type(exc).__name__
        self.logger.warning("%s %s %r failed after %.3f s: %s", self.scheme, op, printable(path), took, what)

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), logger=self.logger), (self.inner,)


class _LoggedStream(WrappedStream):
    """A stream with a line at its end, and one for a failure."""

    def __init__(self, log: Log, path: str, raw: ByteStream) -> None:
        super().__init__(raw)
        self._log = log
        self._path = path
        self._began = log.clock()
        self._count = 0
        self._lent = False

    def around(self, op: str, call: Callable[[], R]) -> R:
        try:
            result = call()
        except Exception as exc:
            self._log.failed(op, self._path, self._began, exc)
            raise
        if result is not None:
            self._count += len(result) if isinstance(result, bytes) else result
        elif op == "close":
            # What the kernel copies by the descriptor cannot be counted.
            amount = "by the kernel" if self._lent and not self._count else _bytes(self._count)
            self._log.done("read", self._path, "ended after", self._began, amount)
        return result

    def fileno(self) -> int:
        """The descriptor of a local file; bytes that the kernel copies by it are not counted."""
        number = super().fileno()
        self._lent = True
        return number


def _amount(result: object) -> str:
    """Say how much a call brought, where that is a number; texts may be secret."""
    if isinstance(result, Page):
        return f"{len(result.infos)} entries"
    if isinstance(result, ObjectInfo):
        return "" if result.size is None else _bytes(result.size)
    if isinstance(result, list):
        return f"{len(result)} paths, {sum(error is not None for error in result)} failed"
    if isinstance(result, int):
        return f"{result} objects"
    return ""


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"
