"""The configuration of rclone, read as rclone reads it: where it is, what it says, and what the environment adds.

The file is an INI of its own kind: names end at the first ``=`` or ``:``, values in backquotes or three double quotes
lose these, ``%(name)s`` stands for another value of the section or of ``[DEFAULT]``, and ``[a.b]`` has what ``[a]``
says. Enciphered files are for ``config.deciphering``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from typing import Final

import msgspec

from omnistorage.core.errors import ConfigError

VARIABLE: Final = "RCLONE_CONFIG"
"""Environment variable with the path of the file; set and empty, there is no file."""

PREFIX: Final = "RCLONE_CONFIG_"
"""How environment variables that belong to a remote of rclone begin."""

MAX_SIZE: Final = 16 << 20
"""Most bytes that the file may hold."""

DEFAULT: Final = "DEFAULT"
"""Section of what stands before the first section, and of values for all others to refer to."""


class RcloneRemote(msgspec.Struct, frozen=True, kw_only=True):
    """One remote, in rclone's words.

    Attributes:
        name: What stands before the ``:``.
        options: Its settings as texts, ``type`` among them; secrets, too.
        variables: For settings that come from the environment, the variables that hold them.
    """

    name: str
    options: Mapping[str, str]
    variables: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def type(self) -> str:
        """What rclone calls the backend; empty if nothing says it."""
        return self.options.get("type", "").lower()

    def __repr__(self) -> str:
        return f"<RcloneRemote {self.name!r} of type {self.type!r}>"


def default_path(env: Mapping[str, str]) -> str | None:
    """Return the file that rclone would read; None if it wants none, or if there is none.

    ``RCLONE_CONFIG`` goes before what is found: beside the program, and then in the folders of the user.
    """
    if VARIABLE in env:
        path = env[VARIABLE]
        return None if path in ("", os.devnull) or os.path.basename(path) == "notfound" else path
    return next((path for path in places(env) if os.path.exists(path)), None)


def places(env: Mapping[str, str]) -> list[str]:
    """Return the paths at which rclone looks for its file, in its order."""
    import sys

    found: list[str] = []
    if program := shutil.which("rclone", path=env.get("PATH")):
        # What is on the path may be a link; rclone looks beside the file itself.
        found.append(os.path.join(os.path.dirname(os.path.realpath(program)), "rclone.conf"))
    if sys.platform == "win32" and env.get("APPDATA"):
        found.append(os.path.join(env["APPDATA"], "rclone", "rclone.conf"))
    if env.get("XDG_CONFIG_HOME"):
        found.append(os.path.join(env["XDG_CONFIG_HOME"], "rclone", "rclone.conf"))
    home = env.get("HOME") or os.path.expanduser("~")
    return [*found, os.path.join(home, ".config", "rclone", "rclone.conf"), os.path.join(home, ".rclone.conf")]


def read_bytes(path: str) -> bytes:
    """Return what the file holds.

    Raises:
        ConfigError: It does not exist, cannot be read, or is far too large to be one.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as exc:
        raise ConfigError(f"rclone's configuration {path} cannot be read: {exc.strerror or exc}") from exc
    if len(data) > MAX_SIZE:
        raise ConfigError(f"rclone's configuration {path} is larger than {MAX_SIZE >> 20} MiB")
    return data


def parse(data: bytes, where: str = "rclone.conf") -> dict[str, dict[str, str]]:
    """Return section to setting to value, as ``rclone config dump`` tells them.

    Bytes that are no UTF-8 become surrogate escapes.

    Args:
        data: What a file holds that is not enciphered.
        where: What errors call it.

    Raises:
        ConfigError: A line cannot be understood; its number is told, and nothing of what it says.
    """
    raw = _sections(data, where)
    return {name: {key: _expanded(raw, name, key, where) for key in section} for name, section in raw.items() if name}


def remotes(data: bytes, where: str = "rclone.conf", env: Mapping[str, str] | None = None) -> dict[str, RcloneRemote]:
    """Return all remotes by name, sorted, each with all that counts for it.

    Args:
        data: What a file holds that is not enciphered; may be empty.
        where: What errors call it.
        env: An environment whose ``RCLONE_CONFIG_NAME_OPTION`` go before the file and make remotes of their own;
            by default none does.

    Raises:
        ConfigError: As for ``parse``.
    """
    sections = parse(data, where)
    tables = {name: _inherited(sections, name) for name in sections}
    if not sections.get(DEFAULT, {}).get("type"):
        tables.pop(DEFAULT, None)
    env = {name: value for name, value in (env or {}).items() if name.startswith(PREFIX)}
    for variable in env:
        found = _TYPE.match(variable[len(PREFIX) :])
        if found and env[variable]:
            tables.setdefault(found[1].lower(), {})
    extras = _from_environment(env, tables)
    return {
        name: RcloneRemote(
            name=name,
            options={**tables[name], **{key: env[variable] for key, variable in extras[name].items()}},
            variables=extras[name],
        )
        for name in sorted(tables)
    }


def _from_environment(env: Mapping[str, str], names: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """Return remote to option to variable: a variable belongs to the longest name that it begins with."""
    starts: dict[str, list[str]] = {}
    for name in names:
        starts.setdefault(name.upper() + "_", []).append(name)
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for variable in env:
        rest = variable[len(PREFIX) :]
        start = max((start for start in starts if rest.startswith(start)), key=len, default="")
        for name in starts.get(start, ()):
            if option := rest[len(start) :].lower():
                found[name][option] = variable
    return found


def _sections(data: bytes, where: str) -> dict[str, dict[str, str]]:
    """Return section to key to value, without anything looked up."""
    found: dict[str, dict[str, str]] = {}
    section, counted = DEFAULT, 1
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(_BLANKS)
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            section, counted = line[1:-1].strip(_BLANKS), 1
            found.setdefault(section or DEFAULT, {})
            continue
        if not section:
            raise ConfigError(f"{where}, line {number}: stands in a section without a name")
        pair = _pair(line)
        if pair is None:
            raise ConfigError(f"{where}, line {number}: is neither NAME = VALUE nor [SECTION]")
        key, value = pair
        if key == "-":
            key, counted = f"#{counted}", counted + 1
        if key:
            found.setdefault(section, {})[key] = value
    return found


def _pair(line: str) -> tuple[str, str] | None:
    quote = _quote_of(line) or ('"' if line[0] == '"' else "")
    if quote:
        end = line.find(quote, len(quote))
        mark = _END_OF_KEY.search(line, end) if end >= 0 else None
        if mark is None:
            return None
        key = line[len(quote) : end]
    else:
        mark = _END_OF_KEY.search(line)
        if mark is None or not mark.start():
            return None
        key = line[: mark.start()].strip(_BLANKS)
    value = line[mark.end() :].strip(_BLANKS)
    if len(value) > 1 and (quote := _quote_of(value)):
        end = value.rfind(quote, len(quote))
        if end < 0:
            return None
        value = value[len(quote) : end]
    return key, value


def _quote_of(text: str) -> str:
    if text[0] == "`":
        return "`"
    # Shorter ones cannot have both ends.
    return '"""' if len(text) >= 6 and text.startswith('"""') else ""


def _expanded(
    sections: Mapping[str, Mapping[str, str]], section: str, key: str, where: str, within: tuple[str, ...] = ()
) -> str:
    """Return a value with the values that it refers to in it."""
    value = sections[section][key]
    common = sections.get(DEFAULT, {})
    for _ in range(_MOST_REFERENCES):
        found = _REFERENCE.search(value)
        if found is None:
            break
        # Not only the brackets: rclone takes off each s at the end, and each % and ( at the beginning.
        name = found[0].lstrip("%(").rstrip(")s")
        if name in common and name not in within:
            new = _expanded(sections, DEFAULT, name, where, (*within, name))
        else:
            new = sections[section].get(name, "")
        if name in within or len(value) + value.count(found[0]) * len(new) > _LONGEST:
            # It would grow without end; rclone itself then ends with an error of its own.
            raise ConfigError(f"{where}: the value of {key!r} in [{section}] refers to itself")
        if new == found[0]:
            break
        value = value.replace(found[0], new)
    return value


def _inherited(sections: Mapping[str, Mapping[str, str]], name: str) -> dict[str, str]:
    """Return what counts in a section: its own settings, and those of the sections that its name begins with."""
    above, dot, _ = name.rpartition(".")
    table = _inherited(sections, above) if dot and above in sections else {}
    return {**table, **sections[name]}


# What Go takes for white space; Python's own idea of it has four control characters more.
_BLANKS: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_END_OF_KEY: Final = re.compile("[=:]")
_REFERENCE: Final = re.compile(r"%\([^)]+\)s")
_MOST_REFERENCES: Final = 200
_LONGEST: Final = 1 << 20
_TYPE: Final = re.compile(r"(.+?)_TYPE\Z")
