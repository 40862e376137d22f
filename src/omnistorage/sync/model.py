"""The words of a sync: what may be done, why, what came of it, and the sum of it all."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec

from omnistorage.core.errors import StorageError
from omnistorage.core.info import ObjectInfo

Pair = tuple[ObjectInfo | None, ObjectInfo | None]
"""What stands at one path: at the source, at the destination."""


CONTENTS_DIFFER = "contents differ"
"""The reason of a copy that was decided on only when the content had been looked at."""

ONLY_METADATA = "only metadata differs"
METADATA_DECIDES = "the metadata decides"
"""The reasons of METADATA: one is an answer, the other a question to whoever can ask both sides."""


class Renamed(ObjectInfo, frozen=True, gc=False):
    """An object of the source that has, or is to have, another name at the destination.

    Attributes:
        origin: Its key at the source; ``path`` is the one at the destination.
    """

    origin: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        make, args = super().__reduce__()
        return _renamed, (self.origin, make, args)


def _renamed(origin: str, make: Callable[..., ObjectInfo], args: tuple[object, ...]) -> Renamed:
    return renamed(make(*args), path=str(args[0]), origin=origin)


def renamed(info: ObjectInfo, *, path: str, origin: str | None = None) -> Renamed:
    """Return an object of the source as one that is called ``path`` at the destination."""
    return Renamed(
        path,
        info.kind,
        info.size,
        info.mtime_ns,
        info.hashes,
        info.etag,
        info.version,
        info.content_type,
        info.metadata,
        origin=origin_of(info) if origin is None else origin,
    )


def origin_of(info: ObjectInfo) -> str:
    """Return the key that an object of the source has there."""
    return info.origin if type(info) is Renamed else info.path


def as_told(then: ObjectInfo, now: ObjectInfo) -> bool:
    """Say whether an object is what it was: of one kind, and of equal size, time and ETag where both told these.

    A listing may tell less than a look at the object.
    """
    told = ((then.size, now.size), (then.mtime_ns, now.mtime_ns), (then.etag, now.etag))
    return then.kind is now.kind and all(one == other or one is None or other is None for one, other in told)


class Verb(Enum):
    """What is done with a path.

    RENAME gives the object ``dst``, whose path is another one, the path of the action. Without a ``src`` it is the
    spelling of a name that changes, of a directory as well as of an object, and comes when all else is done.
    """

    COPY = "copy"
    COMPARE = "compare"
    TOUCH = "touch"
    METADATA = "metadata"
    RENAME = "rename"
    KEEP = "keep"
    SKIP = "skip"
    MKDIR = "mkdir"
    DELETE = "delete"
    RMDIR = "rmdir"
    FAIL = "fail"


class Compare(Enum):
    """By what two objects at one path are held to be equal."""

    MTIME = "size and time of modification"
    HASH = "size and hash"
    SIZE = "size"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How a run decides.

    Attributes:
        compare: By what objects are held to be equal.
        window_ns: Times of modification that differ by less are equal, in nanoseconds.
        update: Leave objects alone that are newer at the destination.
        ignore_times: Copy all, equal or not.
        ignore_existing: Leave alone whatever is there.
        ignore_size: Do not look at sizes.
        immutable: An object that is there and differs is an error.
        touch: Set the time of modification where only that differs.
        delete: Delete at the destination what the source does not have.
        move: Delete at the source what is proven to be at the destination.
        empty_dirs: Make directories that are empty at the source.
        metadata: Metadata (permissions, owner, the user's own) is to be equal, too.
        metadata_listed: Listings of both sides have all of it.
        follows_links: The source follows symbolic links: one that is listed as such leads nowhere.
        has_times: Both sides keep times of modification.
        has_dirs: The destination has real directories.
        hash_name: Hash that both sides can tell, or None.
    """

    compare: Compare = Compare.MTIME
    window_ns: int = 1
    update: bool = False
    ignore_times: bool = False
    ignore_existing: bool = False
    ignore_size: bool = False
    immutable: bool = False
    touch: bool = True
    delete: bool = False
    move: bool = False
    empty_dirs: bool = False
    metadata: bool = False
    metadata_listed: bool = False
    follows_links: bool = False
    has_times: bool = True
    has_dirs: bool = True
    hash_name: str | None = None


class Action(msgspec.Struct, frozen=True):
    """One thing to do, with its reason.

    Attributes:
        verb: What to do.
        path: The path at the destination; ``origin_of(src)`` is the one at the source.
        reason: Why, in words for people.
        src: What stands at the source, if anything.
        dst: What stands at the destination, if anything.
        exit_code: For FAIL: what the process should end with.
    """

    verb: Verb
    path: str
    reason: str
    src: ObjectInfo | None = None
    dst: ObjectInfo | None = None
    exit_code: int = 1


class Outcome(msgspec.Struct, frozen=True):
    """What came of an action.

    Attributes:
        action: The action, as it was decided in the end (a COMPARE has become KEEP, TOUCH, METADATA or COPY).
        error: What went wrong, or None.
        bytes: Bytes that were moved.
        verified: How the result is known to be right: ``hash``, ``size``, or empty where nothing was moved.
        renamed: The service renamed; no bytes were moved.
        backup: Name under which the old version was kept, or empty.
        lost: Names of metadata that the destination was given and did not keep.
        resumed: Bytes of the object that an earlier run had moved.
    """

    action: Action
    error: StorageError | None = None
    bytes: int = 0
    verified: str = ""
    renamed: bool = False
    backup: str = ""
    lost: tuple[str, ...] = ()
    resumed: int = 0


class Event(msgspec.Struct, frozen=True):
    """Something that happened, for progress displays.

    Attributes:
        kind: ``begin`` and ``bytes`` (of a transfer that takes a while: 1 MiB or more), ``resumed`` (of one that an
            earlier run began), ``end`` (of any action).
        path: What it is about.
        bytes: Size for ``begin``, bytes since the last event for ``bytes``, those that need not be moved for
            ``resumed``.
        outcome: For ``end``.
    """

    kind: str
    path: str
    bytes: int = 0
    outcome: Outcome | None = None


Observer = Callable[[Event], None]


class Result(msgspec.Struct):
    """The sum of a run; counters grow while it runs.

    Attributes:
        listed: Entries seen on both sides.
        checked: Pairs that were compared.
        equal: Pairs that needed nothing.
        planned: Transfers that were decided on so far.
        planned_bytes: Their size.
        transferred: Objects copied or moved.
        bytes: Bytes moved.
        resumed: Bytes of those objects that an earlier run had moved.
        touched: Objects whose time of modification was set.
        metadata_set: Objects and directories that were there, and whose metadata was set.
        metadata_lost: Those of which the destination did not keep all metadata (an owner that only root may set).
        renamed: Objects that only got another path at the destination (``track_renames``).
        server_moves: Objects that the service moved from the source to the destination; among ``transferred``.
        backed_up: Objects of which the old version was kept.
        deleted: Objects deleted at the destination.
        deleted_bytes: Their size.
        deleted_dirs: Directories removed at the destination.
        made_dirs: Directories made.
        deleted_sources: Objects deleted at the source (``move``).
        skipped: Entries that are neither objects nor directories (symbolic links, FIFOs …), left alone.
        protected: Deletes that were not done because a listing of the source failed.
        unverified: Objects known to be right by size only: transferred ones, and those left alone for nothing else.
        errors: Number of failures.
        failures: The first thousand of them.
        elapsed: Seconds from start to end.
        dry_run: Nothing was changed.
        limit: The limit that ended the run early (``max_transfer``, ``max_duration``), or empty.
        exit_code: What a command should end with.
    """

    listed: int = 0
    checked: int = 0
    equal: int = 0
    planned: int = 0
    planned_bytes: int = 0
    transferred: int = 0
    bytes: int = 0
    resumed: int = 0
    touched: int = 0
    metadata_set: int = 0
    metadata_lost: int = 0
    renamed: int = 0
    server_moves: int = 0
    backed_up: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    deleted_dirs: int = 0
    made_dirs: int = 0
    deleted_sources: int = 0
    skipped: int = 0
    protected: int = 0
    unverified: int = 0
    errors: int = 0
    failures: list[Outcome] = []
    elapsed: float = 0.0
    dry_run: bool = False
    limit: str = ""
    exit_code: int = 0

    @property
    def ok(self) -> bool:
        """True if nothing failed and no limit ended the run."""
        return not self.errors and not self.limit and not self.exit_code

    @property
    def changed(self) -> int:
        """Number of changes made at the destination."""
        at_objects = self.transferred + self.renamed + self.touched + self.metadata_set + self.deleted
        return at_objects + self.deleted_dirs + self.made_dirs

    def raise_for_errors(self) -> None:
        """Raise the first failure, if there is one.

        Raises:
            StorageError: What went wrong first; ``errors`` says how many there were.
        """
        for outcome in self.failures:
            if outcome.error is not None:
                raise outcome.error


class Difference(msgspec.Struct, frozen=True):
    """What ``check`` found at one path.

    Attributes:
        sign: ``=`` equal, ``*`` different, ``+`` only at the source, ``-`` only at the destination, ``!`` could
            not be compared.
        path: The path.
        reason: Why, in words for people.
        verified: By what they were found equal: ``hash``, ``bytes`` or ``size``.
    """

    sign: str
    path: str
    reason: str = ""
    verified: str = ""
