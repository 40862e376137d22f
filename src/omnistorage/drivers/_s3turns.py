"""Parts of an upload that are sent side by side, but never all of them to their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE: Final = 5.0
"""Seconds that a part is kept back at most while nothing changes."""


class Turns:
    """Lets all parts but one be sent to their end; that one keeps its last block back until another one has ended.

    A part that was sent and not yet stored is lost by a kill: of ``n`` parts side by side, less than ``n`` are.

    A service may read one part at a time, and be reading the very one that is kept back, while the others wait in the
    buffers of the system: after a while that one goes on, too. If it is the next to be stored, this was the case, and
    none is kept back any more.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._under_way = 0
        self._ending = 0
        self._ended = 0
        self._over = False
        self._changed = threading.Condition()

    @contextmanager
    def begin(self) -> Iterator[Callable[[], None]]:
        """Begin a part; what is given is to be called before its last block, and waits while all others end."""
        ending = 0
        ended_before = -1

        def my_turn() -> None:
            nonlocal ending, ended_before
            if ending:
                return
            with self._changed:
                if not self._wait():
                    ended_before = self._ended
                ending = 1
                self._ending += 1

        with self._changed:
            self._under_way += 1
            self._changed.notify_all()
        try:
            yield my_turn
        finally:
            with self._changed:
                self._over = self._over or self._ended == ended_before
                self._ended += 1
                self._under_way -= 1
                self._ending -= ending
                self._changed.notify_all()

    def _wait(self) -> bool:
        """Wait for the turn of one more part; return False if it did not come."""
        ended, until = self._ended, time.monotonic() + self._patience
        # Of those that are under way another one is left, or there is no other.
        while not (self._over or self._under_way == 1 or self._ending < self._under_way - 1):
            if self._ended != ended:
                ended, until = self._ended, time.monotonic() + self._patience
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._changed.wait(left)
        return True
