"""What must not be shown: which settings look secret, and how a value is shown without its secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "***"
"""Stands where a secret was."""


def looks_secret(name: str) -> bool:
    """Say whether an option of this name is likely to hold a secret (``password``, ``secret_access_key``).

    In doubt the answer is yes: an option that is hidden needlessly does no harm.
    """
    words = [word.rstrip("0123456789") for word in _BETWEEN_WORDS.split(name.lower())]
    if any(word in _ALWAYS for word in words):
        return True
    if words[-1] in _ONLY_ABOUT or "public" in words:
        return False
    return any(word in _SECRET or word.endswith(("key", "keys", "token", "tokens")) for word in words)


def opens(name: str) -> bool:
    """Say whether an option of this name is likely to let somebody in; the name of a key (``key_id``) does not."""
    return looks_secret(name) and not name.lower().endswith("key_id")


def holds_secret(name: str, value: object) -> bool:
    """Say whether the value of the option ``name`` is a secret, or has one in it as a URL with a password."""
    if opens(name):
        return not _harmless(value)
    if not isinstance(value, str) or is_reference(value):
        return False
    # Connection strings have a colon; without one, name=value are words of something else, such as tags.
    return ":" in value and _text(name, value) != value


def is_reference(value: object) -> bool:
    """Say whether a value names the place of a secret (``env:NAME``, ``file:/path``) rather than being one."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def redacted(name: str, value: Any) -> Any:
    """Return the value of the option ``name`` as it may be shown; references to secrets stay as they are."""
    if isinstance(value, Mapping):
        return {key: redacted(f"{name}_{key}" if looks_secret(name) else key, held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(name, held) for held in value]
    if looks_secret(name):
        return value if _harmless(value) else HIDDEN
    return _text(name, value) if isinstance(value, str) else value


def redacted_text(text: str) -> str:
    """Return ``text`` without the password of a URL in it and the secrets of a connection string in it."""
    text = _USER_INFO.sub(rf"\1{HIDDEN}@", text)
    return _SETTING.sub(lambda found: found[0] if not looks_secret(found[1]) else f"{found[1]}={HIDDEN}", text)


def _text(name: str, value: str) -> str:
    if "@" in value and _WITH_LOGIN.intersection(_BETWEEN_WORDS.split(name.lower())) and not _LOGIN.fullmatch(value):
        # Nobody can say where in such a text the password ends, and whether it is before the host at all.
        scheme, mark, _ = value.rpartition("://")
        return f"{scheme}{mark}{HIDDEN}" if scheme.isalnum() else HIDDEN
    return redacted_text(value)


def _harmless(value: object) -> bool:
    if isinstance(value, str):
        return value.lower() in ("", "true", "false") or is_reference(value)
    return value is None or isinstance(value, bool)


_BETWEEN_WORDS: Final = re.compile(r"[^a-z0-9]+")
_ALWAYS: Final = frozenset(
    {"password", "passwd", "pass", "passcode", "passphrase", "pwd", "pw", "secret", "sas", "sig", "cookie", "cookies"}
)
_SECRET: Final = frozenset(
    {"auth", "authorization", "bearer", "credential", "credentials", "header", "headers", "otp", "pin", "signature"}
)
# The last word of options that tell something about a secret without being one: token_url, key_file.
_ONLY_ABOUT: Final = frozenset({"algorithm", "expiry", "file", "method", "path", "size", "type", "url"})
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[/~].*|(keyring|vault):\S.*", re.DOTALL)
_WITH_LOGIN: Final = frozenset({"endpoint", "proxy"})
_LOGIN: Final = re.compile(r"\w+://[^/?#:@\s]*:[^/?#@\s]*@[^/?#:@\s]+(:\d*)?(/[^@]*)?")
_USER_INFO: Final = re.compile(r"(\w://[^/?#:@\s]*:)[^/?#\s]*@")
_SETTING: Final = re.compile(r"""([\w.-]+)=("(?:[^"]|"")*"?|'(?:[^']|'')*'?|[^,:&\s]*)""")
