"""Limits: the rate is kept by all together, in both directions, by the kernel, too, and can be changed."""

from __future__ import annotations

import io
import os
import pickle
import random
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clocks import Clock
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, FileBody, read_all
from omnistorage.drivers import _localcopy
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.limit import Bandwidth, Limit, calls_per_second
from omnistorage.layers.retry import Retry
from omnistorage.storage import Storage
from omnistorage.sync import Options, copy, move
from omnistorage.testing import Fail, FaultyDriver
from sync_scenes import files, held, memory

SIZE = 100_000
MI = 1 << 20


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def driver() -> MemoryDriver:
    driver = MemoryDriver()
    driver.put("a", BytesBody(bytes(SIZE)), PutOptions())
    return driver


def limited(storage: Storage, clock: Clock, **settings: Any) -> Storage:
    """Put a limit around a storage."""
    return Storage(Limit(storage.driver, clock=clock, sleep=clock.sleep, **settings))


def shared(limit: str | float | None, clock: Clock) -> Bandwidth:
    return Bandwidth(limit, clock=clock, now=clock.wall, sleep=clock.sleep)


def test_get_takes_its_time(driver: MemoryDriver, clock: Clock) -> None:
    """Bytes that are read come at the rate, in small waits."""
    limit = Limit(driver, bytes_per_second=10_000, clock=clock, sleep=clock.sleep)
    with limit.get("a") as stream:
        got = stream.read(-1)

    assert len(got) == SIZE
    assert clock.now == pytest.approx(SIZE / 10_000, rel=0.02)
    assert clock.longest < 0.2


def test_put_takes_its_time(driver: MemoryDriver, clock: Clock) -> None:
    """Bytes that are stored go at the rate, whole or in parts."""
    limit = Limit(driver, bytes_per_second=10_000, clock=clock, sleep=clock.sleep)
    limit.put("b", BytesBody(bytes(SIZE)), PutOptions())
    one = clock.now
    upload = limit.begin_upload("c", PutOptions())
    upload.put_part(1, BytesBody(bytes(SIZE)))
    upload.finish()

    assert one == pytest.approx(10, rel=0.02)
    assert clock.now == pytest.approx(20, rel=0.02)
    assert limit.stat("c").size == SIZE


def test_workers_share_the_rate(driver: MemoryDriver, clock: Clock) -> None:
    """Several threads together are no faster than one."""
    limit = Limit(driver, bytes_per_second=100_000, clock=clock, sleep=clock.sleep)
    sizes: list[int] = []

    def work() -> None:
        with limit.get("a") as stream:
            sizes.append(len(read_all(stream)))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sizes == [SIZE] * 5
    assert clock.now >= 4.85


def test_calls_are_limited(driver: MemoryDriver, clock: Clock) -> None:
    """Calls come at the rate, whatever they are."""
    limit = Limit(driver, ops_per_second=2.0, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        limit.stat("a")
        limit.list("")

    assert clock.now == pytest.approx(4.5, abs=0.01)


def test_calls_of_two_sides(driver: MemoryDriver, clock: Clock) -> None:
    """Storages can share a limit of calls, and what was not called may be called at once, up to the burst."""
    calls = calls_per_second(2.0, 4, clock=clock, sleep=clock.sleep)
    sides = [Limit(driver, calls=calls), Limit(MemoryDriver(), calls=calls)]
    for _ in range(7):
        for side in sides:
            side.list("")
    first = clock.now
    clock.now += 60
    for _ in range(4):
        sides[0].list("")

    assert first == pytest.approx(5, abs=0.01)
    assert clock.now - first == pytest.approx(60, abs=0.01)


def test_change_while_running(driver: MemoryDriver) -> None:
    """A reader that would wait for years goes on when the limit is lifted."""
    limit = Limit(driver, bytes_per_second=1e-6)
    sizes: list[int] = []

    def work() -> None:
        with limit.get("a") as stream:
            sizes.append(len(stream.read(-1)))

    thread = threading.Thread(target=work)
    thread.start()
    while not limit.bandwidth.lane(writing=False).waiting:
        thread.join(0.001)
    limit.bytes_per_second = None
    thread.join(20)

    assert sizes == [SIZE]
    assert limit.bytes_per_second is None


def test_each_file_has_a_limit(driver: MemoryDriver, clock: Clock) -> None:
    """A limit for each file holds for that alone: parts of one upload share it, two files do not."""
    limit = Limit(driver, per_file="10k:20k", clock=clock, sleep=clock.sleep)
    streams = [limit.get("a") for _ in range(4)]
    for _ in range(100):
        for stream in streams:
            stream.read(1024)
    four = clock.now
    upload = limit.begin_upload("b", PutOptions())
    for part in (1, 2):
        upload.put_part(part, BytesBody(bytes(upload.part_size)))
    took = clock.now - four

    assert four == pytest.approx(SIZE / 20_480, rel=0.05)
    assert took == pytest.approx(2 * upload.part_size / 10_240, rel=0.02)


# -- copies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("here", ["file", "memory"])
@pytest.mark.parametrize("there", ["file", "memory"])
def test_a_copy_counts_once(here: str, there: str, tmp_path: Path, clock: Clock) -> None:
    """With one limit on both sides 3 MiB at 1 MiB/s take 3 seconds, large or small, by whatever way."""
    data = random.Random(1).randbytes(2 * MI)
    tree = {"large": data, **{f"small/{number}": data[:16_384] for number in range(64)}}
    src = files(tmp_path / "s", tree) if here == "file" else memory(tree)
    dst = files(tmp_path / "d", {}) if there == "file" else memory({})
    bandwidth = shared("1M", clock)
    result = copy(limited(src, clock, bandwidth=bandwidth), limited(dst, clock, bandwidth=bandwidth))

    assert (result.transferred, result.errors) == (65, 0)
    assert held(dst) == tree
    assert clock.now == pytest.approx(3, rel=0.05)


def test_kernel_copies_at_the_rate(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel goes on copying files, in steps so small that the rate is kept all the time."""
    real = os.copy_file_range
    passed: list[tuple[float, int]] = []

    def watch(source: int, target: int, count: int) -> int:
        done = real(source, target, count)
        passed.append((clock.now, done))
        return done

    src, dst = files(tmp_path / "s", {"a": os.urandom(3 * MI)}), files(tmp_path / "d", {})
    monkeypatch.setattr(os, "copy_file_range", watch)
    monkeypatch.setattr(_localcopy, "write_all", None)
    result = copy(src, limited(dst, clock, bandwidth=shared("1M", clock)))

    assert (result.transferred, result.bytes) == (1, 3 * MI)
    assert clock.now == pytest.approx(3, rel=0.02)
    for then, _ in passed:
        window = sum(count for at, count in passed if then <= at < then + 1)
        assert window <= MI * 1.1
    assert max(count for _, count in passed) <= MI // 10


def test_lifted_while_the_kernel_copies(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is lifted midway is gone for the rest of the file."""
    bandwidth = shared("1M", clock)
    real = os.copy_file_range
    done = 0

    def watch(source: int, target: int, count: int) -> int:
        nonlocal done
        count = real(source, target, count)
        done += count
        if done >= MI:
            bandwidth.set(None)
        return count

    monkeypatch.setattr(os, "copy_file_range", watch)
    src, dst = files(tmp_path / "s", {"a": os.urandom(20 * MI)}), files(tmp_path / "d", {})
    copy(src, limited(dst, clock, bandwidth=bandwidth))

    assert clock.now == pytest.approx(1, rel=0.1)
    assert held(dst) == held(src)


def test_holes_pass(tmp_path: Path, clock: Clock) -> None:
    """Only what is data counts."""
    src, dst = files(tmp_path / "s", {"a": b"x"}), files(tmp_path / "d", {})
    os.truncate(tmp_path / "s" / "a", 1 << 30)
    copy(src, limited(dst, clock, bandwidth=shared("1M", clock)))

    assert clock.now < 1
    assert dst.stat("a").size == 1 << 30


def test_small_files_still_travel_together(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a piece has room for several files they are stored at once, and larger ones are not let through whole."""
    sizes: list[int] = []
    plain = FileDriver.put_many

    def watch(self: FileDriver, items: Any) -> Any:
        sizes.append(sum(body.size for _, body, _ in items))
        return plain(self, items)

    monkeypatch.setattr(FileDriver, "put_many", watch)
    tree = {f"{number:03}": os.urandom(size) for number, size in enumerate([1000] * 100 + [200_000] * 5)}
    src, dst = files(tmp_path / "s", tree), files(tmp_path / "d", {})
    result = copy(src, limited(dst, clock, bandwidth=shared("1M", clock)))

    assert (result.transferred, result.errors) == (105, 0)
    assert held(dst) == tree
    assert len(sizes) < 10
    assert max(sizes) <= MI // 20
    assert clock.now == pytest.approx(1_100_000 / MI, rel=0.05)


def test_one_that_cannot_be_stored(tmp_path: Path, clock: Clock) -> None:
    """A failure in the midst of files that travel together is that of one of them."""
    tree = {name: name.encode() for name in "abcde"}
    src, dst = files(tmp_path / "s", tree), files(tmp_path / "d", {"c/in the way": b""})
    result = copy(src, limited(dst, clock, bandwidth=shared("1M", clock)))

    assert (result.transferred, result.errors) == (4, 1)
    assert {path: data for path, data in held(dst).items() if path in tree} == {
        path: data for path, data in tree.items() if path != "c"
    }


def test_renames_cost_nothing(tmp_path: Path, clock: Clock) -> None:
    """What is moved by renaming moves no bytes."""
    src, dst = files(tmp_path / "s", {"a": bytes(MI)}), files(tmp_path / "d", {})
    result = move(src, limited(dst, clock, bandwidth=shared("1k", clock)))

    assert (result.server_moves, held(dst)) == (1, {"a": bytes(MI)})
    assert clock.now == 0


def test_reads_for_nothing(tmp_path: Path, clock: Clock) -> None:
    """A storage can be limited for what is stored in it alone."""
    storage = limited(files(tmp_path, {"a": bytes(MI)}), clock, bandwidth=shared("1k", clock), reads=False)
    storage.read_bytes("a")
    free = clock.now
    storage.write_bytes("b", bytes(2048))

    assert free == 0
    assert clock.now == pytest.approx(2, rel=0.02)


def test_repeated_bytes_count_again(clock: Clock, tmp_path: Path) -> None:
    """What a retry sends once more is limited once more, also where the kernel could copy."""
    (tmp_path / "s").write_bytes(bytes(SIZE))
    faulty = FaultyDriver(FileDriver(FileOptions(root=str(tmp_path / "d"))), Fail("put", late=True))
    retry = Retry(faulty, sleep=lambda seconds: None)
    limit = Limit(retry, bytes_per_second=10_000, clock=clock, sleep=clock.sleep)
    limit.put("a", FileBody(tmp_path / "s"), PutOptions())

    assert clock.now == pytest.approx(20, rel=0.02)


def test_kernel_cannot_copy_around() -> None:
    """Neither a local path nor the descriptor of what is read gets past the limit."""
    seen: list[Body] = []

    class Watching(MemoryDriver):
        def put(self, path: str, body: Body, options: PutOptions) -> object:  # type: ignore[override]
            seen.append(body)
            return super().put(path, body, options)

    inner = Watching()
    inner.local_root = "/somewhere"
    limit = Limit(inner)
    limit.put("me", FileBody(__file__), PutOptions())
    with limit.get("me") as stream, pytest.raises(io.UnsupportedOperation):
        stream.fileno()  # type: ignore[attr-defined]

    assert seen[0].local_path is None
    assert seen[0].ration is not None
    assert seen[0].size == FileBody(__file__).size
    assert limit.local_root is None


def test_limits_in_limits(driver: MemoryDriver, clock: Clock, tmp_path: Path) -> None:
    """Of two limits the slower one is kept, also by the kernel."""
    (tmp_path / "s").write_bytes(bytes(SIZE))
    inner = FileDriver(FileOptions(root=str(tmp_path / "d")))
    for slow, fast in ((10_000, 1e6), (1e6, 10_000)):
        began = clock.now
        both = [partial(Limit, bytes_per_second=rate, clock=clock, sleep=clock.sleep) for rate in (slow, fast)]
        both[0](both[1](inner)).put("a", FileBody(tmp_path / "s"), PutOptions())

        assert clock.now - began == pytest.approx(10, rel=0.2)


def test_one_limit_of_bytes() -> None:
    """A limit is given in one way."""
    with pytest.raises(ValueError, match="not both"):
        Limit(MemoryDriver(), bandwidth=Bandwidth("1M"), bytes_per_second=1)


def test_pickles_with_its_rates() -> None:
    """Another process keeps the same rates; two sides that travel together share a limit there, too."""
    bandwidth = Bandwidth("1M")
    sides = [Limit(MemoryDriver(), bandwidth=bandwidth, ops_per_second=7.0, per_file="5k") for _ in range(2)]
    one, two = pickle.loads(pickle.dumps(sides))
    alone = pickle.loads(pickle.dumps(Limit(MemoryDriver(), bytes_per_second=5.0)))

    assert (one.bytes_per_second, one.ops_per_second, one.per_file) == (MI, 7.0, sides[0].per_file)
    assert one.bandwidth is two.bandwidth
    assert alone.bytes_per_second == 5.0


@pytest.mark.parametrize("here", ["file", "memory"])
def test_in_real_time(here: str, tmp_path: Path) -> None:
    """A limited copy is not faster than its limit allows; slower it may be, on a busy machine."""
    tree = {"large": bytes(300_000), **{f"{number}": bytes(1000) for number in range(100)}}
    src = files(tmp_path / "s", tree) if here == "file" else memory(tree)
    dst = files(tmp_path / "d", {})
    bandwidth = Bandwidth(400_000)
    began = time.monotonic()
    result = copy(src, Storage(Limit(dst.driver, bandwidth=bandwidth)), Options(transfers=4))
    took = time.monotonic() - began

    assert result.transferred == 101
    assert took >= 0.9
