"""Writing a time as Go does: by a layout that shows how Monday, 2 January 2006, 15:04:05 is to look."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

_NAMED: Final = {
    "Layout": "01/02 03:04:05PM '06 -0700",
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC822Z": "02 Jan 06 15:04 -0700",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC1123Z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "RFC3339": "2006-01-02T15:04:05Z07:00",
    "RFC3339Nano": "2006-01-02T15:04:05.999999999Z07:00",
    "Kitchen": "3:04PM",
    "Stamp": "Jan _2 15:04:05",
    "StampMilli": "Jan _2 15:04:05.000",
    "StampMicro": "Jan _2 15:04:05.000000",
    "StampNano": "Jan _2 15:04:05.000000000",
    "DateTime": "2006-01-02 15:04:05",
    "DateOnly": "2006-01-02",
    "TimeOnly": "15:04:05",
    "MacFriendlyTime": "2006-01-02 0304PM",
    "macfriendlytime": "2006-01-02 0304PM",
    "mac": "2006-01-02 0304PM",
    "YYYYMMDD": "20060102",
}

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

_PARTS: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|002|0[1-6]|15|__2|_2(?!006)|PM|pm|[12345]"
    r"|[-Z]07(?::?00(?::?00)?)?|[.,](?:0+|9+)(?!\d)"
)

_WRITTEN: Final[dict[str, Callable[[datetime], str]]] = {
    "January": lambda when: _MONTHS[when.month - 1],
    "Jan": lambda when: _MONTHS[when.month - 1][:3],
    "Monday": lambda when: _DAYS[when.weekday()],
    "Mon": lambda when: _DAYS[when.weekday()][:3],
    "MST": lambda when: when.tzname() or "",
    "2006": lambda when: f"{when.year:04}",
    "06": lambda when: f"{when.year % 100:02}",
    "002": lambda when: f"{when.timetuple().tm_yday:03}",
    "__2": lambda when: f"{when.timetuple().tm_yday:3}",
    "01": lambda when: f"{when.month:02}",
    "1": lambda when: str(when.month),
    "02": lambda when: f"{when.day:02}",
    "_2": lambda when: f"{when.day:2}",
    "2": lambda when: str(when.day),
    "15": lambda when: f"{when.hour:02}",
    "03": lambda when: f"{(when.hour + 11) % 12 + 1:02}",
    "3": lambda when: str((when.hour + 11) % 12 + 1),
    "04": lambda when: f"{when.minute:02}",
    "4": lambda when: str(when.minute),
    "05": lambda when: f"{when.second:02}",
    "5": lambda when: str(when.second),
    "PM": lambda when: "PM" if when.hour >= 12 else "AM",
    "pm": lambda when: "pm" if when.hour >= 12 else "am",
}


def write_time(layout: str, when: datetime) -> str:
    """Write a time (aware) by a layout, or by the name of a layout that Go knows."""

    def part(found: re.Match[str]) -> str:
        text = found[0]
        if text in _WRITTEN:
            return _WRITTEN[text](when)
        return _offset(text, when) if text[0] in "-Z" else _fraction(text, when)

    return _PARTS.sub(part, _NAMED.get(layout, layout))


def fill_in(text: str, when: datetime) -> str:
    """Replace what stands between the first ``{`` and the last ``}`` of a text by the time in that layout."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return text
    braced = text[start : end + 1]
    return text.replace(braced, write_time(braced.strip("{}"), when))


def _offset(text: str, when: datetime) -> str:
    offset = when.utcoffset() or timedelta()
    if text[0] == "Z" and not offset:
        return "Z"
    seconds = abs(int(offset.total_seconds()))
    numbers = (seconds // 3600, seconds // 60 % 60, seconds % 60)
    written = [f"{number:02}" for number in numbers[: sum(letter.isdigit() for letter in text) // 2]]
    return ("-" if offset < timedelta() else "+") + (":" if ":" in text else "").join(written)


def _fraction(text: str, when: datetime) -> str:
    digits = f"{when.microsecond * 1000:09}"[: len(text) - 1]
    if text[1] == "9":
        digits = digits.rstrip("0")
    return text[0] + digits if digits else ""
