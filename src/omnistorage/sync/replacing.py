"""Replacing by a regular expression as Go does: RE2's syntax, and ``$1`` or ``${name}`` in the replacement."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from .regexes import parse

_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_POSIX: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_WORD: Final = "[0-9A-Za-z_]"
_EDGE: Final = f"(?:(?<!{_WORD})(?={_WORD})|(?<={_WORD})(?!{_WORD}))"
_NO_EDGE: Final = f"(?:(?<!{_WORD})(?!{_WORD})|(?<={_WORD})(?={_WORD}))"

_TOKEN: Final = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)"
    r"|\\x\{(?P<code>[0-9A-Fa-f]+)\}"
    r"|\\(?P<escaped>.)"
    r"|\[(?P<negated>\^?)(?P<members>\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*)\]"
    r"|\(\?(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<ends>[:)])"
    r"|\(\?P?<(?P<name>\w+)>"
    r"|(?P<other>.)",
    re.DOTALL,
)
_MEMBER: Final = re.compile(r"\[:(\^?)(\w+):\]|\\x\{([0-9A-Fa-f]+)\}|\\(.)|(.)", re.DOTALL)
_REFERENCE: Final = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


def replacing(pattern: str, replacement: str) -> Callable[[str], str]:
    """Return what replaces every match of ``pattern`` in a text.

    Raises:
        ValueError: The pattern is none, or has something that Python's expressions lack (``\\p{..}``, ``(?U)``).
    """
    parse(pattern)
    try:
        compiled = re.compile(_Translation(pattern).text, re.DOTALL)
    except (re.error, RecursionError) as exc:
        raise ValueError(f"{pattern!r} is not a regular expression that can be used here: {exc}") from None

    def expand(found: re.Match[str]) -> str:
        return _REFERENCE.sub(lambda reference: _referred(reference, found), replacement)

    def replace(text: str) -> str:
        out: list[str] = []
        position = end = 0
        while position <= len(text) and (found := compiled.search(text, position)):
            out.append(text[end : found.start()])
            # Go counts no empty match where another one has just ended, and goes on by a letter behind it.
            if found.end() > end or not found.start():
                out.append(expand(found))
            end = found.end()
            position = max(end, position + 1)
        return "".join((*out, text[end:]))

    return replace


def _referred(reference: re.Match[str], found: re.Match[str]) -> str:
    if reference[1]:
        return "$"
    name = reference[2] or reference[3]
    try:
        return found[int(name) if name.isdigit() else name] or ""
    except IndexError:
        return ""


class _Translation:
    """RE2's syntax in Python's words.

    Attributes:
        text: The pattern for ``re``.
    """

    def __init__(self, pattern: str) -> None:
        # For each open group: the flags set in it, and how many groups of our own these have opened.
        self._groups: list[tuple[list[str], bool]] = [([], False)]
        self.text = "".join(self._token(found) for found in _TOKEN.finditer(pattern)) + ")" * len(self._groups[0][0])

    def _token(self, found: re.Match[str]) -> str:
        if found["quoted"] is not None:
            return re.escape(found["quoted"])
        if found["code"] is not None:
            return re.escape(chr(int(found["code"], 16)))
        if found["escaped"] is not None:
            return _escape(found["escaped"])
        if found["members"] is not None:
            return f"[{found['negated']}{_members(found['members'])}]"
        if found["flags"] is not None:
            return self._flags(found["flags"], found["ends"])
        if found["name"] is not None:
            return self._open(f"(?P<{found['name']}>")
        return self._other(found["other"])

    def _flags(self, flags: str, ends: str) -> str:
        if "U" in flags:
            raise ValueError("the flag U cannot be used here")
        if ends == ":":
            return self._open(f"(?{flags}:", multiline=self._multiline(flags))
        # Go lets flags hold until the group ends, through all alternatives that follow.
        self._groups[-1][0].append(flags)
        self._groups[-1] = (self._groups[-1][0], self._multiline(flags))
        return f"(?{flags}:"

    def _multiline(self, flags: str) -> bool:
        on, _, off = flags.partition("-")
        return ("m" in on) or (self._groups[-1][1] and "m" not in off)

    def _open(self, text: str, *, multiline: bool | None = None) -> str:
        self._groups.append(([], self._groups[-1][1] if multiline is None else multiline))
        return text

    def _other(self, sign: str) -> str:
        held, multiline = self._groups[-1]
        if sign == "(":
            return self._open("(")
        if sign == ")":
            self._groups.pop()
            return ")" * len(held) + ")"
        if sign == "|":
            return ")" * len(held) + "|" + "".join(f"(?{flags}:" for flags in held)
        if sign == "$" and not multiline:
            return r"\Z"
        return sign


def _escape(letter: str) -> str:
    if letter in _CLASSES:
        return f"[{_CLASSES[letter]}]"
    if letter.lower() in _CLASSES:
        return f"[^{_CLASSES[letter.lower()]}]"
    if letter in "pPC":
        raise ValueError(f"\\{letter} cannot be used here")
    return {"b": _EDGE, "B": _NO_EDGE, "z": r"\Z"}.get(letter, "\\" + letter)


def _members(text: str) -> str:
    """Write what stands between brackets."""
    return "".join(map(_member, _MEMBER.finditer(text)))


def _member(found: re.Match[str]) -> str:
    inverted, posix, code, escaped, plain = found.groups()
    if posix is not None:
        if inverted:
            raise ValueError(f"[:^{posix}:] cannot be used here")
        return _POSIX[posix]
    if code is not None:
        return re.escape(chr(int(code, 16)))
    if escaped is not None:
        if escaped in _CLASSES:
            return _CLASSES[escaped]
        if escaped in "pPDWS":
            raise ValueError(f"\\{escaped} between brackets cannot be used here")
        return "\\" + escaped
    # Python warns of what may become set operations one day.
    return "\\" + plain if plain in "[&~|" else plain or ""
