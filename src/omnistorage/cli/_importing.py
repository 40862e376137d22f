"""What ``omnistorage config import`` does: ask for the password, make remotes, and say what could not be made."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from omnistorage.core.errors import ConfigError, MissingExtra

from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from omnistorage.config import Config
    from omnistorage.config.imported import Made, Refused

    from ._console import Console


class Wishes(NamedTuple):
    """The flags of the command."""

    env: bool
    password_command: str | None
    overwrite: bool
    secrets_dir: str
    strict: bool
    dry_run: bool


def import_remotes(config: Config, file: str | None, wishes: Wishes, console: Console) -> None:
    """Make remotes of those that rclone's configuration has.

    Raises:
        ConfigError: It is not there, or cannot be understood; or ours cannot be written.
        Unauthenticated: The password is wrong.
        Exit: A remote of the name is there and says something else; or something was left out, and that counts.
    """
    from omnistorage.config.imported import Refused, converted
    from omnistorage.config.rclone import remotes

    data, where = _read(file, wishes)
    found = [_possible(one, console) for one in converted(remotes(data, where, os.environ if wishes.env else None))]
    made = [one for one in found if not isinstance(one, Refused)]
    refused = [one for one in found if isinstance(one, Refused)]
    for no in refused:
        console.notice(no.name, f"not made: {no.reason}")
    for one in made:
        if one.left_out:
            console.notice(one.name, f"left out, as there is nothing like it here: {', '.join(one.left_out)}")
        if one.needless:
            console.info(one.name, f"needless here: {', '.join(one.needless)}")
    written, kept = _write_all(config, made, wishes, console)
    _sum_up(config, where, written, len(made) - len(written) - kept, len(refused) + kept, wishes, console)
    if kept or (wishes.strict and (refused or any(one.left_out for one in made))):
        raise Exit(FAILED)


def _write_all(config: Config, made: list[Made], wishes: Wishes, console: Console) -> tuple[list[Made], int]:
    """Write the remotes; return those that were written, and how many were not since another has their name."""
    from omnistorage.config.imported import state, write

    written: list[Made] = []
    kept = 0
    if wishes.dry_run:
        states = [state(config, one, secrets_dir=wishes.secrets_dir) for one in made]
    else:
        states = write(config, made, overwrite=wishes.overwrite, secrets_dir=wishes.secrets_dir)
    for one, before in zip(made, states, strict=True):
        if before == "other" and not wishes.overwrite:
            kept += 1
            console.error(one.name, "not made: it is there and says something else; --overwrite replaces it")
        elif before != "same":
            written.append(one)
            console.info(one.name, "would be made" if wishes.dry_run else f"is in {config.path}")
    return written, kept


def _sum_up(
    config: Config, where: str, written: list[Made], same: int, others: int, wishes: Wishes, console: Console
) -> None:
    if wishes.dry_run and written:
        import click

        from omnistorage.config import Remote
        from omnistorage.config.toml import dumps

        tables = {
            one.name: Remote(name=one.name, type=one.type, root=one.root, options=one.options).as_dict()
            for one in written
        }
        click.echo(dumps({"remotes": tables}), nl=False)
    secrets = sum(len(one.secrets) for one in written)
    if secrets and not wishes.secrets_dir:
        console.notice(
            "",
            f"{secrets} of the values are secrets in plain text, in a file that only its owner can read; "
            "--secrets-dir FOLDER puts them into files of their own",
        )
    would = "would be " if wishes.dry_run else ""
    rest = f", {same} {'was' if same == 1 else 'were'} there" if same else ""
    console.notice(where, f"{len(written)} {would}made{rest}, {others} not made")


def _possible(one: Made | Refused, console: Console) -> Made | Refused:
    """Return a remote if this installation has a driver that takes its settings; else say that it has none."""
    from omnistorage import registry
    from omnistorage.config.imported import Refused

    if isinstance(one, Refused):
        return one
    try:
        registry.typed(one.type, one.options)
    except MissingExtra as exc:
        console.notice(one.name, exc.message)
    except ConfigError as exc:
        return Refused(name=one.name, type=one.type, reason=exc.message)
    return one


def _read(file: str | None, wishes: Wishes) -> tuple[bytes, str]:
    """Return what rclone's configuration says, and what to call it."""
    from omnistorage.config import rclone
    from omnistorage.config.deciphering import decipher, is_enciphered

    if file == "-":
        data, where = sys.stdin.buffer.read(rclone.MAX_SIZE), "standard input"
    else:
        path = rclone.default_path(os.environ) if file is None else file
        if path is None:
            if wishes.env:
                return b"", "the environment"
            looked = ", ".join(rclone.places(os.environ)) if rclone.VARIABLE not in os.environ else "RCLONE_CONFIG"
            raise ConfigError(f"there is no configuration of rclone (looked for: {looked}); name the file")
        data, where = rclone.read_bytes(path), path
    if is_enciphered(data):
        data = decipher(data, _password(where, wishes.password_command), where)
    return data, where


def _password(where: str, command: str | None) -> str:
    """Return the password of an enciphered file, from where rclone would take it."""
    if command:
        return _printed_by(command)
    if given := os.environ.get("RCLONE_CONFIG_PASS"):
        return given
    if not _can_ask():
        raise ConfigError(
            f"{where}: is enciphered, and there is nobody to ask for the password; "
            "RCLONE_CONFIG_PASS holds it, or --password-command prints it"
        )
    from getpass import getpass

    return getpass(f"Password of {where}: ")


def _printed_by(command: str) -> str:
    import csv
    import subprocess

    # As rclone takes its flag apart: at blanks, and double quotes keep these together.
    try:
        words = next(csv.reader([command], delimiter=" ", strict=True))
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        password = done.stdout.decode().strip("\r\n")
    except csv.Error as exc:
        raise ConfigError(f"--password-command cannot be understood: {exc}") from exc
    except OSError as exc:
        raise ConfigError(f"--password-command: {words[0]}: {exc.strerror or exc}") from exc
    except subprocess.CalledProcessError as exc:
        raise ConfigError(f"--password-command: {words[0]} ended with {exc.returncode}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"--password-command: {words[0]} printed what is not UTF-8 text") from exc
    if not password:
        raise ConfigError(f"--password-command: {words[0]} printed nothing")
    return password


def _can_ask() -> bool:
    """Say whether somebody sits at a terminal, which standard input need not be."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return sys.stdin.isatty()
    return True
