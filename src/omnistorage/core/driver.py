"""What the author of a backend writes: five verbs and ``classify``; the rest is optional."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from .errors import (
    AlreadyExists,
    Cancelled,
    InvalidPath,
    IsADirectory,
    NoSpace,
    NotADirectory,
    NotEmpty,
    NotFound,
    PermissionDenied,
    ReadOnly,
    StorageError,
    TimedOut,
    Unreachable,
    Unsupported,
)
from .features import DERIVED, Features
from .info import Form, ObjectInfo, Page, Usage
from .options import NoOptions, PutOptions
from .secret import refuse_plain
from .streams import Body, ByteStream, Upload, read_all
from .wrapped import carried

if TYPE_CHECKING:
    from .address import Address
    from .placed import Placed


Failures = list[StorageError | None]
"""One entry for each path of a request: what went wrong with it, or None."""


PutItem = tuple[str, Body, PutOptions]
PutResults = list[ObjectInfo | Exception]

GetResults = list[tuple[ObjectInfo | None, bytes] | Exception]
"""For each path what the service said of the object, if it did, and its bytes; or what went wrong."""


class Driver:
    """A place for bytes, seen from below.

    May rely on: keys that are text, ranges that are not negative, no call after ``close``. Must bear: calls
    from many threads, and other calls while one of its streams is open. It pickles as its options and opens
    its client lazily, once per process.

    Attributes:
        scheme: What stands before ``://`` in an address.
        family: So does the scheme with a plus and any word behind it (``s3+r2://``), and nothing else can mean that.
        options_class: The struct of its settings.
        options: Its settings.
        features: What it can do; the verbs among them are filled in from what the class overrides.
        many: Objects of up to so many bytes are worth to be asked for, and stored, several at a time by one thread
            (``get_together``, ``put_together``); 0 if they are not, or if a layer wants to see each call.
        local_root: The folder of this machine that the keys are files of, so that others may open or rename them
            themselves; None if there is none, or if a layer wants to see each call.
    """

    scheme: str = ""
    family: ClassVar[bool] = False
    options_class: ClassVar[type[msgspec.Struct]] = NoOptions
    features: Features = Features()
    many: int = 0
    local_root: str | None = None

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.options_class() if options is None else options

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get("features")
        if own is None or isinstance(own, Features):
            stated = cls.features
            verbs = {name: _overrides(cls, verb) for name, verb in DERIVED.items()}
            cls.features = msgspec.structs.replace(stated, **verbs)

    @classmethod
    def from_address(cls, address: Address) -> tuple[Driver, str]:
        """Make the driver that an address means, and the prefix of the keys meant by it.

        The default takes the query as options and the whole path as prefix.

        Raises:
            UnknownOption: The query has an option that the driver lacks.
        """
        from .options import from_text

        return cls(from_text(cls.options_class, address.options, where=cls.scheme)), address.path.strip("/")

    # -- the five verbs ------------------------------------------------------------------------------------

    def stat(self, path: str) -> ObjectInfo:
        """Describe the object or directory at ``path``; the empty path is the root.

        Raises:
            NotFound: There is neither.
        """
        raise NotImplementedError

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        """Answer with one page of what stands in the directory ``path`` (below it, if ``recursive``).

        ``page`` is None at first, then the ``next`` of the page before. A page that cannot be had in full is
        an error, never a short page. The directory itself is not listed.

        Raises:
            NotFound: There is no such directory; a service without real directories may answer with nothing.
            NotADirectory: ``path`` is an object.
        """
        raise NotImplementedError

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        """Open an object from ``offset`` (bytes) on, at most ``length`` bytes; beyond the end there are none.

        Raises:
            NotFound: There is no such object.
            IsADirectory: ``path`` is a directory.
        """
        raise NotImplementedError

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        """Store an object, whole or not at all, making the directories above it; return what a listing says.

        Raises:
            AlreadyExists: ``options.if_absent``, and there is one.
            PreconditionFailed: ``options.if_match`` is not the ETag of the object there, or there is none.
            IsADirectory: ``path`` is a directory.
            Truncated: The body gave another number of bytes than its ``size``; nothing was stored.
        """
        raise NotImplementedError

    def delete(self, path: str) -> None:
        """Delete an object.

        Raises:
            NotFound: There is no such object.
            IsADirectory: ``path`` is a directory.
        """
        raise NotImplementedError

    def classify(self, exc: Exception) -> type[StorageError] | None:
        """Say what an exception of the service's library means; None says it is a bug.

        The default knows the exceptions of the operating system.
        """
        if isinstance(exc, TimeoutError):
            return TimedOut
        # Only who has imported it can have raised its error; most programs never do.
        socket = sys.modules.get("socket")
        if socket is not None and isinstance(exc, socket.gaierror):
            return Unreachable
        if isinstance(exc, UnicodeEncodeError):
            # Half a surrogate pair, in a key that becomes a name.
            return InvalidPath
        if isinstance(exc, OSError):
            return _ERRNO.get(exc.errno or 0, _by_type(exc))
        return None

    # -- optional verbs ------------------------------------------------------------------------------------

    def names(self, path: str, *, page: object = None) -> Page:
        """Answer as ``list``, for callers that need paths and kinds only: size and time may be None.

        Worth overriding where these cost more than the names. Tokens of pages pass between ``names`` and ``list``.
        """
        return self.list(path, page=page)

    def copy(self, src: str, dst: str) -> ObjectInfo:
        """Copy an object within the service, replacing what is at ``dst``, atomically if ``put`` is.

        Raises:
            NotFound: There is no ``src``.
        """
        raise Unsupported

    def copy_from(self, source: Placed, dst: str) -> ObjectInfo:
        """Copy an object of another storage of this service within the service, as ``copy`` does.

        Raises:
            NotFound: There is no such object.
            SourceChanged: It has another ETag than ``source`` says.
            Unsupported: It is of another service, or whoever asks has other credentials there.
        """
        raise Unsupported

    def move(self, src: str, dst: str) -> ObjectInfo:
        """Rename an object or, where ``features.mkdir``, a directory; an object at ``dst`` is replaced.

        Raises:
            NotFound: There is no ``src``.
            AlreadyExists: A directory is moved, and ``dst`` exists.
        """
        raise Unsupported

    def mkdir(self, path: str) -> None:
        """Make a directory and those above it; one that is there is fine.

        Raises:
            NotADirectory: There is an object at ``path`` or above it.
        """
        raise Unsupported

    def rmdir(self, path: str) -> None:
        """Remove an empty directory.

        Raises:
            NotFound: There is none.
            NotEmpty: It holds something.
        """
        raise Unsupported

    def make_root(self) -> None:
        """Make what has to be there before anything can be stored, such as a bucket; nothing where that is not so.

        Also where ``features.mkdir`` is false: the root is no directory then, but a place.
        """

    def remove_root(self, *, dry_run: bool = False) -> bool:
        """Remove what ``make_root`` makes; return False where that makes nothing.

        With ``dry_run`` it is only said whether there is such a thing.

        Raises:
            NotEmpty: It holds something.
            NotFound: It is not there.
        """
        return False

    def set_modified(self, path: str, mtime_ns: int) -> None:
        """Record a time of modification, in nanoseconds of Unix time, for an object or directory."""
        raise Unsupported

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        """Begin to store an object in parts; ``size`` (bytes), if known, lets the driver choose the parts.

        Nothing is ``done`` of it yet, unless ``features.finds_uploads`` and ``options.origin`` is what an unfinished
        upload of this path was begun with, on which nobody works.
        """
        raise Unsupported

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        """Go on with an upload that this or another process began.

        Raises:
            NotFound: It was finished, aborted or swept. With ``options.origin``, where ``features.finds_uploads``:
                also if it was begun with another one, or if somebody works on it.
        """
        raise Unsupported

    def abort_begun(self, path: str, since_ns: int) -> int:
        """Abort uploads of exactly this path that began at that time, and have nothing; return how many.

        For whoever was killed before the answer to ``begin_upload`` could be noted, and knows by the clock of this
        machine (nanoseconds of Unix time) when he was about to ask. Worth having where such an upload would stay.
        """
        raise Unsupported

    def delete_many(self, paths: Sequence[str]) -> Failures:
        """Delete several objects; the answer has an error or None for each, in the order of ``paths``."""
        raise Unsupported

    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        """Store several objects; the answer has an info or what went wrong for each, in the order of ``items``.

        For drivers that can spare work which all of them have in common; this one stores one after the other.
        """
        results: PutResults = []
        for path, body, options in items:
            try:
                results.append(self.put(path, body, options))
            except Exception as exc:
                results.append(exc)
        return results

    def put_together(self, items: Sequence[PutItem], width: int) -> PutResults:
        """Store several objects, as ``put_many``; at most ``width`` requests wait for their answers at a time."""
        return self.put_many(items)

    def get_together(self, paths: Sequence[str], width: int) -> GetResults:
        """Read several small objects, whole; at most ``width`` requests wait for their answers at a time."""
        results: GetResults = []
        for path in paths:
            try:
                with self.get(path) as stream:
                    results.append((carried(stream), read_all(stream)))
            except Exception as exc:
                results.append(exc)
        return results

    def hash(self, path: str, name: str) -> str:
        """Compute a hash of an object at the service; lower-case hex.

        Raises:
            Unsupported: ``name`` is not in ``features.computes``.
        """
        raise Unsupported

    def presign(self, path: str, *, method: str = "GET", expires: float = 3600.0) -> str:
        """Return a link that works without credentials for ``expires`` seconds.

        Raises:
            ConfigError: The service makes none that last as long.
        """
        raise Unsupported

    def post_form(self, path: str, *, expires: float = 3600.0, max_size: int | None = None) -> Form:
        """Return a form by which anybody may store ``path`` for ``expires`` seconds, with at most ``max_size`` bytes.

        Raises:
            ConfigError: The service makes none that last as long.
        """
        raise Unsupported

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        """Yield the versions of an object, newest first; their time of modification is when they were stored."""
        raise Unsupported

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        """Open one version of an object, as ``get`` opens the present one; for drivers with ``features.versions``.

        Raises:
            NotFound: There is no such object or version.
        """
        raise Unsupported

    def restore_version(self, path: str, version: str) -> ObjectInfo:
        """Make one version of an object the present one, also if the object is deleted; the others stay.

        Raises:
            NotFound: There is no such object or version.
        """
        raise Unsupported

    def about(self) -> Usage:
        """Say how full the storage is."""
        raise Unsupported

    def metadata(self, path: str) -> dict[str, str]:
        """Return all that the service keeps of an object or directory beside its bytes, as text by name.

        Names of the system have the meaning that ``core.attributes`` says; the others are user metadata.

        Raises:
            NotFound: There is neither.
        """
        raise Unsupported

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        """Replace the user metadata of an object, and set what ``features.applies`` names, if it is given.

        The answer's ``metadata`` is what is kept now, so far as it was asked for: what the system refused (an owner
        that only root may set) is not in it, or is what it was.
        """
        raise Unsupported

    def watch(self, path: str, report: Callable[[ObjectInfo], None]) -> Callable[[], None]:
        """Call ``report`` for each change below ``path``, until the returned function is called."""
        raise Unsupported

    # -- housekeeping --------------------------------------------------------------------------------------

    def sweep(
        self, path: str = "", *, older_than: float = 86400.0, noticed: bool = False, dry_run: bool = False
    ) -> int:
        """Remove what killed runs left below ``path``, if older than so many seconds; return how many.

        With ``noticed`` only where a listing came across something, which costs nothing where there was nothing.
        With ``dry_run`` it is counted only.

        The default has nothing to sweep: a driver that leaves nothing behind needs none.
        """
        return 0

    def identity(self) -> tuple[str, ...]:
        """Return what tells whether two storages are the same place, whatever way they were named.

        Two storages with equal first elements are the same service; the last is a path in it.
        """
        return (self.scheme, str(id(self)), "")

    def close(self) -> None:
        """Free what the driver holds; a second call does nothing."""

    def __reduce__(self) -> tuple[object, ...]:
        if isinstance(self.options, msgspec.Struct):
            refuse_plain(self.scheme, self.options)
        return type(self), (self.options,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.scheme}>"


def _overrides(cls: type[Driver], verb: str) -> bool:
    return getattr(cls, verb) is not getattr(Driver, verb)


def _by_type(exc: OSError) -> type[StorageError]:
    if isinstance(exc, ConnectionError):
        return Unreachable
    return StorageError


_ERRNO: dict[int, type[StorageError]] = {
    errno.ENOENT: NotFound,
    errno.EEXIST: AlreadyExists,
    errno.ENOTEMPTY: NotEmpty,
    errno.EISDIR: IsADirectory,
    errno.ENOTDIR: NotADirectory,
    errno.EACCES: PermissionDenied,
    errno.EPERM: PermissionDenied,
    errno.EROFS: ReadOnly,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EFBIG: NoSpace,
    errno.ENAMETOOLONG: InvalidPath,
    errno.EILSEQ: InvalidPath,
    errno.EINVAL: StorageError,
    errno.ETIMEDOUT: TimedOut,
    errno.ECONNREFUSED: Unreachable,
    errno.ECONNRESET: Unreachable,
    errno.EPIPE: Unreachable,
    errno.EHOSTUNREACH: Unreachable,
    errno.ENETUNREACH: Unreachable,
    errno.ECANCELED: Cancelled,
    errno.ENOTSUP: Unsupported,
    errno.EXDEV: Unsupported,
}
