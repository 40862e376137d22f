"""One limit of bytes a second for all transfers together, which can be changed while they run.

    bandwidth = Bandwidth("08:00,512k 19:00,off")
    bandwidth.set("2M")                # from any thread; those who wait go on by the new rate
    bandwidth.toggle()                 # off, and on again

Bytes up, bytes down, and those of local files have limits of their own, for those read and those written: a byte that
is copied is read once and written once, and so counts once in each.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from .bucket import TokenBucket
from .timetable import Rates, Timetable

AnyLimit = Timetable | Rates | str | float | None
"""What stands for a limit: a timetable, rates, a text as ``--bwlimit`` takes it, bytes a second, or None for none."""

PIECE: Final = 0.05
"""Seconds' worth of bytes that pass at once: so a slow transfer flows rather than jumps."""

BURST: Final = 0.1
"""Seconds' worth of bytes that may pass at once after a rest."""

_LARGEST: Final = 4 << 20
_SMALLEST: Final = 512
_EVERY: Final = 0.5


class Bandwidth:
    """Holds bytes back so that they keep to a limit; for any number of threads, served in the order of asking.

    A timetable is followed by those who move bytes: each looks at it when it asks, and twice a second while it waits.
    No thread is started, and nothing is saved up before the first byte.

    Pickled, it keeps limit and share, and begins anew: another process has a limit of its own, and what is set here
    does not reach it; see ``share``.

    Args:
        limit: The limit.
        told: Gets a line of text when the limit has changed.
        parts: Of how many equal shares this is one.
        clock: Tells the time in seconds.
        now: Tells the local time, for timetables.
        sleep: Waits for so many seconds; None waits so that a change wakes the sleepers.

    Raises:
        ValueError: The limit cannot be understood.
    """

    def __init__(
        self,
        limit: AnyLimit = None,
        *,
        told: Callable[[str], object] | None = None,
        parts: float = 1,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        if parts < 1:
            raise ValueError(f"parts is a number from 1 on, not {parts}")
        self._table = Timetable.of(limit)
        self._told = told
        self._parts = parts
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._lanes: dict[tuple[bool, bool], Lane] = {}
        self._off = False
        # Only the first is written by `toggle_soon`, only the second with the lock: so a signal handler needs none.
        self._wishes = self._granted = 0
        self._next_look = clock() + _EVERY
        self._scheduled = self._table.at(now())

    @property
    def rates(self) -> Rates:
        """The limits that hold at this moment, of all shares together."""
        self._look()
        return Rates() if self._off else self._scheduled

    def set(self, limit: AnyLimit) -> None:
        """Replace the limit by another one; from any thread, and it counts at once.

        Raises:
            ValueError: The limit cannot be understood.
        """
        table = Timetable.of(limit)
        with self._lock:
            self._table = table
            self._scheduled = table.at(self._now())
            self._off = False
            self._apply()
            words = f"bandwidth limit is set to {self._in_words()}"
        self._tell(words)

    def toggle(self) -> bool:
        """Lift the limit, or put it in force again; return whether there was one to do that with."""
        with self._lock:
            words = self._toggle()
        if words:
            self._tell(words)
        return bool(words)

    def toggle_soon(self) -> None:
        """Note that the limit is to be toggled; whoever moves bytes does it, within half a second.

        Takes no lock and waits for nothing: this is what a signal handler may call.
        """
        self._wishes += 1

    def share(self, parts: int) -> Bandwidth:
        """Return a limit of its own for one of so many workers, which together keep to this one.

        Raises:
            ValueError: ``parts`` is less than 1.
        """
        if parts < 1:
            raise ValueError(f"parts is a number from 1 on, not {parts}")
        other = Bandwidth(self._table, parts=self._parts * parts, clock=self._clock, now=self._now, sleep=self._sleep)
        other._off = self._off
        return other

    def lane(self, *, writing: bool, local: bool = False) -> Lane:
        """Return what bytes of one kind have to pass: those written to, or read from, a service or local files."""
        with self._lock:
            lane = self._lanes.get((writing, local))
            if lane is None:
                lane = self._lanes[writing, local] = Lane(self, self._rate(writing, local))
            return lane

    def _look(self) -> None:
        """See whether the limit is another one by now: by the timetable, or because somebody wished so."""
        if self._wishes == self._granted and self._clock() < self._next_look:
            return
        lines = []
        with self._lock:
            self._next_look = self._clock() + _EVERY
            # First what was wished, which was about the limit that held until now.
            wishes = self._wishes
            if (wishes - self._granted) % 2 and (words := self._toggle()):
                lines.append(words)
            self._granted = wishes
            scheduled = self._table.at(self._now())
            if scheduled != self._scheduled:
                self._scheduled = scheduled
                self._apply()
                lifted = ", but lifted" if self._off else ""
                lines.append(f"bandwidth limit by the timetable is now {self._in_words()}{lifted}")
        for line in lines:
            self._tell(line)

    def _toggle(self) -> str:
        if not self._scheduled.limited:
            return ""
        self._off = not self._off
        self._apply()
        return "bandwidth limit is lifted" if self._off else f"bandwidth limit is {self._in_words()} again"

    def _apply(self) -> None:
        for (writing, local), lane in self._lanes.items():
            lane.change(self._rate(writing, local))

    def _rate(self, writing: bool, local: bool) -> float | None:
        rates = self._scheduled
        rate = rates.both if local else rates.up if writing else rates.down
        return None if rate is None or self._off else rate / self._parts

    def _in_words(self) -> str:
        change = self._table.next_change(self._now())
        return f"{self._scheduled} until {change:%a %H:%M}" if change is not None else str(self._scheduled)

    def _tell(self, line: str) -> None:
        if self._told is not None:
            self._told(line)

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self._table, self._parts, self._off)

    def __repr__(self) -> str:
        return f"<Bandwidth {'lifted' if self._off else self._scheduled}>"


class Lane:
    """Where bytes of one kind pass; made by ``Bandwidth.lane``."""

    def __init__(self, owner: Bandwidth, rate: float | None) -> None:
        self._owner = owner
        self._bucket = TokenBucket(
            rate, _room(rate), full=False, watch=owner._look, clock=owner._clock, sleep=owner._sleep
        )

    def piece(self) -> int:
        """Return how many bytes should pass at once at the rate of the moment."""
        self._owner._look()
        rate = self._bucket.rate
        return _LARGEST if rate is None else min(max(int(rate * PIECE), _SMALLEST), _LARGEST)

    def pay(self, count: int) -> None:
        """Wait until so many bytes may pass."""
        if count:
            self._bucket.take(count)

    def ration(self, wanted: int) -> int:
        """Wait until some bytes may pass, ``wanted`` at most; return how many."""
        count = min(wanted, self.piece())
        self.pay(count)
        return count

    @property
    def waiting(self) -> float:
        """Bytes that are asked for and may not pass yet."""
        return max(0.0, -self._bucket.left)

    def change(self, rate: float | None) -> None:
        """Let bytes pass at another rate from now on."""
        self._bucket.change(rate, _room(rate))


class Lanes:
    """Several lanes, all of which the same bytes have to pass."""

    def __init__(self, *lanes: Lane) -> None:
        self._lanes = lanes

    def piece(self) -> int:
        """Return how many bytes should pass at once."""
        return min(lane.piece() for lane in self._lanes)

    def pay(self, count: int) -> None:
        """Wait until so many bytes may pass."""
        for lane in self._lanes:
            lane.pay(count)

    def ration(self, wanted: int) -> int:
        """Wait until some bytes may pass, ``wanted`` at most; return how many."""
        count = min(wanted, self.piece())
        self.pay(count)
        return count


def _room(rate: float | None) -> float:
    return max(1.0, (rate or 0.0) * BURST)


def _again(table: Timetable, parts: float, off: bool) -> Bandwidth:
    made = Bandwidth(table, parts=parts)
    made._off = off
    return made
