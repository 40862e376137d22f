"""Deleting at the source what a move has proven to be at the destination."""

from __future__ import annotations

from contextlib import suppress

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound

from .model import Action, Policy, origin_of
from .places import refuse_to_delete
from .source import refuse_changed


def delete_source(src: Driver, dst: Driver, action: Action, policy: Policy) -> None:
    """Delete what was proven to be at the destination, unless something else would go with it.

    Raises:
        SourceChanged: It was changed since it was proven.
        StorageError: It cannot be deleted, or is the destination itself.
    """
    path = action.path if action.src is None else origin_of(action.src)
    refuse_to_delete(src, path, dst, action.path, through_links=policy.follows_links)
    with suppress(NotFound):
        if action.src is not None:
            # Bytes that came since then are nowhere else.
            refuse_changed(src, action.src)
        src.delete(path)
