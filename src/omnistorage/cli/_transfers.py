"""What ``sync``, ``copy``, ``move`` and their siblings share: flags, opening both sides, running, telling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click
import msgspec

from omnistorage.core.errors import printable
from omnistorage.opening import open_remote, split
from omnistorage.storage import LayerMaker, Storage
from omnistorage.sync.filters import Filter
from omnistorage.sync.model import Compare, Outcome, Result, Verb
from omnistorage.sync.options import Options
from omnistorage.sync.run import Run

from . import _flags, _sides, _summary
from ._console import NOTICE, Console
from ._exits import FAILED, NO_DIRECTORY, NOTHING_MOVED, Exit
from ._progress import Progress, plan_words_of, words_of


def transferring(command: _flags.Command) -> _flags.Command:
    """Add the flags of all transfers; the command gets ``job``, a Job."""

    @wraps(command)
    def wrapper(**given: Any) -> Any:
        job = Job(
            options=_options(given),
            console=given.pop("console"),
            config=given.pop("config"),
            bars=given.pop("progress"),
            stats=given.pop("stats"),
            as_json=given.pop("as_json"),
            error_on_no_transfer=given.pop("error_on_no_transfer"),
            bwlimit=given.pop("bwlimit"),
            tpslimit=given.pop("tpslimit"),
        )
        return command(job=job, **given)

    decorated = _flags.common(_flags.filtering(wrapper))
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_OPTIONS = (
    click.option("-n", "--dry-run", is_flag=True, help="Show what would be done, change nothing."),
    click.option("-P", "--progress", is_flag=True, help="Show progress: bars on a terminal, else lines."),
    click.option("--stats", type=_flags.DURATION, help="Write a line of progress so often (10s, 1m)."),
    click.option("--json", "as_json", is_flag=True, help="Print the sum of the run as one JSON object."),
    click.option("-c", "--checksum", is_flag=True, help="Compare by size and hash instead of size and time."),
    click.option("--size-only", is_flag=True, help="Compare by size alone."),
    click.option("-u", "--update", is_flag=True, help="Leave alone what is newer at the destination."),
    click.option("-I", "--ignore-times", is_flag=True, help="Copy all, equal or not."),
    click.option("--ignore-existing", is_flag=True, help="Leave alone what is there."),
    click.option("--ignore-size", is_flag=True, help="Do not compare sizes."),
    click.option("--immutable", is_flag=True, help="Fail where something is there and differs."),
    click.option("--modify-window", type=_flags.DURATION, help="Times that differ by less are equal."),
    click.option("--no-update-modtime", is_flag=True, help="Do not set the time where only that differs."),
    click.option("--no-update-dir-modtime", is_flag=True, help="Do not give folders their time."),
    click.option("--create-empty-src-dirs", is_flag=True, help="Make folders that are empty at the source."),
    click.option("--verify", is_flag=True, help="Compare contents after each transfer; move always does."),
    click.option("--transfers", type=click.IntRange(1, 1024), default=4, show_default=True, help="Side by side."),
    click.option("--checkers", type=click.IntRange(1, 1024), default=8, hidden=True),
    click.option("--retries", type=int, default=3, hidden=True),
    click.option("--max-transfer", type=_flags.SIZE, help="Begin no more transfers after so many bytes (exit 8)."),
    click.option(
        "--cutoff-mode",
        type=click.Choice(["HARD", "SOFT", "CAUTIOUS"], case_sensitive=False),
        default="HARD",
        help="SOFT lets the last transfer pass --max-transfer; HARD and CAUTIOUS begin none that would.",
    ),
    click.option("--bwlimit", type=_flags.SIZE, help="Most bytes per second, all transfers together."),
    click.option("--tpslimit", type=float, help="Most calls per second to each side."),
    click.option("--error-on-no-transfer", is_flag=True, help="Exit with 9 if nothing was transferred."),
)

_DELETING = (
    click.option("--max-delete", type=int, default=-1, help="Refuse to start if more objects would be deleted."),
    click.option("--max-delete-size", type=_flags.SIZE, help="Refuse to start if more bytes would be deleted."),
    click.option("--delete-excluded", is_flag=True, help="Delete at the destination what filters leave out, too."),
    click.option("--allow-empty-source", is_flag=True, help="An empty source is meant: delete everything."),
    click.option("--delete-after", is_flag=True, help="Delete when all transfers are done (always so)."),
)


def deleting(command: _flags.Command) -> _flags.Command:
    """Add the flags of a run that deletes at the destination."""
    for option in reversed(_DELETING):
        command = option(command)
    return command


class Job(msgspec.Struct):
    """One transfer as the command line asked for it.

    Attributes:
        options: How to run.
        console: Where lines go.
        config: The configuration file, or None.
        bars: Show progress.
        stats: Seconds between lines of progress, or None.
        as_json: Print the result as JSON.
        error_on_no_transfer: Exit with 9 if nothing was moved.
        bwlimit: Bytes per second, or None.
        tpslimit: Calls per second, or None.
    """

    options: Options
    console: Console
    config: str | None
    bars: bool
    stats: float | None
    as_json: bool
    error_on_no_transfer: bool
    bwlimit: int | None
    tpslimit: float | None

    def folders(self, source: str, dest: str, *, delete: bool = False, move: bool = False) -> None:
        """Run from a place into a folder; a source that is a single object goes into it under its name."""
        with self._source(source) as (src, name), _sides.destination(dest, self.config) as dst:
            if name:
                # A filter cannot be about a single object that was named, and one object's absence deletes nothing.
                one = msgspec.structs.replace(self.options, filter=Filter.only(name))
                self.run(Run.between(src, dst, one, move=move))
            else:
                self.run(Run.between(src, dst, self.options, delete=delete, move=move))

    def exact(self, source: str, dest: str, *, move: bool = False) -> None:
        """Run from an object to exactly this name; from a folder, as ``folders``."""
        with self._source(source, dest if move else None) as (src, name):
            if not name:
                with _sides.destination(dest, self.config) as dst:
                    self.run(Run.between(src, dst, self.options, move=move))
                return
            above, leaf = split(dest)
            if not leaf:
                raise Exit(FAILED, f"{dest!r} names a folder; give the name of the object as well")
            with _sides.destination(above, self.config) as dst:
                self.run(Run.of_one(src, name, dst, leaf, self.options, move=move))

    def run(self, run: Run | None) -> None:
        """Do it, telling what happens, and end with the exit code that it has."""
        if run is None:  # the same object under the same name
            return
        stats = self.stats if self.stats is not None else 60.0 if self.console.level < NOTICE else 0.0
        progress = Progress(
            lambda: run.totals, bars=self.bars, every=stats or 0.0, write=lambda line: self.console.notice("", line)
        )
        if progress.shown:
            run.observer = progress
        talkative = self.console.level < NOTICE or self.options.dry_run
        with progress:
            for outcome in run:
                if talkative or outcome.error is not None or outcome.action.verb is Verb.SKIP:
                    self._say(outcome)
        self._tell(run.totals)

    def _say(self, outcome: Outcome) -> None:
        path = outcome.action.path
        planned = plan_words_of(outcome) if self.options.dry_run else None
        if planned is not None:
            self.console.notice(path, planned)
        elif (words := words_of(outcome)) is not None:
            level, message = words
            getattr(self.console, level)(path, message, size=outcome.bytes)

    def _tell(self, result: Result) -> None:
        if self.bars or self.console.level < NOTICE or self.stats or self.options.dry_run:
            for line in _summary.lines(result):
                self.console.notice("", line)
        if self.as_json:
            facts = msgspec.to_builtins(result, enc_hook=str)
            facts["failures"] = [
                {"path": printable(one.action.path), "error": str(one.error)} for one in result.failures
            ]
            click.echo(msgspec.json.encode(facts).decode())
        if result.exit_code:
            what = f"{result.errors} error{'s' if result.errors != 1 else ''}" if result.errors else "limit reached"
            raise Exit(result.exit_code, f"not complete: {what}")
        if self.error_on_no_transfer and not result.transferred:
            raise Exit(NOTHING_MOVED, "nothing was transferred")

    @contextmanager
    def _source(self, text: str, moved_to: str | None = None) -> Iterator[tuple[Storage, str]]:
        try:
            with _sides.source(text, self.config, *self._limits()) as found:
                yield found
        except Exit as exc:
            # rclone tells a missing object that was to be renamed from a missing folder that was to be moved.
            if exc.code != NO_DIRECTORY or moved_to is None or self._is_there(moved_to):
                raise
            raise Exit(FAILED, str(exc)) from None

    def _is_there(self, text: str) -> bool:
        with open_remote(text, config=self.config) as storage:
            return storage.exists("")

    def _limits(self) -> tuple[LayerMaker, ...]:
        if not self.bwlimit and not self.tpslimit:
            return ()
        from functools import partial

        from omnistorage.layers.limit import Limit

        return (partial(Limit, bytes_per_second=self.bwlimit or None, ops_per_second=self.tpslimit),)


def _options(given: dict[str, Any]) -> Options:
    """Take the flags that say how to run out of ``given``."""
    compare = Compare.MTIME
    checksum, size_only = given.pop("checksum"), given.pop("size_only")
    if size_only:
        compare = Compare.SIZE
    elif checksum:
        compare = Compare.HASH
    selection: Filter = given.pop("selection")
    if given.pop("delete_excluded", False):
        selection = selection.delete_excluded()
    max_delete = given.pop("max_delete", -1)
    for accepted in ("checkers", "retries", "delete_after"):
        given.pop(accepted, None)
    return Options(
        filter=selection,
        compare=compare,
        modify_window=given.pop("modify_window"),
        update=given.pop("update"),
        ignore_times=given.pop("ignore_times"),
        ignore_existing=given.pop("ignore_existing"),
        ignore_size=given.pop("ignore_size"),
        immutable=given.pop("immutable"),
        update_modtime=not given.pop("no_update_modtime"),
        dir_times=not given.pop("no_update_dir_modtime"),
        empty_dirs=given.pop("create_empty_src_dirs"),
        delete_empty_dirs=given.pop("delete_empty_src_dirs", False),
        verify=given.pop("verify"),
        max_delete=max_delete if max_delete >= 0 else None,
        max_delete_size=given.pop("max_delete_size", None),
        allow_empty_source=given.pop("allow_empty_source", False),
        max_transfer=given.pop("max_transfer"),
        cutoff=given.pop("cutoff_mode").upper(),
        transfers=given.pop("transfers"),
        dry_run=given.pop("dry_run"),
    )
