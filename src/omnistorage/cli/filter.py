"""``omnistorage filter``: say what filters do, before something is done with them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from . import _flags, _places
from ._exits import FAILED, NO_OBJECT, Exit

if TYPE_CHECKING:
    from omnistorage.core.info import ObjectInfo
    from omnistorage.sync.explaining import Explanation
    from omnistorage.sync.filters import Filter
    from omnistorage.sync.rules import Source

    from ._console import Console


@click.group("filter", invoke_without_command=True)
@_flags.common
@click.pass_context
def command(ctx: click.Context, console: Console, config: str | None) -> None:
    """Say what filters do: which rule decides on a path, and what rules become."""
    # Flags that stand here, as in "omnistorage -q filter explain", are meant for the sub-command.
    ctx.default_map = {ctx.invoked_subcommand or "": ctx.params}
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("explain")
@click.argument("path")
@click.option("--in", "place", metavar="REMOTE", help="Look at PATH in this place: what it is, size, time, markers.")
@click.option("--dir", "is_dir", is_flag=True, help="PATH is a directory; a / at its end says so, too.")
@click.option("--size", type=_flags.SIZE, help="The size of the file.")
@click.option("--mtime", type=_flags.AGE, metavar="TIME", help="When it was modified: a time, or how long ago.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_flags.filtering
@_flags.common
def explain(
    path: str,
    place: str | None,
    is_dir: bool,
    size: int | None,
    mtime: str | None,
    as_json: bool,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Say whether the filters select PATH, and why.

    PATH is relative to the root of a transfer or listing and need not exist. Told are the rule that decides, the
    flag or the line of a file that it comes from, and the directory above at which the walk ends, if one does.
    The exit code is 0 if PATH is selected and 1 if it is left out.

    \b
    omnistorage filter explain logs/a.log --filter-from rules.txt
    omnistorage filter explain logs/ --include '*.txt'
    omnistorage filter explain big.iso --size 3G --max-size 1G
    omnistorage filter explain photos/a.jpg --in work: --exclude-if-present .nosync
    """
    name = path.removeprefix("./").strip("/")
    unchecked: list[str] = []
    if place is not None:
        if is_dir or size is not None or mtime is not None:
            raise click.UsageError("--dir, --size and --mtime cannot be used with --in, which looks at what is there")
        info, found = _in_place(place, name, selection, config)
        is_dir = info.kind.value == "dir"
    else:
        is_dir = is_dir or path.endswith("/")
        selection, unchecked = _without_unknown(selection, is_dir, size, mtime)
        found = selection.explain(name, is_dir, size, _nanoseconds(mtime))
    if as_json:
        _print_json(name, is_dir, found, unchecked)
    else:
        from omnistorage.core.errors import printable

        source, flag = found.source, _flag(found.source)
        line = f" {source.file}:{source.line}" if source and source.file is not None else ""
        verdict = "selected" if found.allowed else "left out"
        told = f"{verdict}: {name or '/'}: {found.why}{f' ({flag}{line})' if flag else ''}"
        sys.stdout.write(printable(told).replace("\n", "\\n") + "\n")
        for fact in unchecked:
            console.notice(name, _UNCHECKED[fact])
    if not found.allowed:
        raise Exit(FAILED)


@command.command("dump")
@_flags.filtering
@_flags.common
def dump(selection: Filter, console: Console, config: str | None) -> None:
    """Print the regular expressions that the filters are compiled to, in the order in which they are tried.

    The text is that of --dump filters, and of rclone.

    \b
    omnistorage filter dump --include '*.{jpg,png}'
    """
    sys.stdout.write(selection.dump())


_UNCHECKED = {
    "size": "its size is not known and was not looked at; give --size, or a place with --in",
    "time": "its time is not known and was not looked at; give --mtime, or a place with --in",
    "markers": "marker files were not looked for; give a place with --in",
}


def _in_place(place: str, name: str, selection: Filter, config: str | None) -> tuple[ObjectInfo, Explanation]:
    from omnistorage.core.errors import NotFound
    from omnistorage.sync.explaining import explain_in

    with _places.named(place), _places.folder(place, config) as storage:
        if storage.features.mkdir:
            storage.stat("")
        try:
            return explain_in(storage.driver, selection, name)
        except (NotFound, NotADirectoryError):
            raise Exit(NO_OBJECT, f"{name!r} not found in {_places.shown(place)!r}") from None


def _without_unknown(
    selection: Filter, is_dir: bool, size: int | None, mtime: str | None
) -> tuple[Filter, list[str]]:
    """Take out of the filter the questions that cannot be answered; return it with what they are about."""
    unchecked = []
    if not is_dir and size is None:
        loose = selection.min_size("off").max_size("off")
        unchecked += ["size"] * (loose != selection)
        selection = loose
    if not is_dir and mtime is None:
        loose = selection.min_age("off").max_age("off")
        unchecked += ["time"] * (loose != selection)
        selection = loose
    return selection, unchecked + ["markers"] * bool(selection.marker_names)


def _nanoseconds(mtime: str | None) -> int | None:
    if mtime is None:
        return None
    import time

    from omnistorage.core.units import parse_age

    moment = parse_age(mtime, time.time())
    return None if moment is None else int(moment * 1e9)


def _flag(source: Source | None) -> str | None:
    """Return the flag that a rule or limit comes from; None if it comes from none."""
    if source is None or not source.step:
        return None
    return "--filter" if source.step == "rule" else f"--{source.step.replace('_', '-')}"


def _print_json(name: str, is_dir: bool, found: Explanation, unchecked: list[str]) -> None:
    import msgspec

    from omnistorage.core.errors import printable

    source = found.source
    facts: dict[str, Any] = {
        "path": printable(name),
        "kind": "dir" if is_dir else "file",
        "selected": found.allowed,
        "cause": found.cause,
        "why": printable(found.why),
        "rule": None if found.rule is None else printable(found.rule),
        "flag": _flag(source),
        "file": None if source is None or source.file is None else printable(source.file),
        "line": source.line if source else None,
        "stopped_at": None if found.stopped_at is None else printable(found.stopped_at),
        "unchecked": unchecked,
    }
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
