"""``omnistorage ls``: print size and path of each object."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import _flags, _links, _places

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console


@click.command("ls")
@click.argument("remote")
@_links.linking
@_flags.filtering
@_flags.common
def command(remote: str, selection: Filter, console: Console, config: str | None) -> None:
    """Print size and path of all objects at REMOTE.

    Sizes are bytes; directories are gone into. For times use lsl, for directories lsd, for scripts lsf or lsjson.

    \b
    omnistorage ls photos
    omnistorage ls photos --max-depth 1
    omnistorage ls s3://bucket --include '*.jpg' --min-size 10M
    """
    write = sys.stdout.write
    with _places.pages(remote, selection, config, console) as found:
        for infos in found:
            sizes = [(-1 if info.size is None else info.size, info.path) for info in infos if info.is_file]
            write("".join([f"{size:9} {path}\n" for size, path in sizes]))
