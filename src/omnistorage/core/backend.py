"""The two public interfaces, as Protocols: what an application may ask any storage to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from .features import Features
from .info import ObjectInfo
from .streams import ByteSink, ByteStream


@runtime_checkable
class Backend(Protocol):
    """The least a place for bytes can do; any class with these six methods is one."""

    def open_writer(
        self,
        path: str,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> ByteSink:
        """Open an object for writing; it exists, whole, when the writer was closed without an exception."""
        ...

    def open_reader(self, path: str, *, offset: int = 0, length: int | None = None) -> ByteStream:
        """Open an object for reading, from ``offset`` (bytes) on, at most ``length`` bytes."""
        ...

    def exists(self, path: str) -> bool:
        """Say whether there is an object at ``path``."""
        ...

    def delete(self, path: str) -> None:
        """Delete an object; one that is not there counts as deleted."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths of all objects that begin with ``prefix``."""
        ...

    def close(self) -> None:
        """Free what the backend holds; a second call does nothing."""
        ...


@runtime_checkable
class ExtendedBackend(Backend, Protocol):
    """What tools need beyond that; ``features`` tells what works without a fallback."""

    @property
    def features(self) -> Features:
        """What this storage can do."""
        ...

    def stat(self, path: str) -> ObjectInfo:
        """Describe one object or directory."""
        ...

    def scan(self, prefix: str = "", *, recursive: bool = True) -> Iterator[ObjectInfo]:
        """Yield what stands below a directory, in path order."""
        ...

    def mkdir(self, path: str) -> None:
        """Make a directory and its parents; one that is there is fine."""
        ...

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        ...

    def copy(self, src: str, dst: str) -> ObjectInfo:
        """Copy an object, at the service where it can."""
        ...

    def move(self, src: str, dst: str) -> ObjectInfo:
        """Rename an object, replacing what is at ``dst``."""
        ...
