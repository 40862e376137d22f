"""Plans on the command line: from places to a file, and from a file to the run."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import IO, Any, Literal, cast

import click
import msgspec

from omnistorage.core.errors import StorageError
from omnistorage.core.units import format_size
from omnistorage.opening import canonical, parse
from omnistorage.sync.plans import PlanError, SavedPlan, Totals, applying, write_plan

from . import _links
from ._exits import FAILED, Exit
from ._transfers import Beside, Job

_KEPT = (
    "verify",
    "inplace",
    "suffix",
    "suffix_keep_extension",
    "update_modtime",
    "dir_times",
    "metadata",
    "metadata_set",
)
"""Options that say how to act; those that say what to do have become actions."""


def write(job: Job, source: str, dest: str, output: str, recipe: str) -> None:
    """Write a plan to a file or to stdout."""
    settings: dict[str, Any] = {name: getattr(job.options, name) for name in _KEPT}
    settings["metadata_mapper"] = job.options.metadata_mapper
    settings["links"] = _links.chosen()
    settings["backup"] = None if job.beside.backup is None else _absolute(job.beside.backup)
    if settings["backup"] == "":
        raise click.UsageError(
            "--backup-dir: its address holds a secret, which a plan does not keep; a reference (env:NAME) is kept"
        )
    with job.sides(source, dest) as (src, dst, options), _Output(output) as file:
        totals = write_plan(
            file,
            src,
            dst,
            options,
            recipe=cast(Literal["sync", "copy", "move"], recipe),
            source=_absolute(source),
            dest=_absolute(dest),
            settings=settings,
        )
    for line in _lines(totals):
        job.console.notice("", line)
    if totals.errors:
        raise Exit(FAILED, f"{totals.errors} paths cannot be dealt with; they are in the plan as 'fail'")


def apply(job: Job, plan: str, source: str | None, dest: str | None) -> None:
    """Carry out the plan in a file."""
    with ExitStack() as stack:
        file = stack.enter_context(open(plan, encoding="utf-8"))
        try:
            saved = SavedPlan(file)
        except (PlanError, UnicodeDecodeError) as exc:
            words = exc.message if isinstance(exc, PlanError) else "is not a plan: it is not text"
            raise Exit(FAILED, f"{plan!r} {words}") from None
        header = saved.header
        job.options = msgspec.structs.replace(
            job.options, **{name: value for name, value in header.settings.items() if name in _KEPT}
        )
        if (mapper := header.settings.get("metadata_mapper", "")) != job.options.metadata_mapper:
            # Not started because a file says so: whoever applies the plan has to want it.
            wanted = f"with --metadata-mapper {mapper!r}" if mapper else "without --metadata-mapper"
            raise Exit(FAILED, f"{plan!r} was made {wanted}; apply it so, too")
        _links.choose(header.settings.get("links", {}))
        job.beside = Beside(backup=header.settings.get("backup"), compare_with=(), copy_from=())
        unknown = [
            side
            for side, text in (("source", source or header.source), ("destination", dest or header.dest))
            if not text
        ]
        if unknown:
            raise click.UsageError(
                f"{plan!r} does not say where the {' and the '.join(unknown)} is, since its address holds a secret; "
                "give source and destination again"
            )
        sides = job.sides(source or header.source, dest or header.dest)
        src, dst, options = stack.enter_context(sides)
        if options.dry_run:
            raise Exit(FAILED, "a plan is a dry run already; read it, or apply it without --dry-run")
        job.run(applying(saved, src, dst, options))


def _absolute(text: str) -> str:
    """Return an address that means the same place from any folder."""
    address = parse(text)
    if not address.remote and address.scheme == "file" and not address.authority and not address.options:
        return os.path.abspath(address.path)
    shown = canonical(address)
    try:
        same = parse(shown) == address
    except StorageError:
        same = False
    # A secret is not written down; whoever applies the plan names the place again.
    return text if same else ""


def _lines(totals: Totals) -> list[str]:
    rows = [f"{verb}: {count}" for verb, count in sorted(totals.actions.items())] or ["nothing to do"]
    rows.append(f"to transfer: {format_size(totals.transfer_bytes)}, to delete: {format_size(totals.delete_bytes)}")
    if totals.protected:
        rows.append(f"protected: {totals.protected} not deleted, as the source could not be listed there")
    return rows


class _Output:
    """A file that appears when it is whole, or stdout."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._temp = f"{name}.part"
        self._file: IO[str] | None = None

    def __enter__(self) -> IO[str]:
        if self._name == "-":
            return sys.stdout
        self._file = open(self._temp, "w", encoding="utf-8")
        return self._file

    def __exit__(self, kind: object, *exc: object) -> None:
        if self._file is None:
            return
        self._file.close()
        if kind is None:
            os.replace(self._temp, self._name)
        else:
            os.unlink(self._temp)
