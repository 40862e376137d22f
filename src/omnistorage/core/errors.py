"""What can go wrong, as one small tree.

Every error also inherits the builtin that it resembles, so that code which knows nothing of us
(``except FileNotFoundError``) still does the right thing.
"""

from __future__ import annotations

from typing import ClassVar


class StorageError(Exception):
    """A storage could not do what it was asked for.

    Attributes:
        op: The verb that failed (``put``), or empty if none was under way.
        path: The path it was about, or empty.
        scheme: The scheme of the storage (``file``), or empty.
        retryable: True if the same call may succeed a little later.
        retry_after: Seconds the service asked us to wait, or None.
        request_id: The service's own name for the failed request, or None.
    """

    says: ClassVar[str] = "failed"
    retryable: bool = False

    def __init__(
        self,
        message: str = "",
        *,
        op: str = "",
        path: str = "",
        scheme: str = "",
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.op = op
        self.path = path
        self.scheme = scheme
        self.retry_after = retry_after
        self.request_id = request_id

    @property
    def what(self) -> str:
        """What is the case, and the service's name for the request, without verb and path."""
        what = self.message or self.says
        return f"{what} (request {self.request_id})" if self.request_id else what

    def __str__(self) -> str:
        what = self.what
        where = " ".join(part for part in (self.scheme, self.op) if part)
        if self.path:
            where = f"{where} {printable(self.path)!r}".lstrip()
        return f"{where}: {what}" if where else what

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.__dict__.copy())


def _rebuild(kind: type[StorageError], message: str, state: dict[str, object]) -> StorageError:
    """Make an error again in another process; its cause stays behind."""
    error = kind(message)
    error.__dict__.update(state)
    return error


def printable(path: str) -> str:
    """Return ``path`` fit for a terminal or a log: undecodable bytes are shown as ``\\xNN``."""
    if path.isascii():
        return path
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class NotFound(StorageError, FileNotFoundError):
    """There is no such object, directory, bucket or version."""

    says = "not found"


class AlreadyExists(StorageError, FileExistsError):
    """Something is there that was not to be replaced."""

    says = "already exists"


class NotEmpty(StorageError, OSError):
    """The directory still holds something."""

    says = "directory not empty"


class IsADirectory(StorageError, IsADirectoryError):
    """An object is meant, but the path is a directory."""

    says = "is a directory"


class NotADirectory(StorageError, NotADirectoryError):
    """A directory is meant, but the path (or a parent of it) is an object."""

    says = "is a file, not a directory"


class SpecialFile(StorageError, OSError):
    """The path is neither a regular file nor a directory (FIFO, socket, device, symbolic link)."""

    says = "is not a regular file"


class PermissionDenied(StorageError, PermissionError):
    """The service knows us but does not let us."""

    says = "access denied"


class Unauthenticated(PermissionDenied):
    """The service does not accept who we say we are."""

    says = "credentials are missing or not accepted"


class ReadOnly(PermissionDenied):
    """The storage is opened or mounted for reading only."""

    says = "storage is read-only"


class InvalidPath(StorageError, ValueError):
    """This storage cannot carry such a path."""

    says = "path cannot be stored here"


class InvalidRange(StorageError, ValueError):
    """The wanted range starts beyond the end of the object."""

    says = "range starts beyond the end"


class Unsupported(StorageError, NotImplementedError):
    """The service has no such operation; ``features`` says so beforehand."""

    says = "not supported by this storage"


class PreconditionFailed(StorageError):
    """The object is not in the state that the call asked for."""

    says = "precondition failed"


class NoSpace(StorageError, OSError):
    """The disk is full or the quota is used up."""

    says = "no space left"


class Corrupted(StorageError):
    """The bytes that arrived are not the bytes that were sent."""

    says = "corrupted on the way"
    retryable = True


class Truncated(Corrupted, EOFError):
    """A stream ended before all its bytes had come."""

    says = "stream ended too early"


class SourceChanged(StorageError):
    """The source was changed while it was being read."""

    says = "source changed while it was read"


class RateLimited(StorageError, ConnectionError):
    """The service wants fewer requests; ``retry_after`` may say from when on."""

    says = "too many requests"
    retryable = True


class Unreachable(StorageError, ConnectionError):
    """The service did not answer, or broke off."""

    says = "service cannot be reached"
    retryable = True


class Untrusted(Unreachable):
    """The service cannot prove that it is who it should be; nothing was sent to it."""

    says = "the certificate of the service is not trusted"
    retryable = False


class TimedOut(StorageError, TimeoutError):
    """The answer took longer than allowed."""

    says = "timed out"
    retryable = True


class Cancelled(StorageError):
    """The caller asked to stop."""

    says = "cancelled"


class Closed(StorageError, ValueError):
    """The storage, reader or writer was closed before."""

    says = "is closed"


class ConfigError(StorageError, ValueError):
    """An address, option or configuration cannot be used as it stands."""

    says = "bad configuration"


class UnknownScheme(ConfigError):
    """No driver has this scheme; the message lists the known ones."""


class UnknownOption(ConfigError):
    """The driver has no such option; the message lists the known ones."""


class UnknownRemote(ConfigError):
    """The configuration has no such remote; the message lists the known ones."""


class MissingExtra(ConfigError):
    """A driver needs a library that is not installed; the message says how to get it."""
