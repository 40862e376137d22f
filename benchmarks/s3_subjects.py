"""What is measured on S3: for each subject a tree, the commands of each tool for the same job, and how often."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import trees
from benchmarks.subjects import OURS, RCLONE, Commands, program

CHECKSUM: Final = "rclone --checksum"
"""rclone told not to ask for the times of objects; it compares MD5 instead, as we do where times cost requests."""

PEERS: Final = ("boto3", "obstore", "s3fs")
TOOLS: Final = (OURS, RCLONE, *PEERS)

CONCURRENCY: Final = 16
"""Requests side by side, the same for all tools."""

FLAGS: Final = {
    OURS: ["--transfers", "16", "--multi-thread-streams", "16"],
    RCLONE: [
        *("--transfers", "16", "--checkers", "16", "--fast-list"),
        *("--s3-chunk-size", "8Mi", "--s3-upload-concurrency", "16", "--multi-thread-streams", "16"),
    ],
}
"""Flags of transfers; what is not here is left as the tool has it."""


class Place(msgspec.Struct, frozen=True):
    """A prefix of a bucket, as each tool names it.

    Attributes:
        provider: The service, as our addresses name it.
        bucket: The bucket.
        prefix: Of the keys, without a slash behind it.
    """

    provider: str
    bucket: str
    prefix: str

    @property
    def ours(self) -> str:
        """The address for our command."""
        return f"s3+{self.provider}://{self.bucket}/{self.prefix}"

    @property
    def rclone(self) -> str:
        """The remote for rclone; it is configured by the environment."""
        return f"benchmark:{self.bucket}/{self.prefix}"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One job that all tools do.

    Attributes:
        name: What is done.
        tree: Name of the tree that it is about; subjects that share one share what is stored of it.
        make: Makes the tree below the folder that it is given.
        verb: ``up`` stores it under a new prefix, ``down`` reads it into a new folder; ``sync`` compares it with what
            is stored, ``list`` lists that.
        repeat: How often each tool does it.
    """

    name: str
    tree: str
    make: Callable[[Path], None]
    verb: str
    repeat: int

    def commands(self, folder: str, place: Place) -> Commands:
        """Return tool to command, for a folder and a prefix; empty for a tool that is not installed."""
        if self.verb == "list":
            ours, rclone = ["lsf", "-R", place.ours], ["lsf", "-R", "--fast-list", place.rclone]
        else:
            verb = "sync" if self.verb == "sync" else "copy"
            src, dst = (folder, place.ours) if self.verb != "down" else (place.ours, folder)
            ours = [verb, *FLAGS[OURS], src, dst]
            src, dst = (folder, place.rclone) if self.verb != "down" else (place.rclone, folder)
            rclone = [verb, *FLAGS[RCLONE], src, dst]
        found = {OURS: _program(OURS, ours), RCLONE: _program(RCLONE, rclone)}
        if self.verb == "sync":
            # The libraries have no such thing.
            return found | {CHECKSUM: _program(RCLONE, [*rclone, "--checksum"])}
        return found | {tool: _peer(tool, self.verb, folder, place) for tool in PEERS}


def subjects(divisor: int) -> list[Subject]:
    """Return all subjects, each with the size of its tree divided by ``divisor``."""

    def scaled(number: int) -> int:
        return max(number // divisor, 1)

    repeat = 3 if divisor == 1 else 1
    small, same, many, large = scaled(5000), scaled(20_000), scaled(100_000), scaled(1024)
    found = []
    for verb, word in (("up", "upload"), ("down", "download")):
        found += [
            Subject(
                name=f"{word} {small:,} objects of 16 KiB",
                tree="small",
                make=partial(_small, count=small, size=16 << 10),
                verb=verb,
                repeat=repeat,
            ),
            Subject(
                name=f"{word} one object of {large:,} MiB",
                tree="large",
                make=partial(trees.large_file, size=large << 20),
                verb=verb,
                repeat=repeat,
            ),
        ]
    return [
        *found,
        Subject(
            name=f"sync {same:,} objects of 1 KiB, nothing to do",
            tree="same",
            make=partial(_small, count=same, size=1024),
            verb="sync",
            repeat=repeat,
        ),
        Subject(
            name=f"list {many:,} objects",
            tree="many",
            make=partial(_small, count=many, size=1),
            verb="list",
            repeat=repeat,
        ),
    ]


def _small(root: Path, count: int, size: int) -> None:
    trees.small_files(root, count, size, 100)


def _program(tool: str, arguments: list[str]) -> list[str]:
    place = program(tool)
    return [] if place is None else [place, *arguments]


def _peer(tool: str, verb: str, folder: str, place: Place) -> list[str]:
    if find_spec("s3transfer" if tool == "boto3" else tool) is None:
        return []
    script = str(Path(__file__).with_name("s3_peers.py"))
    # Its own folder is no place for modules: the libraries mean others by the names that are there.
    return [sys.executable, "-P", script, tool, verb, folder, place.bucket, place.prefix]
