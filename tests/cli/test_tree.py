"""``omnistorage tree``; the drawings are those of rclone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cli_runs import Run

_PLAIN = """\
/
├── a.txt
├── b
│   ├── c.bin
│   └── e
│       └── f
└── empty

3 directories, 3 files
"""

_SIZES = """\
[       1506]  /
├── [          5]  a.txt
├── [       1501]  b
│   ├── [          1]  .hid
│   ├── [       1500]  c.bin
│   └── [          0]  e
│       └── [          0]  f
└── [          0]  empty

3 directories, 4 files
"""


@pytest.mark.parametrize(
    ("flags", "drawing"),
    [
        ("", _PLAIN),
        ("-as", _SIZES),
        ("-d", "/\n├── b\n│   └── e\n└── empty\n\n3 directories\n"),
        ("--level 1", "/\n├── a.txt\n├── b\n└── empty\n\n2 directories, 1 files\n"),
        ("--level 1 --dirsfirst --noreport", "/\n├── b\n├── empty\n└── a.txt\n"),
        ("--level 1 -r --noreport", "/\n├── empty\n├── b\n└── a.txt\n"),
        ("--level 1 -Q --noreport", '"/"\n├── "a.txt"\n├── "b"\n└── "empty"\n'),
        ("--noindent --full-path --noreport", "/\n/a.txt\n/b\n/b/c.bin\n/b/e\n/b/e/f\n/empty\n"),
        ("-D --files-from list", "/\n└── [Nov 14 22:13]  a.txt\n\n0 directories, 1 files\n"),
        ("--sort size --noreport --max-depth 1", "/\n├── b\n├── empty\n└── a.txt\n"),
    ],
)
def test_drawing(run: Run, tree: Path, tmp_path: Path, flags: str, drawing: str) -> None:
    """Each flag draws what rclone draws."""
    (tmp_path / "list").write_text("a.txt\n")
    ran = run("tree", *flags.split(), tree)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == drawing


def test_names_sort_as_names(run: Run, tmp_path: Path) -> None:
    """A directory stands where its name belongs, which is not the order of listings."""
    (tmp_path / "t" / "b").mkdir(parents=True)
    (tmp_path / "t" / "b.txt").touch()

    assert run("tree", "t", "--noreport").out == "/\n├── b\n└── b.txt\n"


def test_output_file(run: Run, tree: Path, tmp_path: Path) -> None:
    """With -o the drawing is in the file, and nothing is printed."""
    ran = run("tree", tree, "-o", "drawing")

    assert ran.out == ""
    assert (tmp_path / "drawing").read_text() == _PLAIN


def test_deep(run: Run, tmp_path: Path) -> None:
    """A tree may be deeper than Python's stack."""
    here = os.getcwd()
    os.mkdir("deep")
    os.chdir("deep")
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(here)
    ran = run("tree", "deep", "--noindent")
    # pytest removes folders by recursion, and would fail on this one some runs later.
    subprocess.run(["rm", "-rf", "deep"], check=True)

    assert ran.code == 0
    assert ran.out.endswith("\n\n1200 directories, 0 files\n")
