"""Running a whole command and measuring it: wall clock, processor, peak memory, its children included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

_SPAWN: Final = str(Path(__file__).with_name("spawn.py"))


class Sample(msgspec.Struct, frozen=True):
    """What one run took.

    Attributes:
        wall: Seconds from start to end.
        cpu: Seconds of processor time, user and system.
        memory: Most memory that one of its processes held, in bytes.
    """

    wall: float
    cpu: float
    memory: int


class Failed(Exception):
    """A measured command ended with an error: its numbers would mean nothing."""


def measure(command: Sequence[str], *, errors: str, environment: Mapping[str, str] | None = None) -> Sample:
    """Run a command to its end, its output thrown away, and say what it took.

    Args:
        command: Program and arguments.
        errors: File that gets what it writes to stderr.
        environment: Variables that it gets beside those of this process.

    Raises:
        Failed: It ended with another code than 0; the message has the end of what it wrote to stderr.
    """
    # Nobody's own configuration may change what is measured.
    variables = {**os.environ, "RCLONE_CONFIG": "", "OMNISTORAGE_CONFIG": "", **(environment or {})}
    # Set on some machines, and then Python compiles at every start what an installation has compiled once.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-I", "-S", _SPAWN, errors, *command], env=variables, stdout=subprocess.PIPE, check=True
    )
    wall, cpu, memory, code = done.stdout.split()
    if int(code) != 0:
        with open(errors, encoding="utf-8", errors="replace") as stream:
            raise Failed(f"{' '.join(command)} ended with {int(code)}: {stream.read()[-2000:]}")
    return Sample(float(wall), float(cpu), int(memory))


def middle(samples: Sequence[Sample]) -> Sample:
    """Return the medians of some runs."""
    return Sample(
        median(sample.wall for sample in samples),
        median(sample.cpu for sample in samples),
        int(median(sample.memory for sample in samples)),
    )
