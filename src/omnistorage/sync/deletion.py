"""Deleting at the source what a move has proven to be at the destination."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, StorageError

from .model import Action, Outcome, Policy, Verb, origin_of
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
        delete(src, path)


def deletes(dst: Driver, actions: list[Action]) -> bool:
    """Say whether all that is to be done is deleting, and whether one request is enough for it."""
    return len(actions) > 1 and _is_worth_it(dst) and all(action.verb is Verb.DELETE for action in actions)


def delete_together(dst: Driver, actions: list[Action]) -> list[Outcome]:
    """Delete several objects; gone is what was wanted, whoever did it."""
    failures: Sequence[StorageError | None]
    try:
        failures = dst.delete_many([action.path for action in actions])
    except StorageError as exc:
        failures = [exc] * len(actions)
    return [
        Outcome(action, None if isinstance(error, NotFound) else error)
        for action, error in zip(actions, failures, strict=True)
    ]


def delete(driver: Driver, path: str) -> None:
    """Delete an object that is known to be there, by one request if that is enough.

    Raises:
        NotFound: It is not there any more, so far as that is noticed.
    """
    if not _is_worth_it(driver):
        driver.delete(path)
        return
    # One by itself is looked for before, where the service says nothing of what is missing.
    (error,) = driver.delete_many([path])
    if error is not None:
        raise error


def _is_worth_it(driver: Driver) -> bool:
    """Say whether deleting by ``delete_many`` saves requests, and no layer wants to see each call."""
    return driver.features.delete_many and driver.many > 0
