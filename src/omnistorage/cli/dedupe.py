"""``omnistorage dedupe``: find objects that hold the same bytes, and keep one of each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, get_args

import click

from omnistorage.core.errors import printable
from omnistorage.core.units import format_size
from omnistorage.sync.dedupe_model import DedupeEvent, DedupeOptions, DedupeResult, Deed, Mode

from . import _flags, _places
from ._choosing import Asker
from ._duplicates import JsonWriter, Writer, count
from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console

_MODES = get_args(Mode)


@click.command("dedupe")
@click.argument("words", nargs=-1, metavar="[MODE] REMOTE")
@click.option(
    "--dedupe-mode",
    type=click.Choice(_MODES, case_sensitive=False),
    default="interactive",
    help="The MODE, if none stands before REMOTE.",
)
@click.option("--by-hash", is_flag=True, help="Look for equal contents (always so, but for --by-name).")
@click.option("--by-name", is_flag=True, help="Look for objects that were listed with the same path.")
@click.option("--empty", is_flag=True, help="Empty objects are duplicates of each other, too.")
@click.option(
    "--hardlink", is_flag=True, help="Make duplicates hard links to the one that is kept; local folders only."
)
@click.option("--max-delete", type=int, default=-1, help="Refuse to start if more objects would be deleted.")
@click.option("--max-delete-size", type=_flags.SIZE, help="Refuse to start if more bytes would be deleted.")
@click.option("--checkers", type=click.IntRange(1, 1024), default=4, show_default=True, help="Side by side.")
@click.option("-i", "--interactive", is_flag=True, help="Ask before anything is done with a group.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with MODE list, the groups are in it.")
@_flags.dry_run
@_flags.filtering
@_flags.common
def command(
    words: tuple[str, ...],
    dedupe_mode: str,
    by_hash: bool,
    by_name: bool,
    empty: bool,
    hardlink: bool,
    max_delete: int,
    max_delete_size: int | None,
    checkers: int,
    interactive: bool,
    as_json: bool,
    dry_run: bool,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Find objects below REMOTE that hold the same bytes, and keep one of each.

    \b
    MODE is what is done with the objects of a group:
      interactive  ask (this is the default)
      list         print them, change nothing
      skip         change nothing
      first        keep the first in path order, delete the others
      newest       keep the newest, delete the others
      oldest       keep the oldest, delete the others
      largest, smallest    as first: equal bytes are equally many
      rename       give each a name with its number: f.txt becomes f-1.txt

    A duplicate is deleted only when its bytes are proven, right then, to be those of the one that is kept. Hard
    links are names of one file and no duplicates. Links and special files are left alone, empty files as well.

    \b
    omnistorage dedupe list photos
    omnistorage dedupe -n oldest photos
    omnistorage dedupe oldest photos --min-size 1M --max-delete 100
    omnistorage dedupe first photos --hardlink
    """
    from omnistorage.sync.dedupe import dedupe

    mode, remote = _mode_and_place(words, dedupe_mode)
    if by_name and by_hash:
        raise click.UsageError("--by-hash and --by-name cannot both be")
    asker = Asker(Writer(sys.stderr), hardlink=hardlink)
    asks = asker.choose if mode == "interactive" else asker.confirm if interactive else None
    options = DedupeOptions(
        filter=selection,
        mode=mode,
        by="name" if by_name else "content",
        empty=empty,
        hardlink=hardlink,
        max_delete=max_delete if max_delete >= 0 else None,
        max_delete_size=max_delete_size,
        checkers=checkers,
        dry_run=dry_run,
    )
    teller = _Teller(console, dry_run=dry_run)
    json = JsonWriter(sys.stdout, groups=mode == "list") if as_json else None
    if json is not None:
        teller.writer = json
    elif mode == "list":
        teller.writer = Writer(sys.stdout)
    with _places.named(remote), _places.folder(remote, config) as storage:
        try:
            result = dedupe(storage, options, choose=asks, observer=teller.tell)
        except BaseException:
            if json is not None:
                json.break_off()
            raise
    if json is not None:
        json.end(result)
    elif mode == "list":
        Writer(sys.stdout).total(result)
    teller.sum_up(result, mode, by_name)
    if asker.unanswered:
        raise Exit(
            FAILED, "no answer: what was not decided on is left as it is; a MODE asks nothing (--help lists them)"
        )
    if result.errors:
        raise Exit(FAILED, f"not complete: {count(result.errors, 'error')}")


def _mode_and_place(words: tuple[str, ...], mode: str) -> tuple[Mode, str]:
    """Take the arguments apart.

    Raises:
        click.UsageError: There is no place, or no such mode.
    """
    if not words:
        raise click.UsageError("Missing argument 'REMOTE'.")
    if len(words) > 2:
        raise click.UsageError(f"Got unexpected extra argument ({words[2]})")
    wanted = (words[0] if len(words) == 2 else mode).lower()
    for known in _MODES:
        if wanted == known:
            return known, words[-1]
    raise click.UsageError(f"unknown mode {words[0]!r}; known: {', '.join(_MODES)}")


class _Teller:
    """Says what happens.

    Attributes:
        writer: Where groups are written, if they are.
    """

    def __init__(self, console: Console, *, dry_run: bool) -> None:
        self.writer: Writer | JsonWriter | None = None
        self._console = console
        self._dry_run = dry_run

    def tell(self, event: DedupeEvent) -> None:
        """Take what happened."""
        console = self._console
        say = console.notice if self._dry_run else console.info
        match event.deed:
            case Deed.FOUND:
                if self.writer is not None and event.group is not None:
                    self.writer.group(event.group)
            case Deed.DELETE:
                say(event.path, f"{self._done('deleted')}: has the bytes of {printable(event.other)!r}")
            case Deed.LINK:
                say(event.path, f"{self._done('made a hard link')}: has the bytes of {printable(event.other)!r}")
            case Deed.RENAME:
                say(event.path, self._done(f"renamed to {printable(event.other)!r}"))
            case Deed.LEAVE:
                console.notice(event.path, f"left alone: {event.why}")
            case Deed.FAIL if event.error is not None:
                verb = _VERBS.get(event.error.op, "left alone")
                console.error(event.path or "/", f"{verb}: {event.error.what}")
            case _:
                pass

    def sum_up(self, result: DedupeResult, mode: str, by_name: bool) -> None:
        """Say at the end what it was all in all."""
        notice = self._console.notice
        if by_name and not result.groups:
            notice("", "no two objects have the same name; no known service allows that. Leave out --by-name?")
        if result.links:
            notice("", f"{count(result.links, 'name')} of files seen before (hard links), which are no duplicates")
        if mode == "list":
            return
        notice("", f"{count(result.duplicates, 'duplicate')} in {count(result.groups, 'group')}")
        would = "would be " if self._dry_run else ""
        for number, what in ((result.deleted, "deleted"), (result.linked, "made hard links")):
            if number:
                notice("", f"{number} {would}{what}, {format_size(result.freed)} {would}freed")
        if result.renamed:
            notice("", f"{result.renamed} {would}renamed")

    def _done(self, what: str) -> str:
        return f"not {what}, as this is a dry run" if self._dry_run else what


_VERBS = {
    "list": "cannot be listed",
    "get": "cannot be read",
    "read": "cannot be read",
    "delete": "cannot be deleted",
}
