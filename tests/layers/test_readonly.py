"""Read-only: no verb that changes anything gets through, also not one that is added later."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import ReadOnly
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.placed import placed
from omnistorage.core.streams import BytesBody, read_all
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.readonly import Readonly

CHANGES: dict[str, Callable[[Driver], object]] = {
    "put": lambda driver: driver.put("a", BytesBody(b"new"), PutOptions()),
    "put_many": lambda driver: driver.put_many([("a", BytesBody(b"x"), PutOptions())]),
    "delete": lambda driver: driver.delete("a"),
    "put_together": lambda driver: driver.put_together([("a", BytesBody(b"x"), PutOptions())], 4),
    "copy": lambda driver: driver.copy("a", "b"),
    "copy_from": lambda driver: driver.copy_from(placed(MemoryDriver(), "a"), "b"),
    "move": lambda driver: driver.move("a", "b"),
    "mkdir": lambda driver: driver.mkdir("d"),
    "rmdir": lambda driver: driver.rmdir("d"),
    "make_root": lambda driver: driver.make_root(),
    "remove_root": lambda driver: driver.remove_root(),
    "set_modified": lambda driver: driver.set_modified("a", 1),
    "begin_upload": lambda driver: driver.begin_upload("a", PutOptions()),
    "resume_upload": lambda driver: driver.resume_upload("a", "token", PutOptions()),
    "delete_many": lambda driver: driver.delete_many(["a"]),
    "set_metadata": lambda driver: driver.set_metadata("a", {}),
    "post_form": lambda driver: driver.post_form("a"),
    "abort_begun": lambda driver: driver.abort_begun("a", 0),
    "restore_version": lambda driver: driver.restore_version("a", "v"),
    "sweep": lambda driver: driver.sweep("a"),
}
READS = {
    "stat", "list", "names", "get", "get_together", "hash", "metadata", "presign", "versions", "get_version", "about",
    "watch",
}  # fmt: skip
OTHERS = {"classify", "identity", "close", "from_address"}


class Touched(Layer):
    """Says which calls came through."""

    def __init__(self) -> None:
        super().__init__(MemoryDriver())
        self.inner.put("a", BytesBody(b"old"), PutOptions())
        self.calls: list[str] = []

    def around(self, op: str, path: str, call: Callable[[], Any]) -> Any:
        self.calls.append(op)
        return call()


def test_every_verb_is_judged() -> None:
    """A verb added to Driver must be added to the changes or to the reads above."""
    verbs = {
        name
        for name, value in vars(Driver).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, classmethod))
    } - {"options_class"}

    assert verbs == CHANGES.keys() | READS | OTHERS


@pytest.mark.parametrize("verb", CHANGES)
def test_changes_are_refused(verb: str) -> None:
    """The service never hears of a change."""
    inner = Touched()
    with pytest.raises(ReadOnly) as caught:
        CHANGES[verb](Readonly(inner))

    assert caught.value.op == verb
    assert inner.calls == []


def test_links_for_writing_are_refused() -> None:
    """A link by which its holder could change something is a change."""
    inner = Touched()
    with pytest.raises(ReadOnly):
        Readonly(inner).presign("a", method="PUT")

    assert inner.calls == []


def test_reads_pass() -> None:
    """What reads is as it was."""
    layer = Readonly(Touched())

    assert read_all(layer.get("a")) == b"old"
    assert layer.stat("a").size == 3
    assert [info.path for info in layer.list("").infos] == ["a"]
    assert layer.about().objects == 1
    assert len(layer.hash("a", "md5")) == 32


def test_features_for_writers_are_off() -> None:
    """Nobody is told to try what would be refused, and what readers need is still said."""
    before, after = MemoryDriver.features, Readonly(MemoryDriver()).features

    assert (before.copy, before.move, before.upload, before.delete_many) == (True, True, True, True)
    assert (after.copy, after.move, after.upload, after.delete_many, after.if_absent) == (False,) * 5
    assert (after.hash, after.about, after.recursive, after.any_key) == (True, True, True, True)


def test_pickles() -> None:
    """Another process may change as little."""
    again = pickle.loads(pickle.dumps(Readonly(MemoryDriver())))
    with pytest.raises(ReadOnly):
        again.delete("a")
