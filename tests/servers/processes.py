"""Starts processes that cannot outlive the one that starts them, and waits until they listen."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from .model import StartFailed


class Nursery:
    """The processes of one service, and its folder.

    Whoever makes one must have a single thread: the kernel takes the end of the thread that started a process for the
    end of its parent.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        # Not below pytest's own folders: the path of a daemon's socket may have 107 bytes at most.
        self.folder = Path(tempfile.mkdtemp(prefix=f"omnistorage-{name}-"))
        self.log = self.folder / "log"
        self._folders = [self.folder]
        self._running: list[subprocess.Popen[bytes]] = []

    def memory_folder(self) -> Path:
        """Return a folder of its own that is kept in memory, where the system has such."""
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._folders.append(Path(tempfile.mkdtemp(prefix=f"omnistorage-{self.name}-", dir=place)))
        return self._folders[-1]

    def start(self, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        """Start a process that runs until ``stop``; what it writes goes to the log."""
        with open(self.log, "ab") as log:
            self._running.append(self._popen(command, log.fileno(), env))

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a process to its end, which comes within a minute.

        Raises:
            StartFailed: It did not end well.
        """
        with open(self.log, "ab") as log, self._popen(command, log.fileno(), None) as process:
            try:
                code = process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise self.failed(f"{command[0]} {command[1]} did not end within {_PATIENCE} s") from None
        if code:
            raise self.failed(f"{command[0]} {command[1]} ended with {code}")

    def wait(self, *ready: Callable[[], bool]) -> None:
        """Wait until all say so.

        Raises:
            StartFailed: A process ended before, or it took more than a minute.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            for process in self._running:
                if process.poll() is not None:
                    raise self.failed(f"{_program(process)} ended with {process.returncode}")
            if all(question() for question in ready):
                return
            if time.monotonic() > deadline:
                raise self.failed(f"not ready within {_PATIENCE} s")
            time.sleep(0.02)

    def terminate(self) -> None:
        """Ask all processes to end, and do not wait."""
        for process in self._running:
            process.terminate()

    def stop(self) -> None:
        """End all processes, politely at first, and remove the folders."""
        self.terminate()
        deadline = time.monotonic() + _GRACE
        for process in self._running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def pids(self) -> list[int]:
        return [process.pid for process in self._running]

    def failed(self, what: str) -> StartFailed:
        """Return an error that says ``what``, and what the processes wrote last."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        return StartFailed("\n  ".join([f"{self.name}: {what}; the end of its log:", *lines[-_TAIL:]]))

    def _popen(
        self, command: Sequence[str | Path], log: int, env: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        # Ours is for the keeper; programs may have another Python.
        ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.folder,
            env={**ours, **(env or {})},
            preexec_fn=lambda: _end_with(parent),
        )


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def listens(port: int) -> bool:
    """Whether someone takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def program(name: str) -> str | None:
    """Return the path of a program, of this environment or of the system."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name)


def _program(process: subprocess.Popen[bytes]) -> str:
    command = process.args
    assert isinstance(command, (list, tuple))
    return str(command[0])


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone; runs between fork and exec."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # The parent was gone before it was watched.
        os._exit(1)


_PATIENCE: Final = 60.0
"""Seconds that a start may take; it takes two, and ten where all cores are busy."""

_GRACE: Final = 0.3
"""Seconds to end by oneself. What the servers hold is thrown away anyway."""

_TAIL: Final = 30
"""Lines of the log to show."""

_PR_SET_PDEATHSIG: Final = 1
