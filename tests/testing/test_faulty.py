"""The faulty driver fails exactly as told, and is harmless else."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from omnistorage.core.errors import NotFound, RateLimited, StorageError, TimedOut, Unreachable
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.storage import Storage
from omnistorage.testing import (
    CutStream,
    DriverSuite,
    DuplicatePage,
    Fail,
    FailBody,
    Fault,
    FaultyDriver,
    ShortListing,
    ShortReads,
    Slow,
    Vanish,
)


class TestWithoutFaults(DriverSuite):
    many = 50

    @pytest.fixture
    def driver(self) -> FaultyDriver:
        return FaultyDriver(MemoryDriver(Options(name=secrets.token_hex(8), page_size=20)))


class TestWithShortReads(DriverSuite):
    """Short reads are allowed to every driver, so the suite passes with them, too."""

    many = 50
    large = 3 << 20

    @pytest.fixture
    def driver(self) -> FaultyDriver:
        return FaultyDriver(MemoryDriver(Options(name=secrets.token_hex(8), page_size=20)), ShortReads(50_000))


def faulty(*faults: Fault, page_size: int = 1000) -> tuple[Storage, FaultyDriver]:
    driver = FaultyDriver(MemoryDriver(Options(page_size=page_size)), *faults)
    return Storage(driver), driver


def outcome(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except StorageError as exc:
        return type(exc).__name__
    return "done"


def test_fails_at_a_call() -> None:
    """Only the chosen calls of the chosen verb fail, and they do nothing."""
    storage, driver = faulty(Fail("put", at=2, times=2, error=TimedOut))
    outcomes = [outcome(lambda n=n: storage.write_bytes(f"{n}", b"x")) for n in range(5)]

    assert outcomes == ["done", "TimedOut", "TimedOut", "done", "done"]
    assert list(storage.list()) == ["0", "3", "4"]
    assert driver.calls["put"] == 5


def test_fails_with_a_list() -> None:
    """A list gives each call its own error, None none; then all is well."""
    storage, _ = faulty(Fail("stat", error=[RateLimited, None, Unreachable("gone")]))
    outcomes = [outcome(lambda: storage.stat("")) for _ in range(5)]

    assert outcomes == ["RateLimited", "done", "Unreachable", "done", "done"]


def test_fails_on_a_path() -> None:
    """Calls on other paths are neither hit nor counted."""
    storage, _ = faulty(Fail("put", at=2, path="a"))
    outcomes = [outcome(lambda p=p: storage.write_bytes(p, b"x")) for p in ("b", "a", "b", "a", "a")]

    assert outcomes == ["done", "done", "done", "Unreachable", "done"]


def test_fails_late() -> None:
    """A late failure is raised after the work was done, as when an answer is lost."""
    storage, _ = faulty(Fail("put", late=True))
    first = outcome(lambda: storage.write_bytes("a", b"x"))

    assert first == "Unreachable"
    assert storage.read_bytes("a") == b"x"


def test_stream_that_fails_late_is_closed(tmp_path: Path) -> None:
    """Nobody gets it, so the driver that fails must not leave it open."""
    (tmp_path / "a").write_bytes(b"x")
    with Storage(FaultyDriver(FileDriver(FileOptions(root=str(tmp_path))), Fail("get", late=True))) as storage:
        before = os.listdir("/proc/self/fd")
        first = outcome(lambda: storage.read_bytes("a"))

        assert (first, os.listdir("/proc/self/fd")) == ("Unreachable", before)


def test_fails_at_every_verb() -> None:
    """Without a verb, the count goes over all calls."""
    storage, _ = faulty(Fail(at=3))
    outcomes = [outcome(lambda: storage.write_bytes("a", b"x")), outcome(lambda: storage.stat("a"))]
    outcomes += [outcome(lambda: storage.delete("a")), outcome(lambda: storage.delete("a"))]

    assert outcomes == ["done", "done", "Unreachable", "done"]


def test_errors_are_guarded() -> None:
    """An error of the operating system is translated as the driver's own would be."""
    storage, _ = faulty(Fail("stat", error=ConnectionResetError()))
    with pytest.raises(Unreachable) as caught:
        storage.stat("a")

    assert (caught.value.op, caught.value.path, caught.value.scheme) == ("stat", "a", "memory")


def test_cut_stream() -> None:
    """A stream breaks off after its bytes, once, with an error that says where."""
    storage, _ = faulty(CutStream(after=5))
    storage.write_bytes("a", b"0123456789")
    with storage.open_reader("a") as reader:
        first = reader.raw.read(5)
        with pytest.raises(Unreachable):
            reader.raw.read(5)

    assert first == b"01234"
    assert storage.read_bytes("a") == b"0123456789"


def test_cut_stream_silently() -> None:
    """A stream may also end without a word."""
    storage, _ = faulty(CutStream(after=5, error=None, times=None))
    storage.write_bytes("a", b"0123456789")

    assert storage.read_bytes("a") == b"01234"
    assert storage.read_bytes("a", offset=3) == b"34567"


def test_short_reads() -> None:
    """Reads give a byte at a time, and all bytes in the end."""
    storage, driver = faulty(ShortReads(1))
    storage.write_bytes("a", b"0123456789")
    with driver.get("a") as stream:
        pieces = [stream.read(100) for _ in range(3)]

    assert pieces == [b"0", b"1", b"2"]
    assert storage.read_bytes("a") == b"0123456789"


def test_slow() -> None:
    """Calls wait as long as told, by the sleep that was given."""
    slept: list[float] = []
    storage, _ = faulty(Slow(2.5, op="stat", sleep=slept.append))
    storage.write_bytes("a", b"x")
    storage.stat("a")
    storage.stat("a")

    assert slept == [2.5, 2.5]


def test_duplicate_page() -> None:
    """One page comes twice, the rest once and whole."""
    storage, _ = faulty(DuplicatePage(at=2), page_size=2)
    for name in "abcde":
        storage.write_bytes(name, b"x")

    assert list(storage.list()) == ["a", "b", "c", "d", "c", "d", "e"]


def test_short_listing() -> None:
    """A listing ends early as if that were all."""
    storage, _ = faulty(ShortListing(keep=1, at=2), page_size=2)
    for name in "abcde":
        storage.write_bytes(name, b"x")

    assert list(storage.list()) == ["a", "b", "c"]
    assert list(storage.list()) == ["a", "b", "c", "d", "e"]


def test_vanish() -> None:
    """An object is there until it has been listed."""
    storage, _ = faulty(Vanish("a"))
    storage.write_bytes("a", b"x")
    before, listed = storage.exists("a"), list(storage.list())

    assert (before, listed) == (True, ["a"])
    with pytest.raises(NotFound):
        storage.read_bytes("a")


def test_fail_body() -> None:
    """A body breaks while it is read; nothing is stored; the next attempt succeeds."""
    storage, _ = faulty(FailBody(after=3, error=ConnectionResetError))
    first = outcome(lambda: storage.write_bytes("a", b"0123456789"))
    there = storage.exists("a")
    storage.write_bytes("a", b"0123456789")

    assert (first, there) == ("Unreachable", False)
    assert storage.read_bytes("a") == b"0123456789"


def test_faults_of_uploads() -> None:
    """Parts, finish and abort can fail, too."""
    storage, driver = faulty(Fail("put_part", at=2), Fail("finish"), FailBody(after=1, op="put_part"))
    upload = storage.driver.begin_upload("a", PutOptions())
    outcomes = [outcome(lambda: upload.put_part(1, BytesBody(b"part"))) for _ in range(3)]
    outcomes += [outcome(upload.finish) for _ in range(2)]

    assert outcomes == ["StorageError", "Unreachable", "done", "Unreachable", "done"]
    assert storage.read_bytes("a") == b"part"
    assert driver.calls["put_part"] == 3


def test_counts_are_exact_with_threads() -> None:
    """Of many calls at once, exactly as many fail as told."""
    storage, driver = faulty(Fail("put", at=20, times=7))
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: outcome(lambda: storage.write_bytes(f"{n}", b"x")), range(100)))

    assert outcomes.count("Unreachable") == 7
    assert driver.calls["put"] == 100


def test_heal_and_add() -> None:
    """Faults can be taken away and added in the midst of a test."""
    storage, driver = faulty(Fail("stat", times=None))
    outcomes = [outcome(lambda: storage.stat(""))]
    driver.heal()
    outcomes.append(outcome(lambda: storage.stat("")))
    driver.add(Fail("stat"))
    outcomes += [outcome(lambda: storage.stat("")) for _ in range(2)]

    assert outcomes == ["Unreachable", "done", "Unreachable", "done"]
