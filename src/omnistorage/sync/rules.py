"""Rules are read from texts and files, and become two lists: one for files, one for directories.

In both the first rule that matches decides, and what none matches passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from . import globs

if TYPE_CHECKING:
    from .automaton import Automaton

__all__ = ["FilterError", "Lines", "Rule", "RuleList", "Rules", "Source", "parents", "read_lines", "read_names"]

# What rclone takes off both ends of a line. Python would take more: \x1c to \x1f, which a name may begin with.
_BLANKS = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


class FilterError(ValueError):
    """A rule, or a combination of settings, has no meaning; the message is one line for the user."""


class Source(msgspec.Struct, frozen=True):
    """Where a rule or a limit was written.

    Attributes:
        step: The step of a filter, like ``exclude_from``; empty for the rule that follows from an include.
        file: The file of rules; ``-`` is standard input.
        line: The number of the line in it, from 1.
    """

    step: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return self.step if self.file is None else f"{self.step} {self.file}:{self.line}"


class Lines(msgspec.Struct, frozen=True, eq=False):
    """The rules in a file; equal to others with the same texts, wherever they stand.

    Attributes:
        texts: The rules.
        file: The name of the file.
        numbers: The number of the line of each.
    """

    texts: tuple[str, ...]
    file: str
    numbers: tuple[int, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lines) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def __repr__(self) -> str:
        return f"{self.file}: {self.texts!r}"


class Rule(msgspec.Struct, frozen=True):
    """One line of a list.

    Attributes:
        include: What matches passes.
        expression: The regular expression.
        text: The rule it comes from, as the user could have written it.
        source: Where that was written.
    """

    include: bool
    expression: str
    text: str
    source: Source


class RuleList:
    """Rules of one kind, without duplicates; add all of them before the first question."""

    __slots__ = ("_automaton", "_known", "_verdicts", "rules")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all rules."""
        self.rules: list[Rule] = []
        self._known: set[tuple[bool, str]] = set()
        self._automaton: Automaton | None = None
        self._verdicts: tuple[bool, ...] = ()

    def add(self, rule: Rule) -> None:
        """Add a rule, unless there is an equal one before it."""
        key = (rule.include, rule.expression)
        if key not in self._known:
            self._known.add(key)
            self.rules.append(rule)

    def allows(self, path: str) -> bool:
        """Tell whether the path passes."""
        if not self.rules:
            return True
        automaton = self._automaton or self._build()
        return self._verdicts[automaton.first(path)]

    def deciding(self, path: str) -> Rule | None:
        """Return the rule that decides on a path, or None."""
        number = (self._automaton or self._build()).first(path)
        return self.rules[number] if number >= 0 else None

    def _build(self) -> Automaton:
        from .automaton import Automaton

        # The number -1, of no rule, finds the last one.
        self._verdicts = (*(rule.include for rule in self.rules), True)
        self._automaton = Automaton(rule.expression for rule in self.rules)
        return self._automaton


class Rules:
    """The two lists of a filter.

    Attributes:
        files: Decides on files, by their path.
        dirs: Decides on directories, by their path and a slash.

    Raises:
        FilterError: A text is malformed.
    """

    __slots__ = ("_ignore_case", "dirs", "files")

    def __init__(
        self,
        include: Iterable[tuple[str, Source]],
        exclude: Iterable[tuple[str, Source]],
        lines: Iterable[tuple[str, Source]],
        exclude_rest: bool,
        ignore_case: bool,
    ) -> None:
        self._ignore_case = ignore_case
        self.files = RuleList()
        self.dirs = RuleList()
        for glob, source in include:
            self._add(glob, source, include=True)
        for glob, source in exclude:
            self._add(glob, source, include=False)
        for line, source in lines:
            self._add_line(line, source)
        if exclude_rest:
            self._add("/**", Source(""), include=False)

    def __bool__(self) -> bool:
        return bool(self.files.rules or self.dirs.rules)

    def _add_line(self, text: str, source: Source) -> None:
        """Add ``+ glob`` or ``- glob``, or begin anew with ``!``."""
        if text.rstrip(_BLANKS) == "!":
            self.files.clear()
            self.dirs.clear()
        elif text[:2] in ("+ ", "- ") and text[2:].strip(_BLANKS):
            self._add(text[2:], source, include=text[0] == "+")
        else:
            raise FilterError(f'bad rule "{text}": want "+ pattern", "- pattern" or "!"')

    def _add(self, glob: str, source: Source, include: bool) -> None:
        """Include or exclude what matches a glob, and what follows from it for directories."""
        text = f"{'+' if include else '-'} {glob}"
        dir_rule = glob.endswith("/")
        if dir_rule and not include:
            glob += "**"
        rule = Rule(include, self._expression(glob), text, source)
        deep = "**" in glob  # matches files and directories alike
        if deep or not dir_rule:
            self.files.add(rule)
            if include:
                # The way to what is included must not be cut off by a later rule.
                for parent in globs.directories(glob):
                    self.dirs.add(Rule(True, self._expression(parent), text, source))
            elif glob == "*":
                self.dirs.add(Rule(False, self._expression("/**"), text, source))
        if deep or dir_rule:
            self.dirs.add(rule)

    def _expression(self, glob: str) -> str:
        try:
            expression = globs.to_regex(glob, self._ignore_case)
            # Only what was copied, or nested, could be bad; and there may be many thousand plain names.
            if any(sign in glob for sign in "[{\\"):
                from . import regexes

                regexes.parse(expression)
        except ValueError as exc:
            raise FilterError(f'bad glob pattern "{glob}": {exc}') from None
        return expression


def read_lines(path: str) -> Lines:
    """Return the lines of a file without blanks around them, empty ones and comments; ``-`` is standard input."""
    kept = [
        (number, line)
        for number, line in enumerate((line.strip(_BLANKS) for line in _read(path)), 1)
        if line and line[0] not in "#;"
    ]
    return Lines(tuple(line for _, line in kept), path, tuple(number for number, _ in kept))


def read_names(path: str, raw: bool = False, end: str = "\n") -> frozenset[str]:
    """Return the paths listed in a file.

    Args:
        path: The file; ``-`` is standard input.
        raw: Keep blanks, and lines that look like comments.
        end: What ends a name; other than a line feed it means raw, too.
    """
    lines: Iterable[str]
    if end != "\n":
        lines = _read(path, end)
    else:
        lines = (line.removesuffix("\r") for line in _read(path)) if raw else read_lines(path).texts
    return frozenset(name for name in (line.strip("/") for line in lines) if name)


def parents(paths: Iterable[str]) -> frozenset[str]:
    """Return all directories above the paths."""
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return frozenset(found)


def _read(path: str, end: str = "\n") -> list[str]:
    if path == "-":
        import sys

        data = sys.stdin.buffer.read()
    else:
        with open(path, "rb") as file:
            data = file.read()
    # Names need not be UTF-8; and some editors begin a file with a mark that is no part of the first rule.
    return data.decode("utf-8-sig", "surrogateescape").split(end)
