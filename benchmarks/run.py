"""Side by side with rclone and rsync: ``python -m benchmarks.run`` from the root of a checkout.

Each command is measured as a whole process. The tools take turns (A B C A B C …), so that whatever else the machine
does hits all of them alike; the numbers are medians, and what counts are the ratios.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

import omnistorage
from benchmarks.measure import Failed, Sample, measure, middle
from benchmarks.subjects import OURS, RCLONE, RSYNC, Subject, count_files, program, subjects


class Row(msgspec.Struct, frozen=True):
    """What came of one subject in one place.

    Attributes:
        subject: What was done.
        place: ``memory`` or ``disk``.
        samples: Tool to all its runs.
    """

    subject: str
    place: str
    samples: dict[str, list[Sample]]

    def middle(self, tool: str) -> Sample | None:
        """Return the medians of a tool, or None if it took no part."""
        return middle(self.samples[tool]) if self.samples.get(tool) else None


def run(subject: Subject, place: str, folder: Path) -> Row:
    """Measure all tools on one subject.

    Raises:
        Failed: A tool ended with an error.
        RuntimeError: A tool did not copy all files.
    """
    src, dst = folder / "src", folder / "dst"
    subject.make(src)
    if subject.copy and not subject.fresh:
        subprocess.run(["cp", "-a", src, dst], check=True)
    expected = count_files(str(src)) if subject.copy else 0
    tools = list(subject.commands(str(src), str(dst)))
    samples: dict[str, list[Sample]] = {tool: [] for tool in tools}
    for count in range(subject.repeat):
        for tool in tools:
            if subject.fresh:
                if place != "disk":
                    shutil.rmtree(dst, ignore_errors=True)
                # On a disk all stays until the end: ext4 passes by inodes that were freed a moment ago, one by one,
                # and whoever came first after a removal would pay for that.
                dst = folder / f"dst-{tool}-{count}"
                if subject.before is not None:
                    subject.before(src, dst)
            command = subject.commands(str(src), str(dst))[tool]
            if place == "disk":
                # What one tool left for the disk to do must not be paid by the next.
                os.sync()
            samples[tool].append(measure(command, errors=str(folder / "errors")))
            if subject.fresh and count_files(str(dst)) != expected:
                raise RuntimeError(f"{tool} copied {count_files(str(dst))} of {expected} files")
    return Row(subject.name, place, samples)


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    head = (
        "subject | in | wall s: ours, rclone, rsync | wall ÷ rclone | CPU ÷ rclone | memory ÷ rclone | wall ÷ rsync"
    )
    yield f"| {head} |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        ours, rclone, rsync = (row.middle(tool) for tool in (OURS, RCLONE, RSYNC))
        cells = [
            row.subject,
            row.place,
            ", ".join(f"{one.wall:.3f}" if one else "-" for one in (ours, rclone, rsync)),
            _ratio("wall", ours, rclone),
            _ratio("cpu", ours, rclone),
            f"{_ratio('memory', ours, rclone)} ({_mib(ours)} / {_mib(rclone)} MiB)",
            _ratio("wall", ours, rsync),
        ]
        yield f"| {' | '.join(cells)} |"


def _ratio(what: str, one: Sample | None, other: Sample | None) -> str:
    if one is None or other is None or not getattr(other, what):
        return "-"
    return f"{getattr(one, what) / getattr(other, what):.2f}"


def _mib(sample: Sample | None) -> str:
    return f"{sample.memory / (1 << 20):.0f}" if sample else "-"


def _versions() -> dict[str, str]:
    """Return what was compared, and on what."""
    found = {"python": platform.python_version(), "cores": str(os.cpu_count()), "system": platform.release()}
    for tool, flag in ((OURS, "version"), (RCLONE, "version"), (RSYNC, "--version")):
        place = program(tool)
        lines = subprocess.run([place, flag], capture_output=True, text=True).stdout.splitlines() if place else []
        found[tool] = lines[0] if lines else "not installed"
    return found


def main() -> None:
    """Measure what the arguments ask for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("only", nargs="*", help="words; subjects whose name has one of them are run")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the size, once: does it run at all?")
    parser.add_argument("--huge", action="store_true", help="also a million files: minutes, and gigabytes of memory")
    parser.add_argument(
        "--once", action="store_true", help="S3: each tool does each job once, on machines that are busy"
    )
    parser.add_argument("--s3", action="store_true", help="S3 instead: see benchmarks/s3_run.py")
    parser.add_argument("--memory", default="/dev/shm", help="folder in memory, or empty to leave it out")
    parser.add_argument("--disk", default=tempfile.gettempdir(), help="folder on a disk, or empty to leave it out")
    parser.add_argument("--json", metavar="FILE", help="write every sample to a file, after each subject")
    given = parser.parse_args()
    # As an installed package is: a checkout is compiled when it is first run.
    compileall.compile_dir(Path(omnistorage.__file__).parent, quiet=1)
    sys.exit(1 if (_measure_s3(given) if given.s3 else _measure(given)) else 0)


def _measure(given: argparse.Namespace) -> bool:
    """Measure on folders of this machine; say whether anything failed."""
    chosen = [
        subject
        for subject in subjects(100 if given.quick else 1)
        if (given.huge or not subject.huge) and (not given.only or any(word in subject.name for word in given.only))
    ]
    versions = _versions()
    print(", ".join(f"{name}: {text}" for name, text in versions.items()), file=sys.stderr)
    rows, failed = [], False
    for place, base in (("memory", given.memory), ("disk", given.disk)):
        for subject in chosen if base else ():
            if subject.big and place == "disk":
                continue
            print(f"… {subject.name}, {place}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="omnistorage-benchmark-", dir=base) as folder:
                try:
                    rows.append(run(subject, place, Path(folder)))
                except (Failed, RuntimeError, OSError) as exc:
                    # The other subjects, some of which take minutes, are worth having all the same.
                    print(f"FAILED {subject.name}, {place}: {exc}", file=sys.stderr)
                    failed = True
            if given.json:
                Path(given.json).write_bytes(msgspec.json.encode({"versions": versions, "rows": rows}))
    print("\n".join(table(rows)))
    return failed


def _measure_s3(given: argparse.Namespace) -> bool:
    """Measure on S3 servers of this machine; say whether anything failed."""
    from benchmarks import s3_run, s3_subjects

    words = given.only
    known = s3_subjects.subjects(100 if given.quick else 1)
    if given.once:
        known = [msgspec.structs.replace(subject, repeat=1) for subject in known]
    topics = [word for word in words if word not in s3_run.SERVERS]
    chosen = [subject for subject in known if not topics or any(word in subject.name for word in topics)]
    versions = _versions() | s3_run.versions()
    print(", ".join(f"{name}: {text}" for name, text in versions.items()), file=sys.stderr)
    rows, troubles = [], []
    for found in s3_run.run_all(chosen, words, given.memory):
        if isinstance(found, str):
            print(found, file=sys.stderr)
            troubles.append(found)
        else:
            rows.append(found)
        if given.json:
            Path(given.json).write_bytes(msgspec.json.encode({"versions": versions, "rows": rows}))
    print("\n".join([*s3_run.table(rows), *(f"\n{trouble}" for trouble in troubles)]))
    return any(trouble.startswith("FAILED") for trouble in troubles)


if __name__ == "__main__":
    main()
