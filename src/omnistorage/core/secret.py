"""A secret that knows where it came from, and what keeps all others out of pickles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .errors import Unsupported
from .redact import holds_secret

Found = tuple[Callable[..., str], tuple[object, ...]]
"""A function, and its arguments, that find the secret again wherever they are called."""


class Secret(str):
    """A secret that came by reference: text like any other, but it pickles as the reference and hides in a repr.

    Args:
        value: The secret.
        reference: Where it came from, for people: ``env:NAME``.
        found: How it is found again.
    """

    __slots__ = ("found", "reference")
    found: Found
    reference: str

    def __new__(cls, value: str, reference: str, found: Found) -> Secret:
        """Make text that remembers where it came from."""
        secret = super().__new__(cls, value)
        secret.reference = reference
        secret.found = found
        return secret

    def __repr__(self) -> str:
        return f"<secret {self.reference}>"

    def __reduce__(self) -> tuple[object, ...]:
        return self.found


def refuse_plain(where: str, options: msgspec.Struct | Mapping[str, Any]) -> None:
    """See to it that options can be pickled: what is secret in them has to be there by reference.

    Raises:
        Unsupported: A secret was given as text, of which no other process would know where it came from.
    """
    given = msgspec.structs.asdict(options) if isinstance(options, msgspec.Struct) else options
    plain = [name for name, value in given.items() if _is_plain(name, value)]
    if plain:
        raise Unsupported(
            f"{where}: {', '.join(plain)} given as text: secrets go to other processes by reference only, "
            "as env:NAME or file:/path, or from a configured remote"
        )


def _is_plain(name: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_plain(f"{name}_{key}", held) for key, held in value.items())
    if isinstance(value, (list, tuple)):
        return any(_is_plain(name, held) for held in value)
    return not isinstance(value, Secret) and holds_secret(name, value)
