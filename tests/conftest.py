"""Settings for all tests."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

pytest_plugins = ["servers.fixtures"]

_STATE = tempfile.TemporaryDirectory(prefix="omnistorage-tests-")


def pytest_configure(config: pytest.Config) -> None:
    """Keep what runs remember out of the home of whoever runs the tests."""
    os.environ["OMNISTORAGE_STATE"] = _STATE.name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it."""
    _STATE.cleanup()
