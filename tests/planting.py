"""How a fault is planted: a driver with one, the suite on it, and the case that must find it."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from omnistorage.core.info import ObjectInfo
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.testing import DriverSuite

CAUGHT_BY: dict[str, tuple[str, str]] = {}
"""Name of the test class to its file and the case that must find its fault."""

Healthy = MemoryDriver


def caught_by(case: str) -> Callable[[type[MemoryDriver]], type[MemoryDriver]]:
    """Make a test class of the suite for a faulty driver, in which ``case`` must fail."""

    def plant(kind: type[MemoryDriver]) -> type[MemoryDriver]:
        name = f"Test{kind.__name__}"

        class Planted(DriverSuite):
            many = 50

            @pytest.fixture
            def driver(self) -> MemoryDriver:
                return kind(Options(name=secrets.token_hex(8), page_size=20))

        Planted.__name__ = Planted.__qualname__ = name
        Planted.__module__ = kind.__module__
        setattr(sys.modules[kind.__module__], name, Planted)
        CAUGHT_BY[name] = (Path(sys.modules[kind.__module__].__file__ or "").name, case)
        return kind

    return plant


def claiming(**claims: Any) -> Any:
    """The memory driver's features, with these changed."""
    return msgspec.structs.replace(Healthy.features, **claims)


def changed(info: ObjectInfo, **changes: Any) -> ObjectInfo:
    return msgspec.structs.replace(info, **changes)
