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
