"""A layer loses nothing of the driver inside."""

from __future__ import annotations

import secrets
from typing import ClassVar, get_type_hints

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.layer import Layer, LayeredUpload
from omnistorage.core.streams import Upload
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.testing import DriverSuite

VALUES = {"part_size", "streams", "token"}


class TestBareLayer(DriverSuite):
    many = 50

    @pytest.fixture
    def driver(self) -> Layer:
        return Layer(MemoryDriver(Options(name=secrets.token_hex(8), page_size=20)))


class TestLayersInLayers(DriverSuite):
    many = 50
    large = 3 << 20

    @pytest.fixture
    def driver(self) -> Layer:
        return Layer(Layer(Layer(MemoryDriver(Options(name=secrets.token_hex(8), page_size=20)))))


def test_layer_forwards_every_verb() -> None:
    """A verb added to Driver must be added to Layer, or layers would lose it."""
    own = {name: verb for name, verb in vars(Driver).items() if not name.startswith("_")}
    verbs = {name for name, verb in own.items() if callable(verb) and not isinstance(verb, type)}

    assert verbs - vars(Layer).keys() == set()
    assert len(verbs) > 15


def test_layered_upload_forwards_every_call() -> None:
    """A call added to Upload must be added to the layers' upload."""
    calls = {name for name, call in vars(Upload).items() if not name.startswith("_") and name not in VALUES}

    assert calls - vars(LayeredUpload).keys() == set()
    assert calls != set()


def test_layered_upload_has_the_values_of_the_driver() -> None:
    """A value added to Upload must be taken over by the layers' upload."""
    own = {name for name in get_type_hints(Upload) if not name.startswith("_")}

    class Odd(Upload):
        part_size, streams, token = 11, 7, "t"
        done: ClassVar = {}
        put_part = finish = abort = None  # type: ignore[assignment]

    layered = LayeredUpload(Layer(MemoryDriver()), "a", Odd())

    assert own == VALUES
    assert {name: getattr(layered, name) for name in VALUES} == {"part_size": 11, "streams": 7, "token": "t"}


def test_every_call_passes_around() -> None:
    """The one hook sees each verb by its name."""
    seen: list[tuple[str, str]] = []

    class Noting(Layer):
        def around(self, op, path, call):  # type: ignore[no-untyped-def]
            seen.append((op, path))
            return call()

    layer = Noting(MemoryDriver())
    for verb, arguments in {
        "stat": ("",),
        "list": ("",),
        "delete_many": (["x"],),
        "about": (),
        "sweep": ("d",),
    }.items():
        getattr(layer, verb)(*arguments)

    assert seen == [("stat", ""), ("list", ""), ("delete_many", "x"), ("about", ""), ("sweep", "d")]
