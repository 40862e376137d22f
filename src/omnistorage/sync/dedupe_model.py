"""The words of a run against duplicates: how it is to be done, what is chosen, what happened, and the sum."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Literal

import msgspec

from omnistorage.core.errors import StorageError

from .duplicates import Copy, Group
from .filters import Filter

__all__ = [
    "Choice",
    "Choose",
    "Copy",
    "DedupeEvent",
    "DedupeOptions",
    "DedupeResult",
    "Deed",
    "Group",
    "Mode",
    "Observer",
]

Mode = Literal["interactive", "skip", "first", "newest", "oldest", "largest", "smallest", "rename", "list"]


class DedupeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to look for duplicates and what to do about them; every default is the safe one.

    Attributes:
        filter: What is looked at.
        mode: What is done with each group: ``list`` and ``skip`` change nothing; ``first`` (in path order),
            ``newest`` and ``oldest`` keep that one and delete the others; so do ``largest`` and ``smallest``, which
            keep the first, as equal bytes are equally many; ``rename`` gives each a name with its number;
            ``interactive`` leaves it to ``choose``.
        by: What makes duplicates: equal ``content``, or an equal ``name``, which can only be listed.
        empty: Empty objects are duplicates of each other, too.
        hardlink: Make a copy a hard link to what is kept, rather than delete it; for local folders.
        max_delete: Refuse to start if more objects would be deleted.
        max_delete_size: Refuse to start if more bytes would be deleted.
        checkers: Objects that are read or deleted side by side.
        dry_run: Change nothing; find out what would be done.
    """

    filter: Filter = Filter()
    mode: Mode = "list"
    by: Literal["content", "name"] = "content"
    empty: bool = False
    hardlink: bool = False
    max_delete: int | None = None
    max_delete_size: int | None = None
    checkers: int = 4
    dry_run: bool = False


class Deed(Enum):
    """What happened, or what is to be done with a group."""

    FOUND = "found"
    KEEP = "keep"
    DELETE = "delete"
    LINK = "link"
    RENAME = "rename"
    SKIP = "skip"
    LEAVE = "leave"
    FAIL = "fail"
    QUIT = "quit"


class Choice(msgspec.Struct, frozen=True):
    """What to do with a group.

    Attributes:
        deed: KEEP one and delete the others, RENAME all, SKIP the group, or QUIT: skip it and all that follow.
        number: Which one to keep, from 1 in path order.
    """

    deed: Literal[Deed.KEEP, Deed.RENAME, Deed.SKIP, Deed.QUIT]
    number: int = 1


Choose = Callable[[Group, Choice], Choice]


class DedupeEvent(msgspec.Struct, frozen=True):
    """Something that happened.

    Attributes:
        deed: FOUND a group (before anything is done with it), SKIP (a group is left alone), DELETE, LINK or RENAME
            (done, or in a dry run what would be), LEAVE (not a copy after all), FAIL.
        path: The object it is about; a directory if its listing failed.
        size: Its bytes.
        other: What is kept, or the new name.
        group: For FOUND and SKIP.
        error: For FAIL.
        why: For LEAVE.
    """

    deed: Deed
    path: str
    size: int = 0
    other: str = ""
    group: Group | None = None
    error: StorageError | None = None
    why: str = ""


Observer = Callable[[DedupeEvent], None]


class DedupeResult(msgspec.Struct):
    """The sum of a run; counters grow while it runs.

    Attributes:
        listed: Objects and directories seen.
        groups: Groups of equal objects.
        duplicates: Objects in these, but for one of each group.
        wasted: Their bytes.
        links: Names that are only other names of a file (hard links); these are no duplicates.
        deleted: Objects deleted.
        linked: Objects replaced by hard links.
        freed: Bytes that became free.
        renamed: Objects renamed.
        skipped: Groups left alone as chosen.
        left: Objects that turned out to be no copies, or to be gone.
        errors: Number of failures; among them copies that were changed since they were found, and stay.
        failures: The first thousand of them.
        elapsed: Seconds from start to end.
        dry_run: Nothing was changed.
        quit: It was ended by choice before all groups had been seen.
    """

    listed: int = 0
    groups: int = 0
    duplicates: int = 0
    wasted: int = 0
    links: int = 0
    deleted: int = 0
    linked: int = 0
    freed: int = 0
    renamed: int = 0
    skipped: int = 0
    left: int = 0
    errors: int = 0
    failures: list[DedupeEvent] = []
    elapsed: float = 0.0
    dry_run: bool = False
    quit: bool = False

    @property
    def ok(self) -> bool:
        """True if nothing failed."""
        return not self.errors

    def raise_for_errors(self) -> None:
        """Raise the first failure, if there is one.

        Raises:
            StorageError: What went wrong first; ``errors`` says how many there were.
        """
        for event in self.failures:
            if event.error is not None:
                raise event.error
