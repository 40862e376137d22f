"""Runs one command and prints what it took: seconds of wall clock and processor, peak memory in bytes, exit code.

A process of its own, and as small as Python gets: Linux counts the memory of the process that starts another as
memory of that other one, so whoever starts it must not have made a tree before. Below some 10 MiB, it is our own.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Run ``sys.argv[2:]`` with its output thrown away and its errors in the file ``sys.argv[1]``."""
    errors, *command = sys.argv[1:]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    began = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall = time.monotonic() - began
    print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status))


main()
