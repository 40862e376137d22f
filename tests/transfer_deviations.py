"""Where a transfer ends otherwise than rclone's, on purpose: when that is so, and what our result must be then.

The letters are those of the deviations for safety; ``-`` is a difference that is not about safety. Each model is
about certain cases only, and states the whole result of ours: what rclone makes of another case that differs in the
very point, or rclone's result with some paths changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from omnistorage.core.units import parse_duration
from omnistorage.sync.backup import numbered, with_suffix
from transfer_scenes import Again, Case, Ended, File, Tree, World, above_all, below, clashing, drop

FILTERS = (
    *("--exclude", "--include", "--filter", "--min-size", "--max-size", "--max-depth", "--max-age", "--files-from"),
)
FAILED = 1
CRASHED = 2
REFUSED = 7
LIMIT = 8


class Expected(NamedTuple):
    """What our run must leave behind, the exit codes that it may have, and the deviations that make it so."""

    ended: Ended
    codes: frozenset[int]
    why: str = ""


def expected(case: Case, theirs: Ended, again: Again) -> Expected:
    """Say what our result must be, given rclone's; ``again`` asks rclone about other cases."""
    if case.has("--dry-run") and case.command != "check":
        return _as_in_earnest(case, again)
    if theirs.code == REFUSED and case.has("--copy-dest"):
        return _copied_from_there(case, again)
    if theirs.code == CRASHED and (alive := _without_a_crash(case, again)):
        return alive
    if theirs.code == FAILED and (found := _without_folder_elsewhere(case, again) or _beside_a_folder(case, again)):
        return found
    if theirs.code == LIMIT and case.has("--inplace") and (kept := _not_in_place(case, theirs, again)):
        return kept
    if clashes := _clashes(case, again):
        return _without_clashes(case, clashes, again)
    if case.command == "sync" and (refused := _guarded(case, theirs, again)):
        return refused
    failed = theirs.code not in (0, REFUSED, LIMIT) and not case.has("--ignore-errors")
    if failed and (going_on := _in_spite_of_failures(case, theirs, again)):
        return going_on
    if case.value("--cutoff-mode") == "CAUTIOUS":
        plain = case.without("--max-transfer", "--cutoff-mode")
        return _up_to_the_limit(case, theirs, again) or expected(plain, again(plain), again)
    if case.has("--track-renames-strategy") and (proven := _by_content(case, theirs, again)):
        return proven
    world = {folder: dict(tree) for folder, tree in theirs.world.items()}
    codes = {theirs.code}
    why = [
        *_unproven_moves(case, world, codes, again),
        *_kept_objects(case, world, codes),
        *_empty_files(case, world),
        *_older_backups(case, world),
        *_too_deep(case, theirs, world),
        *_times_of_renamed(case, world),
        *_folders_for_nothing(case, theirs, world),
    ]
    return Expected(theirs._replace(world=world), frozenset(codes), "; ".join(sorted(set(why))))


def _named(found: Expected, why: str, *codes: int) -> Expected:
    """Add a deviation to what is expected already."""
    return Expected(found.ended, frozenset(codes) or found.codes, "; ".join(filter(None, (why, found.why))))


def _as_in_earnest(case: Case, again: Again) -> Expected:
    """Say that a dry run has the exit code of the run itself and changes nothing.

    That of rclone takes no notice of clashes, of deletes that a guard would refuse, and of folders that are there.
    """
    real = case.without("--dry-run")
    found = expected(real, again(real), again)
    return Expected(Ended(0, case.world, []), found.codes, found.why)


# a: a source is deleted only if its bytes are at the destination


def _unproven_moves(case: Case, world: World, codes: set[int], again: Again) -> Iterator[str]:
    """Say what becomes of pairs that rclone takes for equal, or leaves alone, and deletes at the source.

    What ``--update`` leaves alone, what is only in a place to compare with, and what is ``--immutable``, stays where
    it is. What else is equal by size and time, but not in content, is moved.
    """
    if not case.command.startswith("move"):
        return
    for src_path, dst_path in _pairs_of(case):
        src, dst = case.world["s"].get(src_path), case.world["d"].get(dst_path)
        now = world["d"].get(dst_path)
        if src is None or dst is None or now is None or src_path in world["s"] or now[0] != dst[0]:
            continue
        stays = ""
        if case.has("-u") and not case.has("-I", "--no-check-dest") and dst[1] - src[1] >= _window(case):
            stays = "a: what --update leaves alone stays at the source"
        elif src[0] == dst[0] and not case.has("-I"):
            continue
        elif case.has("--compare-dest") and _is_elsewhere(case, dst_path, again):
            stays = "a: what is only in a place to compare with stays at the source"
        elif case.has("--immutable"):
            stays = "a: immutable, and equal but not in content, fails"
            codes.clear()
            codes.add(6)
        elif src[0] == dst[0]:
            continue
        if stays:
            world["s"] |= dict.fromkeys(above_all(src_path)) | {src_path: src}
            yield stays
        else:
            world["d"][dst_path] = src
            _keep(case, world, dst_path, dst)
            yield "a: equal, but not in content, is moved"


def _without_a_crash(case: Case, again: Again) -> Expected | None:
    """Say that one object stays which is only in a place to compare with; rclone 1.75 falls over it."""
    if not case.command.startswith("move") or not case.has("--compare-dest") or "/" not in case.sides[0]:
        return None
    ((_, dst_path),) = _pairs_of(case)
    if dst_path in case.world["d"] or not _is_elsewhere(case, dst_path, again):
        return None
    why = "a: what is only in a place to compare with stays at the source"
    return Expected(Ended(0, case.world, []), frozenset({0}), why)


def _kept_objects(case: Case, world: World, codes: set[int]) -> Iterator[str]:
    """Say that ``--immutable`` is about a single object, too."""
    if not case.has("--immutable") or "/" not in case.sides[0] or case.has("--ignore-existing"):
        return
    ((_, dst_path),) = _pairs_of(case)
    dst = case.world["d"].get(dst_path)
    if dst is not None and world["d"].get(dst_path) != dst:
        world |= {folder: dict(tree) for folder, tree in case.world.items()}
        codes.clear()
        codes.add(6)
        yield "-: a single object is immutable, too"


def _is_elsewhere(case: Case, path: str, again: Again) -> bool:
    """Say whether rclone would not copy this path into an empty destination, as it is in a place to compare with."""
    empty = case._replace(command=case.command.replace("move", "copy"), world=case.world | {"d": {}})
    wanted = empty.without(
        "--dry-run", "--backup-dir", "--suffix", "--suffix-keep-extension", "--delete-empty-src-dirs"
    )
    return path not in again(wanted).world["d"]


def _pairs_of(case: Case) -> list[tuple[str, str]]:
    source, dest = (side.partition("/")[2] for side in case.sides)
    if not source:
        return [(path, path) for path in case.world["s"]]
    if case.command.endswith("to"):
        return [(source, dest)]
    name = source.rpartition("/")[2]
    return [(source, f"{dest}/{name}" if dest else name)]


def _window(case: Case) -> int:
    text = case.value("--modify-window")
    return max(1, round((parse_duration(text) or 0) * 10**9)) if text else 1


# b: deletes are held up only below folders that could not be listed


def _in_spite_of_failures(case: Case, theirs: Ended, again: Again) -> Expected | None:
    """Say that deletes, also of empty folders, are done where something else failed."""
    in_spite = _in_spite(case)
    ended = again(in_spite)
    if ended.world == theirs.world:
        return None
    return _named(expected(in_spite, ended, again), "b: a failure elsewhere holds up no deletes")


def _in_spite(case: Case) -> Case:
    return case._replace(flags=(*case.flags, ("--ignore-errors",)))


# c: guards come before the first change


def _guarded(case: Case, theirs: Ended, again: Again) -> Expected | None:
    """Say that nothing at all is changed where rclone stops midway, or empties the destination."""
    # After a failure rclone deletes nothing, and so comes to no limit.
    limited = theirs.code and case.has("--max-delete", "--max-delete-size")
    if limited and REFUSED in (theirs.code, again(_in_spite(case)).code):
        return _untouched(case, "c: more deletes than allowed are refused")
    if case.world["s"] or case.has("--files-from") or case.world["d"].keys() <= theirs.world["d"].keys():
        return None
    return _untouched(case, "c: an empty source is refused")


def _untouched(case: Case, why: str) -> Expected:
    return Expected(Ended(REFUSED, case.world, []), frozenset((REFUSED,)), why)


# d: a failed copy leaves the old object where it was, and a backup replaces no other


def _not_in_place(case: Case, theirs: Ended, again: Again) -> Expected | None:
    """Say that what a limit cuts short in its own place leaves what it would have without ``--inplace``."""
    elsewhere = case.without("--inplace")
    ended = again(elsewhere)
    if ended.world == theirs.world:
        return None
    return _named(expected(elsewhere, ended, again), "d: a failed copy leaves the old object")


def _keep(case: Case, world: World, path: str, old: File) -> None:
    """Enter the backup of a file that ours replaces and rclone does not."""
    folder = "b" if case.has("--backup-dir") else "d"
    suffix = case.value("--suffix") or ""
    if folder == "b" or suffix:
        if "/" in case.sides[0]:  # the place of one object is the folder that it goes into
            path = path.rpartition("/")[2]
        name = with_suffix(path, suffix, keep_extension=case.has("--suffix-keep-extension"))
        world[folder] |= dict.fromkeys(above_all(name)) | {name: old}


def _beside_a_folder(case: Case, again: Again) -> Expected | None:
    """Say that a backup gets a number where a directory has its name, which rclone fails to replace."""
    if "/" not in case.sides[0] or not case.has("--backup-dir"):
        return None
    ((_, dst_path),) = _pairs_of(case)
    suffix, keep = case.value("--suffix") or "", case.has("--suffix-keep-extension")
    name = with_suffix(dst_path.rpartition("/")[2], suffix, keep_extension=keep)
    if case.world["b"].get(name, "nothing") is not None:
        return None
    other = {folder: dict(tree) for folder, tree in case.world.items()}
    drop(other["b"], name)
    less = case._replace(world=other)
    found = expected(less, again(less), again)
    kept = dict(found.ended.world["b"])
    backup = {numbered(name, 1): kept.pop(name)} if name in kept else {}
    world = found.ended.world | {"b": kept | below(case.world["b"], name) | backup}
    return _named(found._replace(ended=found.ended._replace(world=world)), "d: a backup replaces no other")


def _older_backups(case: Case, world: World) -> Iterator[str]:
    """Say that a backup which was there stays, and that the new one gets a number."""
    for path, old in case.world["b"].items():
        new = world["b"][path]
        if new != old and new is not None:
            world["b"] |= {path: old, numbered(path, 1): new}
            yield "d: a backup replaces no other"


# e: a rename needs evidence from the content


def _by_content(case: Case, theirs: Ended, again: Again) -> Expected | None:
    """Say that the destination is what it is without renames, where rclone gives a file the content of another."""
    plain = case.without("--track-renames", "--track-renames-strategy")
    copied = again(plain)
    if _contents(copied.world["d"]) == _contents(theirs.world["d"]):
        return None
    return _named(expected(plain, copied, again), "e: renames need equal content")


def _empty_files(case: Case, world: World) -> Iterator[str]:
    """Say that an empty file is no other under a new name: it is backed up, and made anew."""
    if not case.has("--track-renames") or not case.has("--backup-dir", "--suffix"):
        return
    for path, old in case.world["d"].items():
        if old is not None and not old[0] and path not in world["d"]:
            before = {folder: dict(tree) for folder, tree in world.items()}
            _keep(case, world, path, old)
            if world != before:
                yield "-: an empty file is not renamed"


def _contents(tree: Tree) -> dict[str, bytes | None]:
    return {path: None if file is None else file[0] for path, file in tree.items()}


# i: a clash is reported and blocks nothing else


def _clashes(case: Case, again: Again) -> list[str]:
    """Return the paths that the filters leave to both sides, as a file here and as a directory there."""
    found = clashing(case.world["s"], case.world["d"])
    if not found or "/" in case.sides[0] or case.command == "check":
        return []
    flags = tuple(flag for flag in case.flags if flag[0] in FILTERS)
    if not flags:
        return found
    src, dst = (
        _selected(case, side, () if side == "d" and case.has("--delete-excluded") else flags, again) for side in "sd"
    )
    files = case.has("--files-from")
    return [path for path in found if _holds(src, path, files=files) and _holds(dst, path, files=files)]


def _selected(case: Case, side: str, flags: tuple[tuple[str, ...], ...], again: Again) -> list[str]:
    return again(case._replace(command="lsf", sides=(side,), flags=(*flags, ("-R",)))).lines


def _holds(lines: list[str], path: str, *, files: bool) -> bool:
    """Say whether a path is among those selected, or one below it; of a list of files, folders are no part."""
    here = {path} if files else {path, f"{path}/"}
    return any(line in here or (line.startswith(f"{path}/") and not line.endswith("/")) for line in lines)


def _without_folder_elsewhere(case: Case, again: Again) -> Expected | None:
    """Say that a directory is no object to compare with or to copy from, where rclone fails one that has its name."""
    name = case.sides[0].rpartition("/")[2]
    if "/" not in case.sides[0] or not case.has("--compare-dest", "--copy-dest"):
        return None
    if case.world["r"].get(name, "nothing") is not None:
        return None
    other = {folder: dict(tree) for folder, tree in case.world.items()}
    drop(other["r"], name)
    less = case._replace(world=other)
    found = expected(less, again(less), again)
    world = found.ended.world | {"r": case.world["r"]}
    return _named(found._replace(ended=found.ended._replace(world=world)), "i: a clash blocks nothing else")


def _without_clashes(case: Case, clashes: list[str], again: Again) -> Expected:
    """Say that clashes stay as they are, and that all else becomes what it does where there are no clashes."""
    rest = {folder: dict(tree) for folder, tree in case.world.items()}
    for path in clashes:
        drop(rest["s"], path)
        drop(rest["d"], path)
    if not rest["s"]:
        rest["s"] = dict(_SOMETHING)  # the source is not empty
    clean = case._replace(world=rest)
    found = expected(clean, again(clean), again)
    for path in _SOMETHING:
        for tree in found.ended.world.values():
            tree.pop(path, None)
    for side in "sd":
        for path in clashes:
            found.ended.world[side] |= _left(case, side, path)
    refused = found.codes == {REFUSED}
    return _named(found, "i: a clash blocks nothing else", *(found.codes - {0}), *(() if refused else (1,)))


def _left(case: Case, side: str, path: str) -> Tree:
    """Return what stays of a clash: all, but for empty folders of the source that were to be removed."""
    tree = below(case.world[side], path)
    if side == "d" or not case.has("--delete-empty-src-dirs"):
        return tree
    used = {above for other, file in tree.items() if file is not None for above in above_all(other)}
    return {other: file for other, file in tree.items() if file is not None or other in used}


_SOMETHING: Tree = {"~": None}


# not for safety: what rclone cannot do between folders of one machine


def _copied_from_there(case: Case, again: Again) -> Expected:
    """Say that ``--copy-dest`` copies what ``--compare-dest`` would leave out from where it was found."""
    plain = case.without("--copy-dest")
    found = expected(plain, again(plain), again)
    left_out = again(case.without("--copy-dest")._replace(flags=(*plain.flags, ("--compare-dest", "@r"))))
    # A move takes only what is equal to the byte.
    tree, ref = found.ended.world["d"], case.world["r"] if not case.command.startswith("move") else {}
    for path, file in tree.items():
        other = ref.get(path)
        if file is not None and other is not None and left_out.world["d"].get(path) != file:
            tree[path] = (other[0], file[1])
    return _named(found, "-: --copy-dest works between local folders")


def _folders_for_nothing(case: Case, theirs: Ended, world: World) -> Iterator[str]:
    """Say that ours makes no folder for a file which a limit keeps from being copied."""
    if not case.has("--max-transfer") or theirs.code != LIMIT or case.has("--create-empty-src-dirs"):
        return
    tree = world["d"]
    for path in sorted(tree, reverse=True):
        if tree[path] is None and path not in case.world["d"] and len(below(tree, path)) == 1:
            del tree[path]
            yield "-: no folder is made for a file that a limit leaves out"


def _too_deep(case: Case, theirs: Ended, world: World) -> Iterator[str]:
    """Say that ``--delete-excluded`` deletes all that lies too deep, as rclone documents and does not always do."""
    depth = case.value("--max-depth")
    if case.command != "sync" or depth is None or not case.has("--delete-excluded") or theirs.code:
        return
    tree = world["d"]
    for path, file in list(tree.items()):
        if path.count("/") >= int(depth):
            del tree[path]
            if file is not None:
                _keep(case, world, path, file)
            yield "-: all that lies too deep is excluded"


def _times_of_renamed(case: Case, world: World) -> Iterator[str]:
    """Say that what was renamed has the time of its twin at the source."""
    if not case.has("--track-renames"):
        return
    for path, file in world["d"].items():
        src = case.world["s"].get(path)
        if file is not None and src is not None and path not in case.world["d"] and file[1] != src[1]:
            world["d"][path] = (file[0], src[1])
            yield "-: a renamed file has the time of the source"


def _up_to_the_limit(case: Case, theirs: Ended, again: Again) -> Expected | None:
    """Say that CAUTIOUS reaches the limit and goes on with what still fits, where rclone stays below it and stops."""
    room = int((case.value("--max-transfer") or "").rstrip("b"))
    dst = dict(case.world["d"])
    full = again(case.without("--max-transfer", "--cutoff-mode", *_SYNC_ONLY)._replace(command="copy")).world["d"]
    unseen = case.has("-I", "--no-check-dest") and not case.has("--ignore-existing")
    left_out = []
    for path in sorted(full):
        new, old = full[path], case.world["d"].get(path)
        if new == old and path in case.world["d"] and not (new is not None and unseen and path in case.world["s"]):
            continue
        touched = new is not None and old is not None and new[0] == old[0] and not unseen
        size = 0 if new is None or touched else len(new[0])
        if size > room:
            left_out.append(path)
            continue
        room -= size
        if new is not None:
            dst |= dict.fromkeys(above_all(path)) | {path: new}
        elif case.has("--create-empty-src-dirs"):
            dst[path] = None
    if not left_out:
        return None
    ended = Ended(LIMIT, case.world | {"d": dst}, theirs.lines)
    return Expected(
        ended, frozenset((LIMIT,)), "-: CAUTIOUS goes on with what fits" if dst != theirs.world["d"] else ""
    )


_SYNC_ONLY = ("--delete-before", "--delete-during", "--delete-after", "--delete-excluded")
