"""Printing names, one per line: what most scripts run, often, and on millions of files."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from omnistorage.core.info import DIR, FILE, Kind

from . import _places

FLAGS = frozenset(("-R", "--recursive", "--files-only", "--dirs-only"))
"""The flags of ``lsf`` that ``run_plain`` knows."""


def print_names(found: _places.Listing, wanted: Sequence[Kind], *, head: str = "", tail: str = "/") -> None:
    """Print the paths of a listing, with ``head`` before each and ``tail`` behind directories."""
    write = sys.stdout.write
    between = "\n" + head
    if len(wanted) == 2:
        for infos in found:
            # Nothing but this per file.
            lines = [info.path if info.kind is FILE else info.path + tail for info in infos]
            write(head + between.join(lines) + "\n")
        return
    end = tail if DIR in wanted else ""
    for infos in found:
        lines = [info.path + end for info in infos if info.kind in wanted]
        if lines:
            write(head + between.join(lines) + "\n")


def kinds(dirs_only: bool, files_only: bool) -> tuple[Kind, ...]:
    """Return what is wanted; who asks for both flags gets what is both: nothing."""
    return tuple(kind for kind, other in ((FILE, dirs_only), (DIR, files_only)) if not other)


def run_plain(flags: Sequence[str], remote: str) -> int:
    """Do ``lsf`` with no other than these flags, and return its exit code; what parses flags is not imported."""
    from ._console import Console
    from ._exits import end

    wanted = kinds("--dirs-only" in flags, "--files-only" in flags)
    recursive = "-R" in flags or "--recursive" in flags

    def call() -> None:
        with _places.pages(
            remote, None, None, Console(), recursive=recursive, brief=True, folders=DIR in wanted
        ) as found:
            print_names(found, wanted)

    return end(call)
