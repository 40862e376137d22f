"""When a run has done enough: limits on bytes and on time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Admission:
    """Says whether another transfer may begin; the first refusal ends all transfers.

    Args:
        limit: Bytes that may be transferred in all; None for no limit.
        mode: SOFT lets the last transfer pass the limit; HARD and CAUTIOUS do not begin one that would, and
            CAUTIOUS goes on with smaller ones. The others begin none when it is reached, however small. After the
            time, HARD also stops the transfers that run.
        seconds: Time in which transfers may begin, from now on; None for no limit.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        limit: int | None,
        mode: str,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._mode = mode
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds
        self._begun = 0
        self._lock = threading.Lock()
        self.reached = ""

    @property
    def unlimited(self) -> bool:
        """True if there is no limit to keep."""
        return self._limit is None and self._end is None

    @property
    def counts_bytes(self) -> bool:
        """True if there is a limit to the bytes, so that each transfer must be asked for by itself."""
        return self._limit is not None

    def admit(self, size: int) -> bool:
        """Count a transfer of ``size`` bytes, or refuse it."""
        if self.is_over():
            return False
        if self._limit is None:
            return True
        with self._lock:
            if self.reached and self._mode != "CAUTIOUS":
                return False
            full = self._mode != "CAUTIOUS" and self._begun >= self._limit
            if full or (self._mode != "SOFT" and self._begun + size > self._limit):
                self.reached = "max_transfer"
                return False
            self._begun += size
            return True

    def is_over(self) -> bool:
        """Say whether the time is up."""
        if self._end is None or self._clock() < self._end:
            return False
        self.reached = "max_duration"
        return True

    def stops(self) -> bool:
        """Say whether a transfer that runs is to be stopped now."""
        return self._end is not None and self._mode == "HARD" and self.is_over()
