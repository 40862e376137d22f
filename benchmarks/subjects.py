"""What is measured: for each subject a tree, the commands of each tool for the same job, and how often."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks import trees

Commands = dict[str, list[str]]
OURS, RCLONE, RSYNC = "omnistorage", "rclone", "rsync"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One job that all tools do.

    Attributes:
        name: What is done.
        make: Makes the tree below the folder it is given.
        commands: Tool to command, for a source and a destination. A tool that cannot do it is left out.
        repeat: How often each tool does it.
        fresh: The destination is removed before each run; otherwise it is a copy of the source.
        before: Makes the destination (its second argument) of a fresh run what it is to be before it.
        big: Too big for a disk; done in memory only.
        huge: Takes many minutes and gigabytes; run only when asked for.
        copy: The destination is needed at all.
    """

    name: str
    make: Callable[[Path], None]
    commands: Callable[[str, str], Commands]
    repeat: int
    fresh: bool = False
    before: Callable[[Path, Path], None] | None = None
    big: bool = False
    huge: bool = False
    copy: bool = True


def program(tool: str) -> str | None:
    """Return the path of a tool: beside this interpreter, or installed; None if there is none."""
    beside = Path(sys.executable).with_name(tool)
    return str(beside) if beside.exists() else shutil.which(tool)


def subjects(divisor: int) -> list[Subject]:
    """Return all subjects, each with the size of its tree divided by ``divisor``."""

    def scaled(number: int) -> int:
        return max(number // divisor, 1)

    def times(number: int) -> int:
        return number if divisor == 1 else 1

    few, many = scaled(20_000), scaled(100_000)
    return [
        Subject(
            name=f"copy {few:,} files of 4 KiB",
            make=lambda root: trees.small_files(root, few, 4096, scaled(1000)),
            commands=_copy,
            repeat=times(5),
            fresh=True,
        ),
        Subject(
            name=f"sync {many:,} files, nothing to do",
            make=lambda root: trees.small_files(root, many, 16, scaled(1000)),
            commands=_sync,
            repeat=times(5),
        ),
        Subject(
            name=f"list {2 * many:,} files",
            make=lambda root: trees.small_files(root, 2 * many, 0, scaled(1000)),
            commands=_list,
            repeat=times(5),
            copy=False,
        ),
        Subject(
            name=f"copy one file of {scaled(2048):,} MiB",
            make=lambda root: trees.large_file(root, scaled(2048) << 20),
            commands=_copy,
            repeat=times(3),
            fresh=True,
        ),
        Subject(
            name=f"copy and check a mixed tree of {scaled(2000):,} MB",
            make=lambda root: trees.mixed(root, scaled(2000) * 1_000_000),
            commands=_copy_and_check,
            repeat=times(3),
            fresh=True,
        ),
        Subject(
            name=f"check by content, a mixed tree of {scaled(2000):,} MB",
            make=lambda root: trees.mixed(root, scaled(2000) * 1_000_000),
            commands=_check,
            repeat=times(3),
        ),
        Subject(
            name=f"check by content, {few:,} files of 4 KiB",
            make=lambda root: trees.small_files(root, few, 4096, scaled(1000)),
            commands=_check,
            repeat=times(3),
        ),
        Subject(
            name=f"sync --checksum, a mixed tree of {scaled(2000):,} MB, nothing to do",
            make=lambda root: trees.mixed(root, scaled(2000) * 1_000_000),
            commands=_sync_by_content,
            repeat=times(3),
        ),
        Subject(
            name=f"sync --track-renames, {scaled(10_000):,} files of 16 KiB, 30 % elsewhere",
            make=lambda root: trees.small_files(root, scaled(10_000), 16 << 10, scaled(1000)),
            commands=_sync_renames,
            repeat=times(3),
            fresh=True,
            before=trees.copy_with_other_paths,
        ),
        Subject(
            name="start: version",
            make=lambda root: root.mkdir(),
            commands=lambda src, dst: _found({tool: ["version"] for tool in (OURS, RCLONE)} | {RSYNC: ["--version"]}),
            repeat=20 if divisor == 1 else 2,
            copy=False,
        ),
        Subject(
            name="start: list a folder of 10",
            make=lambda root: trees.small_files(root, 10, 16, 10),
            commands=lambda src, dst: _list_one(f"{src}/folder 0000"),
            repeat=20 if divisor == 1 else 2,
            copy=False,
        ),
        Subject(
            name=f"sync {scaled(1_000_000):,} files in {scaled(1000):,} folders, nothing to do",
            make=lambda root: trees.small_files(root, scaled(1_000_000), 0, 1000),
            commands=_sync,
            repeat=1,
            big=True,
        ),
        Subject(
            name=f"sync {scaled(300_000):,} files in one folder, nothing to do",
            make=lambda root: trees.small_files(root, scaled(300_000), 0, scaled(300_000)),
            commands=_sync,
            repeat=1,
            big=True,
        ),
        # Twice: a hundredth of these would still be too much for a quick run.
        *_huge(scaled(scaled(1_000_000))),
    ]


def _huge(count: int) -> list[Subject]:
    """Return what is done with ``count`` empty files, in one folder and in a wide tree of folders of ten."""
    found = []
    for where, make in (
        ("one folder", lambda root: trees.small_files(root, count, 0, count)),
        ("folders of 10", lambda root: trees.small_files(root, count, 0, 10)),
    ):
        for name, commands, fresh in (
            (f"copy {count:,} files", _copy, True),
            (f"sync {count:,} files", _sync, False),
        ):
            found.append(
                Subject(
                    name=f"{name} in {where}{'' if fresh else ', nothing to do'}",
                    make=make,
                    commands=commands,
                    repeat=1,
                    fresh=fresh,
                    big=True,
                    huge=True,
                )
            )
    return found


def _found(arguments: Commands) -> Commands:
    """Put the path of each tool before its arguments; tools that are not installed are left out."""
    places = {tool: program(tool) for tool in arguments}
    return {tool: [place, *arguments[tool]] for tool, place in places.items() if place is not None}


def _copy(src: str, dst: str) -> Commands:
    return _found({OURS: ["copy", src, dst], RCLONE: ["copy", src, dst], RSYNC: ["-a", f"{src}/", f"{dst}/"]})


def _sync(src: str, dst: str) -> Commands:
    ours = ["sync", src, dst]
    return _found({OURS: ours, RCLONE: ours, RSYNC: ["-a", "--delete", f"{src}/", f"{dst}/"]})


def _sync_by_content(src: str, dst: str) -> Commands:
    ours = ["sync", "--checksum", src, dst]
    return _found({OURS: ours, RCLONE: ours, RSYNC: ["-ac", "--delete", f"{src}/", f"{dst}/"]})


def _sync_renames(src: str, dst: str) -> Commands:
    # rsync finds no renames: it would copy.
    ours = ["sync", "--track-renames", src, dst]
    return _found({OURS: ours, RCLONE: ours})


def _list(src: str, dst: str) -> Commands:
    return _found({OURS: ["lsf", "-R", src], RCLONE: ["lsf", "-R", src], RSYNC: ["-r", "--list-only", f"{src}/"]})


def _list_one(folder: str) -> Commands:
    return _found({OURS: ["lsf", folder], RCLONE: ["lsf", folder], RSYNC: ["--list-only", f"{folder}/"]})


def _check(src: str, dst: str) -> Commands:
    ours = ["check", src, dst]
    return _found({OURS: ours, RCLONE: ours, RSYNC: ["-acn", "--delete", f"{src}/", f"{dst}/"]})


def _copy_and_check(src: str, dst: str) -> Commands:
    first, second = _copy(src, dst), _check(src, dst)
    script = '"${@:2:$1}" && "${@:$1+2}"'
    return {
        tool: ["bash", "-c", script, "bash", str(len(first[tool])), *first[tool], *second[tool]] for tool in first
    }


def count_files(root: str) -> int:
    """Count the files below a folder."""
    return sum(len(names) for _, _, names in os.walk(root))
