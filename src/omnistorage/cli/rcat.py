"""``omnistorage rcat``: store what comes by standard input."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

import click

from . import _flags, _places
from ._exits import FAILED, Exit
from ._limits import Limits, limited

if TYPE_CHECKING:
    from io import BufferedReader

    from ._console import Console

_CHUNK = 256 << 10


@click.command("rcat")
@click.argument("remote")
@click.option("--size", type=click.IntRange(min=0), metavar="BYTES", help="How much will come; less or more fails.")
@_flags.dry_run
@_flags.common
@limited
def command(
    remote: str, size: int | None, dry_run: bool, console: Console, config: str | None, limits: Limits
) -> None:
    """Store standard input as the object REMOTE.

    What is there is replaced. The object appears, whole, when the input has ended; if the command is stopped
    before, nothing is stored.

    \b
    pg_dump shop | gzip | omnistorage rcat s3://backup/shop.sql.gz
    tar c photos | omnistorage rcat work:photos.tar
    echo done | omnistorage rcat --dry-run work:state/flag
    """
    if sys.stdin.isatty():
        raise Exit(FAILED, "there is no input: pipe something into rcat")
    source = cast("BufferedReader", sys.stdin.buffer)
    with _places.named(remote):
        storage, name = _places.to_write(remote, config, *limits.dest())
        with storage:
            if dry_run:
                console.notice(name, "not stored, as this is a dry run")
                return
            # Whoever ends the input early by ^C or an error must find no half of an object.
            with storage.open_writer(name, size=size) as writer:
                count = 0
                # As it comes: to wait for a full chunk would be to wait where ^C is not heard.
                while data := source.read1(_CHUNK):
                    count += len(data)
                    writer.write(data)
                if size is not None and count != size:
                    raise Exit(FAILED, f"{size} bytes were announced, {count} came; nothing is stored")
    console.info(name, f"stored, {count} bytes")
