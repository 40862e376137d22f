"""Listings of names only: the same entries as others, whatever stands between."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.guard import Guard
from omnistorage.core.info import Kind, ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.core.walk import pages, walk
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.layers.prefix import Prefix

KEYS = ["a", "a-b", "a/x", "a/y/z", "b/c", "d", "e/f/g/h", "é"]


class Nameless(Layer):
    """Hides one entry from listings, and knows nothing of brief ones."""

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        found = self.inner.list(path, recursive=recursive, page=page)
        return Page([info for info in found.infos if info.path != "d"], found.next)


@pytest.fixture(params=["file", "memory", "prefix of file", "prefix of memory"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    driver: Driver = MemoryDriver(Options(page_size=3))
    if request.param.endswith("file"):
        driver = FileDriver(FileOptions(root=str(tmp_path), page_size=3))
    driver = Guard(driver)
    if request.param.startswith("prefix"):
        driver = Prefix(driver, "in/here")
    for key in KEYS if driver.scheme == "memory" else KEYS[1:]:
        driver.put(key, BytesBody(b"x"), PutOptions())
    return driver


def seen(found: list[list[ObjectInfo]]) -> list[tuple[str, Kind]]:
    """Return what brief listings promise."""
    return [(info.path, info.kind) for infos in found for info in infos]


def test_brief_walk_finds_the_same(driver: Driver) -> None:
    """Paths, kinds and order are those of a walk that asks for everything."""
    whole = seen(list(walk(driver)))
    folder_by_folder = seen(list(walk(driver, enter=lambda info: True)))

    assert seen(list(walk(driver, brief=True))) == whole
    assert seen(list(walk(driver, brief=True, enter=lambda info: True))) == folder_by_folder
    assert len(folder_by_folder) > len(KEYS)


def test_brief_pages_find_the_same(driver: Driver) -> None:
    """One folder, page by page."""
    assert seen(list(pages(driver, brief=True))) == seen(list(pages(driver)))
    assert seen(list(pages(driver, "a", brief=True))) == seen(list(pages(driver, "a")))


def test_tokens_pass_between_both(driver: Driver) -> None:
    """A listing that began one way goes on the other way."""
    one, two = driver.names(""), driver.list("")

    assert one.next is not None
    assert seen([driver.list("", page=one.next).infos]) == seen([driver.names("", page=two.next).infos])


def test_layer_that_changes_listings_changes_brief_ones() -> None:
    """An author who overrides list need not know of names."""
    layer = Nameless(MemoryDriver())
    for key in KEYS:
        layer.put(key, BytesBody(b"x"), PutOptions())
    found = seen(list(walk(layer, brief=True, enter=lambda info: True)))

    assert ("d", Kind.FILE) not in found
    assert ("é", Kind.FILE) in found


def test_local_names_cost_no_stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders are told apart without a question to the kernel for each."""
    driver = FileDriver(FileOptions(root=str(tmp_path)))
    for key in KEYS[1:]:
        driver.put(key, BytesBody(b"x"), PutOptions())
    monkeypatch.setattr("os.stat", None)
    infos = driver.names("").infos

    assert [info.order for info in infos] == ["a-b", "a/", "b/", "d", "e/", "é"]
    assert {(info.size, info.mtime_ns) for info in infos} == {(None, None)}
