"""A hash of its name puts every file into one of n parts, so that n machines can share the work.

It is the hash of rclone's ``--hash-filter``: both tools may work on the same task.
"""

from __future__ import annotations

from .rules import FilterError

__all__ = ["part_of", "read_part"]


def read_part(text: str) -> tuple[int, int]:
    """Return the number of the part, from 0, and of how many, from a text like ``1/4``.

    Raises:
        FilterError: The text is malformed.
    """
    part, slash, parts = text.partition("/")
    if not (slash and _is_count(parts) and int(parts) and (part == "@" or _is_count(part))):
        raise FilterError(f"bad hash filter {text!r}: want part/parts, like 1/4, or @/4 for a random part")
    if part == "@":
        import random

        return random.randrange(int(parts)), int(parts)
    return int(part) % int(parts), int(parts)


def part_of(path: str, parts: int) -> int:
    """Return the part a path belongs to, whatever its case and its Unicode form."""
    from hashlib import md5
    from unicodedata import normalize

    # One character for one, as rclone does it: no final sigma, and one letter for a dotted I.
    name = path.lower() if path.isascii() else "".join(char.lower()[0] for char in normalize("NFC", path))
    data = name.encode("utf-8", "surrogateescape")
    return int.from_bytes(md5(data, usedforsecurity=False).digest()[:8], "little") % parts


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) < 1 << 64
