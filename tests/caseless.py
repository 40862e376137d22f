"""A place where ``A`` and ``a`` are one object, kept as it was first spelled: as on macOS and Windows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from omnistorage.core.driver import Driver, Failures
from omnistorage.core.info import ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, Upload
from omnistorage.core.walk import pages
from omnistorage.sync.spelling import Spelling


class Caseless(Layer):
    """Finds an object under any case of its names (and composed or not, if ``nfc``); new ones keep what they get."""

    def __init__(self, inner: Driver, *, nfc: bool = False) -> None:
        super().__init__(inner)
        self._key = Spelling(nfc=nfc, case=True).key
        # The one below would answer with all below one spelling of a folder.
        self.features = msgspec.structs.replace(inner.features, case_insensitive=True, recursive=False)

    def stat(self, path: str) -> ObjectInfo:
        return msgspec.structs.replace(super().stat(self.spelled(path)), path=path)

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        real = self.spelled(path)
        found = super().list(real, page=page)
        infos = [msgspec.structs.replace(info, path=path + info.path[len(real) :]) for info in found.infos]
        return Page(infos, found.next)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return super().get(self.spelled(path), offset, length)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return msgspec.structs.replace(super().put(self.spelled(path), body, options), path=path)

    def delete(self, path: str) -> None:
        super().delete(self.spelled(path))

    def copy(self, src: str, dst: str) -> ObjectInfo:
        return msgspec.structs.replace(super().copy(self.spelled(src), self.spelled(dst)), path=dst)

    def move(self, src: str, dst: str) -> ObjectInfo:
        source, target = self.spelled(src), self.spelled(dst)
        if source == target:
            # Another spelling of its own name is all that changes.
            folder, _, name = target.rpartition("/")
            target = f"{folder}/" * bool(folder) + dst.rpartition("/")[2] if name else dst
        return msgspec.structs.replace(super().move(source, target), path=dst)

    def mkdir(self, path: str) -> None:
        super().mkdir(self.spelled(path))

    def rmdir(self, path: str) -> None:
        super().rmdir(self.spelled(path))

    def set_modified(self, path: str, mtime_ns: int) -> None:
        super().set_modified(self.spelled(path), mtime_ns)

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        return msgspec.structs.replace(super().set_metadata(self.spelled(path), metadata), path=path)

    def delete_many(self, paths: Sequence[str]) -> Failures:
        return super().delete_many([self.spelled(path) for path in paths])

    def hash(self, path: str, name: str) -> str:
        return super().hash(self.spelled(path), name)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        return super().begin_upload(self.spelled(path), options, size)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        return super().resume_upload(self.spelled(path), token, options)

    def spelled(self, path: str) -> str:
        """Return a path as it is spelled here, as far as it is there."""
        if "" in (parts := path.split("/")):
            return path
        found: list[str] = []
        for part in parts:
            found.append(self._names("/".join(found)).get(self._key(part), part))
        return "/".join(found)

    def _names(self, folder: str) -> dict[str, str]:
        try:
            infos = [info for page in pages(self.inner, folder, brief=True) for info in page]
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {self._key(info.name): info.name for info in infos}
