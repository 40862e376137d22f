"""Shows what stands below a prefix as a storage of its own.

    Prefix(driver, "backups/2026")      # key "a.txt" is "backups/2026/a.txt" of the driver

The prefix is taken verbatim and a ``/`` put behind it; where keys are opaque (``features.any_key``), ``a//b`` and
``a/`` are prefixes like any other. Infos, errors, listings, uploads, ``identity`` and ``local_root`` are seen from
below the prefix. ``about`` is that of the whole storage.

The root may not exist yet. Where directories are real, ``list`` and ``stat`` of it say what the driver says; where
they are prefixes only, the root is always there. An object whose key is the prefix, with or without the ``/``, stands
outside: it is not listed, and cannot be read or replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from omnistorage.core.driver import Driver, Failures, GetResults, PutItem, PutResults
from omnistorage.core.errors import IsADirectory, NotFound, StorageError
from omnistorage.core.info import DIR, Form, ObjectInfo, Page
from omnistorage.core.layer import Layer, LayeredUpload
from omnistorage.core.options import PutOptions
from omnistorage.core.paths import join
from omnistorage.core.placed import Placed
from omnistorage.core.streams import Body, ByteStream, Upload
from omnistorage.core.walk import Infos, walk
from omnistorage.core.wrapped import R, WrappedStream

T = TypeVar("T")

_SOURCE = frozenset({"get", "read"})


class Prefix(Layer):
    """Puts a prefix before every key on the way in, and takes it off on the way out.

    Args:
        inner: The driver around which it stands.
        prefix: The directory that is to be the root, without a slash behind it; empty changes nothing.
    """

    def __init__(self, inner: Driver, prefix: str) -> None:
        super().__init__(inner)
        self.prefix = prefix
        self._stem = f"{prefix}/" if prefix else ""
        if inner.local_root is not None:
            self.local_root = os.path.join(inner.local_root, prefix) if prefix else inner.local_root
        if inner.features.max_path is not None:
            shorter = inner.features.max_path - len(self._stem.encode("utf-8", "surrogateescape"))
            self.features = msgspec.structs.replace(inner.features, max_path=max(0, shorter))
        self.many = inner.many

    def outer(self, path: str) -> str:
        """Return the driver's key of one of ours."""
        return self._stem + path if path else self.prefix

    def inside(self, path: str) -> str:
        """Return our key of one of the driver's.

        Raises:
            StorageError: It does not stand below the prefix.
        """
        size = len(self._stem)
        if path.startswith(self._stem):
            return path[size:]
        if path == self.prefix:
            return ""
        # A service that does not tell cases apart may answer with the case that it has stored.
        if self.features.case_insensitive and path[:size].casefold() == self._stem.casefold():
            return path[size:]
        raise StorageError(f"{path!r} was answered, which does not stand below {self.prefix!r}", scheme=self.scheme)

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except StorageError as exc:
            # What failed while the body of a put was read is about a path of another storage.
            if op not in ("put", "put_part") or exc.op not in _SOURCE:
                self.show(exc)
            raise

    def show(self, exc: StorageError) -> None:
        """Let an error name our key rather than the driver's."""
        if exc.path == self.prefix or exc.path.startswith(self._stem):
            exc.path = self.inside(exc.path)

    def stat(self, path: str) -> ObjectInfo:
        if not path and not self.features.mkdir:
            try:
                info = super().stat(self.prefix)
            except NotFound:
                return ObjectInfo("", DIR)
            return self._info(info) if info.is_dir else ObjectInfo("", DIR)
        return self._info(super().stat(self.outer(path)))

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        key = self.outer(path)
        return self._page(self.around("list", key, lambda: self.inner.list(key, recursive=recursive, page=page)))

    def names(self, path: str, *, page: object = None) -> Page:
        key = self.outer(path)
        return self._page(self.around("list", key, lambda: self.inner.names(key, page=page)))

    def _page(self, found: Page) -> Page:
        if not self._stem:
            return found
        infos: Infos = []
        for info in found.infos:
            if info.path != self._stem:
                infos.append(self._info(info))
            elif info.is_dir:
                infos += self._nameless()
        return Page(infos, found.next)

    def _nameless(self) -> Infos:
        """Return all objects below the directory ``prefix/``, whose name would be that of our root.

        As everywhere, a key that begins with a slash has no directory and stands in the root itself.
        """
        found = self.around("list", self._stem, lambda: [*walk(self.inner, self._stem)])
        return [self._info(info) for infos in found for info in infos if not info.is_dir]

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return _PrefixedStream(super().get(self._object("get", path), offset, length), self)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return self._info(super().put(self._object("put", path), body, options))

    def put_together(self, items: Sequence[PutItem], width: int) -> PutResults:
        keyed = [(self._object("put", path), body, options) for path, body, options in items]
        results = self.inner.put_together(keyed, width)
        for at, result in enumerate(results):
            if isinstance(result, ObjectInfo):
                results[at] = self._info(result)
            elif isinstance(result, StorageError) and result.op not in _SOURCE:
                self.show(result)
        return results

    def get_together(self, paths: Sequence[str], width: int) -> GetResults:
        results = self.inner.get_together([self._object("get", path) for path in paths], width)
        for result in results:
            if isinstance(result, StorageError):
                self.show(result)
        return results

    def delete(self, path: str) -> None:
        super().delete(self._object("delete", path))

    def copy(self, src: str, dst: str) -> ObjectInfo:
        return self._info(super().copy(self._object("copy", src), self._object("copy", dst)))

    def copy_from(self, source: Placed, dst: str) -> ObjectInfo:
        return self._info(super().copy_from(source, self._object("copy_from", dst)))

    def move(self, src: str, dst: str) -> ObjectInfo:
        return self._info(super().move(self._object("move", src), self._object("move", dst)))

    def mkdir(self, path: str) -> None:
        super().mkdir(self.outer(path))

    def rmdir(self, path: str) -> None:
        super().rmdir(self.outer(path))

    def remove_root(self, *, dry_run: bool = False) -> bool:
        # The root of what is inside holds more than we show.
        return not self._stem and super().remove_root(dry_run=dry_run)

    def set_modified(self, path: str, mtime_ns: int) -> None:
        super().set_modified(self.outer(path), mtime_ns)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        key = self._object("begin_upload", path)
        upload = self.around("begin_upload", key, lambda: self.inner.begin_upload(key, options, size))
        return _PrefixedUpload(self, path, upload)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        key = self._object("resume_upload", path)
        upload = self.around("resume_upload", key, lambda: self.inner.resume_upload(key, token, options))
        return _PrefixedUpload(self, path, upload)

    def abort_begun(self, path: str, since_ns: int) -> int:
        return super().abort_begun(self._object("abort_begun", path), since_ns)

    def delete_many(self, paths: Sequence[str]) -> Failures:
        answer = super().delete_many([self._object("delete_many", path) for path in paths])
        for error in answer:
            if error is not None:
                self.show(error)
        return answer

    def hash(self, path: str, name: str) -> str:
        return super().hash(self._object("hash", path), name)

    def presign(self, path: str, *, method: str = "GET", expires: float = 3600.0) -> str:
        return super().presign(self._object("presign", path), method=method, expires=expires)

    def post_form(self, path: str, *, expires: float = 3600.0, max_size: int | None = None) -> Form:
        return super().post_form(self._object("post_form", path), expires=expires, max_size=max_size)

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        key = self._object("get_version", path)
        return _PrefixedStream(super().get_version(key, version, offset, length), self)

    def restore_version(self, path: str, version: str) -> ObjectInfo:
        return self._info(super().restore_version(self._object("restore_version", path), version))

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        try:
            for info in self.inner.versions(self._object("versions", path)):
                yield self._info(info)
        except StorageError as exc:
            self.show(exc)
            raise

    def metadata(self, path: str) -> dict[str, str]:
        return super().metadata(self._described("metadata", path))

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        return self._info(super().set_metadata(self._described("set_metadata", path), metadata))

    def watch(self, path: str, report: Callable[[ObjectInfo], None]) -> Callable[[], None]:
        return super().watch(self.outer(path), lambda info: report(self._info(info)))

    def sweep(
        self, path: str = "", *, older_than: float = 86400.0, noticed: bool = False, dry_run: bool = False
    ) -> int:
        return super().sweep(self.outer(path), older_than=older_than, noticed=noticed, dry_run=dry_run)

    def identity(self) -> tuple[str, ...]:
        *service, root = self.inner.identity()
        return (*service, join(root, self.prefix))

    def _object(self, op: str, path: str) -> str:
        if not path and self._stem:
            raise IsADirectory(op=op, scheme=self.scheme)
        return self.outer(path)

    def _described(self, op: str, path: str) -> str:
        """Return the key of an object, or of a directory where there are real ones."""
        return self.outer(path) if self.features.mkdir else self._object(op, path)

    def _info(self, info: ObjectInfo) -> ObjectInfo:
        return msgspec.structs.replace(info, path=self.inside(info.path)) if self._stem else info

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), prefix=self.prefix), (self.inner,)


class _PrefixedStream(WrappedStream):
    """A stream whose late errors name our key."""

    def __init__(self, raw: ByteStream, layer: Prefix) -> None:
        super().__init__(raw)
        self._layer = layer

    def around(self, op: str, call: Callable[[], R]) -> R:
        try:
            return call()
        except StorageError as exc:
            self._layer.show(exc)
            raise


class _PrefixedUpload(LayeredUpload):
    """An upload that ends with an info of ours."""

    def __init__(self, layer: Prefix, path: str, inner: Upload) -> None:
        super().__init__(layer, path, inner)
        self._prefix = layer

    def finish(self) -> ObjectInfo:
        return self._prefix._info(super().finish())
