"""A layer is a driver around a driver, with one hook through which every call passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from .driver import Driver, Failures, GetResults, PutItem, PutResults
from .errors import StorageError
from .features import Features
from .info import Form, ObjectInfo, Page, Usage
from .options import PutOptions
from .placed import Placed
from .streams import Body, ByteStream, Upload

T = TypeVar("T")


class Layer(Driver):
    """Passes every verb on to the driver inside; subclasses override ``around`` or single verbs.

    Every verb is forwarded by name, not by ``__getattr__``: a verb added to Driver and forgotten here would
    be lost for all layers, and a test says so. The calls on an upload's parts pass through ``around``, too.
    """

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner.options)
        self.inner = inner
        self.scheme = inner.scheme
        self.features: Features = inner.features
        # Not passed on: whoever opens the files themselves would pass by what this layer does with each call.
        self.local_root = None
        self.many = 0

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        """Do ``call``, which is the verb ``op`` on ``path``; the place for what a layer adds."""
        return call()

    def stat(self, path: str) -> ObjectInfo:
        return self.around("stat", path, lambda: self.inner.stat(path))

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        return self.around("list", path, lambda: self.inner.list(path, recursive=recursive, page=page))

    def names(self, path: str, *, page: object = None) -> Page:
        if type(self).list is not Layer.list:
            # A layer that changes listings changes these, too.
            return self.list(path, page=page)
        return self.around("list", path, lambda: self.inner.names(path, page=page))

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return self.around("get", path, lambda: self.inner.get(path, offset, length))

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return self.around("put", path, lambda: self.inner.put(path, body, options))

    def delete(self, path: str) -> None:
        return self.around("delete", path, lambda: self.inner.delete(path))

    def copy(self, src: str, dst: str) -> ObjectInfo:
        return self.around("copy", src, lambda: self.inner.copy(src, dst))

    def copy_from(self, source: Placed, dst: str) -> ObjectInfo:
        return self.around("copy_from", dst, lambda: self.inner.copy_from(source, dst))

    def move(self, src: str, dst: str) -> ObjectInfo:
        return self.around("move", src, lambda: self.inner.move(src, dst))

    def mkdir(self, path: str) -> None:
        return self.around("mkdir", path, lambda: self.inner.mkdir(path))

    def rmdir(self, path: str) -> None:
        return self.around("rmdir", path, lambda: self.inner.rmdir(path))

    def make_root(self) -> None:
        return self.around("make_root", "", self.inner.make_root)

    def remove_root(self, *, dry_run: bool = False) -> bool:
        return self.around("remove_root", "", lambda: self.inner.remove_root(dry_run=dry_run))

    def set_modified(self, path: str, mtime_ns: int) -> None:
        return self.around("set_modified", path, lambda: self.inner.set_modified(path, mtime_ns))

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        upload = self.around("begin_upload", path, lambda: self.inner.begin_upload(path, options, size))
        return LayeredUpload(self, path, upload)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload = self.around("resume_upload", path, lambda: self.inner.resume_upload(path, token, options))
        return LayeredUpload(self, path, upload)

    def abort_begun(self, path: str, since_ns: int) -> int:
        return self.around("abort_begun", path, lambda: self.inner.abort_begun(path, since_ns))

    def delete_many(self, paths: Sequence[str]) -> Failures:
        first = paths[0] if paths else ""
        return self.around("delete_many", first, lambda: self.inner.delete_many(paths))

    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        # Not the inner one's: what a layer does with each ``put`` must happen to these, too.
        return Driver.put_many(self, items)

    def put_together(self, items: Sequence[PutItem], width: int) -> PutResults:
        return self.put_many(items)

    def get_together(self, paths: Sequence[str], width: int) -> GetResults:
        return Driver.get_together(self, paths, width)

    def hash(self, path: str, name: str) -> str:
        return self.around("hash", path, lambda: self.inner.hash(path, name))

    def presign(self, path: str, *, method: str = "GET", expires: float = 3600.0) -> str:
        return self.around("presign", path, lambda: self.inner.presign(path, method=method, expires=expires))

    def post_form(self, path: str, *, expires: float = 3600.0, max_size: int | None = None) -> Form:
        return self.around("post_form", path, lambda: self.inner.post_form(path, expires=expires, max_size=max_size))

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        return self.around("versions", path, lambda: self.inner.versions(path))

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return self.around("get_version", path, lambda: self.inner.get_version(path, version, offset, length))

    def restore_version(self, path: str, version: str) -> ObjectInfo:
        return self.around("restore_version", path, lambda: self.inner.restore_version(path, version))

    def about(self) -> Usage:
        return self.around("about", "", self.inner.about)

    def metadata(self, path: str) -> dict[str, str]:
        return self.around("metadata", path, lambda: self.inner.metadata(path))

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        return self.around("set_metadata", path, lambda: self.inner.set_metadata(path, metadata))

    def watch(self, path: str, report: Callable[[ObjectInfo], None]) -> Callable[[], None]:
        return self.around("watch", path, lambda: self.inner.watch(path, report))

    def sweep(
        self, path: str = "", *, older_than: float = 86400.0, noticed: bool = False, dry_run: bool = False
    ) -> int:
        return self.around(
            "sweep",
            path,
            lambda: self.inner.sweep(path, older_than=older_than, noticed=noticed, dry_run=dry_run),
        )

    def classify(self, exc: Exception) -> type[StorageError] | None:
        return self.inner.classify(exc)

    def identity(self) -> tuple[str, ...]:
        return self.inner.identity()

    def close(self) -> None:
        self.inner.close()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.inner,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} around {self.inner!r}>"


class LayeredUpload(Upload):
    """An upload whose calls pass through a layer's ``around``."""

    def __init__(self, layer: Layer, path: str, inner: Upload) -> None:
        self.inner = inner
        self.part_size = inner.part_size
        self.streams = inner.streams
        self.token = inner.token
        self._layer = layer
        self._path = path

    @property
    def done(self) -> dict[int, int]:
        return dict(self.inner.done)

    def put_part(self, number: int, body: Body) -> None:
        self._layer.around("put_part", self._path, lambda: self.inner.put_part(number, body))

    def part_length(self, number: int) -> int:
        # Not around, either.
        return self.inner.part_length(number)

    def finish(self) -> ObjectInfo:
        return self._layer.around("finish", self._path, self.inner.finish)

    def abort(self) -> None:
        self._layer.around("abort", self._path, self.inner.abort)

    def stored(self) -> ByteStream | None:
        return self._layer.around("stored", self._path, self.inner.stored)

    def stored_part(self, number: int) -> ByteStream | None:
        return self._layer.around("stored_part", self._path, lambda: self.inner.stored_part(number))

    def stop(self) -> None:
        # Not around, as it asks the service for nothing.
        self.inner.stop()

    def leave(self) -> None:
        self.inner.leave()
