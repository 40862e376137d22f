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

__all__ = ["FilterError", "Rule", "RuleList", "Rules", "parents", "read_lines", "read_names"]


class FilterError(ValueError):
    """A rule, or a combination of settings, has no meaning; the message is one line for the user."""


class Rule(msgspec.Struct, frozen=True):
    """One line of a list.

    Attributes:
        include: What matches passes.
        expression: The regular expression.
        text: The rule it comes from, as the user could have written it.
    """

    include: bool
    expression: str
    text: str


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
        include: Iterable[str],
        exclude: Iterable[str],
        lines: Iterable[str],
        exclude_rest: bool,
        ignore_case: bool,
    ) -> None:
        self._ignore_case = ignore_case
        self.files = RuleList()
        self.dirs = RuleList()
        for glob in include:
            self._add(glob, include=True)
        for glob in exclude:
            self._add(glob, include=False)
        for line in lines:
            self._add_line(line)
        if exclude_rest:
            self._add("/**", include=False)

    def _add_line(self, text: str) -> None:
        """Add ``+ glob`` or ``- glob``, or begin anew with ``!``."""
        if text.rstrip() == "!":
            self.files.clear()
            self.dirs.clear()
        elif text[:2] in ("+ ", "- ") and text[2:].strip():
            self._add(text[2:], include=text[0] == "+")
        else:
            raise FilterError(f'bad rule "{text}": want "+ pattern", "- pattern" or "!"')

    def _add(self, glob: str, include: bool) -> None:
        """Include or exclude what matches a glob, and what follows from it for directories."""
        text = f"{'+' if include else '-'} {glob}"
        dir_rule = glob.endswith("/")
        if dir_rule and not include:
            glob += "**"
        rule = Rule(include, self._expression(glob), text)
        deep = "**" in glob  # matches files and directories alike
        if deep or not dir_rule:
            self.files.add(rule)
            if include:
                # The way to what is included must not be cut off by a later rule.
                for parent in globs.directories(glob):
                    self.dirs.add(Rule(True, self._expression(parent), text))
            elif glob == "*":
                self.dirs.add(Rule(False, self._expression("/**"), text))
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


def read_lines(path: str) -> tuple[str, ...]:
    """Return the lines of a file without blanks around them, empty ones and comments; ``-`` is standard input."""
    return tuple(line for line in map(str.strip, _read(path)) if line and line[0] not in "#;")


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
        lines = (line.removesuffix("\r") for line in _read(path)) if raw else read_lines(path)
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
