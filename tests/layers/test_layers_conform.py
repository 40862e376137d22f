"""Each layer around the memory driver is still a backend, as the suite defines one."""

from __future__ import annotations

import secrets

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.guard import Guard
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.layers.limit import Limit
from omnistorage.layers.log import Log
from omnistorage.layers.prefix import Prefix
from omnistorage.layers.retry import Retry
from omnistorage.layers.timeout import Timeout
from omnistorage.testing import DriverSuite


def guarded() -> Driver:
    """Return a memory driver as layers find it; named, so that a pickled one is the same place."""
    return Guard(MemoryDriver(Options(name=secrets.token_hex(8), page_size=100)))


def no_wait(seconds: float) -> None:
    """Do not wait: bodies that lie about their size are tried again."""


class LayerSuite(DriverSuite):
    __test__ = False
    many = 250


class TestRetry(LayerSuite):
    __test__ = True

    @pytest.fixture
    def driver(self) -> Driver:
        return Retry(guarded(), sleep=no_wait)


class TestLimit(LayerSuite):
    __test__ = True

    @pytest.fixture
    def driver(self) -> Driver:
        return Limit(guarded(), bytes_per_second=1e12, ops_per_second=1e9)


class TestTimeout(LayerSuite):
    __test__ = True

    @pytest.fixture
    def driver(self) -> Driver:
        return Timeout(guarded())


class TestPrefix(LayerSuite):
    __test__ = True

    @pytest.fixture
    def driver(self) -> Driver:
        return Prefix(guarded(), "in a/folder")


class TestPrefixOfOddName(LayerSuite):
    __test__ = True

    @pytest.fixture
    def driver(self) -> Driver:
        return Prefix(guarded(), "a//../b/")


class TestLog(LayerSuite):
    __test__ = True

    @pytest.fixture
    def driver(self) -> Driver:
        return Log(guarded())


class TestAllTogether(LayerSuite):
    __test__ = True

    @pytest.fixture
    def driver(self) -> Driver:
        return Log(Prefix(Limit(Retry(Timeout(guarded()), sleep=no_wait)), "p"))
