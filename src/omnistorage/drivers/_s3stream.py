"""The bytes of an object as they come from S3, and what the answer says of it."""

from __future__ import annotations

import io
from hashlib import md5
from types import TracebackType
from typing import TYPE_CHECKING, Self

from omnistorage.core.errors import Corrupted, StorageError, Truncated
from omnistorage.core.info import ObjectInfo
from omnistorage.core.streams import ByteStream, Window, fill, read_exactly

from ._http import Answer
from ._s3answers import refuse_foreign
from ._s3errors import named
from ._s3metadata import info_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SKIP = 1 << 18


class S3Stream:
    """A stream that tells which version of the object it reads, and that ends only when all of it has come.

    Args:
        raw: The body of the answer.
        info: What the answer said of the object, with the size of the whole of it.
        bucket: Where it is.
        request_id: The service's name for the request, if it told.
        left: Bytes that are to come; None if nobody knows.
        whole: The body is the whole object: its bytes must have the MD5 that ``info`` tells, if it does.
    """

    __slots__ = ("_bucket", "_digest", "_left", "_raw", "_request", "info")

    def __init__(
        self,
        raw: ByteStream,
        info: ObjectInfo,
        bucket: str,
        request_id: str | None = None,
        left: int | None = None,
        *,
        whole: bool = False,
    ) -> None:
        self._raw = raw
        self.info = info
        self._bucket = bucket
        self._request = request_id
        self._left = left
        self._digest = md5(usedforsecurity=False) if whole and "md5" in info.hashes else None
        if left == 0:
            self._end()

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes.

        Raises:
            Truncated: The answer ended before the object did.
            Corrupted: These are the last, and all together have another MD5 than the service says.
        """
        try:
            data = self._raw.read(size)
        except StorageError as exc:
            raise named(exc, self._bucket)  # noqa: B904 -- it is the same
        self._check(data, len(data), size)
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer``; raises as ``read`` does."""
        view = memoryview(buffer).cast("B")
        try:
            count = fill(self._raw, view)
        except StorageError as exc:
            raise named(exc, self._bucket)  # noqa: B904 -- it is the same
        self._check(view[:count], count, len(view))
        return count

    def _check(self, data: bytes | memoryview, count: int, wanted: int) -> None:
        if self._digest is not None:
            self._digest.update(data)
        if self._left is not None:
            self._left -= count
            if self._left > 0:
                if not count and wanted:
                    said = f"the answer ended {self._left} bytes too early"
                    raise named(Truncated(said, request_id=self._request), self._bucket)
                return
        elif count or not wanted:
            return
        self._end()

    def _end(self) -> None:
        """Compare the MD5, once all has come."""
        if self._digest is None:
            return
        found, self._digest = self._digest.hexdigest(), None
        if found != self.info.hashes["md5"]:
            said = f"other bytes came than are stored: MD5 {found}, not {self.info.hashes['md5']}"
            error = Corrupted(said, request_id=self._request)
            # To go on behind the last byte would mend nothing.
            error.retryable = False
            raise named(error, self._bucket)

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


def stream_of(
    path: str, bucket: str, answer: Answer, offset: int, length: int | None, *, etag_is_md5: bool
) -> ByteStream:
    """Return the stream over exactly the range that was asked for, also if the service sent the whole.

    Raises:
        Corrupted: The answer has another range, or is about no object.
    """
    headers, raw = answer.headers, answer.stream
    if answer.status == 416:
        return io.BytesIO()
    assert raw is not None
    size: int | None = None
    left: int | None = None
    # Not the status: some answer with a range and 200.
    partial = answer.status == 206 or "content-range" in headers
    try:
        refuse_foreign(headers, bucket)
        if partial:
            left, size = _range_of(headers.get("content-range", ""), offset, length)
        elif (whole := headers.get("content-length", "")).isdecimal():
            size = int(whole)
            left = max(0, size - offset) if length is None else min(max(0, size - offset), length)
    except Corrupted as exc:
        raw.close()
        raise named(exc, bucket, headers)  # noqa: B904 -- it is the same
    info = info_of(path, headers, etag_is_md5=etag_is_md5, size=size)
    if not partial and offset:
        _skip(raw, offset)
    if not partial and length is not None:
        raw = Window(raw, length)
    request_id = headers.get("x-amz-request-id")
    return S3Stream(raw, info, bucket, request_id, left, whole=not partial and length is None and not offset)


def _range_of(said: str, offset: int, length: int | None) -> tuple[int | None, int | None]:
    """Return how many bytes a range has, and the object, as far as that is told: ``bytes 5-9/20``.

    Raises:
        Corrupted: It is not the one that was asked for.
    """
    told, _, total = said.partition("/")
    begin, _, end = told.removeprefix("bytes").strip().partition("-")
    size = int(total) if total.isdecimal() else None
    wrong = begin != str(offset)
    if size is not None and end.isdecimal():
        wrong = wrong or int(end) != min(size, size if length is None else offset + length) - 1
    if wrong:
        wanted = "" if length is None else f"{length} bytes "
        raise Corrupted(f"the range of {wanted}from byte {offset} was asked for, and {told!r} came")
    return (int(end) + 1 - offset if end.isdecimal() else None), size


def _skip(stream: ByteStream, count: int) -> None:
    while count and (data := read_exactly(stream, min(count, _SKIP))):
        count -= len(data)
