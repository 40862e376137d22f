"""Times in listings that the service tells only of single objects."""

from __future__ import annotations

import secrets

import msgspec
import pytest

from omnistorage.core.errors import PermissionDenied
from omnistorage.core.info import ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.walk import walk
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.layers.times import Times, told
from omnistorage.storage import Storage
from omnistorage.sync import Filter
from omnistorage.sync.scan import Scan
from omnistorage.testing import DriverSuite

NOW = 1_700_000_000_000_000_000


class Untold(Layer):
    """A storage whose listings tell no times, as that of an object store; counts what is looked at."""

    def __init__(self, inner: MemoryDriver | Layer) -> None:
        super().__init__(inner)
        self.looked: list[str] = []

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        found = super().list(path, recursive=recursive, page=page)
        return Page([msgspec.structs.replace(info, mtime_ns=None) for info in found.infos], found.next)

    def stat(self, path: str) -> ObjectInfo:
        self.looked.append(path)
        return super().stat(path)


def memory() -> MemoryDriver:
    return MemoryDriver(Options(name=secrets.token_hex(8), page_size=20))


class TestTimes(DriverSuite):
    """With the layer, such a storage is like any other."""

    many = 50

    @pytest.fixture
    def driver(self) -> Times:
        return Times(Untold(memory()))


@pytest.fixture
def untold() -> Untold:
    """Three objects of different ages."""
    untold = Untold(memory())
    storage = Storage(untold)
    for age, path in enumerate(("d/a", "d/b", "e")):
        storage.write_bytes(path, b"x", modified=NOW - age)
    return untold


def times(driver: Layer) -> dict[str, int | None]:
    return {info.path: info.mtime_ns for infos in walk(driver) for info in infos if info.is_file}


def test_times_are_told(untold: Untold) -> None:
    """Each object that is listed has its time, at the cost of a look at each."""
    assert times(untold) == {"d/a": None, "d/b": None, "e": None}
    assert times(Times(untold)) == {"d/a": NOW, "d/b": NOW - 1, "e": NOW - 2}
    assert sorted(untold.looked) == ["d/a", "d/b", "e"]


def test_only_what_is_wanted(untold: Untold) -> None:
    """What nobody asks for is not looked at, and stays as it was."""
    assert times(Times(untold, lambda info: info.path == "e")) == {"d/a": None, "d/b": None, "e": NOW - 2}
    assert untold.looked == ["e"]


def test_what_is_gone_is_not_listed(untold: Untold, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that vanishes between the two is as if it had vanished before."""
    page = untold.list

    def vanishing(path: str, *, recursive: bool = False, page: object = None, listing=page) -> Page:  # type: ignore[no-untyped-def]
        found: Page = listing(path, recursive=recursive, page=page)
        for info in found.infos:
            if info.path == "d/a":
                untold.inner.delete("d/a")
        return found

    monkeypatch.setattr(untold, "list", vanishing)

    assert times(Times(untold)) == {"d/b": NOW - 1, "e": NOW - 2}


def test_what_may_not_be_seen_is_an_error(untold: Untold, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time that cannot be had is never taken for one."""

    def refuse(path: str) -> ObjectInfo:
        raise PermissionDenied

    monkeypatch.setattr(untold, "stat", refuse)
    with pytest.raises(PermissionDenied):
        times(Times(untold))


def test_files_of_this_machine_need_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where listings tell times, nothing stands between."""
    driver = FileDriver(FileDriver.options_class(root=str(tmp_path_factory.mktemp("root"))))

    assert told(driver) is driver


@pytest.mark.parametrize("recursive", [True, False])
def test_filters_by_age_look(untold: Untold, recursive: bool) -> None:
    """An age is that of the object; what other rules leave out is not looked at."""
    untold.features = msgspec.structs.replace(untold.features, recursive=recursive)
    young = Filter().max_age("1h").exclude("e")
    chosen = [info.path for infos in Scan(untold, young) for info in infos if info.is_file]
    old = [info.path for infos in Scan(untold, Filter().min_age("1d").exclude("e")) for info in infos if info.is_file]

    assert chosen == []
    assert old == ["d/a", "d/b"]
    assert set(untold.looked) == {"d/a", "d/b"}
