"""``omnistorage lsf``: print names, one per line, or the columns that a script wants."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from omnistorage.core.info import DIR, FILE, ObjectInfo

from . import _flags, _links, _places
from ._exits import FAILED, Exit
from ._names import kinds, print_names

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console
    from ._hashing import Hashing

Column = Callable[[ObjectInfo], str]


@click.command("lsf")
@click.argument("remote")
@click.option("-R", "--recursive", is_flag=True, help="Go into directories.")
@click.option("-F", "--format", "letters", default="p", metavar="LETTERS", help="The columns, see above.")
@click.option("-s", "--separator", default=";", metavar="TEXT", help="What stands between columns; a semicolon.")
@click.option("--csv", is_flag=True, help="Print CSV: columns with commas, quotes where needed.")
@click.option("--absolute", is_flag=True, help="Put a / in front of paths.")
@click.option("--dirs-only", is_flag=True, help="Print directories only.")
@click.option("--files-only", is_flag=True, help="Print objects only.")
@click.option("-d", "--dir-slash/--no-dir-slash", default=True, help="Put a / behind directories; the default.")
@click.option("--hash", "hash_name", default="md5", metavar="NAME", help="The hash for column h; md5.")
@click.option("-t", "--time-format", default="DateTime", metavar="FORMAT", help="How to write times, see above.")
@_links.linking
@_flags.filtering
@_flags.common
def command(
    remote: str,
    recursive: bool,
    letters: str,
    separator: str,
    csv: bool,
    absolute: bool,
    dirs_only: bool,
    files_only: bool,
    dir_slash: bool,
    hash_name: str,
    time_format: str,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Print the names of what is at REMOTE, one per line.

    Directories get a slash, and are gone into with -R.

    \b
    Columns (--format): p path, s size, t time of modification, h hash,
      m MIME type, M metadata, T tier, i ID, o ID of the original
    Times (--time-format): max, unix, unixnano, RFC3339, DateTime, DateOnly, TimeOnly,
      other names of Go, or a layout of Go: '02.01.2006 15:04'

    \b
    omnistorage lsf photos
    omnistorage lsf -R --files-only photos --max-age 1d
    omnistorage lsf -R --format tsp --separator ' ' work:reports
    omnistorage lsf --format hp --hash sha256 --csv photos
    """
    head = "/" if absolute else ""
    tail = "/" if dir_slash else ""
    wanted = kinds(dirs_only, files_only)
    names = letters == "p" and not csv
    _check(letters)
    with _places.pages(
        remote,
        selection,
        config,
        console,
        recursive=recursive,
        brief=names,
        times="t" in letters,
        folders=DIR in wanted,
    ) as found:
        if names:
            print_names(found, wanted, head=head, tail=tail)
            return
        from ._hashing import Hashing

        hashing = Hashing(found.storage, [hash_name] if "h" in letters else [], console)
        columns = [_column(letter, hashing, head, tail, time_format) for letter in letters]
        line = _csv_line if csv else separator.join
        for infos in found:
            rows = [[column(info) for column in columns] for info in infos if info.kind in wanted]
            sys.stdout.write("".join([line(row) + "\n" for row in rows]))
    if hashing.failed:
        raise Exit(FAILED)


def _check(letters: str) -> None:
    wrong = [letter for letter in letters if letter not in "psthimoTM"]
    if wrong:
        why = "only encrypted storages have such names" if wrong[0] == "e" else "known: p s t h i m o T M"
        raise Exit(FAILED, f"unknown format character {wrong[0]!r}; {why}")


def _column(letter: str, hashing: Hashing, head: str, tail: str, time_format: str) -> Column:
    match letter:
        case "p":
            return lambda info: head + (info.path if info.kind is FILE else info.path + tail)
        case "s":
            return lambda info: "-1" if info.size is None else str(info.size)
        case "t":
            from ._times import formatter

            text = formatter(time_format, hashing.storage.features.precision)
            return lambda info: text(info.mtime_ns)
        case "h":
            return lambda info: "".join(hashing.of(info).values()) if info.kind is FILE else ""
        case "m":
            from omnistorage.core.mime import mime_type

            return mime_type
        case "M":
            import msgspec

            return lambda info: msgspec.json.encode(dict(info.metadata)).decode()
        case _:
            # What no storage of ours has: IDs and tiers.
            return lambda info: ""


def _csv_line(row: list[str]) -> str:
    return ",".join(['"' + cell.replace('"', '""') + '"' if _needs_quotes(cell) else cell for cell in row])


def _needs_quotes(cell: str) -> bool:
    return cell[:1] in (" ", "\t") or cell == "\\." or any(sign in cell for sign in ',"\r\n')
