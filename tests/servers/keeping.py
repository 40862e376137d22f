"""The way to the keeper: it is started with the first request, and stopped with its owner."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from .model import Reply, Server, StartFailed


class Keeping(msgspec.Struct, frozen=True):
    """Reaches one keeper, from any process.

    Attributes:
        folder: Where its socket is.
        owner: The process that it ends with.
    """

    folder: Path
    owner: int

    def server(self, kind: str) -> Server:
        """Return the server of a kind; the first call starts it, which takes seconds.

        Raises:
            StartFailed: It did not start.
        """
        self._ensure()
        reply = self._ask(kind)
        if reply.error:
            raise StartFailed(reply.error)
        return reply.servers[kind]

    def pids(self) -> list[int]:
        """Return the process ids of the keeper and of all that it has started."""
        self._ensure()
        return self._ask("pids").pids

    def stop(self) -> None:
        """End the keeper and all that it has started, and wait for it; nothing happens if it never ran."""
        with contextlib.suppress(FileNotFoundError, ConnectionError):
            self._ask("stop")
        shutil.rmtree(self.folder, ignore_errors=True)
        # Reaped only if it was started from here; a worker's is the system's by now.
        with contextlib.suppress(KeyError, ChildProcessError):
            os.waitpid(_STARTED.pop(self.folder), 0)

    def _ask(self, line: str) -> Reply:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_PATIENCE)
            client.connect(str(self.folder / "socket"))
            client.sendall(f"{line}\n".encode())
            with client.makefile("rb") as lines:
                answer = lines.readline()
        if not answer:
            log = (self.folder / "keeper.log").read_text("utf-8", "replace")
            raise StartFailed(f"the keeper of servers has died:\n{log[-4000:]}")
        return msgspec.json.decode(answer, type=Reply)

    def _ensure(self) -> None:
        """Start the keeper if it does not run; of many that try at the same time, one does."""
        place = self.folder / "socket"
        if place.exists():
            return
        with open(self.folder / "lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if place.exists():
                return
            pid = self._spawn()
            deadline = time.monotonic() + _PATIENCE
            while not place.exists():
                if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > deadline:
                    del _STARTED[self.folder]
                    log = (self.folder / "keeper.log").read_text("utf-8", "replace")
                    raise StartFailed(f"the keeper of servers did not start:\n{log[-4000:]}")
                time.sleep(0.01)

    def _spawn(self) -> int:
        path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", f"{__package__}.keeper", str(self.folder), str(self.owner)]
        log = os.open(self.folder / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            # In a session of its own: what is typed at the terminal is meant for the tests.
            pid = os.posix_spawn(
                sys.executable,
                command,
                {**os.environ, "PYTHONPATH": path},
                setsid=True,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
            )
        finally:
            os.close(log)
        _STARTED[self.folder] = pid
        return pid


def new_keeping() -> Keeping:
    """Make the place for a keeper that ends with this process."""
    return Keeping(Path(tempfile.mkdtemp(prefix="omnistorage-servers-")), os.getpid())


@contextlib.contextmanager
def running(kind: str) -> Iterator[Server]:
    """Start a server of one's own; it is gone at the end of the ``with`` block, or of this process.

    Raises:
        StartFailed: It did not start.
    """
    keeping = new_keeping()
    try:
        yield keeping.server(kind)
    finally:
        keeping.stop()


def shared(kind: str) -> Server:
    """Return the server of a kind that the whole test session shares, with all its workers.

    Raises:
        StartFailed: It did not start.
    """
    return session().server(kind)


def session() -> Keeping:
    """Return the way to the keeper of this test session."""
    owner, _, folder = os.environ[_VARIABLE].partition(":")
    return Keeping(Path(folder), int(owner))


def begin_session() -> None:
    """Make this process, and those that it starts, a test session; it costs a folder until a server is asked for."""
    made = new_keeping()
    os.environ[_VARIABLE] = f"{made.owner}:{made.folder}"


def end_session() -> None:
    """End what the test session has started."""
    session().stop()
    del os.environ[_VARIABLE]


_VARIABLE: Final = "OMNISTORAGE_TEST_SERVERS"
"""Of the environment, through which workers know the keeper of their session."""

_PATIENCE: Final = 100.0
"""Seconds for an answer: a start may take a minute, after another one."""

_STARTED: Final[dict[Path, int]] = {}
"""Keepers that this process is the parent of, by folder."""
