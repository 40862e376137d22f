"""``omnistorage apply``: carry out a plan that was written before."""

from __future__ import annotations

import click

from ._planning import apply
from ._transfers import Job, transferring


@click.command("apply")
@click.argument("plan")
@click.argument("source", required=False)
@click.argument("dest", required=False)
@transferring
def command(plan: str, source: str | None, dest: str | None, job: Job) -> None:
    """Carry out the PLAN in a file, if what it is about has not changed since.

    \b
    omnistorage apply plan.json
    omnistorage apply plan.json other:photos /backup/photos     the same places by other names

    All paths of the plan are looked at first. If one is not as it was, nothing is done, and the exit code is 7.
    What the plan does not name may have changed.
    """
    apply(job, plan, source, dest)
