"""``omnistorage rmdirs``: remove all empty directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from omnistorage.core.errors import NotFound

from . import _flags, _places
from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from ._console import Console


@click.command("rmdirs")
@click.argument("remote")
@click.option("--leave-root", is_flag=True, help="Keep REMOTE itself, even if it is empty.")
@click.option("--json", "as_json", is_flag=True, help="Print what was removed, counted, as one JSON object.")
@_flags.dry_run
@_flags.common
def command(
    remote: str, leave_root: bool, as_json: bool, dry_run: bool, console: Console, config: str | None
) -> None:
    """Remove all empty directories below REMOTE, and REMOTE itself.

    A directory that holds only empty directories is empty.

    \b
    omnistorage rmdirs -n photos
    omnistorage rmdirs photos --leave-root
    """
    from omnistorage.sync import removal

    from ._removed import Tally

    tally = Tally(console, dry_run=dry_run)
    try:
        with _places.named(remote), _places.folder(remote, config) as storage:
            tally.take(removal.remove_empty_dirs(storage.driver, keep_root=leave_root, dry_run=dry_run))
    except NotFound as exc:
        # rclone keeps its code for missing directories for those that are read.
        raise Exit(FAILED, str(exc)) from exc
    tally.finish(as_json=as_json)
