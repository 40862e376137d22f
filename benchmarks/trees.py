"""The trees that are measured on: the same for each run, from a seed."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

_BLOCK = 1 << 20


def small_files(root: Path, count: int, size: int, per_folder: int) -> None:
    """Make ``count`` files of ``size`` bytes, each different, in folders of ``per_folder``."""
    filler = random.Random(1).randbytes(size)
    for number in range(count):
        if number % per_folder == 0:
            folder = root / f"folder {number // per_folder:04}"
            folder.mkdir(parents=True)
        descriptor = os.open(f"{folder}/file {number:07}.dat", os.O_WRONLY | os.O_CREAT, 0o644)
        if size:
            os.write(descriptor, (b"%08d" % number + filler)[:size])
        os.close(descriptor)


def large_file(root: Path, size: int) -> None:
    """Make one file of ``size`` bytes that does not compress and has no holes."""
    root.mkdir(parents=True)
    source = random.Random(2)
    with open(root / "large.bin", "wb") as stream:
        for begin in range(0, size, _BLOCK):
            stream.write(source.randbytes(min(_BLOCK, size - begin)))


def mixed(root: Path, size: int) -> None:
    """Make files of many sizes, as a home folder has them: most small, most bytes in large ones; ``size`` in all."""
    source = random.Random(3)
    root.mkdir(parents=True)
    left, number = size, 0
    block = source.randbytes(_BLOCK)
    while left > 0:
        kind = source.random()
        top = 20_000 if kind < 0.8 else 2_000_000 if kind < 0.98 else 40_000_000
        length = min(left, source.randrange(max(2, min(top, size // 20))))
        folder = root / f"{number % 7}" / f"{number % 41}"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{number}.bin", "wb") as stream:
            stream.write(b"%016d" % number)
            for begin in range(0, length, _BLOCK):
                stream.write(block[: min(_BLOCK, length - begin)])
        left -= length + 16
        number += 1


def copy_with_other_paths(src: Path, dst: Path) -> None:
    """Copy a tree, times included, but give three of ten files another folder and another name."""
    subprocess.run(["cp", "-a", src, dst], check=True)
    elsewhere = dst / "elsewhere"
    elsewhere.mkdir()
    files = sorted(path for path in dst.rglob("*") if path.is_file())
    for number, path in enumerate(files):
        if number % 10 < 3:
            path.rename(elsewhere / f"was {number:07}.dat")
