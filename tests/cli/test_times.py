"""Go's layouts of times, compared with what rclone wrote."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from omnistorage.cli._times import formatter, read_timestamp


@pytest.fixture(autouse=True)
def _new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("2006-01-02 15:04:05", "2026-11-22 09:29:39"),
        ("Mon Monday Jan 1 _2 02 06", "Sun Sunday Nov 11 22 22 26"),
        ("3:04:05.000PM MST -0700 Z0700 -07:00", "9:29:39.623AM EST -0500 -0500 -05:00"),
        ("RFC3339", "2026-11-22T09:29:39-05:00"),
        ("RFC3339Nano", "2026-11-22T09:29:39.623603505-05:00"),
        ("UnixDate", "Sun Nov 22 09:29:39 EST 2026"),
        ("Kitchen", "9:29AM"),
        ("unix", "1795357779"),
        ("unixnano", "1795357779623603505"),
        ("foo", "foo"),
        ("100%", "1100%"),
        ("Month", "Month"),
        ("15:04:05.999", "09:29:39.623"),
    ],
)
def test_layouts(layout: str, text: str) -> None:
    """Each layout writes what Go writes."""
    when = 1_795_357_779_623_603_505

    assert formatter(layout)(when) == text


@pytest.mark.parametrize(
    ("precision", "text"),
    [
        (1, "1999-12-31 19:00:00.000000000"),
        (1_000_000, "1999-12-31 19:00:00.000"),
        (10**9, "1999-12-31 19:00:00"),
        (60 * 10**9, "1999-12-31 19:00:00"),
    ],
)
def test_as_exact_as_it_is_kept(precision: int, text: str) -> None:
    """``max`` writes the digits that the storage keeps; an unknown time is the year 2000."""
    assert formatter("max", precision)(None) == text


def test_local_timestamps() -> None:
    """Without a zone a time is UTC, or local where that is said."""
    utc = read_timestamp("2026-11-22T14:29:39.623603505")
    local = read_timestamp("2026-11-22T09:29:39.623603505", local=True)

    assert (utc, local) == (1_795_357_779_623_603_505,) * 2
