"""What stops a run before its first change."""

from __future__ import annotations

from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError
from omnistorage.core.units import format_size

from .filters import Filter
from .options import Options
from .spelling import Spelling


class GuardError(StorageError):
    """The run was refused before anything was changed; the message says what would allow it."""

    says = "refused"


def relation(src: Driver, dst: Driver) -> str | None:
    """Say how two places lie to each other, whatever way they were named.

    Returns ``""`` if they are the same, the path of the destination within the source, ``".."`` if the source lies
    within the destination, or None if they are apart.
    """
    *one, src_path = src.identity()
    *two, dst_path = dst.identity()
    if one != two:
        return None
    if dst.features.case_insensitive:
        # Two spellings of a place are one place.
        key = Spelling(case=True).key
        src_path, dst_path = key(src_path), key(dst_path)
    if src_path == dst_path:
        return ""
    if dst_path.startswith(src_path.rstrip("/") + "/") or not src_path:
        return dst_path[len(src_path) :].strip("/")
    if src_path.startswith(dst_path.rstrip("/") + "/") or not dst_path:
        return ".."
    return None


def refuse_overlap(src: Driver, dst: Driver, chosen: Filter) -> None:
    """Refuse to make a place like itself or a part of itself.

    Raises:
        GuardError: Source and destination overlap, and no filter keeps them apart.
    """
    between = relation(src, dst)
    if between is None or (between and chosen.files is not None and len(chosen.files) == 1):
        # One object in two folders is two objects, wherever these lie.
        return
    if between == "":
        raise GuardError("source and destination are the same place")
    if between == "..":
        raise GuardError("the source lies inside the destination; its files would be deleted as extraneous")
    if chosen.is_trivial or chosen.allows_dir(between):
        raise GuardError(f"the destination lies inside the source; exclude it: --exclude '/{between}/**'")


def refuse_contradictions(options: Options, *, delete: bool) -> None:
    """Refuse what cannot be asked for at once.

    Raises:
        GuardError: Two options exclude each other.
    """
    if delete and options.track_renames and options.delete_mode == "before":
        raise GuardError("--track-renames needs what --delete-before would have deleted; choose one of them")
    if not options.check_dest:
        if delete:
            raise GuardError("--no-check-dest cannot be used with sync: what to delete is seen at the destination")
        if options.backup is not None or options.suffix or options.immutable or options.ignore_existing:
            raise GuardError(
                "--no-check-dest cannot be used with --backup-dir, --suffix, --immutable or --ignore-existing"
            )
    if options.order_by:
        from .ordering import parse_order

        parse_order(options.order_by)


def refuse_backup_overlap(src: Driver, dst: Driver, options: Options) -> None:
    """Refuse to keep backups where the run itself reads or deletes.

    Raises:
        GuardError: The place of backups overlaps source or destination, and no filter keeps them apart.
    """
    if options.backup is None:
        return
    place = options.backup.driver
    if relation(dst, place) == "" and not options.suffix:
        raise GuardError("--backup-dir is the destination itself; name another folder, or give a --suffix")
    for driver, name in ((dst, "destination"), (src, "source")):
        between = relation(driver, place)
        if between is None or (between == "" and name == "destination"):
            continue
        if between == "":
            raise GuardError("--backup-dir is the source itself; name another folder")
        if between == "..":
            raise GuardError(f"the {name} lies inside --backup-dir; name another folder")
        if options.filter.is_trivial or options.filter.allows_dir(between):
            raise GuardError(f"--backup-dir lies inside the {name}; exclude it: --exclude '/{between}/**'")


def refuse_empty_source() -> None:
    """Refuse to delete everything because the source holds nothing.

    Raises:
        GuardError: Always.
    """
    raise GuardError(
        "the source is empty, so everything at the destination would be deleted; "
        "if that is meant: --allow-empty-source"
    )


def refuse_deletes(count: int, size: int, max_delete: int | None, max_delete_size: int | None) -> None:
    """Refuse a plan that deletes more than allowed.

    Args:
        count: Objects that would be deleted.
        size: Their size in bytes.
        max_delete: Most objects that may be deleted; None for no limit.
        max_delete_size: Most bytes that may be deleted; None for no limit.

    Raises:
        GuardError: It would delete more.
    """
    if max_delete is not None and count > max_delete:
        raise GuardError(f"{count} objects would be deleted, --max-delete allows {max_delete}; nothing was changed")
    if max_delete_size is not None and size > max_delete_size:
        raise GuardError(
            f"{format_size(size)} would be deleted, --max-delete-size allows {format_size(max_delete_size)}; "
            "nothing was changed"
        )
