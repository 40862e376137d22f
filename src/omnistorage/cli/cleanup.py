"""``omnistorage cleanup``: remove what killed runs left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import _flags, _places
from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from ._console import Console


@click.command("cleanup")
@click.argument("remote")
@click.option(
    "--older-than",
    type=_flags.DURATION,
    default=86400.0,
    metavar="DURATION",
    help="Leave younger ones; 1d by default.",
)
@_flags.dry_run
@_flags.common
def command(remote: str, older_than: float | None, dry_run: bool, console: Console, config: str | None) -> None:
    """Remove below REMOTE what killed runs left, and nothing else.

    In object stores these are uploads that nobody finished, also those of other programs: they cost money and appear
    in no listing. In folders they are temporary files of this program. What somebody still works on is younger than
    a day in most cases; say more with --older-than where uploads take longer.

    \b
    omnistorage cleanup -n s3://bucket
    omnistorage cleanup s3://bucket/backups --older-than 7d
    """
    if older_than is None:
        raise Exit(FAILED, "--older-than off would remove nothing")
    with _places.named(remote), _places.folder(remote, config) as storage:
        if storage.features.mkdir:
            storage.stat("")
        count = storage.driver.sweep(older_than=older_than, dry_run=dry_run)
    if dry_run:
        console.notice(_places.shown(remote), f"{count} would be removed, as this is a dry run")
    else:
        console.info(_places.shown(remote), f"{count} removed")
