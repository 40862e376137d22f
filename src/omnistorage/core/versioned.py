"""One version of an object, read as if it were the present one."""

from __future__ import annotations

from .driver import Driver
from .errors import NotFound
from .info import ObjectInfo
from .layer import Layer
from .streams import ByteStream


class OneVersion(Layer):
    """Shows of each object the version of that name; for reading only."""

    def __init__(self, inner: Driver, version: str) -> None:
        super().__init__(inner)
        self._version = version

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return self.inner.get_version(path, self._version, offset, length)

    def stat(self, path: str) -> ObjectInfo:
        for info in self.inner.versions(path):
            if info.version == self._version:
                return info
        raise NotFound(f"there is no version {self._version!r}", op="stat", path=path, scheme=self.scheme)
