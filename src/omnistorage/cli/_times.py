"""Times as text, by Go's layouts, which rclone's flags take: ``2006-01-02 15:04:05`` shows how it is to look."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_UNKNOWN: Final = 946_684_800 * 1_000_000_000
"""Shown for what has no time, as rclone does: the year 2000."""

_NAMED: Final = {
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
}

_DIRECTIVES: Final = {
    "2006": "%Y",
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "MST": "%Z",
    "002": "%j",
    "01": "%m",
    "02": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "PM": "%p",
    "pm": "%P",
    "_2": "%e",
    "1": "%-m",
    "2": "%-d",
    "3": "%-I",
    "4": "%-M",
    "5": "%-S",
}

_ZONE: Final = r"[-Z]07(?::?00){0,2}"
_FRACTION: Final = r"[.,](?:0+|9+)(?!\d)"
_DIGITS: Final = r"2006|002|0[1-6]|15|_2006|_2|[1-5]"
# Go takes "Jan" and "Mon" only where no longer word begins with them.
_WORDS: Final = r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|PM|pm"

Formatter = Callable[[int | None], str]
_Piece = str | Callable[[time.struct_time, int], str]


def formatter(layout: str, precision: int = 1) -> Formatter:
    """Return what writes times (nanoseconds of Unix time, None if unknown) in the local time zone.

    Args:
        layout: A layout of Go, the name of one (``RFC3339``, ``DateOnly``), ``unix``, ``unixnano`` or ``max``.
        precision: For ``max``: the smallest step of time that is kept, in nanoseconds.
    """
    if layout == "unix":
        return lambda when: str((_UNKNOWN if when is None else when) // 1_000_000_000)
    if layout == "unixnano":
        return lambda when: str(_UNKNOWN if when is None else when)
    if layout == "max":
        digits = 9 - (len(str(precision)) - 1)
        layout = "2006-01-02 15:04:05" + ("." + "0" * digits if digits > 0 else "")
    pieces = _pieces(_NAMED.get(layout, layout))
    last = len(pieces) - 1
    # What does not change within a second is written once for it: files often come in bursts.
    known: dict[int, str] = {}
    if last == 1 and isinstance(pieces[0], str) and layout.endswith(".000000000"):
        return _with_nanoseconds(pieces[0], known)
    if all(isinstance(piece, str) for piece in pieces):
        return _whole_seconds("".join(piece for piece in pieces if isinstance(piece, str)), known)
    return lambda when: _write(pieces, _UNKNOWN if when is None else when)


def read_timestamp(text: str, *, local: bool = False) -> int:
    """Read a time as ``touch`` takes it, in nanoseconds of Unix time.

    Forms are ``YYMMDD``, ``YYYY-MM-DD`` and ``YYYY-MM-DDTHH:MM:SS``, with a fraction and a zone if wanted; without
    a zone it is UTC, or ``local`` time.

    Raises:
        ValueError: It is none of these.
    """
    import re
    from datetime import UTC, datetime

    whole, fraction, zone = text, "", ""
    if found := re.fullmatch(r"(.*T\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", text, re.ASCII):
        whole, fraction, zone = found[1], found[2] or "", found[3] or ""
    elif re.fullmatch(r"\d{6}", text, re.ASCII):
        century = "19" if int(text[:2]) >= 69 else "20"
        whole = f"{century}{text[:2]}-{text[2:4]}-{text[4:]}"
    elif not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError(f"bad time {text!r}: want YYYY-MM-DDTHH:MM:SS, YYYY-MM-DD or YYMMDD")
    try:
        when = datetime.fromisoformat(whole + zone)
        seconds = round((when if zone or local else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise ValueError(f"bad time {text!r}: there is no such date") from None
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)


def _with_nanoseconds(directives: str, known: dict[int, str]) -> Formatter:
    whole = _whole_seconds(directives, known)

    def write(when: int | None) -> str:
        if when is None:
            when = _UNKNOWN
        return f"{whole(when)}.{when % 1_000_000_000:09}"

    return write


def _whole_seconds(directives: str, known: dict[int, str]) -> Formatter:
    def write(when: int | None) -> str:
        seconds = (_UNKNOWN if when is None else when) // 1_000_000_000
        text = known.get(seconds)
        if text is None:
            if len(known) > 10_000:
                known.clear()
            text = known[seconds] = time.strftime(directives, time.localtime(seconds))
        return text

    return write


def _write(pieces: list[_Piece], when: int) -> str:
    moment = time.localtime(when // 1_000_000_000)
    rest = when % 1_000_000_000
    return "".join([time.strftime(p, moment) if isinstance(p, str) else p(moment, rest) for p in pieces])


def _pieces(layout: str) -> list[_Piece]:
    """Take a layout apart: text for ``strftime``, and functions for what that does not know."""
    import re

    pieces: list[_Piece] = []
    text, end = "", 0
    for found in re.finditer(f"{_ZONE}|{_FRACTION}|{_WORDS}|{_DIGITS}", layout):
        token = found[0]
        text += layout[end : found.start()].replace("%", "%%")
        end = found.end()
        if token == "_2006":
            text += "_%Y"
        elif token in _DIRECTIVES:
            text += _DIRECTIVES[token]
        else:
            pieces += [text] if text else []
            text = ""
            pieces.append(_fraction(token) if token[0] in ".," else _zone(token))
    text += layout[end:].replace("%", "%%")
    return [*pieces, text] if text else pieces


def _fraction(token: str) -> Callable[[time.struct_time, int], str]:
    """Digits of a second; those written as nines are left out where only zeros would follow."""

    def write(_: time.struct_time, rest: int) -> str:
        digits = f"{rest:09}"[: len(token) - 1].ljust(len(token) - 1, "0")
        if token[1] == "9":
            digits = digits.rstrip("0")
        return token[0] + digits if digits else ""

    return write


def _zone(token: str) -> Callable[[time.struct_time, int], str]:
    def write(moment: time.struct_time, _: int) -> str:
        offset = moment.tm_gmtoff or 0
        if token[0] == "Z" and not offset:
            return "Z"
        minutes, seconds = divmod(abs(offset), 60)
        hours, minutes = divmod(minutes, 60)
        colon = ":" if ":" in token else ""
        parts = [hours, minutes, seconds][: (len(token.replace(":", "")) - 1) // 2]
        return ("-" if offset < 0 else "+") + colon.join(f"{part:02}" for part in parts)

    return write
