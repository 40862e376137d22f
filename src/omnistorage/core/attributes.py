"""The names of what is kept beside the bytes, and whether two objects have the same of it.

Metadata is text by name. Names of the system (``mode``, ``uid``, ``mtime`` …) have the meaning that rclone gives
them; all others are the user's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .errors import StorageError

MTIME: Final = "mtime"
CONTENT_TYPE: Final = "content-type"

TIMES: Final = frozenset({"atime", "btime", MTIME})
"""RFC 3339 with up to nine digits of a second. A change of one of these is no change of an object."""

OWNERS: Final = frozenset({"uid", "gid"})
"""Decimal numbers."""

ACLS: Final = frozenset({"posix-acl-access", "posix-acl-default"})
"""Lists of who may do what, as hexadecimal digits of what the kernel keeps; empty text for none."""

SPECIAL: Final = "special"
"""Not a name of metadata: stands in ``features.applies`` for the setuid, setgid and sticky bits of ``mode``."""

SYSTEM: Final = TIMES | OWNERS | ACLS | {"mode", "rdev", CONTENT_TYPE}
"""Names that are not the user's own. ``mode`` is octal, with or without the kind of file; ``rdev`` hexadecimal."""

_UNCOMPARED: Final = TIMES | {"rdev"}
_PERMISSIONS: Final = 0o777


def own_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the user's part of metadata."""
    return {name: value for name, value in metadata.items() if name not in SYSTEM}


def differing(wanted: Mapping[str, str], held: Mapping[str, str], *, special: bool = True) -> list[str]:
    """Return the names that would have to change, sorted.

    Of the system's names only those count that are wanted; the user's own are equal if both have the same.

    Args:
        wanted: What an object is to have.
        held: What it has.
        special: The setuid, setgid and sticky bits count.
    """
    if wanted == held:
        return []
    names = {name for name in own_of(held) if name not in wanted}
    for name, value in wanted.items():
        if name in _UNCOMPARED:
            continue
        other = held.get(name)
        if other == value or (not other and not value):
            continue
        if name == CONTENT_TYPE and other is None:
            continue
        if name == "mode" and other is not None and _same_mode(value, other, special):
            continue
        names.add(name)
    return sorted(names)


def as_text(time_ns: int) -> str:
    """Return nanoseconds of Unix time in RFC 3339; empty text for a year that has more than four digits."""
    from datetime import UTC, datetime, timedelta

    seconds, rest = divmod(time_ns, 1_000_000_000)
    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return ""
    digits = f".{rest:09}".rstrip("0") if rest else ""
    return f"{when.isoformat()[:19]}{digits}Z"


def from_text(text: str) -> int:
    """Return the nanoseconds of Unix time that a text in RFC 3339 means.

    Raises:
        StorageError: It is not such a text.
    """
    from datetime import UTC, datetime, timedelta

    whole, point, rest = text.partition(".")
    digits = ""
    if point:
        count = len(rest) - len(rest.lstrip("0123456789"))
        digits, rest = rest[:count], rest[count:]
        whole += rest
    try:
        when = datetime.fromisoformat(whole)
    except ValueError:
        when = datetime(1970, 1, 1)
    if when.tzinfo is None or (point and not digits):
        raise StorageError(f"metadata has {text!r} where a time like 2006-01-02T15:04:05.999Z is wanted")
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(seconds=1) * 1_000_000_000 + int(digits[:9].ljust(9, "0"))


def number(metadata: Mapping[str, str], name: str, base: int = 10) -> int | None:
    """Return the number that metadata has under a name, None if it has none.

    Raises:
        StorageError: It is no number, or a negative one.
    """
    text = metadata.get(name)
    if not text:
        return None
    try:
        found = int(text, base)
    except ValueError:
        found = -1
    if not 0 <= found < 1 << 32:
        kind = "an octal" if base == 8 else "a"
        raise StorageError(f"metadata has {text!r} as {name}, where {kind} number is wanted")
    return found


def _same_mode(one: str, two: str, special: bool) -> bool:
    try:
        first, second = int(one, 8), int(two, 8)
    except ValueError:
        return False
    mask = 0o7777 if special else _PERMISSIONS
    return first & mask == second & mask
