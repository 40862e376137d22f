"""``omnistorage rmdir``: remove an empty directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from omnistorage.core.errors import NotFound

from . import _flags, _places
from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from ._console import Console


@click.command("rmdir")
@click.argument("remote")
@_flags.dry_run
@_flags.common
def command(remote: str, dry_run: bool, console: Console, config: str | None) -> None:
    """Remove the directory REMOTE, which must be empty.

    A bucket is one, too. For a tree of empty directories use rmdirs, for one with objects purge.

    \b
    omnistorage rmdir work:reports/2020
    omnistorage rmdir -n photos/old
    """
    try:
        with _places.named(remote), _places.folder(remote, config) as storage:
            if dry_run:
                if storage.features.mkdir:
                    storage.stat("")
                console.notice(remote, "not removed, as this is a dry run")
                return
            storage.rmdir("")
            if not storage.features.mkdir:
                storage.driver.remove_root()
            console.info(remote, "removed")
    except NotFound as exc:
        # rclone keeps its code for missing directories for those that are read.
        raise Exit(FAILED, str(exc)) from exc
