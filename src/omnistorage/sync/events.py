"""A run as a stream of typed events: all that a display needs, in the order in which it happens.

>>> import omnistorage
>>> from omnistorage.sync import Options, events
>>> with omnistorage.open("memory://") as src, omnistorage.open("memory://") as dst:
...     info = src.write_bytes("a.txt", b"hello")
...     kinds = [type(event).__name__ for event in events(src, dst, Options(), delete=True)]
>>> kinds
['Ended', 'Finished']
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final

import msgspec

from omnistorage.storage import Storage

from .model import Event, Outcome, Result
from .options import Options
from .run import Run

if TYPE_CHECKING:
    from concurrent.futures import Executor


class Began(msgspec.Struct, frozen=True, tag="began", tag_field="event"):
    """A transfer of 1 MiB or more (or of unknown size) has begun; smaller ones only end.

    Attributes:
        path: Key at the destination.
        size: Bytes that it has, or None if that is not known.
    """

    path: str
    size: int | None = None


class Moved(msgspec.Struct, frozen=True, tag="moved", tag_field="event"):
    """Bytes of a large transfer have been moved.

    Attributes:
        path: Key at the destination.
        bytes: All that was moved of it so far.
    """

    path: str
    bytes: int


class Resumed(msgspec.Struct, frozen=True, tag="resumed", tag_field="event"):
    """A large transfer goes on where an earlier run ended.

    Attributes:
        path: Key at the destination.
        bytes: Bytes that need not be moved.
    """

    path: str
    bytes: int


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="event"):
    """Something has been done, or has failed.

    Attributes:
        path: Key at the destination.
        verb: What was done, as in ``Verb``.
        reason: Why.
        bytes: Bytes that were moved.
        verified: How the result is known to be right: ``hash``, ``size`` or empty.
        error: What went wrong, or None.
    """

    path: str
    verb: str
    reason: str = ""
    bytes: int = 0
    verified: str = ""
    error: str | None = None


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="event"):
    """How far the run is.

    Attributes:
        bytes: Bytes moved so far, also of transfers that run.
        resumed: Bytes of these transfers that an earlier run had moved.
        planned_bytes: Bytes of the transfers that were decided on so far.
        transferred: Objects transferred.
        planned: Transfers decided on.
        checked: Pairs compared.
        listed: Entries seen.
        deleted: Objects deleted.
        renamed: Objects renamed.
        errors: Failures.
        speed: Bytes per second, on average.
        eta: Seconds that are left for what is planned, or None if that cannot be told.
        elapsed: Seconds since the start.
    """

    bytes: int
    planned_bytes: int
    transferred: int
    planned: int
    checked: int
    listed: int
    deleted: int
    renamed: int
    errors: int
    speed: float
    eta: float | None
    elapsed: float
    resumed: int = 0


class Finished(msgspec.Struct, frozen=True, tag="finished", tag_field="event"):
    """The run is over; this is the last event.

    Attributes:
        ok: Nothing failed, and no limit ended it early.
        exit_code: What a command should end with.
        progress: The totals.
    """

    ok: bool
    exit_code: int
    progress: Progress


AnyEvent = Began | Moved | Resumed | Ended | Progress | Finished


class Moving:
    """The transfers that run, and how many bytes of each have been moved; made from the events of a run."""

    def __init__(self) -> None:
        self._moving: dict[str, tuple[int, int]] = {}
        self._resumed: dict[str, int] = {}
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def take(self, event: Event) -> Began | Moved | Resumed | Ended:
        """Note what a run says, from any thread; return the typed event."""
        path = event.path
        with self._lock:
            if event.kind == "begin":
                self._moving[path] = (0, event.bytes)
                return Began(path, event.bytes)
            if event.kind == "bytes":
                done, size = self._moving.get(path, (0, 0))
                self._moving[path] = (done + event.bytes, size)
                return Moved(path, done + event.bytes)
            if event.kind == "resumed":
                done, size = self._moving.get(path, (0, 0))
                # What is left to be moved is what there is to show.
                self._moving[path] = (done, max(size - event.bytes, 0))
                self._resumed[path] = event.bytes
                return Resumed(path, event.bytes)
            self._moving.pop(path, None)
            self._resumed.pop(path, None)
        assert event.outcome is not None
        return ended(event.outcome)

    def now(self) -> dict[str, tuple[int, int]]:
        """Return path to bytes moved and bytes in all, of what runs."""
        with self._lock:
            return dict(self._moving)

    def progress(self, totals: Result) -> Progress:
        """Return how far a run with these totals is."""
        moved = totals.bytes + sum(done for done, _ in self.now().values())
        elapsed = time.monotonic() - self._began
        speed = moved / elapsed if elapsed > 0 else 0.0
        with self._lock:
            resumed = totals.resumed + sum(self._resumed.values())
        left = max(totals.planned_bytes - moved - resumed, 0)
        return Progress(
            bytes=moved,
            planned_bytes=totals.planned_bytes,
            transferred=totals.transferred,
            planned=totals.planned,
            checked=totals.checked,
            listed=totals.listed,
            deleted=totals.deleted,
            renamed=totals.renamed,
            errors=totals.errors,
            speed=speed,
            eta=left / speed if speed else None if left else 0.0,
            elapsed=elapsed,
            resumed=resumed,
        )


def ended(outcome: Outcome) -> Ended:
    """Return the event of an action that was done, or has failed."""
    action = outcome.action
    error = None if outcome.error is None else str(outcome.error)
    return Ended(action.path, action.verb.value, action.reason, outcome.bytes, outcome.verified, error)


_QUEUED: Final = 1000

Message = AnyEvent | BaseException | None


def events(
    src: Storage,
    dst: Storage,
    options: Options = Options(),
    *,
    delete: bool = False,
    move: bool = False,
    every: float = 0.5,
    executor: Executor | None = None,
) -> Generator[AnyEvent, None, None]:
    """Run, and yield what happens; the run waits for whoever iterates, and ends when the iteration is closed.

    Args:
        src: The source.
        dst: The destination.
        options: How to run.
        delete: Delete at the destination what the source lacks, as ``sync`` does.
        move: Delete at the source what has arrived, as ``move`` does.
        every: Seconds between two Progress events; 0 for none.
        executor: Where transfers run.

    Raises:
        NotFound: There is no source.
        GuardError: The run was refused before anything was changed.
    """
    moving = Moving()
    messages: queue.Queue[Message] = queue.Queue(_QUEUED)
    stop = threading.Event()

    def tell(message: Message) -> None:
        while not stop.is_set():
            try:
                messages.put(message, timeout=0.1)
            except queue.Full:
                continue
            return
        raise _Stopped

    def observe(event: Event) -> None:
        typed = moving.take(event)
        tell(typed)

    run = Run.between(src, dst, options, delete=delete, move=move, observer=observe, executor=executor)
    worker = threading.Thread(target=_work, args=(run, tell), name="omnistorage-run", daemon=True)
    worker.start()
    due = time.monotonic() + every
    try:
        while True:
            try:
                message = messages.get(timeout=max(due - time.monotonic(), 0.0) if every else None)
            except queue.Empty:
                due = time.monotonic() + every
                yield moving.progress(run.totals)
                continue
            if message is None:
                break
            if isinstance(message, BaseException):
                raise message
            yield message
        yield Finished(run.totals.ok, run.totals.exit_code, moving.progress(run.totals))
    finally:
        stop.set()
        worker.join()


class _Stopped(Exception):
    """Nobody listens any more."""


def _work(run: Run, tell: Callable[[Message], None]) -> None:
    """Run to the end, and tell how it ended."""
    try:
        for _ in run:
            pass
        tell(None)
    except _Stopped:
        return
    except BaseException as exc:
        try:
            tell(exc)
        except _Stopped:
            return
