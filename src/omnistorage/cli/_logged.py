"""What drivers and layers log goes where the lines of the run go."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from . import _console

HEADERS = 5
"""The level at which drivers log all headers, too."""


@contextmanager
def logged(console: _console.Console, *, headers: bool) -> Iterator[None]:
    """Within it, lines of the log are lines of the console."""
    logger, lines = logging.getLogger("omnistorage"), _Lines(console)
    level = logger.level
    logger.setLevel(HEADERS if headers else logging.DEBUG)
    logger.addHandler(lines)
    try:
        yield
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)


class _Lines(logging.Handler):
    def __init__(self, console: _console.Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        level = max((at for at in _LEVELS if at <= record.levelno), default=logging.DEBUG)
        self._console.log(_LEVELS[level], "", record.getMessage())


_LEVELS = {
    logging.DEBUG: _console.DEBUG,
    logging.INFO: _console.INFO,
    logging.WARNING: _console.NOTICE,
    logging.ERROR: _console.ERROR,
}
