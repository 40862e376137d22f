"""Large objects go part by part: what arrived safely is not sent again, and two versions are never mixed."""

from __future__ import annotations

import atexit
import errno
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnistorage.core.errors import (
    Cancelled,
    Corrupted,
    NoSpace,
    NotFound,
    PermissionDenied,
    SourceChanged,
    StorageError,
    Unreachable,
)
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, Upload
from omnistorage.drivers import _localupload, _s3upload
from omnistorage.drivers import memory as memory_room
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.drivers.s3 import S3Driver
from omnistorage.layers.limit import Limit
from omnistorage.layers.prefix import Prefix
from omnistorage.storage import Storage
from omnistorage.sync import Event, Options, Result, copy, copy_one, move, plain, sync, transfer
from omnistorage.sync.fingerprint import Fingerprint
from omnistorage.sync.jobs import jobs
from omnistorage.sync.journal import JobKey, Journal
from omnistorage.sync.partwise import side_by_side
from omnistorage.sync.run import Run
from omnistorage.sync.uploads import HeldUploads
from omnistorage.testing import Fail, FailBody, FaultyDriver
from omnistorage.testing.bodies import pattern
from s3_scenes import fresh_bucket
from servers import require, shared
from sync_scenes import NEWER, WHEN, Counting, LentPrefix, files, held, leftovers, memory

PART = 4096
SIZE = 5 * PART + 100
DATA = pattern(SIZE)
OPTIONS = Options(part_cutoff=2 * PART, part_streams=1)

Make = Callable[[Path], Storage]


@cache
def _small_parts(host: str) -> S3Driver:
    """Return a bucket on Ceph's gateway, which takes parts of any size here, and where small objects go by parts."""
    require("radosgw")
    server = shared("radosgw")
    server = msgspec.structs.replace(server, endpoint=server.endpoint.replace("127.0.0.1", host))
    driver = fresh_bucket(server, part_size=PART)
    driver._client.preset = msgspec.structs.replace(driver._client.preset, min_part_size=1)
    driver.many = 0
    atexit.register(driver.close)
    return driver


def on_s3(root: Path) -> Storage:
    """Make a place below a prefix of its own; for a source by another name, so that the service copies nothing."""
    host = "localhost" if root.name == "s" else "127.0.0.1"
    return Storage(LentPrefix(_small_parts(host), f"place {next(_numbers)}"))


_numbers = itertools.count(1)

PLACES: dict[str, Make] = {"file": files, "memory": lambda root: memory(), "s3": on_s3}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let parts, and what counts as large, be so small that many of them cost nothing."""
    monkeypatch.setattr(transfer, "WATCHED", PART)
    monkeypatch.setattr(plain, "WATCHED", PART)
    monkeypatch.setattr(_localupload, "_PART", PART)
    monkeypatch.setattr(_localupload.LocalUpload, "part_size", PART)
    monkeypatch.setattr(memory_room._MemoryUpload, "part_size", PART)
    monkeypatch.setattr(_s3upload, "_MIB", PART)


class Stopped(BaseException):
    """Stands for Ctrl-C."""


class StopAfter:
    """An observer that stops the run when so many bytes of an object have moved."""

    def __init__(self, count: int) -> None:
        self._left = count

    def __call__(self, event: Event) -> None:
        if event.kind == "bytes":
            self._left -= event.bytes
            if self._left < 0:
                raise RuntimeError("enough")


class Scene:
    """A source with one large object, a destination, and what is remembered between runs."""

    def __init__(self, root: Path, here: str = "file", there: str = "file") -> None:
        self.root = root
        self.src = PLACES[here](root / "s")
        self.dst = PLACES[there](root / "d")
        self.src.write_bytes("big", DATA, modified=WHEN)
        self.uploads = HeldUploads()

    def run(self, *faults: Any, observer: Any = None, options: Options = OPTIONS) -> Result:
        """Copy, with faults at the destination."""
        faulty = Storage(FaultyDriver(self.dst.driver, *faults))
        run = Run.between(self.src, faulty, options, observer=observer)
        run.uploads = self.uploads
        self.last = run
        return run.result()

    def interrupted(self, part: int = 3) -> Result:
        """Copy until the service is gone at a part."""
        return self.run(Fail("put_part", at=part, times=None))

    @property
    def unfinished(self) -> int:
        """Uploads that are left at the destination."""
        inner: Any = self.dst.driver
        if isinstance(inner, LentPrefix) or (hasattr(inner, "inner") and isinstance(inner.inner, LentPrefix)):
            return int(inner.sweep(older_than=-3600.0, dry_run=True))
        while not isinstance(inner, MemoryDriver):
            if not hasattr(inner, "inner"):
                return len(leftovers(self.root))
            inner = inner.inner
        return len(inner._space.uploads)


WAYS = [(here, there) for here in PLACES for there in PLACES]
both_ways = pytest.mark.parametrize(("here", "there"), WAYS)
to_each = pytest.mark.parametrize("there", PLACES)


@settings(max_examples=60)
@given(
    size=st.one_of(
        st.integers(0, 4 * PART),
        st.builds(lambda parts, more: max(0, parts * PART + more), st.integers(0, 4), st.integers(-1, 1)),
    ),
    way=st.sampled_from(WAYS),
    done=st.sets(st.integers(1, 4)),
    streams=st.integers(1, 5),
)
def test_boundaries(size: int, way: tuple[str, str], done: set[int], streams: int) -> None:
    """Whatever the size, and whatever parts are there already, exactly the bytes of the object arrive."""
    data = pattern(size)
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), *way)
        scene.src.write_bytes("big", data, modified=WHEN)
        options = Options(part_cutoff=0, part_streams=streams)
        # Those that are not to be there fail.
        count = max(1, -(-size // PART))
        wanted = sorted(number for number in done if number < count)
        first = scene.run(Fail("put_part", error=[None] * len(wanted) + [Unreachable] * 10), options=options)
        result = scene.run(options=options)

        assert scene.dst.read_bytes("big") == data
        assert (first.errors, result.errors, result.transferred) == (1, 0, 1)
        assert result.bytes + result.resumed == size
        assert scene.unfinished == 0


@both_ways
def test_next_run_sends_what_is_missing(here: str, there: str, tmp_path: Path) -> None:
    """Rule 9: the parts that arrived count, and the run tells how many bytes it did not send."""
    scene = Scene(tmp_path, here, there)
    first = scene.interrupted()
    between = held(scene.dst)
    events: list[Event] = []
    second = scene.run(observer=events.append)

    assert (first.errors, first.transferred, between) == (1, 0, {})
    assert (second.bytes, second.resumed, second.errors) == (SIZE - 2 * PART, 2 * PART, 0)
    assert [event.bytes for event in events if event.kind == "resumed"] == [2 * PART]
    assert sum(event.bytes for event in events if event.kind == "bytes") == SIZE - 2 * PART
    assert held(scene.dst) == {"big": DATA}
    assert scene.dst.stat("big").mtime_ns == WHEN
    assert scene.unfinished == 0
    assert scene.uploads.upload_of("big") is None


FAULTS: dict[str, tuple[Callable[[], Any], bool]] = {
    "begin": (lambda: Fail("begin_upload"), False),
    "begin, answer lost": (lambda: Fail("begin_upload", late=True), False),
    "first part": (lambda: Fail("put_part"), False),
    "a part": (lambda: Fail("put_part", at=3), True),
    "a part, answer lost": (lambda: Fail("put_part", at=3, late=True), True),
    "a part, forbidden": (lambda: Fail("put_part", at=3, error=PermissionDenied), True),
    "a part breaks": (lambda: FailBody(100, op="put_part", at=3, error=Unreachable), True),
    "a part is damaged": (lambda: Fail("put_part", at=3, error=Corrupted), True),
    "disk full": (lambda: Fail("put_part", at=3, error=NoSpace), False),
    "upload gone": (lambda: Fail("put_part", at=3, error=NotFound), False),
    "end": (lambda: Fail("finish"), True),
    "end, for good": (lambda: Fail("finish", error=PermissionDenied), False),
    "end, damaged": (lambda: Fail("finish", error=Corrupted), False),
}


@to_each
@pytest.mark.parametrize("fault", FAULTS)
def test_fault(fault: str, there: str, tmp_path: Path) -> None:
    """Rules 1, 8 and 9: a failure is counted, nothing half appears, and what is of use is there for the next run."""
    make, kept = FAULTS[fault]
    scene = Scene(tmp_path, "file", there)
    scene.dst.write_bytes("big", b"old", modified=NEWER)
    first = scene.run(make())
    between, unfinished = held(scene.dst), scene.unfinished
    second = scene.run()

    assert (first.errors, first.transferred, between) == (1, 0, {"big": b"old"})
    assert kept or unfinished == 0 or fault == "begin, answer lost"
    assert (second.errors, second.transferred, second.resumed > 0) == (0, 1, kept)
    assert held(scene.dst) == {"big": DATA}
    # An upload whose answer was lost is nobody's, unless the driver can look what came of it. (Here it lives on in
    # the traceback of the failure, and so counts as in use; another process would take the local one over.)
    lost = {"memory": 1, "file": 2, "s3": 0}[there] if fault == "begin, answer lost" else 0
    assert scene.unfinished == lost


@pytest.mark.parametrize(("error", "resumed"), [(NotFound, 0), (Unreachable, None)])
def test_resume_fails(error: type[StorageError], resumed: int | None, tmp_path: Path) -> None:
    """An upload that is gone is begun anew; one that cannot be reached is a failure, and is not given up."""
    scene = Scene(tmp_path, "memory", "memory")
    scene.interrupted()
    result = scene.run(Fail("resume_upload", error=error))
    if resumed is None:
        failed, result = result, scene.run()

        assert failed.errors == 1
        assert result.resumed > 0
    else:
        assert result.resumed == resumed
    assert result.errors == 0
    assert held(scene.dst) == {"big": DATA}


class _Liar(MemoryDriver):
    """Says of its uploads what is not so."""

    told: Mapping[int, int]

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload, told = super().resume_upload(path, token, options), self.told

        class Lying(Upload):
            part_size = upload.part_size

            @property
            def done(self) -> Mapping[int, int]:
                return told

            def put_part(self, number: int, body: Body) -> None:
                raise AssertionError("nobody may build on this")

            finish = upload.finish
            abort = upload.abort

        return Lying()


@pytest.mark.parametrize("told", [{1: PART - 1}, {6: PART}, {7: 100}, {0: PART}])
def test_parts_that_do_not_fit(told: Mapping[int, int], tmp_path: Path) -> None:
    """Parts that cannot be parts of this object are thrown away with all the others."""
    scene = Scene(tmp_path, "file", "memory")
    driver = _Liar()
    driver.told = told
    scene.dst = Storage(driver)
    scene.interrupted()
    result = scene.run()

    assert (result.errors, result.resumed) == (0, 0)
    assert held(scene.dst) == {"big": DATA}
    assert scene.unfinished == 0


def test_another_part_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload whose parts have another size now is begun anew; a local one keeps the size that it began with."""
    far, near = Scene(tmp_path / "far", "file", "memory"), Scene(tmp_path / "near")
    far.interrupted()
    near.interrupted()
    monkeypatch.setattr(_localupload, "_PART", 3 * PART)
    monkeypatch.setattr(memory_room._MemoryUpload, "part_size", 3 * PART)
    one, two = far.run(), near.run()

    assert (one.errors, one.resumed, held(far.dst)) == (0, 0, {"big": DATA})
    assert (two.errors, two.resumed, held(near.dst)) == (0, 2 * PART, {"big": DATA})
    assert (far.unfinished, near.unfinished) == (0, 0)


# -- the source changes ----------------------------------------------------------------------------------------


def _grown(scene: Scene) -> bytes:
    data = DATA + b"more"
    scene.src.write_bytes("big", data, modified=NEWER)
    return data


def _other_time(scene: Scene) -> bytes:
    data = pattern(SIZE, 7)
    scene.src.write_bytes("big", data, modified=NEWER)
    return data


def _same_size_and_time(scene: Scene) -> bytes:
    data = pattern(SIZE, 7)
    scene.src.write_bytes("big", data, modified=WHEN)
    return data


CHANGES = pytest.mark.parametrize("change", [_grown, _other_time, _same_size_and_time])


@both_ways
@CHANGES
def test_source_changed_between_runs(change: Callable[[Scene], bytes], here: str, there: str, tmp_path: Path) -> None:
    """Parts of what the source was are never mixed with what it is, even if its size and time are as before."""
    scene = Scene(tmp_path, here, there)
    scene.interrupted()
    data = change(scene)
    result = scene.run()

    assert (result.errors, result.resumed) == (0, 0)
    assert held(scene.dst) == {"big": data}
    assert scene.unfinished == 0


@both_ways
@pytest.mark.parametrize("moment", [1, 3, 6])
def test_source_changed_between_parts(moment: int, here: str, there: str, tmp_path: Path) -> None:
    """A source that is written to while it is sent fails that object; nothing is kept of it."""
    scene = Scene(tmp_path, here, there)
    scene.dst.write_bytes("big", b"old", modified=NEWER)
    seen: list[int] = []

    def observer(event: Event) -> None:
        if event.kind == "bytes" and event.bytes:
            seen.append(event.bytes)
            if len(seen) == moment:
                if here == "file":
                    with open(tmp_path / "s/big", "rb+") as file:
                        file.write(b"overwritten")
                else:
                    _other_time(scene)

    first = scene.run(observer=observer, options=OPTIONS)
    between, unfinished = held(scene.dst), scene.unfinished
    second = scene.run()

    assert [type(one.error) for one in first.failures] == [SourceChanged]
    assert (between, unfinished, scene.uploads.upload_of("big")) == ({"big": b"old"}, 0, None)
    assert (second.errors, second.resumed) == (0, 0)
    assert held(scene.dst) == held(scene.src)


@to_each
def test_file_that_is_replaced_meanwhile(there: str, tmp_path: Path) -> None:
    """Another file that takes the name does not get between the parts: all are of the one that was opened."""
    scene = Scene(tmp_path, "file", there)
    seen: list[int] = []

    def observer(event: Event) -> None:
        if event.kind == "bytes":
            seen.append(event.bytes)
            if len(seen) == 2:
                (tmp_path / "new").write_bytes(pattern(SIZE, 9))
                os.replace(tmp_path / "new", tmp_path / "s/big")

    first = scene.run(observer=observer)
    between = held(scene.dst)
    second = scene.run()

    assert (first.errors, between) == (0, {"big": DATA})
    assert (second.transferred, held(scene.dst)) == (1, {"big": pattern(SIZE, 9)})


@pytest.mark.parametrize("place", ["file", "memory"])
def test_source_shrinks(place: str, tmp_path: Path) -> None:
    """A part that comes short because the source did is no damage on the way, but a source that changed."""
    scene = Scene(tmp_path, place, "file")

    def observer(event: Event) -> None:
        if event.kind == "bytes" and event.bytes:
            if place == "file":
                os.truncate(tmp_path / "s/big", 10)
            else:
                scene.src.write_bytes("big", b"short", modified=WHEN)

    result = scene.run(observer=observer, options=OPTIONS)

    assert [type(one.error) for one in result.failures] == [SourceChanged]
    assert (held(scene.dst), scene.unfinished) == ({}, 0)


# -- who remembers ---------------------------------------------------------------------------------------------


def test_upload_that_nobody_can_find(tmp_path: Path) -> None:
    """Where neither the destination nor we remember, nothing is left behind that only costs."""
    src, dst = files(tmp_path / "s", {"big": DATA}), memory()
    scene = Scene(tmp_path, "file", "memory")
    scene.dst = dst
    result = copy(src, Storage(FaultyDriver(dst.driver, Fail("put_part", at=3))), OPTIONS)

    assert result.errors == 1
    assert scene.unfinished == 0


def test_record_of_an_upload(tmp_path: Path) -> None:
    """What is noted names the upload and the version of the source."""
    scene = Scene(tmp_path, "memory", "memory")
    scene.interrupted()
    record = scene.uploads.upload_of("big")
    etag = scene.src.stat("big").etag
    assert record is not None
    scene.uploads.note_upload("big", msgspec.structs.replace(record, token="unknown"))
    result = scene.run()

    assert (record.part_size, record.size, record.saved) == (PART, SIZE, 2 * PART)
    assert record.source == Fingerprint(SIZE, WHEN, f"{etag} ")
    assert (result.errors, result.resumed) == (0, 0)
    assert held(scene.dst) == {"big": DATA}


@both_ways
def test_journal(here: str, there: str, tmp_path: Path) -> None:
    """The journal of a run remembers uploads for the next run, and keeps none that is over."""
    scene = Scene(tmp_path, here, there)
    key = JobKey(kind="copy", source=("a",), dest=("b",))
    left: list[dict[str, int]] = []
    results = []
    for faults in ([Fail("put_part", at=3)], []):
        with Journal.open(key, folder=tmp_path / "state") as journal:
            run = Run.between(scene.src, Storage(FaultyDriver(scene.dst.driver, *faults)), OPTIONS)
            run.journal = journal
            results.append(run.result())
        left.append({job.id: job.uploads * 1000 + job.saved for job in jobs(tmp_path / "state")})

    assert [result.errors for result in results] == [1, 0]
    assert results[1].resumed == 2 * PART
    assert left == [{key.id: 1000 + 2 * PART}, {}]
    assert held(scene.dst) == {"big": DATA}
    assert scene.unfinished == 0


def test_second_attempt_goes_on(tmp_path: Path) -> None:
    """What is tried again in the same run sends what is missing, and counts as nothing that is left."""
    scene = Scene(tmp_path)
    result = scene.run(Fail("put_part", at=3), options=msgspec.structs.replace(OPTIONS, attempts=2))

    assert (result.errors, result.transferred, result.resumed) == (0, 1, 2 * PART)
    assert scene.last.kept == {}
    assert held(scene.dst) == {"big": DATA}


def test_stopped_run_keeps_parts(tmp_path: Path) -> None:
    """After an interrupt the parts are kept, and the run tells how many; no memory but the folder is needed."""
    scene = Scene(tmp_path)
    with pytest.raises(RuntimeError, match="enough"):
        scene.run(observer=StopAfter(2 * PART + 10))
    kept = scene.last.kept
    result = copy(scene.src, scene.dst, OPTIONS)

    assert kept == {"big": (2, 6)}
    assert result.resumed == 2 * PART
    assert held(scene.dst) == {"big": DATA}
    assert leftovers(tmp_path) == []


def test_another_name(tmp_path: Path) -> None:
    """One object that gets another name is gone on with, too."""
    src, dst = files(tmp_path / "s", {"big": DATA}), files(tmp_path / "d")
    with pytest.raises(RuntimeError, match="enough"):
        copy_one(src, "big", dst, "new name", OPTIONS, observer=StopAfter(2 * PART))
    result = copy_one(src, "big", dst, "new name", OPTIONS)

    assert result.resumed == 2 * PART
    assert held(dst) == {"new name": DATA}


def test_limited_source(tmp_path: Path) -> None:
    """Whether the rate is limited makes no difference for what can be gone on with."""
    src, dst = files(tmp_path / "s", {"big": DATA}), files(tmp_path / "d")
    slow = Storage(src.driver, partial(Limit, bytes_per_second=1e9))
    alone = OPTIONS
    with pytest.raises(RuntimeError, match="enough"):
        copy(slow, dst, alone, observer=StopAfter(3 * PART))
    result = copy(src, dst, OPTIONS)
    with pytest.raises(RuntimeError, match="enough"):
        copy(src, dst, Options(part_cutoff=1, ignore_times=True), observer=StopAfter(3 * PART))
    back = copy(slow, dst, Options(part_cutoff=1, ignore_times=True))

    assert (result.resumed, back.resumed) == (3 * PART, 3 * PART)
    assert held(dst) == {"big": DATA}


def test_other_file_of_the_same_size_and_time(tmp_path: Path) -> None:
    """Parts of one source are of no use to another one that only looks like it."""
    one, two = files(tmp_path / "one", {"big": DATA}), files(tmp_path / "two", {"big": pattern(SIZE, 3)})
    dst = files(tmp_path / "d")
    with pytest.raises(RuntimeError, match="enough"):
        copy(one, dst, OPTIONS, observer=StopAfter(3 * PART))
    result = copy(two, dst, OPTIONS)

    assert (result.errors, result.resumed) == (0, 0)
    assert held(dst) == {"big": pattern(SIZE, 3)}
    assert leftovers(tmp_path) == []


# -- when objects go by parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        (Options(part_cutoff=SIZE), 6),
        (Options(part_cutoff=SIZE + 1), 0),
        (Options(part_cutoff=None), 0),
        (Options(), 0),
        (Options(part_cutoff=1, dry_run=True), 0),
    ],
)
def test_cutoff(options: Options, calls: int, tmp_path: Path) -> None:
    """Only objects from so many bytes on go by parts."""
    scene = Scene(tmp_path, "memory", "memory")
    counting = Counting(scene.dst.driver)
    result = copy(scene.src, Storage(counting), options)

    assert result.errors == 0
    assert counting.calls["put_part"] == calls


def test_move_renames_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: a move renames where it can; across file systems it goes by parts, and is proven."""
    one, two = Scene(tmp_path / "same"), Scene(tmp_path / "across")
    renamed = move(one.src, one.dst, OPTIONS)
    real = os.rename

    def across(src: Any, dst: Any, **options: Any) -> None:
        if str(src).startswith(str(tmp_path / "across/s")):
            raise OSError(errno.EXDEV, "another file system")
        real(src, dst, **options)

    monkeypatch.setattr(os, "rename", across)
    counting = Counting(two.dst.driver)
    moved = move(two.src, Storage(counting), OPTIONS)

    assert (renamed.server_moves, renamed.bytes, moved.server_moves, moved.bytes) == (1, 0, 0, SIZE)
    assert counting.calls["put_part"] == 6
    assert (moved.deleted_sources, moved.unverified) == (1, 0)
    assert held(one.src) == held(two.src) == {}
    assert held(one.dst) == held(two.dst) == {"big": DATA}
    assert leftovers(tmp_path) == []


@to_each
def test_move_of_resumed_is_proven(there: str, tmp_path: Path) -> None:
    """Rule 4: parts that were damaged while they waited do not cost the source.

    Nobody can read what S3 has of an upload before it is finished: there the damage is seen behind the end, and the
    next run mends it.
    """
    scene = Scene(tmp_path, "memory", there)
    scene.dst.write_bytes("big", b"old", modified=NEWER)
    scene.interrupted(6)
    if there == "file":
        (part,) = (tmp_path / "d").glob(".omnistorage-*.part")
        with part.open("rb+") as file:
            file.write(b"damage")
    elif there == "s3":
        record = scene.uploads.upload_of("big")
        assert record is not None
        upload = scene.dst.driver.resume_upload("big", record.token, PutOptions())
        upload.put_part(1, BytesBody(b"damage" + DATA[6:PART]))
    else:
        inner: Any = scene.dst.driver
        (kept,) = inner.inner._space.uploads.values()
        kept._parts[1] = b"damage" + kept._parts[1][6:]
    run = Run.between(scene.src, scene.dst, OPTIONS, move=True)
    run.uploads = scene.uploads
    result = run.result()

    assert [type(one.error) for one in result.failures] == [Corrupted]
    assert held(scene.src) == {"big": DATA}
    assert scene.unfinished == 0

    if there == "s3":
        assert Run.between(scene.src, scene.dst, OPTIONS, move=True).result().errors == 0
        assert (held(scene.src), held(scene.dst)) == ({}, {"big": DATA})
    else:
        assert held(scene.dst) == {"big": b"old"}


def test_sync_of_two_large_objects(tmp_path: Path) -> None:
    """One that fails and keeps its parts ends nothing but itself."""
    src = files(tmp_path / "s", {"a": DATA, "b": pattern(SIZE, 5), "small": b"x"})
    dst = files(tmp_path / "d", {"gone": b"x"})
    faulty = Storage(FaultyDriver(dst.driver, Fail("put_part", path="a", at=4)))
    run = Run.between(src, faulty, OPTIONS, delete=True)
    first = run.result()
    second = sync(src, dst, OPTIONS)

    assert (first.errors, first.transferred, first.deleted, run.kept) == (1, 2, 1, {"a": (3, 6)})
    assert (second.transferred, second.resumed) == (1, 3 * PART)
    assert held(dst) == held(src)
    assert leftovers(tmp_path) == []


@to_each
def test_old_version_is_kept_at_the_end(there: str, tmp_path: Path) -> None:
    """The old bytes stay where they are until the new ones are all there; then they are kept, and once."""
    scene = Scene(tmp_path, "file", there)
    scene.dst.write_bytes("big", b"old", modified=NEWER)
    backup = PLACES[there](tmp_path / "b")
    if there == "memory":
        backup = Storage(Prefix(scene.dst.driver, "../b"))
        scene.dst = Storage(Prefix(scene.dst.driver, "d"))
        scene.dst.write_bytes("big", b"old", modified=NEWER)
    options = msgspec.structs.replace(OPTIONS, backup=backup)
    first = scene.run(Fail("put_part", at=3), options=options)
    between = held(scene.dst), held(backup)
    second = scene.run(Fail("finish"), options=options)
    third = scene.run(options=options)

    assert (first.errors, second.errors, third.errors) == (1, 1, 0)
    assert between == ({"big": b"old"}, {})
    assert (second.resumed, third.resumed) == (0, SIZE)
    assert held(scene.dst) == {"big": DATA}
    assert set(held(backup).values()) == {b"old"}


def test_in_place(tmp_path: Path) -> None:
    """Who wants to write under the final name gets no parts."""
    scene = Scene(tmp_path)
    counting = Counting(scene.dst.driver)
    result = copy(scene.src, Storage(counting), msgspec.structs.replace(OPTIONS, inplace=True))

    assert result.errors == 0
    assert counting.calls["begin_upload"] == 0
    assert held(scene.dst) == {"big": DATA}


def test_copy_from_elsewhere(tmp_path: Path) -> None:
    """What is copied from another place goes on, too, and is of that place alone."""
    scene = Scene(tmp_path)
    other = files(tmp_path / "o", {"big": DATA})
    options = msgspec.structs.replace(OPTIONS, copy_from=(other,))
    first = scene.run(Fail("put_part", at=3), options=options)
    elsewhere = scene.run(Fail("put_part", at=3), options=OPTIONS)
    second = scene.run(options=options)

    assert (first.errors, elsewhere.errors, second.errors) == (1, 1, 0)
    assert second.resumed == 0
    assert held(scene.dst) == {"big": DATA}
    assert leftovers(tmp_path) == []


# -- several parts at a time -----------------------------------------------------------------------------------


def test_parts_side_by_side(tmp_path: Path) -> None:
    """Where there is waiting to be done, so many parts are on their way at once, and no more."""
    scene = Scene(tmp_path, "memory", "memory")
    most = [0, 0]
    lock = threading.Lock()

    class Slow(Counting):
        def around(self, op: str, path: str, call: Callable[[], Any]) -> Any:
            if op != "put_part":
                return super().around(op, path, call)
            with lock:
                most[0] += 1
                most[1] = max(most)
            time.sleep(0.05)
            with lock:
                most[0] -= 1
            return super().around(op, path, call)

    result = copy(scene.src, Storage(Slow(scene.dst.driver)), Options(part_cutoff=1, part_streams=3))

    assert result.errors == 0
    assert most == [0, 3]
    assert held(scene.dst) == {"big": DATA}


def test_first_failure_stops_the_others() -> None:
    """The failure that is raised is the one that came first, and what was not begun never is."""
    begun: list[int] = []
    barrier = threading.Barrier(3)

    def do(number: int, look: Callable[[int], object]) -> None:
        begun.append(number)
        barrier.wait()
        if number == 1:
            raise Unreachable("first")
        while True:
            look(1)
            time.sleep(0.001)

    with pytest.raises(Unreachable, match="first"):
        side_by_side(range(1, 100), do, 3)

    assert sorted(begun) == [1, 2, 3]


def test_cancelled_midway(tmp_path: Path) -> None:
    """Rule 9: a run that is cancelled ends within a part, and keeps those that are done."""
    scene = Scene(tmp_path, "memory", "file")
    seen: list[Event] = []

    def observer(event: Event) -> None:
        seen.append(event)
        if sum(one.bytes for one in seen if one.kind == "bytes") > 3 * PART:
            raise Stopped

    with pytest.raises((Stopped, Cancelled)):
        scene.run(observer=observer, options=OPTIONS)
    result = scene.run()

    assert result.resumed == 3 * PART
    assert held(scene.dst) == {"big": DATA}
    assert leftovers(tmp_path) == []
