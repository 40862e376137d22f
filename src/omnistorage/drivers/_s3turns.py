"""Parts of an upload that are sent side by side, but never all of them to their end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Lets all parts but one be sent to their end; that one keeps its last block back until another one has ended.

    A part that was sent and not yet stored is lost by a kill: of ``n`` parts side by side, less than ``n`` are.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._ending = 0
        self._changed = threading.Condition()

    @contextmanager
    def begin(self) -> Iterator[Callable[[], None]]:
        """Begin a part; what is given is to be called before its last block, and waits while all others end."""
        ending = 0

        def my_turn() -> None:
            nonlocal ending
            with self._changed:
                while not ending:
                    # Of those that are under way another one is left, or there is no other.
                    if self._under_way == 1 or self._ending < self._under_way - 1:
                        ending = 1
                        self._ending += 1
                    else:
                        self._changed.wait()

        with self._changed:
            self._under_way += 1
            self._changed.notify_all()
        try:
            yield my_turn
        finally:
            with self._changed:
                self._under_way -= 1
                self._ending -= ending
                self._changed.notify_all()
