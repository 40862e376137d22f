"""What ``sync``, ``copy``, ``move`` and their siblings share: flags, opening both sides, running, telling."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
import msgspec

from omnistorage.core.errors import NotADirectory, StorageError, printable
from omnistorage.core.info import LINK
from omnistorage.opening import open_remote, split
from omnistorage.storage import Storage
from omnistorage.sync.events import Moving
from omnistorage.sync.filters import Filter
from omnistorage.sync.model import Outcome, Result, Verb
from omnistorage.sync.options import Options
from omnistorage.sync.run import Approve, Run

from . import _choices, _flags, _links, _metadata, _places, _sides, _summary
from ._console import NOTICE, Console
from ._events import open_events
from ._exits import FAILED, NO_DIRECTORY, NOTHING_MOVED, Exit
from ._limits import Limits, limited
from ._outcomes import report
from ._progress import Progress, kind_of, plan_words_of, words_of
from ._reports import Reports, reporting_also

if TYPE_CHECKING:
    from concurrent.futures import Executor


def transferring(command: _flags.Command) -> _flags.Command:
    """Add the flags of all transfers; the command gets ``job``, a Job."""

    @wraps(command)
    def wrapper(**given: Any) -> Any:
        job = Job(
            options=_metadata.chosen(_choices.options(given), given),
            console=given.pop("console"),
            config=given.pop("config"),
            bars=given.pop("progress"),
            stats=given.pop("stats"),
            one_line=given.pop("stats_one_line"),
            events=given.pop("events"),
            strict=given.pop("strict"),
            as_json=given.pop("as_json"),
            error_on_no_transfer=given.pop("error_on_no_transfer"),
            limits=given.pop("limits"),
            reports=given.pop("reports"),
            low_level_retries=given.pop("low_level_retries"),
            interactive=given.pop("interactive"),
            beside=Beside(
                backup=given.pop("backup_dir"),
                compare_with=given.pop("compare_dest"),
                copy_from=given.pop("copy_dest"),
            ),
            dask=given.pop("dask"),
            processes=given.pop("processes"),
        )
        if job.reports.active:
            job.options = msgspec.structs.replace(job.options, every=True)
        return command(job=job, **given)

    reporting = reporting_also(dest_after="Write the paths that DEST has when the run is over.")
    kept = _metadata.flags(_links.linking_both(wrapper))
    return _flags.common(_flags.filtering(_choices.choosing(reporting(limited(kept)))))


class Beside(msgspec.Struct, frozen=True):
    """Places that a transfer needs besides its two sides, as they stand on the command line.

    Attributes:
        backup: Where old versions go, or None.
        compare_with: Where objects may be already.
        copy_from: Where objects may be copied from.
    """

    backup: str | None
    compare_with: tuple[str, ...]
    copy_from: tuple[str, ...]


class Job(msgspec.Struct):
    """One transfer as the command line asked for it.

    Attributes:
        options: How to run.
        console: Where lines go.
        config: The configuration file, or None.
        bars: Show progress.
        stats: Seconds between lines of progress, or None.
        one_line: Write the sum in one line.
        events: File to write events to, or None.
        strict: Exit with 1 if anything is known to be right by its size only.
        as_json: Print the result as JSON.
        error_on_no_transfer: Exit with 9 if nothing was moved.
        limits: How fast it may go.
        reports: Lists of paths to write.
        low_level_retries: How often a single call is repeated at most, or None for what is configured.
        interactive: Ask before each change.
        beside: Other places.
        dask: Address of the Dask scheduler whose workers do the transfers, or None.
        processes: Processes of this machine that do the transfers, or None for this one.
    """

    options: Options
    console: Console
    config: str | None
    bars: bool
    stats: float | None
    one_line: bool
    events: str | None
    strict: bool
    as_json: bool
    error_on_no_transfer: bool
    limits: Limits
    reports: Reports
    low_level_retries: int | None
    interactive: bool
    beside: Beside
    dask: str | None
    processes: int | None

    def folders(self, source: str, dest: str, *, delete: bool = False, move: bool = False) -> None:
        """Run from a place into a folder; a source that is a single object goes into it under its name."""
        with (
            self._workers() as executor,
            self._source(source) as (src, name),
            self._dest(dest) as dst,
            self._beside() as options,
        ):
            if name:
                # A filter cannot be about a single object that was named, and one object's absence deletes nothing.
                options = msgspec.structs.replace(options, filter=Filter.only(name))
                delete = False
            approve = self._approve
            run = Run.between(src, dst, options, delete=delete, move=move, executor=executor, approve=approve)
            with self._journal(run, src, dst, source, dest, name):
                self.run(run)

    @contextmanager
    def sides(self, source: str, dest: str) -> Iterator[tuple[Storage, Storage, Options]]:
        """Open two folders, and give the options of a run between them.

        Raises:
            Exit: One of them is a single object.
        """
        if self.dask is not None or self.processes is not None:
            raise click.UsageError("--dask and --processes are for sync, copy, move, copyto and moveto")
        with self._source(source) as (src, name), self._dest(dest) as dst, self._beside() as options:
            if name:
                raise Exit(FAILED, f"{source!r} is a file, not a directory")
            yield src, dst, options

    def exact(self, source: str, dest: str, *, move: bool = False) -> None:
        """Run from an object to exactly this name; from a folder, as ``folders``."""
        approve = self._approve
        with self._workers() as executor, self._source(source, dest if move else None) as (src, name):
            if not name:
                with self._dest(dest) as dst, self._beside() as options:
                    run = Run.between(src, dst, options, move=move, executor=executor, approve=approve)
                    with self._journal(run, src, dst, source, dest):
                        self.run(run)
                return
            _places.refuse_filters(self.options.filter)
            above, leaf = split(dest)
            if not leaf:
                raise Exit(FAILED, f"{dest!r} names a folder; give the name of the object as well")
            with self._dest(above) as dst, self._beside() as options:
                one = Run.of_one(src, name, dst, leaf, options, move=move, executor=executor, approve=approve)
                if one is not None:  # not the same object under the same name
                    with self._journal(one, src, dst, source, above, f"{name} {leaf}"):
                        self.run(one)

    @contextmanager
    def _journal(
        self, run: Run, src: Storage, dst: Storage, source: str, dest: str, name: str = ""
    ) -> Iterator[None]:
        """Let a run remember what it does, and keep others from doing the same at the same time."""
        if self.options.dry_run or "memory" in (src.driver.scheme, dst.driver.scheme):
            yield
            return
        from omnistorage.sync.journal import Journal

        with Journal.between(
            run.kind,
            src.driver,
            dst.driver,
            self.options,
            name=name,
            command=sys.argv[1:],
            source=source,
            dest=dest,
            config=self.config,
            warn=lambda line: self.console.notice("", line),
        ) as run.journal:
            yield

    def run(self, run: Run) -> None:
        """Do it, telling what happens, and end with the exit code that it has."""
        stats = self.stats if self.stats is not None else 60.0 if self.console.level < NOTICE else 0.0
        progress = Progress(
            lambda: run.totals,
            bars=self.bars,
            every=stats or 0.0,
            write=lambda line: self._note(line, run.totals, progress.moving),
        )
        talkative = self.console.level < NOTICE or self.options.dry_run
        with self.reports as reports, open_events(self.events, progress.moving, lambda: run.totals) as log, progress:
            if log is not None:
                run.observer = log
            elif progress.shown:
                run.observer = progress
            try:
                for outcome in run:
                    if reports.active:
                        report(outcome, reports, dry_run=self.options.dry_run)
                    if talkative or outcome.error is not None or outcome.action.verb is Verb.SKIP:
                        self._say(outcome)
            finally:
                # Also after Ctrl-C: whoever stopped it wants to know whether it was in vain.
                for path, (done, count) in run.kept.items():
                    self.console.notice(path, f"{done} of {count} parts are kept; the next run goes on")
        self._tell(run.totals, progress.moving)

    def _note(self, line: str, totals: Result, moving: Moving) -> None:
        """Write a line about the run as a whole, with the counters where machines read."""
        if self.console.as_json:
            from ._stats import stats_of

            self.console.notice("", line, stats=stats_of(totals, moving))
        else:
            self.console.notice("", line)

    def _say(self, outcome: Outcome) -> None:
        path = outcome.action.path
        src = outcome.action.src
        if outcome.action.verb is Verb.SKIP and src is not None and src.kind is LINK and _links.are_skipped():
            return
        if outcome.lost:
            self.console.info(path, f"not all metadata was kept: {', '.join(outcome.lost)}")
        planned = plan_words_of(outcome) if self.options.dry_run else None
        if planned is not None:
            self.console.notice(path, planned)
        elif (words := words_of(outcome)) is not None:
            level, message = words
            getattr(self.console, level)(path, message, size=outcome.bytes, objectType=kind_of(outcome))

    def _tell(self, result: Result, moving: Moving) -> None:
        if self.bars or self.console.level < NOTICE or self.stats or self.options.dry_run:
            lines = _summary.lines(result)
            if self.one_line or self.console.as_json:
                self._note(", ".join(" ".join(line.split()) for line in lines), result, moving)
            else:
                for line in lines:
                    self.console.notice("", line)
        if result.metadata_lost:
            many = f"{result.metadata_lost} object{'s' if result.metadata_lost != 1 else ''}"
            self.console.notice("", f"not all metadata of {many} was kept; owners take root (-v says which and what)")
        if self.as_json:
            facts = msgspec.to_builtins(result, enc_hook=str)
            facts["failures"] = [
                {"path": printable(one.action.path), "error": str(one.error)} for one in result.failures
            ]
            click.echo(msgspec.json.encode(facts).decode())
        if result.exit_code:
            what = f"{result.errors} error{'s' if result.errors != 1 else ''}" if result.errors else "limit reached"
            raise Exit(result.exit_code, f"not complete: {what}")
        if self.strict and result.unverified:
            raise Exit(FAILED, f"{result.unverified} known to be right by size only")
        if self.error_on_no_transfer and not result.transferred:
            raise Exit(NOTHING_MOVED, "nothing was transferred")

    @contextmanager
    def _workers(self) -> Iterator[Executor | None]:
        """Give those who do the transfers, None for this process; what limits there are is divided among them."""
        if self.dask is None and self.processes is None:
            yield None
            return
        if self.dask is not None and self.processes is not None:
            raise click.UsageError("--dask and --processes exclude each other")
        if self.interactive:
            raise click.UsageError("--interactive needs the transfers in this process: no --dask, no --processes")
        from ._executors import crew

        with crew(self.dask, self.processes) as found:
            assert found is not None
            self.limits.divide(found.workers)
            self.options = msgspec.structs.replace(self.options, transfers=max(self.options.transfers, found.slots))
            yield found.executor

    @contextmanager
    def _source(self, text: str, moved_to: str | None = None) -> Iterator[tuple[Storage, str]]:
        try:
            with _sides.source(text, self.config, *self.limits.source(), retries=self.low_level_retries) as found:
                yield found
        except Exit as exc:
            # rclone tells a missing object that was to be renamed from a missing folder that was to be moved.
            if exc.code != NO_DIRECTORY or moved_to is None or self._is_there(moved_to):
                raise
            raise Exit(FAILED, str(exc)) from None

    @contextmanager
    def _dest(self, text: str) -> Iterator[Storage]:
        layers = self.limits.dest()
        with _sides.destination(text, self.config, *layers, retries=self.low_level_retries) as storage:
            if storage.features.local:
                # A dry run would not find out otherwise.
                try:
                    storage.stat("")
                except NotADirectory:
                    raise Exit(FAILED, f"{text!r} lies below a file") from None
                except StorageError:
                    pass
            yield storage

    @contextmanager
    def _beside(self) -> Iterator[Options]:
        """Open the other places, and give the options that name them."""
        beside = self.beside
        with ExitStack() as stack:

            def opened(text: str) -> Storage:
                return stack.enter_context(_sides.destination(text, self.config, *self.limits.dest()))

            yield msgspec.structs.replace(
                self.options,
                backup=opened(beside.backup) if beside.backup is not None else None,
                compare_with=tuple(map(opened, beside.compare_with)),
                copy_from=tuple(map(opened, beside.copy_from)),
            )

    @property
    def _approve(self) -> Approve | None:
        if not self.interactive or self.options.dry_run:
            return None
        from ._asking import Asking

        return Asking().approve

    def _is_there(self, text: str) -> bool:
        with open_remote(text, config=self.config) as storage:
            return storage.exists("")
