"""``omnistorage cat``: print the bytes of objects."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from omnistorage.core.errors import StorageError

from . import _flags, _places
from ._exits import FAILED, Exit
from ._limits import Limits, limited

if TYPE_CHECKING:
    from omnistorage.core.info import ObjectInfo
    from omnistorage.storage import Storage
    from omnistorage.sync.filters import Filter

    from ._console import Console

_CHUNK = 256 << 10


@click.command("cat")
@click.argument("remote")
@click.option("--head", type=click.IntRange(min=0), default=0, metavar="N", help="Print the first N bytes.")
@click.option("--tail", type=click.IntRange(min=0), default=0, metavar="N", help="Print the last N bytes.")
@click.option("--offset", type=int, default=0, metavar="N", help="Begin at byte N; if negative, from the end.")
@click.option("--count", type=int, default=-1, metavar="N", help="Print N bytes at most.")
@click.option("--discard", is_flag=True, help="Read, but print nothing.")
@click.option("--separator", default="", metavar="TEXT", help="Print this behind each object.")
@_flags.filtering
@_flags.common
@limited
def command(
    remote: str,
    head: int,
    tail: int,
    offset: int,
    count: int,
    discard: bool,
    separator: str,
    selection: Filter,
    console: Console,
    config: str | None,
    limits: Limits,
) -> None:
    """Print the bytes of the object at REMOTE, or of all below it.

    \b
    omnistorage cat work:notes.txt
    omnistorage cat s3://bucket/big.log --tail 2000
    omnistorage cat logs --include '*.csv' > all.csv
    """
    if bool(head) + bool(tail) + bool(offset or count >= 0) > 1:
        raise Exit(FAILED, "take one of --head, --tail, and --offset with --count")
    if head:
        offset, count = 0, head
    if tail:
        offset, count = -tail, -1
    out = sys.stdout.buffer
    sys.stdout.flush()
    failed = 0
    with _places.pages(remote, selection, config, console, layers=limits.reading()) as found:
        for infos in found:
            for info in infos:
                if not info.is_file:
                    continue
                try:
                    _print(found.storage, info, offset, count, None if discard else out)
                except StorageError as exc:
                    console.error(info.path, f"cannot be read: {exc.what}")
                    failed += 1
                if separator and not discard:
                    out.write(separator.encode("utf-8", "surrogateescape"))
        out.flush()
    if failed:
        raise Exit(FAILED)


def _print(storage: Storage, info: ObjectInfo, offset: int, count: int, out: BinaryIO | None) -> None:
    if offset < 0:
        size = info.size
        if size is None:
            size = storage.stat(info.path).size or 0
        offset = max(size + offset, 0)
    with storage.driver.get(info.path, offset, count if count >= 0 else None) as stream:
        while data := stream.read(_CHUNK):
            if out is not None:
                out.write(data)
