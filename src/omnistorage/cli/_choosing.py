"""Asking what to do with each group of duplicates, on the terminal or from a file of answers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from omnistorage.sync.dedupe_model import Choice, Group

    from ._duplicates import Writer

_MEANINGS: Final = {
    "s": "skip: leave them as they are",
    "k": "keep one, which is asked for next, and {others}",
    "r": "rename all: f.txt becomes f-1.txt, the next one's name ends in -2, and so on",
    "q": "quit: leave these and all that follow as they are",
}


class Asker:
    """Answers for the library by asking a person.

    Attributes:
        unanswered: The input ended before the questions did; what was asked about since was left alone.
    """

    def __init__(self, writer: Writer, *, hardlink: bool) -> None:
        self.unanswered = False
        self._writer = writer
        self._others = "make the others hard links to it" if hardlink else "delete the others"
        self._always: bool | None = None

    def choose(self, group: Group, proposal: Choice) -> Choice:
        """Show a group and ask what to do with it."""
        from omnistorage.sync.dedupe_model import Choice, Deed

        self._writer.group(group)
        for letter, meaning in _MEANINGS.items():
            self._say(f"{letter}) {meaning.format(others=self._others)}\n")
        match self._letter("skrq"):
            case "k":
                number = self._number(group.files)
                return Choice(Deed.KEEP, number) if number else Choice(Deed.QUIT)
            case "r":
                return Choice(Deed.RENAME)
            case "s":
                return Choice(Deed.SKIP)
            case _:
                return Choice(Deed.QUIT)

    def confirm(self, group: Group, proposal: Choice) -> Choice:
        """Show a group and ask whether to do what the mode says."""
        from omnistorage.sync.dedupe_model import Choice, Deed

        if proposal.deed is Deed.SKIP or self._always is True:
            return proposal
        if self._always is False:
            return Choice(Deed.SKIP)
        self._writer.group(group)
        what = "rename all" if proposal.deed is Deed.RENAME else f"keep {proposal.number} and {self._others}"
        self._say(f"{what}?\n  y)es, n)o, s)kip all that follow, !) do all that follow, q)uit\n")
        letter = self._letter("yns!q")
        if letter in ("s", "!"):
            self._always = letter == "!"
        match letter:
            case "y" | "!":
                return proposal
            case "n" | "s":
                return Choice(Deed.SKIP)
            case _:
                return Choice(Deed.QUIT)

    def _letter(self, letters: str) -> str:
        """Ask until there is an answer; empty if there will be none."""
        while (answer := self._answer("/".join(letters))) is not None:
            letter = answer[:1].lower()
            if letter and letter in letters:
                return letter
            self._say(f"one of {', '.join(letters)}, please\n")
        return ""

    def _number(self, most: int) -> int:
        """Ask for the number of what is kept; 0 if there is no answer."""
        while (answer := self._answer(f"number of the one to keep (1 to {most})")) is not None:
            if answer.isdecimal() and 1 <= int(answer) <= most:
                return int(answer)
            self._say(f"a number from 1 to {most}, please\n")
        return 0

    def _answer(self, question: str) -> str | None:
        self._say(f"{question}> ")
        line = sys.stdin.readline() if sys.stdin is not None else ""
        if not line:
            self._say("\n")
            self.unanswered = True
            return None
        return line.strip()

    def _say(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
