"""The benchmarks run; what they measure is not a matter for tests."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks import trees
from benchmarks.measure import Failed, Sample, measure, middle
from benchmarks.subjects import program
from servers import require

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(300)
def test_quick_run_measures_everything(tmp_path: Path) -> None:
    """A quick run has numbers of every tool for every subject, in memory and on disk."""
    rows, table = quick_run(tmp_path)
    installed = {tool for tool in ("omnistorage", "rclone", "rsync") if program(tool)}

    assert len(rows) == 24
    assert {"omnistorage", "rclone"} <= installed
    # rsync finds no renames.
    assert all(set(row["samples"]) == installed - {"rsync"} for row in rows if "renames" in row["subject"])
    assert all(set(row["samples"]) == installed for row in rows if "renames" not in row["subject"])
    assert all(sample["wall"] > 0 for row in rows for samples in row["samples"].values() for sample in samples)
    assert table.count("\n") == len(rows) + 2


@pytest.mark.timeout(300)
def test_huge_subjects_run_when_asked_for(tmp_path: Path) -> None:
    """What is too much for every day is measured with ``--huge``: flat and wide, copied and compared."""
    count = "100 files in"
    rows, _ = quick_run(tmp_path, "--huge", "one folder", "folders of 10")
    found = [row["subject"] for row in rows if row["subject"].split(" ", 1)[1].startswith(count)]

    assert sorted(found) == [
        f"copy {count} folders of 10",
        f"copy {count} one folder",
        f"sync {count} folders of 10, nothing to do",
        f"sync {count} one folder, nothing to do",
    ]


@pytest.mark.timeout(300)
def test_s3_is_measured_with_every_tool(tmp_path: Path) -> None:
    """A quick run on S3 has numbers of every tool; one that is not installed is named, not left out."""
    require("rclone")
    rows, table = quick_run(tmp_path, "--s3", "rclone", "upload", "sync", "list")

    assert [row["subject"].split(" ", 1)[0] for row in rows] == ["upload", "upload", "sync", "list"]
    assert all({"omnistorage", "rclone"} <= {*row["samples"]} for row in rows)
    assert all({"boto3", "obstore", "s3fs"} <= {*row["samples"]} for row in rows if "sync" not in row["subject"])
    installed = {"omnistorage", "rclone", "rclone --checksum"}
    installed |= {name for name in ("boto3", "obstore", "s3fs") if find_spec(name) is not None}
    for row in rows:
        assert {tool for tool, samples in row["samples"].items() if samples} == installed & {*row["samples"]}
        assert row["failed"] == {}
    assert table.count("\n") == sum(len(row["samples"]) for row in rows) + 2


def quick_run(home: Path, *args: str) -> tuple[list[dict[str, Any]], str]:
    """Run small benchmarks and return their rows and the table; nothing is left behind."""
    report = home / "report.json"
    places = [home / "memory", home / "disk"]
    for place in places:
        place.mkdir()
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--json", str(report), *args]
    done = subprocess.run(
        [*command, "--memory", str(places[0]), "--disk", str(places[1])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert [list(place.iterdir()) for place in places] == [[], []]
    return json.loads(report.read_text())["rows"], done.stdout


def test_renamed_tree_has_all_files_elsewhere_or_not(tmp_path: Path) -> None:
    """The tree for renames has each file of the source once, three of ten under other paths."""
    trees.small_files(tmp_path / "src", 20, 100, 10)
    trees.copy_with_other_paths(tmp_path / "src", tmp_path / "dst")
    src, dst = (
        {path: path.read_bytes() for path in root.rglob("*.dat")} for root in (tmp_path / "src", tmp_path / "dst")
    )

    assert sorted(src.values()) == sorted(dst.values())
    assert sum((tmp_path / "dst" / path.relative_to(tmp_path / "src")).exists() for path in src) == 14


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
