"""``omnistorage purge``: remove a directory with all that is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from omnistorage.core.errors import NotFound

from . import _flags, _places
from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console


@click.command("purge")
@click.argument("remote")
@click.option("--json", "as_json", is_flag=True, help="Print what was removed, counted, as one JSON object.")
@_flags.dry_run
@_flags.filtering
@_flags.common
def command(
    remote: str, as_json: bool, dry_run: bool, selection: Filter, console: Console, config: str | None
) -> None:
    """Remove the directory REMOTE with everything in it. There is no way back.

    Filters are refused, as they would not be heeded: use delete with filters instead.

    \b
    omnistorage purge -n work:old
    omnistorage purge work:old
    """
    from omnistorage.sync import removal

    from ._removed import Tally

    if not selection.is_trivial:
        raise Exit(FAILED, "filters cannot be used with purge, which removes everything; delete takes them")
    tally = Tally(console, dry_run=dry_run)
    try:
        with _places.named(remote), _places.folder(remote, config) as storage:
            tally.take(removal.purge(storage.driver, dry_run=dry_run))
    except NotFound as exc:
        # rclone keeps its code for missing directories for those that are read.
        raise Exit(FAILED, str(exc)) from exc
    tally.finish(as_json=as_json)
