"""Report files: lists of paths that a command writes beside its work, one for each thing that can be found out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import wraps
from typing import IO, Any, Final

import click

from omnistorage.core.sums import in_one_line

from . import _flags

_SIGNS: Final = {
    "match": "=",
    "differ": "*",
    "missing_on_dst": "+",
    "missing_on_src": "-",
    "error": "!",
}
_COMBINED: Final = "combined"


class Reports:
    """The report files of one run; a context manager that opens them all, and closes them.

    Args:
        names: Report (``combined``, ``match`` …) to the name of its file, ``-`` for stdout; None where not wanted.
    """

    def __init__(self, names: Mapping[str, str | None]) -> None:
        self._names = {report: name for report, name in names.items() if name is not None}
        self._files = ExitStack()
        self._signs: dict[str, list[tuple[Callable[[str], object], str]]] = {}
        self._lists: dict[str, Callable[[str], object]] = {}

    @property
    def active(self) -> bool:
        """True if any report is wanted."""
        return bool(self._names)

    def wants(self, sign: str) -> bool:
        """Say whether any report lists the paths that have this sign; those that need nothing have ``=``."""
        return _COMBINED in self._names or any(_SIGNS.get(report) == sign for report in self._names)

    def write(self, sign: str, path: str) -> None:
        """List a path under its sign: ``=`` equal, ``*`` different, ``+`` ``-`` on one side only, ``!`` failed.

        A path stays one line, see ``core.sums.in_one_line``.
        """
        for write, head in self._signs.get(sign, ()):
            write(f"{head}{in_one_line(path)}\n")

    def add(self, report: str, path: str) -> None:
        """List a path in a report of the command's own, if that is wanted."""
        if report in self._lists:
            self._lists[report](in_one_line(path) + "\n")

    def __enter__(self) -> Reports:
        """Open all files.

        Raises:
            OSError: One of them cannot be written.
        """
        opened: dict[str, IO[str]] = {}
        with self._files:
            for report, name in self._names.items():
                # Two reports in one file must not write over each other.
                place = name if name == "-" else os.path.realpath(name)
                if place not in opened:
                    opened[place] = sys.stdout if name == "-" else self._files.enter_context(_open(name))
                write = opened[place].write
                if report == _COMBINED:
                    for sign in _SIGNS.values():
                        self._signs.setdefault(sign, []).append((write, f"{sign} "))
                elif report in _SIGNS:
                    self._signs.setdefault(_SIGNS[report], []).append((write, ""))
                else:
                    self._lists[report] = write
            self._files = self._files.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        if "-" in self._names.values():
            # What is said of the run as a whole comes after the list, also where both go into one file.
            sys.stdout.flush()
        self._signs.clear()
        self._lists.clear()
        self._files.close()


def reporting(command: _flags.Command) -> _flags.Command:
    """Add rclone's report flags; the command gets ``reports``, a Reports to enter before anything is done."""
    return reporting_also()(command)


def reporting_also(**more: str) -> Callable[[_flags.Command], _flags.Command]:
    """Add rclone's report flags and some of the command's own, each name with its help text; see ``Reports.add``."""

    def decorate(command: _flags.Command) -> _flags.Command:
        @wraps(command)
        def wrapper(**given: Any) -> Any:
            names = {report: given.pop(report) for report in (_COMBINED, *_SIGNS, *more)}
            return command(reports=Reports(names), **given)

        decorated: _flags.Command = wrapper
        for report, words in reversed({**_HELP, **more}.items()):
            flag = f"--{report.replace('_', '-')}"
            decorated = click.option(flag, report, metavar="FILE", help=words)(decorated)
        return decorated

    return decorate


_HELP: Final = {
    _COMBINED: "Write each path with a sign: = equal, * different, + only SOURCE, - only DEST, ! failed.",
    "differ": "Write the paths that differ; - is stdout.",
    "match": "Write the paths that are equal.",
    "missing_on_src": "Write the paths that SOURCE lacks.",
    "missing_on_dst": "Write the paths that DEST lacks.",
    "error": "Write the paths that could not be read.",
}


def _open(name: str) -> IO[str]:
    return open(name, "w", encoding="utf-8", errors="surrogateescape", newline="\n")
