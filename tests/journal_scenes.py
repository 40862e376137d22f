"""What the tests of journals share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import omnistorage
from omnistorage.sync.journal import Fingerprint, JobKey, Journal

SRC = Path(omnistorage.__file__).parents[1]

KEY = JobKey(kind="copy", source=("file", "/here"), dest=("file", "/there"))
OTHER = JobKey(kind="copy", source=("file", "/here"), dest=("file", "/elsewhere"))
LONG_AGO = 1_700_000_000_123_456_789


class Said(list[str]):
    """The lines that a journal warned with."""

    def __call__(self, line: str) -> None:
        """Take a line."""
        self.append(line)


def opened(folder: Path, key: JobKey = KEY, **about: Any) -> Journal:
    """Open the journal of a job below a folder."""
    return Journal.open(key, folder=folder, **about)


def version(number: int) -> Fingerprint:
    """One of many versions of an object."""
    return Fingerprint(number, LONG_AGO + number)


def database(folder: Path, key: JobKey = KEY) -> Path:
    """The file in which a job keeps what it remembers."""
    return folder / "jobs" / f"{key.id}.db"


def lock_file(folder: Path, key: JobKey = KEY) -> Path:
    """The lock of a job."""
    return folder / "jobs" / f"{key.id}.lock"


def start(code: str, *args: object, **options: Any) -> subprocess.Popen[str]:
    """Start a program in Python."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@contextmanager
def running(code: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Run a program that says a line when it is ready, and kill it in the end."""
    with start(code, *args) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def killed(code: str, *args: object) -> None:
    """Run a program that says a line when it is ready, and kill it then."""
    with running(code, *args):
        pass
