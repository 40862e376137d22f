"""The ways to write an address, taken apart and put together; nothing is looked up or opened here.

``scheme://authority/path?option=value``
    A URL. The path and the values of options are percent-decoded, ``+`` stays a plus; the authority is kept as
    written. There are no fragments: ``#`` is an ordinary character. A ``?`` in a key is written ``%3F``, and a
    ``%`` before two hex digits ``%25``. The path keeps its leading slash: ``s3://bucket/a`` has the path ``/a``.
``file:folder``, ``file:/folder``, ``file:///folder``
    A URL of local files; no remote can be called ``file``.
``NAME:path`` and ``NAME,option=value,flag:path``
    A configured remote, with settings that go before its own.
``:scheme,option="value",flag:path``
    A storage that is configured nowhere else. A value that holds ``,`` or ``:`` stands in ``"`` or ``'``; the
    same quote inside is doubled. An option without a value is true.
anything else
    A path of this machine: all without a colon, and all with a ``/`` before the first ``:`` and ``,``
    (``./x:y``). ``~`` is not expanded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from .address import Address
from .errors import ConfigError, printable
from .redact import HIDDEN, looks_secret, redacted, redacted_text

ALIASES: Final[Mapping[str, str]] = {"local": "file"}
"""Other names of schemes, known from rclone."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+._-]*")
_OPTION: Final = re.compile(r"[A-Za-z0-9_.-]+")
_REMOTE: Final = re.compile(r"[\w.+@]([\w.+@ -]*[\w.+@-])?")
_HEAD_END: Final = re.compile(r"[:,/]")
_OPTION_END: Final = re.compile(r"[=:,]")
_VALUE_END: Final = re.compile(r"[:,]")
_ESCAPE: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_IN_PATH: Final = re.compile(r"[\x00-\x20%?\x7f\ud800-\udfff]")
_IN_QUERY: Final = re.compile(r"[\x00-\x20%&=\x7f\ud800-\udfff]")


def parse(text: str) -> Address:
    """Take an address apart.

    A remote comes back with its name and an empty scheme, since only a configuration knows more.

    Raises:
        ConfigError: It is empty, or a connection string that cannot be understood.
    """
    if not text:
        raise ConfigError("an address cannot be empty; '.' is the current folder")
    scheme, colon, rest = text.partition(":")
    if colon and _is_url(scheme, rest):
        return _parse_url(scheme_of(scheme), rest)
    if os.name == "nt" and (len(scheme) == 1 or "\\" in scheme):
        return Address(scheme="file", path=text.replace("\\", "/"))
    connection = _take_apart(text)
    if connection is None:
        return Address(scheme="file", path=text)
    head, options, begin = connection
    if not head.startswith(":"):
        return Address(scheme="", path=text[begin:], options=options, remote=head)
    scheme = scheme_of(head[1:])
    # A path of this machine is never empty, as an empty one could mean the current folder or the top.
    return Address(scheme=scheme, path=text[begin:] or ("." if scheme == "file" else ""), options=options)


def split(text: str) -> tuple[str, str]:
    """Split an address into that of the folder above and the last name, decoded; nothing has to exist.

    The name is empty if the address ends with a slash or names a whole storage: it can only mean a folder then,
    and the first text is the address itself.

    Raises:
        ConfigError: As for ``parse``.
    """
    parse(text)
    scheme, _, rest = text.partition(":")
    body, query, begin = text, "", 0
    url = _is_url(scheme, rest)
    if url:
        body, question, options = text.partition("?")
        query = question + options
        begin = len(scheme) + 1
        if rest.startswith("//"):
            begin = (body + "/").index("/", begin + 2)
    elif connection := _take_apart(text):
        begin = connection[2]
    folder, slash, leaf = body[begin:].rpartition("/")
    if leaf in ("", ".", ".."):
        return text, ""
    above = body[:begin] + (folder or slash)
    return (above or ".") + query, unquote(leaf) if url else leaf


def canonical(address: Address | str) -> str:
    """Return an address as text, for messages: one form for one place, and nothing secret in it.

    Without secrets in it, ``parse`` understands it as the same place again.
    """
    if isinstance(address, str):
        address = parse(address)
    path, options = address.path, address.options
    if address.remote:
        return printable(f"{address.remote}{_settings(options)}:{path}")
    if address.scheme == "file" and not address.authority and not options:
        return printable(path if _is_local(path) else f"./{path}")
    if address.authority or path.startswith("/") or not path:
        where = f"//{redacted_text('x://' + address.authority)[4:]}{_quote(path, _IN_PATH)}"
        return f"{address.scheme}:{where}{_query(options)}"
    if address.scheme == "file":
        return f"file:{_quote(path, _IN_PATH)}{_query(options)}"
    return printable(f":{address.scheme}{_settings(options)}:{path}")


def connection(head: str, options: Mapping[str, Any], path: str = "") -> str:
    """Return a connection string: ``head`` (``:s3`` or ``NAME``), options with their quotes, and the path."""
    return head + "".join(f",{name}={_quoted(str(value))}" for name, value in options.items()) + ":" + path


def scheme_of(name: str) -> str:
    """Return the scheme that ``name`` means: lower case, and ours where rclone has another."""
    name = name.lower()
    return ALIASES.get(name, name)


def is_remote_name(name: str) -> bool:
    """Say whether a remote may have this name.

    Letters, digits, ``_ - . + @`` and blanks; not first ``-`` or a blank, not last a blank; not ``file``.
    """
    return _REMOTE.fullmatch(name) is not None and name.lower() != "file"


def unquote(text: str) -> str:
    """Decode ``%41``; bytes that are no UTF-8 become surrogate escapes, a ``%`` before anything else stays."""
    if "%" not in text:
        return text
    return _ESCAPE.sub(
        lambda found: bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "surrogateescape"), text
    )


def _is_url(scheme: str, rest: str) -> bool:
    return scheme.lower() == "file" or (rest.startswith("//") and _SCHEME.fullmatch(scheme) is not None)


def _is_local(path: str) -> bool:
    try:
        return parse(path) == Address(scheme="file", path=path)
    except ConfigError:
        return False


def _parse_url(scheme: str, rest: str) -> Address:
    body, _, query = rest.partition("?")
    authority, path = "", body
    if body.startswith("//"):
        authority, slash, path = body[2:].partition("/")
        path = slash + path
    if scheme == "file" and not path:
        path = "/" if body else "."
    options: dict[str, str] = {}
    for setting in filter(None, query.split("&")):
        name, equals, value = setting.partition("=")
        options[unquote(name)] = unquote(value) if equals else "true"
    return Address(scheme=scheme, authority=authority, path=unquote(path), options=options)


def _take_apart(text: str) -> tuple[str, dict[str, str], int] | None:
    """Return head (``:scheme`` or the remote's name), options and where the path begins; None for a local path."""
    anonymous = text.startswith(":")
    first = _HEAD_END.search(text, 1 if anonymous else 0)
    if not anonymous and (first is None or first[0] == "/" or ":" not in text):
        return None
    if first is None or first[0] == "/":
        raise ConfigError(_no_colon(text))
    end = first.start()
    head = text[:end]
    if anonymous and not _SCHEME.fullmatch(head[1:]):
        raise ConfigError(f"{_shown(text)}: {head[1:]!r} is no name of a backend; a local file is written ./NAME")
    if not anonymous and not is_remote_name(head):
        raise ConfigError(
            f"{_shown(text)}: {head!r} is no name of a remote (letters, digits, _ - . + @ and blanks inside); "
            "a local file is written ./NAME"
        )
    options: dict[str, str] = {}
    while text[end] == ",":
        start = end + 1
        end = _find(_OPTION_END, text, start)
        name = text[start:end]
        if not name:
            raise ConfigError(f"{_shown(text)}: the name of an option is missing")
        if not _OPTION.fullmatch(name):
            raise ConfigError(f"{_shown(text)}: {name!r} is no name of an option")
        options[name] = "true"
        if text[end] == "=":
            options[name], end = _parse_value(text, end + 1)
    return head, options, end + 1


def _parse_value(text: str, start: int) -> tuple[str, int]:
    """Return the value that begins at ``start``, and where the ``,`` or ``:`` behind it stands."""
    quote = text[start : start + 1]
    if quote not in ("'", '"'):
        end = _find(_VALUE_END, text, start)
        return text[start:end], end
    at = start + 1
    while True:
        at = text.find(quote, at)
        if at < 0:
            raise ConfigError(f"{_shown(text)}: a value begins with {quote} and does not end with it")
        if text[at + 1 : at + 2] != quote:
            break
        at += 2
    if text[at + 1 : at + 2] not in (",", ":"):
        raise ConfigError(f"{_shown(text)}: behind the {quote} that ends a value stands neither ',' nor ':'")
    return text[start + 1 : at].replace(quote * 2, quote), at + 1


def _find(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.search(text, start)
    if found is None:
        raise ConfigError(_no_colon(text))
    return found.start()


def _no_colon(text: str) -> str:
    return f"{_shown(text)}: a ':' must stand between the settings and the path; a local file is written ./NAME"


def _shown(text: str) -> str:
    # What cannot be parsed may hold a secret all the same, half-quoted for instance.
    for found in _OPTION.finditer(text):
        if looks_secret(found[0]) and text[found.end() : found.end() + 1] == "=":
            text = text[: found.end() + 1] + HIDDEN
            break
    return repr(printable(redacted_text(text)))


def _settings(options: Mapping[str, Any]) -> str:
    return connection("", {name: redacted(name, value) for name, value in options.items()})[:-1]


def _query(options: Mapping[str, Any]) -> str:
    shown = {name: str(redacted(name, value)) for name, value in options.items()}
    pairs = (f"{_quote(name, _IN_QUERY)}={_quote(value, _IN_QUERY)}" for name, value in shown.items())
    return "?" + "&".join(pairs) if options else ""


def _quoted(value: str) -> str:
    if value and not any(mark in value for mark in "\"',:"):
        return value
    return '"' + value.replace('"', '""') + '"'


def _quote(text: str, unfit: re.Pattern[str]) -> str:
    return unfit.sub(_percent, text)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))
