"""Progress of a run while it goes on: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from omnistorage.core.errors import printable
from omnistorage.core.units import format_duration, format_size
from omnistorage.sync.events import Moving
from omnistorage.sync.model import Event, Outcome, Result, Verb

if TYPE_CHECKING:
    from rich.progress import TaskID

_FEW_SECONDS = 0.2


class Progress:
    """Watches a run; use it as a context manager around it.

    Args:
        totals: Returns the counters of the run as they stand.
        bars: Draw bars (``-P``); without a terminal, or without the library for it, lines are written.
        every: Seconds between lines; 0 for none.
        write: Writes a line.
    """

    def __init__(
        self, totals: Callable[[], Result], *, bars: bool, every: float, write: Callable[[str], None]
    ) -> None:
        self._totals = totals
        self._every = every
        self._write = write
        self.moving = Moving()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._rich = _rich_progress() if bars and sys.stderr.isatty() else None
        if bars and self._rich is None and not every:
            self._every = 5.0

    @property
    def shown(self) -> bool:
        """True if anything is shown, so that events are wanted."""
        return self._rich is not None or bool(self._every)

    def __call__(self, event: Event) -> None:
        """Take an event of the run; from any thread."""
        self.moving.take(event)

    def __enter__(self) -> Progress:
        if self._rich is not None:
            self._rich.start()
        if self._rich is not None or self._every:
            self._thread = threading.Thread(target=self._run, name="omnistorage-progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._rich is not None:
            self._draw({})
            self._rich.stop()

    def _run(self) -> None:
        tasks: dict[str, TaskID] = {}
        while not self._stop.wait(_FEW_SECONDS if self._rich is not None else self._every):
            if self._rich is not None:
                self._draw(tasks)
            else:
                self._write(self._line())

    def _line(self) -> str:
        so_far = self.moving.progress(self._totals())
        left = format_duration(round(so_far.eta)) if so_far.eta is not None else "-"
        renamed = f"{so_far.renamed} renamed, " if so_far.renamed else ""
        deleted = f"{so_far.deleted} deleted, " if so_far.deleted else ""
        return (
            f"{format_size(so_far.bytes + so_far.resumed)} / {format_size(so_far.planned_bytes)}, "
            f"{format_size(round(so_far.speed))}/s, ETA {left}, {so_far.transferred}/{so_far.planned} objects, "
            f"{renamed}{deleted}{so_far.listed} listed, {so_far.checked} checked, {so_far.errors} errors"
        )

    def _draw(self, tasks: dict[str, TaskID]) -> None:
        bars: Any = self._rich
        totals = self._totals()
        so_far = self.moving.progress(totals)
        there = so_far.bytes + so_far.resumed
        moving = {path: pair for path, pair in self.moving.now().items() if pair[1] >= _LARGE}
        words = f"{totals.transferred}/{totals.planned} objects, {totals.listed} listed"
        if "" not in tasks:
            tasks[""] = bars.tasks[0].id if bars.tasks else bars.add_task("", total=None)
        bars.update(tasks[""], description=words, completed=there, total=max(totals.planned_bytes, 1))
        for path in [path for path in tasks if path and path not in moving]:
            bars.remove_task(tasks.pop(path))
        for path, (done, size) in moving.items():
            if path not in tasks:
                tasks[path] = bars.add_task(_shortened(path), total=size)
            bars.update(tasks[path], completed=done)


_LARGE = 16 << 20


def _rich_progress() -> Any:
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import (
            Progress as Bars,
        )
    except ImportError:
        return None
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Bars(*columns, console=Console(stderr=True), auto_refresh=True)


def _shortened(path: str) -> str:
    text = printable(path).replace("\n", "\\n")
    return text if len(text) <= 40 else "…" + text[-39:]


def words_of(outcome: Outcome) -> tuple[str, str] | None:
    """Return the level (``info``, ``notice``, ``error``) and the words for what was done, or None."""
    action = outcome.action
    if outcome.error is not None:
        if action.verb is Verb.FAIL:
            return "error", outcome.error.message or str(outcome.error)
        return "error", f"{action.verb.value} failed: {outcome.error}"
    if action.verb is Verb.COPY:
        if outcome.renamed:
            return "info", "Moved (renamed)"
        return "info", "Copied (new)" if action.dst is None else f"Copied (replaced existing{_kept(outcome)})"
    if action.verb is Verb.RENAME and action.dst is not None:
        return "info", f"Renamed from {printable(action.dst.path)!r}"
    if action.verb is Verb.DELETE:
        return "info", "Deleted" if not outcome.backup else f"Moved to {printable(outcome.backup)!r} as a backup"
    if action.verb is Verb.SKIP:
        return ("notice" if "regular" in action.reason or "vanished" in action.reason else "info"), action.reason
    return _DONE.get(action.verb)


def kind_of(outcome: Outcome) -> str:
    """Return what an outcome is about, as JSON log lines say it."""
    info = outcome.action.src or outcome.action.dst
    return info.kind.value if info is not None else "dir"


def _kept(outcome: Outcome) -> str:
    return f", old version kept as {printable(outcome.backup)!r}" if outcome.backup else ""


def plan_words_of(outcome: Outcome) -> str | None:
    """Return the words for what a dry run would have done, or None."""
    if outcome.error is not None or outcome.action.verb not in _WOULD:
        return None
    action = outcome.action
    size = action.src.size if action.src is not None else action.dst.size if action.dst is not None else None
    tail = f" (size {format_size(size)})" if size is not None else ""
    return f"Skipped {_WOULD[action.verb]} as --dry-run is set{tail}: {action.reason}"


_DONE: dict[Verb, tuple[str, str]] = {
    Verb.TOUCH: ("info", "Updated modification time in destination"),
    Verb.METADATA: ("info", "Updated metadata in destination"),
    Verb.RMDIR: ("info", "Removed directory"),
    Verb.MKDIR: ("info", "Made directory"),
    Verb.KEEP: ("debug", "Unchanged skipping"),
}
_WOULD: dict[Verb, str] = {
    Verb.COPY: "copy",
    Verb.TOUCH: "update modification time",
    Verb.METADATA: "update metadata",
    Verb.DELETE: "delete",
    Verb.RENAME: "rename",
    Verb.RMDIR: "remove directory",
    Verb.MKDIR: "make directory",
}
