"""``omnistorage delete``: delete the objects that the filters select."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import _flags, _places

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console


@click.command("delete")
@click.argument("remote")
@click.option("--rmdirs", is_flag=True, help="Remove the directories that are empty then; REMOTE itself stays.")
@click.option("--json", "as_json", is_flag=True, help="Print what was deleted, counted, as one JSON object.")
@_flags.dry_run
@_flags.filtering
@_flags.common
def command(
    remote: str,
    rmdirs: bool,
    as_json: bool,
    dry_run: bool,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Delete the objects below REMOTE that the filters select.

    Without filters these are all of them. Directories stay. Look first with --dry-run; for a whole tree use
    purge, for one object deletefile.

    \b
    omnistorage delete -n logs --min-age 30d
    omnistorage delete logs --min-age 30d --rmdirs
    omnistorage delete photos --include '*.tmp' --json
    """
    from omnistorage.opening import locate
    from omnistorage.sync import removal
    from omnistorage.sync.filters import Filter
    from omnistorage.sync.scan import Scan

    from ._removed import Tally

    tally = Tally(console, dry_run=dry_run)
    with _places.named(remote):
        storage, name = locate(remote, config=config)
        with storage:
            if name:
                _places.refuse_filters(selection)
                selection = Filter().only(name)
            elif storage.features.mkdir:
                storage.stat("")
            scan = Scan(storage.driver, selection)
            tally.take(removal.delete(storage.driver, scan, dry_run=dry_run))
            for folder, error in scan.broken.items():
                tally.errors += 1
                console.error(folder, f"cannot be listed: {error.what}")
            if rmdirs and not name:
                tally.take(removal.remove_empty_dirs(storage.driver, keep_root=True, dry_run=dry_run))
    tally.finish(as_json=as_json)
