"""For tests: the conformance suite, a driver that fails as told, a scripted driver, and a benchmark.

Nothing here needs pytest except the suite; an application's tests can use the mock with any test runner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .faulty import (
    CutStream,
    DuplicatePage,
    Fail,
    FailBody,
    Fault,
    FaultyDriver,
    ShortListing,
    ShortReads,
    Slow,
    Vanish,
)
from .mock import Call, Expectation, MockDriver, UnexpectedCall

if TYPE_CHECKING:
    from .suite import DriverSuite

__all__ = [
    "DriverSuite",
    "FaultyDriver",
    "Fault",
    "Fail",
    "FailBody",
    "CutStream",
    "ShortReads",
    "Slow",
    "DuplicatePage",
    "ShortListing",
    "Vanish",
    "MockDriver",
    "Expectation",
    "Call",
    "UnexpectedCall",
]


def __getattr__(name: str) -> Any:
    """Import the suite, and with it pytest, only for those who ask for it."""
    if name == "DriverSuite":
        from .suite import DriverSuite

        return DriverSuite
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
