"""Where the work of a transfer is done: in processes of this machine, or by the workers of a Dask cluster."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import active_children, get_context, parent_process
from typing import Any, Final, NamedTuple

from omnistorage.core.errors import MissingExtra, Unreachable, printable

_PATIENCE: Final = 10.0
"""Seconds in which a scheduler has to answer."""

_MOST_POOLS: Final = 5
"""Pools that may break before it is taken for a fault that comes again and again."""


class Crew(NamedTuple):
    """Who does the work.

    Attributes:
        executor: Takes it.
        workers: Processes among which limits are divided.
        slots: What they can do side by side.
    """

    executor: Executor
    workers: int
    slots: int


@contextmanager
def crew(dask: str | None, processes: int | None) -> Iterator[Crew | None]:
    """Give those who do the work, other than this process; None if it is this one.

    Raises:
        MissingExtra: Dask is not installed.
        Unreachable: No scheduler answers at the address, or it has no workers.
    """
    if dask is not None:
        with _cluster(dask) as found:
            yield found
    elif processes is not None:
        with Processes(processes) as pool:
            yield Crew(pool, processes, processes)
    else:
        yield None


@contextmanager
def _cluster(address: str) -> Iterator[Crew]:
    try:
        distributed: Any = import_module("distributed")
    except ModuleNotFoundError as exc:
        raise MissingExtra(f"--dask needs {exc.name}: pip install 'omnistorage[dask]'") from None
    import logging

    # What goes wrong with a worker is told as the failure of what it was doing.
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as exc:
        words = " ".join(str(exc).split())
        raise Unreachable(f"no Dask scheduler answers at {printable(address)}: {words}") from None
    try:
        threads = client.nthreads()
        if not threads:
            raise Unreachable(f"the Dask scheduler at {printable(address)} has no workers")
        # The same call twice is two calls: nothing is taken from what was done before.
        yield Crew(client.get_executor(pure=False), len(threads), sum(threads.values()))
    finally:
        client.close()


class Processes(Executor):
    """A pool of fresh processes, which end when this one does, however it ends.

    When one of them is killed, what the pool had is lost, and a new pool takes what comes.

    Args:
        count: How many there are.
    """

    far = True

    def __init__(self, count: int) -> None:
        self._count = count
        self._broken = 0
        self._pool = self._start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        try:
            return self._pool.submit(_busily, fn, *args, **kwargs)
        except BrokenExecutor:
            self._broken += 1
            if self._broken == _MOST_POOLS:
                raise
            self._pool.shutdown(wait=True)
            self._pool = self._start()
            return self._pool.submit(_busily, fn, *args, **kwargs)

    def interrupt(self) -> None:
        """Let what runs end as on Ctrl-C, which may have been meant for this process alone."""
        for process in active_children():
            if process.pid is not None:
                _tell(process.pid, signal.SIGINT)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._count, mp_context=get_context("spawn"), initializer=_begin)


class _State:
    busy = False
    over = False


def _begin() -> None:
    """Prepare a process of the pool."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, _end)
    threading.Thread(target=_end_with_parent, name="omnistorage-parent", daemon=True).start()


def _end(number: int, frame: object) -> None:
    """End what is being done, cleaning up.

    One who does nothing is told by the pool to end; from one that has broken nothing comes any more but SIGTERM.
    """
    _State.over = _State.over or number == signal.SIGTERM
    if _State.busy:
        raise KeyboardInterrupt
    if _State.over:
        os._exit(1)


def _end_with_parent() -> None:
    """End this process when the parent is gone: it would wait for more work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    _tell(os.getpid(), signal.SIGINT)
    # Time to remove the temporary file of what was being written.
    time.sleep(1.0)
    os._exit(1)


def _busily(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    try:
        _State.busy = True
        return fn(*args, **kwargs)
    finally:
        _State.busy = False
        if _State.over:
            # Nobody reads what came of it.
            os._exit(1)


def _tell(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except OSError:
        # It has ended by itself.
        return
