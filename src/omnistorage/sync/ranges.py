"""One version of an object of the source, of which ranges are read: never bytes of two versions."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from omnistorage.core.driver import Driver
from omnistorage.core.errors import SourceChanged, StorageError
from omnistorage.core.hashes import hash_stream
from omnistorage.core.info import ObjectInfo
from omnistorage.core.streams import Body, ByteStream, descriptor
from omnistorage.core.wrapped import carried
from omnistorage.layers.alias import Alias

from .fingerprint import Fingerprint
from .model import origin_of
from .source import WatchedStream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Version:
    """One version of an object, of which ranges are read."""

    def __init__(self, driver: Driver, info: ObjectInfo) -> None:
        assert info.size is not None
        self._driver = driver
        self.key = origin_of(info)
        self.size = info.size
        self.fd = -1
        self._stream: ByteStream | None = None
        if driver.features.local and hasattr(os, "pread"):
            # Opened once: a file that takes its name later does not get between the parts.
            self._stream = driver.get(self.key)
            self.fd = descriptor(self._stream)
        try:
            self._seen = self._look()
            same_time = self.fd < 0 or self._seen.mtime_ns == info.mtime_ns
            if self._seen.size != info.size or not same_time:
                raise self.changed()
            self._etag = self._mark()
        except BaseException:
            self.close()
            raise

    @property
    def fingerprint(self) -> Fingerprint:
        """By what it is known again."""
        return Fingerprint(self.size, self._seen.mtime_ns, self._etag)

    @property
    def origin(self) -> str | None:
        """A text that no other bytes have, or None if there is too little to tell them apart."""
        if not self.fingerprint.tells:
            return None
        driver, key = self._driver, self.key
        if isinstance(self._driver, Alias):
            driver, key = self._driver.inner, self._driver.real
        return "\0".join((*driver.identity(), key, str(self.size), str(self._seen.mtime_ns), self._etag or ""))

    @property
    def hashes(self) -> Mapping[str, str]:
        """Those that the service tells of this version."""
        return self._seen.hashes

    def hash(self, names: Collection[str], look: Callable[[int], object]) -> dict[str, str]:
        """Compute hashes; ``look`` is called now and then, and may raise to stop."""
        with WatchedStream(self.open(0, self.size), look) as stream:
            return hash_stream(stream, names)

    def open(self, offset: int, length: int) -> ByteStream:
        if self.fd >= 0:
            return _Extent(self.fd, offset, length)
        stream = self._driver.get(self.key, offset, length)
        told = carried(stream)
        if told is not None and _differ(told, self._seen):
            stream.close()
            raise self.changed()
        return stream

    def check(self) -> None:
        """Make sure that the source is what it was, if asking is free."""
        if self.fd >= 0:
            self.check_again()

    def check_again(self) -> None:
        """Make sure that the source is what it was.

        Raises:
            SourceChanged: It is not.
        """
        now = self._look()
        # A time that only one of two answers has is none by which to judge.
        times = {now.mtime_ns, self._seen.mtime_ns} - {None}
        if now.size != self.size or len(times) > 1 or _differ(now, self._seen):
            raise self.changed()

    def has_changed(self) -> bool:
        """Say whether the source is known to be another one than it was."""
        try:
            self.check_again()
        except SourceChanged:
            return True
        except StorageError:
            return False
        return False

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _look(self) -> ObjectInfo:
        if self.fd < 0:
            return self._driver.stat(self.key)
        about = os.fstat(self.fd)
        return ObjectInfo(self.key, size=about.st_size, mtime_ns=about.st_mtime_ns)

    def _mark(self) -> str | None:
        """Return what tells this version from others with the same size and time."""
        if self._seen.etag or self._seen.version:
            return f"{self._seen.etag or ''} {self._seen.version or ''}"
        about = self._about()
        if about is None or (about.st_size, about.st_mtime_ns) != (self.size, self._seen.mtime_ns):
            return None
        return f"{about.st_ino:x} {about.st_ctime_ns:x}"

    def _about(self) -> os.stat_result | None:
        """Describe the file of this machine that the source is, also behind a layer; None if there is none."""
        if self.fd >= 0:
            return os.fstat(self.fd)
        scheme, *_, root = self._driver.identity()
        if scheme != "file":
            return None
        try:
            return os.stat(f"{root}/{self.key}")
        except OSError:
            return None

    def changed(self) -> SourceChanged:
        """Make the error that says so."""
        return SourceChanged(op="get", path=self.key, scheme=self._driver.scheme)


class Range(Body):
    """A range of the source."""

    def __init__(self, source: Version, offset: int, size: int, report: Callable[[int], object]) -> None:
        self.size: int = size
        self.progress = report
        if source.fd >= 0:
            self.extent = (source.fd, offset)
        self._source = source
        self._offset = offset
        self._report = report

    def open(self) -> ByteStream:
        return WatchedStream(self._source.open(self._offset, self.size), self._report)

    def check(self) -> None:
        self._source.check()


class _Extent(io.RawIOBase):
    """A range of an open file whose position is left alone."""

    def __init__(self, fd: int, offset: int, length: int) -> None:
        self._fd = fd
        self._at = offset
        self._end = offset + length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")[: self._end - self._at]
        count = os.preadv(self._fd, [view], self._at) if len(view) else 0
        self._at += count
        return count


def _differ(one: ObjectInfo, two: ObjectInfo) -> bool:
    """Say whether two answers about an object are known to be about two versions of it."""
    for mark in ("size", "etag", "version"):
        first, second = getattr(one, mark), getattr(two, mark)
        if first is not None and second is not None and first != second:
            return True
    return False
