"""Events of a run as lines of JSON, for programs that watch: a display, a log, a service."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

import msgspec

from omnistorage.sync.events import AnyEvent, Finished, Moved, Moving
from omnistorage.sync.model import Event, Result

_EVERY: Final = 0.5
"""Seconds between two lines about the run, and between two about the bytes of one transfer."""


class EventLog:
    """Writes each event as a line; an observer of a run."""

    def __init__(self, file: IO[str], moving: Moving, totals: Callable[[], Result]) -> None:
        self._file = file
        self._moving = moving
        self._totals = totals
        self._encode = msgspec.json.Encoder().encode
        self._lock = threading.Lock()
        self._due = time.monotonic() + _EVERY
        self._told: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Write what happened; from any thread."""
        typed = self._moving.take(event)
        now = time.monotonic()
        with self._lock:
            if isinstance(typed, Moved):
                if now < self._told.get(typed.path, 0.0) + _EVERY:
                    return
                self._told[typed.path] = now
            else:
                self._told.pop(typed.path, None)
            self._write(typed)
            if now >= self._due:
                self._due = now + _EVERY
                self._write(self._moving.progress(self._totals()))

    def finish(self) -> None:
        """Write the last line."""
        totals = self._totals()
        with self._lock:
            self._write(Finished(totals.ok, totals.exit_code, self._moving.progress(totals)))

    def _write(self, event: AnyEvent) -> None:
        try:
            line = self._encode(event).decode()
        except UnicodeEncodeError:
            # Names that are not valid UTF-8: the standard library writes them as escapes.
            import json

            line = json.dumps(msgspec.to_builtins(event))
        self._file.write(line + "\n")
        self._file.flush()


@contextmanager
def open_events(name: str | None, moving: Moving, totals: Callable[[], Result]) -> Iterator[EventLog | None]:
    """Open the file that events go to; ``-`` is stdout, None is none."""
    if name is None:
        yield None
        return
    file = sys.stdout if name == "-" else open(name, "w", encoding="utf-8")
    log = EventLog(file, moving, totals)
    try:
        yield log
        log.finish()
    finally:
        if file is not sys.stdout:
            file.close()
