"""``omnistorage check``: compare two places without changing anything."""

from __future__ import annotations

from typing import IO, Any

import click

from omnistorage.sync.check import CheckOptions, CheckResult
from omnistorage.sync.check import check as run_check
from omnistorage.sync.filters import Filter
from omnistorage.sync.model import Difference

from . import _flags, _places, _sides
from ._console import Console
from ._exits import FAILED, Exit
from ._limits import Limits, limited

_REPORTS = {"combined": "", "match": "=", "differ": "*", "missing_on_dst": "+", "missing_on_src": "-", "error": "!"}


@click.command("check")
@click.argument("source")
@click.argument("dest")
@click.option("--one-way", is_flag=True, help="Do not care for what only DEST has.")
@click.option("--size-only", is_flag=True, help="Compare sizes alone.")
@click.option("--download", is_flag=True, help="Read both sides and compare every byte.")
@click.option("--strict", is_flag=True, help="Exit with 1 if anything could be compared by size only.")
@click.option("--checkers", type=click.IntRange(1, 1024), default=4, show_default=True, help="Side by side.")
@click.option("--combined", metavar="FILE", help="Write each path with a sign: = equal, * different, + - ! missing.")
@click.option("--match", metavar="FILE", help="Write the paths that are equal; - is stdout.")
@click.option("--differ", metavar="FILE", help="Write the paths that differ.")
@click.option("--missing-on-dst", metavar="FILE", help="Write the paths that DEST lacks.")
@click.option("--missing-on-src", metavar="FILE", help="Write the paths that SOURCE lacks.")
@click.option("--error", metavar="FILE", help="Write the paths that could not be compared.")
@click.option("--json", "as_json", is_flag=True, help="Print the sum as one JSON object.")
@click.option("-P", "--progress", is_flag=True, hidden=True)
@_flags.filtering
@_flags.common
@limited
def command(
    source: str,
    dest: str,
    one_way: bool,
    size_only: bool,
    download: bool,
    strict: bool,
    checkers: int,
    as_json: bool,
    progress: bool,
    selection: Filter,
    console: Console,
    config: str | None,
    limits: Limits,
    **reports: str | None,
) -> None:
    """Compare SOURCE and DEST by size and content; exit with 1 if they differ.

    \b
    omnistorage check photos /backup/photos
    omnistorage check photos work:photos --one-way --combined -
    omnistorage check photos work:photos --size-only         quick, and proves little

    Times of modification do not matter. Nothing is changed.
    """
    options = CheckOptions(
        filter=selection,
        by="size" if size_only else "bytes" if download else "hash",
        one_way=one_way,
        checkers=checkers,
    )
    # Local files are not slowed down for being hashed; only what is downloaded is.
    layers = limits.reading() if download else limits.source()
    with (
        _Reports(reports) as files,
        _sides.source(source, config, *layers) as (src, name),
        _sides.destination(dest, config, *layers) as dst,
    ):
        if name:
            _places.refuse_filters(selection)
            options = CheckOptions(filter=Filter.only(name), by=options.by, one_way=True, checkers=checkers)

        def found(difference: Difference) -> None:
            files.write(difference)
            if difference.sign == "=":
                console.debug(difference.path, difference.reason)
            else:
                console.error(difference.path, difference.reason)

        result = run_check(src, dst, options, found=found)
    _tell(result, console, as_json)
    if not result.ok:
        wrong = result.differs + result.only_src + result.only_dst + result.errors
        raise Exit(FAILED, f"{wrong} difference{'s' if wrong != 1 else ''} found")
    if strict and result.unverified:
        raise Exit(FAILED, f"{result.unverified} compared by size only")


def _tell(result: CheckResult, console: Console, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(result).decode())
    console.notice("", f"{result.matches} matching, {result.differs} different")
    if result.only_src or result.only_dst:
        console.notice("", f"{result.only_src} missing at the destination, {result.only_dst} missing at the source")
    if result.unverified:
        console.notice("", f"{result.unverified} could be compared by size only")


class _Reports:
    """The files that were asked for, each with the paths of one sign."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._wanted = {kind: name for kind, name in names.items() if name is not None}
        self._files: dict[str, IO[str]] = {}

    def __enter__(self) -> _Reports:
        for kind, name in self._wanted.items():
            self._files[kind] = click.open_file(name, "w", encoding="utf-8", errors="surrogateescape")
        return self

    def __exit__(self, *exc: object) -> None:
        for kind, file in self._files.items():
            if self._wanted[kind] == "-":
                # Ours to write to, not to close: the sum is still to come.
                file.flush()
            else:
                file.close()

    def write(self, difference: Difference) -> None:
        for kind, file in self._files.items():
            if kind == "combined":
                file.write(f"{difference.sign} {difference.path}\n")
            elif _REPORTS[kind] == difference.sign:
                file.write(f"{difference.path}\n")
