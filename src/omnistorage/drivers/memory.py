"""``memory://`` and ``memory://name``: objects in this process, kept like an object store keeps them."""

from __future__ import annotations

import hashlib
import io
import secrets
import threading
import time
import weakref
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from omnistorage.core.address import Address
from omnistorage.core.attributes import CONTENT_TYPE, MTIME, as_text
from omnistorage.core.attributes import from_text as time_of
from omnistorage.core.driver import Driver, Failures
from omnistorage.core.errors import (
    AlreadyExists,
    IsADirectory,
    NotFound,
    PreconditionFailed,
    StorageError,
    Truncated,
    Unsupported,
)
from omnistorage.core.features import Features
from omnistorage.core.info import DIR, FILE, ObjectInfo, Page, Usage
from omnistorage.core.options import PutOptions, from_text
from omnistorage.core.streams import Body, ByteStream, Upload, read_all


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a memory storage.

    Attributes:
        name: Storages of this process with the same name hold the same objects, as long as one of them is in
            use; without a name, each is on its own.
        page_size: Most entries that one listing answers with.
    """

    name: str = ""
    page_size: int = 1000


class MemoryDriver(Driver):
    """Flat keys in a dictionary; directories are prefixes only, any text is a key."""

    scheme = "memory"
    options_class = Options
    features = Features(
        recursive=True,
        ordered=True,
        ranges=True,
        atomic_put=True,
        if_absent=True,
        if_match=True,
        mtime=True,
        precision=1,
        metadata=True,
        listed_metadata=True,
        applies=frozenset({MTIME, CONTENT_TYPE}),
        content_type=True,
        computes=frozenset({"md5", "sha1", "sha256", "sha512"}),
        any_key=True,
    )

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self._space = _space_of(self.options.name)

    @classmethod
    def from_address(cls, address: Address) -> tuple[Driver, str]:
        settings: dict[str, Any] = {"name": address.authority, **address.options}
        return cls(from_text(Options, settings, where="memory")), address.path.strip("/")

    def stat(self, path: str) -> ObjectInfo:
        with self._space.lock:
            held = self._space.objects.get(path)
            if held is not None:
                return held.info
            if not path or self._space.any_below(path + "/"):
                return ObjectInfo(path, DIR)
        raise NotFound

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        prefix = path + "/" if path else ""
        infos: list[ObjectInfo] = []
        with self._space.lock:
            keys, objects = self._space.keys, self._space.objects
            at = bisect_left(keys, page if isinstance(page, str) else prefix)
            while at < len(keys) and keys[at].startswith(prefix):
                if len(infos) == self.options.page_size:
                    return Page(infos, keys[at])
                key = keys[at]
                head, slash, _ = key[len(prefix) :].partition("/")
                # A key that begins with a slash has no directory: its name would be that of the root.
                if recursive or not slash or not (prefix or head):
                    infos.append(objects[key].info)
                    at += 1
                else:
                    folder = prefix + head
                    infos.append(ObjectInfo(folder, DIR))
                    # Skip what is below it: the next key that does not begin with "folder/".
                    at = bisect_left(keys, folder + "0")
        return Page(infos)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        data = self._held(path).data
        end = len(data) if length is None else offset + length
        return io.BytesIO(memoryview(data)[offset:end])

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        with body.open() as stream:
            data = read_all(stream)
            if body.size is not None and body.size != len(data):
                raise Truncated(f"{body.size} bytes were announced, {len(data)} came")
            body.check()
        return self._space.store(path, data, options)

    def delete(self, path: str) -> None:
        self._space.remove(path)

    def copy(self, src: str, dst: str) -> ObjectInfo:
        held = self._held(src)
        info = held.info
        options = PutOptions(content_type=info.content_type, mtime_ns=info.mtime_ns, metadata=info.metadata)
        return self._space.store(dst, held.data, options)

    def move(self, src: str, dst: str) -> ObjectInfo:
        with self._space.lock:
            info = self.copy(src, dst)
            if src != dst:
                self._space.remove(src)
        return info

    def set_modified(self, path: str, mtime_ns: int) -> None:
        with self._space.lock:
            held = self._held(path)
            held.info = msgspec.structs.replace(held.info, mtime_ns=mtime_ns)

    def metadata(self, path: str) -> dict[str, str]:
        info = self.stat(path)
        told = dict(info.metadata)
        if info.mtime_ns is not None:
            told[MTIME] = as_text(info.mtime_ns)
        if info.content_type is not None:
            told[CONTENT_TYPE] = info.content_type
        return told

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        with self._space.lock:
            held = self._held(path)
            info = held.info
            options = PutOptions(content_type=info.content_type, mtime_ns=info.mtime_ns, metadata=metadata)
            told = _applied(options)
            held.info = msgspec.structs.replace(
                info, metadata=dict(told.metadata), mtime_ns=told.mtime_ns, content_type=told.content_type
            )
            return held.info

    def delete_many(self, paths: Sequence[str]) -> Failures:
        def one(path: str) -> StorageError | None:
            try:
                self._space.remove(path)
            except NotFound as exc:
                exc.path = path
                return exc
            return None

        return [one(path) for path in paths]

    def hash(self, path: str, name: str) -> str:
        if name not in self.features.computes:
            raise Unsupported(f"computes no {name}")
        return hashlib.new(name, self._held(path).data).hexdigest()

    def about(self) -> Usage:
        with self._space.lock:
            used = sum(len(held.data) for held in self._space.objects.values())
            return Usage(used=used, objects=len(self._space.objects))

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        upload = _MemoryUpload(self._space, path, options, secrets.token_hex(8))
        with self._space.lock:
            self._space.uploads[upload.id] = upload
        return upload

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload = self._space.uploads.get(token)
        if upload is None or upload.path != path:
            raise NotFound("there is no such upload")
        return upload

    def identity(self) -> tuple[str, ...]:
        return (self.scheme, str(id(self._space)), "")

    def _held(self, path: str) -> _Object:
        held = self._space.objects.get(path)
        if held is None:
            raise NotFound
        return held


class _Object:
    __slots__ = ("data", "info")

    def __init__(self, data: bytes, info: ObjectInfo) -> None:
        self.data = data
        self.info = info


class _Space:
    """The objects of one name; ``keys`` is the sorted list of what ``objects`` holds."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[str, _Object] = {}
        self.keys: list[str] = []
        self.uploads: dict[str, _MemoryUpload] = {}

    def store(self, path: str, data: bytes, options: PutOptions) -> ObjectInfo:
        if not path:
            raise IsADirectory("the root cannot be an object")
        if options.attributes:
            options = _applied(options)
        info = ObjectInfo(
            path,
            FILE,
            len(data),
            time.time_ns() if options.mtime_ns is None else options.mtime_ns,
            content_type=options.content_type,
            metadata=dict(options.metadata),
            etag=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        )
        with self.lock:
            if path not in self.objects:
                if options.if_match is not None:
                    raise PreconditionFailed
                insort(self.keys, path)
            elif options.if_absent:
                raise AlreadyExists
            elif options.if_match not in (None, self.objects[path].info.etag):
                raise PreconditionFailed
            self.objects[path] = _Object(data, info)
        return info

    def remove(self, path: str) -> None:
        with self.lock:
            if self.objects.pop(path, None) is None:
                raise NotFound
            del self.keys[bisect_left(self.keys, path)]

    def any_below(self, prefix: str) -> bool:
        at = bisect_left(self.keys, prefix)
        return at < len(self.keys) and self.keys[at].startswith(prefix)


class _MemoryUpload(Upload):
    part_size = 5 << 20

    def __init__(self, space: _Space, path: str, options: PutOptions, name: str) -> None:
        self.id = self.token = name
        self.path = path
        self._space = space
        self._options = options
        self._parts: dict[int, bytes] = {}

    @property
    def done(self) -> Mapping[int, int]:
        return {number: len(data) for number, data in self._parts.items()}

    def put_part(self, number: int, body: Body) -> None:
        with body.open() as stream:
            data = read_all(stream)
        if body.size is not None and body.size != len(data):
            raise Truncated(f"{body.size} bytes were announced, {len(data)} came")
        self._parts[number] = data

    def stored(self) -> ByteStream:
        return io.BytesIO(b"".join(self._parts[n] for n in sorted(self._parts)))

    def stored_part(self, number: int) -> ByteStream:
        return io.BytesIO(self._parts[number])

    def finish(self) -> ObjectInfo:
        if self._space.uploads.get(self.id) is not self:
            raise NotFound("the upload was finished or aborted before")
        info = self._space.store(self.path, b"".join(self._parts[n] for n in sorted(self._parts)), self._options)
        self._space.uploads.pop(self.id, None)
        return info

    def abort(self) -> None:
        self._space.uploads.pop(self.id, None)
        self._parts.clear()


def _applied(options: PutOptions) -> PutOptions:
    """Take the names of the system out of the metadata, and let them be what they name."""
    rest = dict(options.metadata)
    mtime, content_type = rest.pop(MTIME, None), rest.pop(CONTENT_TYPE, None)
    return msgspec.structs.replace(
        options,
        metadata=rest,
        mtime_ns=options.mtime_ns if mtime is None else time_of(mtime),
        content_type=options.content_type if content_type is None else content_type,
    )


_SPACES: weakref.WeakValueDictionary[str, _Space] = weakref.WeakValueDictionary()
_SPACES_LOCK = threading.Lock()


def _space_of(name: str) -> _Space:
    if not name:
        return _Space()
    with _SPACES_LOCK:
        space = _SPACES.get(name)
        if space is None:
            space = _SPACES[name] = _Space()
        return space


DRIVER = MemoryDriver
