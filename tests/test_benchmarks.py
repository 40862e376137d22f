"""The benchmarks run; what they measure is not a matter for tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Failed, Sample, measure, middle

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(300)
def test_quick_run_measures_everything(tmp_path: Path) -> None:
    """A quick run has numbers of every tool for every subject, in memory and on disk."""
    report = tmp_path / "report.json"
    places = [tmp_path / "memory", tmp_path / "disk"]
    for place in places:
        place.mkdir()
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--json", str(report)]
    done = subprocess.run(
        [*command, "--memory", str(places[0]), "--disk", str(places[1])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(report.read_text())["rows"]

    assert len(rows) == 18
    assert all(set(row["samples"]) == {"omnistorage", "rclone", "rsync"} for row in rows)
    assert all(sample["wall"] > 0 for row in rows for samples in row["samples"].values() for sample in samples)
    assert done.stdout.count("\n") == len(rows) + 2
    assert [list(place.iterdir()) for place in places] == [[], []]


def test_failing_command_has_no_numbers(tmp_path: Path) -> None:
    """A command that fails is an error, with what it said, and not a fast one."""
    with pytest.raises(Failed, match="it broke"):
        measure(["bash", "-c", "echo it broke >&2; exit 3"], errors=str(tmp_path / "errors"))


def test_children_count(tmp_path: Path) -> None:
    """Processor time and memory of what a command starts are its own."""
    script = f"{sys.executable} -c 'x = bytearray(200 << 20); sum(range(2_000_000))'; true"
    sample = measure(["bash", "-c", script], errors=str(tmp_path / "errors"))

    assert sample.memory > 200 << 20
    assert sample.cpu > 0


def test_middle_is_the_median() -> None:
    """One slow run does not count."""
    samples = [Sample(1.0, 1.0, 10), Sample(90.0, 90.0, 900), Sample(2.0, 2.0, 20)]

    assert middle(samples) == Sample(2.0, 2.0, 20)
