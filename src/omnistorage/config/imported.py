"""Remotes of rclone as remotes of ours: which settings have a counterpart, and which have none.

Nothing is left out in silence: a setting without a counterpart is named beside the remote that is made, a remote of a
type that we do not have is named with its type.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from omnistorage.core.errors import ConfigError
from omnistorage.core.grammar import is_remote_name, parse
from omnistorage.core.redact import is_reference, opens

from . import _rclonetypes as types
from .rclone import RcloneRemote
from .remotes import Config, Remote
from .saving import locked, replace
from .secrets import resolve

State = Literal["new", "same", "other"]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A remote as it is to stand in our configuration.

    Attributes:
        name: Its name.
        type: Scheme of its driver.
        root: Path at which it begins, or empty.
        options: Settings of the driver; a secret that an environment variable holds is a reference to that.
        left_out: Settings of rclone without a counterpart, with their values unless these may be secret.
        needless: Settings of rclone whose effect is there without them.
    """

    name: str
    type: str
    root: str = ""
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    needless: tuple[str, ...] = ()

    @property
    def secrets(self) -> list[str]:
        """Options that hold a secret itself, rather than a reference to one."""
        return [name for name, value in self.options.items() if opens(name) and not is_reference(value)]

    def __repr__(self) -> str:
        return f"<Made {self.name!r} of type {self.type!r}>"


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A remote of rclone that cannot be made.

    Attributes:
        name: Its name.
        type: Its type, as rclone calls it; empty if it has none.
        reason: Why not, in words.
    """

    name: str
    type: str
    reason: str


def converted(remotes: Mapping[str, RcloneRemote]) -> list[Made | Refused]:
    """Return what becomes of each remote of rclone, sorted by name; nothing is written."""
    return [_converted(remotes[name], remotes, ()) for name in sorted(remotes)]


def state(config: Config, made: Made, *, secrets_dir: str = "") -> State:
    """Say whether a remote of this name is in the file, and if so whether it says the same.

    Raises:
        ConfigError: As for ``write``.
    """
    held = config.written(made.name)
    if held is None:
        return "new"
    options, secrets = _split(made, secrets_dir)
    table = {"type": made.type, **({"root": made.root} if made.root else {}), **options}
    same = held == table and all(_holds(reference, value) for reference, value in secrets.items())
    return "same" if same else "other"


def write(config: Config, made: Iterable[Made], *, overwrite: bool = False, secrets_dir: str = "") -> list[State]:
    """Write remotes to the file of the configuration, all at once, and return what was there before each.

    One that is there and says something else stays, unless ``overwrite``.

    Args:
        config: The configuration.
        made: The remotes.
        overwrite: Replace remotes that say something else.
        secrets_dir: Folder for secrets, each in a file for the owner only, to which the configuration refers; empty
            lets them stand in the configuration.

    Raises:
        ConfigError: Something cannot be written.
    """
    states: list[State] = []
    tables: list[Remote] = []
    secrets: dict[str, str] = {}
    for one in made:
        before = state(config, one, secrets_dir=secrets_dir)
        states.append(before)
        if before == "new" or (before == "other" and overwrite):
            options, held = _split(one, secrets_dir)
            secrets |= held
            tables.append(Remote(name=one.name, type=one.type, root=one.root, options=options))
    if secrets:
        with locked(os.path.join(os.path.abspath(secrets_dir), "secrets")):
            for reference, value in secrets.items():
                replace(reference.removeprefix("file:"), value + "\n")
    if tables:
        config.create_all(tables, replace=overwrite)
    return states


def _split(made: Made, secrets_dir: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the options for the configuration, and reference to secret for the files beside it."""
    options = dict(made.options)
    secrets: dict[str, str] = {}
    for name in made.secrets if secrets_dir else ():
        reference = "file:" + os.path.join(os.path.abspath(secrets_dir), f"{made.name}.{name}")
        if not is_reference(reference):
            raise ConfigError(f"{secrets_dir}: references to files in this folder are not supported")
        secrets[reference] = options[name]
        options[name] = reference
    return options, secrets


def _holds(reference: str, value: str) -> bool:
    try:
        return resolve(reference) == value
    except ConfigError:
        return False


def _converted(remote: RcloneRemote, remotes: Mapping[str, RcloneRemote], trail: tuple[str, ...]) -> Made | Refused:
    if not is_remote_name(remote.name):
        return _refused(remote, "its name cannot be that of a remote here")
    if not remote.type:
        return _refused(remote, "it has no type")
    if remote.type == "alias":
        return _alias(remote, remotes, (*trail, remote.name))
    mapped = types.mapped(remote)
    if mapped is None:
        return _refused(remote, f"type {remote.type!r} is not supported yet")
    for name, value in mapped.options.items():
        if isinstance(value, str) and value != mapped.references.get(name):
            if is_reference(value):
                return _refused(remote, f"its {name!r} would be taken for a reference, as env:NAME is one")
            if not value.isprintable() and not _is_text(value):
                return _refused(remote, f"its {name!r} is not UTF-8 text")
    return Made(
        name=remote.name,
        type=mapped.type,
        options=mapped.options,
        left_out=tuple(mapped.left_out),
        needless=tuple(mapped.needless),
    )


def _alias(remote: RcloneRemote, remotes: Mapping[str, RcloneRemote], trail: tuple[str, ...]) -> Made | Refused:
    """Return what an alias stands for under the name of the alias, as we have no aliases of places."""
    text = remote.options.get("remote", "")
    try:
        address = parse(text)
    except ConfigError:
        return _refused(remote, "the place that it stands for cannot be understood" if text else "it names no place")
    given = {name.replace("-", "_").lower(): str(value) for name, value in address.options.items()}
    if address.remote:
        target = remotes.get(address.remote)
        if target is None:
            return _refused(remote, f"it stands for {address.remote + ':'!r}, which is not there")
        if target.name in trail:
            return _refused(remote, "it stands for itself")
        options, variables = {**target.options, **given}, {**target.variables}
    elif text.startswith(":"):
        kind = "local" if address.scheme == "file" else address.scheme
        target, options, variables = remote, {"type": kind, **given}, {}
    elif address.scheme == "file" and not text.lower().startswith("file:"):
        target, options, variables = remote, {"type": "local"}, {}
    else:
        # What looks like a URL is a path of a remote for rclone, and hardly what anybody means.
        return _refused(remote, "the place that it stands for cannot be understood")
    for name in given:
        variables.pop(name, None)
    found = _converted(RcloneRemote(name=target.name, options=options, variables=variables), remotes, trail)
    if isinstance(found, Refused):
        what = f"{target.name + ':'!r}, and that cannot be made" if address.remote else "a place that cannot be made"
        return _refused(remote, f"it stands for {what}: {found.reason}")
    own = types.named(remote, remote.options.keys() - {"type", "remote"})
    return Made(
        name=remote.name,
        type=found.type,
        root=_joined(found.root, address.path),
        options=found.options,
        left_out=(*found.left_out, *own),
        needless=found.needless,
    )


def _joined(root: str, path: str) -> str:
    return f"{root.rstrip('/')}/{path.lstrip('/')}" if root and path else root or path


def _refused(remote: RcloneRemote, reason: str) -> Refused:
    return Refused(name=remote.name, type=remote.type, reason=reason)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
