"""``omnistorage copy``: copy what is new or differs."""

from __future__ import annotations

import click

from ._transfers import Job, transferring


@click.command("copy")
@click.argument("source")
@click.argument("dest")
@transferring
def command(source: str, dest: str, job: Job) -> None:
    """Copy what is new or differs from SOURCE to DEST; nothing is deleted.

    \b
    omnistorage copy photos /backup/photos
    omnistorage copy photos/cat.jpg /backup/photos       one file, into a folder
    omnistorage copy -P photos work:photos --max-age 7d

    A folder gives what is in it, not itself. What is equal (size and time, or hash with -c) is not sent again.
    """
    job.folders(source, dest)
