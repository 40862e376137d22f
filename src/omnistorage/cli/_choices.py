"""What an operator can choose of a transfer: the flags of ``sync``, ``copy``, ``move`` and their siblings."""

from __future__ import annotations

from typing import Any, Final, Literal

import click

from omnistorage.sync.filters import Filter
from omnistorage.sync.model import Compare
from omnistorage.sync.options import Options

from . import _flags
from ._spelling import FOLDING, TRANSFORM, transforms


def choosing(command: _flags.Command) -> _flags.Command:
    """Add the flags of all transfers."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option("-n", "--dry-run", is_flag=True, help="Show what would be done, change nothing."),
    click.option("-P", "--progress", is_flag=True, help="Show progress: bars on a terminal, else lines."),
    click.option("--stats", type=_flags.DURATION, help="Write a line of progress so often (10s, 1m)."),
    click.option("--stats-one-line", is_flag=True, help="Write the sum of the run in one line."),
    click.option("--events", metavar="FILE", help="Write what happens as lines of JSON; - is stdout."),
    click.option("--strict", is_flag=True, help="Exit with 1 if anything was verified by its size only."),
    click.option("--json", "as_json", is_flag=True, help="Print the sum of the run as one JSON object."),
    click.option("-c", "--checksum", is_flag=True, help="Compare by size and hash instead of size and time."),
    click.option("--size-only", is_flag=True, help="Compare by size alone."),
    click.option("-u", "--update", is_flag=True, help="Leave alone what is newer at the destination."),
    click.option("-I", "--ignore-times", is_flag=True, help="Copy all, equal or not."),
    click.option("--ignore-existing", is_flag=True, help="Leave alone what is there."),
    click.option("--ignore-size", is_flag=True, help="Do not compare sizes."),
    click.option("--immutable", is_flag=True, help="Fail where something is there and differs."),
    click.option("--modify-window", type=_flags.DURATION, help="Times that differ by less are equal."),
    click.option("--no-update-modtime", is_flag=True, help="Do not set the time where only that differs."),
    click.option("--no-update-dir-modtime", is_flag=True, help="Do not give folders their time."),
    *FOLDING,
    TRANSFORM,
    click.option("--fix-case", is_flag=True, help="Rename what is spelled otherwise at the destination."),
    click.option("--create-empty-src-dirs", is_flag=True, help="Make folders that are empty at the source."),
    click.option("--verify", is_flag=True, help="Compare contents after each transfer; move always does."),
    click.option("--transfers", type=click.IntRange(1, 1024), default=4, show_default=True, help="Side by side."),
    click.option(
        "--multi-thread-cutoff",
        type=_flags.SIZE,
        default="32Mi",
        show_default=True,
        help="Send objects from so many bytes on part by part, so that they can be gone on with; off for never.",
    ),
    click.option(
        "--multi-thread-streams",
        type=click.IntRange(1, 256),
        help="Parts of one object side by side, unless both sides are local folders.  [default: 4; 2 to S3]",
    ),
    click.option("--checkers", type=click.IntRange(1, 1024), default=8, help="Questions side by side."),
    click.option("--retries", type=int, default=3, show_default=True, help="Try what failed so often in all."),
    click.option("--retries-sleep", type=_flags.DURATION, default="0s", help="Wait so long before trying again."),
    click.option("--low-level-retries", type=int, help="Repeat a single call so often at most.  [default: 10]"),
    click.option("--max-transfer", type=_flags.SIZE, help="Begin no more transfers after so many bytes (exit 8)."),
    click.option(
        "--cutoff-mode",
        type=click.Choice(["HARD", "SOFT", "CAUTIOUS"], case_sensitive=False),
        default="HARD",
        help="SOFT lets the last transfer pass --max-transfer; HARD and CAUTIOUS begin none that would.",
    ),
    click.option("--max-duration", type=_flags.DURATION, help="Begin no more transfers after that time (exit 10)."),
    click.option("--order-by", metavar="ORDER", default="", help="size, name or modtime, with ,desc or ,mixed."),
    click.option("--check-first", is_flag=True, help="Make the whole plan before the first transfer."),
    click.option("--no-traverse", is_flag=True, help="Look each object up instead of listing DEST."),
    click.option("--no-check-dest", is_flag=True, help="Copy all without looking at DEST."),
    click.option("--inplace", is_flag=True, help="Write under the final name (unsafe if interrupted)."),
    click.option("--backup-dir", metavar="PLACE", help="Keep there what is replaced or deleted."),
    click.option("--suffix", default="", metavar="TEXT", help="What the names of kept versions end with."),
    click.option("--suffix-keep-extension", is_flag=True, help="Put the suffix before the extension."),
    click.option("--compare-dest", multiple=True, metavar="PLACE", help="Do not copy what is equal there."),
    click.option("--copy-dest", multiple=True, metavar="PLACE", help="Copy from there what is equal there."),
    click.option("-i", "--interactive", is_flag=True, help="Ask before each change."),
    click.option("--processes", type=click.IntRange(1, 256), help="Transfer in so many processes of this machine."),
    click.option("--dask", metavar="ADDRESS", help="Transfer by the workers of a Dask cluster (tcp://HOST:8786)."),
    click.option("--error-on-no-transfer", is_flag=True, help="Exit with 9 if nothing was transferred."),
)

_DELETING = (
    click.option("--max-delete", type=int, default=-1, help="Refuse to start if more objects would be deleted."),
    click.option("--max-delete-size", type=_flags.SIZE, help="Refuse to start if more bytes would be deleted."),
    click.option("--delete-excluded", is_flag=True, help="Delete at the destination what filters leave out, too."),
    click.option("--allow-empty-source", is_flag=True, help="An empty source is meant: delete everything."),
    click.option("--delete-before", is_flag=True, help="Delete before the transfers."),
    click.option("--delete-during", is_flag=True, help="Delete as soon as a folder of SOURCE is listed."),
    click.option("--delete-after", is_flag=True, help="Delete when all transfers are done (the default)."),
    click.option("--ignore-errors", is_flag=True, hidden=True),
    click.option("--track-renames", is_flag=True, help="Rename at DEST what has the same content elsewhere."),
    click.option(
        "--track-renames-strategy",
        default="hash",
        metavar="WHAT",
        help="Where to look for it: hash, modtime, leaf, with commas; the content decides.",
    ),
)


def deleting(command: _flags.Command) -> _flags.Command:
    """Add the flags of a run that deletes at the destination."""
    for option in reversed(_DELETING):
        command = option(command)
    return command


def options(given: dict[str, Any]) -> Options:
    """Take the flags that say how to run out of ``given``."""
    compare = Compare.MTIME
    checksum, size_only = given.pop("checksum"), given.pop("size_only")
    if size_only:
        compare = Compare.SIZE
    elif checksum:
        compare = Compare.HASH
    selection: Filter = given.pop("selection")
    if given.pop("delete_excluded", False):
        selection = selection.delete_excluded()
    max_delete = given.pop("max_delete", -1)
    modes = [mode for mode in ("before", "during", "after") if given.pop(f"delete_{mode}", False)]
    if len(modes) > 1:
        raise click.UsageError(f"--delete-{modes[0]} and --delete-{modes[1]} exclude each other")
    # Deletes are protected folder by folder, so that errors elsewhere do not keep them from being done.
    given.pop("ignore_errors", None)
    return Options(
        filter=selection,
        compare=compare,
        modify_window=given.pop("modify_window"),
        update=given.pop("update"),
        ignore_times=given.pop("ignore_times"),
        ignore_existing=given.pop("ignore_existing"),
        ignore_size=given.pop("ignore_size"),
        immutable=given.pop("immutable"),
        unicode_normalization=not given.pop("no_unicode_normalization"),
        ignore_case_sync=given.pop("ignore_case_sync"),
        fix_case=given.pop("fix_case"),
        name_transform=transforms(given.pop("name_transform")),
        update_modtime=not given.pop("no_update_modtime"),
        dir_times=not given.pop("no_update_dir_modtime"),
        empty_dirs=given.pop("create_empty_src_dirs"),
        delete_empty_dirs=given.pop("delete_empty_src_dirs", False),
        verify=given.pop("verify"),
        max_delete=max_delete if max_delete >= 0 else None,
        max_delete_size=given.pop("max_delete_size", None),
        allow_empty_source=given.pop("allow_empty_source", False),
        max_transfer=given.pop("max_transfer"),
        cutoff=given.pop("cutoff_mode").upper(),
        max_duration=given.pop("max_duration"),
        delete_mode=_MODES[modes[0]] if modes else "after",
        suffix=given.pop("suffix"),
        suffix_keep_extension=given.pop("suffix_keep_extension"),
        track_renames=given.pop("track_renames", False),
        rename_by=_traits(given.pop("track_renames_strategy", "hash")),
        order_by=_order(given.pop("order_by")),
        check_first=given.pop("check_first"),
        traverse=not given.pop("no_traverse"),
        check_dest=not given.pop("no_check_dest"),
        inplace=given.pop("inplace"),
        attempts=max(given.pop("retries"), 1),
        attempts_wait=given.pop("retries_sleep") or 0.0,
        checkers=given.pop("checkers"),
        transfers=given.pop("transfers"),
        part_cutoff=given.pop("multi_thread_cutoff"),
        part_streams=given.pop("multi_thread_streams"),
        dry_run=given.pop("dry_run"),
    )


_MODES: Final[dict[str, Literal["before", "during", "after"]]] = {
    "before": "before",
    "during": "during",
    "after": "after",
}


def _traits(text: str) -> frozenset[Literal["hash", "modtime", "leaf"]]:
    known: dict[str, Literal["hash", "modtime", "leaf"]] = {"hash": "hash", "modtime": "modtime", "leaf": "leaf"}
    names = text.lower().split(",")
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(f"--track-renames-strategy: unknown {unknown[0]!r}; known: hash, modtime, leaf")
    return frozenset(known[name] for name in names)


def _order(text: str) -> str:
    if text:
        from omnistorage.sync.ordering import parse_order

        try:
            parse_order(text)
        except ValueError as exc:
            raise click.UsageError(f"--order-by: {exc}") from None
    return text
