"""The storages that the awaitable face is tested on."""

from __future__ import annotations

from pathlib import Path

import pytest

from aio_scenes import local
from omnistorage.drivers import memory
from omnistorage.storage import Storage


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return Storage(memory.MemoryDriver())
    return local(tmp_path)
