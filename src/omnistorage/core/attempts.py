"""Which attempt of a call is under way, for logs: whoever repeats calls says so, and whoever sends requests asks."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Final, TypeVar

T = TypeVar("T")

_NUMBER: Final[ContextVar[int]] = ContextVar("omnistorage-attempt", default=1)


def attempt() -> int:
    """Return the number of the attempt that this thread is making, from 1 on."""
    return _NUMBER.get()


def as_attempt(number: int, call: Callable[[], T]) -> T:
    """Do ``call``, which is the attempt of that number; what comes after it is a first one again."""

    def numbered() -> T:
        _NUMBER.set(number)
        return call()

    return copy_context().run(numbered)
