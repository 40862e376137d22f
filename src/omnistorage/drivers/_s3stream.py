"""The bytes of an object as they come from S3, and what the answer says of it."""

from __future__ import annotations

import io
from hashlib import md5
from types import TracebackType
from typing import TYPE_CHECKING, Self

from omnistorage.core.errors import Corrupted
from omnistorage.core.info import ObjectInfo
from omnistorage.core.streams import ByteStream, Window, fill, read_exactly

from ._http import Answer
from ._s3metadata import info_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SKIP = 1 << 18


class S3Stream:
    """A stream that tells which version of the object it reads.

    Args:
        raw: The body of the answer.
        info: What the answer said of the object, with the size of the whole of it.
        whole: The body is the whole object: its bytes must have the MD5 that ``info`` tells, if it does.
    """

    __slots__ = ("_digest", "_left", "_raw", "info")

    def __init__(self, raw: ByteStream, info: ObjectInfo, *, whole: bool = False) -> None:
        self._raw = raw
        self.info = info
        self._left = info.size or 0
        told = whole and info.size is not None and "md5" in info.hashes
        self._digest = md5(usedforsecurity=False) if told else None

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes.

        Raises:
            Corrupted: These are the last, and all together have another MD5 than the service says.
        """
        data = self._raw.read(size)
        if self._digest is not None and data:
            self._check(data, len(data))
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer``; raises as ``read`` does."""
        count = fill(self._raw, buffer)
        if self._digest is not None and count:
            self._check(memoryview(buffer).cast("B")[:count], count)
        return count

    def _check(self, data: bytes | memoryview, count: int) -> None:
        assert self._digest is not None
        self._digest.update(data)
        self._left -= count
        if self._left:
            return
        found, self._digest = self._digest.hexdigest(), None
        if found != self.info.hashes["md5"]:
            error = Corrupted(f"other bytes came than are stored: MD5 {found}, not {self.info.hashes['md5']}")
            # To go on behind the last byte would mend nothing.
            error.retryable = False
            raise error

    def close(self) -> None:
        """Let go of the connection."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def range_header(offset: int, length: int | None) -> dict[str, str]:
    """Return the header that asks for a range; none for the whole."""
    if not offset and length is None:
        return {}
    end = "" if length is None else str(offset + length - 1)
    return {"range": f"bytes={offset}-{end}"}


def stream_of(path: str, answer: Answer, offset: int, length: int | None, *, etag_is_md5: bool) -> ByteStream:
    """Return the stream over exactly the range that was asked for, also if the service sent the whole.

    Raises:
        Corrupted: The answer has another range.
    """
    headers, raw = answer.headers, answer.stream
    if answer.status == 416:
        return io.BytesIO()
    assert raw is not None
    size: int | None = None
    # Not the status: some answer with a range and 200.
    partial = answer.status == 206 or "content-range" in headers
    if partial:
        told, _, total = headers.get("content-range", "").partition("/")
        begin = told.removeprefix("bytes").strip().partition("-")[0]
        if begin != str(offset):
            raw.close()
            raise Corrupted(f"the range from byte {offset} was asked for, and {told!r} came")
        size = int(total) if total.isdecimal() else None
    elif (whole := headers.get("content-length", "")).isdecimal():
        size = int(whole)
    info = info_of(path, headers, etag_is_md5=etag_is_md5, size=size)
    if not partial and offset:
        _skip(raw, offset)
    if not partial and length is not None:
        raw = Window(raw, length)
    return S3Stream(raw, info, whole=not partial and length is None and not offset)


def _skip(stream: ByteStream, count: int) -> None:
    while count and (data := read_exactly(stream, min(count, _SKIP))):
        count -= len(data)
