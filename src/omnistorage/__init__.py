"""One typed library for every place where bytes are kept.

>>> import omnistorage
>>> with omnistorage.open("memory://") as storage:
...     info = storage.write_bytes("greeting.txt", b"hello")
...     storage.read_bytes("greeting.txt")
b'hello'
"""

from __future__ import annotations

# As in typing, which takes longer to import than all that is here.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from .core.backend import Backend, ExtendedBackend
    from .core.errors import (
        AlreadyExists,
        Cancelled,
        Closed,
        ConfigError,
        Corrupted,
        InvalidPath,
        IsADirectory,
        MissingExtra,
        NoSpace,
        NotADirectory,
        NotEmpty,
        NotFound,
        PermissionDenied,
        PreconditionFailed,
        RateLimited,
        ReadOnly,
        SourceChanged,
        StorageError,
        TimedOut,
        Truncated,
        Unauthenticated,
        UnknownOption,
        UnknownRemote,
        UnknownScheme,
        Unreachable,
        Unsupported,
        Untrusted,
    )
    from .core.features import Features
    from .core.info import Kind, ObjectInfo
    from .core.version import __version__
    from .opening import open
    from .registry import backends, register
    from .storage import Storage, copy_path, move_path

__all__ = [
    "open",
    "Storage",
    "copy_path",
    "move_path",
    "backends",
    "register",
    "Backend",
    "ExtendedBackend",
    "ObjectInfo",
    "Kind",
    "Features",
    "StorageError",
    "AlreadyExists",
    "Cancelled",
    "Closed",
    "ConfigError",
    "Corrupted",
    "InvalidPath",
    "IsADirectory",
    "MissingExtra",
    "NoSpace",
    "NotADirectory",
    "NotEmpty",
    "NotFound",
    "PermissionDenied",
    "PreconditionFailed",
    "RateLimited",
    "ReadOnly",
    "SourceChanged",
    "TimedOut",
    "Truncated",
    "Unauthenticated",
    "UnknownOption",
    "UnknownRemote",
    "UnknownScheme",
    "Unreachable",
    "Unsupported",
    "Untrusted",
    "__version__",
]

_HOMES = {
    ".core.backend": ("Backend", "ExtendedBackend"),
    ".core.errors": (
        "AlreadyExists",
        "Cancelled",
        "Closed",
        "ConfigError",
        "Corrupted",
        "InvalidPath",
        "IsADirectory",
        "MissingExtra",
        "NoSpace",
        "NotADirectory",
        "NotEmpty",
        "NotFound",
        "PermissionDenied",
        "PreconditionFailed",
        "RateLimited",
        "ReadOnly",
        "SourceChanged",
        "StorageError",
        "TimedOut",
        "Truncated",
        "Unauthenticated",
        "UnknownOption",
        "UnknownRemote",
        "UnknownScheme",
        "Unreachable",
        "Unsupported",
        "Untrusted",
    ),
    ".core.features": ("Features",),
    ".core.info": ("Kind", "ObjectInfo"),
    ".core.version": ("__version__",),
    ".opening": ("open",),
    ".registry": ("backends", "register"),
    ".storage": ("Storage", "copy_path", "move_path"),
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for, so that a program pays only for what it uses."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(home, __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
