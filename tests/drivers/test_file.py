"""The driver of local files, proven by the suite in each of its ways to treat links and disks."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnistorage.drivers.file import FileDriver, Options
from omnistorage.testing import DriverSuite


class TestFile(DriverSuite):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> FileDriver:
        return FileDriver(Options(root=str(tmp_path)))


class TestFileFollowingLinks(DriverSuite):
    large = 1 << 20
    many = 150

    @pytest.fixture
    def driver(self, tmp_path: Path) -> FileDriver:
        return FileDriver(Options(root=str(tmp_path), links="follow", page_size=40))


class TestFileKeepingLinks(DriverSuite):
    large = 1 << 20
    many = 150

    @pytest.fixture
    def driver(self, tmp_path: Path) -> FileDriver:
        return FileDriver(Options(root=str(tmp_path), links="keep", page_size=40))


class TestFileForcedToDisk(DriverSuite):
    large = 1 << 20
    many = 60

    @pytest.fixture
    def driver(self, tmp_path: Path) -> FileDriver:
        return FileDriver(Options(root=str(tmp_path), fsync="full", page_size=7))
