"""The regular expressions of RE2 are read into a small tree of nodes.

Groups, alternatives, classes, POSIX and Perl classes, ``\\pL``, ``\\Q..\\E``, counted repetition, ``^ $ \\A \\z
\\b \\B`` and the flags ``i m s U`` have the meaning RE2 gives them. Two things differ on purpose: ``.`` also
matches a line feed, because to rclone a line feed in a local name looks like another character; and scripts
(``\\p{Greek}``) are refused, because Python has no table of them. Backreferences and lookaround do not exist,
as in RE2: a pattern that had them could not be matched in linear time.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

__all__ = ["ALWAYS", "Alternatives", "Assertion", "Literal", "Node", "Repeat", "Sequence", "Set", "parse"]

ALWAYS, TEXT_START, TEXT_END, LINE_START, LINE_END, WORD_EDGE, NO_WORD_EDGE = range(7)

_LAST = "\U0010ffff"
_DEEPEST = 100  # nested groups; the parser calls itself for each
_HEAVIEST = 20_000  # counts multiply: ((x{99}){99}){99}
_MOST = 1000  # repetitions, as in RE2

_RANGES = {
    "d": "09",
    "s": "\t\n\f\r  ",
    "w": "09AZ__az",
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\0\x7f",
    "blank": "\t\t  ",
    "cntrl": "\0\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZ__az",
    "xdigit": "09AFaf",
}

# First letter: second letters; the first alone is all of them.
_CATEGORIES = {"C": "cfos", "L": "lmotu", "M": "cen", "N": "dlo", "P": "cdefios", "S": "ckmo", "Z": "lps"}

_ESCAPES = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

# Characters that fold to a letter which does not lead back to them by changing its case.
_STRAYS = (
    "\u00b5\u017f\u0345\u03c2\u03d0\u03d1\u03d5\u03d6\u03f0\u03f1\u03f4\u03f5\u1c80\u1c81\u1c82\u1c83"
    "\u1c84\u1c85\u1c86\u1c87\u1c88\u1e9b\u1e9e\u1fbe\u2126\u212a\u212b"
)


class Literal(msgspec.Struct, frozen=True):
    """Any one of a few characters: one, or all cases of one."""

    chars: str


class Set(msgspec.Struct, frozen=True):
    """A class of characters.

    Attributes:
        ranges: First and last character of each range, one after the other.
        categories: Unicode categories, with a leading ``^`` if negated.
        negated: Take all other characters.
        fold: Also take what differs by case only.
    """

    ranges: str
    categories: tuple[str, ...] = ()
    negated: bool = False
    fold: bool = False

    def __contains__(self, char: str) -> bool:
        chars = cases(char) if self.fold else char
        return (self._in_ranges(chars) or self._in_categories(chars)) is not self.negated

    def _in_ranges(self, chars: str) -> bool:
        ranges = self.ranges
        return any(ranges[at] <= char <= ranges[at + 1] for at in range(0, len(ranges), 2) for char in chars)

    def _in_categories(self, chars: str) -> bool:
        if not self.categories:
            return False
        from unicodedata import category

        found = {category(char) for char in chars}
        return any(
            any(each.startswith(name.lstrip("^")) for each in found) is not name.startswith("^")
            for name in self.categories
        )


class Assertion(msgspec.Struct, frozen=True):
    """A place between two characters; ``kind`` is one of the constants above."""

    kind: int


class Sequence(msgspec.Struct, frozen=True):
    """All parts, one after the other."""

    parts: tuple[Node, ...]


class Alternatives(msgspec.Struct, frozen=True):
    """Any one of the choices."""

    choices: tuple[Node, ...]


class Repeat(msgspec.Struct, frozen=True):
    """A part ``least`` to ``most`` times; None means without end."""

    part: Node
    least: int
    most: int | None


Node: TypeAlias = Literal | Set | Assertion | Sequence | Alternatives | Repeat

ANY = Set("\0" + _LAST)


def parse(text: str) -> Node:
    """Read a regular expression.

    Raises:
        ValueError: It is none, or has what RE2 refuses; the message says which part.
    """
    parser = _Parser(text)
    node = parser.alternatives(0)
    if parser.at < len(text):
        raise ValueError("unexpected )")
    if _weight(node) > _HEAVIEST:
        raise ValueError("the repeat counts multiply to more than is allowed")
    return node


def cases(char: str) -> str:
    """Return the character and all that differ from it by case only."""
    folded = _fold(char)
    found = {char, folded}
    for other in (folded.upper(), folded.title(), *_STRAYS):
        if len(other) == 1 and _fold(other) == folded:
            found.add(other)
    return "".join(sorted(found))


def _fold(char: str) -> str:
    if char in "ıİ":  # their other case is that of i only in Turkish
        return char
    upper = char.upper()
    lower = (upper if len(upper) == 1 else char).lower()
    return lower if len(lower) == 1 else char


class _Parser:
    """One pass over the text; ``flags`` are those of the group it is in."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.flags = frozenset[str]()

    def alternatives(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise ValueError("groups are nested too deeply")
        flags = self.flags
        choices: list[Node] = []
        parts: list[Node] = []
        while (char := self.peek()) not in ("", ")"):
            if char == "|":
                self.at += 1
                choices.append(_sequence(parts))
                parts = []
            elif char in "*+?" or self.counts():
                if not parts:
                    raise ValueError(f"nothing to repeat before {self.text[self.at :]}")
                parts.append(self.repeat(parts.pop()))
            elif self.text.startswith("\\Q", self.at):
                start = self.at + 2
                end = self.text.find("\\E", start)
                self.at = len(self.text) if end < 0 else end + 2
                parts.extend(self.literal(char) for char in self.text[start : end if end >= 0 else None])
            else:
                node = self.atom(depth)
                if node is not None:
                    parts.append(node)
        self.flags = flags  # (?i) holds until the end of the group it stands in
        choices.append(_sequence(parts))
        return choices[0] if len(choices) == 1 else Alternatives(tuple(choices))

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        self.at += 1
        return char

    def literal(self, char: str) -> Node:
        return Literal(cases(char) if "i" in self.flags else char)

    def repeat(self, part: Node) -> Node:
        counts = self.counts()
        if counts:
            least, most, self.at = counts
            if max(least, most or 0) > _MOST or (most is not None and most < least):
                raise ValueError(f"bad repeat count {{{least},{most}}}: want at most {_MOST}, the smaller one first")
        else:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.take()]
        if self.peek() == "?":  # lazy or greedy makes no difference to whether there is a match
            self.at += 1
        if self.peek() in ("*", "+", "?") or self.counts():
            raise ValueError("a repetition of a repetition: want parentheses around the inner one")
        return Repeat(part, least, most)

    def counts(self) -> tuple[int, int | None, int] | None:
        """Return what ``{2}``, ``{2,}`` or ``{2,4}`` says and where it ends, or None if it is just a brace."""
        end = self.text.find("}", self.at) if self.peek() == "{" else -1
        if end < 0:
            return None
        least, comma, most = self.text[self.at + 1 : end].partition(",")
        if not _is_count(least) or not (_is_count(most) or not most):
            return None
        return int(least), int(most) if most else (None if comma else int(least)), end + 1

    def atom(self, depth: int) -> Node | None:
        """Read one thing that can be repeated; None for one that only sets flags."""
        char = self.take()
        if char == "(":
            return self.group(depth)
        if char == "[":
            return self.bracket()
        if char == "\\":
            return self.escape()
        if char == ".":
            return ANY
        if char == "^":
            return Assertion(LINE_START if "m" in self.flags else TEXT_START)
        if char == "$":
            return Assertion(LINE_END if "m" in self.flags else TEXT_END)
        return self.literal(char)

    def group(self, depth: int) -> Node | None:
        before = self.flags
        if self.text.startswith(("?P<", "?<"), self.at):
            end = self.text.find(">", self.at)
            name = self.text[self.text.find("<", self.at) + 1 : end]
            if end < 0 or not name.isidentifier():
                raise ValueError("bad group name, or lookaround, which RE2 does not have")
            self.at = end + 1
        elif self.peek() == "?":
            self.at += 1
            if self.read_flags() == ")":
                return None
        node = self.alternatives(depth + 1)
        if self.take() != ")":
            raise ValueError("missing )")
        self.flags = before
        return node

    def read_flags(self) -> str:
        on, off, target = set[str](), set[str](), None
        while (char := self.take()) not in (":", ")"):
            if char == "-" and target is None:
                target = off
            elif char and char in "imsU":
                (on if target is None else target).add(char)
            else:
                raise ValueError(f"(?{char} is not in RE2: want flags of i, m, s, U; there is no lookaround")
        self.flags = (self.flags | on) - off
        return char

    def escape(self) -> Node:
        char = self.take()
        if char in ("A", "z", "b", "B"):
            return Assertion({"A": TEXT_START, "z": TEXT_END, "b": WORD_EDGE, "B": NO_WORD_EDGE}[char])
        if char and char in "dswDSW":
            return Set(self.named(char.lower(), char.isupper()), fold="i" in self.flags)
        if char in ("p", "P"):
            return Set("", (self.category(char),), fold="i" in self.flags)
        return self.literal(self.escaped(char))

    def escaped(self, char: str) -> str:
        """Return the one character an escape stands for."""
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char == "x":
            long = self.peek() == "{"
            end = self.text.find("}", self.at) if long else self.at + 2
            digits = self.text[self.at + long : end if end >= 0 else None]
            self.at = end + long
            if not digits or not set(digits) <= set("0123456789abcdefABCDEF") or (not long and len(digits) < 2):
                raise ValueError(f"bad escape \\x{digits}")
            if int(digits, 16) > ord(_LAST):
                raise ValueError(f"bad escape \\x{{{digits}}}: there is no such character")
            return chr(int(digits, 16))
        if char == "0" or (char in "1234567" and self.peek() and self.peek() in "01234567"):
            digits = char
            while len(digits) < 3 and self.peek() and self.peek() in "01234567":
                digits += self.take()
            return chr(int(digits, 8))
        if char and char.isascii() and not char.isalnum():
            return char
        raise ValueError(f"bad escape \\{char}" if char else "nothing after the last \\")

    def category(self, char: str) -> str:
        name = self.take()
        if name == "{":
            end = self.text.find("}", self.at)
            name = self.text[self.at : end] if end >= 0 else ""
            self.at = end + 1
        negated = (char == "P") is not name.startswith("^")
        name = name.removeprefix("^")
        if name == "Any":
            name = ""
        elif len(name) > 2 or name[1:] not in _CATEGORIES.get(name[:1], []):
            raise ValueError(f"bad class \\{char}{{{name}}}: want a Unicode category, like L, Lu or Nd")
        return ("^" if negated else "") + name

    def bracket(self) -> Node:
        negated = self.peek() == "^"
        self.at += negated
        ranges: list[str] = []
        categories: list[str] = []
        first = True
        while (char := self.take()) != "]" or first:
            first = False
            if not char:
                raise ValueError('missing "]"')
            if char == "[" and self.peek() == ":" and (end := self.text.find(":]", self.at)) >= 0:
                ranges.append(self.posix(self.text[self.at + 1 : end]))
                self.at = end + 2
            elif char == "\\" and self.peek() and self.peek() in "dswDSW":
                char = self.take()
                ranges.append(self.named(char.lower(), char.isupper()))
            elif char == "\\" and self.peek() in ("p", "P"):
                categories.append(self.category(self.take()))
            else:
                ranges.append(self.range(char))
        return Set("".join(ranges), tuple(categories), negated, "i" in self.flags)

    def posix(self, name: str) -> str:
        bare = name.removeprefix("^")
        if len(bare) < 4 or bare not in _RANGES:
            raise ValueError(f"bad class [:{name}:]: want alpha, digit, alnum, space, punct, upper, lower, ...")
        return self.named(bare, negated=name != bare)

    def named(self, name: str, negated: bool) -> str:
        ranges = _RANGES[name]
        if "i" in self.flags and negated:
            # Fold first: what is no letter must not become one because a sign looks like its other case.
            pairs = zip(map(ord, ranges[::2]), map(ord, ranges[1::2]), strict=True)
            every = (chr(code) for low, high in pairs for code in range(low, high + 1))
            ranges = "".join(case * 2 for case in sorted({case for char in every for case in cases(char)}))
        return _others(ranges) if negated else ranges

    def range(self, char: str) -> str:
        low = high = self.escaped(self.take()) if char == "\\" else char
        if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
            self.at += 1
            high = self.take()
            if high == "\\":
                high = self.escaped(self.take())
        if high < low:
            raise ValueError(f"bad range {low}-{high}: want the smaller character first")
        return low + high


def _weight(node: Node) -> int:
    """Return about how many places of an automaton the node needs."""
    if isinstance(node, Repeat):
        return 2 + _weight(node.part) * max(node.least + (node.most is None), node.most or 0)
    if isinstance(node, Sequence):
        return sum(map(_weight, node.parts))
    return 1 + sum(map(_weight, node.choices)) if isinstance(node, Alternatives) else 1


def _sequence(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Sequence(tuple(parts))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and len(text) < 9


def _others(ranges: str) -> str:
    """Return the ranges between the given ones, which are in order."""
    found, low = "", 0
    for at in range(0, len(ranges), 2):
        if low < ord(ranges[at]):
            found += chr(low) + chr(ord(ranges[at]) - 1)
        low = ord(ranges[at + 1]) + 1
    return found + chr(low) + _LAST
