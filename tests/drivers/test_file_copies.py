"""How bytes come into a local file: by the kernel, by hand, with holes, and never in part."""

from __future__ import annotations

import errno
import gzip
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from omnistorage.core.errors import SourceChanged, Truncated
from omnistorage.core.guard import Guard, GuardedStream
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, FileBody, OpenerBody
from omnistorage.drivers import _localcopy
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

LARGE = _localcopy.SMALL + 100_000


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(FileDriver(Options(root=str(tmp_path / "root"))))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file outside the storage, large enough for the kernel."""
    path = tmp_path / "source"
    path.write_bytes(pattern(LARGE))
    return path


class Changing(Body):
    """A file that is changed as soon as it is open."""

    def __init__(self, path: Path, change: Callable[[], object]) -> None:
        self.local_path = None
        self.size = path.stat().st_size
        self._path = path
        self._change = change

    def open(self) -> ByteStream:
        stream = open(self._path, "rb", buffering=0)
        self._change()
        return stream


def left(storage: Storage) -> list[str]:
    """Return the names in the root as the kernel has them."""
    root = storage.driver.local_root or ""
    return sorted(os.listdir(root)) if os.path.isdir(root) else []


def test_kernel_copies_files(storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From file to file no byte passes through Python, and progress is told all the same."""
    told: list[int] = []
    body = FileBody(source)
    body.progress = told.append
    with monkeypatch.context() as patch:
        patch.setattr(_localcopy, "write_all", None)
        storage.write_bytes("a", body)

    assert storage.read_bytes("a") == pattern(LARGE)
    assert sum(told) == LARGE


@pytest.mark.parametrize("error", [errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.parametrize("after", [0, 1])
def test_what_the_kernel_cannot_is_done_by_hand(
    storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch, error: int, after: int
) -> None:
    """Where the kernel refuses, at once or midway, the rest is read and written."""
    calls: list[int] = []
    real = os.copy_file_range

    def refuse(src: int, dst: int, count: int) -> int:
        calls.append(count)
        if len(calls) > after:
            raise OSError(error, os.strerror(error))
        return real(src, dst, 70_000)

    monkeypatch.setattr(os, "copy_file_range", refuse)
    told: list[int] = []
    body = FileBody(source)
    body.progress = told.append
    storage.write_bytes("a", body)

    assert len(calls) == after + 1
    assert storage.read_bytes("a") == pattern(LARGE)
    assert sum(told) == LARGE


def test_without_the_system_call(storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python has no copy_file_range (macOS), files are copied by hand."""
    monkeypatch.delattr(os, "copy_file_range")
    storage.write_bytes("a", FileBody(source))

    assert storage.read_bytes("a") == pattern(LARGE)


def test_kernel_that_answers_nothing_is_not_believed(
    storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems answer 0 although there is more."""
    monkeypatch.setattr(os, "copy_file_range", lambda src, dst, count: 0)
    storage.write_bytes("a", FileBody(source))

    assert storage.read_bytes("a") == pattern(LARGE)


def test_real_failure_is_told_and_leaves_nothing(
    storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is no reason to try by hand."""

    def full(src: int, dst: int, count: int) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="no space"):
        storage.write_bytes("a", FileBody(source))

    assert left(storage) == []


@pytest.mark.parametrize("size", [5000, LARGE])
@pytest.mark.parametrize("by", [-1, 1, 3_000_000, -4999])
def test_source_that_changes_its_size_is_noticed(storage: Storage, tmp_path: Path, size: int, by: int) -> None:
    """A file that grows or shrinks while it is copied is not stored, and nothing is left of it."""
    path = tmp_path / "changing"
    path.write_bytes(pattern(size))
    storage.write_bytes("a", b"old")
    with pytest.raises(Truncated, match=f"{size} bytes were announced"):
        storage.write_bytes("a", Changing(path, lambda: os.truncate(path, size + by)))

    assert storage.read_bytes("a") == b"old"
    assert left(storage) == ["a"]


def test_body_is_checked_while_it_is_open(storage: Storage, source: Path) -> None:
    """What a body says of its bytes at the end is asked before the stream is closed, and heard."""
    seen: list[bool] = []

    class Checking(OpenerBody):
        def check(self) -> None:
            seen.append(stream.closed)
            raise SourceChanged

    stream = source.open("rb", buffering=0)
    with pytest.raises(SourceChanged):
        storage.write_bytes("a", Checking(lambda: stream, LARGE))

    assert seen == [False]
    assert stream.closed
    assert left(storage) == []


def sparse(path: Path, pieces: dict[int, bytes], size: int) -> bytes:
    """Make a file of holes with data at some positions; return its bytes."""
    with path.open("wb") as file:
        for at, data in pieces.items():
            file.seek(at)
            file.write(data)
        file.truncate(size)
    if path.stat().st_blocks * 512 >= size:
        pytest.skip("this file system has no holes")
    return path.read_bytes()


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param({}, id="nothing but a hole"),
        pytest.param({0: b"a" * 5000}, id="hole at the end"),
        pytest.param({3 << 20: b"b" * 8192}, id="hole at both ends"),
        pytest.param({0: b"a", 1 << 20: b"b" * 70_000, (4 << 20) - 3: b"end"}, id="holes in the middle"),
    ],
)
@pytest.mark.parametrize("way", ["kernel", "hand"])
def test_holes_stay_holes(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: dict[int, bytes], way: str
) -> None:
    """A sparse file takes no more room than its source, and has the same bytes."""
    path = tmp_path / "sparse"
    data = sparse(path, pieces, 4 << 20)
    if way == "hand":
        monkeypatch.delattr(os, "copy_file_range")
    told: list[int] = []
    body = FileBody(path)
    body.progress = told.append
    storage.write_bytes("a", body)
    storage.copy("a", "b")

    for name in ("a", "b"):
        stored = tmp_path / "root" / name
        assert stored.read_bytes() == data
        assert stored.stat().st_blocks <= path.stat().st_blocks
    assert sum(told) <= 4 << 20


@pytest.mark.parametrize("size", [0, 1 << 20, (4 << 20) - 5, (4 << 20) + 7])
def test_sparse_source_that_changes_its_size_is_noticed(storage: Storage, tmp_path: Path, size: int) -> None:
    """What is cut off while a sparse file is copied is not taken for a hole."""
    path = tmp_path / "sparse"
    sparse(path, {0: b"a", 2 << 20: b"b" * 5000}, 4 << 20)
    with pytest.raises(Truncated):
        storage.write_bytes("a", Changing(path, lambda: os.truncate(path, size)))

    assert left(storage) == []


def test_part_of_a_sparse_file(storage: Storage, tmp_path: Path) -> None:
    """A stream that stands within a file gives what comes from there on."""
    path = tmp_path / "sparse"
    data = sparse(path, {0: b"a" * 9000, 2 << 20: b"b" * 5000}, 4 << 20)

    def later() -> ByteStream:
        stream = path.open("rb", buffering=0)
        stream.seek(5000)
        return stream

    storage.write_bytes("a", OpenerBody(later, len(data) - 5000))
    storage.write_bytes("b", OpenerBody(later, None))

    assert storage.read_bytes("a") == data[5000:]
    assert storage.read_bytes("b") == data[5000:]


@pytest.mark.parametrize("size", [100, LARGE])
def test_descriptor_is_used_only_if_it_gives_the_bytes(storage: Storage, tmp_path: Path, size: int) -> None:
    """Streams that unpack or read ahead have descriptors, too, but these give other bytes."""
    packed, plain = tmp_path / "packed.gz", tmp_path / "plain"
    packed.write_bytes(gzip.compress(pattern(size)))
    plain.write_bytes(pattern(size))

    def ahead() -> ByteStream:
        stream = io.BufferedReader(plain.open("rb", buffering=0))
        stream.read(10)
        return stream

    guard = Guard(storage.driver)
    storage.write_bytes("unpacked", OpenerBody(lambda: gzip.open(packed), size))
    storage.write_bytes("guarded", OpenerBody(lambda: GuardedStream(guard, "a", gzip.open(packed)), size))
    storage.write_bytes("rest", OpenerBody(ahead, size - 10))
    storage.write_bytes("unknown", OpenerBody(ahead, None))

    assert storage.read_bytes("unpacked") == pattern(size)
    assert storage.read_bytes("guarded") == pattern(size)
    assert storage.read_bytes("rest") == pattern(size)[10:]
    assert storage.read_bytes("unknown") == pattern(size)[10:]


@pytest.mark.parametrize("known", [True, False])
def test_pipe_is_a_source(storage: Storage, known: bool) -> None:
    """A pipe has a descriptor, but neither a size nor a position."""
    out, into = os.pipe()

    def feed() -> None:
        with open(into, "wb", buffering=0) as sink:
            for start in range(0, LARGE, 50_000):
                sink.write(pattern(LARGE)[start : start + 50_000])

    thread = threading.Thread(target=feed)
    thread.start()
    body = OpenerBody(lambda: open(out, "rb", buffering=0), LARGE if known else None)
    storage.driver.put("a", body, PutOptions())
    thread.join()

    assert storage.read_bytes("a") == pattern(LARGE)
