"""The two files that AWS tools share, ``~/.aws/config`` and ``~/.aws/credentials``, read as botocore reads them.

The dialect is that of ``configparser`` without interpolation: names of settings in lower case, lines that begin with
``#`` or ``;`` are comments, but nothing is a comment behind a value; a section or setting that is there twice is an
error; ``[DEFAULT]`` holds for all sections. A setting whose value begins on the next line is a group of its own
(``s3 =``, then indented lines). In the config file ``[default]``, ``[profile default]`` and ``[profile NAME]`` are
profiles; in the credentials file each section is one. What a profile says in the credentials file goes before what it
says in the config file. (botocore/configloader.py and ``Session.full_config`` of botocore/session.py, 1.44)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import msgspec

from omnistorage.core.errors import ConfigError

Settings = dict[str, "str | dict[str, str]"]
"""Name to value, or to a group of settings."""

_CONFIG: Final = "~/.aws/config"
_CREDENTIALS: Final = "~/.aws/credentials"


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say.

    Attributes:
        config_file: Path of the config file, whether it is there or not.
        credentials_file: Path of the credentials file, likewise.
        config: Profiles of the config file alone.
        credentials: Sections of the credentials file alone.
        profiles: Profiles of both together.
        services: Sections ``[services NAME]``.
        places: Both paths in words, each with what is the matter with it.
    """

    config_file: str
    credentials_file: str
    config: dict[str, Settings]
    credentials: dict[str, Settings]
    profiles: dict[str, Settings]
    services: dict[str, Settings]
    places: tuple[str, str]

    def __repr__(self) -> str:
        # The generated one would show the secrets.
        return f"Shared({self.config_file!r}, {self.credentials_file!r})"


def read(env: Mapping[str, str]) -> Shared:
    """Read both files from where ``env`` says they are; a file that is not there or may not be read is empty.

    Raises:
        ConfigError: A file cannot be understood; names file and line, and never the text of the line.
    """
    config_file = _expanded(env.get("AWS_CONFIG_FILE") or _CONFIG, env)
    credentials_file = _expanded(env.get("AWS_SHARED_CREDENTIALS_FILE") or _CREDENTIALS, env)
    sections, config_note = sections_of(config_file)
    credentials, credentials_note = sections_of(credentials_file)
    config: dict[str, Settings] = {}
    services: dict[str, Settings] = {}
    for title, settings in sections.items():
        if title == "default":
            config[title] = settings
        elif title.startswith("profile"):
            config.update(_named(title, settings))
        elif title.startswith("services"):
            services.update(_named(title, settings))
    profiles = {name: {**config.get(name, {}), **credentials.get(name, {})} for name in {**config, **credentials}}
    return Shared(
        config_file=config_file,
        credentials_file=credentials_file,
        config=config,
        credentials=credentials,
        profiles=profiles,
        services=services,
        places=(config_file + config_note, credentials_file + credentials_note),
    )


def sections_of(path: str) -> tuple[dict[str, Settings], str]:
    """Return the sections of a file, and what is the matter with it in words (`` (not there)``) or nothing.

    Raises:
        ConfigError: As for ``read``.
    """
    try:
        with open(path, encoding="utf-8") as file:
            said = file.read()
    except FileNotFoundError:
        return {}, " (not there)"
    except OSError as exc:
        return {}, f" ({exc.strerror or 'cannot be read'})"
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(said)
    except configparser.DuplicateSectionError as exc:
        raise ConfigError(f"{path}, line {exc.lineno}: section [{exc.section}] is there twice") from None
    except configparser.DuplicateOptionError as exc:
        raise ConfigError(f"{path}, line {exc.lineno}: {exc.option} is there twice") from None
    except configparser.MissingSectionHeaderError as exc:
        raise ConfigError(f"{path}, line {exc.lineno}: expected a section like [default] first") from None
    except configparser.ParsingError as exc:
        # The error quotes the line, and that may be a secret with a typing error before it.
        lines = ", ".join(str(number) for number, _ in exc.errors)
        raise ConfigError(f"{path}, line {lines}: expected NAME = VALUE") from None
    found: dict[str, Settings] = {}
    for title in parser.sections():
        found[title] = {
            name: _group(value, f"{path}, [{title}] {name}") if value.startswith("\n") else value
            for name, value in parser.items(title)
        }
    return found, ""


def text(settings: Settings, name: str) -> str:
    """Return the value of a setting; empty if it is not there or is a group."""
    value = settings.get(name, "")
    return value if isinstance(value, str) else ""


def _group(value: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in value.splitlines():
        name, equals, inner = line.partition("=")
        if equals:
            found[name.strip()] = inner.strip()
        elif line.strip():
            raise ConfigError(f"{where}: expected lines NAME = VALUE")
    return found


def _named(title: str, settings: Settings) -> dict[str, Settings]:
    import shlex

    try:
        words = shlex.split(title)
    except ValueError:
        return {}
    return {words[1]: settings} if len(words) == 2 else {}


def _expanded(path: str, env: Mapping[str, str]) -> str:
    home = env.get("HOME", "")
    if env is not os.environ and home and (path == "~" or path.startswith("~/")):
        return home + path[1:]
    return os.path.expanduser(os.path.expandvars(path))
