"""TOML, written: a whole document, or one table of a document whose other lines stay as people wrote them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_UNFIT: Final = re.compile(r'[\x00-\x1f"\\\x7f]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def dumps(data: Mapping[str, Any]) -> str:
    """Return ``data`` as a TOML document: strings, numbers, booleans, times, lists and tables of these.

    Raises:
        TypeError: TOML has no such value (None, for instance).
        ValueError: A text is not Unicode (undecoded bytes of a file name).
    """
    text = "\n".join(_table(data, ()))
    _check(text)
    return text + "\n" if text else ""


def edited(text: str, changes: Mapping[tuple[str, ...], Mapping[str, Any] | None]) -> str:
    """Return the document ``text`` with tables, by their names, replaced, added, or (None) taken out.

    All other lines keep their order and their comments where the document is laid out plainly; in any case the
    result says what it should.

    Raises:
        tomllib.TOMLDecodeError: ``text`` is not TOML.
        TypeError, ValueError: As for ``dumps``.
    """
    import tomllib

    wanted, guess = tomllib.loads(text), text
    for names, table in changes.items():
        guess = _edited_lines(guess, names, table) if _is_in(wanted, names) else _appended(guess, names, table)
        wanted = _changed(wanted, names, table)
    _check(guess)
    # Lines are taken for headers by their look, which a string of many lines may have, too; so read it again.
    try:
        if tomllib.loads(guess) == wanted:
            return guess
    except tomllib.TOMLDecodeError:
        pass
    return dumps(wanted)


def _is_in(data: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    held: Any = data
    for name in names:
        if not isinstance(held, Mapping) or name not in held:
            return False
        held = held[name]
    return True


def _appended(text: str, names: tuple[str, ...], table: Mapping[str, Any] | None) -> str:
    # Not by way of the lines that are there: what is written at once may be many tables.
    above = text.rstrip()
    below = "" if table is None else "\n".join(_table(table, names))
    return "\n\n".join(filter(None, (above, below))) + "\n" if above or below else ""


def _changed(data: Mapping[str, Any], names: tuple[str, ...], table: Mapping[str, Any] | None) -> dict[str, Any]:
    result = dict(data)
    if len(names) > 1:
        result[names[0]] = _changed(result.get(names[0], {}), names[1:], table)
        if table is None and not result[names[0]]:
            del result[names[0]]
    elif table is None:
        result.pop(names[0], None)
    else:
        result[names[0]] = dict(table)
    return result


def _edited_lines(text: str, names: tuple[str, ...], table: Mapping[str, Any] | None) -> str:
    new = [] if table is None else list(_table(table, names))
    kept: list[str] = []
    pending: list[str] = []
    place: int | None = None
    inside = False
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            inside = _is_header_of(line, names)
            if inside and place is None:
                place = len(kept)
            kept += pending
            pending = []
        if not inside:
            kept.append(line)
        elif line.strip() and not line.lstrip().startswith("#"):
            pending = []
        else:
            # Blank lines and comments at the end of a table belong to what comes next.
            pending.append(line)
    kept += pending
    if place is None:
        place = len(kept)
        if new and kept and kept[-1].strip():
            new.insert(0, "")
    lines = kept[:place] + new + kept[place:]
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join(lines) + "\n" if lines else ""


def _is_header_of(line: str, names: tuple[str, ...]) -> bool:
    import tomllib

    try:
        return _is_in(tomllib.loads(line), names)
    except tomllib.TOMLDecodeError:
        return False


def _table(table: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    if names and (plain or not inner):
        yield f"[{'.'.join(map(_key, names))}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value)}"
    first = not plain and not names
    for key, value in inner.items():
        if not first and (plain or names == () or key != next(iter(inner))):
            yield ""
        first = False
        yield from _table(value, (*names, key))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case int():
            return str(int(value))
        case float():
            return str(float(value)) if math.isfinite(value) else ("nan" if value != value else f"{value:+}")
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            return "{" + ", ".join(f"{_key(key)} = {_value(held)}" for key, held in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _string(text: str) -> str:
    return '"' + _UNFIT.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04X}", text) + '"'


def _check(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError("a text that is not Unicode cannot be written as TOML") from exc
