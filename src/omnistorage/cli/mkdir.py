"""``omnistorage mkdir``: make a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import _flags, _places

if TYPE_CHECKING:
    from ._console import Console


@click.command("mkdir")
@click.argument("remote")
@_flags.dry_run
@_flags.common
def command(remote: str, dry_run: bool, console: Console, config: str | None) -> None:
    """Make the directory REMOTE, and those above it.

    One that is there is fine.

    \b
    omnistorage mkdir work:reports/2026
    omnistorage mkdir -n photos/new
    """
    with _places.named(remote), _places.folder(remote, config) as storage:
        if dry_run:
            console.notice(remote, "not made, as this is a dry run")
            return
        if not storage.features.mkdir:
            console.notice(remote, "this storage has no directories of its own; nothing is to be made")
            return
        storage.mkdir("")
        console.info(remote, "made")
