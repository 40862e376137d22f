"""``omnistorage deletefile``: delete one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import _flags, _places
from ._exits import NO_OBJECT, Exit

if TYPE_CHECKING:
    from ._console import Console


@click.command("deletefile")
@click.argument("remote")
@_flags.dry_run
@_flags.common
def command(remote: str, dry_run: bool, console: Console, config: str | None) -> None:
    """Delete the object REMOTE; a directory is refused.

    The exit code is 4 if there is no such object.

    \b
    omnistorage deletefile work:reports/draft.txt
    omnistorage deletefile -n s3://bucket/a.jpg
    """
    from omnistorage.opening import locate

    with _places.named(remote):
        storage, name = locate(remote, config=config)
        with storage:
            if not name:
                there = storage.features.mkdir and storage.exists("")
                what = "is a directory; purge or rmdir removes it" if there else "not found"
                raise Exit(NO_OBJECT, f"{_places.shown(remote)}: {what}")
            if dry_run:
                console.notice(name, "not deleted, as this is a dry run")
                return
            storage.delete(name)
            console.info(name, "deleted")
