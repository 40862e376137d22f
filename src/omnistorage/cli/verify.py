"""``omnistorage verify``: read objects again, and tell damage from change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING

import click
import msgspec

from omnistorage.core.errors import StorageError
from omnistorage.core.options import PutOptions
from omnistorage.opening import locate
from omnistorage.sync.judging import Finding, State
from omnistorage.sync.verify import VerifyOptions, VerifyResult
from omnistorage.sync.verify import verify as run_verify

from . import _checking, _flags, _places
from ._exits import FAILED, Exit
from ._hashing import canonical
from ._reports import Reports, reporting_also

if TYPE_CHECKING:
    from omnistorage.storage import Storage
    from omnistorage.sync.filters import Filter

    from ._console import Console


@click.command("verify")
@click.argument("remote")
@click.option("--sums", metavar="FILE", help="Compare with a SUM file, or with what --record wrote.")
@click.option("--record", metavar="FILE", help="Write hash, size and time of each object, for a later --sums.")
@click.option("--hash", "hash_name", metavar="TYPE", help="The hash in --sums, if its lines do not tell.")
@click.option("--record-hash", metavar="TYPE", help="The hash for --record: that of --sums, else sha256.")
@click.option("--allow-changes", is_flag=True, help="Objects may have come, changed and gone; fail for damage only.")
@click.option("--download", is_flag=True, help="Read all bytes here, also where the service can hash them.")
@click.option("--one-way", is_flag=True, help="Do not care for what --sums does not name.")
@click.option("--strict", is_flag=True, help="Exit with 1 if no hash was recorded of some object.")
@click.option("--checkers", type=click.IntRange(1, 1024), default=8, show_default=True, help="Side by side.")
@click.option("--json", "as_json", is_flag=True, help="Print the sum as one JSON object.")
@reporting_also(rot="Write the paths that are damaged.")
@_flags.filtering
@_flags.common
def command(
    remote: str,
    sums: str | None,
    record: str | None,
    hash_name: str | None,
    record_hash: str | None,
    allow_changes: bool,
    download: bool,
    one_way: bool,
    strict: bool,
    checkers: int,
    as_json: bool,
    reports: Reports,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Read all objects at REMOTE and compare them with the hashes that were recorded of them.

    Recorded is what the service itself states, and what stands in the file of --sums. Damage (bit rot) is told
    from change: other bytes under the same size and time of modification. Damaged objects keep their old line
    when --sums and --record are used together, so that they are reported until they are mended.

    \b
    omnistorage verify photos --record photos.sums         read all, and record it
    omnistorage verify photos --sums photos.sums           is it all as it was?
    omnistorage verify photos --sums photos.sums --record photos.sums --allow-changes
    omnistorage verify s3://bucket                         against what the service states

    The file is a SUM file: sha256sum -c photos.sums reads it, too. In reports it is the SOURCE.
    """
    options = VerifyOptions(
        filter=selection,
        hash=None if hash_name is None else canonical(hash_name),
        record_hash=None if record_hash is None else canonical(record_hash),
        download=download,
        one_way=one_way,
        checkers=checkers,
    )
    with (
        reports,
        _places.named(remote),
        _opened(remote, options, config) as (storage, options),
        nullcontext(None) if sums is None else _checking.sum_file(sums, config) as lines,
        nullcontext(None) if record is None else _recording(record, config) as file,
    ):
        result = run_verify(
            storage,
            options,
            sums=lines,
            record=file,
            found=_teller(reports, console, allow_changes),
            complain=lambda words: console.notice(_places.shown(sums or ""), words),
        )
    _finish(result, console, as_json=as_json, allow_changes=allow_changes, strict=strict)


@contextmanager
def _opened(remote: str, options: VerifyOptions, config: str | None) -> Iterator[tuple[Storage, VerifyOptions]]:
    """Open a place; if it is a single object, the filter takes that alone."""
    storage, name = locate(remote, config=config)
    with storage:
        if name:
            from omnistorage.sync.filters import Filter

            _places.refuse_filters(options.filter)
            options = msgspec.structs.replace(options, filter=Filter.only(name), one_way=True)
        yield storage, options


@contextmanager
def _recording(place: str, config: str | None) -> Iterator[IO[str]]:
    """Open the file of a record: it appears, whole, if nothing is raised; ``-`` is stdout.

    Raises:
        Exit: It could not be written.
    """
    if place == "-":
        yield sys.stdout
        return
    storage, name = _places.to_write(place, config)
    with storage:
        try:
            # Reading may take days: what can be known before is to be known before.
            if storage.features.upload:
                storage.driver.begin_upload(name, PutOptions()).abort()
        except StorageError as exc:
            words = exc.what
            raise Exit(FAILED, f"{_places.shown(place)!r} cannot be written: {words}") from None
        with storage.open(name, "w", errors="surrogateescape", newline="\n") as file:
            yield file


def _teller(reports: Reports, console: Console, allow_changes: bool) -> Callable[[Finding], None]:
    ordinary = {State.CHANGED, State.MISSING, State.NEW} if allow_changes else set()

    def tell(finding: Finding) -> None:
        reports.write(finding.sign, finding.path)
        if finding.state is State.ROT:
            reports.add("rot", finding.path)
        if finding.sign == "=":
            console.debug(finding.path, finding.reason)
        elif finding.state in ordinary:
            console.info(finding.path, finding.reason)
        else:
            console.error(finding.path, finding.reason)

    return tell


def _finish(result: VerifyResult, console: Console, *, as_json: bool, allow_changes: bool, strict: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(result).decode())
    lines = [
        (result.rot, "damaged: other bytes, while nobody changed them"),
        (result.differs, "different, by change or by damage"),
        (result.changed, "changed since recorded"),
        (result.missing, "missing"),
        (result.new, "not in the record"),
        (result.errors, "could not be read"),
        (result.unrecorded, "read, of which no hash was recorded"),
        (result.skipped, "skipped: neither files nor folders"),
        (result.malformed, "lines of the SUM file not understood"),
        (result.recorded, "written to the record"),
        (result.verified, "verified"),
    ]
    for number, words in lines:
        if number or words == "verified":
            console.notice("", f"{number} {words}")
    if result.rot:
        raise Exit(FAILED, f"{result.rot} damaged")
    if not result.sound or not (allow_changes or result.ok):
        wrong = result.differs + result.errors
        if not allow_changes:
            wrong += result.changed + result.missing + result.new
        raise Exit(FAILED, f"{wrong} not verified")
    if strict and result.unrecorded:
        raise Exit(FAILED, f"no hash of {result.unrecorded} is recorded")
    if strict and result.malformed:
        raise Exit(FAILED, f"{result.malformed} line{'s' if result.malformed != 1 else ''} not understood")
