"""Which names mean the same."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.sync.spelling import Spelling, _has_other_form

NFC = Spelling()
CASELESS = Spelling(nfc=True, case=True)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("e\u0301", "\u00e9", True),
        ("e\u0301\u0323", "e\u0323\u0301", True),
        ("\u212b", "\u00c5", True),
        ("\u0958", "\u0915\u093c", True),
        ("\uac00", "\u1100\u1161", True),
        ("\uf900", "\u8c48", True),
        ("\ufb01", "fi", False),
        ("\u00b2", "2", False),
        ("A", "a", False),
        ("\udcff", "\udcff", True),
    ],
)
def test_composed_and_decomposed(one: str, other: str, same: bool) -> None:
    """Names are one if they are canonically equal; what only looks alike is two."""
    assert (NFC.key(f"d/{one}.x") == NFC.key(f"d/{other}.x")) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("A", "a", True),
        ("\u00c9", "e\u0301", True),
        ("\u03a3\u03a3", "\u03c3\u03c2", True),
        ("\u1e9e", "\u00df", True),
        ("\u00df", "ss", False),
        ("stra\u00dfe A", "STRA\u00dfE a", True),
        ("\u0130", "i", False),
        ("\ufb01A", "\ufb01a", True),
        ("\udcff", "\udcdf", False),
    ],
)
def test_upper_and_lower(one: str, other: str, same: bool) -> None:
    """Case is folded letter by letter, so that no two names of different length in letters become one."""
    assert (CASELESS.key(one) == CASELESS.key(other)) is same


def test_every_letter_with_another_form_is_known() -> None:
    """Of all letters of Unicode: no name has two spellings unless one of its letters says so.

    Three letters have a form in ASCII, which is not looked at.
    """
    ascii_forms = set()
    for code in range(0x80, sys.maxunicode + 1):
        letter = chr(code)
        parts = unicodedata.normalize("NFD", letter)
        if parts == letter:
            continue
        assert _has_other_form(letter)
        if len(parts) > 1:
            assert any(part > "\x7f" and _has_other_form(part) for part in parts[1:])
        elif parts.isascii():
            ascii_forms.add(letter)
        else:
            assert _has_other_form(parts)

    assert ascii_forms == {"\u212a", "\u037e", "\u1fef"}


@given(st.text("a/é\u0301日й\u212b\U0001f600"))
def test_branch(path: str) -> None:
    """The first name that may be spelled otherwise is found, and nothing before it has another spelling."""
    at = NFC.branch(path)
    plain = path if at < 0 else path[:at]

    assert unicodedata.normalize("NFD", plain) == unicodedata.normalize("NFC", plain) == plain
    assert at <= 0 or path[at - 1] == "/"
    assert (at < 0) is not any(letter in path for letter in "é\u0301й\u212b")


def test_branch_goes_on_from_a_name() -> None:
    """What stands before the start is not looked at, and regardless of case each name may be another."""
    assert NFC.branch("é/a/é/b", 2) == 4
    assert NFC.branch("é/a/b", 2) == -1
    assert CASELESS.branch("é/a/é/b", 2) == 2
