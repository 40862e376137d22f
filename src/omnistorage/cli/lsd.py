"""``omnistorage lsd``: print the directories."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import _flags, _links, _places

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console


@click.command("lsd")
@click.argument("remote")
@click.option("-R", "--recursive", is_flag=True, help="Go into directories.")
@_links.linking
@_flags.filtering
@_flags.common
def command(remote: str, recursive: bool, selection: Filter, console: Console, config: str | None) -> None:
    """Print the directories (or buckets) at REMOTE.

    Each line holds size, local time of modification, number of entries and name; what is not known is -1.

    \b
    omnistorage lsd photos
    omnistorage lsd -R photos --exclude 'cache/**'
    omnistorage lsd s3:
    """
    from ._times import formatter

    text = formatter("2006-01-02 15:04:05")
    write = sys.stdout.write
    with _places.pages(remote, selection, config, console, recursive=recursive, folders=True) as found:
        for infos in found:
            write(
                "".join(
                    [
                        f"{-1 if info.size is None else info.size:12} {text(info.mtime_ns)} {-1:9} {info.path}\n"
                        for info in infos
                        if info.is_dir
                    ]
                )
            )
