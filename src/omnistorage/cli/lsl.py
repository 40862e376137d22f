"""``omnistorage lsl``: print size, time and path of each object."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import _flags, _links, _places

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console


@click.command("lsl")
@click.argument("remote")
@_links.linking
@_flags.filtering
@_flags.common
def command(remote: str, selection: Filter, console: Console, config: str | None) -> None:
    """Print size, time and path of all objects at REMOTE.

    Sizes are bytes, times are those of modification, in the local zone; directories are gone into.

    \b
    omnistorage lsl photos
    omnistorage lsl photos --max-age 7d
    omnistorage lsl work:reports --max-depth 1
    """
    from omnistorage.core.info import FILE

    from ._times import formatter

    text = formatter("2006-01-02 15:04:05.000000000")
    write = sys.stdout.write
    with _places.pages(remote, selection, config, console, times=True) as found:
        for infos in found:
            write(
                "".join(
                    [
                        f"{-1 if info.size is None else info.size:9} {text(info.mtime_ns)} {info.path}\n"
                        for info in infos
                        if info.kind is FILE
                    ]
                )
            )
