"""What a command says about its run: lines on stderr or in a log file, as text or as JSON."""

from __future__ import annotations

import sys
import threading
import time
from typing import IO, Any, Final

from omnistorage.core.errors import printable

DEBUG: Final = 10
INFO: Final = 20
NOTICE: Final = 25
ERROR: Final = 40

LEVELS: Final = {"DEBUG": DEBUG, "INFO": INFO, "NOTICE": NOTICE, "ERROR": ERROR}
_NAMES: Final = {number: name for name, number in LEVELS.items()}


class Console:
    """Where the lines of one run go.

    Attributes:
        level: Lines below it are not written.
        as_json: Lines are JSON objects.
    """

    def __init__(self, level: int = NOTICE, log_file: str | None = None, *, as_json: bool = False) -> None:
        self.level = level
        self.as_json = as_json
        self._file: IO[str] | None = None
        if log_file is not None:
            self._file = open(log_file, "a", encoding="utf-8", errors="surrogateescape")
        self._lock = threading.Lock()

    @property
    def stream(self) -> IO[str]:
        """The log file, or stderr."""
        return self._file or sys.stderr

    def close(self) -> None:
        """Close the log file, if there is one."""
        if self._file is not None:
            self._file.close()

    def debug(self, subject: str, message: str, **fields: Any) -> None:
        """Write what only a developer wants to know."""
        self.log(DEBUG, subject, message, **fields)

    def info(self, subject: str, message: str, **fields: Any) -> None:
        """Write what was done with one object."""
        self.log(INFO, subject, message, **fields)

    def notice(self, subject: str, message: str, **fields: Any) -> None:
        """Write what a user should know without asking."""
        self.log(NOTICE, subject, message, **fields)

    def error(self, subject: str, message: str, **fields: Any) -> None:
        """Write what went wrong."""
        self.log(ERROR, subject, message, **fields)

    def log(self, level: int, subject: str, message: str, **fields: Any) -> None:
        """Write one line about ``subject`` (a path, or empty for the run) if the level is high enough."""
        if level < self.level:
            return
        line = self._json(level, subject, message, fields) if self.as_json else _text(level, subject, message)
        with self._lock:
            self.stream.write(line + "\n")
            self.stream.flush()

    def _json(self, level: int, subject: str, message: str, fields: dict[str, Any]) -> str:
        import msgspec

        entry: dict[str, Any] = {"time": _stamp_iso(), "level": _NAMES[level].lower(), "msg": message}
        if subject:
            entry["object"] = printable(subject)
        return msgspec.json.encode({**entry, **fields, "source": "omnistorage"}).decode()


def _text(level: int, subject: str, message: str) -> str:
    stamp = time.strftime("%Y/%m/%d %H:%M:%S")
    # One line for one event: a newline in a name must not make two.
    what = f"{printable(subject)}: {message}" if subject else message
    return f"{stamp} {_NAMES[level]:<6}: {what}".replace("\n", "\\n")


def _stamp_iso() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
