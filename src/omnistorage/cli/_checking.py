"""What the commands share that compare with SUM files or with another place: reading the file, telling the sum."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import click

from omnistorage.core.errors import NotADirectory, NotFound, StorageError

from . import _places
from ._exits import FAILED, NO_DIRECTORY, Exit

if TYPE_CHECKING:
    from omnistorage.storage import Storage
    from omnistorage.sync.check import CheckResult
    from omnistorage.sync.checksum import ChecksumOptions
    from omnistorage.sync.model import Difference

    from ._console import Console
    from ._reports import Reports


@contextmanager
def sum_file(place: str, config: str | None) -> Iterator[IO[bytes]]:
    """Open a SUM file anywhere; ``-`` is standard input.

    Raises:
        Exit: There is none, or what is read turns out to be none.
    """
    from omnistorage.sync.sums import SumsError

    try:
        if place == "-":
            yield sys.stdin.buffer
            return
        storage, name = _places.to_write(place, config)
        with storage:
            try:
                file = storage.open_reader(name)
            except StorageError as exc:
                raise Exit(FAILED, f"{_places.shown(place)!r} is no SUM file: {exc.message or exc.says}") from None
            with file:
                yield file
    except SumsError as exc:
        raise Exit(FAILED, f"{_places.shown(place)!r} is no SUM file: {exc}") from None


def compare_sums(
    kind: str,
    place: str,
    storage: Storage,
    options: ChecksumOptions,
    console: Console,
    config: str | None,
    reports: Reports,
) -> CheckResult:
    """Compare a storage with a SUM file; a storage that is not there is an empty one.

    Raises:
        Exit: There is no SUM file, or the storage does not tell the hash.
    """
    from omnistorage.core.errors import Unsupported
    from omnistorage.sync.checksum import checksum

    with sum_file(place, config) as lines:
        try:
            return checksum(
                kind,
                lines,
                storage,
                options,
                found=teller(reports, console),
                complain=lambda words: console.notice(_places.shown(place), words),
            )
        except Unsupported as exc:
            raise Exit(FAILED, f"{storage.scheme} {exc.message}; --download computes it here") from None


def is_missing(storage: Storage) -> bool:
    """Say whether there is nothing at the root of a storage that has real directories."""
    if not storage.features.mkdir:
        return False
    try:
        storage.stat("")
    except (NotFound, NotADirectory):
        return True
    return False


def teller(reports: Reports, console: Console) -> Callable[[Difference], None]:
    """Return what writes each difference where it was asked for."""

    def tell(difference: Difference) -> None:
        reports.write(difference.sign, difference.path)
        if difference.sign == "=":
            console.debug(difference.path, difference.reason)
        else:
            console.error(difference.path, difference.reason)

    return tell


def finish(result: CheckResult, console: Console, *, as_json: bool, strict: bool, missing: str = "") -> None:
    """Tell the sum of a comparison, and end the command as that has it.

    Raises:
        Exit: There is a difference, or a failure, or the destination (``missing``) is not there.
    """
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(result).decode())
    lines = [
        (result.only_src, "missing at the destination"),
        (result.only_dst, "missing at the source"),
        (result.different, "differences found"),
        (result.errors, "errors while checking"),
        (result.unverified, "hashes could not be checked, only sizes"),
        (result.skipped, "skipped: neither files nor folders"),
        (result.malformed, "lines of the SUM file not understood"),
        (result.matches, "matching files"),
    ]
    for number, words in lines:
        if number or words == "differences found":
            console.notice("", f"{number} {words}")
    if missing:
        raise Exit(NO_DIRECTORY, f"{missing!r} not found")
    if result.different:
        raise Exit(FAILED, f"{result.different} difference{'s' if result.different != 1 else ''} found")
    if result.errors:
        raise Exit(FAILED, f"{result.errors} could not be compared")
    if strict and result.unverified:
        raise Exit(FAILED, f"{result.unverified} compared by size only")
    if strict and result.malformed:
        raise Exit(FAILED, f"{result.malformed} line{'s' if result.malformed != 1 else ''} not understood")
