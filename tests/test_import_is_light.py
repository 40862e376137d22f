"""What a fresh interpreter loads, and drivers that other distributions bring."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import omnistorage

SRC = Path(omnistorage.__file__).parents[1]

_LOADED = """
import sys
import msgspec
before = set(sys.modules)
import omnistorage
for name in omnistorage.__all__:
    getattr(omnistorage, name)
new = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}
for name, file in sorted(new.items()):
    if "site-packages" in file or name.startswith("omnistorage."):
        print(name)
"""

_OUTSIDE = """
import importlib.metadata, sys
import omnistorage
assert "outside_driver" not in sys.modules
assert "outside" in omnistorage.backends()
assert "outside_driver" not in sys.modules
with omnistorage.open("outside://place/a/b?color=red", retries=0) as storage:
    print(type(storage.driver).__name__, storage.driver.options.color, storage.stat("c").path)
try:
    omnistorage.open("broken://x")
except omnistorage.MissingExtra as exc:
    print(exc)
"""

_DRIVER = """
import msgspec
from omnistorage.core.driver import Driver
from omnistorage.core.info import ObjectInfo

class Options(msgspec.Struct, frozen=True, kw_only=True):
    color: str = "blue"

class OutsideDriver(Driver):
    scheme = "outside"
    options_class = Options

    def stat(self, path):
        return ObjectInfo(path)

DRIVER = OutsideDriver
"""


def _run(code: str, *folders: Path) -> str:
    path = os.pathsep.join(map(str, [*folders, SRC]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": path, "OMNISTORAGE_CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_no_driver_and_no_library() -> None:
    """``import omnistorage`` and all its names load the core and the front door, msgspec, and nothing else."""
    names = _run(_LOADED).split()
    rooms = {name.split(".")[1] for name in names if name.startswith("omnistorage.")}

    assert rooms == {"core", "opening", "registry", "storage"}
    assert [name for name in names if name.partition(".")[0] != "omnistorage"] == []


def test_driver_of_another_distribution(tmp_path: Path) -> None:
    """A driver behind an entry point is listed without being imported, and opened like one of ours."""
    (tmp_path / "outside_driver.py").write_text(_DRIVER)
    about = tmp_path / "outside-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[omnistorage.drivers]\noutside = outside_driver\nbroken = no_such_library.part:Driver\n"
    )
    first, second = _run(_OUTSIDE, tmp_path).splitlines()

    assert first == "Prefix red c"
    assert second == "broken needs no_such_library: pip install 'no_such_library'"
