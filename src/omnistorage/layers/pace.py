"""Keeps as many calls under way as a service bears: half as many when it asks for fewer, then one more by and by.

    Storage(driver, Retry, Pace)       # next to the driver, so that each attempt counts by itself

There is no limit before the service has answered for the first time that it is asked too much (``RateLimited``: a 503
SlowDown of S3, a 429). Then the number of calls under way is halved, once for all calls that were under way together,
and from then on it grows by one for each round of calls that went well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from omnistorage.core.driver import Driver, GetResults, PutItem, PutResults
from omnistorage.core.errors import RateLimited
from omnistorage.core.layer import Layer

T = TypeVar("T")
R = TypeVar("R", bound="Sequence[object]")

PATIENCE: Final = 10.0
"""Seconds after which a call goes in any case: what it waits for may wait for it, as a put for its bytes."""


class Pace(Layer):
    """Adapts the number of calls under way to what the service bears.

    Args:
        inner: The driver around which it stands.
        patience: Seconds that a call waits at most.

    Attributes:
        limit: Calls that may be under way at the moment; infinite before the service has asked for fewer.
    """

    def __init__(self, inner: Driver, *, patience: float = PATIENCE) -> None:
        super().__init__(inner)
        self.many = inner.many
        self.limit = float("inf")
        self.patience = patience
        self._changed = threading.Condition()
        self._running = 0
        self._round = 0

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        begun = self._begin()
        slower = good = False
        try:
            result = call()
            good = True
            return result
        except RateLimited:
            slower = True
            raise
        finally:
            self._end(begun, slower=slower, good=good)

    def put_together(self, items: Sequence[PutItem], width: int) -> PutResults:
        if self.limit != float("inf"):
            # One by one, each of them waits until there is room.
            return super().put_together(items, width)
        return self._watched(lambda: self.inner.put_together(items, width), min(width, len(items)))

    def get_together(self, paths: Sequence[str], width: int) -> GetResults:
        if self.limit != float("inf"):
            return super().get_together(paths, width)
        return self._watched(lambda: self.inner.get_together(paths, width), min(width, len(paths)))

    def _watched(self, call: Callable[[], R], count: int) -> R:
        """Do several calls that are under way together, and look whether the service asks for fewer."""
        begun = self._begin(count)
        slower = False
        try:
            results = call()
            slower = any(isinstance(result, RateLimited) for result in results)
            return results
        finally:
            self._end(begun, count, slower=slower, good=False)

    def _begin(self, count: int = 1) -> int:
        with self._changed:
            if self._running >= self.limit:
                until = time.monotonic() + self.patience
                while self._running >= max(1, int(self.limit)) and (left := until - time.monotonic()) > 0:
                    self._changed.wait(left)
            self._running += count
            return self._round

    def _end(self, begun: int, count: int = 1, *, slower: bool, good: bool) -> None:
        with self._changed:
            running = self._running
            self._running -= count
            if slower and begun == self._round:
                # Who was under way at the same time is told the same, and must not halve it once more.
                self._round += 1
                self.limit = max(1.0, min(self.limit, running) / 2)
            elif good and running + 1 > self.limit:
                self.limit += 1 / self.limit
            self._changed.notify()

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), patience=self.patience), (self.inner,)
