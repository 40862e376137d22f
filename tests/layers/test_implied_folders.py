"""Directories in listings of a whole tree that the service lists as keys."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as some

from omnistorage.core.driver import Driver
from omnistorage.core.info import DIR, FILE, ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.walk import walk
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.layers.folders import Folders, with_folders
from omnistorage.storage import Storage
from omnistorage.testing import DriverSuite

_OPTIONS = PutOptions()


class TestFolders(DriverSuite):
    """With the layer, a storage is still one."""

    many = 250

    @pytest.fixture
    def driver(self) -> Driver:
        return Folders(MemoryDriver(Options(name=secrets.token_hex(8), page_size=100)))


class Counting(Layer):
    """Counts what is listed."""

    lists = 0

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        self.lists += 1
        return super().list(path, recursive=recursive, page=page)


class Marked(MemoryDriver):
    """Lists an object whose key ends with a slash as a directory, as S3 does."""

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        found = super().list(path, recursive=recursive, page=page)
        infos = [ObjectInfo(i.path[:-1], DIR) if i.path.endswith("/") else i for i in found.infos]
        return Page(infos, found.next)


def holding(*keys: str, page_size: int = 1000) -> MemoryDriver:
    driver = MemoryDriver(Options(page_size=page_size))
    storage = Storage(driver)
    for key in keys:
        storage.write_bytes(key, b"x")
    return driver


def listed(driver: Driver, path: str = "") -> list[str]:
    return [info.order for infos in walk(driver, path) for info in infos]


def test_folders_stand_before_what_is_in_them() -> None:
    """In path order, in which ``a-b`` stands between the object ``a`` and the directory of that name."""
    driver = with_folders(holding("a", "a-b", "a/x", "a/y/z", "b/c/d", "b/c-d"))

    assert listed(driver) == [
        "a", "a-b", "a/", "a/x", "a/y/", "a/y/z", "b/", "b/c-d", "b/c/", "b/c/d",
    ]  # fmt: skip
    assert listed(driver, "a") == ["a/x", "a/y/", "a/y/z"]
    assert listed(driver, "b") == ["b/c-d", "b/c/", "b/c/d"]


def test_marked_folder_is_named_once() -> None:
    """Where an empty object stands for a directory, that is the one."""
    driver = Marked()
    for key in ("d/", "d/in", "e/f/", "e/g"):
        driver._space.store(key, b"", _OPTIONS)

    assert listed(with_folders(driver)) == ["d/", "d/in", "e/", "e/f/", "e/g"]


def test_key_that_begins_with_a_slash_has_no_folder() -> None:
    """It is listed as an object of the root, and its directory would have no name."""
    assert listed(with_folders(holding("/a/b", "c/d"))) == ["/a/b", "c/", "c/d"]


def test_folders_cost_no_request() -> None:
    """Pages are those of the service, and a directory that goes on behind a page is not named again."""
    keys = [f"d/{number // 10}/{number}" for number in range(100)]
    counting = Counting(holding(*keys, page_size=7))
    found = listed(with_folders(counting))

    assert counting.lists == 15
    assert [path for path in found if path[-1] == "/"] == ["d/", *[f"d/{number}/" for number in range(10)]]
    assert [path for path in found if path[-1] != "/"] == sorted(keys)


def test_listing_of_one_directory_is_as_it_was() -> None:
    """There the service names directories itself."""
    driver = holding("a/b", "c")

    assert with_folders(driver).list("") == driver.list("")


def test_driver_that_names_them_is_left_alone() -> None:
    """Nothing is put around it."""
    driver = FileDriver(FileOptions(root="/"))

    assert with_folders(driver) is driver


@given(
    some.sets(some.text("ab-/.é", min_size=1, max_size=9).filter(lambda key: key[0] != "/"), max_size=20),
    some.integers(1, 5),
)
def test_tree_is_the_same_as_directory_by_directory(keys: set[str], page_size: int) -> None:
    """Whoever lists each directory for itself sees the same, in the same order, whatever the keys."""
    driver = holding(page_size=page_size)
    for key in keys:
        driver._space.store(key, b"", _OPTIONS)
    walked = [(info.order, info.kind) for infos in walk(driver, enter=lambda info: True) for info in infos]
    found = [(info.order, info.kind) for infos in walk(with_folders(driver)) for info in infos]

    assert found == walked
    assert {path for path, kind in found if kind is FILE} == keys
