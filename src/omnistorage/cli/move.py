"""``omnistorage move``: move objects, deleting each when it has arrived."""

from __future__ import annotations

import click

from ._transfers import Job, transferring


@click.command("move")
@click.argument("source")
@click.argument("dest")
@click.option("--delete-empty-src-dirs", is_flag=True, help="Remove folders of SOURCE that became empty.")
@transferring
def command(source: str, dest: str, job: Job) -> None:
    """Move objects from SOURCE to DEST; each is deleted at SOURCE when its bytes are proven to be at DEST.

    \b
    omnistorage move inbox /archive/inbox
    omnistorage move inbox /archive/inbox --delete-empty-src-dirs --min-age 30d

    What is left alone (because it is newer at DEST with -u, say) stays at SOURCE.
    """
    job.folders(source, dest, move=True)
