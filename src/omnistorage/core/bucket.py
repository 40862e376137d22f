"""A token bucket: so much in a second, a little more after a rest, in the order of asking."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final

_SHORTEST: Final = 0.001
_LONGEST: Final = 3600.0
_GLANCE: Final = 0.5
_NOTHING: Final = 1e-6


class TokenBucket:
    """Hands out tokens at a rate; safe to share between threads, who are served in the order of asking.

    Asking for more than the bucket can hold is fine: it takes that much longer.

    Args:
        rate: Tokens that come back in a second; None takes the limit away, 0 brings none back but those given.
        burst: Tokens that the bucket holds, that is: what can be taken at once after a rest.
        full: Whether it is full at first, or empty.
        watch: Called by those who wait, at least twice a second; may change the rate. None for nobody.
        clock: Tells the time in seconds.
        sleep: Waits for so many seconds; None waits so that a change of the rate wakes the sleepers.
    """

    def __init__(
        self,
        rate: float | None,
        burst: float,
        *,
        full: bool = True,
        watch: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        _check(rate, burst)
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._watch = watch
        self._changed = threading.Condition()
        # Both only grow. Who asks is served when `_filled` has come up to what `_taken` was then: that keeps the
        # order, and the wait follows from the rate of the moment, also when it is changed during the wait.
        self._filled = float(burst) if full else 0.0
        self._taken = 0.0
        self._at = clock()

    @property
    def rate(self) -> float | None:
        """Tokens that come back in a second; None is no limit. May be set at any time and counts at once."""
        return self._rate

    @rate.setter
    def rate(self, rate: float | None) -> None:
        self.change(rate, self._burst)

    @property
    def burst(self) -> float:
        """Tokens that the bucket holds at most."""
        return self._burst

    @property
    def left(self) -> float:
        """Tokens that are there now; negative by what is asked for and not yet served."""
        with self._changed:
            self._fill()
            return self._filled - self._taken

    def change(self, rate: float | None, burst: float) -> None:
        """Set rate and burst; those who wait go on waiting by the new rate."""
        _check(rate, burst)
        with self._changed:
            self._fill()
            self._rate = rate
            self._burst = burst
            self._fill()
            self._changed.notify_all()

    def take(self, count: float = 1.0) -> None:
        """Take tokens, waiting until they are there."""
        with self._changed:
            self._fill()
            self._taken += count
            mine = self._taken
            while wait := self._until(mine):
                if self._watch is None:
                    self._rest(wait)
                else:
                    self._rest(min(wait, _GLANCE))
                    self._apart(self._watch)

    def try_take(self, count: float = 1.0) -> bool:
        """Take tokens if they are there; say whether they were."""
        with self._changed:
            self._fill()
            if self._rate is not None and self._filled - self._taken < count - _NOTHING:
                return False
            self._taken += count
            return True

    def give(self, count: float = 1.0) -> None:
        """Put tokens back, as far as the bucket holds them."""
        with self._changed:
            self._fill()
            self._filled = min(self._filled + count, self._taken + self._burst)
            self._changed.notify_all()

    def _fill(self) -> None:
        now = self._clock()
        full = self._taken + self._burst
        came = math.inf if self._rate is None else (now - self._at) * self._rate
        self._filled = min(self._filled + came, full)
        self._at = now

    def _until(self, mine: float) -> float:
        """Return the seconds until a claim is served; 0 if it is."""
        self._fill()
        missing = mine - self._filled
        if self._rate is None or missing <= _NOTHING:
            return 0.0
        # A wait too short for the clock to show it would be a busy loop.
        return min(max(missing / self._rate, _SHORTEST), _LONGEST) if self._rate else _LONGEST

    def _rest(self, seconds: float) -> None:
        if self._sleep is None:
            self._changed.wait(seconds)
            return
        sleep = self._sleep
        self._apart(lambda: sleep(seconds))

    def _apart(self, call: Callable[[], object]) -> None:
        """Do ``call`` without holding the lock."""
        self._changed.release()
        try:
            call()
        finally:
            self._changed.acquire()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._rate, self._burst)

    def __repr__(self) -> str:
        return f"<TokenBucket {self._rate}/s, at most {self._burst}>"


def _check(rate: float | None, burst: float) -> None:
    if rate is not None and rate < 0:
        raise ValueError(f"a rate is a number of tokens a second or None, not {rate}")
    if burst <= 0:
        raise ValueError(f"a burst is a positive number of tokens, not {burst}")
