"""S3 side by side with rclone, boto3, obstore and s3fs: ``python -m benchmarks.run --s3``.

Two servers of this machine, which keep everything in memory: ``rclone serve s3`` and Ceph's gateway. The tools take
turns, with the same number of requests side by side. Processor time and memory are those of the client's processes;
wall clock has the server's work in it as well, which shares the processors with the client.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

import omnistorage
from benchmarks.measure import Failed, Sample, measure, middle
from benchmarks.s3_subjects import CONCURRENCY, FLAGS, TOOLS, Place, Subject
from benchmarks.subjects import OURS, program
from omnistorage.core.walk import walk

SERVERS: Final = {"rclone": "rclone", "radosgw": "ceph"}
"""Kind of each server, as the tests call it, and the provider that it is in our addresses."""

_BUCKET: Final = "benchmark"


class Row(msgspec.Struct, frozen=True):
    """What came of one subject on one server.

    Attributes:
        subject: What was done.
        server: The server.
        samples: Tool to all its runs; none of a tool that is not installed, or failed.
        failed: Tool to what went wrong with it.
    """

    subject: str
    server: str
    samples: dict[str, list[Sample]]
    failed: dict[str, str]


class Bench:
    """One server, and what was stored there to be read; closed when done.

    Args:
        kind: The server, as the tests call it.
        server: Where it is and whom it lets in.
        folder: In memory; for trees.
    """

    def __init__(self, kind: str, server: Any, folder: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._stored: dict[str, Place] = {}
        self._count = 0
        self._environment = {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_REGION": server.region,
            "AWS_DEFAULT_REGION": server.region,
            "AWS_ENDPOINT_URL": server.endpoint,
            "BENCHMARK_CONCURRENCY": str(CONCURRENCY),
            "XDG_STATE_HOME": str(folder / "state"),
            **{f"RCLONE_CONFIG_BENCHMARK_{name}": value for name, value in self._remote(server).items()},
        }
        with self._open("") as service:
            service.mkdir(_BUCKET)

    @staticmethod
    def _remote(server: Any) -> dict[str, str]:
        return {
            "TYPE": "s3",
            "PROVIDER": "Ceph" if server.kind == "radosgw" else "Rclone",
            "ENDPOINT": server.endpoint,
            "ACCESS_KEY_ID": server.access_key,
            "SECRET_ACCESS_KEY": server.secret_key,
            "REGION": server.region,
        }

    def run(self, subject: Subject) -> Row:
        """Measure all tools on one subject.

        Raises:
            Failed: What is to be read could not be stored.
        """
        tree = self._tree(subject)
        expected = _sizes(tree)
        tools = list(subject.commands("", self._new_place("")))
        samples: dict[str, list[Sample]] = {tool: [] for tool in tools}
        stored = None if subject.verb == "up" else self._store(subject)
        failed: dict[str, str] = {}
        for _ in range(subject.repeat):
            for tool in tools:
                place = stored or self._new_place(tool.replace(" ", ""))
                target = self._folder / "target"
                command = subject.commands(str(target if subject.verb == "down" else tree), place)[tool]
                if not command or tool in failed:
                    continue
                try:
                    sample = self._measure(command)
                    if subject.verb in ("up", "down"):
                        self._compare(self._sizes_at(place) if subject.verb == "up" else _sizes(target), expected)
                    samples[tool].append(sample)
                except (Failed, RuntimeError) as exc:
                    # What the others took is worth having all the same.
                    failed[tool] = str(exc)
                    samples[tool] = []
                finally:
                    shutil.rmtree(target, ignore_errors=True)
                    if subject.verb == "up":
                        self._delete(place)
        return Row(subject.name, self._kind, samples, failed)

    def _tree(self, subject: Subject) -> Path:
        tree = self._folder / subject.tree
        if not tree.exists():
            subject.make(tree)
        return tree

    def _store(self, subject: Subject) -> Place:
        """Store a tree for those that read it, once for all subjects that do."""
        place = self._stored.get(subject.tree)
        if place is None:
            place = self._stored[subject.tree] = self._new_place(subject.tree)
            self._measure([program(OURS) or OURS, "copy", *FLAGS[OURS], str(self._tree(subject)), place.ours])
            # What a server works out once, as the MD5 of what came in parts, is at nobody's expense.
            self._sizes_at(place)
        return place

    def _measure(self, command: list[str]) -> Sample:
        return measure(command, errors=str(self._folder / "errors"), environment=self._environment)

    def _new_place(self, name: str) -> Place:
        self._count += 1
        return Place(SERVERS[self._kind], _BUCKET, f"{name}-{self._count}")

    def _open(self, prefix: str) -> omnistorage.Storage:
        return omnistorage.open(
            f"s3+{SERVERS[self._kind]}://{prefix}",
            endpoint_url=self._environment["AWS_ENDPOINT_URL"],
            access_key_id=self._environment["AWS_ACCESS_KEY_ID"],
            secret_access_key=self._environment["AWS_SECRET_ACCESS_KEY"],
            region=self._environment["AWS_REGION"],
        )

    def _sizes_at(self, place: Place) -> list[int]:
        with self._open(f"{place.bucket}/{place.prefix}") as storage:
            return sorted(info.size or 0 for infos in walk(storage.driver, "") for info in infos if info.is_file)

    def _delete(self, place: Place) -> None:
        with self._open(f"{place.bucket}/{place.prefix}") as storage:
            for infos in list(walk(storage.driver, "")):
                storage.driver.delete_many([info.path for info in infos if info.is_file])

    @staticmethod
    def _compare(found: list[int], expected: list[int]) -> None:
        if found != expected:
            many, size = len(expected), sum(expected)
            raise RuntimeError(f"it moved {len(found)} of {many} objects, {sum(found)} of {size} bytes")


def _sizes(folder: Path) -> list[int]:
    return sorted(os.path.getsize(os.path.join(above, name)) for above, _, names in os.walk(folder) for name in names)


def run_all(chosen: list[Subject], words: list[str], memory: str) -> Iterator[Row | str]:
    """Yield a row for each subject on each server; in place of one that failed, what went wrong.

    Args:
        chosen: The subjects.
        words: If a server is among them, only such servers are measured on.
        memory: Folder in memory.
    """
    tests = str(Path(__file__).parents[1] / "tests")
    if tests not in sys.path:
        sys.path.insert(0, tests)
    from servers import StartFailed, missing, running

    asked = [kind for kind in SERVERS if kind in words]
    for kind in asked or SERVERS:
        if lacking := missing(kind):
            yield f"{kind}: not measured for want of {lacking}"
            continue
        try:
            with running(kind) as server, tempfile.TemporaryDirectory(prefix="omnistorage-", dir=memory) as folder:
                bench = Bench(kind, server, Path(folder))
                for subject in chosen:
                    print(f"… {subject.name}, {kind}", file=sys.stderr, flush=True)
                    try:
                        row = bench.run(subject)
                        yield row
                        yield from (
                            f"FAILED {row.subject}, {kind}, {tool}: {why}" for tool, why in row.failed.items()
                        )
                    except (Failed, RuntimeError, OSError, omnistorage.StorageError) as exc:
                        yield f"FAILED {subject.name}, {kind}: {exc}"
        except StartFailed as exc:
            yield f"FAILED {kind}: {exc}"


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of a Markdown table: each tool with what it took, and our share of that."""
    yield "| subject | server | tool | wall s | CPU s | MiB | ours ÷ it: wall | CPU | memory |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        ours = middle(row.samples[OURS]) if row.samples[OURS] else None
        for tool, samples in row.samples.items():
            cells = [row.subject, row.server, tool]
            if not samples:
                cells += ["failed" if tool in row.failed else "not installed", *["-"] * 5]
            else:
                took = middle(samples)
                cells += [f"{took.wall:.2f}", f"{took.cpu:.2f}", f"{took.memory / (1 << 20):.0f}"]
                cells += ["-"] * 3 if tool == OURS or ours is None else _ratios(ours, took)
            yield f"| {' | '.join(cells)} |"


def _ratios(ours: Sample, other: Sample) -> list[str]:
    pairs = ((ours.wall, other.wall), (ours.cpu, other.cpu), (ours.memory, other.memory))
    return [f"{one / two:.2f}" if two else "-" for one, two in pairs]


def versions() -> dict[str, str]:
    """Return the libraries that were compared, and the flags of the commands."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for tool in TOOLS:
        if tool in FLAGS:
            found[f"{tool} flags"] = " ".join(FLAGS[tool])
            continue
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            found[tool] = "not installed"
    return found
