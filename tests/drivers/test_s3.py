"""The S3 driver, proven by the suite on real servers; what a server lacks is named."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import pytest

from omnistorage.drivers.s3 import S3Driver
from omnistorage.layers.limit import Limit
from omnistorage.layers.log import Log
from omnistorage.layers.prefix import Prefix
from omnistorage.layers.retry import Retry
from omnistorage.layers.timeout import Timeout
from omnistorage.storage import Storage
from omnistorage.testing import DriverSuite
from omnistorage.testing.suite.bodies import Bodies
from omnistorage.testing.suite.claims import Claims
from omnistorage.testing.suite.listing import Listing
from omnistorage.testing.suite.names import CLIMBING, Names
from omnistorage.testing.suite.objects import Objects
from omnistorage.testing.suite.ranges import Ranges
from omnistorage.testing.suite.uploads import Uploads
from s3_scenes import fresh_bucket
from servers import Server

FILES = "keys are paths of files there"
NOT_FOUND = "with one copy of each, Swift does not find one in 120 times what is being replaced; boto3 sees it, too"
TWICE = "a key that is put several times at once is listed twice from then on, in one case of a hundred"


class TestRadosgw(DriverSuite):
    """A whole object store, without a layer around the driver."""

    many = 1100

    @pytest.fixture
    def driver(self, radosgw: Server) -> S3Driver:
        return fresh_bucket(radosgw)


class TestRadosgwInSmallPages(DriverSuite):
    many = 40

    @pytest.fixture
    def driver(self, radosgw: Server) -> S3Driver:
        # Streams go by one request only if they are short, so that puts go by parts, too.
        return fresh_bucket(radosgw, list_chunk=7, upload_cutoff=6 << 20)


class TestRadosgwByTls(Objects, Bodies, Uploads, Ranges):
    """Where bodies are sealed by the connection, they are not signed as well."""

    @pytest.fixture
    def driver(self, radosgw_tls: Server) -> S3Driver:
        return fresh_bucket(radosgw_tls, upload_cutoff=6 << 20)


class TestRcloneByTls(Objects, Bodies):
    limits: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ["test_object_and_directory_of_one_name", "test_put_below_object"], FILES
    )

    @pytest.fixture
    def driver(self, rclone_s3_tls: Server) -> Storage:
        return Storage(fresh_bucket(rclone_s3_tls), partial(Retry, wait=0.02))


class TestVersionsOnRadosgw(Claims):
    """With the layers around it, as who opens it by its address has it."""

    @pytest.fixture
    def driver(self, radosgw: Server) -> Storage:
        layers = (partial(Prefix, prefix="p//q"), Timeout, Log, Limit, partial(Retry, wait=0.02))
        return Storage(fresh_bucket(radosgw, versioned=True), *layers)


class TestVersionsOnMoto(Claims):
    @pytest.fixture
    def driver(self, moto: Server) -> S3Driver:
        return fresh_bucket(moto, versioned=True)


class TestMoto(DriverSuite):
    """Answers 500 now and then where several threads change one key: as in use, such calls are repeated."""

    limits: ClassVar[Mapping[str, str]] = {"test_name[newline]": "moto finds no object whose key has a line end"}

    @pytest.fixture
    def driver(self, moto: Server) -> Storage:
        return Storage(fresh_bucket(moto), partial(Retry, wait=0.02))


class TestRclone(DriverSuite):
    limits: ClassVar[Mapping[str, str]] = {
        "test_delete_many_with_directory": "answers InternalError for a directory",
        "test_part_again": "a part cannot be put again",
        "test_object_and_directory_of_one_name": FILES,
        "test_put_below_object": FILES,
        **{f"test_name_of_no_file[{kind}]": FILES for kind in CLIMBING if kind != "NUL"},
        **{f"test_put_many_with_a_bad_name[{key}]": FILES for key in ("../a", "d//a", "d/../../a", "d/")},
    }

    unsteady: ClassVar[Mapping[str, str]] = {
        "test_threads_on_one_key_leave_one_entry": TWICE,
        "test_delete_leaves_no_entry": TWICE,
    }

    @pytest.fixture
    def driver(self, rclone_s3: Server) -> Storage:
        return Storage(fresh_bucket(rclone_s3), partial(Retry, wait=0.02))


class TestLocalstack(DriverSuite):
    limits: ClassVar[Mapping[str, str]] = {
        "test_name_of_no_file[only a slash]": "takes a key of slashes alone for the bucket"
    }

    @pytest.fixture
    def driver(self, localstack: Server) -> S3Driver:
        return fresh_bucket(localstack)


class TestLocalstackInSmallPages(Listing, Names):
    many = 40

    limits: ClassVar[Mapping[str, str]] = TestLocalstack.limits

    @pytest.fixture
    def driver(self, localstack: Server) -> S3Driver:
        return fresh_bucket(localstack, list_chunk=7)


class TestVersionsOnLocalstack(Claims):
    @pytest.fixture
    def driver(self, localstack: Server) -> S3Driver:
        return fresh_bucket(localstack, versioned=True)


class TestSwift(DriverSuite):
    unsteady: ClassVar[Mapping[str, str]] = {
        "test_object_never_vanishes": NOT_FOUND,
        "test_readers_see_whole_objects": NOT_FOUND,
    }

    @pytest.fixture
    def driver(self, swift_s3: Server) -> S3Driver:
        return fresh_bucket(swift_s3)


class TestSwiftInSmallPages(Listing, Names):
    many = 40

    @pytest.fixture
    def driver(self, swift_s3: Server) -> S3Driver:
        return fresh_bucket(swift_s3, list_chunk=7)


class TestVersionsOnSwift(Claims):
    @pytest.fixture
    def driver(self, swift_s3: Server) -> S3Driver:
        return fresh_bucket(swift_s3, versioned=True)
