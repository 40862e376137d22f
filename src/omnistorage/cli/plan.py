"""``omnistorage plan``: write down what a sync would do, to be read and applied later."""

from __future__ import annotations

import click

from ._choices import deleting
from ._planning import write
from ._transfers import Job, transferring


@click.command("plan")
@click.argument("source")
@click.argument("dest")
@click.option("-o", "--output", metavar="FILE", default="-", help="Where to write the plan; - is stdout.")
@click.option(
    "--recipe", type=click.Choice(["sync", "copy", "move"]), default="sync", show_default=True, help="What to plan."
)
@deleting
@transferring
def command(source: str, dest: str, output: str, recipe: str, job: Job) -> None:
    """Write what would make DEST like SOURCE, one action with its reason a line; nothing is changed.

    \b
    omnistorage plan photos /backup/photos -o plan.json
    omnistorage apply plan.json                        do it, if nothing has changed

    The plan is made as sync makes it: the same filters, comparisons and guards.
    """
    write(job, source, dest, output, recipe)
