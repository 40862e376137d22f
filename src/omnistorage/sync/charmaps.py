"""Which letters a character set of one byte has, under the names that rclone gives the sets."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_CODECS: Final = {
    **{f"IBM-Code-Page-{page}": f"cp{page}" for page in ("037", 437, 850, 852, 855, 860, 862, 863, 865, 866, 1140)},
    # Python has none; its letters are those of page 037, in another order.
    "IBM-Code-Page-1047": "cp037",
    "Windows-Code-Page-858": "cp858",
    **{f"ISO-8859-{part}": f"iso8859-{part}" for part in (*range(1, 11), *range(13, 17))},
    "KOI8-R": "koi8-r",
    "KOI8-U": "koi8-u",
    "Macintosh": "mac-roman",
    "Macintosh-Cyrillic": "mac-cyrillic",
    **{f"Windows-{page}": f"cp{page}" for page in (874, *range(1250, 1259))},
}
_MORE: Final = {"KOI8-U": "\u040e\u045e", "Windows-1255": "\u05ba"}
_FEWER: Final = {"KOI8-U": "\u255d\u256c"}
"""Where the sets of the web differ from Python's."""

_USER_DEFINED: Final = "X-User-Defined"

NAMES: Final = tuple(sorted((*_CODECS, _USER_DEFINED)))


@lru_cache(maxsize=8)
def letters_of(name: str) -> frozenset[str]:
    """Return the letters of a character set.

    Raises:
        ValueError: There is no such set; the message lists those that are.
    """
    if name == _USER_DEFINED:
        return frozenset(map(chr, (*range(0x80), *range(0xF780, 0xF800))))
    if name not in _CODECS:
        raise ValueError(f"unknown character set {name!r}; known: {', '.join(NAMES)}")
    letters = frozenset(filter(None, (bytes((byte,)).decode(_CODECS[name], "ignore") for byte in range(256))))
    return (letters | set(_MORE.get(name, ""))) - set(_FEWER.get(name, ""))
