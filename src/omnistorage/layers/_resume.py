"""The stream of ``Retry``: it goes on where it broke, if the object is still the same. Used by that layer only."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from omnistorage.core.errors import NotFound, SourceChanged, StorageError, Truncated
from omnistorage.core.info import ObjectInfo
from omnistorage.core.layer import Layer
from omnistorage.core.streams import CHUNK, ByteStream, fill
from omnistorage.core.wrapped import carried, same_version

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

N = TypeVar("N", bytes, int)

PROOF: Final = 8 << 20
"""Bytes up to which a broken stream proves by reading them once more that the object is the same."""


class Attempts(Protocol):
    """Counts failures in a row; see ``Retry``."""

    def again(self, exc: StorageError) -> bool:
        """Wait and return True, or return False if it is enough."""
        ...

    def won(self) -> None:
        """Begin to count anew."""
        ...


class ResumingStream(io.RawIOBase):
    """The bytes of one version of an object, whatever happens to the connections that bring them.

    A read that fails for the moment, or an end before the size that is known, opens the object again. Bytes of two
    versions must never be mixed, so the object has to be known as the same:

    * if the driver's streams carry an ``info`` (etag, version, or time), by that, at no cost;
    * else, as long as 8 MiB or fewer have been read, by reading those once more and comparing their digest; from
      then on, and so for every later break, by etag, version or time of a ``stat``;
    * else by a ``stat`` made when the first 8 MiB had been read. This costs large objects one request. An object
      that was replaced while those were read, and broke later, is the one case that could go unnoticed, and only
      at services whose streams carry nothing.

    Attempts are counted from the last byte that came: a stream that makes progress is not given up.
    """

    def __init__(
        self,
        layer: Layer,
        attempts: Callable[[], Attempts],
        stream: ByteStream,
        path: str,
        offset: int,
        length: int | None,
        *,
        proof: int | None = None,
    ) -> None:
        self._layer = layer
        self._attempts = attempts()
        self._path = path
        self._offset = offset
        self._length = length
        self._proof = PROOF if proof is None else proof
        self._count = 0
        self._digest: Any = None
        self._failing = False
        self._marked_by_stream = False
        self._mark: ObjectInfo | None = None
        self._raw: ByteStream | None = None
        self._adopt(stream)

    @property
    def info(self) -> ObjectInfo | None:
        """What the driver's stream tells of the object, if it does."""
        return self._mark if self._marked_by_stream else carried(self._raw)

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes, all that is left if negative or None.

        Raises:
            SourceChanged: The stream broke, and the object is not the same any more.
        """
        if size is not None and size >= 0:
            return self._pull(lambda raw: raw.read(size)) if size else b""
        # Piece by piece, so that a break does not cost what came before.
        parts = []
        while data := self._pull(lambda raw: raw.read(CHUNK)):
            parts.append(data)
        return b"".join(parts)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into ``buffer`` and return the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        return self._pull(lambda raw: fill(raw, view), view) if len(view) else 0

    def fileno(self) -> int:
        """The descriptor of a local file; what the kernel reads from it is not resumed."""
        fileno = getattr(self._raw, "fileno", None)
        if fileno is None:
            raise io.UnsupportedOperation("fileno")
        return int(fileno())

    def close(self) -> None:
        """Close the stream; a second call does nothing."""
        if self.closed:
            return
        try:
            if self._raw is not None:
                self._raw.close()
        finally:
            super().close()

    def _pull(self, take: Callable[[ByteStream], N], view: memoryview | None = None) -> N:
        if self.closed:
            raise ValueError("the stream is closed")
        while True:
            try:
                raw = self._reopen() if self._raw is None else self._raw
                data = take(raw)
                count = len(data) if isinstance(data, bytes) else data
                if not count:
                    self._check_end()
            except StorageError as exc:
                self._drop()
                if not exc.retryable or not self._can_prove() or not self._attempts.again(exc):
                    raise
                self._failing = True
                continue
            if count:
                self._advance(view[:count] if view is not None else data, count)
            return data

    def _advance(self, data: Any, count: int) -> None:
        self._count += count
        if self._failing:
            self._failing = False
            self._attempts.won()
        if self._mark is not None:
            return
        if self._count <= self._proof:
            if self._digest is None:
                self._digest = _new_digest()
            self._digest.update(data)
        elif self._digest is not None or self._count == count:
            self._digest = None
            self._mark = self._marked_stat()

    def _can_prove(self) -> bool:
        return self._mark is not None or self._count <= self._proof

    def _check_end(self) -> None:
        size = self._mark.size if self._mark is not None else None
        if size is None:
            return
        expected = max(0, size - self._offset)
        if self._length is not None:
            expected = min(expected, self._length)
        if self._count < expected:
            raise Truncated(
                f"{expected} bytes were expected, {self._count} came",
                op="read",
                path=self._path,
                scheme=self._layer.scheme,
            )

    def _reopen(self) -> ByteStream:
        inner, path = self._layer.inner, self._path
        try:
            if self._mark is None:
                # Looked at before it is opened: if it is replaced in between, the next break finds a difference
                # where there is none, which is an error too many, and not a mixture.
                before = self._marked_stat() if self._count else None
                stream = inner.get(path, self._offset, self._length)
                self._drop_unless(stream, lambda: self._same_beginning(stream))
                self._adopt(stream)
                self._mark = self._mark or before
                return stream
            left = None if self._length is None else self._length - self._count
            stream = inner.get(path, self._offset + self._count, left)
            self._drop_unless(stream, lambda: self._same_object(stream))
        except NotFound as exc:
            raise self._changed("the object vanished while it was read") from exc
        self._raw = stream
        return stream

    def _same_beginning(self, stream: ByteStream) -> bool:
        left, digest = self._count, _new_digest()
        while left:
            data = stream.read(min(left, CHUNK))
            if not data:
                return False
            digest.update(data)
            left -= len(data)
        return self._count == 0 or digest.digest() == self._digest.digest()

    def _same_object(self, stream: ByteStream) -> bool:
        # A stat comes after the opening: what it finds the same was the same when it was opened.
        now = carried(stream) if self._marked_by_stream else None
        return self._mark is not None and bool(same_version(self._mark, now or self._layer.inner.stat(self._path)))

    def _drop_unless(self, stream: ByteStream, same: Callable[[], bool]) -> None:
        """Keep a stream that was opened again if it is the right one; else close it."""
        try:
            if same():
                return
        except BaseException:
            stream.close()
            raise
        stream.close()
        raise self._changed("")

    def _adopt(self, stream: ByteStream) -> None:
        told = carried(stream)
        if told is not None and _is_marked(told):
            self._mark = told
            self._marked_by_stream = True
        self._raw = stream

    def _marked_stat(self) -> ObjectInfo | None:
        """Look at the object; None if that fails or tells nothing by which to know it again."""
        try:
            info = self._layer.inner.stat(self._path)
        except StorageError:
            return None
        return info if _is_marked(info) else None

    def _drop(self) -> None:
        raw, self._raw = self._raw, None
        if raw is None:
            return
        try:
            raw.close()
        except StorageError:
            return  # it is broken, which is why it is closed

    def _changed(self, message: str) -> SourceChanged:
        return SourceChanged(message, op="read", path=self._path, scheme=self._layer.scheme)


def _is_marked(info: ObjectInfo) -> bool:
    return info.etag is not None or info.version is not None or info.mtime_ns is not None


def _new_digest() -> Any:
    # Not against forgers: it tells versions apart, at a speed that does not show.
    import xxhash

    return xxhash.xxh3_128()
