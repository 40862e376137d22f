"""The demo proves each of its steps itself; here it is made sure that it runs, and that it can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)

DEMO = Path(__file__).parent.parent / "scripts" / "demo.py"


def run_demo(tmp_path: Path, command: str = "") -> subprocess.CompletedProcess[str]:
    """Run the demo; ``command`` is a Python program to take for ``omnistorage``."""
    python = sys.executable
    if command:
        # The demo takes the command beside its interpreter.
        folder = tmp_path / "bin"
        folder.mkdir()
        fake = folder / "omnistorage"
        fake.write_text(f"#!{python}\n{command}")
        fake.chmod(0o755)
        python = str(folder / "python")
        os.symlink(sys.executable, python)
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "TMPDIR": str(work)}
    done = subprocess.run([python, str(DEMO)], env=environment, capture_output=True, text=True, timeout=280)
    assert list(work.iterdir()) == [], "the demo left something behind"
    return done


def test_demo_ends_well(tmp_path: Path) -> None:
    """On a real tree of thousands of files, every step is exactly what it should be."""
    done = run_demo(tmp_path)

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "All as it should be" in done.stdout


def test_demo_sees_a_lost_file(tmp_path: Path) -> None:
    """A command that reports success and loses one file fails the demo."""
    done = run_demo(
        tmp_path,
        "import os, runpy, sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "try:\n"
        "    from omnistorage.cli.main import main\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    if sys.argv[1] == 'check' and os.path.exists(sys.argv[3] + '/abc.py'):\n"
        "        os.unlink(sys.argv[3] + '/abc.py')\n",
    )

    assert done.returncode == 1
    assert "WRONG" in done.stderr
    assert "abc.py" in done.stderr
