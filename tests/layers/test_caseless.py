"""The place without case that other tests use is what it claims to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from caseless import Caseless
from omnistorage.drivers.file import FileDriver, Options
from omnistorage.testing import DriverSuite


class TestCaseless(DriverSuite):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> Caseless:
        return Caseless(FileDriver(Options(root=str(tmp_path))))
