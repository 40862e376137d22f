"""Scheme to driver class: built-in ones by file name, outside ones by entry point, imported on demand."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import msgspec

from .core.driver import Driver
from .core.errors import ConfigError, MissingExtra, UnknownScheme
from .core.grammar import scheme_of
from .core.redact import is_reference

GROUP: Final = "omnistorage.drivers"
"""Group of entry points by which another distribution brings a driver; their names are schemes."""

_FOR_ALL: Final[Mapping[str, Any]] = {"retries": int}
_REGISTERED: dict[str, type[Driver]] = {}
_LOADED: dict[str, type[Driver]] = {}
_LOCK = threading.Lock()


class OptionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a backend, for help texts.

    Attributes:
        name: Its name.
        type: What its values are, in words.
        default: What holds if it is not given; None also if there is none.
        required: True if it must be given.
        help: What it means.
    """

    name: str
    type: str
    default: Any
    required: bool
    help: str


class BackendInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know about a backend before it is opened.

    Attributes:
        scheme: Its scheme.
        help: What it is, in one line.
        options: Its settings.
        missing: What must be installed before it can be used, in words; empty if nothing.
    """

    scheme: str
    help: str = ""
    options: tuple[OptionInfo, ...] = ()
    missing: str = ""


def register(scheme: str, driver_class: type[Driver]) -> None:
    """Let ``driver_class`` answer for ``scheme`` in this process, before built-in and installed drivers.

    Raises:
        ValueError: No address can have such a scheme.
        TypeError: The class is not a Driver.
    """
    # The core of a scheme is what RFC 3986 allows and the underscore that names of modules have.
    if not (scheme[:1].isalpha() and scheme.isascii() and scheme.lower() == scheme and _is_word(scheme)):
        raise ValueError(f"{scheme!r} cannot be a scheme: lower-case ASCII letters, digits, + - . _")
    _checked(scheme, driver_class, TypeError)
    with _LOCK:
        _REGISTERED[scheme] = driver_class


def backends() -> list[str]:
    """Return the schemes of all drivers, sorted: built in, installed beside us, registered in this process."""
    with _LOCK:
        names = set(_REGISTERED)
    return sorted(names.union(_built_in(), _entry_points()))


def driver_class(scheme: str) -> type[Driver]:
    """Return the driver of a scheme: a registered one, else a built-in one, else that of an entry point.

    A scheme with a plus (``fsspec+s3``) that nobody claims as a whole belongs to the driver of its first part; nobody
    can claim one of a built-in driver that says so (``Driver.family``).

    Raises:
        UnknownScheme: There is none; the message lists those there are.
        MissingExtra: It needs a library that is not installed.
    """
    name = scheme_of(scheme)
    found = _find(name)
    if found is None and "+" in name:
        found = _find(name.partition("+")[0])
    if found is None:
        known = backends()
        raise UnknownScheme(f"unknown scheme {scheme!r};{_suggestion(name, known)} known: {', '.join(known)}")
    return found


def describe(scheme: str) -> BackendInfo:
    """Return what there is to know about a backend and its settings.

    Raises:
        UnknownScheme: There is none.
        MissingExtra: It needs a library that is not installed.
    """
    from .core.options import help_of

    driver = driver_class(scheme)
    helps = help_of(driver.options_class)
    options = tuple(
        OptionInfo(
            name=field.name,
            type=_in_words(field.type),
            default=_default(field),
            required=field.required,
            help=helps.get(field.name, ""),
        )
        for field in msgspec.structs.fields(driver.options_class)
    )
    return BackendInfo(scheme=scheme_of(scheme), help=_first_line(driver), options=options)


def describe_all() -> list[BackendInfo]:
    """Return what there is to know about all backends, sorted by scheme; this imports every driver."""

    def one(scheme: str) -> BackendInfo:
        try:
            return describe(scheme)
        except MissingExtra as exc:
            return BackendInfo(scheme=scheme, missing=exc.message)

    return [one(scheme) for scheme in backends()]


def typed(scheme: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as values of the types that the driver wants; references to secrets stay texts.

    Whether all that is needed is there is not checked.

    Raises:
        UnknownScheme: There is no such driver.
        UnknownOption: The driver has no such option; the message lists those it has.
        ConfigError: A value does not fit its option.
    """
    from .core.options import from_text

    given = {name.replace("-", "_").lower(): value for name, value in options.items()}
    known = {field.name: field.type for field in msgspec.structs.fields(driver_class(scheme).options_class)}
    # Each option can be left out here, and a reference fits everywhere.
    loose = [
        (name, kind if name in given and not is_reference(given[name]) else Any, None)
        for name, kind in (dict(_FOR_ALL) | known).items()
    ]
    made = from_text(msgspec.defstruct("Given", loose), given, where=scheme)
    return {name: msgspec.to_builtins(getattr(made, name)) for name in given}


def missing_extra(scheme: str, exc: ModuleNotFoundError) -> MissingExtra | None:
    """Return the error that says how to get a library; None if what is missing is a part of ours, a bug."""
    library = (exc.name or "").partition(".")[0]
    if library in ("", "omnistorage"):
        return None
    extra = scheme.partition("+")[0]
    # What is no file of ours has no extra of ours either.
    package = f"omnistorage[{extra}]" if extra in _built_in() else library
    return MissingExtra(f"{scheme} needs {library}: pip install '{package}'")


def _find(name: str) -> type[Driver] | None:
    with _LOCK:
        known = _REGISTERED.get(name) or _LOADED.get(name)
    if known is not None:
        return known
    try:
        found = _import_built_in(name) or _of_family(name) or _load_entry_point(name)
    except ModuleNotFoundError as exc:
        error = missing_extra(name, exc)
        if error is None:
            raise
        raise error from exc
    if found is not None:
        with _LOCK:
            _LOADED[name] = found
    return found


def _import_built_in(name: str) -> type[Driver] | None:
    if not name.isidentifier() or name.startswith("_"):
        return None
    module_name = f"{__package__}.drivers.{name}"
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name == module_name:
            return None
        raise
    return _checked(name, module.DRIVER, ConfigError)


def _of_family(name: str) -> type[Driver] | None:
    """Return the built-in driver of the first part, if all that begins so is its own."""
    found = _import_built_in(name.partition("+")[0]) if "+" in name else None
    return found if found is not None and found.family else None


def _load_entry_point(name: str) -> type[Driver] | None:
    point = _entry_points().get(name)
    if point is None:
        return None
    found = point.load()
    # "package.module" is as good as "package.module:DRIVER", which is how built-in ones are found.
    return _checked(name, getattr(found, "DRIVER", found), ConfigError)


def _built_in() -> list[str]:
    # Not os.listdir: this also works from a zip file.
    from pkgutil import iter_modules

    from . import drivers

    return [module.name for module in iter_modules(drivers.__path__) if not module.name.startswith("_")]


def _entry_points() -> dict[str, Any]:
    # Reads the metadata of everything that is installed, which takes milliseconds: only if nothing else is left.
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def _checked(scheme: str, found: object, error: type[Exception]) -> type[Driver]:
    if isinstance(found, type) and issubclass(found, Driver):
        return found
    raise error(f"what is registered as {scheme!r} is not a Driver class: {found!r}")


def _is_word(scheme: str) -> bool:
    return scheme.translate(dict.fromkeys(map(ord, "+-._"))).isalnum()


def _suggestion(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f" did you mean {close[0]!r}?" if close else ""


def _first_line(driver: type[Driver]) -> str:
    from sys import modules

    module = modules.get(driver.__module__)
    about = (module.__doc__ if module is not None and hasattr(module, "DRIVER") else None) or driver.__doc__ or ""
    return about.strip().partition("\n")[0].replace("``", "")


def _default(field: msgspec.structs.FieldInfo) -> Any:
    value = field.default
    if value is msgspec.NODEFAULT:
        value = None if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return value if isinstance(value, (str, int, float, bool, list, tuple, dict)) or value is None else str(value)


def _in_words(kind: Any) -> str:
    """Return a type as people read it: ``str``, ``int or none``, ``skip, follow or keep``."""
    parts = getattr(kind, "__args__", ())
    if kind is type(None):
        return "none"
    if not parts:
        return getattr(kind, "__name__", str(kind))
    if all(isinstance(part, str) for part in parts):
        words = list(parts)
    elif getattr(kind, "__origin__", None) in (list, tuple, dict, set, frozenset):
        return str(kind).replace("typing.", "")
    else:
        words = [_in_words(part) for part in parts]
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
