"""``python -m servers.keeper FOLDER OWNER``: starts servers for who asks at FOLDER/socket, while process OWNER lives.

It is a process of its own, so that servers belong to no worker: they are started once, by the first that asks, and
are there until the last has ended. It watches its owner through the kernel, so a session that is killed leaves
nothing; and should the keeper itself be killed, the kernel kills what it started.

A client sends one line and reads one: the name of a kind; ``pids``; or ``stop``, which is answered when all are gone.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import msgspec

from .kinds import KINDS, Service
from .model import Reply, StartFailed
from .processes import Nursery


class Keeper:
    """Starts services, each once. It has one thread, as ``Nursery`` demands."""

    def __init__(self) -> None:
        self._nurseries: list[Nursery] = []
        self._replies: dict[str, Reply] = {}

    def answer(self, line: str) -> Reply:
        if line == "pids":
            return Reply(pids=[os.getpid(), *(pid for nursery in self._nurseries for pid in nursery.pids())])
        service = KINDS.get(line)
        if service is None:
            return Reply(error=f"no kind of server is called {line!r}; known: {', '.join(KINDS)}")
        if service.name not in self._replies:
            # A failure is kept, too, or each test would wait for it anew.
            self._replies[service.name] = self._start(service)
        return self._replies[service.name]

    def stop(self) -> None:
        # All at once, or the wait for one would come after that for another.
        for nursery in self._nurseries:
            nursery.terminate()
        while self._nurseries:
            self._nurseries.pop().stop()

    def _start(self, service: Service) -> Reply:
        error = ""
        for _ in range(_TRIES):
            nursery = Nursery(service.name)
            self._nurseries.append(nursery)
            try:
                return Reply(servers={server.kind: server for server in service.start(nursery)})
            except (StartFailed, OSError) as exc:
                error = str(exc)
                self._nurseries.pop().stop()
            # Between its choice and its use, someone else may have taken a port; anything else would fail again.
            if "in use" not in error:
                break
        return Reply(error=error)


def serve(folder: Path, owner: int) -> None:
    """Answer until the owner is gone or a client says ``stop``; then end all that was started."""
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            watched = os.pidfd_open(owner)
        except ProcessLookupError:
            return
        stack.callback(os.close, watched)
        keeper = Keeper()
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(folder / "socket.new"))
        listener.listen()
        # Under its name it takes connections from the first moment on.
        os.rename(folder / "socket.new", folder / "socket")
        stack.callback(keeper.stop)
        while True:
            ready, _, _ = select.select([listener.fileno(), watched], [], [])
            if watched in ready:
                return
            client, _ = listener.accept()
            with client, client.makefile("rb") as lines, contextlib.suppress(OSError):
                # The line is sent with the connection; if it does not come, the client has died.
                client.settimeout(_LINE)
                line = lines.readline().decode().strip()
                if line == "stop":
                    keeper.stop()
                client.sendall(msgspec.json.encode(Reply() if line == "stop" else keeper.answer(line)) + b"\n")
                if line == "stop":
                    return


def main() -> None:
    """Serve as the command line says; a polite signal ends it as if its owner was gone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(Path(sys.argv[1]), int(sys.argv[2]))


_TRIES: Final = 3

_LINE: Final = 5.0
"""Seconds to wait for a client's line."""

if __name__ == "__main__":
    main()
