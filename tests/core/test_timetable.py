"""Timetables: read as rclone reads them, and true to the minute."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core.timetable import Rates, Timetable, parse

RCLONE = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))
needs_rclone = pytest.mark.skipif(RCLONE is None and "CI" not in os.environ, reason="rclone is not installed")
MONDAY = datetime(2026, 11, 23)
KI, MI = 1 << 10, 1 << 20

times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
days = st.sampled_from(["", "Mon-", "tue-", "Wednesday-", "THU-", "fri-", "Sat-", "sunday-"])
rates = st.sampled_from(["off", "0", "1", "512k", "10M", "10M:1M", "off:1M", "2M:off"])
tables = st.lists(st.builds("{}{},{}".format, days, times, rates), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10M", Rates(10 * MI, 10 * MI)),
        ("100", Rates(100 * KI, 100 * KI)),
        ("10M:1M", Rates(10 * MI, MI)),
        ("10M:off", Rates(10 * MI, None)),
        ("off:1.5k", Rates(None, 1536)),
        ("0:0", Rates()),
        ("off", Rates()),
        (" ", Rates()),
    ],
)
def test_rates_for_ever(text: str, wanted: Rates) -> None:
    """A rate, or one for each direction, holds at all times."""
    table = parse(text)

    assert table.at(MONDAY) == wanted
    assert table.next_change(MONDAY) is None


def test_each_day() -> None:
    """Times without a weekday are those of each day; the last one holds until the first of the next day."""
    table = parse("08:00,512k 12:00,10M 13:00,512k 18:00,30M 23:00,off")
    hours = [table.at(MONDAY + timedelta(days=3, hours=hour)).up for hour in (0, 7, 8, 11, 12, 13, 17, 18, 22, 23)]

    assert hours == [None, None, 512 * KI, 512 * KI, 10 * MI, 512 * KI, 512 * KI, 30 * MI, 30 * MI, None]
    assert table.next_change(MONDAY) == MONDAY + timedelta(hours=8)
    assert table.next_change(MONDAY + timedelta(hours=8, seconds=1)) == MONDAY + timedelta(hours=12)


def test_each_week() -> None:
    """Weekdays, short or in full, in any case and order; the week has no beginning."""
    table = parse("Sun-20:00,off;mon-00:00,512;FRIDAY-23:59,10M;Sat-10:00,1M")
    friday = MONDAY + timedelta(days=4, hours=23, minutes=58, seconds=59)

    assert table.at(MONDAY).up == table.at(friday).up == 512 * KI
    assert table.at(friday + timedelta(seconds=1)).up == 10 * MI
    assert table.at(MONDAY + timedelta(days=6, hours=19, minutes=59)).up == MI
    assert table.at(MONDAY - timedelta(minutes=1)).up is None


def test_last_of_equal_times_counts() -> None:
    """Of two entries for one minute the one that is written last holds."""
    assert parse("Mon-08:00,2 08:00,1").at(MONDAY + timedelta(hours=8)).up == KI
    assert parse("08:00,1 Mon-08:00,2").at(MONDAY + timedelta(hours=8)).up == 2 * KI


@given(tables, st.integers(0, 7 * 1440 - 1), st.integers(0, 59))
def test_brute_force(text: str, minute: int, second: int) -> None:
    """Going back from a moment, minute by minute, finds the entry that holds; going on finds the next change."""
    table = parse(text or " ")
    moment = MONDAY + timedelta(minutes=minute, seconds=second)
    written: dict[tuple[int, int, int], Rates] = {}
    for entry in text.split():
        when, rate = entry.split(",")
        day, _, time = when.rpartition("-")
        names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        for weekday in range(7) if not day else (names.index(day[:3].lower()),):
            written[weekday, *map(int, time.split(":"))] = parse(rate).at(MONDAY)  # type: ignore[index]
    holds = Rates()
    for back in range(7 * 1440):
        then = moment - timedelta(minutes=back)
        if (then.weekday(), then.hour, then.minute) in written:
            holds = written[then.weekday(), then.hour, then.minute]
            break
    start = moment.replace(second=0)
    later = (start + timedelta(minutes=number) for number in range(1, 7 * 1440 + 1))
    change = next((then for then in later if table.at(then) != holds), None)

    assert table.at(moment) == holds
    assert table.next_change(moment) == change
    assert table.changes == (change is not None)


def test_aware_moments() -> None:
    """What a moment's own zone shows is what counts."""
    moment = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)

    assert parse("08:00,1M 09:00,off").next_change(moment) == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("rate", [-1, Rates(-1.0, None), Rates(None, -2.0)])
def test_negative_rates(rate: float | Rates) -> None:
    """A rate is never negative."""
    with pytest.raises(ValueError, match="not -"):
        Timetable.of(rate)


def test_what_stands_for_a_timetable() -> None:
    """Numbers, rates, texts and None can be said instead."""
    forms = [Timetable.of(MI), Timetable.of(Rates(MI, MI)), Timetable.of("1M"), Timetable.of(parse("1M"))]

    assert {form.at(MONDAY) for form in forms} == {Rates(MI, MI)}
    assert Timetable.of(None) == Timetable.of("off") == Timetable()
    assert Timetable.of(0.0).at(MONDAY) == Rates(0.0, 0.0)


def test_in_words() -> None:
    """Rates are told as people read them."""
    assert [str(parse(text).at(MONDAY)) for text in ("1M", "1M:512k", "off", "off:1")] == [
        "1 MiB/s",
        "1 MiB/s up, 512 KiB/s down",
        "off",
        "off up, 1 KiB/s down",
    ]


# -- against the real one --------------------------------------------------------------------------------------

ODD = [
    *[
        "",
        " ",
        ";",
        ",",
        ":",
        "1M:",
        ":1M",
        "1:2:3",
        "OFF",
        "-1",
        "-0",
        "1e3",
        "100 ",
        "100;",
        "10 M",
        "1KB",
        "nan",
        "inf",
    ],
    *[
        "08:00,1 ",
        " 08:00,1",
        "08:00,1  09:00,2",
        "08:00,1;;09:00,2",
        "08:00,1; 09:00,off",
        "08:00,1,2",
        "08:00,",
        ",1",
    ],
    *[
        "8:00,1",
        "08-00,1",
        "08x00,1",
        "08\u00e900,1",
        "+8:00,1",
        "-8:00,1",
        "08:+5,1",
        "08:-5,1",
        "24:00,1",
        "23:60,1",
    ],
    *["Mon-08:00,1", "MONDAY-08:00,1", "Mo-08:00,1", "Mon-08:00:1", "Mon-Tue-08:00,1", "-,1", "-08:00,1", "08:00-,1"],
    *[
        "Mon-,1",
        "08:00,1\t09:00,2",
        "08:00,5:3",
        "08:00,5:",
        "0x:00,1",
        "08:00",
        "08:00 09:00",
        "08:00,1 off",
        "++:00,1",
    ],
    *[
        "\u0660\u0668:00,1",
        "1,08:00",
        "08.00,1 Sun-09.30,2",
        "Sun-00:00,-1",
        "08:00,1KiB:2MiB",
        "08:00,1b 08:00,0",
        "a b",
    ],
]


def _asked(text: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    assert RCLONE is not None
    command = [RCLONE, "copy", "--config", "", "--bwlimit", text, *flags, str(folder), str(folder / "d")]
    environment = {**os.environ, "TZ": "UTC"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _accepts(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


@needs_rclone
@pytest.mark.parametrize("text", ODD)
def test_accepts_what_rclone_accepts(text: str, tmp_path: Path) -> None:
    """What rclone refuses is refused, what it takes is taken."""
    code = _asked(text, tmp_path, "--dry-run").returncode

    assert code in (0, 2)
    assert _accepts(text) == (code == 0)


@needs_rclone
def test_random_texts_as_rclone(tmp_path: Path) -> None:
    """Texts that are nearly right are judged as rclone does, and the right ones mean the same right now."""
    chosen = random.Random(20)
    pieces = [
        "08:00",
        "Mon-",
        "tuesday-",
        ",",
        ",",
        " ",
        ";",
        ":",
        "1M",
        "off",
        "512",
        "23:59,",
        "Sun-00:00,",
        "2M:1M",
    ]
    wrong = []
    for number in range(60):
        if number % 2:
            text = "".join(chosen.choices(pieces, k=chosen.randint(1, 6)))
        else:
            entries = [
                f"{chosen.choice(['', 'Mon-', 'Wed-', 'Fri-', 'sun-'])}{chosen.randrange(24):02}:00,"
                f"{chosen.choice(['off', '1M', '5M', '100:7M', '3M:off'])}"
                for _ in range(chosen.randint(1, 4))
            ]
            text = chosen.choice([" ", ";"]).join(entries)
        before = datetime.now(UTC)
        run = _asked(text, tmp_path, "-v", "--dry-run")
        after = datetime.now(UTC)
        if (run.returncode == 0) != _accepts(text):
            wrong.append(text)
        elif run.returncode == 0:
            found = re.search(r"limiter at (\S+) Byte", run.stderr)
            said = parse(found[1]).at(after) if found else Rates()
            if said not in (parse(text).at(before), parse(text).at(after)):
                wrong.append(text)

    assert wrong == []
