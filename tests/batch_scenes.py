"""What the tests of batches in local folders share: files, what may become of them, and what was stored."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from omnistorage.core.driver import PutItem, PutResults
from omnistorage.core.errors import (
    IsADirectory,
    NotFound,
    SourceChanged,
    SpecialFile,
    StorageError,
    Truncated,
)
from omnistorage.core.guard import Guard
from omnistorage.core.info import ObjectInfo
from omnistorage.core.localnames import TEMP
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import PlainFile
from omnistorage.drivers import _localtemp
from omnistorage.drivers.file import FileDriver, Options

WHEN = 1_600_000_000_123_456_789
FDS = "/proc/self/fd"

needs_proc = pytest.mark.skipif(not os.path.isdir(FDS), reason="counts what /proc tells")


class LongWay(FileDriver):
    """Notes which files were stored by a ``put`` of their own."""

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self.puts: list[str] = []

    def put(self, path: str, body: object, options: PutOptions) -> ObjectInfo:
        self.puts.append(path)
        return super().put(path, body, options)  # type: ignore[arg-type]


def item(source: Path, path: str, data: bytes, *, key: str | None = None, when: int = WHEN) -> PutItem:
    """Make a file, and what a sync that has listed it would hand over."""
    place = source / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    os.utime(place, ns=(when, when))
    return key or path, PlainFile(str(place), len(data), when), PutOptions(mtime_ns=when)


def store(driver: FileDriver, items: list[PutItem]) -> PutResults:
    """Store items with the errors that a caller sees."""
    return Guard(driver).put_many(items)


def errors(results: PutResults) -> list[type[Exception] | None]:
    return [type(result) if isinstance(result, Exception) else None for result in results]


def tree(root: Path) -> dict[str, bytes]:
    return {str(place.relative_to(root)): place.read_bytes() for place in root.rglob("*") if place.is_file()}


def temp_of(root: Path, key: str) -> Path:
    """Return where the temporary file for a key stands."""
    place = root / key
    return place.with_name(f"{TEMP}{_localtemp.mark(place.name)}.tmp")


def vanish(place: Path) -> None:
    place.unlink()


def vanish_with_folder(place: Path) -> None:
    place.unlink()
    place.parent.rmdir()


def shrink(place: Path) -> None:
    place.write_bytes(b"sh")
    os.utime(place, ns=(WHEN, WHEN))


def empty(place: Path) -> None:
    place.write_bytes(b"")
    os.utime(place, ns=(WHEN, WHEN))


def grow(place: Path) -> None:
    place.write_bytes(b"longer than before")
    os.utime(place, ns=(WHEN, WHEN))


def touch(place: Path) -> None:
    os.utime(place, ns=(WHEN, WHEN + 1))


def become_directory(place: Path) -> None:
    place.unlink()
    place.mkdir()


def become_fifo(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


def become_link(place: Path) -> None:
    twin = place.with_name("twin")
    place.rename(twin)
    place.symlink_to("twin")


def become_dangling(place: Path) -> None:
    place.unlink()
    place.symlink_to("nowhere")


Change = Callable[[Path], None]
CHANGES: dict[Change, tuple[type[StorageError], ...]] = {
    vanish: (NotFound,),
    vanish_with_folder: (NotFound,),
    shrink: (SourceChanged, Truncated),
    empty: (SourceChanged, Truncated),
    grow: (SourceChanged, Truncated),
    touch: (SourceChanged,),
    become_directory: (IsADirectory, SpecialFile),
    become_fifo: (SourceChanged, SpecialFile),
    become_link: (SpecialFile,),
    become_dangling: (SpecialFile,),
}
