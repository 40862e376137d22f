"""The driver that CONTRIBUTING shows is a driver: the whole conformance suite is run on it, as its author would."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import omnistorage
from omnistorage.core.driver import Driver

ROOT = Path(__file__).parent.parent
_EXAMPLE = re.compile(r"^<!-- example: (\S+) -->\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the files that CONTRIBUTING shows."""
    for name, text in _EXAMPLE.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8")):
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


@pytest.mark.timeout(300)
def test_example_conforms(project: Path) -> None:
    """An author who writes these two files has a driver that passes every case."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=280,
    )
    passed = re.search(r"(\d+) passed", done.stdout)

    assert done.returncode == 0, done.stdout[-4000:]
    assert passed is not None
    assert int(passed[1]) > 200


def test_example_opens_by_address(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registered, the example is opened by its address and keeps what it is given."""
    monkeypatch.syspath_prepend(str(project))
    driver: type[Driver] = import_module("sqlite_storage").DRIVER
    registered: dict[str, type[Driver]] = {}
    monkeypatch.setattr("omnistorage.registry._REGISTERED", registered)
    omnistorage.register("sqlite", driver)
    address = f"sqlite://{project}/files.db"
    with omnistorage.open(address) as storage:
        storage.write_bytes("a/b", b"kept")
    with omnistorage.open(address) as storage:
        kept = {path: storage.read_bytes(path) for path in storage.list()}

    assert kept == {"a/b": b"kept"}


def test_example_is_short() -> None:
    """A driver of a simple service fits 200 lines."""
    examples = dict(_EXAMPLE.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8")))

    assert sorted(examples) == ["sqlite_storage.py", "test_sqlite_storage.py"]
    assert examples["sqlite_storage.py"].count("\n") <= 200
