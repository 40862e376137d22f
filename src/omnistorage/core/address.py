"""``scheme://authority/path?option=value`` and the other ways to say where bytes are, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a storage is.

    Attributes:
        scheme: The driver's scheme.
        authority: Host, bucket or account: what stands between ``//`` and the next ``/``.
        path: What stands behind it, percent-decoded, as written (no normalisation).
        options: Settings by name: texts, or values of their type where they come from a file or a program.
        remote: Name of the configured remote it came from, or empty.
    """

    scheme: str
    authority: str = ""
    path: str = ""
    options: Mapping[str, Any] = _NOTHING
    remote: str = ""

    def __repr__(self) -> str:
        from .redact import redacted, redacted_text

        shown = {name: redacted(name, value) for name, value in self.options.items()}
        # Between the slashes there may be a password, too.
        authority = redacted_text(f"x://{self.authority}")[4:]
        return (
            f"Address(scheme={self.scheme!r}, authority={authority!r}, path={self.path!r}, options={shown!r}, "
            f"remote={self.remote!r})"
        )
