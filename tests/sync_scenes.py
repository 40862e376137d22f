"""What the tests of the engine share: trees, places, counting, and what was held where."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

import pytest
from hypothesis import settings

from omnistorage.core.driver import Driver
from omnistorage.core.layer import Layer
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.prefix import Prefix
from omnistorage.storage import Storage
from s3_scenes import fresh_bucket
from servers import require, shared

T = TypeVar("T")
Tree = dict[str, bytes]

SLOW = os.environ.get("OMNISTORAGE_SLOW") == "1"

WHEN = 1_700_000_000_000_000_000
NEWER, OLDER = WHEN + 10**9, WHEN - 10**9
"""Times in nanoseconds, long ago."""

TREE: Tree = {
    "a": b"one",
    "b.txt": b"two",
    "deep/er/c": b"three",
    "deep/d": b"",
    "deep-er": b"between deep and deep/",
    "e e/f\n": b"odd",
    "é": b"accent",
}

WRITES = frozenset(
    {"put", "delete", "delete_many", "copy", "move", "mkdir", "rmdir", "set_modified", "set_metadata", "begin_upload"}
)


class Plain:
    """The least a place for bytes can be: the six methods of ``Backend``, over a dictionary."""

    def __init__(self) -> None:
        self.objects: Tree = {}

    def open_writer(self, path: str, *, content_type: str | None = None, metadata: object = None) -> IO[bytes]:
        writer: IO[bytes] = _PlainWriter(self.objects, path)
        return writer

    def open_reader(self, path: str, *, offset: int = 0, length: int | None = None) -> IO[bytes]:
        import io

        end = None if length is None else offset + length
        return io.BytesIO(self.objects[path][offset:end])

    def exists(self, path: str) -> bool:
        return path in self.objects

    def delete(self, path: str) -> None:
        self.objects.pop(path, None)

    def list(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(path for path in self.objects if path.startswith(prefix)))

    def close(self) -> None:
        return


def _plain_writer() -> type[IO[bytes]]:
    import io

    class Writer(io.BytesIO):
        def __init__(self, objects: Tree, path: str) -> None:
            super().__init__()
            self._objects = objects
            self._path = path
            self._failed = False

        def __exit__(self, kind: Any, exc: Any, trace: Any) -> None:
            self._failed = kind is not None
            self.close()

        def close(self) -> None:
            if not self.closed and not self._failed:
                self._objects[self._path] = self.getvalue()
            super().close()

    return Writer


_PlainWriter: Any = _plain_writer()


class Counting(Layer):
    """Counts the calls of each verb."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        with self._lock:
            self.calls[op] += 1
        return call()

    @property
    def writes(self) -> dict[str, int]:
        """The calls that change something."""
        return {op: count for op, count in self.calls.items() if op in WRITES}


def memory(tree: Tree | None = None, *, when: int = WHEN) -> Storage:
    """Make a memory storage that holds a tree."""
    return fill(Storage(MemoryDriver()), tree or {}, when=when)


def files(root: Path, tree: Tree | None = None, *, when: int = WHEN) -> Storage:
    """Make a storage of local files that holds a tree."""
    root.mkdir(parents=True, exist_ok=True)
    return fill(Storage(FileDriver(FileOptions(root=str(root)))), tree or {}, when=when)


def plain(tree: Tree | None = None) -> Storage:
    """Make a storage of an object that knows nothing of drivers."""
    return fill(Storage(Plain()), tree or {})


def s3(tree: Tree | None = None, *, when: int = WHEN) -> Storage:
    """Make a storage below a fresh prefix of a bucket on Ceph's gateway; where there is none, the test is skipped."""
    return fill(Storage(LentPrefix(_bucket(), f"place {next(_NUMBERS)}")), tree or {}, when=when)


class LentPrefix(Prefix):
    """A part of a bucket; is closed without the driver, which has more places."""

    def close(self) -> None:
        return


_NUMBERS = itertools.count(1)


@cache
def _bucket() -> Driver:
    require("radosgw")
    driver = fresh_bucket(shared("radosgw"))
    atexit.register(driver.close)
    return driver


def fill(storage: Storage, tree: Tree, *, when: int = WHEN) -> Storage:
    """Store a tree, all objects with one time."""
    for path, data in tree.items():
        storage.write_bytes(path, data, modified=when)
    return storage


def held(storage: Storage) -> Tree:
    """Return path to content."""
    return {path: storage.read_bytes(path) for path in storage.list()}


def contents(*storages: Storage) -> Counter[bytes]:
    """Count how often each content is held."""
    return Counter(data for storage in storages for data in held(storage).values())


def leftovers(root: Path) -> list[str]:
    """Return the temporary files below a folder, which no storage shows."""
    return [name for _, _, names in os.walk(root) for name in names if name.startswith(".omnistorage-")]


OLD: Tree = {"a": b"one", "b.txt": b"TWO!", "deep/gone": b"x", "gone/on/e": b"yy", "z": b"last"}
"""What a destination may hold before; some of it equal, changed or gone in ``TREE``."""

PLACES: dict[str, Callable[[Path, Tree], Storage]] = {
    "file": lambda root, tree: files(root, tree),
    "memory": lambda root, tree: memory(tree),
    "plain": lambda root, tree: plain(tree),
    "s3": lambda root, tree: s3(tree),
}
S3_WAYS = [("file", "s3"), ("memory", "s3"), ("s3", "file"), ("s3", "s3")]
"""Those with S3 that are tried always; ``OMNISTORAGE_SLOW=1`` tries all."""

WAYS = [
    pytest.param(*way, id=f"{way[0]} to {way[1]}")
    for way in itertools.product(PLACES, PLACES)
    if SLOW or "s3" not in way or way in S3_WAYS
]

on_s3 = settings(max_examples=int(os.environ.get("OMNISTORAGE_CASES", "60")) // 3)
"""What is true of any tree is tried with fewer on S3, where each example costs tens of requests."""

both_ways = pytest.mark.parametrize(("here", "there"), WAYS)
"""Runs a test between all kinds of places: ``here`` and ``there`` are names in ``PLACES``."""
