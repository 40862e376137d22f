"""Which names mean the same: those that differ in case, or in how Unicode writes a letter."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final

import msgspec

from omnistorage.core.features import Features

_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Spelling(msgspec.Struct, frozen=True):
    """What makes two names one.

    Attributes:
        nfc: They are equal after normalisation to NFC: ``é`` as one character, or as ``e`` with an accent.
        case: They are equal but for upper and lower case.
    """

    nfc: bool = True
    case: bool = False

    def key(self, text: str) -> str:
        """Return what names or paths that mean the same have in common."""
        if self.nfc and not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if self.case:
            text = _without_case(text)
            # A few letters have no composed form in the other case.
            if self.nfc and not text.isascii():
                text = unicodedata.normalize("NFC", text)
        return text

    def branch(self, path: str, start: int = 0) -> int:
        """Return where the first name of ``path`` begins, from ``start`` on, that has another spelling; -1 for none.

        ``start`` is the beginning of a name.
        """
        if self.case:
            return start
        if path.isascii():
            return -1
        for found in _BEYOND_ASCII.finditer(path, start):
            if _has_other_form(found[0]):
                return path.rfind("/", start, found.start()) + 1 or start
        return -1


def spelling_for(there: Features, *, nfc: bool, ignore_case: bool) -> Spelling | None:
    """Return which names are to count as one for a destination; None if each is a name of its own."""
    case = ignore_case or there.case_insensitive
    return Spelling(nfc, case) if nfc or case else None


def _without_case(text: str) -> str:
    """Fold case as file systems do: letter by letter, so that ``ß`` and ``ss`` stay two names."""
    if text.isascii():
        return text.lower()
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return "".join(map(_folded_letter, text))


def _folded_letter(letter: str) -> str:
    for folded in (letter.casefold(), letter.lower()):
        if len(folded) == 1:
            return folded
    return letter


@lru_cache(maxsize=8192)
def _has_other_form(letter: str) -> bool:
    """Say whether a letter is written in several ways, or takes part in such a way as an accent does.

    Names without one (Latin without accents, Chinese, most of Cyrillic) have one spelling only.
    """
    canonical = unicodedata.decomposition(letter)
    if canonical and canonical[0] != "<":
        return True
    # Hangul syllables and what they are composed of are known to ``normalize`` alone.
    if "\u1100" <= letter <= "\u11ff" or "\uac00" <= letter <= "\ud7a3":
        return True
    return unicodedata.category(letter)[0] == "M" or letter in _also_written_otherwise()


_SINGLETONS: Final = ((0x0340, 0x0400), (0x1F00, 0x2400), (0xF900, 0xFB00), (0x2F800, 0x2FA20))
"""Where the letters stand that are but another code for some letter elsewhere."""


@cache
def _also_written_otherwise() -> frozenset[str]:
    """Return the letters that a single other one is canonically equal to, as ``Å`` is to the sign of Ångström."""
    found = set()
    for start, end in _SINGLETONS:
        for code in range(start, end):
            canonical = unicodedata.decomposition(chr(code))
            if canonical and canonical[0] != "<" and " " not in canonical:
                found.add(chr(int(canonical, 16)))
    return frozenset(found)
