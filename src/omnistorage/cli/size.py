"""``omnistorage size``: count the objects and bytes below a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import _flags, _links, _places

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console


@click.command("size")
@click.argument("remote")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_links.linking
@_flags.filtering
@_flags.common
def command(remote: str, as_json: bool, selection: Filter, console: Console, config: str | None) -> None:
    """Count the objects and bytes below REMOTE.

    \b
    omnistorage size photos
    omnistorage size photos --include '*.jpg' --json
    """
    from omnistorage.core.units import format_size

    count = total = sizeless = 0
    with _places.listing(remote, selection, config, console) as entries:
        for info in entries:
            if info.is_file:
                count += 1
                total += info.size or 0
                sizeless += info.size is None
    if as_json:
        click.echo(f'{{"count":{count},"bytes":{total},"sizeless":{sizeless}}}')
        return
    click.echo(f"Total objects: {count}")
    click.echo(f"Total size: {format_size(total)} ({total} Byte)")
