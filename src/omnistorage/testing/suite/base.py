"""What all cases stand on: the fixtures, what an author can set, and ways to look at a storage."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import ClassVar, TypeVar

import pytest

from omnistorage.core.backend import Backend
from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.storage import Storage

T = TypeVar("T")

ENOUGH = 100_000
"""Entries or pages after which a listing counts as one that never ends."""


class Suite:
    """The fixtures of all cases, and what an author can set.

    Attributes:
        driver_pickles: False if a driver does not pickle; all of ours do, because work moves to processes.
        threads: Threads of the cases about concurrency.
        large: Bytes of the object that counts as large.
        many: Entries of the directory that counts as long; more than one page of the service.
        limits: Known limits, as name of the case to the reason. Such a case must fail; one that passes is
            reported, so that a limit which is gone does not stay written down. ``test_x[id]`` names a single
            parameter.
        unsteady: The same for cases that fail now and then, since their outcome is a matter of chance.
    """

    driver_pickles: ClassVar[bool] = True
    threads: ClassVar[int] = 8
    large: ClassVar[int] = 20 << 20
    many: ClassVar[int] = 1100
    limits: ClassVar[Mapping[str, str]] = {}
    unsteady: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def driver(self) -> Driver | Backend | Storage:
        """The driver under test, on an empty place; authors override it."""
        raise NotImplementedError("a test class that inherits the suite needs a fixture 'driver'")

    @pytest.fixture
    def storage(self, driver: Driver | Backend | Storage) -> Iterator[Storage]:
        """The driver behind its front door."""
        storage = driver if isinstance(driver, Storage) else Storage(driver)
        with storage:
            yield storage

    @pytest.fixture(autouse=True)
    def _known_limit(self, request: pytest.FixtureRequest) -> None:
        unknown = [name for name in (*self.limits, *self.unsteady) if not hasattr(self, name.partition("[")[0])]
        assert not unknown, f"'limits' or 'unsteady' names cases that do not exist: {unknown}"
        case = request.node.name
        for reasons, strict in ((self.limits, True), (self.unsteady, False)):
            reason = reasons.get(case) or reasons.get(case.partition("[")[0])
            if reason:
                request.applymarker(pytest.mark.xfail(reason=reason, strict=strict))

    def fresh(self, driver: Driver) -> Driver:
        """Make a second driver object for the same place, as another process would have it."""
        again: Driver = pickle.loads(pickle.dumps(driver))
        return again


def put(storage: Storage, *paths: str, data: bytes = b"x") -> None:
    """Store the same small object at each path."""
    for path in paths:
        storage.write_bytes(path, data)


def raw_put(storage: Storage, path: str, data: bytes, **options: object) -> ObjectInfo:
    """Store with the driver's own verb, without the front door's checks."""
    from omnistorage.core.streams import BytesBody

    return storage.driver.put(path, BytesBody(data), PutOptions(**options))  # type: ignore[arg-type]


def keys(storage: Storage, prefix: str = "") -> list[str]:
    """Return the paths of all objects, in the order in which they are listed."""
    found = list(islice(storage.list(prefix), ENOUGH))
    assert len(found) < ENOUGH, "the listing does not end"
    return found


def raw_pages(storage: Storage, path: str = "", *, recursive: bool = False) -> list[list[ObjectInfo]]:
    """Return the pages of one directory exactly as the driver gives them."""
    pages: list[list[ObjectInfo]] = []
    token: object = None
    while len(pages) < ENOUGH:
        page = storage.driver.list(path, recursive=recursive, page=token)
        pages.append(page.infos)
        if page.next is None:
            return pages
        token = page.next
    raise AssertionError("the listing does not end")


def raw_list(storage: Storage, path: str = "", *, recursive: bool = False) -> list[ObjectInfo]:
    """Return the entries of one directory exactly as the driver gives them."""
    return [info for page in raw_pages(storage, path, recursive=recursive) for info in page]


def paths(infos: list[ObjectInfo]) -> list[str]:
    """Return paths, a directory's with a slash behind it."""
    return [info.order for info in infos]


def nothing_at(storage: Storage, path: str) -> bool:
    """Say whether a path can neither be read, nor described, nor found in a listing."""
    readable = True
    try:
        storage.read_bytes(path)
    except FileNotFoundError:
        readable = False
    return not readable and not storage.exists(path) and path not in keys(storage)


def together(count: int, call: Callable[[int], T]) -> list[T | StorageError]:
    """Do ``call(0)`` … ``call(count - 1)`` at the same moment, each in a thread.

    An error of a storage is a result, in its place; anything else that is raised is raised here.
    """
    results: dict[int, T | StorageError] = {}
    bugs: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(index: int) -> None:
        try:
            barrier.wait()
            results[index] = call(index)
        except StorageError as exc:
            results[index] = exc
        except BaseException as exc:
            bugs.append(exc)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if bugs:
        raise bugs[0]
    return [results[index] for index in range(count)]


def missing(storage: Storage, feature: str) -> None:
    """Skip the case, naming the feature that the storage does not have."""
    pytest.skip(f"{storage.scheme or 'this storage'} has no features.{feature}")
