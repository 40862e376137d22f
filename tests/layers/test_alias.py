"""One object under another name."""

from __future__ import annotations

import pytest

from omnistorage.core.errors import NotFound, Unsupported
from omnistorage.core.guard import Guard
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.alias import Alias


@pytest.fixture
def inner() -> Guard:
    """A storage with two objects."""
    driver = Guard(MemoryDriver())
    for name in ("real", "shown"):
        driver.put(name, BytesBody(name.encode()), PutOptions(mtime_ns=1))
    return driver


def test_reads_the_real_one(inner: Guard) -> None:
    """Whatever is asked under the shown name is answered by the real object."""
    alias = Alias(inner, "real", "shown")

    assert [info.path for info in alias.list("").infos] == ["shown"]
    assert alias.stat("shown").size == 4
    assert alias.get("shown").read() == b"real"
    assert alias.hash("shown", "md5") == inner.hash("real", "md5")


def test_shows_nothing_else(inner: Guard) -> None:
    """The other objects of the storage, the real name included, are not there."""
    alias = Alias(inner, "real", "shown")

    for name in ("real", "other", "shown/below"):
        with pytest.raises(NotFound):
            alias.stat(name)


def test_deletes_the_real_one(inner: Guard) -> None:
    """What is deleted under the shown name is the real object."""
    Alias(inner, "real", "shown").delete("shown")

    assert [info.path for info in inner.list("").infos] == ["shown"]


def test_changes_nothing_else(inner: Guard) -> None:
    """Verbs that would reach another object of that name are refused, each of them."""
    alias = Alias(inner, "real", "shown")
    for call in (
        lambda: alias.put("shown", BytesBody(b"x"), PutOptions()),
        lambda: alias.move("shown", "new"),
        lambda: alias.copy("shown", "new"),
        lambda: alias.set_modified("shown", 2),
        lambda: alias.begin_upload("shown", PutOptions()),
        lambda: alias.delete_many(["shown"]),
    ):
        with pytest.raises(Unsupported):
            call()

    assert inner.get("shown").read() == b"shown"
    assert sorted(info.path for info in inner.list("").infos) == ["real", "shown"]
