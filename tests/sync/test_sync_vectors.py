"""What rclone does with small trees, case by case, through our own command line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from omnistorage.cli import _exits
from omnistorage.cli._group import cli

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "sync.json").read_text("utf-8"))[
    "cases"
]

NOT_YET: dict[str, str] = {
    "--refresh-times": "not planned for the first release",
}
"""Flags that no transfer command knows yet; the day one does, its cases have to pass."""

FILE_LIST = "a\nn/b\ny/z\n"

Tree = dict[str, Any]


def _missing_flag(case: dict[str, Any]) -> str | None:
    return next((flag for flag in case["flags"] if flag in NOT_YET), None)


BUILT = [case for case in CASES if _missing_flag(case) is None]


@pytest.fixture(autouse=True)
def _quiet_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(tmp_path / "empty.toml"))


def _text(text: str) -> bytes:
    many = re.fullmatch(r"<(.) \* (\d+)>", text)
    return (many[1] * int(many[2]) if many else text).encode()


def _make(root: Path, trees: dict[str, Tree]) -> None:
    for folder, tree in trees.items():
        (root / folder).mkdir()
        for name, held in tree.items():
            place = root / folder / name
            if held is None:
                place.mkdir(parents=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(_text(held[0]))
            os.utime(place, (held[1], held[1]))
        for above, _, _ in os.walk(root / folder):
            os.utime(above, (1700000000, 1700000000))


def _look(folder: Path) -> Tree | str:
    """Describe a folder as the cases do: files, and the directories that hold nothing."""
    if not folder.exists():
        return "ABSENT"
    tree: Tree = {}
    for above, dirs, files in os.walk(folder):
        here = Path(above)
        if not dirs and not files and here != folder:
            tree[f"{here.relative_to(folder).as_posix()}/"] = None
        for name in files:
            place = here / name
            tree[place.relative_to(folder).as_posix()] = [place.read_bytes(), int(place.stat().st_mtime)]
    return tree


def _wanted(tree: Tree | str) -> Tree | str:
    if isinstance(tree, str):
        return tree
    return {name: held if held is None else [_text(held[0]), held[1]] for name, held in tree.items()}


def _without(tree: Tree | str, folder: str, ignored: list[str]) -> Tree | str:
    """Leave out entries that may be anything."""
    if isinstance(tree, str):
        return tree
    gone = [path.partition("/")[2] for path in ignored if path.partition("/")[0] == folder]
    return {
        name: held
        for name, held in tree.items()
        if not any(name.rstrip("/") == path or name.startswith(path + "/") for path in gone)
    }


def _timeless(tree: Tree | str, folder: str, names: list[str]) -> Tree | str:
    if isinstance(tree, str):
        return tree
    return {
        name: [held[0], None] if f"{folder}/{name}" in names and held is not None else held
        for name, held in tree.items()
    }


def _code_fits(code: int, wanted: object) -> bool:
    if wanted == "nonzero":
        return code not in (0, 2, 3, 4)
    return code in wanted if isinstance(wanted, list) else code == wanted


def _run(case: dict[str, Any], root: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    _make(root, case["initial"])
    (root / "FF").write_text(FILE_LIST)
    flags = [str(root / flag[1:]) if flag.startswith("@") else flag for flag in case["flags"]]
    code = _exits.run(cli, [case["cmd"], f"{root}/{case['src']}", f"{root}/{case['dst']}", *flags])
    return code, capsys.readouterr().out.splitlines()


def _differences(expect: dict[str, Any], code: int, lines: list[str], root: Path) -> list[str]:
    found = [] if _code_fits(code, expect["rc"]) else [f"exit code {code}, not {expect['rc']}"]
    ignored, any_time = expect.get("ignore", []), expect.get("mtime_any", [])
    for folder, tree in expect.get("final", {}).items():
        actual = _timeless(_without(_look(root / folder), folder, ignored), folder, any_time)
        wanted = _timeless(_without(_wanted(tree), folder, ignored), folder, any_time)
        if actual != wanted:
            found.append(f"{folder} is {actual}, not {wanted}")
    if "stdout" in expect and sorted(lines) != sorted(expect["stdout"]):
        found.append(f"stdout is {sorted(lines)}, not {sorted(expect['stdout'])}")
    for folders, texts in expect.get("holds", {}).items():
        trees = [_look(root / folder) for folder in folders.split("+")]
        held = {one[0] for tree in trees if isinstance(tree, dict) for one in tree.values() if one is not None}
        found += [f"{text!r} is not in {folders}" for text in texts if _text(text) not in held]
    return found


@pytest.mark.parametrize("case", BUILT, ids=[case["name"] for case in BUILT])
def test_does_what_rclone_does(case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each recorded case ends with the same trees, exit code and output, or with one of those that are right."""
    expect = case["expect"]
    code, lines = _run(case, tmp_path, capsys)
    missed = [_differences(one, code, lines, tmp_path) for one in expect.get("alternatives", [expect])]

    assert min(missed, key=len) == []


@pytest.mark.parametrize("flag", NOT_YET)
def test_what_is_not_built_is_refused(flag: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A flag that is not built yet is a wrong usage and changes nothing; one that is built leaves the table."""
    _make(tmp_path, {"s": {"a": ["1", 1700000000]}, "d": {"b": ["2", 1700000000]}})
    code = _exits.run(cli, ["sync", f"{tmp_path}/s", f"{tmp_path}/d", flag])

    assert "No such option" in capsys.readouterr().err
    assert code == _exits.USAGE
    assert _look(tmp_path / "d") == {"b": [b"2", 1700000000]}


def test_every_case_is_run() -> None:
    """No case is lost between the tables."""
    waiting = [case for case in CASES if _missing_flag(case) is not None]

    assert len(BUILT) + len(waiting) == len(CASES)
    assert {flag for case in waiting for flag in case["flags"]} >= set(NOT_YET)
