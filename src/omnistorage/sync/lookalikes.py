"""Characters that some service refuses, written as others that look alike: rclone's encodings of names.

A colon becomes the wide colon of Chinese typesetting, and so on; where a name has such a look-alike already, a
quotation mark (U+201B) is put before it, so that the same masks lead back.
"""

from __future__ import annotations

from typing import Final

_QUOTE: Final = "\u201b"
_NUL: Final = "\u2400"
_WIDE: Final = 0xFEE0
_SYMBOL: Final = 0x2400

_SIGNS: Final = {
    "Slash": "/",
    "LtGt": "<>",
    "DoubleQuote": '"',
    "SingleQuote": "'",
    "BackQuote": "`",
    "Dollar": "$",
    "Colon": ":",
    "Question": "?",
    "Asterisk": "*",
    "Pipe": "|",
    "Hash": "#",
    "Percent": "%",
    "BackSlash": "\\",
    "SquareBracket": "[]",
    "Semicolon": ";",
    "CrLf": "\r\n",
    "Del": "\x7f",
    "Ctl": "".join(map(chr, range(1, 0x20))),
}
"""Mask to what it replaces, wherever it stands."""

_LEFT: Final = {"LeftSpace": " ", "LeftPeriod": ".", "LeftTilde": "~", "LeftCrLfHtVt": "\t\n\v\r"}
_RIGHT: Final = {"RightSpace": " ", "RightPeriod": ".", "RightCrLfHtVt": "\t\n\v\r"}
"""Mask to what it replaces at one end; the first that fits is all that is done there."""

NAMES: Final = tuple(sorted((*_SIGNS, *_LEFT, *_RIGHT, "Dot", "InvalidUtf8", "None", "Raw")))


class LookAlikes:
    """Replaces characters by look-alikes, and back.

    Args:
        masks: Names of what to replace, with commas.

    Raises:
        ValueError: There is no such mask.
    """

    def __init__(self, masks: str) -> None:
        asked = [mask.strip() for mask in masks.split(",")]
        if unknown := [mask for mask in asked if mask not in NAMES]:
            raise ValueError(f"unknown encoding {unknown[0]!r}; known: {', '.join(NAMES)}")
        self._raw = set(asked) == {"Raw"}
        self._dot = "Dot" in asked
        self._bytes = "InvalidUtf8" in asked
        self._left = {sign: _alike(sign) for mask in _LEFT if mask in asked for sign in _LEFT[mask]}
        self._right = {sign: _alike(sign) for mask in _RIGHT if mask in asked for sign in _RIGHT[mask]}
        signs = {sign: _alike(sign) for mask in _SIGNS if mask in asked for sign in _SIGNS[mask]}
        signs["\0"] = _NUL
        self._back = {alike: sign for sign, alike in signs.items()}
        quoted = {alike: _QUOTE + alike for alike in (*signs.values(), _QUOTE)}
        lost = {chr(0xDC00 + byte): f"{_QUOTE}{byte:02X}" for byte in range(0x80, 0x100)} if self._bytes else {}
        self._table = str.maketrans(signs | quoted | lost)

    def encode(self, name: str) -> str:
        """Return the name with look-alikes."""
        if self._raw or not name:
            return name
        if self._dot and name in (".", ".."):
            return _alike(".") * len(name)
        if self._dot and name in (_alike("."), _alike(".") * 2):
            return (_QUOTE + _alike(".")) * len(name)
        left, name = _encoded_end(name[:1], name[1:], self._left, name)
        right, name = _encoded_end(name[-1:], name[:-1], self._right, name)
        return left + name.translate(self._table) + right

    def decode(self, name: str) -> str:
        """Return the name that ``encode`` made this one of."""
        if self._raw or not name:
            return name
        dot = _alike(".")
        if self._dot and name in (dot, dot * 2):
            return "." * len(name)
        if self._dot and name in (_QUOTE + dot, (_QUOTE + dot) * 2):
            return name.replace(_QUOTE, "")
        left = right = ""
        before = {alike: sign for sign, alike in self._left.items()}
        after = {alike: sign for sign, alike in self._right.items()}
        if name[0] in before:
            left, name = before[name[0]], name[1:]
        elif name[0] == _QUOTE and name[1:2] in before:
            left, name = name[1], name[2:]
        if name and name[-1] in after:
            right, name = after[name[-1]], name[:-1]
            # Quotes before it that are quoted themselves are none.
            if (len(name) - len(name.rstrip(_QUOTE))) % 2:
                right, name = _alike(right), name[:-1]
        return _joined(left + self._plain(name) + right)

    def _plain(self, name: str) -> str:
        out: list[str] = []
        at = 0
        while at < len(name):
            sign = name[at]
            if sign != _QUOTE:
                out.append(self._back.get(sign, sign))
                at += 1
                continue
            following = name[at + 1 : at + 2]
            if following == _QUOTE or following in self._back:
                out.append(following)
                at += 2
            elif self._bytes and (byte := _hex(name[at + 1 : at + 3])) is not None:
                out.append(bytes((byte,)).decode("ascii" if byte < 0x80 else "utf-8", "surrogateescape"))
                at += 3
            else:
                out.append(_QUOTE + following)
                at += 2
        return "".join(out)


def _alike(sign: str) -> str:
    if sign == " ":
        return "\u2420"
    if sign == "\x7f":
        return "\u2421"
    return chr(ord(sign) + (_SYMBOL if sign < " " else _WIDE))


def _encoded_end(sign: str, rest: str, known: dict[str, str], name: str) -> tuple[str, str]:
    """Return what the sign at one end becomes, and what is left of the name."""
    if sign in known:
        return known[sign], rest
    return (_QUOTE + sign, rest) if sign in known.values() else ("", name)


def _hex(text: str) -> int | None:
    return int(text, 16) if len(text) == 2 and all(letter in "0123456789abcdefABCDEF" for letter in text) else None


def _joined(name: str) -> str:
    """Read bytes that were restored one by one as the letters that they are together."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
