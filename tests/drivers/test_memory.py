"""The memory driver, proven by the suite, and what is peculiar to it."""

from __future__ import annotations

import gc
import secrets

import pytest

from omnistorage.core.address import Address
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.storage import Storage
from omnistorage.testing import DriverSuite


class TestMemory(DriverSuite):
    @pytest.fixture
    def driver(self) -> MemoryDriver:
        # Named, so that a pickled driver is the same place.
        return MemoryDriver(Options(name=secrets.token_hex(8)))


class TestMemoryWithSmallPages(DriverSuite):
    many = 50

    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return MemoryDriver(Options(name=secrets.token_hex(8), page_size=7))


def test_nameless_storages_are_apart() -> None:
    """Without a name, each storage is on its own."""
    with Storage(MemoryDriver()) as one, Storage(MemoryDriver()) as two:
        one.write_bytes("a", b"x")

        assert not two.exists("a")


def test_names_share_while_in_use() -> None:
    """Storages of one name hold the same objects, and these go with the last of them."""
    name = secrets.token_hex(8)
    one, two = (Storage(MemoryDriver(Options(name=name))) for _ in range(2))
    one.write_bytes("a", b"x")
    shared = two.read_bytes("a")
    del one, two
    gc.collect()

    assert shared == b"x"
    assert not Storage(MemoryDriver(Options(name=name))).exists("a")


def test_address() -> None:
    """The authority is the name, the path a prefix, the query options."""
    driver, prefix = MemoryDriver.from_address(
        Address(scheme="memory", authority="shared", path="/d/e", options={"page_size": "5"})
    )

    assert driver.options == Options(name="shared", page_size=5)
    assert prefix == "d/e"
