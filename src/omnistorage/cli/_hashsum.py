"""The commands that print hashes: one for each common hash, and ``hashsum`` for all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from . import _flags, _places
from ._exits import FAILED, Exit
from ._limits import Limits, limited

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console
    from ._hashing import Hashed


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of all these commands, and those that every command has."""
    command = _flags.filtering(_flags.common(limited(command)))
    for option in (
        click.option("--checkers", type=click.IntRange(min=1), default=8, metavar="N", help="Hash N side by side."),
        click.option("--json", "as_json", is_flag=True, help="Print a JSON list with path and hash."),
        click.option("--download", is_flag=True, help="Read all bytes and hash them here."),
        click.option("-C", "--checkfile", metavar="SUMFILE", help="Compare with the hashes in SUMFILE instead."),
        click.option("--output-file", metavar="FILE", help="Write to a file."),
        click.option("--base64", "as_base64", is_flag=True, help="Print hashes as base64 rather than hex."),
    ):
        command = option(command)
    return command


def command_for(kind: str) -> click.Command:
    """Make the command that prints hashes of one kind."""

    @click.command(f"{kind}sum")
    @click.argument("remote", default="-")
    @options
    def command(remote: str, **given: Any) -> None:
        hashsum(kind, remote, **given)

    command.help = (
        f"Print {kind.upper()} hash and path of all objects at REMOTE.\n\n"
        "Without REMOTE, hash what comes by standard input.\n\n"
        f"\b\nomnistorage {kind}sum photos\n"
        f"omnistorage {kind}sum photos --output-file SUMS\n"
        f"omnistorage {kind}sum s3://bucket/photos -C SUMS"
    )
    return command


def hashsum(
    kind: str,
    remote: str,
    *,
    as_base64: bool,
    output_file: str | None,
    checkfile: str | None,
    download: bool,
    as_json: bool,
    checkers: int,
    selection: Filter,
    console: Console,
    config: str | None,
    limits: Limits,
) -> None:
    """Print or check the hashes of all objects at a place."""
    from ._hashing import Hashing, canonical

    kind = canonical(kind)
    if checkfile is not None:
        if remote == "-":
            raise click.UsageError("-C compares a REMOTE; name it")
        _check(kind, remote, checkfile, output_file, download, checkers, selection, console, config)
        return
    if remote == "-":
        _print_stdin(kind, as_base64)
        return
    # Local files are not slowed down for being hashed; only what is downloaded is.
    layers = limits.reading() if download else limits.source()
    with _places.pages(remote, selection, config, console, layers=layers) as found:
        hashing = Hashing(found.storage, [kind], console, download=download)
        if hashing.missing:
            raise Exit(FAILED, f"--download computes {kind} here")
        infos = (info for infos in found for info in infos)
        _print(_texts(hashing.of_all(infos, checkers), kind, as_base64), kind, output_file, as_json)
    if hashing.failed:
        raise Exit(FAILED)


def _texts(hashed: Iterable[Hashed], kind: str, as_base64: bool) -> Iterator[tuple[str, str]]:
    from omnistorage.core.hashes import to_base64

    for info, found in hashed:
        yield info.path, to_base64(found[kind]) if as_base64 else found[kind]


def _print(hashed: Iterable[tuple[str, str]], kind: str, output_file: str | None, as_json: bool) -> None:
    if output_file is None:
        _write(hashed, kind, as_json, sys.stdout.write)
        return
    with open(output_file, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        _write(hashed, kind, as_json, file.write)


def _write(hashed: Iterable[tuple[str, str]], kind: str, as_json: bool, write: Callable[[str], object]) -> None:
    if not as_json:
        from omnistorage.core.sums import line

        for path, text in hashed:
            write(line(path, text) + "\n")
        return
    import msgspec

    from omnistorage.core.errors import printable

    mark = "[\n"
    for path, text in hashed:
        write(mark + msgspec.json.encode({"path": printable(path), kind: text}).decode())
        mark = ",\n"
    write("[]\n" if mark == "[\n" else "\n]\n")


def _print_stdin(kind: str, as_base64: bool) -> None:
    from omnistorage.core.hashes import hash_stream, to_base64

    if sys.stdin.isatty():
        raise click.UsageError("name a REMOTE, or pipe something in")
    found = hash_stream(sys.stdin.buffer, [kind])[kind]
    sys.stdout.write(f"{to_base64(found) if as_base64 else found}  -\n")


def _check(
    kind: str,
    remote: str,
    checkfile: str,
    output_file: str | None,
    download: bool,
    checkers: int,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Compare with a file of hashes, in either of their forms; print a sign and the path for each object."""
    from omnistorage.opening import locate
    from omnistorage.sync.checksum import ChecksumOptions

    from . import _checking
    from ._reports import Reports

    options = ChecksumOptions(filter=selection, download=download, checkers=checkers)
    storage, name = locate(remote, config=config)
    with storage, Reports({"combined": output_file or "-"}) as reports:
        if name:
            from omnistorage.sync.filters import Filter

            _places.refuse_filters(selection)
            options = ChecksumOptions(filter=Filter.only(name), download=download, checkers=checkers)
        missing = _places.shown(remote) if _checking.is_missing(storage) else ""
        result = _checking.compare_sums(kind, checkfile, storage, options, console, config, reports)
    _checking.finish(result, console, as_json=False, strict=False, missing=missing)
