"""A run that is killed without a chance to clean up, and the run after it; through the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("omnistorage"))
COUNT, SIZE = 200, 64 << 10


def test_next_run_goes_on(tmp_path: Path) -> None:
    """Rule 9: what arrived whole is not sent again; what did not was never seen, and leaves nothing behind."""
    src, dst = tmp_path / "src", tmp_path / "dst"
    src.mkdir()
    for number in range(COUNT):
        (src / f"{number:03}").write_bytes(os.urandom(SIZE))
    copy = [COMMAND, "copy", str(src), str(dst)]
    # Slow enough to be caught in the midst of it.
    with subprocess.Popen([*copy, "--bwlimit", "4M"]) as run:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not dst.exists() or len(os.listdir(dst)) < 20):
            time.sleep(0.01)
        run.kill()
    listed = subprocess.run([COMMAND, "lsf", str(dst)], capture_output=True, text=True, check=True).stdout.split()
    whole = [name for name in listed if (dst / name).read_bytes() == (src / name).read_bytes()]
    for left in dst.glob(".omnistorage-*"):
        # As if some seconds had passed; until then, an empty one may be about to be locked by its writer.
        os.utime(left, (0, 0))
    after = subprocess.run([*copy, "--json"], capture_output=True, text=True, check=True)

    assert 15 <= len(listed) < COUNT
    assert whole == listed
    assert json.loads(after.stdout)["transferred"] == COUNT - len(whole)
    assert sorted(os.listdir(dst)) == sorted(os.listdir(src))
