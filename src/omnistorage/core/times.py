"""Times of modification: nanoseconds of Unix time inside, aware datetimes for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def as_ns(when: datetime | int) -> int:
    """Return a time as nanoseconds of Unix time; a number is one already.

    Raises:
        ValueError: A datetime without a time zone: it would mean another time elsewhere.
    """
    if isinstance(when, int):
        return when
    if when.tzinfo is None:
        raise ValueError("a time needs a time zone: use datetime(…, tzinfo=UTC)")
    from datetime import UTC, datetime, timedelta

    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000
