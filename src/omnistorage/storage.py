"""The front door: what applications hold, for every place where bytes are kept."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from .core.crossing import refuse_same_object, same_place, transfer
from .core.driver import Driver
from .core.errors import Closed, Corrupted, NotEmpty, NotFound, StorageError, Unsupported
from .core.extras import Extras
from .core.features import Features
from .core.guard import Guard
from .core.info import DIR, ObjectInfo
from .core.options import PutOptions
from .core.paths import as_key, parent
from .core.streams import Body, ByteStream, as_body, read_all
from .core.times import as_ns
from .core.walk import walk

if TYPE_CHECKING:
    from datetime import datetime

    from .core.backend import Backend
    from .core.writer import Writer

Path = str | os.PathLike[str]
LayerMaker = Callable[[Driver], Driver]
Content = Body | bytes | bytearray | memoryview | ByteStream

_READ_BUFFER = 128 << 10


class Storage(Extras):
    """A place for bytes: files of a disk, objects of a bucket, whatever the driver talks to.

    Fulfils ``Backend`` and ``ExtendedBackend``. What the service cannot do is done here where that is possible
    (``copy`` by reading and writing), and refused with ``Unsupported`` where it is not. Safe to use from many
    threads. Use it as a context manager, or call ``close``.

    Args:
        driver: The driver, or any object that fulfils the ``Backend`` protocol.
        *layers: Layers around it, outermost first: ``Storage(driver, Log, partial(Retry, attempts=5))``.
    """

    def __init__(self, driver: Driver | Backend, *layers: LayerMaker) -> None:
        if isinstance(driver, Driver):
            inner = driver
        else:
            from .core.adapted import AdaptedBackend

            inner = AdaptedBackend(driver)
        if not isinstance(inner, Guard):
            inner = Guard(inner)
        for layer in reversed(layers):
            inner = layer(inner)
        self._driver = inner
        self._closed = False

    # -- about the storage ---------------------------------------------------------------------------------

    @property
    def driver(self) -> Driver:
        """The outermost layer, for tools that work with the verbs of a driver themselves.

        Raises:
            Closed: The storage was closed.
        """
        if self._closed:
            raise Closed(scheme=self._driver.scheme)
        return self._driver

    @property
    def scheme(self) -> str:
        """The scheme of the driver (``file``)."""
        return self._driver.scheme

    @property
    def features(self) -> Features:
        """What the storage can do without a fallback."""
        return self._driver.features

    @property
    def closed(self) -> bool:
        """True after ``close``."""
        return self._closed

    def close(self) -> None:
        """Free what the storage holds; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Storage {self._driver!r}{' closed' if self._closed else ''}>"

    # -- whole objects -------------------------------------------------------------------------------------

    def read_bytes(self, path: Path, *, offset: int = 0, length: int | None = None) -> bytes:
        """Read an object, or a range of it, into memory.

        Raises:
            NotFound: There is no such object.
            ValueError: ``offset`` or ``length`` is negative.
        """
        _check_range(offset, length)
        with self.driver.get(as_key(path), offset, length) as stream:
            return read_all(stream)

    def write_bytes(
        self,
        path: Path,
        data: Content,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        modified: datetime | int | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store an object, whole or not at all, and return what a listing says of it.

        Args:
            path: The key.
            data: Bytes, a binary stream, or a Body.
            content_type: MIME type; None lets the service decide.
            metadata: User metadata, lower-case ASCII keys.
            modified: Time of modification to record: an aware datetime or nanoseconds of Unix time.
            if_absent: Fail rather than replace.

        Raises:
            AlreadyExists: ``if_absent``, and there is an object.
            Unsupported: ``if_absent``, and the service cannot do that without a race.
        """
        options = self._put_options(content_type, metadata, modified, if_absent)
        return self.driver.put(as_key(path), as_body(data), options)

    def read_text(self, path: Path, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Read an object as text."""
        return self.read_bytes(path).decode(encoding, errors)

    def write_text(self, path: Path, text: str, encoding: str = "utf-8", **options: Any) -> ObjectInfo:
        """Store text as an object; ``options`` are those of ``write_bytes``."""
        if not isinstance(text, str):
            raise TypeError(f"text is wanted, not {type(text).__name__}; use write_bytes")
        return self.write_bytes(path, text.encode(encoding), **options)

    # -- streams -------------------------------------------------------------------------------------------

    def open_reader(
        self, path: Path, *, offset: int = 0, length: int | None = None, version: str | None = None
    ) -> io.BufferedReader:
        """Open an object for reading, from ``offset`` (bytes) on, at most ``length`` bytes.

        The reader can seek within that range. A read raises SourceChanged rather than give bytes of two versions.

        Raises:
            NotFound: There is no such object or version.
            ValueError: ``offset`` or ``length`` is negative.
            Unsupported: A ``version`` is named, and the service keeps none.
        """
        if version is not None and not self.driver.features.versions:
            raise Unsupported("keeps no versions", op="get", path=as_key(path), scheme=self.scheme)
        from .core.reader import ObjectReader
        from .core.versioned import OneVersion

        driver = self.driver if version is None else OneVersion(self.driver, version)
        return io.BufferedReader(ObjectReader(driver, as_key(path), offset, length), _READ_BUFFER)

    def open_writer(
        self,
        path: Path,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        modified: datetime | int | None = None,
        buffer_size: int | None = None,
        size: int | None = None,
        if_absent: bool = False,
    ) -> Writer:
        """Open an object for writing; it appears, whole, when the writer is closed without an exception.

        ``buffer_size`` is the number of bytes gathered in memory before the first are sent, ``size`` how many will
        come, if that is known: ``close`` raises Truncated otherwise. Other arguments are those of ``write_bytes``.

        Raises:
            ValueError: ``buffer_size`` is not positive.
        """
        options = self._put_options(content_type, metadata, modified, if_absent)
        from .core.writer import Writer

        return Writer(self.driver, as_key(path), options, buffer_size, size)

    @overload
    def open(self, path: Path, mode: Literal["rb"] = "rb") -> io.BufferedReader: ...
    @overload
    def open(self, path: Path, mode: Literal["wb", "xb"], **options: Any) -> Writer: ...
    @overload
    def open(self, path: Path, mode: str, **options: Any) -> Any: ...
    def open(self, path: Path, mode: str = "rb", **options: Any) -> Any:
        """Open an object as the builtin ``open`` does: ``r``, ``w`` or ``x``, with ``b`` or (default) ``t``.

        For text, ``encoding`` (default UTF-8), ``errors`` and ``newline`` are as for the builtin; other options
        go to ``open_reader`` or ``open_writer``.

        Raises:
            ValueError: The mode is none of these; objects cannot be appended to or changed in place.
        """
        kind = mode.replace("b", "").replace("t", "")
        if kind not in ("r", "w", "x") or len(mode) > 2 or mode in ("b", "t"):
            raise ValueError(f"mode {mode!r} is not one of r, rb, w, wb, x, xb")
        text = {name: options.pop(name) for name in ("encoding", "errors", "newline") if name in options}
        if "b" in mode and text:
            raise ValueError(f"binary mode takes no {', '.join(text)}")
        if kind == "x":
            options["if_absent"] = True
        text.setdefault("encoding", "utf-8")
        if kind == "r":
            reader = self.open_reader(path, **options)
            return reader if "b" in mode else io.TextIOWrapper(reader, **text)
        writer = self.open_writer(path, **options)
        if "b" in mode:
            return writer
        from .core.writer import TextWriter

        return TextWriter(writer, **text)

    # -- looking -------------------------------------------------------------------------------------------

    def exists(self, path: Path) -> bool:
        """Say whether there is an object or a directory at ``path``."""
        try:
            self.driver.stat(as_key(path))
            return True
        except (NotFound, NotADirectoryError):
            return False

    def stat(self, path: Path) -> ObjectInfo:
        """Describe one object or directory.

        Raises:
            NotFound: There is neither.
        """
        return self.driver.stat(as_key(path))

    def list(self, prefix: Path = "") -> Iterator[str]:
        """Yield the paths of all objects that begin with ``prefix``, in path order.

        As object stores have it: ``logs/2026`` finds ``logs/2026-01.txt`` and ``logs/2026/01.txt``. A prefix that
        nothing begins with yields nothing.
        """
        wanted = as_key(prefix)
        folder = parent(wanted)

        def enter(info: ObjectInfo) -> bool:
            return info.path.startswith(wanted) or wanted.startswith(info.path + "/")

        try:
            for infos in walk(self.driver, folder, enter=enter if wanted else None):
                for info in infos:
                    if info.kind is not DIR and info.path.startswith(wanted):
                        yield info.path
        except (NotFound, NotADirectoryError):
            return

    def scan(self, prefix: Path = "", *, recursive: bool = True) -> Iterator[ObjectInfo]:
        """Yield what stands in the directory ``prefix`` (below it, if ``recursive``), in path order.

        A directory is yielded before what stands in it, where the service knows directories.

        Raises:
            NotFound: There is no such directory.
        """
        for infos in walk(self.driver, as_key(prefix), enter=None if recursive else lambda info: False):
            yield from infos

    def hash(self, path: Path, name: str = "sha256") -> str:
        """Return a hash of an object as lower-case hex: the service's own where it has one, else by reading.

        Raises:
            NotFound: There is no such object.
            ValueError: There is no hash of this name; the message lists the known ones.
        """
        from .core.content import digest
        from .core.hashes import canonical

        return digest(self.driver, as_key(path), canonical(name))

    # -- changing ------------------------------------------------------------------------------------------

    def delete(self, path: Path) -> None:
        """Delete an object; one that is not there counts as deleted.

        Raises:
            IsADirectory: ``path`` is a directory; ``rmdir`` removes it.
        """
        try:
            self.driver.delete(as_key(path))
        except (NotFound, NotADirectoryError):
            return

    def delete_many(self, paths: Iterable[Path]) -> Sequence[StorageError | None]:
        """Delete several objects, with few requests where the service can; missing ones count as deleted.

        Returns an error or None for each, in the order of ``paths``.
        """
        keys = [as_key(path) for path in paths]
        driver = self.driver
        if driver.features.delete_many:
            return [None if isinstance(error, NotFound) else error for error in driver.delete_many(keys)]
        return [_failure(self.delete, key) for key in keys]

    def mkdir(self, path: Path) -> None:
        """Make a directory and those above it; one that is there is fine, and so is a service without any.

        Raises:
            NotADirectory: There is an object in the way.
        """
        if self.driver.features.mkdir:
            self.driver.mkdir(as_key(path))

    def rmdir(self, path: Path) -> None:
        """Remove an empty directory.

        Raises:
            NotFound: There is none.
            NotEmpty: It holds something.
        """
        driver, key = self.driver, as_key(path)
        if driver.features.mkdir:
            driver.rmdir(key)
        elif any(walk(driver, key, enter=lambda info: False)):
            raise NotEmpty(op="rmdir", path=key, scheme=self.scheme)

    def copy(self, src: Path, dst: Path) -> ObjectInfo:
        """Copy an object, at the service where it can, else by reading and writing it.

        Raises:
            NotFound: There is no ``src``.
        """
        source, target, driver = as_key(src), as_key(dst), self.driver
        if source == target:
            return driver.stat(source)
        if driver.features.copy:
            return driver.copy(source, target)
        return transfer(driver, source, driver, target)

    def move(self, src: Path, dst: Path) -> ObjectInfo:
        """Rename an object, replacing what is at ``dst``; by copying and deleting where there is no other way.

        ``src`` is deleted only when its bytes are known to be at ``dst``.

        Raises:
            NotFound: There is no ``src``.
        """
        source, target, driver = as_key(src), as_key(dst), self.driver
        if source == target:
            return driver.stat(source)
        if driver.features.move:
            return driver.move(source, target)
        refuse_same_object(driver, source, driver, target)
        info = self.copy(source, target)
        driver.delete(source)
        return info

    def set_modified(self, path: Path, modified: datetime | int) -> None:
        """Record a time of modification: an aware datetime or nanoseconds of Unix time.

        Raises:
            Unsupported: The service cannot.
        """
        self.driver.set_modified(as_key(path), as_ns(modified))

    def _put_options(
        self,
        content_type: str | None,
        metadata: Mapping[str, str] | None,
        modified: datetime | int | None,
        if_absent: bool,
    ) -> PutOptions:
        if if_absent and not self.driver.features.if_absent:
            raise Unsupported("cannot refuse to replace without a race", op="put", scheme=self.scheme)
        return PutOptions(
            content_type=content_type,
            metadata=dict(metadata or {}),
            mtime_ns=None if modified is None else as_ns(modified),
            if_absent=if_absent,
        )


def copy_path(src: Storage, src_path: Path, dst: Storage, dst_path: Path) -> ObjectInfo:
    """Copy one object between any two storages, with its time, type and metadata as far as both keep them.

    Raises:
        NotFound: There is no such object at ``src``.
        Corrupted: What arrived has another size.
    """
    if src is dst:
        return src.copy(src_path, dst_path)
    return transfer(src.driver, as_key(src_path), dst.driver, as_key(dst_path))


def move_path(src: Storage, src_path: Path, dst: Storage, dst_path: Path) -> ObjectInfo:
    """Move one object between any two storages; the source goes when its bytes are known to have arrived.

    Raises:
        NotFound: There is no such object at ``src``.
        Corrupted: What arrived is not what was sent; the source stays.
    """
    from .core.content import common_hash, same_content

    if src is dst:
        return src.move(src_path, dst_path)
    source, target, one, two = as_key(src_path), as_key(dst_path), src.driver, dst.driver
    if same_place(one, source, two, target):
        return one.stat(source)
    refuse_same_object(one, source, two, target)
    info = transfer(one, source, two, target)
    if not same_content(one, two, source, common_hash(one, two), dst_path=target):
        raise Corrupted("the stored bytes are not those of the source", op="move", path=target, scheme=two.scheme)
    one.delete(source)
    return info


def _check_range(offset: int, length: int | None) -> None:
    for name, number in (("offset", offset), ("length", length)):
        if number is not None and number < 0:
            raise ValueError(f"{name} is a number of bytes, not {number}")


def _failure(call: Callable[[str], object], key: str) -> StorageError | None:
    try:
        call(key)
    except StorageError as exc:
        return exc
    return None
