"""How much bandwidth there is when: a rate, two of them, or a timetable, written as rclone writes them.

    10M                                                 10 MiB/s; a bare number counts KiB/s
    10M:1M                                              10 MiB/s up, 1 MiB/s down
    off                                                 no limit; so is 0
    08:00,512k 12:00,10M 13:00,512k 18:00,30M 23:00,off each day
    Mon-00:00,512 Fri-23:59,10M Sat-10:00,1M:off        each week

Pure: no clock is read here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Final

import msgspec

from .units import format_rate, parse_size

_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# As rclone reads it: a plus counts as a digit, and any single byte may stand between hour and minute.
_TIME: Final = re.compile(r"([0-9+][0-9])[\x00-\x7f]([0-9+][0-9])")
_HINT: Final = "want a rate (10M), UP:DOWN (10M:1M), or times with rates (08:00,512k Sat-12:00,off)"


class Rates(msgspec.Struct, frozen=True):
    """Bytes a second in each direction; None is no limit, 0 lets nothing pass.

    Attributes:
        up: To a service.
        down: From a service.
    """

    up: float | None = None
    down: float | None = None

    @property
    def limited(self) -> bool:
        """True if there is a limit in any direction."""
        return self.up is not None or self.down is not None

    @property
    def both(self) -> float | None:
        """The limit of bytes that neither come from a service nor go to one: the larger one, if there are two."""
        return None if self.up is None or self.down is None else max(self.up, self.down)

    def __str__(self) -> str:
        if self.up == self.down:
            return _words(self.up)
        return f"{_words(self.up)} up, {_words(self.down)} down"


class Timetable(msgspec.Struct, frozen=True):
    """The rates of each minute of a week.

    Attributes:
        slots: Minutes since Monday 00:00, ascending, each with the rates that hold from then on. The last of the
            week holds until the first of the next one; without any there is no limit.
    """

    slots: tuple[tuple[int, Rates], ...] = ()

    @classmethod
    def of(cls, limit: Timetable | Rates | str | float | None) -> Timetable:
        """Make a timetable of what stands for one: itself, rates for ever, a text, bytes a second, None (no limit).

        Raises:
            ValueError: A text cannot be understood, or a number is negative.
        """
        if isinstance(limit, Timetable):
            return limit
        if isinstance(limit, str):
            return parse(limit)
        rates = limit if isinstance(limit, Rates) else Rates(limit, limit)
        for rate in (rates.up, rates.down):
            if rate is not None and rate < 0:
                raise ValueError(f"a rate is a number of bytes a second or None, not {rate}")
        return cls(((0, rates),)) if rates.limited else cls()

    @property
    def changes(self) -> bool:
        """True if the rates are not always the same."""
        return len({rates for _, rates in self.slots}) > 1

    def at(self, moment: datetime) -> Rates:
        """Return the rates at a moment; weekday and time are taken as they stand there."""
        if not self.slots:
            return Rates()
        return self.slots[self._index(moment)][1]

    def next_change(self, moment: datetime) -> datetime | None:
        """Return the first full minute after ``moment`` at which the rates are others; None if there is none."""
        if not self.changes:
            return None
        first = self._index(moment)
        rates = self.slots[first][1]
        following = (self.slots[(first + number) % len(self.slots)] for number in range(1, len(self.slots)))
        minute = next(minute for minute, others in following if others != rates)
        whole = moment.replace(second=0, microsecond=0)
        return whole + timedelta(minutes=(minute - _minute_of(moment)) % _WEEK)

    def _index(self, moment: datetime) -> int:
        # Before the first slot of the week it is -1, and that is the last one.
        return bisect_right(self.slots, _minute_of(moment), key=lambda slot: slot[0]) - 1


def parse(text: str) -> Timetable:
    """Read a rate, a pair of rates or a timetable; entries stand apart by blanks or semicolons.

    A time without a weekday is one of each day. Of two entries for the same minute the last one counts.

    Raises:
        ValueError: The text is none of these.
    """
    if " " not in text and "," not in text:
        return Timetable.of(_rates(text, text))
    slots: dict[int, Rates] = {}
    for entry in re.split("[ ;]+", text.strip(" ;")):
        if not entry:
            continue
        when, comma, rest = entry.partition(",")
        if not comma:
            raise _bad(text, f"{entry!r} is no time with a rate")
        rates = _rates(rest, text)
        day, dash, time = when.rpartition("-")
        first = _minute(time, text)
        days = (_day(day, text),) if dash else range(7)
        for number in days:
            slots[number * _DAY + first] = rates
    return Timetable(tuple(sorted(slots.items())))


def _rates(text: str, whole: str) -> Rates:
    first, colon, second = text.partition(":")
    try:
        up = parse_size(first) or None
        return Rates(up, (parse_size(second) or None) if colon else up)
    except ValueError:
        raise _bad(whole, f"{text!r} is no rate" if whole != text else "") from None


def _day(text: str, whole: str) -> int:
    name = text.lower()
    for number, day in enumerate(_DAYS):
        if name in (day, day[:3]):
            return number
    raise _bad(whole, f"{text!r} is no weekday")


def _minute(text: str, whole: str) -> int:
    found = _TIME.fullmatch(text)
    if found is not None:
        hour, minute = int(found[1]), int(found[2])
        if hour < 24 and minute < 60:
            return hour * 60 + minute
    raise _bad(whole, f"{text!r} is no time from 00:00 to 23:59")


def _bad(whole: str, reason: str) -> ValueError:
    return ValueError(f"bad bandwidth {whole!r}: {f'{reason}; ' if reason else ''}{_HINT}")


def _minute_of(moment: datetime) -> int:
    return moment.weekday() * _DAY + moment.hour * 60 + moment.minute


def _words(rate: float | None) -> str:
    return "off" if rate is None else format_rate(rate)
