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

    One that is there is fine. Where directories are only parts of names, the bucket is made.

    \b
    omnistorage mkdir work:reports/2026
    omnistorage mkdir -n photos/new
    """
    with _places.named(remote), _places.folder(remote, config) as storage:
        if dry_run:
            console.notice(remote, "not made, as this is a dry run")
            return
        # The bucket, if that is what it stands in.
        storage.driver.make_root()
        if not storage.features.mkdir:
            console.info(remote, "this storage has no directories of its own; what they stand in is there")
            return
        storage.mkdir("")
        console.info(remote, "made")
