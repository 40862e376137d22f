"""Units: what rclone's flags take, and how it writes sizes."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core import units

K = 1024


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", K),
        ("1b", 1),
        ("1B", 1),
        ("1k", K),
        ("1Ki", K),
        ("1KiB", K),
        ("1kib", K),
        ("1M", K**2),
        ("1g", K**3),
        ("1t", K**4),
        ("1P", K**5),
        ("1e", K**6),
        ("1E", K**6),
        ("1e3", 1000 * K),
        ("1e3k", 1000 * K),
        ("1.5M", K**2 * 3 // 2),
        (".5", 512),
        ("1.", K),
        ("+1", K),
        ("0", 0),
        ("-0", 0),
        ("off", None),
        ("OFF", None),
        ("9007199254740993b", 9007199254740993),
    ],
)
def test_sizes_are_read(text: str, size: int | None) -> None:
    """A number with or without a suffix is a size; without, it counts KiB."""
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1KB",
        "1KIB",
        "1x",
        "1Q",
        "-1",
        "-1b",
        " 1",
        "1 k",
        "0x10",
        "inf",
        "nan",
        "nank",
        "k",
        "1i",
        "1eb",
        "1e400",
        "99E",
    ],
)
def test_bad_sizes_are_refused(text: str) -> None:
    """What is no size is refused in one line that says what would be right."""
    with pytest.raises(ValueError, match=r"^bad size .*: want [^\n]+$"):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (7, "7 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (2048, "2 KiB"),
        (2506, "2.447 KiB"),
        (1048575, "1023.999 KiB"),
        (1048576, "1 MiB"),
        (10000000, "9.537 MiB"),
        (1073741823, "1024.000 MiB"),
        (1100000000000, "1.000 TiB"),
        (2**70, "1024 EiB"),
    ],
)
def test_sizes_are_written_as_rclone_does(size: int, text: str) -> None:
    """Three decimals, or none if the number is whole."""
    assert units.format_size(size) == text


def test_rate_is_a_size_per_second() -> None:
    """A rate is written like a size."""
    assert units.format_rate(10_000_000.7) == "9.537 MiB/s"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1ms", 0.001),
        ("1s", 1),
        ("1m", 60),
        ("1h", 3600),
        ("1d", 86400),
        ("1w", 604800),
        ("1M", 30 * 86400),
        ("1y", 365 * 86400),
        ("1.5d", 129600),
        ("1h30m", 5400),
        ("1h1m1.5s", 3661.5),
        ("-1h30m", -5400),
        ("1e3", 1000),
        (".5", 0.5),
        ("off", None),
    ],
)
def test_durations_are_read(text: str, seconds: float | None) -> None:
    """A number with a unit is a duration, and a sum of hours, minutes and seconds."""
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "1D", "1d12h", "1w2d", "1h30", "1H", "1Y", "OFF", " 1s", "1 s", "x", "nan", "inf"]
)
def test_bad_durations_are_refused(text: str) -> None:
    """Days are not part of a sum, and units have their case."""
    with pytest.raises(ValueError, match=r"^bad duration .*: want [^\n]+$"):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.04, "0s"),
        (1.25, "1.2s"),
        (59.96, "1m0s"),
        (90, "1m30s"),
        (3605, "1h0m5s"),
        (183600, "2d3h0m0s"),
        (-90, "-1m30s"),
    ],
)
def test_durations_are_written(seconds: float, text: str) -> None:
    """A duration has all units below its largest one."""
    assert units.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-01-02T03:04:05Z", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2020-01-02T03:04:05+02:00", datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2020-01-02T03:04:05.5Z", datetime(2020, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
        ("2020-01-02T03:04:05,123456789Z", datetime(2020, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2020-01-02T03:04:05", datetime(2020, 1, 2, 3, 4, 5).astimezone()),
        ("2020-01-02 03:04:05", datetime(2020, 1, 2, 3, 4, 5).astimezone()),
        ("2020-01-02", datetime(2020, 1, 2).astimezone()),
    ],
)
def test_times_are_ages(text: str, moment: datetime) -> None:
    """A time is taken as it is, and as local time if it does not say its zone."""
    assert units.parse_age(text, 0.0) == moment.timestamp()


def test_durations_are_ages_before_now() -> None:
    """A duration counts back from now, and off is none."""
    now = time.time()

    assert units.parse_age("1h30m", now) == now - 5400
    assert units.parse_age("off", now) is None


@pytest.mark.parametrize(
    "text",
    [
        "1D",
        "x",
        "2020-1-1",
        "2020-13-01",
        "2020-01",
        "2020-01-01 00:00",
        "2020-01-01 00:00:00Z",
        "2020-01-01T25:00:00",
    ],
)
def test_bad_ages_are_refused(text: str) -> None:
    """What is neither a duration nor a time is refused in one line."""
    with pytest.raises(ValueError, match=r"^bad (age|time) .*: want [^\n]+$"):
        units.parse_age(text, 0.0)


@given(st.integers(0, 2**63))
def test_sizes_survive_writing_bytes(size: int) -> None:
    """Every number of bytes is read as itself."""
    assert units.parse_size(f"{size}b") == size
