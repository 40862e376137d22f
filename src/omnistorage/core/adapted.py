"""Any object with the six methods of ``Backend``, seen as a driver; what it lacks is made of what it has."""

from __future__ import annotations

from typing import Any

from .backend import Backend
from .driver import Driver
from .errors import IsADirectory, NotADirectory, NotFound, Unsupported
from .features import Features
from .info import DIR, FILE, ObjectInfo, Page
from .options import PutOptions
from .streams import Body, ByteStream, copy_stream


class AdaptedBackend(Driver):
    """A class of the user's own, which knows nothing of drivers.

    Sizes come from its ``stat`` if it has one, else by reading. Whether a failed write leaves something behind
    is up to it: a plain ``Backend`` has no way to abort, other than ``__exit__`` with an exception.
    """

    scheme = "backend"
    features = Features(recursive=True, ordered=True, any_key=True)

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend

    def stat(self, path: str) -> ObjectInfo:
        if path and self.backend.exists(path):
            return self._describe(path)
        if not path or next(iter(self.backend.list(path + "/")), None) is not None:
            return ObjectInfo(path, DIR)
        raise NotFound

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        prefix = path + "/" if path else ""
        if path and self.backend.exists(path) and next(iter(self.backend.list(prefix)), None) is None:
            raise NotADirectory
        infos: dict[str, ObjectInfo] = {}
        for key in self.backend.list(prefix):
            head, slash, _ = key[len(prefix) :].partition("/")
            # A key that begins with a slash has no directory: its name would be that of the root.
            if recursive or not slash or not (prefix or head):
                infos[key] = self._describe(key)
            else:
                infos[prefix + head + "/"] = ObjectInfo(prefix + head, DIR)
        if path and not infos and not self.backend.exists(path):
            raise NotFound
        return Page([infos[key] for key in sorted(infos)])

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        if not self.backend.exists(path):
            raise NotFound
        return self.backend.open_reader(path, offset=offset, length=length)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        if not path:
            raise IsADirectory("the root cannot be an object")
        if options.if_absent:
            raise Unsupported
        with (
            body.open() as source,
            self.backend.open_writer(
                path, content_type=options.content_type, metadata=dict(options.metadata)
            ) as sink,
        ):
            size = copy_stream(source, sink.write, size=body.size)
            body.check()
        return ObjectInfo(path, FILE, size)

    def delete(self, path: str) -> None:
        if not self.backend.exists(path):
            raise NotFound
        self.backend.delete(path)

    def close(self) -> None:
        self.backend.close()

    def identity(self) -> tuple[str, ...]:
        return (self.scheme, str(id(self.backend)), "")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.backend,)

    def _describe(self, path: str) -> ObjectInfo:
        stat: Any = getattr(self.backend, "stat", None)
        if stat is not None:
            info: ObjectInfo = stat(path)
            return info
        with self.backend.open_reader(path) as stream:
            return ObjectInfo(path, FILE, copy_stream(stream, lambda data: None))
