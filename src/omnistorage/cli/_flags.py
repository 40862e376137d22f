"""Flags that several commands share, as decorators: each turns its flags into one value for the command."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from omnistorage.core.units import parse_age, parse_duration, parse_size

from . import _console

Command = Callable[..., Any]


class Size(click.ParamType[Any]):
    """A number of bytes: ``10M``, ``1.5Gi``, ``100`` (KiB), ``off``."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value is None or isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class Duration(click.ParamType[Any]):
    """A number of seconds: ``90s``, ``1h30m``, ``7d``, ``off``."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value is None or isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class Age(click.ParamType[Any]):
    """A duration before now, or a date; kept as text once it is known to be one."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | None:
        if value is None:
            return None
        try:
            parse_age(value, 0.0)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
        return str(value)


class Dump(click.ParamType[Any]):
    """What to write for those who look into a run, separated by commas."""

    name = "LIST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        if isinstance(value, frozenset):
            return value
        wanted = frozenset(word.strip().lower() for word in value.split(",") if word.strip())
        for word in sorted(wanted - {"filters", "headers"}):
            self.fail(f"{word!r} cannot be dumped; known: filters, headers", param, ctx)
        return wanted


SIZE = Size()
DURATION = Duration()
AGE = Age()


def common(command: Command) -> Command:
    """Add the flags that every command has; the command gets ``console`` and ``config`` (a path or None)."""

    @wraps(command)
    def wrapper(**given: Any) -> Any:
        # The flag is one of ``filtering``, which stands around this decorator or within it.
        given.pop("fast_list")
        headers = given.pop("headers", False) or "headers" in (given.get("dump") or ())
        console = _console_of(*(given.pop(name) for name in _LOGGING))
        try:
            if headers and console.level > _console.DEBUG:
                console.level = _console.DEBUG
                console.notice("", "-vv is set, as --dump headers is")
            if console.level > _console.DEBUG:
                return command(console=console, **given)
            from ._logged import logged

            with logged(console, headers=headers):
                return command(console=console, **given)
        finally:
            console.close()

    return _with(
        wrapper,
        click.option("--config", metavar="FILE", help="Configuration file with the remotes."),
        click.option("-v", "--verbose", count=True, help="Say what is done with each object; -vv for developers."),
        click.option("-q", "--quiet", is_flag=True, help="Say only what goes wrong."),
        click.option("--log-level", type=click.Choice(list(_console.LEVELS), case_sensitive=False)),
        click.option("--log-file", metavar="FILE", help="Write log lines to a file instead of stderr."),
        click.option("--use-json-log", is_flag=True, help="Write log lines as JSON objects."),
        # Scripts for rclone have it; here services are listed so in any case.
        click.option("--fast-list", is_flag=True, hidden=True),
    )


_LOGGING = ("verbose", "quiet", "log_level", "log_file", "use_json_log")


def filtering(command: Command) -> Command:
    """Add rclone's filter flags; the command gets ``selection``, a Filter."""

    @wraps(command)
    def wrapper(**given: Any) -> Any:
        from omnistorage.sync.filters import Filter

        asked = {name: given.pop(name) for name in _FILTERS}
        if (asked["include"] or asked["include_from"]) and (asked["exclude"] or asked["exclude_from"]):
            _tell_order(given)
        depth = asked.pop("max_depth")
        selection = Filter(max_depth=max(depth, 0), **asked)
        dumped = given.pop("dump") or ()
        if "filters" in dumped:
            click.echo(selection.dump(), nl=False, err=True)
        if "headers" in dumped and "console" not in given:
            given["headers"] = True
        return command(selection=selection, **given)

    return _with(
        wrapper,
        click.option("--include", multiple=True, metavar="GLOB", help="Take only what matches; may be repeated."),
        click.option("--include-from", multiple=True, metavar="FILE", help="Globs to include, one per line."),
        click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out what matches; may be repeated."),
        click.option("--exclude-from", multiple=True, metavar="FILE", help="Globs to exclude, one per line."),
        click.option("-f", "--filter", "rules", multiple=True, metavar="RULE", help="A rule: '+ GLOB' or '- GLOB'."),
        click.option("--filter-from", multiple=True, metavar="FILE", help="Rules, one per line."),
        click.option("--files-from", multiple=True, metavar="FILE", help="Exactly the paths of this list."),
        click.option("--files-from-raw", multiple=True, metavar="FILE", help="The same, lines taken as they are."),
        click.option(
            "--files-from0", multiple=True, metavar="FILE", help="The same, names end with a NUL character."
        ),
        click.option("--exclude-if-present", multiple=True, metavar="NAME", help="Leave out folders that hold NAME."),
        click.option("--min-size", type=SIZE, help="Leave out objects smaller than this."),
        click.option("--max-size", type=SIZE, help="Leave out objects larger than this."),
        click.option("--min-age", type=AGE, help="Leave out objects younger than this."),
        click.option("--max-age", type=AGE, help="Leave out objects older than this."),
        click.option("--max-depth", type=int, default=-1, help="Go so many folders deep; 1 is the folder itself."),
        click.option("--ignore-case", is_flag=True, help="Match globs in any case."),
        click.option("--hash-filter", metavar="K/N", help="Take the K-th of N parts of all paths."),
        click.option("--dump", type=Dump(), help="filters: print those to stderr; headers: -vv, with all of HTTP."),
    )


_FILTERS = (
    "include",
    "include_from",
    "exclude",
    "exclude_from",
    "rules",
    "filter_from",
    "files_from",
    "files_from_raw",
    "files_from0",
    "exclude_if_present",
    "min_size",
    "max_size",
    "min_age",
    "max_age",
    "max_depth",
    "ignore_case",
    "hash_filter",
)


def _tell_order(given: dict[str, Any]) -> None:
    """Say that the order of the flags is not that of the rules, as a user who mixes them may think."""
    told = "includes are tried before excludes, whatever the order of the flags; with --filter the order counts"
    if "console" in given:
        given["console"].notice("", told)
        return
    console = _console_of(*(given[name] for name in _LOGGING))
    console.notice("", told)
    console.close()


def dry_run(command: Command) -> Command:
    """Add ``-n``; the command gets ``dry_run``."""
    return _with(command, click.option("-n", "--dry-run", is_flag=True, help="Show what would be done, do nothing."))


def _with(command: Callable[..., Any], *options: Callable[[Any], Any]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _console_of(
    verbose: int, quiet: bool, level: str | None, log_file: str | None, as_json: bool
) -> _console.Console:
    number = _console.NOTICE
    if level is not None:
        number = _console.LEVELS[level.upper()]
    elif quiet:
        number = _console.ERROR
    elif verbose:
        number = _console.INFO if verbose == 1 else _console.DEBUG
    return _console.Console(number, log_file, as_json=as_json)
