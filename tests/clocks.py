"""Clocks for tests of limits: time passes only where somebody sleeps."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

MONDAY = datetime(2026, 11, 23)


class Clock:
    """A time that passes only by sleeping; who sleeps at the same time sleeps together.

    Attributes:
        now: Seconds since Monday, 0:00.
        longest: The longest sleep so far in seconds.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.longest = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def wall(self) -> datetime:
        """Tell the local time."""
        return MONDAY + timedelta(seconds=self.now)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            until = self.now + seconds
        with self._lock:
            self.longest = max(self.longest, seconds)
            self.now = max(self.now, until)
