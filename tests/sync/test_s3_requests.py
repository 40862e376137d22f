"""What a sync with S3 costs in requests: a run that has nothing to do lists both sides, and asks for nothing else."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omnistorage.core.errors import SourceChanged
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.storage import Storage
from omnistorage.sync import Options, copy, move, sync
from omnistorage.sync.journal import Journal
from s3_scenes import KINDS, fresh_bucket, needed
from servers import Server
from servers.clients import client
from servers.faults import Faults
from sync_scenes import NEWER, WHEN, Counting, files, held

MANY = 10_000 if os.environ.get("OMNISTORAGE_SLOW") == "1" else 1_000
SOME = 300
"""What is enough where each object takes the server a while."""

PAGES = 10
FAST = Options(transfers=16)
LIST = "GET .*list-type=2"


@contextmanager
def _buckets(
    server: Server, count: int = 1, objects: int = MANY, **options: object
) -> Iterator[tuple[Faults, list[Storage]]]:
    with Faults(server) as faults:
        drivers = [fresh_bucket(faults.server, list_chunk=objects // PAGES, **options) for _ in range(count)]
        storages = [Storage(driver, *needed(server)) for driver in drivers]
        faults.clear()
        yield faults, storages
        for storage in storages:
            storage.close()


def _many(root: Path, count: int = MANY) -> Storage:
    """Make small files in a hundred folders."""
    for number in range(count):
        folder = root / f"{number % 100:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05}").write_bytes(b"%d" % number)
        os.utime(folder / f"{number:05}", ns=(WHEN, WHEN))
    return files(root)


def _costs(faults: Faults) -> Counter[str]:
    """Count the requests since the last time by what they are; ``500`` are those that the server failed."""
    kinds = Counter(
        "500" if seen.status == 500 else "LIST" if "list-type=2" in seen.target else seen.method
        for seen in faults.seen
    )
    faults.clear()
    return kinds


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_do_costs_the_listings_only(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Of many objects, a no-op sync asks for one page after the other: local to S3, back, and from S3 to S3."""
    many = MANY if kind == "radosgw" else SOME
    here = _many(tmp_path / "s", many)
    with _buckets(request.getfixturevalue(kind), 2, many) as (faults, (one, two)):
        first = sync(here, one, FAST)
        up = _costs(faults)
        results = [sync(here, one)]
        again = _costs(faults)
        results.append(sync(one, here))
        back = _costs(faults)
        results.append(sync(one, two, FAST))
        across = _costs(faults)
        results.append(sync(one, two))
        both = _costs(faults)

    assert (first.transferred, first.errors) == (many, 0)
    assert [(result.errors, result.equal, result.changed) for result in (results[0], results[1], results[3])] == [
        (0, many, 0)
    ] * 3
    if kind == "rclone_s3":
        # New folders, see ``needed``.
        up.pop("500", None)
        across.pop("500", None)
    # One answer says that there is nothing yet.
    assert (up["PUT"], up["LIST"], up["GET"], up["500"]) == (many, 1, 0, 0)
    assert again == {"LIST": PAGES}
    assert back == {"LIST": PAGES}
    assert both == {"LIST": 2 * PAGES}
    # The service copies by itself, by one request for each object.
    assert across == {"LIST": PAGES + 1, "PUT": many}


def test_second_run_reads_nothing(radosgw: Server, tmp_path: Path) -> None:
    """With a journal, what was found to be equal is known to later runs: no file is read, until one is changed."""
    here = files(tmp_path / "s", {f"{number:03}": b"%d" % number for number in range(100)})
    state = tmp_path / "state"

    def run(counting: Counting, there: Storage) -> tuple[int, int]:
        with Journal.between("sync", here.driver, there.driver, Options(), folder=state) as journal:
            result = sync(Storage(counting), there, journal=journal)
        return result.transferred, counting.calls["hash"] + counting.calls["get"]

    with _buckets(radosgw) as (faults, [there]):
        sync(here, there)
        counts = [run(Counting(here.driver), there) for _ in range(3)]
        here.write_bytes("007", b"8", modified=NEWER)
        changed = [run(Counting(here.driver), there) for _ in range(3)]
        bytes_there = there.read_bytes("007")
        left = _costs(faults)

    assert counts == [(0, 100), (0, 0), (0, 0)]
    # What was changed is read: to compare it, and to send it.
    assert changed == [(1, 2), (0, 0), (0, 0)]
    assert bytes_there == b"8"
    assert left["HEAD"] == 0


@pytest.mark.parametrize(("server", "looks"), [("radosgw", 1), ("rclone_s3", 0)])
def test_objects_in_parts(server: str, looks: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """An object that came in parts has no MD5 in a listing: one look at it tells its time, and later runs know it.

    One of the servers tells the MD5 of such an object, too.
    """
    given: Server = request.getfixturevalue(server)
    data = os.urandom(11 << 20)
    here, state = files(tmp_path / "s", {"large": data, "small": b"x"}), tmp_path / "state"
    parts = Options(part_cutoff=10 << 20)
    with _buckets(given) as (faults, [there]):
        sync(here, there, parts)
        put = faults.count("PUT .*partNumber=")
        faults.clear()
        costs = []
        for _ in range(3):
            with Journal.between("sync", here.driver, there.driver, parts, folder=state) as journal:
                result = sync(here, there, parts, journal=journal)
            costs.append((result.changed, _costs(faults)))
        back = sync(there, here, parts)
        backwards = _costs(faults)
        told = there.stat("large").mtime_ns

    assert put == 3
    assert costs[0] == (0, Counter(LIST=1, HEAD=looks))
    assert costs[1:] == [(0, {"LIST": 1})] * 2
    assert (back.changed, backwards) == (0, Counter(LIST=1, HEAD=looks))
    assert told == WHEN


def test_content_decides_where_times_differ(radosgw: Server, tmp_path: Path) -> None:
    """A large object of the same size is sent again if its time is another one; a small one if its bytes are."""
    large = os.urandom(6 << 20)
    here = files(tmp_path / "s", {"large": large, "same": b"abc", "other": b"abc"})
    parts = Options(part_cutoff=5 << 20)
    with _buckets(radosgw) as (_, [there]):
        sync(here, there, parts)
        changed = bytes(1) + large[1:]
        here.write_bytes("large", changed, modified=NEWER)
        here.write_bytes("same", b"abc", modified=NEWER)
        here.write_bytes("other", b"xyz", modified=WHEN)
        result = sync(here, there, parts)
        found = held(there)

    assert found == {"large": changed, "same": b"abc", "other": b"xyz"}
    assert (result.transferred, result.errors) == (2, 0)


@pytest.mark.parametrize("large", [False, True])
def test_copies_within_the_service(large: bool, radosgw: Server) -> None:
    """From bucket to bucket no byte comes by here, and an object keeps its time, type and metadata."""
    data = os.urandom((33 << 20) if large else 1000)
    with _buckets(radosgw, 2) as (faults, (one, two)):
        options = PutOptions(mtime_ns=WHEN + 5, content_type="text/x-odd", metadata={"name": "é"})
        one.driver.put("d/a b", BytesBody(data), options)
        faults.clear()
        result = copy(one, two)
        moved = faults.sent() + faults.received("GET .*/d/")
        info = two.stat("d/a b")
        same = two.read_bytes("d/a b") == data

    assert (result.transferred, result.errors) == (1, 0)
    assert moved == 0
    assert (info.mtime_ns, info.content_type, info.metadata) == (WHEN + 5, "text/x-odd", {"name": "é"})
    assert same


def test_moves_within_the_service(radosgw: Server) -> None:
    """An object is copied, looked at once more, and deleted: what was copied is told by the answer."""
    with _buckets(radosgw, 2) as (faults, (one, two)):
        for number in range(20):
            one.write_bytes(f"d/{number:02}", b"%d" % number)
        faults.clear()
        result = move(one, two)
        costs = _costs(faults)
        left, there = list(one.list()), list(two.list())

    assert (result.transferred, result.errors, left, len(there)) == (20, 0, [], 20)
    assert costs == {"LIST": 2, "PUT": 20, "HEAD": 20, "POST": 20}


def test_deletes_go_together(radosgw: Server, tmp_path: Path) -> None:
    """What is not in the source goes with few requests, and nothing is looked at before."""
    here = files(tmp_path / "s", {"kept": b"x"})
    with _buckets(radosgw) as (faults, [there]):
        sync(here, there)
        for number in range(200):
            there.write_bytes(f"d/{number:03}", b"x")
        faults.clear()
        result = sync(here, there)
        costs = _costs(faults)
        left = list(there.list())

    assert (result.deleted, result.errors, left) == (200, 0, ["kept"])
    # A page of the listing has a hundred or a thousand, a request for deletes 64.
    assert costs == {"LIST": 1 + 200 * PAGES // MANY, "POST": 4}


def test_deletes_that_fail_are_told_one_by_one(radosgw: Server, tmp_path: Path) -> None:
    """A key that may not be deleted is an error of its own, the others go."""
    here = files(tmp_path / "s", {"kept": b"x"})
    with _buckets(radosgw) as (_, [there]):
        bucket = there.driver.options.bucket
        for path in ("a", "held/b", "held/c", "z"):
            there.write_bytes(path, b"x")
        deny = {
            "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
            "Resource": f"arn:aws:s3:::{bucket}/held/*",
        }  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        client(radosgw).put_bucket_policy(Bucket=bucket, Policy=policy)
        result = sync(here, there)
        left = list(there.list())

    assert (result.deleted, result.errors) == (2, 2)
    assert left == ["held/b", "held/c", "kept"]


@pytest.mark.parametrize("size", [10, 2 << 20, 40 << 20], ids=["small", "whole", "parts"])
def test_type_goes_to_another_service(size: int, radosgw: Server, moto: Server) -> None:
    """What an object is does not follow from its name where its service has told it; no request is made for that."""
    with _buckets(radosgw) as (faults, [one]), _buckets(moto) as (_, [two]):
        one.driver.put("a.html", BytesBody(bytes(size)), PutOptions(mtime_ns=WHEN, content_type="text/x-special"))
        faults.clear()
        result = copy(one, two)
        looks = _costs(faults)["HEAD"]
        info = two.stat("a.html")

    assert (result.transferred, result.errors) == (1, 0)
    assert (info.content_type, info.mtime_ns) == ("text/x-special", WHEN)
    assert looks == {10: 0, 2 << 20: 1, 40 << 20: 3}[size]


def test_copies_between_two_services(radosgw: Server, rclone_s3: Server) -> None:
    """Where the sides are two services, the bytes come by here; the time goes with them."""
    with _buckets(radosgw) as (_, [one]), _buckets(rclone_s3) as (_, [two]):
        one.write_bytes("d/a", b"abc", modified=WHEN)
        result = copy(one, two)
        found = two.read_bytes("d/a"), two.stat("d/a").mtime_ns

    assert (result.transferred, result.errors) == (1, 0)
    assert found == (b"abc", WHEN)


def test_what_was_replaced_meanwhile_is_not_copied(radosgw: Server) -> None:
    """A source that is another one than was listed fails as changed, and the next attempt copies what it is now."""
    with _buckets(radosgw, 2) as (_, (one, two)):
        one.write_bytes("a", b"first")

        class Late(Counting):
            def copy_from(self, source, dst):  # type: ignore[no-untyped-def]
                if not self.calls["copy_from"]:
                    one.write_bytes("a", b"second!")
                return super().copy_from(source, dst)

        once = copy(one, Storage(Late(two.driver)))
        one.write_bytes("a", b"first")
        twice = copy(one, Storage(Late(two.driver)), Options(attempts=2))
        found = held(two)

    assert once.errors == 1
    assert isinstance(once.failures[0].error, SourceChanged)
    assert (twice.errors, found) == (0, {"a": b"second!"})
