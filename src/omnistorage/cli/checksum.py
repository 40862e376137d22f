"""``omnistorage checksum``: compare a place with a SUM file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import _checking, _flags, _places, _sides
from ._hashing import canonical
from ._reports import Reports, reporting

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console


@click.command("checksum")
@click.argument("kind", metavar="TYPE")
@click.argument("sumfile")
@click.argument("dest", metavar="REMOTE")
@click.option("--one-way", is_flag=True, help="Do not care for what SUMFILE does not name.")
@click.option("--download", is_flag=True, help="Read the objects and hash them here.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a line of SUMFILE is not understood, too.")
@click.option("--checkers", type=click.IntRange(1, 1024), default=8, show_default=True, help="Side by side.")
@click.option("--json", "as_json", is_flag=True, help="Print the sum as one JSON object.")
@reporting
@_flags.filtering
@_flags.common
def command(
    kind: str,
    sumfile: str,
    dest: str,
    one_way: bool,
    download: bool,
    strict: bool,
    checkers: int,
    as_json: bool,
    reports: Reports,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Compare the objects at REMOTE with the hashes of TYPE in SUMFILE; exit with 1 if they differ.

    SUMFILE is what md5sum, sha256sum, hashsum and their like write, anywhere; - is standard input. In reports it
    is the SOURCE, and REMOTE is the DEST.

    \b
    omnistorage checksum sha256 SHA256SUMS work:photos
    omnistorage checksum md5 work:MD5SUMS photos --one-way --combined -
    """
    from omnistorage.sync.checksum import ChecksumOptions

    kind = canonical(kind)
    options = ChecksumOptions(filter=selection, download=download, one_way=one_way, checkers=checkers)
    with reports, _sides.destination(dest, config) as dst:
        missing = _places.shown(dest) if _checking.is_missing(dst) else ""
        result = _checking.compare_sums(kind, sumfile, dst, options, console, config, reports)
    _checking.finish(result, console, as_json=as_json, strict=strict, missing=missing)
