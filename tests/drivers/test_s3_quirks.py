"""Services that lack something, played by a whole one: what the driver does in its place is right, too."""

from __future__ import annotations

import pytest

from omnistorage.core.errors import Unsupported
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.s3 import S3Driver
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern
from omnistorage.testing.suite.batches import Batches
from omnistorage.testing.suite.bodies import Bodies
from omnistorage.testing.suite.claims import Claims
from omnistorage.testing.suite.copying import Copying
from omnistorage.testing.suite.listing import Listing
from omnistorage.testing.suite.names import Names
from omnistorage.testing.suite.objects import Objects
from omnistorage.testing.suite.ranges import Ranges
from omnistorage.testing.suite.writers import Writers
from s3_scenes import fresh_bucket
from servers import Server


class TestOldListing(Listing, Names):
    """Lists by the old call, and says keys as they are: what XML cannot say is refused."""

    many = 40

    @pytest.fixture
    def driver(self, radosgw: Server) -> S3Driver:
        return fresh_bucket(radosgw, provider="netease", list_chunk=7)


class TestNoParts(Objects, Bodies, Writers, Claims):
    """Takes an object by one request only, however it comes."""

    @pytest.fixture
    def driver(self, radosgw: Server) -> S3Driver:
        return fresh_bucket(radosgw, provider="fastly", upload_cutoff=1)


class TestNoCopies(Copying, Objects):
    """Copies nothing on its own."""

    @pytest.fixture
    def driver(self, radosgw: Server) -> S3Driver:
        return fresh_bucket(radosgw, provider="rabata")


class TestNoRanges(Ranges, Objects):
    """Does not say that it knows ranges."""

    @pytest.fixture
    def driver(self, radosgw: Server) -> S3Driver:
        return fresh_bucket(radosgw, provider="internetarchive")


class TestUnknown(Batches, Objects, Claims):
    """A service of which nothing is known."""

    @pytest.fixture
    def driver(self, radosgw: Server) -> S3Driver:
        return fresh_bucket(radosgw, provider="")


def test_parts_of_one_size(radosgw: Server) -> None:
    """Where all parts but the last have to have one size, they have."""
    driver = fresh_bucket(radosgw, provider="r2", upload_cutoff=1)
    with Storage(driver) as storage, storage.open_writer("a") as writer:
        for _ in range(13):
            writer.write(pattern(1 << 20))
    again = S3Driver(driver.options)
    upload = again.begin_upload("b", PutOptions(), 1 << 40)
    upload.abort()

    assert Storage(again).stat("a").size == 13 << 20
    assert upload.part_size * 10_000 >= 1 << 40


def test_no_condition_where_nothing_is_known(radosgw: Server) -> None:
    """A service that might ignore a condition is not asked for it."""
    with Storage(fresh_bucket(radosgw, provider="other")) as storage:
        storage.write_bytes("a", b"old")
        with pytest.raises(Unsupported):
            storage.write_bytes("a", b"new", if_absent=True)
        with pytest.raises(Unsupported):
            storage.driver.put("a", BytesBody(b"new"), PutOptions(if_match="x"))

        assert storage.read_bytes("a") == b"old"
