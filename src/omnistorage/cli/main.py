"""The command ``omnistorage``: finds the file of a command, runs it, and turns errors into exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from . import _exits

_GROUPS = (
    ("Transfer", ("sync", "copy", "move", "copyto", "moveto", "check", "rcat", "cat")),
    ("Look", ("ls", "lsl", "lsd", "lsf", "lsjson", "tree", "size", "stat", "hashsum", "about")),
    ("Change", ("touch", "mkdir", "rmdir", "rmdirs", "delete", "deletefile", "purge")),
    ("Set up", ("config", "listremotes", "completion", "version")),
)
_ALIASES = {"rm": "deletefile", "cp": "copy", "mv": "move"}


class Commands(click.Group):
    """The commands, each imported when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        folder = os.path.dirname(__file__)
        names = {name[:-3] for name in os.listdir(folder) if name.endswith(".py") and name[0] != "_"}
        return sorted(names - {"main"} | set(_ALIASES))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from importlib import import_module

        name = _ALIASES.get(cmd_name, cmd_name)
        if not name.isidentifier() or name.startswith("_") or name == "main":
            return None
        try:
            module = import_module(f"omnistorage.cli.{name}")
        except ModuleNotFoundError as exc:
            if exc.name != f"omnistorage.cli.{name}":
                raise
            return None
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches

            known = self.list_commands(ctx)
            close = get_close_matches(args[0], known, 1)
            hint = f"did you mean {close[0]!r}?" if close else "see omnistorage --help"
            raise click.UsageError(f"unknown command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in _GROUPS:
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None:
                    rows.append((name, command.get_short_help_str(70)))
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A place is a path (photos), an address (s3://bucket/photos) or a configured remote (work:photos).",
)
def cli() -> None:
    """Move, compare and keep bytes, wherever they are.

    \b
    omnistorage copy photos /backup/photos         copy what is new
    omnistorage sync -n photos /backup/photos      show what would make both the same
    omnistorage sync -P photos /backup/photos      do it, with progress
    omnistorage check photos /backup/photos        compare every byte by hash
    omnistorage COMMAND --help                     tells more about one of them
    """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    _speak_utf8()
    sys.exit(_exits.run(cli, _flags_last(args)))


def _flags_last(args: list[str]) -> list[str]:
    """Let flags stand before the command, too, as in ``omnistorage -v ls``: move them behind it."""
    flags: list[str] = []
    rest = list(args)
    while rest and rest[0].startswith("-") and rest[0] not in ("-h", "--help", "--"):
        flag = rest.pop(0)
        if flag == "--version":
            return ["version"]
        flags.append(flag)
        if flag in _TAKING_VALUES and rest:
            flags.append(rest.pop(0))
    return [*rest[:1], *flags, *rest[1:]] if rest else flags


_TAKING_VALUES = frozenset(
    ("--config", "--log-file", "--log-level", "--stats", "--transfers", "--checkers", "--include", "--exclude")
)


def _speak_utf8() -> None:
    """Print names as the bytes they are, also those that are not valid UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="surrogateescape")
