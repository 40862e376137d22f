"""References to secrets, and how they become secrets when a storage is opened.

``env:NAME`` is the value of an environment variable, ``file:/path`` (or ``file:~/path``) the text of a file
without the end of its last line. What a configured remote holds itself is found again by the path of the
configuration and the names of remote and option.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from omnistorage.core.errors import ConfigError, Unsupported
from omnistorage.core.redact import holds_secret, is_reference, looks_secret
from omnistorage.core.secret import Secret

MAX_SIZE: Final = 64 << 10
"""Most bytes that a file with a secret may hold."""

# Values of these are addresses or paths themselves: "file:/backup" there is a place, not a secret.
_PLACES: Final = frozenset({"endpoint", "name", "path", "remote", "remotes", "root", "upstreams", "url"})


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
            return _found(os.environ[name], value)
        except KeyError:
            raise ConfigError(f"{value}: there is no such environment variable") from None
    if kind == "file":
        return _found(_text_of(value, os.path.expanduser(name)), value)
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


def of_remote(options: Mapping[str, Any], path: str | None, remote: str) -> dict[str, Any]:
    """Return the options of a configured remote, in which secrets know that this is where they came from.

    Args:
        options: What the configuration and the environment say of it.
        path: The configuration's file; None if it has none.
        remote: Its name.
    """
    where = os.path.abspath(path) if path else ""
    return {
        name: _Kept(value, f"config:{remote}.{name}", (_kept, (where, remote, name)))
        if isinstance(value, str) and not is_reference(value) and holds_secret(name, value)
        else value
        for name, value in options.items()
    }


class _Kept(Secret):
    """A secret that the configuration held when it was read."""

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        find, names = self.found
        # A configuration may live in memory only, or say something else by now.
        try:
            same = find(*names) == self
        except ConfigError as exc:
            raise Unsupported(f"other processes cannot find {self.reference}: {exc.message}") from exc
        if not same:
            raise Unsupported(f"other processes would find another {self.reference}: it was changed meanwhile")
        return self.found


def _kept(path: str, remote: str, option: str) -> str:
    from .remotes import Config

    held = Config.load(path)
    value = held.remotes()[remote].options.get(option) if remote in held.remotes() else None
    if not isinstance(value, str):
        raise ConfigError(f"neither {path or 'a file'} nor the environment has it")
    if is_reference(value):
        return resolve(value)
    return _Kept(value, f"config:{remote}.{option}", (_kept, (path, remote, option)))


def _found(value: str, reference: str) -> Secret:
    return Secret(value, reference, (resolve, (reference,)))


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
