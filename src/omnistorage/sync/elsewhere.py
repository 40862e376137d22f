"""Other places that may hold an object already: to compare with, or to copy from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from omnistorage.core.content import common_hash, same_content
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound
from omnistorage.core.info import FILE, ObjectInfo

from .compare import compare
from .model import Policy, Verb, origin_of


class Elsewhere:
    """Looks an object of the source up in other places.

    Args:
        src: The source.
        compare_with: Places where an equal object makes a copy needless.
        copy_from: Places from which an equal object can be copied instead.
        policy: What equal means, as between source and destination.
    """

    def __init__(
        self, src: Driver, compare_with: Sequence[Driver], copy_from: Sequence[Driver], policy: Policy
    ) -> None:
        self._src = src
        self._compare_with = compare_with
        self._copy_from = copy_from
        # What is deleted at the source must have been copied to the byte.
        self._proves = policy.move
        self._policy = msgspec.structs.replace(
            policy, update=False, ignore_times=False, ignore_existing=False, immutable=False, move=False
        )

    def has(self, info: ObjectInfo) -> bool:
        """Say whether a place to compare with holds an object equal to ``info`` of the source.

        Raises:
            StorageError: A place could not be asked.
        """
        return any(self._equal(info, place) is not None for place in self._compare_with)

    def find(self, info: ObjectInfo) -> tuple[Driver, ObjectInfo] | None:
        """Return a place to copy from, and the object there that is equal to ``info`` of the source.

        Raises:
            StorageError: A place could not be asked.
        """
        for place in self._copy_from:
            other = self._equal(info, place)
            if other is not None and (not self._proves or self._same(info, place, other)):
                return place, other
        return None

    def _same(self, info: ObjectInfo, place: Driver, other: ObjectInfo) -> bool:
        return same_content(self._src, place, origin_of(info), common_hash(self._src, place), dst_path=other.path)

    def _equal(self, info: ObjectInfo, place: Driver) -> ObjectInfo | None:
        try:
            other = place.stat(info.path)
        except (NotFound, NotADirectoryError):
            return None
        if other.kind is not FILE:
            return None
        hash_name = common_hash(self._src, place)
        window = max(self._policy.window_ns, place.features.precision)
        has_times = self._policy.has_times and place.features.mtime
        policy = msgspec.structs.replace(self._policy, hash_name=hash_name, window_ns=window, has_times=has_times)
        verb, _ = compare(info, other, policy)
        if verb is Verb.COMPARE:
            same = same_content(self._src, place, origin_of(info), hash_name, dst_path=other.path)
            return other if same else None
        return other if verb is Verb.KEEP or verb is Verb.TOUCH else None
