"""``omnistorage jobs``: show runs that are under way or were interrupted, go on with them, or forget them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from ._exits import FAILED, Exit, run
from ._flags import common

if TYPE_CHECKING:
    from omnistorage.sync.jobs import Job

    from ._console import Console


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@common
@click.pass_context
def jobs(ctx: click.Context, as_json: bool, console: Console, config: str | None) -> None:
    """Show runs that are under way or were interrupted, go on with them, or forget them.

    \b
    omnistorage jobs                list them
    omnistorage jobs resume 3f      go on with the one whose id begins with 3f
    omnistorage jobs forget 3f      give it up, and take back what it had sent in part

    A run of the same command goes on with an interrupted one by itself; "resume" only spares typing it again.
    """
    # Flags that stand here, as in "omnistorage -v jobs forget", are meant for the sub-command.
    ctx.default_map = {ctx.invoked_subcommand or "": ctx.params}
    if ctx.invoked_subcommand is None:
        _list(as_json, console)


@jobs.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@common
def list_(as_json: bool, console: Console, config: str | None) -> None:
    """List runs that are under way, were interrupted, or ended with failures."""
    _list(as_json, console)


@jobs.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("id")
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
def resume(id: str, flags: tuple[str, ...]) -> None:
    """Give the command of the job ID once more, in the folder that it was given in.

    The first letters of an ID are enough. FLAGS are added to the command: "omnistorage jobs resume 3f -P".
    """
    import os

    from omnistorage.sync.jobs import find, forget
    from omnistorage.sync.jobs import jobs as all_jobs

    from ._group import cli
    from ._order import flags_last

    job = find(id)
    args = [*_command_of(job), *flags]
    if job.order is not None and job.order.cwd:
        os.chdir(job.order.cwd)
    # From now on this is the command that was given: it is written down as such, too.
    sys.argv[1:] = args
    code = run(cli, flags_last(args))
    if code == 0:
        # A job that another version, or another configuration, had under another id has been done all the same.
        for left in all_jobs():
            if left.id == job.id and left.token == job.token:
                forget(left)
    raise Exit(code)


@jobs.command(name="forget")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that do not run.")
@click.option("--force", is_flag=True, help="Also where parts at the destination cannot be taken back.")
@common
def forget_(ids: tuple[str, ...], everything: bool, force: bool, console: Console, config: str | None) -> None:
    """Forget jobs, and take back what they had sent in part.

    What they did is done; only how far they were is forgotten. The first letters of an ID are enough.
    """
    from omnistorage.core.errors import StorageError
    from omnistorage.sync.jobs import find, forget
    from omnistorage.sync.jobs import jobs as all_jobs

    if bool(ids) == everything:
        raise click.UsageError("name jobs, or give --all")
    chosen = [job for job in all_jobs() if job.state != "running"] if everything else [find(id) for id in ids]
    failed = 0
    for job in {job.id: job for job in chosen}.values():
        try:
            aborted = forget(job, config=config, force=force)
        except (StorageError, OSError) as exc:
            failed += 1
            console.error(job.id, f"cannot be forgotten: {exc}")
        else:
            console.info(job.id, f"is forgotten, {aborted} uploads aborted" if aborted else "is forgotten")
    if failed:
        raise Exit(FAILED)


def _command_of(job: Job) -> list[str]:
    """Return the command that a job can be resumed by.

    Raises:
        Exit: There is none.
    """
    order = job.order
    if job.state == "running":
        raise Exit(FAILED, f"job {job.id} is running: process {job.pid} on {job.host}")
    if order is None or order.command is None:
        raise Exit(FAILED, f"job {job.id} was not begun by a command; run again what began it")
    if not order.is_whole:
        raise Exit(FAILED, f"a secret in the command of job {job.id} was not kept; give it again: {order}")
    return order.command


def _list(as_json: bool, console: Console) -> None:
    from omnistorage.sync.jobs import jobs as all_jobs

    found = all_jobs()
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode([_facts(job) for job in found]), indent=2).decode())
        return
    if not found:
        console.info("", "no run is under way, and none was interrupted")
        return
    rows = [("ID", "STATE", "STARTED", "LAST SEEN", "DONE", "COMMAND"), *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[5]]))


def _row(job: Job) -> tuple[str, str, str, str, str, str]:
    from omnistorage.core.errors import printable
    from omnistorage.core.units import format_duration, format_size

    done = f"{job.objects} objects, {format_size(job.bytes)}"
    if job.uploads:
        done += f"; {job.uploads} in parts, {format_size(job.saved)}"
    if job.failures:
        done += f"; {job.failures} failed"
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job.started))
    seen = format_duration(max(0, int(time.time() - job.heartbeat))) + " ago"
    command = printable(str(job.order)) if job.order is not None else "unknown"
    return job.id, job.state, started, seen, done, command.replace("\n", "\\n")


def _facts(job: Job) -> dict[str, object]:
    import msgspec

    from omnistorage.core.errors import printable

    facts = msgspec.structs.asdict(job)
    order = facts.pop("order")
    del facts["token"]
    for name in ("started", "heartbeat"):
        facts[name] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(facts[name]))
    for name in ("kind", "command", "cwd", "source", "dest", "config"):
        value = getattr(order, name, None)
        facts[name] = [printable(word) for word in value] if isinstance(value, list) else _shown(value)
    return facts


def _shown(value: str | None) -> str | None:
    from omnistorage.core.errors import printable

    return None if value is None else printable(value)


command = jobs
