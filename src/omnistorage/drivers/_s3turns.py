"""Parts of an upload that are sent side by side, but never all of them to their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from omnistorage.core.errors import Cancelled

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
        self._stopped = False
        self._changed = threading.Condition()

    @contextmanager
    def begin(self, progress: Callable[[int], object] | None = None) -> Iterator[Callable[[bool], None]]:
        """Begin a part; what is given is to be called before each block of it, and told whether it is the last.

        Before the last one it waits while all others end; it raises Cancelled once ``stop`` was called, and what
        ``progress(0)`` raises once the part is wanted no more.
        """
        ending = 0
        ended_before = -1

        def before_block(last: bool) -> None:
            nonlocal ending, ended_before
            if progress is not None:
                progress(0)
            if last and not ending:
                with self._changed:
                    if not self._wait():
                        ended_before = self._ended
                    ending = 1
                    self._ending += 1
            if self._stopped:
                raise Cancelled("the parts of this upload are wanted no more")

        with self._changed:
            self._under_way += 1
            self._changed.notify_all()
        try:
            yield before_block
        finally:
            with self._changed:
                self._over = self._over or self._ended == ended_before
                self._ended += 1
                self._under_way -= 1
                self._ending -= ending
                self._changed.notify_all()

    def stop(self) -> None:
        """Let the parts that are under way fail before their next block."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _wait(self) -> bool:
        """Wait for the turn of one more part; return False if it did not come."""
        ended, until = self._ended, time.monotonic() + self._patience
        # Of those that are under way another one is left, or there is no other.
        while not (self._stopped or self._over or self._under_way == 1 or self._ending < self._under_way - 1):
            if self._ended != ended:
                ended, until = self._ended, time.monotonic() + self._patience
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._changed.wait(left)
        return True
