"""The lines of SUM files: text as ``md5sum`` and its family write and check it."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from . import hashes


class Sum(msgspec.Struct, frozen=True, gc=False):
    """One line that names an object and its hash.

    Attributes:
        path: The object.
        digest: The hash as it stands there; see ``normal``.
        kind: The hash's name as in ``hashes.NAMES`` if the file tells it, else None.
        size: Bytes the object had, if the file tells it (see ``note``).
        mtime_ns: Its time of modification in nanoseconds of Unix time, likewise.
    """

    path: str
    digest: str
    kind: str | None = None
    size: int | None = None
    mtime_ns: int | None = None


class Malformed(msgspec.Struct, frozen=True):
    """A line that is neither a hash and path, nor empty, nor a comment.

    Attributes:
        number: Of the line, from 1.
        text: Its beginning.
    """

    number: int
    text: str


HEADER: Final = "# omnistorage record: "
"""How a line begins that tells the hash of those below it; for other programs it is a comment."""

_PLAIN: Final = re.compile(r"(\\?)([^ ]+) [ *](.+)", re.DOTALL)
# As ``md5sum --tag``, BSD's md5 and ``openssl dgst`` print it.
_TAGGED: Final = re.compile(r"(\\?)([A-Za-z][\w/-]*) ?\((.+)\) ?= ?([^ ]+)", re.DOTALL)
_NOTE: Final = re.compile(r"# (?:size (\d+))?(?:, )?(?:modified (-?)(\d+)\.(\d{9}))?")
_ESCAPED: Final = re.compile(r"\\(.?)", re.DOTALL)
_LETTERS: Final = {"n": "\n", "r": "\r", "\\": "\\"}
_SHOWN: Final = 60

_BY_LENGTH: Final = {8: "crc32", 16: "xxh3", 32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}


def read(lines: Iterable[bytes]) -> Iterator[Sum | Malformed]:
    """Yield what the lines of a SUM file say, in their order; empty lines and comments say nothing.

    Both forms are understood, ``HASH  PATH`` and ``KIND (PATH) = HASH``, with a backslash in front if the path is
    escaped.
    """
    kind: str | None = None
    size = mtime_ns = None
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if text.startswith("#"):
            size, mtime_ns = _noted(text)
            if text.startswith(HEADER):
                kind = _kind(text.removeprefix(HEADER))
            continue
        if not text or text.isspace():
            continue
        found = _sum(text, kind, size, mtime_ns)
        size = mtime_ns = None
        yield Malformed(number, text[:_SHOWN]) if found is None else found


def line(path: str, digest: str, kind: str | None = None) -> str:
    """Return the line for an object, without the end of line; with ``kind``, the form that names the hash.

    A path that would break the line is escaped as ``md5sum`` does; any other stands as it is.
    """
    mark = ""
    if "\n" in path or "\r" in path:
        mark, path = "\\", _escaped(path)
    return f"{mark}{digest}  {path}" if kind is None else f"{mark}{kind.upper()} ({path}) = {digest}"


def note(size: int | None, mtime_ns: int | None) -> str:
    """Return the comment that tells size and time of the object of the next line; empty if neither is known."""
    told = [] if size is None else [f"size {size}"]
    if mtime_ns is not None:
        seconds, rest = divmod(abs(mtime_ns), 10**9)
        told.append(f"modified {'-' if mtime_ns < 0 else ''}{seconds}.{rest:09d}")
    return f"# {', '.join(told)}" if told else ""


def in_one_line(path: str) -> str:
    """Return a path for lists of one path a line.

    One that has an end of line in it, or begins with a backslash, is escaped and gets a backslash in front, so
    that it can be told from one that stands as it is.
    """
    if "\n" in path or "\r" in path or path.startswith("\\"):
        return "\\" + _escaped(path)
    return path


def normal(digest: str, kind: str) -> str | None:
    """Return a hash as lower-case hex digits; it may be base64, of either alphabet. None if it is no such hash."""
    size = hashes.SIZES[kind]
    try:
        # Four bytes are as long in base64, with its padding.
        if len(digest) == 2 * size and "=" not in digest:
            return bytes.fromhex(digest).hex() if digest.isalnum() else None
        whole = digest.translate(_ONE_ALPHABET).rstrip("=")
        found = b64decode(whole + "=" * (-len(whole) % 4), validate=True)
    except ValueError:
        return None
    return found.hex() if len(found) == size else None


_ONE_ALPHABET: Final = str.maketrans("-_", "+/")


def kind_of(digest: str) -> str | None:
    """Guess the hash from the length of its hex digits: of several that fit, the one with a program of its own."""
    kind = _BY_LENGTH.get(len(digest))
    return kind if kind is not None and normal(digest, kind) is not None else None


def _sum(text: str, kind: str | None, size: int | None, mtime_ns: int | None) -> Sum | None:
    # Asked first, as openssl puts no blank in front of the bracket: a path with two blanks would be a plain line.
    if ")" in text and (match := _TAGGED.fullmatch(text)):
        mark, tag, path, digest = match.groups()
        kind = _kind(tag)
        if kind is None:
            return None
    elif match := _PLAIN.fullmatch(text):
        mark, digest, path = match.groups()
    else:
        return None
    if mark:
        if any(found[1] not in _LETTERS for found in _ESCAPED.finditer(path)):
            return None
        path = _ESCAPED.sub(lambda found: _LETTERS[found[1]], path)
    return Sum(path, digest, kind, size, mtime_ns)


def _noted(text: str) -> tuple[int | None, int | None]:
    match = _NOTE.fullmatch(text)
    if match is None:
        return None, None
    size, sign, seconds, rest = match.groups()
    mtime_ns = None if seconds is None else int(seconds) * 10**9 + int(rest)
    return None if size is None else int(size), -mtime_ns if sign and mtime_ns is not None else mtime_ns


def _kind(tag: str) -> str | None:
    try:
        # As OpenSSL 3 calls them.
        return hashes.canonical(tag.strip().upper().replace("SHA2-", "SHA"))
    except ValueError:
        return None


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
