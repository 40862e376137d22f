"""Threads that do one call each while somebody waits for it, or no longer does. Used by ``Timeout`` only."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

REST: Final = 10.0
"""Seconds after which a thread with nothing to do ends."""


class Abandoned(Exception):
    """The time of a job was over."""


class Job(Generic[T]):
    """One call with its time.

    Args:
        call: What to do.
        seconds: How long it may take.
        late: Is given the result if it comes when nobody waits for it any more.
        failed: Is given the error in that case.

    Attributes:
        abandoned: Nobody waits for it any more.
    """

    def __init__(
        self,
        call: Callable[[], T],
        seconds: float,
        late: Callable[[T], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        self.seconds = seconds
        self._call = call
        self._late = late
        self._failed = failed
        self._changed = threading.Condition()
        self._until: float | None = None
        self._done = False
        self.abandoned = False
        self._result: Any = None
        self._error: BaseException | None = None
        # So that a trace or a context that the caller is in goes on in the thread.
        self._context = contextvars.copy_context()

    def pause(self) -> bool:
        """Stop the time; return False if the job was abandoned before."""
        with self._changed:
            self._until = None
            return not self.abandoned

    def go_on(self) -> None:
        """Let the time begin anew."""
        with self._changed:
            self._until = time.monotonic() + self.seconds
            self._changed.notify()

    def run(self) -> None:
        """Do the call; never raises."""
        result, error = None, None
        try:
            result = self._context.run(self._call)
        except BaseException as exc:
            error = exc
        with self._changed:
            self._done = True
            self._result, self._error = result, error
            abandoned = self.abandoned
            self._changed.notify()
        if abandoned:
            self._throw_away(result, error)

    def wait(self) -> T:
        """Return what the call returns, or raise what it raises.

        Raises:
            Abandoned: Its time was over.
        """
        with self._changed:
            try:
                while not self._done:
                    left = None if self._until is None else self._until - time.monotonic()
                    if left is not None and left <= 0:
                        raise Abandoned
                    self._changed.wait(left)
            except BaseException:
                # Ctrl-C ends the waiting as well as the time does.
                self.abandoned = True
                raise
            error, self._error = self._error, None
            if error is None:
                result: T = self._result
                return result
        try:
            raise error
        finally:
            # An error that holds its traceback that holds this frame would live until the next collection.
            del error

    def _throw_away(self, result: Any, error: BaseException | None) -> None:
        try:
            if error is not None:
                if self._failed is not None:
                    self._failed(error)
            elif self._late is not None:
                self._late(result)
        except Exception:
            return  # nobody is there who could be told


class Workers:
    """Daemon threads, made when wanted, used again when idle, ended when idle for long.

    A pool of ``concurrent.futures`` would be waited for at the end of the process, and so would its stuck threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[Job[Any] | None]] = []
        self._closed = False

    def run(self, job: Job[T]) -> T:
        """Do a job in another thread and wait for it as long as it may take."""
        with self._lock:
            queue = self._idle.pop() if self._idle else None
        job.go_on()
        if queue is None:
            queue = SimpleQueue()
            threading.Thread(target=self._work, args=(queue,), name="omnistorage-timeout", daemon=True).start()
        queue.put(job)
        # The thread could not end as long as it knew of the job.
        return job.wait()

    def close(self) -> None:
        """Let idle threads end; others end with their jobs."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for queue in idle:
            queue.put(None)

    def _work(self, queue: SimpleQueue[Job[Any] | None]) -> None:
        while True:
            job = self._next(queue)
            if job is None:
                return
            job.run()
            del job
            with self._lock:
                if self._closed:
                    return
                self._idle.append(queue)

    def _next(self, queue: SimpleQueue[Job[Any] | None]) -> Job[Any] | None:
        try:
            return queue.get(timeout=REST)
        except Empty:
            with self._lock:
                # Whoever took the queue from the list will put a job into it.
                taken = queue not in self._idle
                if not taken:
                    self._idle.remove(queue)
            return queue.get() if taken else None
