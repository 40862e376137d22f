"""How a run is to be done, and what that means between two given storages."""

from __future__ import annotations

from typing import Literal

import msgspec

from omnistorage.core.content import common_hash
from omnistorage.core.driver import Driver

from .filters import Filter
from .model import Compare, Policy


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a sync, copy or move; every default is the safe one.

    Attributes:
        filter: What is looked at, on both sides.
        compare: By what objects are held to be equal.
        modify_window: Times of modification that differ by less (seconds) are equal; None takes what both sides
            can keep.
        update: Leave objects alone that are newer at the destination.
        ignore_times: Copy all, equal or not.
        ignore_existing: Leave alone whatever is there.
        ignore_size: Do not look at sizes.
        immutable: An object that is there and differs is an error.
        update_modtime: Set the time of modification where only that differs.
        empty_dirs: Make directories that are empty at the source.
        delete_empty_dirs: ``move``: remove directories of the source that became empty.
        dir_times: Give directories the time of modification they have at the source.
        verify: Compare hashes after each transfer; ``move`` always does.
        max_delete: Refuse to start if more objects would be deleted.
        max_delete_size: Refuse to start if more bytes would be deleted.
        allow_empty_source: An empty source is meant, and not a disk that is not mounted.
        max_transfer: Bytes after which no more transfers begin.
        cutoff: How that limit is kept: SOFT finishes what began, HARD and CAUTIOUS begin nothing that would pass it.
        transfers: Transfers side by side.
        dry_run: Change nothing; find out what would be done.
        every: Report objects that need nothing as well.
    """

    filter: Filter = Filter()
    compare: Compare = Compare.MTIME
    modify_window: float | None = None
    update: bool = False
    ignore_times: bool = False
    ignore_existing: bool = False
    ignore_size: bool = False
    immutable: bool = False
    update_modtime: bool = True
    empty_dirs: bool = False
    delete_empty_dirs: bool = False
    dir_times: bool = True
    verify: bool = False
    max_delete: int | None = None
    max_delete_size: int | None = None
    allow_empty_source: bool = False
    max_transfer: int | None = None
    cutoff: Literal["HARD", "SOFT", "CAUTIOUS"] = "HARD"
    transfers: int = 4
    dry_run: bool = False
    every: bool = False


def policy_for(src: Driver, dst: Driver, options: Options, *, delete: bool = False, move: bool = False) -> Policy:
    """Return how a run between these two decides: what was asked for, as far as both can."""
    one, two = src.features, dst.features
    window = max(one.precision, two.precision)
    if options.modify_window is not None:
        window = max(window, round(options.modify_window * 1e9))
    has_times = one.mtime and two.mtime
    return Policy(
        compare=options.compare,
        window_ns=window,
        update=options.update,
        ignore_times=options.ignore_times,
        ignore_existing=options.ignore_existing,
        ignore_size=options.ignore_size,
        immutable=options.immutable,
        touch=options.update_modtime,
        delete=delete,
        move=move,
        empty_dirs=options.empty_dirs,
        has_times=has_times,
        has_dirs=two.mkdir,
        hash_name=common_hash(src, dst),
    )
