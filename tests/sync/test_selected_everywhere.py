"""Rule 6: the same files are selected, whatever the service is and however it is listed, and explanations agree."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from filter_scenes import ALL_FLAGS, CASES, MARKER, TREES, Flag, Tree, arguments, plant
from omnistorage.core.driver import Driver
from omnistorage.core.errors import PermissionDenied
from omnistorage.core.info import DIR, FILE, ObjectInfo, Page
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.drivers.memory import Options as MemoryOptions
from omnistorage.storage import Storage
from omnistorage.sync.explaining import explain_in
from omnistorage.sync.filters import Filter
from omnistorage.sync.scan import Scan


class Walked(MemoryDriver):
    """An object store that only lists level by level."""

    features = msgspec.structs.replace(MemoryDriver.features, recursive=False)


class WithFolders(MemoryDriver):
    """An object store whose long listings have directories in them, too."""

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        if not recursive:
            return super().list(path, page=page)
        infos = [*self._below(path)]
        return Page(sorted(infos, key=lambda info: info.order))

    def _below(self, path: str) -> Iterator[ObjectInfo]:
        for info in super().list(path).infos:
            yield info
            if info.kind is DIR:
                yield from self._below(info.path)


PLACES: dict[str, type[MemoryDriver]] = {"flat": MemoryDriver, "walked": Walked, "flat with folders": WithFolders}


def in_memory(kind: type[MemoryDriver], tree: Tree, now: float) -> Driver:
    storage = Storage(kind(MemoryOptions(page_size=1000 if kind is WithFolders else 3)))
    for path, (size, hours) in tree.items():
        storage.write_bytes(path, b"x" * size, modified=int((now - hours * 3600) * 1e9))
    return storage.driver


def selected(driver: Driver, chosen: Filter) -> list[str]:
    return sorted(info.path for infos in Scan(driver, chosen) for info in infos if info.kind is FILE)


def filter_of(flags: list[str]) -> Filter | None:
    """Build what the command line builds; None if it refuses."""
    settings: dict[str, Any] = {}
    rest = iter(flags)
    names = {"--filter": "rules"}
    for flag in rest:
        name = names.get(flag, flag[2:].replace("-", "_"))
        if name == "ignore_case":
            settings[name] = True
        elif name == "max_depth":
            settings[name] = int(next(rest))
        elif name.startswith(("min", "max", "hash")):
            settings[name] = next(rest)
        else:
            settings.setdefault(name, []).append(next(rest))
    try:
        return Filter(**settings)
    except ValueError:
        return None


@settings(max_examples=max(CASES, 150))
@given(TREES, ALL_FLAGS)
def test_same_files_are_selected_everywhere(tree: Tree, flags: list[Flag]) -> None:
    """A local folder and three kinds of object stores give the same files; each is selected as explained."""
    now = time.time()
    with tempfile.TemporaryDirectory() as folder:
        chosen = filter_of(arguments(flags, Path(folder)))
        if chosen is None:
            return
        plant(tree, root := Path(folder) / "root", now)
        local = Storage(FileDriver(FileOptions(root=str(root)))).driver

        wanted = selected(local, chosen)
        for name, kind in PLACES.items():
            assert selected(in_memory(kind, tree, now), chosen) == wanted, name
        explained = sorted(path for path in tree if explain_in(local, chosen, path)[1].allowed)
        assert explained == wanted
        if not chosen.marker_names:
            facts = {path: (size, int((now - hours * 3600) * 1e9)) for path, (size, hours) in tree.items()}
            assert sorted(path for path in tree if chosen.selects(path, *facts[path])) == wanted


@settings(max_examples=CASES)
@given(TREES, ALL_FLAGS)
def test_directories_are_explained_as_they_are_walked(tree: Tree, flags: list[Flag]) -> None:
    """A directory that a scan gives is explained as one that is entered, and no other is."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = filter_of(arguments(flags, Path(folder)))
        if chosen is None or chosen.files is not None:
            return
        plant(tree, root := Path(folder) / "root")
        local = Storage(FileDriver(FileOptions(root=str(root)))).driver
        folders = {place.relative_to(root).as_posix() for place in root.rglob("*") if place.is_dir()}

        walked = {info.path for infos in Scan(local, chosen) for info in infos if info.kind is DIR}
        assert {path for path in folders if explain_in(local, chosen, path)[1].allowed} == walked


@pytest.mark.parametrize("kind", PLACES.values(), ids=PLACES)
def test_marker_that_cannot_be_looked_up_leaves_out_its_folder_alone(
    kind: type[MemoryDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a folder is excluded is unknown then: it is left out, known as broken, and the rest goes on."""
    plain = kind.stat

    def stat(self: MemoryDriver, path: str) -> ObjectInfo:
        if path == f"b/{MARKER}":
            raise PermissionDenied
        return plain(self, path)

    monkeypatch.setattr(kind, "stat", stat)
    driver = in_memory(kind, {"a/x": (1, 0), "b/c/y": (1, 0), "d/z": (1, 0), f"d/{MARKER}": (0, 0)}, time.time())
    scan = Scan(driver, Filter.exclude_if_present(MARKER))

    assert [info.path for infos in scan for info in infos if info.kind is FILE] == ["a/x"]
    assert list(scan.broken) == ["b"]


def test_few_levels_are_not_looked_for_in_everything() -> None:
    """A depth is walked also where all could be listed at once, which would bring mostly what lies too deep."""
    driver = in_memory(MemoryDriver, {f"deep/{number}": (1, 0) for number in range(50)} | {"a": (1, 0)}, time.time())
    scan = Scan(driver, Filter.max_depth(1))

    assert [info.path for infos in scan for info in infos] == ["a", "deep"]
    assert scan.listed == 2


def test_list_says_how_deep_files_may_lie(tmp_path: Path) -> None:
    """A list of files and a depth are both heeded, and what cannot be a path here is as good as missing."""
    (tmp_path / "list").write_text("a\nb/c\n./a\nb/../a\nb//c\n")
    plant({"a": (1, 0), "b/c": (1, 0)}, tmp_path / "root")
    local = Storage(FileDriver(FileOptions(root=str(tmp_path / "root")))).driver
    listed = Filter.files_from(str(tmp_path / "list"))

    assert selected(local, listed) == ["a", "b/c"]
    assert selected(local, listed.max_depth(1)) == ["a"]
    assert listed.max_depth(1).explain("b/c").cause == "depth"
