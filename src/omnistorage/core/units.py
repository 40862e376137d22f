"""Sizes, durations and ages are read and written exactly as rclone's flags do.

Only the standard library is needed, and nothing heavy of it before a text really has to be read: these
functions are on the way of every start of the command.
"""

from __future__ import annotations

__all__ = ["format_duration", "format_rate", "format_size", "parse_age", "parse_duration", "parse_size"]

_POWERS = "KMGTPE"

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"

# 'M' is a month and 'm' a minute; so these, other than sizes, are never folded to one case.
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
    "M": 30 * 86400.0,
    "y": 365 * 86400.0,
}

# Longer units are not allowed in a sum like 1h30m: a user who writes 1d12h has to write 36h.
_COMPOUND = r"(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)"

_DATE = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(Z|[+-]\d\d:\d\d)?)?"


def parse_size(text: str) -> int | None:
    """Read a size in bytes; a bare number counts KiB, and ``off`` is None.

    Raises:
        ValueError: The text is no size, or a negative one.
    """
    if text.lower() == "off":
        return None
    import re

    # The whole number comes first, so that in 1e3 the e is an exponent, and in 1e a suffix.
    found = re.fullmatch(rf"({_NUMBER})([bB]|[kKmMgGtTpPeE](?:i[bB]?)?)?", text, re.ASCII)
    if not found:
        raise ValueError(f"bad size {text!r}: want a number and b, K, M, G, T, P or E (1.5M, 100k, 7b), or off")
    number = float(found[1])
    suffix = (found[2] or "K")[0].upper()
    factor = 1 if suffix == "B" else 1024 ** (_POWERS.index(suffix) + 1)
    if number < 0:
        raise ValueError(f"bad size {text!r}: want zero, a positive size, or off")
    if number * factor > 2.0**64:
        raise ValueError(f"bad size {text!r}: want at most 16E")
    # Whole numbers are multiplied as such: a float would lose the last bytes of a big one.
    return int(found[1]) * factor if found[1].lstrip("+-").isdigit() else int(number * factor)


def format_size(size: int) -> str:
    """Write a size as ``rclone size`` does: ``7 B``, ``2 KiB``, ``2.447 KiB``."""
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, len(_POWERS))
    scaled = size / 1024**power
    number = f"{scaled:.0f}" if scaled.is_integer() else f"{scaled:.3f}"
    return f"{number} {_POWERS[power - 1]}iB"


def format_rate(rate: float) -> str:
    """Write a rate, given in bytes per second: ``9.537 MiB/s``."""
    return f"{format_size(int(rate))}/s"


def parse_duration(text: str) -> float | None:
    """Read a duration in seconds; a bare number counts seconds, and ``off`` is None.

    ``M`` is a month of 30 days, ``y`` a year of 365; sums (``1h30m``) have nothing longer than hours.

    Raises:
        ValueError: The text is no duration.
    """
    if text == "off":
        return None
    import re

    if single := re.fullmatch(rf"({_NUMBER})(ns|us|µs|μs|ms|[smhdwMy])?", text, re.ASCII):
        return float(single[1]) * _SECONDS[single[2] or "s"]
    if re.fullmatch(rf"[+-]?(?:{_COMPOUND})+", text, re.ASCII):
        total = sum(
            float(number) * _SECONDS[unit] for number, unit in re.findall(r"([\d.]+)([a-zµμ]+)", text, re.ASCII)
        )
        return -total if text[0] == "-" else total
    raise ValueError(f"bad duration {text!r}: want a number and ms, s, m, h, d, w, M or y (90s, 1h30m, 1.5d), or off")


def format_duration(seconds: float) -> str:
    """Write a duration to a tenth of a second: ``0s``, ``1.5s``, ``1h0m5s``, ``2d3h0m0s``."""
    tenths = round(abs(seconds) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = "-" if seconds < 0 and tenths else ""
    if days:
        text += f"{days}d"
    if days or hours:
        text += f"{hours}h"
    if days or hours or minutes:
        text += f"{minutes}m"
    whole, tenth = divmod(rest, 10)
    return f"{text}{whole}.{tenth}s" if tenth else f"{text}{whole}s"


def parse_age(text: str, now: float) -> float | None:
    """Read an age as the Unix time it stands for; ``off`` is None.

    A duration counts back from ``now``. A date, or a date and time with ``T`` or a blank between them, is
    taken in the local time zone, unless it says its own (``Z``, ``+02:00``).

    Raises:
        ValueError: The text is neither a duration nor a time.
    """
    import re

    if found := re.fullmatch(_DATE, text, re.ASCII):
        from datetime import datetime

        try:
            if found[1] and "T" not in text:
                raise ValueError
            # More digits than microseconds are legal and mean nothing here.
            stamp = re.sub(r"[.,](\d{1,6})\d*", lambda part: "." + part[1].ljust(6, "0"), text)
            return datetime.fromisoformat(stamp).timestamp()
        except (ValueError, OverflowError):
            raise ValueError(f"bad time {text!r}: want a real date, like 2024-01-31T12:00:00Z") from None
    try:
        seconds = parse_duration(text)
    except ValueError:
        raise ValueError(f"bad age {text!r}: want a duration (90s, 1h30m, 7d), a time (2024-01-31), or off") from None
    return None if seconds is None else now - seconds
