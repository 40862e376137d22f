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
        hashed = _texts(hashing.of_all(infos, checkers), kind, as_base64)
        if checkfile is not None:
            failed = _check(hashed, checkfile, config, console)
        else:
            failed = 0
            _print(hashed, kind, output_file, as_json)
    if failed or hashing.failed:
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
        for path, text in hashed:
            write(f"{text}  {path}\n")
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


def _check(hashed: Iterable[tuple[str, str]], checkfile: str, config: str | None, console: Console) -> int:
    """Compare with a file of sums; print a sign and the path for each object, and return how many differ."""
    sums = _read_sums(checkfile, config)
    same = different = absent = unknown = 0
    for path, text in hashed:
        wanted = sums.pop(path, None)
        if wanted is None:
            unknown += 1
            sign = "-"
            console.error(path, "is not in the file of hashes")
        elif wanted == text or wanted.lower() == text:
            same += 1
            sign = "="
        else:
            different += 1
            sign = "*"
            console.error(path, "hashes differ")
        sys.stdout.write(f"{sign} {path}\n")
    for path in sums:
        absent += 1
        console.error(path, "not found")
        sys.stdout.write(f"+ {path}\n")
    failed = different + absent + unknown
    words = f"{same} equal, {different} different, {absent} not found, {unknown} not in the file of hashes"
    console.notice("", words)
    return failed


def _read_sums(checkfile: str, config: str | None) -> dict[str, str]:
    """Read path to hash from lines as md5sum writes them: the hash, a blank, a blank or ``*``, the path."""
    if checkfile == "-":
        data = sys.stdin.buffer.read()
    else:
        with _places.named(checkfile):
            storage, name = _places.to_write(checkfile, config)
            with storage:
                data = storage.read_bytes(name)
    sums: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        text = line.rstrip("\r")
        if not text or text.startswith("#"):
            continue
        found, blank, path = text.partition(" ")
        if not blank or len(path) < 2 or path[0] not in " *":
            raise Exit(FAILED, f"line {number} of {checkfile!r} is no hash and path: {text[:60]!r}")
        sums[path[1:]] = found
    return sums
