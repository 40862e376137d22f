"""The command line, run in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cli_runs import Ran, Run, run_here


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run a command line in this process, in an empty folder, with an empty configuration, in UTC."""
    with monkeypatch.context() as patched:
        patched.setenv("OMNISTORAGE_CONFIG", "")
        patched.setenv("OMNISTORAGE_STATE", str(tmp_path / ".state"))
        patched.setenv("HOME", str(tmp_path))
        patched.setenv("TZ", "UTC")
        patched.chdir(tmp_path)
        time.tzset()
        yield run_here
    time.tzset()


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Ran]:
    """Run a command line as a process of its own."""

    def start(
        *args: str | Path,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        stdout: int | None = None,
    ) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "omnistorage", *map(str, args)],
            input=stdin,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "OMNISTORAGE_CONFIG": "",
                "OMNISTORAGE_STATE": str(tmp_path / ".state"),
                "TZ": "UTC",
                **(env or {}),
            },
            cwd=tmp_path,
            preexec_fn=before,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, _text(done.stdout or b""), _text(done.stderr))

    return start


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a few files and folders, all from 2023-11-14 22:13:20 UTC."""
    root = tmp_path / "tree"
    (root / "b" / "e").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a.txt").write_bytes(b"hello")
    (root / "b" / "c.bin").write_bytes(b"x" * 1500)
    (root / "b" / ".hid").write_bytes(b"h")
    (root / "b" / "e" / "f").write_bytes(b"")
    for place in (*root.rglob("*"), root):
        os.utime(place, (1_700_000_000, 1_700_000_000))
    return root


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
