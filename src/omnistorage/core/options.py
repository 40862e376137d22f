"""Options of drivers and verbs: typed structs that explain themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from .errors import ConfigError, UnknownOption

T = TypeVar("T", bound=msgspec.Struct)

_NOTHING: Mapping[str, str] = MappingProxyType({})


class PutOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to store a body.

    Attributes:
        content_type: MIME type; None lets the service decide.
        mtime_ns: Time of modification to record, nanoseconds of Unix time; ignored where ``features.mtime`` is
            false. None records the present.
        metadata: User metadata; keys are lower-case ASCII.
        attributes: ``metadata`` also holds what ``Driver.metadata`` tells beside user metadata, and what
            ``features.applies`` names is to be set; without it such names are the user's own, too. The answer's
            ``metadata`` is what was kept of it.
        private: Directories that have to be made are for their owner only, until they get a mode of their own.
        if_absent: Fail with AlreadyExists rather than replace.
        if_match: Fail with PreconditionFailed unless the object there has this ETag; None replaces whatever is there.
            Refused with Unsupported where ``features.if_match`` is false.
        mode: POSIX permission bits to set, or None; ignored by services without them.
        consume: The body's local file is not needed afterwards: it may be renamed rather than copied.
        link: The body's local file will never be written to again: it may get a second hard link rather than be
            copied. Its time of modification and mode are then those of that file.
        inplace: Write under the final name rather than a temporary one: less safe, but needs less space and keeps
            what hangs on the file itself (hard links, owner). Ignored where there is no such difference.
        origin: For uploads in parts: a text that only these very bytes have. Where ``features.finds_uploads``,
            ``begin_upload`` goes on with what an earlier run with the same text left, and the upload belongs to one
            process at a time. A layer that changes bytes must change it, too, or drop it.
        hashes: Hash name to lower-case hex digest, so far as those of the bytes are known before they come. Kept
            beside an object that comes in parts, where a service has no such hash else; nobody checks them. A layer
            that changes bytes must drop them.
    """

    content_type: str | None = None
    mtime_ns: int | None = None
    metadata: Mapping[str, str] = _NOTHING
    attributes: bool = False
    private: bool = False
    if_absent: bool = False
    if_match: str | None = None
    mode: int | None = None
    consume: bool = False
    link: bool = False
    inplace: bool = False
    origin: str | None = None
    hashes: Mapping[str, str] = _NOTHING

    def __reduce__(self) -> tuple[object, ...]:
        # Read-only mappings do not pickle by themselves.
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return _put_options, ({**found, "metadata": dict(self.metadata), "hashes": dict(self.hashes)},)


def _put_options(found: dict[str, Any]) -> PutOptions:
    return PutOptions(**found)


class NoOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver that needs no settings."""


def from_text(kind: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Make a struct of options from texts, as they come from an address, the environment or a file.

    Dashes in names count as underscores; ``true``/``1``/``yes``/``on`` and their opposites are booleans. A number may
    have a unit (``64Mi``, ``1.5G``); without one it is what it is, as many bytes where bytes are meant.

    Args:
        kind: The struct to make.
        values: Option name to text (or a value that already has its type).
        where: What the options are for, used in messages (``s3``).

    Raises:
        UnknownOption: Names the wrong option and lists the known ones.
        ConfigError: A value does not fit its option.
    """
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    clean: dict[str, Any] = {}
    for given, value in values.items():
        key = given.replace("-", "_").lower()
        if key not in known:
            raise UnknownOption(f"{where}: unknown option {given!r}; known: {_listing(known)}")
        kinds = known[key].type
        clean[key] = _lowered(value) if _is(bool, kinds) else _number(value) if _is(int, kinds) else value
    try:
        return msgspec.convert(clean, kind, strict=False)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"{where}: {_plain(str(exc))}") from exc


def help_of(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return option name to its help text, taken from the ``Attributes:`` section of the docstring."""
    helps: dict[str, str] = {}
    current = ""
    _, _, section = (kind.__doc__ or "").partition("Attributes:")
    for line in section.splitlines():
        text = line.strip()
        name, colon, rest = text.partition(":")
        if colon and name.isidentifier():
            current, helps[name] = name, rest.strip()
        elif current and text:
            helps[current] += " " + text
    return helps


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _is(wanted: type, kind: object) -> bool:
    return kind is wanted or wanted in getattr(kind, "__args__", ())


def _number(value: Any) -> Any:
    """Return the number that a text with a unit means; anything else as it is."""
    if not isinstance(value, str) or value[-1:].isdecimal():
        return value
    from .units import parse_size

    try:
        size = parse_size(value)
    except ValueError:
        return value
    return value if size is None else size


def _lowered(value: Any) -> Any:
    words = {"yes": True, "on": True, "": True, "no": False, "off": False}
    if isinstance(value, str):
        return words.get(value.lower(), value.lower())
    return value


def _plain(message: str) -> str:
    """Turn msgspec's ``Expected `int`, got `str` - at `$.size``` into words for a person."""
    text, _, at = message.partition(" - at `$.")
    text = text.replace("`", "'")
    return f"option {at.rstrip('`')!r}: {text[:1].lower()}{text[1:]}" if at else text
