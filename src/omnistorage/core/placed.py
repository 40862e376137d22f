"""Where an object stands at its service, as another storage of the same service can name it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from .driver import Driver


class Placed(msgspec.Struct, frozen=True):
    """An object by its place at a service.

    Attributes:
        service: What ``Driver.identity`` says of the service: all of it but the last element.
        path: The path in the service, that of the storage's root included.
        etag: Which version is meant; None for the present one.
        settings: The options of the storage it was found by: who may read one may not be allowed to read the other.
        begun: If a copy of it goes by parts, called with the token of its upload (for ``Driver.resume_upload``)
            before the first of them; and before that is begun, with an empty one.
    """

    service: tuple[str, ...]
    path: str
    etag: str | None = None
    settings: Any = None
    begun: Callable[[str], object] | None = None


def placed(
    driver: Driver, path: str, etag: str | None = None, begun: Callable[[str], object] | None = None
) -> Placed:
    """Return where an object stands."""
    *service, root = driver.identity()
    return Placed(tuple(service), f"{root}/{path}" if root else path, etag, driver.options, begun)
