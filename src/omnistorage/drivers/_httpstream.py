"""The body of an answer, while it comes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

from omnistorage.core.errors import Closed, StorageError, TimedOut, Truncated, Unreachable
from omnistorage.core.streams import CHUNK

from ._httpwire import BLOCK, Broken, Head, Wire

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_TO_THE_END: Final = -1
"""Stands for a length: the body ends where the connection does."""

_CHUNKED: Final = -2
"""Stands for a length: the body comes in chunks that tell theirs."""

_LITTLE: Final = 64 << 10
"""Bytes that are rather read and thrown away than a connection be made anew."""


class AnswerStream:
    """A body that is read from the connection itself, into the reader's buffer where it has one.

    When all is read, or so little is missing that it has come already, the connection goes back to where it came
    from; else it is closed.
    """

    __slots__ = ("_chunked", "_failed", "_kept", "_left", "_request", "_said", "_seen", "_where", "_wire")

    def __init__(self, wire: Wire, method: str, head: Head, where: str, done: Callable[[Wire], None]) -> None:
        length = body_length(method, head)
        self._wire: Wire | None = wire
        self._where = where
        self._request = head.request_id or None
        self._said = length
        self._seen = 0
        self._chunked = length == _CHUNKED
        self._left = 0 if length == _CHUNKED else length
        self._failed: Exception | None = None
        self._kept = done if head.keep and length != _TO_THE_END and wire.whole else None
        if not length:
            self._end()

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes, all that is left if negative.

        Raises:
            Truncated: The connection ended before the body did.
            TimedOut: Nothing came for too long.
            Unreachable: The connection broke.
        """
        if size is None or size < 0:
            parts = []
            while data := self.read(CHUNK):
                parts.append(data)
            return b"".join(parts)
        wire = self._open()
        if wire is None or not size:
            return b""
        try:
            if not self._ready(wire):
                return b""
            left = self._left
            data = wire.take(min(size, BLOCK) if left < 0 else min(size, left, BLOCK))
            self._took(wire, len(data))
        except Broken as exc:
            raise self._broke(exc) from exc.__cause__
        except BaseException:
            self._interrupted()
            raise
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer``, until it has enough to be worth the call."""
        view = memoryview(buffer).cast("B")
        enough = min(len(view), BLOCK)
        filled = 0
        wire = self._open()
        try:
            while filled < enough and wire is not None and self._ready(wire):
                part = view[filled:] if self._left < 0 else view[filled : filled + self._left]
                count = wire.take_into(part)
                self._took(wire, count)
                filled += count
                wire = self._wire
        except Broken as exc:
            failed = self._broke(exc)
            if not filled:
                raise failed from exc.__cause__
            # What had come before counts; the failure is told by the next call.
            failed.__cause__ = exc.__cause__
        except BaseException:
            self._interrupted()
            raise
        return filled

    def close(self) -> None:
        """Let go of the connection; a second call does nothing."""
        wire = self._wire
        if self._failed is None:
            self._failed = Closed()
        if wire is None:
            return
        if self._kept is not None and 0 < self._left <= _LITTLE and not self._chunked:
            try:
                # Only what is as good as here: nobody waits for bytes that nobody wants.
                wire.wait_at_most(0.05)
                while self._left and (data := wire.take(self._left)):
                    self._left -= len(data)
                wire.wait_at_most(None)
            except Broken:
                pass
            else:
                if not self._left:
                    self._end()
                    return
        self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_wire", None) is not None:
            self._drop()

    def _open(self) -> Wire | None:
        """Return the connection, or None if all was read."""
        if self._failed is not None:
            raise self._failed
        return self._wire

    def _ready(self, wire: Wire) -> bool:
        """Go on to the next chunk, if there are chunks; say whether there is anything to read."""
        if self._chunked and not self._left:
            if self._seen:
                wire.line()
            line = wire.line()
            match = _SIZE.match(line)
            if match is None:
                raise Broken(f"a chunk of unknown size: {line[:40]!r}")
            self._left = int(match[1], 16)
            if not self._left:
                while wire.line():
                    pass
                self._end()
                return False
        return True

    def _took(self, wire: Wire, count: int) -> None:
        self._seen += count
        if not count:
            if self._left != _TO_THE_END:
                raise Broken("closed", closed=True)
            self._end()
        elif self._left > 0:
            self._left -= count
            if not self._left and not self._chunked:
                self._end()

    def _broke(self, exc: Broken) -> StorageError:
        """Drop the connection, and return the error to raise, now and by all further calls."""
        self._drop()
        self._failed = failed = self._error(exc)
        return failed

    def _interrupted(self) -> None:
        # What a thread was interrupted in cannot be gone on with.
        self._drop()
        self._failed = Unreachable(f"reading from {self._where} was interrupted")

    def _error(self, exc: Broken) -> StorageError:
        kind: type[StorageError]
        if exc.slow:
            kind, what = TimedOut, f"{self._where} sent nothing more after {self._seen} bytes"
        elif exc.closed:
            of = f" of {self._said}" if self._said >= 0 else ""
            kind, what = Truncated, f"the answer of {self._where} ended after {self._seen}{of} bytes"
        else:
            why = getattr(exc.__cause__, "strerror", None) or exc
            kind, what = Unreachable, f"the answer of {self._where} broke off after {self._seen} bytes: {why}"
        return kind(what, request_id=self._request)

    def _end(self) -> None:
        wire, self._wire = self._wire, None
        if wire is None:
            return
        if self._kept is not None:
            self._kept(wire)
        else:
            wire.close()

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


def body_length(method: str, head: Head) -> int:
    """Return the number of bytes of a body, or one of the values that stand for another way to know its end.

    Raises:
        Broken: The answer contradicts itself.
    """
    if method == "HEAD" or head.status in (204, 304):
        return 0
    if "transfer-encoding" in head.headers:
        if head.headers["transfer-encoding"].lower() != "chunked":
            raise Broken(f"sent an answer in the unknown encoding {head.headers['transfer-encoding'][:40]!r}")
        return _CHUNKED
    said = head.headers.get("content-length")
    if said is None:
        return _TO_THE_END
    if said.isascii() and said.isdigit():
        return int(said)
    # Some say it twice.
    lengths = {part.strip() for part in said.split(",")}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit()):
        raise Broken(f"sent an answer of the length {said[:40]!r}")
    return int(length)


_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;|$)")
