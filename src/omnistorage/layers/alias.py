"""One object of a storage, alone and under another name: what ``copyto`` and ``moveto`` need."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, Unsupported
from omnistorage.core.features import Features
from omnistorage.core.info import DIR, ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.streams import ByteStream

T = TypeVar("T")


class Alias(Layer):
    """Shows the object ``real`` of the inner driver as ``shown``, and nothing else; reading and deleting only.

    Attributes:
        real: The key that the object has there.
    """

    def __init__(self, inner: Driver, real: str, shown: str) -> None:
        super().__init__(inner)
        self.real = real
        self._shown = shown
        one = inner.features
        # Only what is forwarded below is still true.
        self.features = Features(
            ordered=True,
            ranges=one.ranges,
            mtime=one.mtime,
            precision=one.precision,
            metadata=one.metadata,
            listed_metadata=one.metadata,
            applies=one.applies,
            attributes=one.attributes,
            content_type=one.content_type,
            hash=one.hash,
            hashes=one.hashes,
            computes=one.computes,
            local=one.local,
        )
        if real == shown:
            self.local_root = inner.local_root

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        # What is not answered below would reach the inner driver under a name that means another object there.
        raise Unsupported("one object under another name can only be read and deleted", op=op, path=path)

    def stat(self, path: str) -> ObjectInfo:
        if not path:
            return ObjectInfo("", DIR)
        return msgspec.structs.replace(self.inner.stat(self._behind(path)), path=path)

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        if path:
            raise NotFound(path=path)
        return Page([self.stat(self._shown)])

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return self.inner.get(self._behind(path), offset, length)

    def delete(self, path: str) -> None:
        self.inner.delete(self._behind(path))

    def hash(self, path: str, name: str) -> str:
        return self.inner.hash(self._behind(path), name)

    def metadata(self, path: str) -> dict[str, str]:
        return self.inner.metadata(self._behind(path))

    def identity(self) -> tuple[str, ...]:
        # Under another name it lies nowhere: its folder and that name together would be a different object.
        return self.inner.identity() if self.real == self._shown else ("alias", str(id(self)), "")

    def __reduce__(self) -> tuple[object, ...]:
        return Alias, (self.inner, self.real, self._shown)

    def _behind(self, path: str) -> str:
        if path != self._shown:
            raise NotFound(path=path)
        return self.real
