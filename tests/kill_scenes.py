"""What the tests that kill share: a command under watch, and the bytes it has written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TICK = 0.01
"""Seconds in which a large file goes on between two looks."""


class Watched:
    """The command line in a process of its own, whose writing is counted also when it is dead.

    Args:
        words: What follows the program's name.
    """

    def __init__(self, *words: str | Path) -> None:
        command = [sys.executable, "-m", "omnistorage", *map(str, words)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    @property
    def written(self) -> int:
        """The bytes written so far, those that the kernel copied included."""
        lines = Path(f"/proc/{self._process.pid}/io").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("wchar")).split()[1])

    @property
    def ended(self) -> bool:
        """True if it has ended, of itself or by force; the system still knows of it."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Return when something has happened, or when the process has ended."""
        while not self.ended and not happened():
            time.sleep(0.0005)

    def wait(self, seconds: float) -> None:
        """Return after so long, or when the process has ended."""
        until = time.monotonic() + seconds
        self.wait_for(lambda: time.monotonic() > until)

    def wait_for_bytes(self, count: float) -> None:
        """Return when so many bytes were written, or when the process has ended."""
        self.wait_for(lambda: self.written >= count)

    def kill(self) -> int:
        """Kill it, and return what it had written."""
        # Not by Popen, which lets go of a process that has ended already.
        os.kill(self._process.pid, signal.SIGKILL)
        return self._close()[1]

    def result(self) -> tuple[dict[str, Any], int]:
        """Wait for the end of a command with ``--json``; return what it says and what it has written."""
        said, written = self._close()
        return json.loads(said), written

    def _close(self) -> tuple[bytes, int]:
        assert self._process.stdout is not None
        said = self._process.stdout.read()
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        written = self.written
        self._process.stdout.close()
        self._process.wait()
        return said, written
