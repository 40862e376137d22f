"""A closer look at two objects of which listings told too little, for as few requests as can be."""

from __future__ import annotations

import msgspec

from omnistorage.core.content import digest, same_content, same_streams
from omnistorage.core.driver import Driver
from omnistorage.core.hashes import hash_stream
from omnistorage.core.info import ObjectInfo
from omnistorage.core.streams import ByteStream

from .compare import same_time
from .model import Action, Compare, Policy, Verb, origin_of


def times_untold(src: Driver, dst: Driver, policy: Policy) -> bool:
    """Say whether objects have times by which to compare them, which listings do not tell."""
    listed = src.features.listed_mtime and dst.features.listed_mtime
    return policy.compare is Compare.MTIME and policy.has_times and not listed


def look(src: Driver, dst: Driver, action: Action, policy: Policy) -> tuple[bool, Action]:
    """Say whether two objects differ, by their content where it can be told for little, and what is known by now.

    Where a side knows no hash of an object, it is asked for what it does know. Times that are equal then are as good
    as if the listing had told them; if they differ, and there is still no hash, the objects do.
    """
    one, two, name = action.src, action.dst, policy.hash_name
    assert one is not None
    assert two is not None
    here, there = origin_of(one), action.path
    near = src.features.local and dst.features.local
    if name is None or near or policy.move:
        # What is deleted at the source is proven by what both sides say now.
        return not same_content(src, dst, here, name, dst_path=there), action
    by_time = policy.compare is Compare.MTIME and policy.has_times
    if not (_knows(src, one, name) and _knows(dst, two, name)):
        if not _knows(src, one, name):
            one = _told(src, one, here)
        if not _knows(dst, two, name):
            two = _told(dst, two, there)
        if by_time and not (_knows(src, one, name) and _knows(dst, two, name)):
            one = _told(src, one, here) if one.mtime_ns is None else one
            two = _told(dst, two, there) if two.mtime_ns is None else two
        action = msgspec.structs.replace(action, src=one, dst=two)
        if by_time and same_time(one, two, policy):
            return False, action
        if by_time and not (_knows(src, one, name) and _knows(dst, two, name)):
            return True, action
    return digest(src, here, name, one) != digest(dst, there, name, two), action


class AtHand:
    """Tells of which objects the contents can be compared without a question to a service.

    The listing of the destination has told the hash, and the source is a file of this machine.
    """

    def __init__(self, src: Driver, dst: Driver, policy: Policy) -> None:
        alone = src.local_root is not None and not dst.features.local and not (policy.move or policy.metadata)
        self._name = policy.hash_name if alone else None

    def __call__(self, action: Action) -> bool:
        there = action.dst
        return action.verb is Verb.COMPARE and there is not None and self._name in there.hashes


def has_bytes_of(src: Driver, path: str, stored: ByteStream, name: str | None, info: ObjectInfo | None) -> bool:
    """Say whether what was stored has the bytes of an object of the source, whose listing said ``info``."""
    if src.features.local or name is None:
        with src.get(path) as source:
            return same_streams(source, stored)
    return hash_stream(stored, (name,))[name] == digest(src, path, name, info)


def _knows(driver: Driver, info: ObjectInfo, name: str) -> bool:
    return name in info.hashes or name in driver.features.computes


def _told(driver: Driver, info: ObjectInfo, path: str) -> ObjectInfo:
    now = driver.stat(path)
    if now.etag != info.etag or now.size != info.size:
        # Another version than the listing told of: nothing of the one is known of the other.
        return msgspec.structs.replace(info, size=now.size, mtime_ns=now.mtime_ns, hashes=now.hashes, etag=now.etag)
    return msgspec.structs.replace(info, mtime_ns=now.mtime_ns, hashes=now.hashes)
