"""Random trees and flags of transfers, as strategies of hypothesis, and what both programs are compared by."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from hypothesis import strategies as st

from sync_scenes import WHEN

SECOND: Final = 10**9

File = tuple[bytes, int]
"""Content, and time of modification in nanoseconds."""

Tree = dict[str, File | None]
"""Path to file; None for a directory."""

World = dict[str, Tree]
"""All folders that a run may touch, with all that is in them: ``s``, ``d`` and so on."""


class Case(NamedTuple):
    """One run, and what is there before.

    Attributes:
        command: What to do.
        world: The folders ``s``, ``d``, ``r`` (to compare with) and ``b`` (of backups).
        sides: Where from and where to, below the folder of the case.
        flags: Flags, each with its values; ``@x`` stands for a path below the folder of the case.
        listed: The lines of the file ``@list``.
    """

    command: str
    world: World
    sides: tuple[str, ...]
    flags: tuple[tuple[str, ...], ...] = ()
    listed: tuple[str, ...] = ()

    def has(self, *names: str) -> bool:
        """Say whether one of these flags is given."""
        return any(flag[0] in names for flag in self.flags)

    def value(self, name: str) -> str | None:
        """Return the value of a flag; None if it is not given."""
        return next((flag[1] for flag in self.flags if flag[0] == name), None)

    def without(self, *names: str) -> Case:
        """Return the case without some flags."""
        return self._replace(flags=tuple(flag for flag in self.flags if flag[0] not in names))

    def words(self, root: Path) -> list[str]:
        """Return the command line."""
        words = [word for flag in self.flags for word in flag]
        words = [f"{root}/{word[1:]}" if word.startswith("@") else word for word in words]
        return [self.command, *(f"{root}/{side}" for side in self.sides), *words]


class Ended(NamedTuple):
    """What a run leaves behind: its exit code, all folders, and the lines of a report in order."""

    code: int
    world: World
    lines: list[str]


def plant(case: Case, root: Path) -> None:
    """Make the folders of a case."""
    for folder, tree in case.world.items():
        (root / folder).mkdir()
        for path, file in tree.items():
            place = root / folder / path
            if file is None:
                place.mkdir(parents=True, exist_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file[0])
                os.utime(place, ns=(file[1], file[1]))
    (root / "list").write_text("".join(f"{line}\n" for line in case.listed), "utf-8")


def look(root: Path) -> World:
    """Return all folders as they are; temporary files and leftovers count."""
    return {one.name: _tree(one) for one in sorted(root.iterdir()) if one.is_dir()}


def _tree(folder: Path) -> Tree:
    tree: Tree = {}
    for above, dirs, files in os.walk(folder):
        here = Path(above)
        tree |= {(here / name).relative_to(folder).as_posix(): None for name in dirs}
        for name in files:
            place = here / name
            tree[place.relative_to(folder).as_posix()] = (place.read_bytes(), place.stat().st_mtime_ns)
    return tree


_CONTENTS: Final = [b"", b"1", b"2", b"aa", b"bb", b"ccc"]
_TIMES: Final = [0, 0, 0, 1, 50_000_000, SECOND, -SECOND, SECOND + SECOND // 2, 3600 * SECOND, -86400 * SECOND]
_TOPS: Final = ["a", "b", "a-b", "a.b", ".a"]
_NAMES: Final = [*_TOPS, "a b", " a", "é", "x.txt", "y.tar.gz", "A"]

_files = st.tuples(st.sampled_from(_CONTENTS), st.sampled_from(_TIMES).map(lambda since: WHEN + since))
_paths = st.builds(
    lambda above, name: "/".join([*above, name]),
    st.lists(st.sampled_from(_TOPS), max_size=2),
    st.sampled_from(_NAMES),
)


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[File | None, File | None, File | None]:
    """Draw what stands at one path at the source, at the destination and in a folder to compare with."""
    src = draw(_files)
    other = draw(_files)
    # Equal size and time, or an equal content at another time, would hardly be drawn by chance.
    twin = draw(st.sampled_from([c for c in _CONTENTS if len(c) == len(src[0])]))
    near = draw(st.sampled_from([src, (src[0], other[1]), (twin, src[1]), other]))
    ref = draw(st.sampled_from([None, src, (twin, src[1]), (src[0], other[1]), other]))
    here, there = draw(st.sampled_from([(1, 1), (1, 1), (1, 0), (0, 1)]))
    return (src if here else None), (near if there else None), ref


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw all folders; a file may stand where the other side has a directory."""
    src: Tree = {}
    dst: Tree = {}
    ref: Tree = {}
    for path in draw(st.lists(_paths, max_size=8, unique=True)):
        here, there, other = draw(_pairs())
        _add(src, path, here)
        _add(dst, path, there)
        _add(ref, path, other)
    for path in draw(st.lists(_paths, max_size=2)):
        _add(draw(st.sampled_from([src, dst])), path, None, empty=True)
    # Where a place to compare with has a directory, rclone gives up.
    for path in clashing(src, ref):
        drop(ref, path)
    backup: Tree = {}
    for path in dst:
        if dst[path] is not None and draw(st.integers(0, 3)) == 0:
            _add(backup, path + draw(st.sampled_from(["", ".bak"])), (b"kept before", WHEN))
    return {"s": whole(src), "d": whole(dst), "r": whole(ref), "b": whole(backup)}


def _add(tree: Tree, path: str, file: File | None, *, empty: bool = False) -> None:
    blocked = any(tree.get(above) is not None for above in above_all(path))
    below = any(other.startswith(f"{path}/") for other in tree)
    if (file is not None or empty) and not blocked and not below and path not in tree:
        tree[path] = file


def whole(tree: Tree) -> Tree:
    """Return a tree with all directories named."""
    return {above: None for path in tree for above in above_all(path)} | tree


def above_all(path: str) -> list[str]:
    """Return the directories above a path, the deepest first; without the root."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def clashing(src: Tree, dst: Tree) -> list[str]:
    """Return the paths that are a file on one side and a directory on the other."""
    one, two = whole(src), whole(dst)
    found = [path for path in one if path in two and (one[path] is None) != (two[path] is None)]
    return [path for path in found if not any(above in found for above in above_all(path))]


def below(tree: Tree, path: str) -> Tree:
    """Return a path of a tree, and all below it."""
    return {other: file for other, file in tree.items() if other == path or other.startswith(f"{path}/")}


def drop(tree: Tree, path: str) -> None:
    """Take a path out of a tree, and all below it."""
    for other in below(tree, path):
        tree.pop(other)


_COMPARES: Final = [
    *([()] * 6),
    *([(flag,)] for flag in ("-c", "-u", "-I", "--size-only", "--ignore-existing", "--ignore-size", "--immutable")),
    *([("-u",), (flag,)] for flag in ("-c", "--size-only", "--ignore-size", "--immutable", "-I")),
    [("-c",), ("--ignore-size",)],
    [("-c",), ("--immutable",)],
    [("--ignore-existing",), ("-I",)],
]
_FILTERS: Final = [
    *[("--exclude", glob) for glob in ("a/**", "/a/", "*.txt", "b", "/b/*", "a-b/**")],
    *[("--include", glob) for glob in ("*.txt", "a/**", "/b", "{a,b}*", "/a*/**")],
    *[("--filter", rule) for rule in ("- /a/b", "- *.bak")],
    *[("--min-size", "1b"), ("--max-size", "1b"), ("--max-depth", "1"), ("--max-depth", "2")],
    *[("--max-age", "2023-11-14T22:13:22Z"), ("--files-from", "@list"), ("--files-from", "@list")],
]
_BACKUPS: Final = [
    [("--backup-dir", "@b")],
    [("--backup-dir", "@b"), ("--suffix", ".bak")],
    [("--backup-dir", "@b"), ("--suffix", "-old"), ("--suffix-keep-extension",)],
    [("--suffix", ".bak")],
    [("--suffix", ".bak"), ("--suffix-keep-extension",)],
    [("--suffix", ".bak"), ("--exclude", "*.bak")],
]
IN_ORDER: Final = (("--transfers", "1"), ("--checkers", "1"), ("--check-first",), ("--order-by", "name"))
"""What makes rclone begin transfers in an order that is known."""


_NOT_LIMITED: Final = (
    *("--backup-dir", "--suffix", "--suffix-keep-extension", "--copy-dest", "--max-delete", "--max-delete-size"),
    *("--track-renames", "--track-renames-strategy"),
)
"""What is not tried with a limit to transfers: what is left then depends on more than their order."""


@st.composite
def _flags(draw: st.DrawFn, command: str, *, single: bool = False) -> list[tuple[str, ...]]:
    sync, moves = command == "sync", command.startswith("move")
    # With --compare-dest, rclone fails to set the times of folders that it has not made.
    flags: list[tuple[str, ...]] = [("--no-update-dir-modtime",), *draw(st.sampled_from(_COMPARES))]

    def maybe(often: int, *some: tuple[str, ...]) -> bool:
        chosen = draw(st.integers(1, often)) == 1
        if chosen:
            flags.append(draw(st.sampled_from(some)))
        return chosen

    maybe(6, *(("--modify-window", text) for text in ("1s", "1500ms", "2s", "1ns", "1h1s")))
    maybe(8, ("--no-update-modtime",))
    maybe(8, ("--inplace",))
    maybe(10, ("--dry-run",))
    if not single:
        maybe(6, *_FILTERS)
    if not single and not command.endswith("to"):
        maybe(5, ("--create-empty-src-dirs",))
    if draw(st.integers(1, 5)) == 1:
        flags += draw(st.sampled_from(_BACKUPS[:3] if single else _BACKUPS))
    elif not sync and not single and not {("--immutable",), ("--ignore-existing",)} & set(flags):
        maybe(8, ("--no-check-dest",))
    # Ours takes what differs for a failure before it looks elsewhere, rclone after.
    if ("--immutable",) not in flags:
        maybe(6, ("--compare-dest", "@r"), ("--compare-dest", "@r"), ("--copy-dest", "@r"))
    if not sync and not single:
        maybe(6, ("--no-traverse",))
    if command == "move":
        maybe(3, ("--delete-empty-src-dirs",))
    if sync:
        when = maybe(2, ("--delete-before",), ("--delete-during",), ("--delete-after",))
        early = when and flags[-1] == ("--delete-before",)
        maybe(5, *(("--max-delete", number) for number in "0123"), *(("--max-delete-size", f"{n}b") for n in "0135"))
        if any(flag in _FILTERS for flag in flags):
            maybe(3, ("--delete-excluded",))
        if not early and maybe(4, ("--track-renames",)):
            maybe(2, *(("--track-renames-strategy", text) for text in ("modtime", "leaf", "modtime,leaf")))
    if ("--track-renames",) in flags:
        # Of what might be a rename, rclone does not look whether it is in a place to compare with.
        flags = [flag for flag in flags if flag[0] not in ("--compare-dest", "--copy-dest")]
    if ("--files-from", "@list") in flags:
        # Then rclone makes folders of paths that are not there.
        flags = [flag for flag in flags if flag[0] != "--create-empty-src-dirs"]
    # A move on one disk transfers no bytes by rclone's count, so that no limit ends it.
    if not single and not moves and draw(st.integers(1, 10)) == 1:
        flags = [flag for flag in flags if flag[0] not in _NOT_LIMITED]
        flags += [("--max-transfer", draw(st.sampled_from(["1b", "2b", "3b", "5b"]))), *IN_ORDER]
        maybe(2, ("--cutoff-mode", "SOFT"), ("--cutoff-mode", "CAUTIOUS"), ("--cutoff-mode", "HARD"))
    else:
        maybe(8, ("--check-first",))
        maybe(8, *(("--order-by", text) for text in ("name", "size,desc", "modtime,mixed")))
    return flags


_listed = st.lists(_paths, max_size=6, unique=True).map(tuple)


def _listable(world: World, listed: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what lies below a file: there is nothing for ours, and a failure for rclone."""
    files = {path for side in "sd" for path, file in world[side].items() if file is not None}
    return tuple(path for path in listed if not files.intersection(above_all(path)))


@st.composite
def folder_cases(draw: st.DrawFn) -> Case:
    """Draw a run from one folder into another."""
    command = draw(st.sampled_from(["sync", "sync", "copy", "move", "copyto", "moveto"]))
    flags = draw(_flags(command))
    world = draw(worlds())
    case = Case(command, world, ("s", "d"), tuple(flags), _listable(world, draw(_listed)))
    if case.has("--max-delete", "--max-delete-size"):
        # To replace a backup counts as a delete with rclone.
        case.world["b"].clear()
    if case.has("--no-check-dest"):
        for path in clashing(case.world["s"], case.world["d"]):
            drop(case.world["d"], path)
    return case


@st.composite
def object_cases(draw: st.DrawFn) -> Case:
    """Draw a run from one object to another name, or into a folder."""
    command = draw(st.sampled_from(["copyto", "moveto", "copyto", "moveto", "copy", "move", "sync"]))
    world = draw(worlds())
    name = draw(_paths)
    world["s"] = {"only": (b"1", WHEN), **world["s"]}
    one = draw(st.sampled_from(sorted(path for path, file in world["s"].items() if file is not None)))
    other = draw(st.sampled_from([one, one, name]))
    flags = draw(_flags(command, single=True))
    into = f"d/{other}" if command.endswith("to") else draw(st.sampled_from(["d", "d/a"]))
    # Where a place to compare with has a directory, rclone gives up.
    name = (into if command.endswith("to") else one).rpartition("/")[2]
    if world["r"].get(name, (b"", 0)) is None:
        drop(world["r"], name)
    return Case(command, world, (f"s/{one}", into), tuple(flags))


@st.composite
def check_cases(draw: st.DrawFn) -> Case:
    """Draw a comparison of two folders."""
    flags: list[tuple[str, ...]] = [("--combined", "-")]
    for often, some in ((3, [("--size-only",), ("--download",)]), (3, [("--one-way",)]), (3, _FILTERS)):
        if draw(st.integers(1, often)) == 1:
            flags.append(draw(st.sampled_from(some)))
    world = draw(worlds())
    return Case("check", world, ("s", "d"), tuple(flags), _listable(world, draw(_listed)))


Again = Callable[[Case], Ended]
"""Runs rclone on another case."""
