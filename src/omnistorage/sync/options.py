"""How a run is to be done, and what that means between two given storages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from omnistorage.core.content import common_hash
from omnistorage.core.driver import Driver
from omnistorage.storage import Storage

from .filters import Filter
from .metafilter import MetadataFilter
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
        metadata: Keep permissions, owner, time of last access and user metadata; where only these differ, set them.
        metadata_set: Metadata that each object gets that is stored, whatever the source says.
        metadata_mapper: A program that is asked what metadata each object gets, with its arguments.
        metadata_filter: Which objects are looked at, by their metadata; None for all.
        verify: Compare hashes after each transfer; ``move`` always does.
        max_delete: Refuse to start if more objects would be deleted.
        max_delete_size: Refuse to start if more bytes would be deleted.
        unicode_normalization: Names that are equal after normalisation to NFC are one name.
        ignore_case_sync: Names that are equal but for case are one name, as they always are where the destination
            does not tell cases apart.
        fix_case: Rename what is spelled otherwise at the destination.
        name_transform: Gives what is copied other names, as rclone's flag of this name: ``suffix=.bak``.
        allow_empty_source: An empty source is meant, and not a disk that is not mounted.
        max_transfer: Bytes after which no more transfers begin.
        cutoff: How that limit is kept: SOFT finishes what began, HARD and CAUTIOUS begin nothing that would pass it.
        max_duration: Seconds after which no more transfers begin; HARD also stops those that run.
        delete_mode: When objects are deleted: after all transfers, during them (each as soon as the listing of its
            directory at the source is over), or before.
        backup: Where what is replaced or deleted is kept, under the same path; no backup is ever overwritten.
        suffix: What the name of a backup ends with; without ``backup`` it stands beside the new object.
        suffix_keep_extension: Put the suffix before the extension.
        compare_with: Places to look at as well: what is equal there is not copied.
        copy_from: Places to look at as well: what is equal there is copied from there.
        track_renames: Rename at the destination what has only another path at the source, on proof of its content.
        rename_by: What narrows down the candidates for that: ``hash``, ``modtime``, ``leaf``; the content decides.
        order_by: In which order to transfer: ``size``, ``name`` or ``modtime``, with ``,desc`` or ``,mixed``.
        check_first: Make the whole plan before the first change.
        traverse: List the destination; otherwise each object of the source is looked up there.
        check_dest: Look at the destination at all; otherwise all is copied.
        inplace: Write under the final name; an object that is being written, or was when the process was killed,
            is neither the old nor the new one.
        attempts: How often a transfer or delete is tried in all, if its failure may pass.
        attempts_wait: Seconds between two rounds of attempts.
        transfers: Transfers side by side.
        part_cutoff: Objects from so many bytes on are sent part by part, so that a run after one that was killed goes
            on from the last part; None sends each in one go.
        part_streams: Parts of one object side by side, where not both sides are files of this machine. None leaves it
            to the destination: 4, and 2 for S3, where a kill then costs less than two parts.
        checkers: Questions to storages side by side.
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
    metadata: bool = False
    metadata_set: Mapping[str, str] = {}
    metadata_mapper: str = ""
    metadata_filter: MetadataFilter | None = None
    verify: bool = False
    max_delete: int | None = None
    max_delete_size: int | None = None
    unicode_normalization: bool = True
    ignore_case_sync: bool = False
    fix_case: bool = False
    name_transform: tuple[str, ...] = ()
    allow_empty_source: bool = False
    max_transfer: int | None = None
    cutoff: Literal["HARD", "SOFT", "CAUTIOUS"] = "HARD"
    max_duration: float | None = None
    delete_mode: Literal["after", "during", "before"] = "after"
    backup: Storage | None = None
    suffix: str = ""
    suffix_keep_extension: bool = False
    compare_with: tuple[Storage, ...] = ()
    copy_from: tuple[Storage, ...] = ()
    track_renames: bool = False
    rename_by: frozenset[Literal["hash", "modtime", "leaf"]] = frozenset(("hash",))
    order_by: str = ""
    check_first: bool = False
    traverse: bool = True
    check_dest: bool = True
    inplace: bool = False
    attempts: int = 1
    attempts_wait: float = 0.0
    transfers: int = 4
    part_cutoff: int | None = 32 << 20
    part_streams: int | None = None
    checkers: int = 8
    dry_run: bool = False
    every: bool = False


def policy_for(src: Driver, dst: Driver, options: Options, *, delete: bool = False, move: bool = False) -> Policy:
    """Return how a run between these two decides: what was asked for, as far as both can."""
    one, two = src.features, dst.features
    window = max(one.precision, two.precision)
    if options.modify_window is not None:
        window = max(window, round(options.modify_window * 1e9))
    altered = bool(options.metadata_set or options.metadata_mapper)
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
        metadata=options.metadata and (two.metadata or two.attributes),
        metadata_listed=one.listed_metadata and two.listed_metadata and not altered,
        follows_links=getattr(src.options, "links", "") == "follow",
        has_times=has_times,
        has_dirs=two.mkdir,
        hash_name=common_hash(src, dst),
    )
