"""What the tests of executors share: layers that kill the process they are in, which another process can import."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

from omnistorage.core.driver import Driver
from omnistorage.core.info import ObjectInfo
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body


class Deadly(Layer):
    """Kills the process that stores one path; if there is a ``fuse``, a file, it does so once."""

    def __init__(self, inner: Driver, path: str, fuse: str | None = None) -> None:
        super().__init__(inner)
        self.path = path
        self.fuse = fuse

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        if path == self.path:
            self._die()
        return super().put(path, body, options)

    def put_many(self, items: Any) -> Any:
        if any(item[0] == self.path for item in items):
            self._die()
        return super().put_many(items)

    def _die(self) -> None:
        if self.fuse is not None:
            try:
                os.unlink(self.fuse)
            except FileNotFoundError:
                return
        os.kill(os.getpid(), signal.SIGKILL)

    def __reduce__(self) -> tuple[object, ...]:
        return partial(Deadly, path=self.path, fuse=self.fuse), (self.inner,)


def dawdle(begun: str, cleaned: str) -> None:
    """Say that it has begun, work for long, and clean up when that is broken off."""
    Path(begun).touch()
    try:
        time.sleep(60.0)
    finally:
        Path(cleaned).touch()
