"""New names for what is copied: ``--name-transform``, in rclone's words.

``[file,|dir,|all,]algorithm[=value]``: by default names of files are transformed, with ``dir`` those of directories,
with ``all`` both; several transforms apply one after the other, each to one name at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Final

from omnistorage.core.errors import StorageError

from .backup import with_suffix

Change = Callable[[str], str]
Maker = Callable[[str], Change]
"""Makes a change of names out of the value that was given for it."""

_TAGS: Final = ("file", "dir", "all")


class TransformError(StorageError):
    """A name cannot be transformed, or becomes none."""

    says = "cannot be renamed"


class Renaming:
    """Gives names of the source the names they are to have at the destination.

    Args:
        texts: The transforms, in order.
        now: Seconds of Unix time that ``date`` writes; the present if None.

    Raises:
        ValueError: One of them is malformed; the message lists what is known.
    """

    def __init__(self, texts: tuple[str, ...], now: float | None = None) -> None:
        import time

        self._texts = texts
        self._now = time.time() if now is None else now
        self._steps = [_parsed(text, self._now) for text in texts]

    def name(self, name: str, *, is_dir: bool) -> str:
        """Return the new name of a file or directory.

        Raises:
            TransformError: There is none, or it is none that something can have.
        """
        for tag, change in self._steps:
            if tag == "all" or (tag == "dir") is is_dir:
                before, name = name, change(name)
                _refuse_odd(before, name)
        return name

    def path(self, path: str, *, is_dir: bool = False) -> str:
        """Return the new path of a file or directory; empty for the root.

        Raises:
            TransformError: One of its names has none.
        """
        *above, last = path.split("/")
        names = [self.name(name, is_dir=True) if name else name for name in above]
        return "/".join((*names, self.name(last, is_dir=is_dir) if last else last))

    def leaf(self, path: str) -> str:
        """Return the path of a file that is called otherwise in the directory where it is; see ``name``."""
        folder, slash, last = path.rpartition("/")
        return folder + slash + self.name(last, is_dir=False)

    def __reduce__(self) -> tuple[object, ...]:
        return Renaming, (self._texts, self._now)


def _refuse_odd(before: str, name: str) -> None:
    if name == before:
        return
    if not name.strip():
        raise TransformError(f"{before!r} would become an empty name", op="rename", path=before)
    if "/" in name or "\0" in name:
        raise TransformError(f"{before!r} would become {name!r}, which is not one name", op="rename", path=before)
    if name in (".", ".."):
        raise TransformError(f"{before!r} would become {name!r}", op="rename", path=before)


def _parsed(text: str, now: float) -> tuple[str, Change]:
    tag, comma, rest = text.partition(",")
    if not comma or tag not in _TAGS:
        tag, rest = "file", text
    name, equals, value = rest.partition("=")
    if name == "date":
        return tag, _date(_required(name, equals, value), now)
    if name in _PLAIN:
        return tag, _PLAIN[name]
    if name in _MAKERS:
        try:
            return tag, _MAKERS[name](_required(name, equals, value))
        except ValueError as exc:
            raise ValueError(f"--name-transform {text!r}: {exc}") from None
    known = ", ".join(sorted((*_PLAIN, *_MAKERS, "date")))
    raise ValueError(f"unknown name transform {name!r}; known: {known}")


def _required(name: str, equals: str, value: str) -> str:
    if not equals:
        raise ValueError(f"the name transform {name!r} needs a value: {name}=…")
    return value


# -- the algorithms --------------------------------------------------------------------------------------------


def _replace(value: str) -> Change:
    old, colon, new = value.partition(":")
    if not colon or ":" in new:
        raise ValueError("the value is OLD:NEW, with one colon")
    return lambda name: name.replace(old, new)


def _regex(value: str) -> Change:
    pattern, slash, replacement = value.partition("/")
    if not slash or "/" in replacement:
        raise ValueError("the value is PATTERN/REPLACEMENT, with one slash")
    from .replacing import replacing

    return replacing(pattern, replacement)


def _count(value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", value):
        raise ValueError(f"{value!r} is not a number")
    return int(value)


def _truncate(value: str, *, in_bytes: bool = False, keep_extension: bool = False) -> Change:
    most = _count(value)

    def truncate(name: str) -> str:
        if most <= 0 or _length(name, in_bytes) <= most:
            return name
        stem, extension = _split(name) if keep_extension else (name, "")
        room = most - _length(extension, in_bytes)
        kept = 0
        for letter in stem:
            room -= _length(letter, in_bytes)
            if room < 0:
                break
            kept += 1
        if not kept:
            raise TransformError(f"no letter of {name!r} is left by {value} and its extension", path=name)
        return stem[:kept] + extension

    return truncate


def _length(text: str, in_bytes: bool) -> int:
    return len(text.encode("utf-8", "surrogateescape")) if in_bytes else len(text)


def _split(name: str) -> tuple[str, str]:
    """Part a name from its extension, where a suffix goes that keeps it."""
    stem, _, extension = with_suffix(name, "\0", keep_extension=True).partition("\0")
    return stem, extension


def _date(value: str, now: float) -> Change:
    from datetime import UTC, datetime

    from .layouts import fill_in

    written = fill_in(value, datetime.fromtimestamp(now, UTC).astimezone())
    return lambda name: name + written


def _encoded(value: str, *, back: bool = False) -> Change:
    from .lookalikes import LookAlikes

    alikes = LookAlikes(value)
    return alikes.decode if back else alikes.encode


def _charmap(value: str) -> Change:
    change = partial(_in_letters_of, value)
    change("")
    return change


def _in_letters_of(charmap: str, name: str) -> str:
    from .charmaps import letters_of

    letters = letters_of(charmap)
    return "".join(letter if letter in letters else "_" for letter in name)


def _command(program: str) -> Change:
    import subprocess

    def run(name: str) -> str:
        try:
            done = subprocess.run([program, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        except (OSError, ValueError) as exc:
            raise TransformError(f"{program} cannot be run on {name!r}: {exc}", path=name) from exc
        said = done.stdout.strip().decode("utf-8", "surrogateescape")
        if done.returncode:
            raise TransformError(f"{program} failed on {name!r} with {done.returncode}: {said}", path=name)
        return said

    return run


def _to_base64(name: str) -> str:
    import base64

    return base64.urlsafe_b64encode(name.encode("utf-8", "surrogateescape")).decode()


def _from_base64(name: str) -> str:
    import base64

    if name == ".DS_Store":
        return name
    text = re.sub("[\r\n]", "", name)
    if len(text) % 4 or not re.fullmatch("[A-Za-z0-9_-]*={0,2}", text):
        raise TransformError(f"{name!r} is not base64 as URLs have it", path=name)
    try:
        return base64.urlsafe_b64decode(text).decode("utf-8", "surrogateescape")
    except ValueError:
        raise TransformError(f"{name!r} is not base64 as URLs have it", path=name) from None


def _url(name: str) -> str:
    from urllib.parse import quote_plus

    return quote_plus(name.encode("utf-8", "surrogateescape"), safe="")


def _lower(name: str) -> str:
    # Letter by letter, as one letter: neither the end of a word nor a dot above makes a difference.
    return "".join(letter.lower() if letter != "\u0130" else "i" for letter in name)


def _upper(name: str) -> str:
    return "".join(map(_upper_letter, name))


def _upper_letter(letter: str) -> str:
    for raised in (letter.upper(), letter.title()):
        if len(raised) == 1:
            return raised
    return letter


def _title(name: str) -> str:
    return "".join(letter.title() if len(letter.title()) == 1 else letter for letter in name)


_PLAIN: Final[dict[str, Change]] = {
    "none": str,
    **{form.lower(): partial(unicodedata.normalize, form) for form in ("NFC", "NFD", "NFKC", "NFKD")},
    "base64encode": _to_base64,
    "base64decode": _from_base64,
    "lowercase": _lower,
    "uppercase": _upper,
    "titlecase": _title,
    "ascii": lambda name: "".join(filter(str.isascii, name)),
    "url": _url,
    **{name: partial(_in_letters_of, name) for name in ("ISO-8859-1", "Windows-1252", "Macintosh")},
}
_MAKERS: Final[dict[str, Maker]] = {
    "replace": _replace,
    "prefix": lambda value: lambda name: value + name,
    "suffix": lambda value: lambda name: name + value,
    "suffix_keep_extension": lambda value: lambda name: with_suffix(name, value, keep_extension=True),
    "trimprefix": lambda value: lambda name: name.removeprefix(value),
    "trimsuffix": lambda value: lambda name: name.removesuffix(value),
    "truncate": _truncate,
    "truncate_keep_extension": partial(_truncate, keep_extension=True),
    "truncate_bytes": partial(_truncate, in_bytes=True),
    "truncate_bytes_keep_extension": partial(_truncate, in_bytes=True, keep_extension=True),
    "encoder": _encoded,
    "decoder": partial(_encoded, back=True),
    "charmap": _charmap,
    "regex": _regex,
    "command": _command,
}
