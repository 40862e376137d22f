"""Who signs: the credentials that requests to AWS and its kin are signed with."""

from __future__ import annotations

import msgspec


class Credentials(msgspec.Struct, frozen=True):
    """Keys that sign requests.

    Attributes:
        access_key: Name of the key; not secret.
        secret_key: The secret.
        session_token: Goes with keys that somebody lent for a while; empty for lasting ones.
        expires: Unix time in seconds from which on they are refused, or None.
    """

    access_key: str
    secret_key: str
    session_token: str = ""
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Credentials(access_key={str(self.access_key)!r})"
