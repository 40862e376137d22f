"""References to secrets, and how they become secrets when a storage is opened.

``env:NAME`` is the value of an environment variable, ``file:/path`` (or ``file:~/path``) the text of a file
without the end of its last line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from omnistorage.core.errors import ConfigError
from omnistorage.core.redact import is_reference, looks_secret

MAX_SIZE: Final = 64 << 10
"""Most bytes that a file with a secret may hold."""

# Values of these are addresses or paths themselves: "file:/backup" there is a place, not a secret.
_PLACES: Final = frozenset({"endpoint", "name", "path", "remote", "remotes", "root", "upstreams", "url"})


class Secret(str):
    """A secret that came by reference: text like any other, but it pickles as the reference and hides in a repr."""

    __slots__ = ("reference",)
    reference: str

    def __new__(cls, value: str, reference: str) -> Secret:
        """Make text that remembers where it came from."""
        secret = super().__new__(cls, value)
        secret.reference = reference
        return secret

    def __repr__(self) -> str:
        return f"<secret {self.reference}>"

    def __reduce__(self) -> tuple[object, ...]:
        return resolve, (self.reference,)


def resolve(value: str) -> str:
    """Return the secret that a reference names; any other text is returned as it is.

    Raises:
        ConfigError: The variable is not set, the file cannot be read, or the kind of reference is not supported.
    """
    if not is_reference(value):
        return value
    kind, _, name = value.partition(":")
    if kind == "env":
        try:
            return Secret(os.environ[name], value)
        except KeyError:
            raise ConfigError(f"{value}: there is no such environment variable") from None
    if kind == "file":
        return Secret(_text_of(value, os.path.expanduser(name)), value)
    raise ConfigError(f"{kind}: references are not supported in this version; use env:NAME or file:/path")


def resolved(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with secrets where references were, but for those that hold places (``remote``, ``url``).

    Raises:
        ConfigError: As for ``resolve``; names the option.
    """
    result: dict[str, Any] = {}
    for name, value in options.items():
        wanted = is_reference(value) and (looks_secret(name) or _can_be_reference(name, value))
        try:
            result[name] = resolve(value) if wanted else value
        except ConfigError as exc:
            raise ConfigError(f"option {name!r}: {exc.message}") from exc.__cause__
    return result


def _can_be_reference(name: str, value: str) -> bool:
    return name.lower() not in _PLACES and value.startswith(("env:", "file:"))


def _text_of(reference: str, path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as exc:
        raise ConfigError(f"{reference}: {exc.strerror or exc}") from exc
    if len(data) > MAX_SIZE:
        raise ConfigError(f"{reference}: is larger than {MAX_SIZE} bytes")
    try:
        # A PEM key has many lines, and all belong to it: only the end of the last one is taken off.
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{reference}: is not UTF-8 text") from exc
