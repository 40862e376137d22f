"""By what a version of an object is known again without reading it."""

from __future__ import annotations

import time

import msgspec
from xxhash import xxh3_128_digest

from omnistorage.core.info import ObjectInfo


class Fingerprint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a listing says of one version of an object.

    Attributes:
        size: Bytes, or None.
        mtime_ns: Time of modification in nanoseconds of Unix time, or None.
        etag: The service's own mark of this content, or None.
    """

    size: int | None
    mtime_ns: int | None
    etag: str | None = None

    @classmethod
    def of(cls, info: ObjectInfo) -> Fingerprint:
        """Return the fingerprint of an object that was listed."""
        return cls(info.size, info.mtime_ns, info.etag)

    @property
    def tells(self) -> bool:
        """True if another version would look different: there is an etag, or size and time."""
        return self.etag is not None or (self.mtime_ns is not None and self.size is not None)

    def is_settled(self, now_ns: int) -> bool:
        """Say whether a change from ``now_ns`` on would show.

        A file that was changed a moment ago may be changed again without its time showing it, as clocks of file
        systems tick: every few milliseconds, or every two seconds where they keep whole seconds only.
        """
        if self.etag is not None or self.mtime_ns is None:
            return self.etag is not None
        tick = _FINE if self.mtime_ns % 1_000_000_000 else _COARSE
        return now_ns - self.mtime_ns > tick


def seal(src: Fingerprint, dst: Fingerprint) -> bytes:
    """Return 16 bytes that stand for this pair of versions and for no other.

    Where there is an etag, it counts alone: a time that one answer tells and another does not makes no difference.
    """
    one, two = (None if of.etag is not None else of.mtime_ns for of in (src, dst))
    text = f"{src.size} {one} {src.etag!r} {dst.size} {two} {dst.etag!r}"
    return xxh3_128_digest(text.encode("utf-8", "backslashreplace"))


def is_lasting(src: Fingerprint, dst: Fingerprint) -> bool:
    """Say whether what was found out about these two versions now can be held to be true of their likes later."""
    if not src.tells or not dst.tells:
        return False
    now = time.time_ns()
    return src.is_settled(now) and dst.is_settled(now)


_FINE = 50_000_000
_COARSE = 2_500_000_000
