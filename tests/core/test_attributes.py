"""Metadata as text: times, numbers, and what counts as a difference."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core.attributes import SYSTEM, TIMES, as_text, differing, from_text, number, own_of
from omnistorage.core.errors import StorageError

_LONG_AGO, _FAR = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 10**9 for year in (1, 9999))
_NAMES = st.sampled_from([*sorted(SYSTEM - {"mode"}), "colour", "shape"])
_METADATA = st.dictionaries(_NAMES, st.text("ab", max_size=2))


@given(st.integers(_LONG_AGO, _FAR))
def test_times_come_back(when: int) -> None:
    """Every nanosecond of the years that have four digits comes back from its text."""
    assert from_text(as_text(when)) == when


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T02:00:00.5+02:00", 500_000_000),
        ("2006-01-02T15:04:05.999999999Z", 1136214245_999999999),
        ("1969-12-31T23:59:59.25Z", -750_000_000),
        ("2006-01-02T15:04:05.1234567891Z", 1136214245_123456789),
    ],
)
def test_times_of_others(text: str, when: int) -> None:
    """Zones, few and many digits, and times before 1970 are understood."""
    assert from_text(text) == when


@pytest.mark.parametrize("text", ["", "now", "2006-01-02T15:04:05", "2006-01-02T15:04:05.Z", "2006-13-02T15:04:05Z"])
def test_what_is_no_time(text: str) -> None:
    """What is no time, or one without a zone, is refused by name."""
    with pytest.raises(StorageError, match=f"'{text}'"):
        from_text(text)


def test_time_beyond_all_calendars() -> None:
    """A time that has no year of four digits has no text, and nothing breaks."""
    assert as_text(10**30) == ""


@given(_METADATA, _METADATA)
def test_differences(wanted: dict[str, str], held: dict[str, str]) -> None:
    """Nothing differs from itself; what differs is gone once it is set, and times are never among it."""
    names = differing(wanted, held)
    kept = {name: value for name, value in held.items() if name in SYSTEM}

    assert differing(wanted, wanted) == []
    assert not TIMES & set(names)
    assert differing(wanted, kept | wanted) == []
    assert (own_of(wanted) == own_of(held)) or names or "" in (wanted | held).values()


@pytest.mark.parametrize(
    ("one", "two", "special", "same"),
    [
        ("100644", "0644", True, True),
        ("100644", "644", True, True),
        ("644", "600", True, False),
        ("104755", "755", True, False),
        ("104755", "755", False, True),
        ("rw", "644", True, False),
    ],
)
def test_modes(one: str, two: str, special: bool, same: bool) -> None:
    """Permissions are compared as numbers, and the special bits only where they count."""
    assert (differing({"mode": one}, {"mode": two}, special=special) == []) is same


def test_numbers() -> None:
    """A number is read in its base, nothing is none, and what is no number is refused."""
    assert number({"mode": "0755"}, "mode", 8) == 0o755
    assert number({}, "uid") is number({"uid": ""}, "uid") is None
    for text in ("x", "-1", "4294967296", "8 8"):
        with pytest.raises(StorageError):
            number({"uid": text}, "uid")
