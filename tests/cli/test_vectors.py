"""What rclone does, case by case: ``tests/vectors/commands.json``; its README says what the fields mean."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli_runs import Ran, Run

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "commands.json").read_text())["cases"]

LATER = ("bisync",)
"""Classes of cases that are not run, by the beginning of their names: two-way sync is not built yet."""

DIR_TIME = 1_700_000_000

Trees = dict[str, Any]


def _chosen() -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in CASES if not case["class"].startswith(LATER)]


@pytest.mark.parametrize("case", _chosen())
def test_like_rclone(case: dict[str, Any], tmp_path: Path, run: Run) -> None:
    """The same command on the same tree gives the output, the exit code and the trees that rclone gives."""
    root = tmp_path / "case"
    for folder, entries in case["initial"].items():
        _make(root / folder, entries)
    runs = [(step, ran) for step in case["steps"] if (ran := _do(root, step, run)) is not None]

    wanted = [case["expect"], *case["expect"].get("alternatives", [])]
    faults = [_faults(expect, runs, root) for expect in wanted]
    assert [] in faults, faults


def test_every_case_is_run_or_named() -> None:
    """Only two-way sync is left out."""
    left_out = {case["class"] for case in CASES if case["class"].startswith(LATER)}

    assert left_out == {"bisync-changes", "bisync-conflicts", "bisync-guards", "bisync-start"}
    assert len(_chosen()) == 79


def _make(folder: Path, entries: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, entry in entries.items():
        place = folder / name
        if entry is None:
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        text, when = entry
        place.write_bytes(_expanded(text).encode())
        os.utime(place, ns=(round(when * 10) * 10**8,) * 2)
    for place in (*folder.rglob("*"), folder):
        if place.is_dir():
            os.utime(place, (DIR_TIME, DIR_TIME))


def _expanded(text: str) -> str:
    if text.startswith("<x * ") and text.endswith(">"):
        return "x" * int(text[5:-1])
    return text


def _do(root: Path, step: dict[str, Any], run: Run) -> Ran | None:
    if "write" in step:
        for folder, entries in step["write"].items():
            _make(root / folder, entries)
    if "delete" in step:
        for path in step["delete"]:
            (root / path).unlink()
    if "run" not in step:
        return None
    args = [str(root / arg[1:]) if arg.startswith("@") else arg for arg in step["run"]]
    return run(*args, stdin=step.get("stdin", ""))


def _faults(expect: dict[str, Any], runs: list[tuple[dict[str, Any], Ran]], root: Path) -> list[str]:
    """Return in words what is not as expected."""
    faults: list[str] = []
    for number, (step, ran) in enumerate(runs):
        wanted = expect["rcs"][number] if "rcs" in expect else expect["rc"]
        if not _code_fits(ran.code, wanted):
            faults.append(f"exit code {ran.code}, want {wanted}: {ran.err}")
        lines = expect["outs"][number] if "outs" in expect else None
        if lines is not None and sorted(_lines(step["run"], ran.out)) != sorted(lines):
            faults.append(f"output {_lines(step['run'], ran.out)}, want {lines}")
    ignored = tuple(expect.get("ignore", ()))
    for folder, entries in expect.get("final", {}).items():
        if folder in expect.get("counts", {}):
            continue
        found = _found(root / folder, folder, expect.get("mtime_any", []), ignored)
        if found != _wanted(entries, folder, expect.get("mtime_any", []), ignored):
            faults.append(f"tree {folder}: {found}, want {entries}")
    for folder, count in expect.get("counts", {}).items():
        files = [place for place in (root / folder).rglob("*") if place.is_file()]
        if len(files) != count:
            faults.append(f"{len(files)} files in {folder}, want {count}")
    for folders, contents in expect.get("holds", {}).items():
        held = {
            place.read_text()
            for folder in folders.split("+")
            for place in (root / folder).rglob("*")
            if place.is_file()
        }
        faults += [f"{text!r} is not in {folders}" for text in contents if _expanded(text) not in held]
    return faults


def _code_fits(code: int, wanted: Any) -> bool:
    if wanted == "nonzero":
        return code not in (0, 2, 3, 4)
    return code in wanted if isinstance(wanted, list) else code == wanted


def _lines(args: list[str], out: str) -> list[str]:
    """Return what the recorded cases hold of an output."""
    command = args[0]
    if command == "cat":
        return [out]
    if command == "lsjson":
        read = json.loads(out)
        rows = read if isinstance(read, list) else [read]
        return [
            json.dumps(
                [row["Path"], row["Name"], "#" if row["IsDir"] else row["Size"], row["ModTime"], row["IsDir"]],
                ensure_ascii=False,
            )
            for row in rows
        ]
    if command == "lsd":
        return ["# " + line.split(None, 1)[1] for line in out.splitlines()]
    if command == "size" and "--json" in args:
        read = json.loads(out)
        return [f"count={read['count']} bytes={read['bytes']}"]
    return out.splitlines()


def _found(folder: Path, name: str, any_time: list[str], ignored: tuple[str, ...]) -> Trees | str:
    """Return a tree as the cases have it: files with text and whole seconds, and directories that hold nothing."""
    if not folder.is_dir():
        return "ABSENT"
    found: Trees = {}
    for place in folder.rglob("*"):
        path = place.relative_to(folder).as_posix()
        if _is_below(f"{name}/{path}", ignored):
            continue
        if place.is_dir():
            if not any(place.iterdir()):
                found[path + "/"] = None
        else:
            when = None if f"{name}/{path}" in any_time else int(place.stat().st_mtime)
            found[path] = [place.read_text(), when]
    return found


def _wanted(entries: Trees | str, name: str, any_time: list[str], ignored: tuple[str, ...]) -> Trees | str | _Tree:
    if isinstance(entries, str):
        return entries
    kept = {path: entry for path, entry in entries.items() if not _is_below(f"{name}/{path}", ignored)}
    return _Tree(
        {
            path: None if entry is None else [_expanded(entry[0]), None if f"{name}/{path}" in any_time else entry[1]]
            for path, entry in kept.items()
        }
    )


class _Tree:
    """A tree in which a time of None is any time."""

    def __init__(self, entries: Trees) -> None:
        self._entries = entries

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, dict) or other.keys() != self._entries.keys():
            return False
        for path, wanted in self._entries.items():
            found = other[path]
            if (wanted is None) != (found is None):
                return False
            if wanted is not None and (found[0] != wanted[0] or wanted[1] not in (None, found[1])):
                return False
        return True

    __hash__ = None  # type: ignore[assignment]


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any((path.rstrip("/") + "/").startswith(folder.rstrip("/") + "/") for folder in folders)
