"""``omnistorage moveto``: move one object to exactly this name."""

from __future__ import annotations

import click

from ._transfers import Job, transferring


@click.command("moveto")
@click.argument("source")
@click.argument("dest")
@click.option("--delete-empty-src-dirs", is_flag=True, help="Remove folders of SOURCE that became empty.")
@transferring
def command(source: str, dest: str, job: Job) -> None:
    """Move SOURCE to exactly the name DEST; a folder is moved as by move.

    \b
    omnistorage moveto draft.txt /archive/final.txt
    """
    job.exact(source, dest, move=True)
