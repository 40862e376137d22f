"""Objects of unknown size go to S3 by several parts at a time, from writers and from streams."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest

from omnistorage.core.errors import PermissionDenied
from omnistorage.core.options import PutOptions
from omnistorage.core.sending import STREAMS
from omnistorage.core.streams import StreamBody
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern
from s3_scenes import fresh_bucket
from servers import Server
from servers.clients import client
from servers.faults import Answer, Delay, Faults, Rate

MIB = 1 << 20
PART = 5 * MIB
PARTS = "PUT .*partNumber"


def by_writer(storage: Storage, data: bytes) -> None:
    """Store it piece by piece."""
    with storage.open_writer("a", buffer_size=PART) as writer:
        for at in range(0, len(data), MIB):
            writer.write(data[at : at + MIB])


def by_stream(storage: Storage, data: bytes) -> None:
    """Store it from a stream of which nobody knows how much will come."""
    storage.driver.put("a", StreamBody(BytesIO(data)), PutOptions())


BOTH = pytest.mark.parametrize("store", [by_writer, by_stream])
Store = Callable[[Storage, bytes], None]


@contextmanager
def bucket(faults: Faults, part_size: int = PART) -> Iterator[Storage]:
    """Make one behind the proxy."""
    with Storage(fresh_bucket(faults.server, part_size=part_size)) as storage:
        yield storage


def unfinished(faults: Faults, storage: Storage) -> list[str]:
    """Return the keys of uploads that are neither finished nor thrown away."""
    found = client(faults.server).list_multipart_uploads(Bucket=storage.driver.options.bucket).get("Uploads", [])
    return [one["Key"] for one in found]


@BOTH
def test_parts_go_side_by_side(store: Store, radosgw: Server) -> None:
    """While the answers to the first parts are awaited, as many as there are streams are on the wire."""
    data = pattern(6 * PART + 1)
    with Faults(radosgw) as faults, bucket(faults) as storage:
        faults.add(Delay(2.0), PARTS, times=STREAMS - 1)
        storing = threading.Thread(target=store, args=(storage, data))
        storing.start()
        until = time.monotonic() + 20
        # The last of them is sent but for its end.
        while faults.sent(PARTS) <= (STREAMS - 1) * PART and time.monotonic() < until:
            time.sleep(0.01)
        parts, answered = faults.count(PARTS), faults.received(PARTS + "|POST .*uploadId")
        storing.join(60)
        back = storage.read_bytes("a")

        assert (parts, answered) == (STREAMS, 0)
        assert back == data
        assert faults.count(PARTS) == 7


@BOTH
def test_part_that_fails_leaves_nothing(store: Store, radosgw: Server) -> None:
    """The failure of any part is raised; the old object stays, and no upload is left."""
    with Faults(radosgw) as faults, bucket(faults) as storage:
        storage.write_bytes("a", b"old")
        faults.add(Answer(403, "AccessDenied", "No."), "PUT .*partNumber=2")
        with pytest.raises(PermissionDenied):
            store(storage, pattern(5 * PART + 1))

        assert storage.read_bytes("a") == b"old"
        assert unfinished(faults, storage) == []


def test_writer_whose_part_failed_cannot_be_closed(radosgw: Server) -> None:
    """A failure that was swallowed comes again with the close: no object lacks a part."""
    with Faults(radosgw) as faults, bucket(faults) as storage:
        faults.add(Answer(403, "AccessDenied", "No."), "PUT .*partNumber=1")
        writer = storage.open_writer("a", buffer_size=PART)
        failed = 0
        for _ in range(2 * STREAMS):
            try:
                writer.write(bytes(PART))
            except PermissionDenied:
                failed += 1
        with pytest.raises(PermissionDenied):
            writer.close()

        assert failed
        assert not storage.exists("a")
        assert unfinished(faults, storage) == []


def test_abort_stops_parts_that_are_under_way(radosgw: Server) -> None:
    """Nobody waits until parts have been sent that are thrown away: those that began are not sent to their end."""
    part = 32 * MIB
    with Faults(radosgw) as faults, bucket(faults, part) as storage:
        faults.add(Rate(4 * MIB), PARTS, times=None)
        writer = storage.open_writer("a", buffer_size=part)
        writer.write(bytes(2 * part + 1))
        while faults.sent(PARTS) < MIB:
            time.sleep(0.01)
        writer.abort()

        assert faults.count(PARTS) == 2
        # What the buffers of the system had taken by then may have arrived.
        assert faults.sent(PARTS) < part
        assert not storage.exists("a")
        assert unfinished(faults, storage) == []
