"""The configuration: named remotes in a TOML file, and what the environment adds to them.

A remote is a table ``[remotes.NAME]`` with ``type`` (a scheme), ``root`` (the path that the remote begins at, may
be left out) and the options of that type. ``OMNISTORAGE_REMOTE_<NAME>_<OPTION>`` in the environment goes before the
file; NAME is in capitals, with ``_`` for all but letters and digits. With ``_TYPE`` as the option it makes a remote
that is in no file. Other tables of the file are kept as they are.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from omnistorage.core.errors import ConfigError, UnknownRemote
from omnistorage.core.grammar import is_remote_name
from omnistorage.core.redact import redacted

VARIABLE: Final = "OMNISTORAGE_CONFIG"
"""Environment variable with the path of the file; set and empty, there is no file."""

PREFIX: Final = "OMNISTORAGE_REMOTE_"
"""How environment variables that belong to a remote begin."""


_Change = Callable[[Mapping[str, Any] | None], Mapping[str, Any] | None]
"""What makes the new table of a remote out of the old one; None stands for no table."""


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """One configured place.

    Attributes:
        name: What stands before the ``:``.
        type: Scheme of its driver.
        root: Path at which the remote begins, or empty.
        options: Settings of the driver; names have underscores. May hold secrets.
        source: ``file``, ``environment``, or ``file and environment``.
    """

    name: str
    type: str
    root: str = ""
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)
    source: str = "file"

    def as_dict(self, *, redact: bool = True) -> dict[str, Any]:
        """Return what the file says of it, without secrets if ``redact``."""
        table: dict[str, Any] = {"type": self.type}
        if self.root:
            table["root"] = redacted("root", self.root) if redact else self.root
        return table | {name: redacted(name, value) if redact else value for name, value in self.options.items()}

    def __repr__(self) -> str:
        return f"<Remote {self.name!r}: {self.as_dict()!r} of the {self.source}>"


class Config:
    """Named remotes, as one file and the environment say at the moment of loading.

    Changes are written at once. Other processes may change the same file: each change is made to what the file
    says then, under a lock, so none is lost.

    Attributes:
        path: The file, which need not exist; None keeps everything in memory.
    """

    def __init__(
        self,
        path: str | None = None,
        data: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._data = dict(data or {})
        self._env = {name: value for name, value in (env or {}).items() if name.startswith(PREFIX)}
        _tables(self._data, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, env: Mapping[str, str] | None = None) -> Config:
        """Read the configuration; a file that does not exist counts as empty.

        Args:
            path: The file; empty for none. The default is ``OMNISTORAGE_CONFIG``, else the user's own.
            env: The environment; ``os.environ`` by default.

        Raises:
            ConfigError: The file cannot be read, or is no TOML.
        """
        env = os.environ if env is None else env
        place = default_path(env) if path is None else os.fspath(path) or None
        return cls(place, _read(place)[1] if place else {}, env)

    def remotes(self) -> dict[str, Remote]:
        """Return all remotes by name, sorted."""
        tables = _tables(self._data, self.path)
        names = set(tables) | self._made_by_environment(tables)
        extras = self._from_environment(names)
        return {name: _remote(name, tables.get(name), extras.get(name, {})) for name in sorted(names)}

    def remote(self, name: str) -> Remote:
        """Return one remote.

        Raises:
            UnknownRemote: There is none of this name; the message lists those there are.
            ConfigError: It has no type.
        """
        known = self.remotes()
        if name not in known:
            raise UnknownRemote(f"unknown remote '{name}:'; known: {self._listing(known)}")
        found = known[name]
        if not found.type:
            raise ConfigError(f"remote '{name}:' has no type; add a line like type = \"s3\" to {self._where()}")
        return found

    def written(self, name: str) -> dict[str, Any] | None:
        """Return the table that the file has for a remote, with nothing from the environment in it, or None."""
        table = _tables(self._data, self.path).get(name)
        return None if table is None else _normal(table)

    def create(
        self, name: str, type: str, options: Mapping[str, Any] | None = None, *, root: str = "", replace: bool = False
    ) -> Remote:
        """Write a new remote; one that is there and says the same is fine.

        Args:
            name: Its name.
            type: Scheme of its driver; whether there is such a driver is not checked.
            options: Settings of the driver.
            root: Path at which the remote begins.
            replace: Give up what is there of this name, rather than fail.

        Raises:
            ConfigError: The name cannot be one, another remote has it, or the file cannot be written.
        """
        self.create_all([Remote(name=name, type=type, root=root, options=options or {})], replace=replace)
        return self.remote(name)

    def create_all(self, remotes: Iterable[Remote], *, replace: bool = False) -> None:
        """Write new remotes, all or none of them; as ``create``.

        Raises:
            ConfigError: As for ``create``.
        """
        changes: dict[str, _Change] = {}
        for remote in remotes:
            if not is_remote_name(remote.name):
                raise ConfigError(
                    f"{remote.name!r} cannot be the name of a remote: letters, digits, _ - . + @ and blanks inside; "
                    "not 'file'"
                )
            table = {
                "type": remote.type,
                **({"root": remote.root} if remote.root else {}),
                **_normal(remote.options),
            }

            def change(
                old: Mapping[str, Any] | None, name: str = remote.name, table: Mapping[str, Any] = table
            ) -> Mapping[str, Any]:
                if old is not None and not replace and _normal(old) != table:
                    raise ConfigError(f"remote '{name}:' exists; update or delete it, or ask to replace it")
                return table

            changes[remote.name] = change
        self._change(changes)

    def update(self, name: str, options: Mapping[str, Any], *, remove: Iterable[str] = ()) -> Remote:
        """Set options (``type`` and ``root`` among them) of a remote in the file, and take out others.

        Raises:
            UnknownRemote: The file has no such remote.
            ConfigError: The file cannot be written.
        """
        gone = {_option(option) for option in remove}

        def change(old: Mapping[str, Any] | None) -> Mapping[str, Any]:
            merged = _normal(self._present(name, old)) | _normal(options)
            return {option: value for option, value in merged.items() if option not in gone}

        self._change({name: change})
        return self.remote(name)

    def delete(self, name: str) -> None:
        """Take a remote out of the file.

        Raises:
            UnknownRemote: The file has no such remote.
            ConfigError: The file cannot be written.
        """

        def change(old: Mapping[str, Any] | None) -> None:
            self._present(name, old)

        self._change({name: change})

    def touch(self) -> None:
        """Make the file, empty, if it does not exist.

        Raises:
            ConfigError: It cannot be made, or everything is kept in memory.
        """
        from .saving import locked, replace

        if self.path is None:
            raise ConfigError(f"there is no file to make: {VARIABLE} is empty")
        with locked(self.path):
            if not os.path.exists(self.path):
                replace(self.path, "")

    def dump(self, *, redact: bool = True) -> dict[str, dict[str, Any]]:
        """Return all remotes as tables by name, as they count now; without secrets if ``redact``."""
        return {name: remote.as_dict(redact=redact) for name, remote in self.remotes().items()}

    def __repr__(self) -> str:
        return f"<Config {self._where()}>"

    def _change(self, changes: Mapping[str, _Change]) -> None:
        """Replace tables of remotes by what ``changes`` make of them (None: nothing) in the file as it is now."""
        if self.path is None:
            with self._lock:
                self._data = self._changed(self._data, changes)[0]
            return
        from .saving import locked, replace
        from .toml import edited

        # A link is kept, and what it points to is replaced: people keep their configuration elsewhere.
        path = os.path.realpath(self.path)
        with locked(path):
            text, data = _read(path)
            data, tables = self._changed(data, changes)
            try:
                new = edited(text, {("remotes", name): table for name, table in tables.items()})
            except (TypeError, ValueError) as exc:
                names = ", ".join(f"'{name}:'" for name in tables)
                raise ConfigError(f"remote {names} cannot be written: {exc}") from exc
            replace(path, new)
            self._data = data

    def _changed(
        self, data: Mapping[str, Any], changes: Mapping[str, _Change]
    ) -> tuple[dict[str, Any], dict[str, Mapping[str, Any] | None]]:
        tables = dict(_tables(data, self.path))
        new = {name: change(tables.pop(name, None)) for name, change in changes.items()}
        tables.update({name: table for name, table in new.items() if table is not None})
        return {**data, "remotes": tables}, new

    def _present(self, name: str, table: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if table is None:
            known = self.remotes()
            hint = "it is made by the environment; " if name in known else ""
            raise UnknownRemote(f"unknown remote '{name}:' in {self._where()}; {hint}known: {self._listing(known)}")
        return table

    def _made_by_environment(self, tables: Mapping[str, Any]) -> set[str]:
        taken = {_variable(name) for name in tables}
        middles = {name[len(PREFIX) : -len("_TYPE")] for name in self._env if name.endswith("_TYPE")}
        return {middle.lower() for middle in middles - taken if is_remote_name(middle)}

    def _from_environment(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return remote to options: a variable belongs to the longest name that it begins with."""
        found: dict[str, dict[str, Any]] = {}
        starts: dict[str, list[str]] = {}
        for name in names:
            starts.setdefault(_variable(name) + "_", []).append(name)
        for variable, value in self._env.items():
            rest = variable[len(PREFIX) :]
            start = max((start for start in starts if rest.startswith(start)), key=len, default="")
            for name in starts.get(start, ()):
                if option := rest[len(start) :].lower():
                    found.setdefault(name, {})[option] = value
        return found

    def _listing(self, known: Mapping[str, Remote]) -> str:
        listing = ", ".join(f"{name}:" for name in known) or "none"
        missing = self.path is not None and not os.path.exists(self.path)
        return f"{listing} ({self._where()}{', which does not exist' if missing else ''})"

    def _where(self) -> str:
        return self.path or "memory"


def default_path(env: Mapping[str, str]) -> str | None:
    """Return the path of the configuration that an environment asks for; None if it wants no file."""
    import sys

    if VARIABLE in env:
        return env[VARIABLE] or None
    home = env.get("HOME") or os.path.expanduser("~")
    if sys.platform == "win32":
        folder = env.get("APPDATA") or os.path.join(home, "AppData", "Roaming")
    elif env.get("XDG_CONFIG_HOME"):
        folder = env["XDG_CONFIG_HOME"]
    elif sys.platform == "darwin":
        folder = os.path.join(home, "Library", "Application Support")
    else:
        folder = os.path.join(home, ".config")
    return os.path.join(folder, "omnistorage", "config.toml")


def _read(path: str) -> tuple[str, dict[str, Any]]:
    import tomllib

    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read().replace("\r\n", "\n")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        return "", {}
    except OSError as exc:
        raise ConfigError(f"the configuration {path} cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"the configuration {path} is not UTF-8 text") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"the configuration {path} is no TOML: {exc}") from exc


def _tables(data: Mapping[str, Any], path: str | None) -> Mapping[str, Mapping[str, Any]]:
    tables = data.get("remotes", {})
    if not isinstance(tables, Mapping):
        raise ConfigError(f"'remotes' is no table in {path or 'memory'}")
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"'remotes.{name}' is no table in {path or 'memory'}")
    return tables


def _remote(name: str, table: Mapping[str, Any] | None, extras: Mapping[str, Any]) -> Remote:
    options = _normal(table or {}) | dict(extras)
    sources = [*(["file"] if table is not None else []), *(["environment"] if extras else [])]
    type_, root = options.pop("type", ""), options.pop("root", "")
    if not isinstance(type_, str) or not isinstance(root, str):
        raise ConfigError(f"remote '{name}:': type and root must be texts")
    return Remote(name=name, type=type_, root=root, options=options, source=" and ".join(sources))


def _normal(options: Mapping[str, Any]) -> dict[str, Any]:
    return {_option(name): value for name, value in options.items()}


def _option(name: str) -> str:
    return name.replace("-", "_").lower()


def _variable(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name.upper())
