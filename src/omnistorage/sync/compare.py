"""Are these two the same? A pure decision on what listings say; where only the content tells, it says so."""

from __future__ import annotations

from omnistorage.core.info import ObjectInfo

from .model import Compare, Policy, Verb

Verdict = tuple[Verb, str]
"""KEEP, COPY, TOUCH, SKIP, FAIL, or COMPARE if the content decides; and the reason."""

_EQUAL: Verdict = (Verb.KEEP, "equal")
BY_SIZE_ONLY: Verdict = (Verb.KEEP, "equal by size only")
"""More was asked for, and is not known of both sides."""


def compare(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> Verdict:
    """Decide what is to be done with an object that stands on both sides.

    The order of the questions is rclone's: existing, times ignored, update, size, then what ``policy.compare``
    says. COMPARE means: equal content is to be touched (or kept), other content to be copied.
    """
    if policy.ignore_existing:
        return Verb.SKIP, "there already"
    if policy.ignore_times:
        return Verb.COPY, "times are ignored"
    newer = _newer(src, dst, policy)
    if policy.update and newer < 0:
        return Verb.SKIP, "newer at the destination"
    verdict = _by_content(src, dst, policy, newer)
    # Where the content alone decides, it has to be looked at before anything is said to differ.
    asks = verdict[0] is Verb.COMPARE
    open_question = asks and (policy.compare is Compare.HASH or not policy.touch)
    if policy.immutable and verdict[0] is not Verb.KEEP and not open_question:
        return Verb.FAIL, f"immutable, but differs: {'times of modification differ' if asks else verdict[1]}"
    return verdict


def known_hashes_differ(src: ObjectInfo, dst: ObjectInfo) -> bool | None:
    """Compare hashes that came with the listings; None if the sides share none."""
    for name, digest in src.hashes.items():
        other = dst.hashes.get(name)
        if other is not None:
            return digest != other
    return None


def same_time(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> bool:
    """Say whether two objects are known to have one size and one time of modification."""
    told = src.mtime_ns is not None and dst.mtime_ns is not None
    sized = policy.ignore_size or (src.size is not None and src.size == dst.size)
    return policy.has_times and told and sized and not _newer(src, dst, policy)


def wants_touch(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> bool:
    """Say whether objects of equal content are to get the same time of modification."""
    if policy.compare is not Compare.MTIME or not policy.touch or not policy.has_times:
        return False
    if src.mtime_ns is None or dst.mtime_ns is None:
        return False
    return abs(src.mtime_ns - dst.mtime_ns) >= policy.window_ns


def _by_content(src: ObjectInfo, dst: ObjectInfo, policy: Policy, newer: int) -> Verdict:
    if not policy.ignore_size and src.size is not None and dst.size is not None and src.size != dst.size:
        return Verb.COPY, f"sizes differ ({dst.size} there, {src.size} here)"
    if policy.compare is Compare.SIZE:
        return _EQUAL
    told = policy.has_times and src.mtime_ns is not None and dst.mtime_ns is not None
    if policy.compare is Compare.MTIME:
        # A time that is kept, and only not told by the listing, may be any: then the content decides, if it can.
        if not told and not (policy.has_times and _shares_hash(src, dst, policy)):
            if policy.ignore_size:
                return _EQUAL
            same = src.size is not None and src.size == dst.size
            return BY_SIZE_ONLY if same else (Verb.COPY, "size is not known")
        if told and not newer:
            return _EQUAL
    differ = known_hashes_differ(src, dst)
    if differ:
        return Verb.COPY, "hashes differ"
    if differ is False:
        return _touch(policy, newer)
    if policy.hash_name is not None:
        return Verb.COMPARE, "the content decides"
    if policy.compare is Compare.HASH:
        return BY_SIZE_ONLY
    return Verb.COPY, "times differ, and no hash is common to both sides"


def _shares_hash(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> bool:
    return policy.hash_name is not None or known_hashes_differ(src, dst) is not None


def _touch(policy: Policy, newer: int) -> Verdict:
    if policy.compare is Compare.MTIME and newer and policy.touch:
        return Verb.TOUCH, "only the time of modification differs"
    return _EQUAL


def _newer(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> int:
    """Return 1 if the source is newer, -1 if it is older, 0 within the window or where no times are kept."""
    if not policy.has_times or src.mtime_ns is None or dst.mtime_ns is None:
        return 0
    since = src.mtime_ns - dst.mtime_ns
    if -policy.window_ns < since < policy.window_ns:
        return 0
    return 1 if since > 0 else -1
