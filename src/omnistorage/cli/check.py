"""``omnistorage check``: compare two places without changing anything."""

from __future__ import annotations

import click
from msgspec import structs

from omnistorage.sync.check import CheckOptions
from omnistorage.sync.check import check as run_check
from omnistorage.sync.filters import Filter

from . import _checking, _flags, _links, _places, _sides
from ._console import Console
from ._hashing import canonical
from ._limits import Limits, limited
from ._reports import Reports, reporting
from ._spelling import FOLDING, TRANSFORM, transforms


@click.command("check")
@click.argument("source")
@click.argument("dest")
@click.option("--one-way", is_flag=True, help="Do not care for what only DEST has.")
@click.option("--size-only", is_flag=True, help="Compare sizes alone.")
@click.option("--download", is_flag=True, help="Read both sides and compare every byte.")
@click.option("--hash", "hash_name", metavar="TYPE", help="Compare by this hash; a side that tells none is read.")
@click.option("-C", "--checkfile", metavar="TYPE", help="SOURCE is a SUM file with hashes of TYPE.")
@click.option("--strict", is_flag=True, help="Exit with 1 if anything could be compared by size only.")
@click.option("--checkers", type=click.IntRange(1, 1024), default=8, show_default=True, help="Side by side.")
@FOLDING[0]
@FOLDING[1]
@TRANSFORM
@click.option("--json", "as_json", is_flag=True, help="Print the sum as one JSON object.")
@click.option("-c", "--checksum", is_flag=True, hidden=True)
@click.option("-P", "--progress", is_flag=True, hidden=True)
@_links.linking
@reporting
@_flags.filtering
@_flags.common
@limited
def command(
    source: str,
    dest: str,
    one_way: bool,
    size_only: bool,
    download: bool,
    hash_name: str | None,
    checkfile: str | None,
    strict: bool,
    checkers: int,
    ignore_case_sync: bool,
    no_unicode_normalization: bool,
    name_transform: tuple[str, ...],
    as_json: bool,
    checksum: bool,
    progress: bool,
    reports: Reports,
    selection: Filter,
    console: Console,
    config: str | None,
    limits: Limits,
) -> None:
    """Compare SOURCE and DEST by size and content; exit with 1 if they differ.

    \b
    omnistorage check photos /backup/photos
    omnistorage check photos work:photos --one-way --combined -
    omnistorage check photos work:photos --size-only         quick, and proves little
    omnistorage check -C sha256 SHA256SUMS work:photos

    Times of modification do not matter. Nothing is changed.
    """
    if checkfile is not None:
        if hash_name is not None:
            raise click.UsageError("-C says which hash to compare by; leave out --hash")
        from omnistorage.sync.checksum import ChecksumOptions

        kind = canonical(checkfile)
        by_sums = ChecksumOptions(filter=selection, download=download, one_way=one_way, checkers=checkers)
        with reports, _sides.destination(dest, config, written=False) as dst:
            missing = _places.shown(dest) if _checking.is_missing(dst) else ""
            result = _checking.compare_sums(kind, source, dst, by_sums, console, config, reports)
        _checking.finish(result, console, as_json=as_json, strict=strict, missing=missing)
        return
    options = CheckOptions(
        filter=selection,
        by="size" if size_only else "bytes" if download else "hash",
        hash=None if hash_name is None else canonical(hash_name),
        one_way=one_way,
        checkers=checkers,
        unicode_normalization=not no_unicode_normalization,
        ignore_case_sync=ignore_case_sync,
        name_transform=transforms(name_transform),
    )
    # Local files are not slowed down for being hashed; only what is downloaded is.
    layers = limits.reading() if download else limits.source()
    with (
        reports,
        _sides.source(source, config, *layers) as (src, name),
        _sides.destination(dest, config, *layers, written=False) as dst,
    ):
        if name:
            _places.refuse_filters(selection)
            # What else DEST has, is not asked for.
            options = structs.replace(options, filter=Filter.only(name), one_way=True)
        result = run_check(src, dst, options, found=_checking.teller(reports, console))
    _checking.finish(result, console, as_json=as_json, strict=strict)
