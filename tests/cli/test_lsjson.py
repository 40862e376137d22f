"""``omnistorage lsjson``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli_runs import Run


def _rows(text: str) -> list[dict[str, Any]]:
    rows = json.loads(text)
    assert isinstance(rows, list)
    return rows


def test_rows(run: Run, tree: Path) -> None:
    """One object per line, with rclone's keys in rclone's order."""
    ran = run("lsjson", tree, "--files-only")

    assert ran.out == (
        '[\n{"Path":"a.txt","Name":"a.txt","Size":5,"MimeType":"text/plain; charset=utf-8",'
        '"ModTime":"2023-11-14T22:13:20.000000000Z","IsDir":false}\n]\n'
    )


def test_recursive(run: Run, tree: Path) -> None:
    """All below, directories too; Name is the last part of Path."""
    rows = _rows(run("lsjson", "-R", tree).out)

    assert [row["Path"] for row in rows] == ["a.txt", "b", "b/.hid", "b/c.bin", "b/e", "b/e/f", "empty"]
    assert all(row["Name"] == row["Path"].rpartition("/")[2] for row in rows)


def test_empty(run: Run, tree: Path) -> None:
    """An empty directory is an empty list, as rclone writes it."""
    assert run("lsjson", tree / "empty").out == "[\n]\n"


def test_left_out(run: Run, tree: Path) -> None:
    """Times become empty, MIME types go."""
    row = _rows(run("lsjson", tree, "--files-only", "--no-modtime", "--no-mimetype").out)[0]

    assert row == {"Path": "a.txt", "Name": "a.txt", "Size": 5, "ModTime": "", "IsDir": False}


def test_hashes(run: Run, tree: Path) -> None:
    """The named hashes, or all but the slow one."""
    some = _rows(run("lsjson", tree, "--files-only", "--hash-type", "MD5", "--hash-type", "xxh3").out)[0]["Hashes"]
    every = _rows(run("lsjson", tree, "--files-only", "--hash").out)[0]["Hashes"]

    assert some == {"md5": "5d41402abc4b2a76b9719d911017c592", "xxh3": "9555e8555c62dcfd"}
    assert every["quickxor"] == "6828031bd8f00600000000000500000000000000"
    assert "whirlpool" not in every
    assert len(every) == 13


def test_stat(run: Run, tree: Path) -> None:
    """One object about the place itself, indented by tabs."""
    file = run("lsjson", "--stat", tree / "b" / "c.bin")
    folder = run("lsjson", "--stat", tree / "b")

    assert json.loads(file.out)["Path"] == "c.bin"
    assert json.loads(folder.out) | {"ModTime": ""} == {
        "Path": "",
        "Name": "",
        "Size": -1,
        "MimeType": "inode/directory",
        "ModTime": "",
        "IsDir": True,
    }
    assert file.out.startswith('{\n\t"Path": "c.bin",\n')


@pytest.mark.parametrize("flags", [(), ("--stat",), ("-R",)])
def test_missing_prints_nothing(run: Run, flags: tuple[str, ...]) -> None:
    """A missing place leaves stdout empty rather than half a list."""
    ran = run("lsjson", *flags, "nope")

    assert (ran.code, ran.out) == (3, "")


def test_odd_names(run: Run, tmp_path: Path) -> None:
    """Control characters are escaped, and bytes that are no UTF-8 replaced: it is JSON for every reader."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / 'a"}\n{b').touch()
    (tmp_path / "odd" / "c").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd/\xff")).touch()
    ran = run("lsjson", "odd", "--no-mimetype", "--no-modtime")

    assert sorted(row["Path"] for row in _rows(ran.out)) == ['a"}\n{b', "c", "\ufffd"]
    assert len(ran.out.splitlines()) == 5
