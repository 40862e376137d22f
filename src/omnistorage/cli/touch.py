"""``omnistorage touch``: set the time of modification, or make an empty object."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from omnistorage.core.errors import StorageError
from omnistorage.core.walk import walk

from . import _flags, _places
from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from omnistorage.storage import Storage
    from omnistorage.sync.filters import Filter

    from ._console import Console
    from ._places import Listing


@click.command("touch")
@click.argument("remote")
@click.option("-t", "--timestamp", metavar="TIME", help="The time to set, in UTC; now if not given.")
@click.option("--localtime", is_flag=True, help="The given time is local time.")
@click.option("-C", "--no-create", is_flag=True, help="Make nothing that is not there.")
@click.option("-R", "--recursive", is_flag=True, help="Set the time of all objects below the directory REMOTE.")
@_flags.dry_run
@_flags.filtering
@_flags.common
def command(
    remote: str,
    timestamp: str | None,
    localtime: bool,
    no_create: bool,
    recursive: bool,
    dry_run: bool,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Set the time of the object REMOTE, or make an empty one.

    If REMOTE is a directory, the time of the objects in it is set. A TIME is YYYY-MM-DDTHH:MM:SS, with a fraction
    or a zone if wanted, YYYY-MM-DD, or YYMMDD.

    \b
    omnistorage touch work:state/done
    omnistorage touch -t 2026-01-31T12:00:00 photos/a.jpg
    omnistorage touch -R -t 2026-01-31 photos --include '*.jpg'
    """
    from omnistorage.core.errors import NotFound

    from ._times import read_timestamp

    try:
        when = time.time_ns() if timestamp is None else read_timestamp(timestamp, local=localtime)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--timestamp") from None
    failed = 0
    try:
        with _places.pages(remote, selection, config, console, recursive=recursive) as found:
            for infos in found:
                for info in infos:
                    if info.is_file:
                        failed += not _touch(found.storage, info.path, when, dry_run, console)
            if not recursive and not _is_there(found):
                raise NotFound(path=remote)
    except NotFound:
        if recursive:
            raise
        if no_create:
            console.notice(remote, "is not there, and not made, as --no-create is set")
            return
        _create(remote, when, dry_run, config, console)
    if failed:
        raise Exit(FAILED)


def _is_there(found: Listing) -> bool:
    """Say whether there is what was listed: where directories are prefixes only, each of them can be."""
    driver = found.storage.driver
    if found.name or driver.features.mkdir or driver.remove_root(dry_run=True):
        return True
    return any(walk(driver, enter=lambda info: False))


def _touch(storage: Storage, path: str, when: int, dry_run: bool, console: Console) -> bool:
    if dry_run:
        console.notice(path, "not touched, as this is a dry run")
        return True
    try:
        storage.set_modified(path, when)
    except StorageError as exc:
        console.error(path, f"cannot be touched: {exc.what}")
        return False
    console.info(path, "touched")
    return True


def _create(remote: str, when: int, dry_run: bool, config: str | None, console: Console) -> None:
    with _places.named(remote):
        storage, name = _places.to_write(remote, config)
        with storage:
            if dry_run:
                console.notice(name, "not made, as this is a dry run")
                return
            # Made in between by somebody else, it keeps its bytes.
            storage.write_bytes(name, b"", modified=when, if_absent=storage.features.if_absent)
            console.info(name, "made, empty")
