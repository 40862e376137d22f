"""All commands as one: finds the file of a command, and imports it when it is wanted."""

from __future__ import annotations

import os

import click

_GROUPS = (
    ("Transfer", ("sync", "copy", "move", "copyto", "moveto", "plan", "apply", "rcat", "cat")),
    ("Verify", ("check", "checksum", "verify", "hashsum")),
    ("Look", ("ls", "lsl", "lsd", "lsf", "lsjson", "tree", "size", "stat", "about", "versions", "link", "filter")),
    ("Change", ("touch", "mkdir", "rmdir", "rmdirs", "delete", "deletefile", "purge", "dedupe", "cleanup")),
    ("Set up", ("config", "listremotes", "jobs", "completion", "version")),
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
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, rest if command is None else _without_truths(command, rest)

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


def _without_truths(command: click.Command, args: list[str]) -> list[str]:
    """Write flags as click knows them: ``--dry-run=true`` and ``--dir-slash=false`` are rclone's way."""
    if not any(arg.endswith(("=true", "=false")) for arg in args):
        return args
    flags = {
        name: option
        for option in command.params
        if isinstance(option, click.Option) and option.is_flag
        for name in option.opts
    }
    written: list[str] = []
    for arg in args:
        name, _, value = arg.partition("=")
        if name not in flags or value not in ("true", "false"):
            written.append(arg)
        elif value == "true":
            written.append(name)
        else:
            written += flags[name].secondary_opts[:1]
    return written


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
