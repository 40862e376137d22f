"""``omnistorage sync``: make one place like another."""

from __future__ import annotations

import click

from ._choices import deleting
from ._transfers import Job, transferring


@click.command("sync")
@click.argument("source")
@click.argument("dest")
@deleting
@transferring
def command(source: str, dest: str, job: Job) -> None:
    """Make DEST like SOURCE: copy what is new or differs, then delete what SOURCE does not have.

    \b
    omnistorage sync -n photos /backup/photos      show what would be done
    omnistorage sync -P photos /backup/photos      do it, with progress
    omnistorage sync photos work:photos --exclude "*.tmp" --max-delete 100

    Nothing is deleted below a folder of SOURCE that could not be listed, and nothing at all if SOURCE is empty
    (unless --allow-empty-source), or if more than --max-delete objects would go.
    """
    job.folders(source, dest, delete=True)
