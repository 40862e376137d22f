"""What was done by a worker that was lost before it could say so: recognised, and counted once.

A cluster runs a batch again when the worker that had it is gone. Most actions may simply be done again: a copy stores
the same bytes, a delete finds nothing to delete. Two cannot: those that begin with an object which they take away.

A move takes it away from the source only after the stored bytes were proven (Rule 4), or by a rename of the system.
So if the source is gone, and the destination has what it did not have when the run was planned, of exactly the size
and time that were to be stored there (and the hash, where both are known), an earlier attempt at this very action has
proven and done it. Were somebody else to delete the source in that moment, only the report would be wrong: nothing is
deleted, and nothing is written, because of what is said here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, StorageError, Unsupported
from omnistorage.core.hashes import STRONG
from omnistorage.core.info import FILE, ObjectInfo

from .model import CONTENTS_DIFFER, Action, Outcome, Policy, Renamed, Verb, origin_of, renamed
from .places import one_disk


def state_of(transfer: dict[str, Any]) -> dict[str, Any]:
    """Return what of a transfer goes to another process: no events, no limits, no journal; who asked sees to these.

    Raises:
        Unsupported: It cannot be done in other processes.
    """
    if transfer["_approve"] is not None:
        raise Unsupported("nobody can be asked before each change that other processes make")
    if transfer["_policy"].move and (transfer["_inplace"] or not transfer["_dst"].features.atomic_put):
        # A worker that is only thought lost may be at it still, and would begin the object again after the other had
        # deleted its source.
        raise Unsupported("other processes move only to places that store an object whole or not at all")
    admission = transfer["_admission"]
    asks = admission is not None and admission.counts_bytes
    left_here = dict.fromkeys(("_observer", "_admission", "_journal", "_stop", "_plain"))
    large = transfer["_large"]
    return {
        **transfer,
        **left_here,
        "_large": None if large is None else large.forgetful(),
        "_must_ask": asks,
        "_repeats": True,
    }


def look_again(driver: Driver, action: Action) -> Action:
    """Return an action that failed as it is to be tried again: with what the source says now."""
    src = action.src
    if src is None or action.verb is Verb.RENAME:
        return action
    try:
        now = driver.stat(origin_of(src))
    except StorageError:
        return action
    if now.kind is not FILE:
        return action
    again = now if type(src) is not Renamed else renamed(now, path=src.path)
    return msgspec.structs.replace(action, src=again)


def is_gone(driver: Driver, path: str) -> bool:
    """Say whether there is nothing at a path."""
    try:
        driver.stat(path)
    except NotFound:
        return True
    return False


def has_vanished(src: Driver, action: Action) -> bool:
    """Say whether the source is what was not found, and not something at the destination."""
    if action.src is None or action.verb is Verb.DELETE:
        return False
    try:
        return is_gone(src, origin_of(action.src))
    except StorageError:
        return False


def moved_before(action: Action, dst: Driver, policy: Policy, renamed_from: Driver | None) -> Outcome | None:
    """Return what came of a move whose source is gone, if an earlier attempt did it; else None.

    Args:
        action: What was to be done.
        dst: The destination.
        policy: How the run decides.
        renamed_from: The source, if its files are renamed where the system can.
    """
    src, old = action.src, action.dst
    now = _stat(dst, action.path)
    if not policy.move or src is None or now is None:
        return None
    if action.verb is Verb.COMPARE and old is not None and _is(now, old, policy):
        return Outcome(msgspec.structs.replace(action, verb=Verb.KEEP, reason="equal content"), verified="hash")
    if action.verb not in (Verb.COPY, Verb.COMPARE) or not _is(now, src, policy):
        return None
    if old is not None and _is(now, old, policy) and now.etag == old.etag:
        return None
    if action.verb is Verb.COMPARE:
        # It may have had these bytes, and only got the time; nobody is left to tell.
        action = msgspec.structs.replace(action, verb=Verb.COPY, reason=CONTENTS_DIFFER)
    renames = renamed_from is not None and one_disk(renamed_from, dst)
    return Outcome(action, bytes=0 if renames else src.size or 0, verified="hash", renamed=renames)


def _stat(driver: Driver, path: str) -> ObjectInfo | None:
    try:
        info = driver.stat(path)
    except StorageError:
        return None
    return info if info.kind is FILE else None


def _is(one: ObjectInfo, two: ObjectInfo, policy: Policy) -> bool:
    """Say whether two descriptions are of one object: same size, and same time or same hash."""
    if one.size is None or one.size != two.size:
        return False
    known = [one.hashes[name] == two.hashes[name] for name in one.hashes if name in two.hashes and name in STRONG]
    if not policy.has_times or one.mtime_ns is None or two.mtime_ns is None:
        return bool(known) and all(known)
    return abs(one.mtime_ns - two.mtime_ns) < max(policy.window_ns, 1) and all(known)
