"""``omnistorage copyto``: copy one object to exactly this name."""

from __future__ import annotations

import click

from ._transfers import Job, transferring


@click.command("copyto")
@click.argument("source")
@click.argument("dest")
@transferring
def command(source: str, dest: str, job: Job) -> None:
    """Copy SOURCE to exactly the name DEST; a folder is copied as by copy.

    \b
    omnistorage copyto photos/cat.jpg /backup/felix.jpg
    """
    job.exact(source, dest)
