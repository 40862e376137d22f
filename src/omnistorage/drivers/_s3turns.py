"""Parts of an upload that are sent side by side, and end one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Lets only the part that was begun first be sent to its end; the others keep their last block back until then.

    A part that was sent and not yet stored is lost by a kill: of ``n`` parts side by side, less than ``n`` are.
    """

    def __init__(self) -> None:
        self._under_way: list[object] = []
        self._changed = threading.Condition()

    @contextmanager
    def begin(self) -> Iterator[Callable[[], None]]:
        """Begin a part; what is given waits, when it is called, until all that were begun before have ended."""
        mine = object()

        def my_turn() -> None:
            with self._changed:
                while self._under_way[0] is not mine:
                    self._changed.wait()

        with self._changed:
            self._under_way.append(mine)
        try:
            yield my_turn
        finally:
            with self._changed:
                self._under_way.remove(mine)
                self._changed.notify_all()
