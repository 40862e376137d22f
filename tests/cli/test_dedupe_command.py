"""``omnistorage dedupe``."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_runs import Ran, Run, refuse

WHEN = 1_700_000_000

TREE = {
    "a.txt": b"one",
    "b/a.txt": b"one",
    "b/x": b"two",
    "c": b"one",
    "d": b"two",
    "empty": b"",
    "void": b"",
    "z": b"1",
}


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    """A folder with three equal files, two others that are equal, two empty ones, and one that is alone.

    Each is a second younger than the one before in path order.
    """
    root = tmp_path / "twins"
    for at, (name, data) in enumerate(TREE.items()):
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        os.utime(place, (WHEN + at, WHEN + at))
    return root


def _held(root: Path) -> dict[str, bytes]:
    return {place.relative_to(root).as_posix(): place.read_bytes() for place in root.rglob("*") if place.is_file()}


def _said(ran: Ran) -> list[str]:
    """Return what was logged, without times."""
    return [line[20:] for line in ran.err.splitlines() if line[:2] == "20"]


_LIST = """\
HASH: 3 duplicates, 6 B wasted
  1:            3 bytes, 2023-11-14 22:13:20.000000000, a.txt
  2:            3 bytes, 2023-11-14 22:13:21.000000000, b/a.txt
  3:            3 bytes, 2023-11-14 22:13:23.000000000, c
HASH: 2 duplicates, 3 B wasted
  1:            3 bytes, 2023-11-14 22:13:22.000000000, b/x
  2:            3 bytes, 2023-11-14 22:13:24.000000000, d
Total: 2 groups, 3 duplicates, 9 B wasted
"""


def _without_hashes(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(
        "HASH" + line[line.index(":") :] if " duplicates" in line[32:] and line[0] != "T" else line for line in lines
    )


def test_list(run: Run, twins: Path) -> None:
    """Groups are printed with their objects and with what they waste, and at the end the sum; nothing is changed."""
    ran = run("dedupe", "list", twins)

    assert (ran.code, ran.err) == (0, "")
    assert _without_hashes(ran.out) == _LIST
    assert _held(twins) == TREE


def test_list_names_of_one_file(run: Run, twins: Path) -> None:
    """Hard links stand below the file that they are names of, and are said to be no duplicates."""
    os.link(twins / "a.txt", twins / "again")
    ran = run("dedupe", "list", twins)

    assert "a.txt\n                  the same file: again\n  2:" in ran.out
    assert "3 duplicates, 6 B wasted" in ran.out
    assert _said(ran) == ["NOTICE: 1 name of files seen before (hard links), which are no duplicates"]


def test_list_as_json(run: Run, twins: Path) -> None:
    """The groups and the sum are one JSON object, also if there are none."""
    os.link(twins / "c", twins / "e")
    full = json.loads(run("dedupe", "list", twins, "--json").out)
    none = json.loads(run("dedupe", "list", twins / "b", "--json").out)

    assert [(group["files"], group["size"], group["wasted"]) for group in full["found"]] == [(3, 3, 6), (2, 3, 3)]
    assert full["found"][0]["objects"][2] == {
        "path": "c",
        "size": 3,
        "modified": "2023-11-14T22:13:23Z",
        "links": ["e"],
    }
    assert len(full["found"][0]["blake3"]) == 64
    assert (full["groups"], full["duplicates"], full["wasted"], full["links"], full["failures"]) == (2, 3, 9, 1, [])
    assert (none["found"], none["groups"]) == ([], 0)


_KEPT = {
    "first": {"a.txt", "b/x"},
    "oldest": {"a.txt", "b/x"},
    "newest": {"c", "d"},
    "largest": {"a.txt", "b/x"},
    "smallest": {"a.txt", "b/x"},
}


@pytest.mark.parametrize("mode", _KEPT)
@pytest.mark.parametrize("flag", [False, True])
def test_keep_one(run: Run, twins: Path, mode: str, flag: bool) -> None:
    """The mode stands before the place, or in a flag; empty files stay, as does what is alone."""
    words = ["--dedupe-mode", mode.upper(), twins, "--by-hash"] if flag else [mode.upper(), twins]
    ran = run("dedupe", *words)

    assert (ran.code, ran.out) == (0, "")
    assert _said(ran) == ["NOTICE: 3 duplicates in 2 groups", "NOTICE: 3 deleted, 9 B freed"]
    assert set(_held(twins)) == _KEPT[mode] | {"empty", "void", "z"}


def test_json(run: Run, twins: Path) -> None:
    """Other modes print their counters."""
    found = json.loads(run("dedupe", "newest", twins, "--json", "--empty").out)

    assert {name: found[name] for name in ("groups", "duplicates", "deleted", "freed", "errors", "dry_run")} == {
        "groups": 3,
        "duplicates": 4,
        "deleted": 4,
        "freed": 9,
        "errors": 0,
        "dry_run": False,
    }
    assert "found" not in found


def test_each_delete_is_told(run: Run, twins: Path) -> None:
    """With -v, each copy is named with what it is a copy of."""
    ran = run("dedupe", "first", twins, "-v")

    assert _said(ran)[:3] == [
        "INFO  : b/a.txt: deleted: has the bytes of 'a.txt'",
        "INFO  : c: deleted: has the bytes of 'a.txt'",
        "INFO  : d: deleted: has the bytes of 'b/x'",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["newest"], "a.txt: not deleted, as this is a dry run: has the bytes of 'c'"),
        (["first", "--hardlink"], "c: not made a hard link, as this is a dry run: has the bytes of 'a.txt'"),
        (["rename"], "b/a.txt: not renamed to 'b/a-2.txt', as this is a dry run"),
    ],
)
def test_dry_run(run: Run, twins: Path, words: list[str], told: str) -> None:
    """A dry run says what would be done, and does nothing."""
    ran = run("dedupe", "-n", *words, twins)

    assert (ran.code, ran.out) == (0, "")
    assert f"NOTICE: {told}" in _said(ran)
    assert _held(twins) == TREE
    assert os.stat(twins / "c").st_nlink == 1


def test_rename(run: Run, twins: Path) -> None:
    """Each object of a group gets its number, in its own folder."""
    ran = run("dedupe", "rename", twins)

    assert (ran.code, _said(ran)[-1]) == (0, "NOTICE: 5 renamed")
    assert set(_held(twins)) == {"a-1.txt", "b/a-2.txt", "c-3", "b/x-1", "d-2", "empty", "void", "z"}


def test_hardlink(run: Run, twins: Path) -> None:
    """Duplicates become names of one file; elsewhere than in a local folder that is refused."""
    ran = run("dedupe", "first", "--hardlink", twins)
    refused = run("dedupe", "first", "--hardlink", "memory://x")

    assert (ran.code, _said(ran)[-1]) == (0, "NOTICE: 3 made hard links, 9 B freed")
    assert _held(twins) == TREE
    assert os.stat(twins / "c").st_nlink == 3
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "plain folder of this machine" in refused.err


def test_filters(run: Run, twins: Path) -> None:
    """Filters say what is looked at."""
    ran = run("dedupe", "first", twins, "--include", "*.txt")

    assert ran.code == 0
    assert set(TREE) - set(_held(twins)) == {"b/a.txt"}


@pytest.mark.parametrize("limit", ["--max-delete=2", "--max-delete-size=8B"])
@pytest.mark.parametrize("dry", [(), ("-n",)])
def test_guard(run: Run, twins: Path, limit: str, dry: tuple[str, ...]) -> None:
    """More deletes than allowed: exit code 7, one line, and nothing is deleted."""
    ran = run("dedupe", "first", limit, *dry, twins)

    assert (ran.code, ran.out, ran.err.count("\n")) == (7, "", 1)
    assert "nothing was changed" in ran.err
    assert _held(twins) == TREE


def test_what_fails_is_counted(run: Run, twins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be deleted is named, the rest is done, and the exit code is 1."""
    refuse(monkeypatch, "delete", "b/a.txt")
    ran = run("dedupe", "first", twins, "--json")

    assert ran.code == 1
    assert json.loads(ran.out)["failures"] == [{"path": "b/a.txt", "error": "file delete 'b/a.txt': access denied"}]
    assert "ERROR : b/a.txt: cannot be deleted: access denied" in _said(ran)
    assert set(TREE) - set(_held(twins)) == {"c", "d"}


def test_what_cannot_be_listed(run: Run, twins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be listed is named, the rest is done, and the exit code is 1."""
    refuse(monkeypatch, "list", "b")
    ran = run("dedupe", "first", twins)

    assert ran.code == 1
    assert "ERROR : b: cannot be listed: access denied" in _said(ran)
    assert set(TREE) - set(_held(twins)) == {"c"}


def test_by_name(run: Run, twins: Path) -> None:
    """No service here has two objects of one name, which is said."""
    ran = run("dedupe", "first", "--by-name", twins)

    assert (ran.code, ran.out) == (0, "")
    assert "no known service" in _said(ran)[0]
    assert _held(twins) == TREE


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "Missing argument"),
        (("bogus", "twins"), 2, "unknown mode 'bogus'; known: interactive, skip"),
        (("first", "twins", "more"), 2, "more"),
        (("--dedupe-mode", "bogus", "twins"), 2, "bogus"),
        (("first", "twins", "--by-name", "--by-hash"), 2, "cannot both be"),
        (("first", "nope"), 3, "nope"),
        (("first", "twins/z"), 1, "is a file, not a directory"),
    ],
)
def test_wrong_use(run: Run, twins: Path, words: tuple[str, ...], code: int, told: str) -> None:
    """Each mistake is one line and has rclone's exit code; nothing is changed."""
    ran = run("dedupe", *words)

    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert told in ran.err
    assert _held(twins) == TREE


# -- asking ----------------------------------------------------------------------------------------------------


def test_answers(run: Run, twins: Path) -> None:
    """Answers may come from a file; what is no answer is asked for again."""
    ran = run("dedupe", twins, stdin="what?\nk\nnone\n9\n2\nr\n")

    assert (ran.code, ran.out) == (0, "")
    assert ran.err.count("s/k/r/q> ") == 3
    assert ran.err.count("number of the one to keep (1 to 3)> ") == 3
    assert set(_held(twins)) == {"b/a.txt", "b/x-1", "d-2", "empty", "void", "z"}


@pytest.mark.parametrize(("answers", "left"), [("s\nq\n", 8), ("q\n", 8), ("k\n1\nq\n", 6), ("s\ns\n", 8)])
def test_skip_and_quit(run: Run, twins: Path, answers: str, left: int) -> None:
    """Skipping leaves a group, quitting leaves all that follow; both are fine."""
    ran = run("dedupe", twins, stdin=answers)

    assert (ran.code, len(_held(twins))) == (0, left)


@pytest.mark.parametrize(("answers", "gone"), [("", set()), ("k\n", set()), ("k\n3\n", {"a.txt", "b/a.txt"})])
def test_answers_end(run: Run, twins: Path, answers: str, gone: set[str]) -> None:
    """When the answers end, the rest is left alone; that is said in one line, and is no success."""
    ran = run("dedupe", twins, stdin=answers)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("omnistorage: no answer: ")
    assert set(TREE) - set(_held(twins)) == gone


def test_nothing_to_ask(run: Run, twins: Path) -> None:
    """Without duplicates nobody is asked, so that nobody needs to answer."""
    ran = run("dedupe", twins / "b", stdin="")

    assert (ran.code, "s/k/r/q" in ran.err) == (0, False)


@pytest.mark.parametrize(
    ("answers", "gone"),
    [
        ("y\nn\n", {"a.txt", "b/a.txt"}),
        ("n\ny\n", {"b/x"}),
        ("!\n", {"a.txt", "b/a.txt", "b/x"}),
        ("q\n", set()),
        ("s\n", set()),
        ("y\ns\n", {"a.txt", "b/a.txt"}),
        ("hm\nn\nn\n", set()),
    ],
)
def test_confirming(run: Run, twins: Path, answers: str, gone: set[str]) -> None:
    """With -i, what the mode would do with a group is done when it is agreed to."""
    ran = run("dedupe", "-i", "newest", twins, stdin=answers)

    assert (ran.code, ran.out) == (0, "")
    assert "keep 3 and delete the others?" in ran.err
    assert set(TREE) - set(_held(twins)) == gone


def test_dry_run_of_answers(run: Run, twins: Path) -> None:
    """Who is asked in a dry run sees what his answers would do."""
    ran = run("dedupe", "-n", twins, stdin="k\n1\ns\n")

    assert "NOTICE: c: not deleted, as this is a dry run: has the bytes of 'a.txt'" in ran.err
    assert _held(twins) == TREE


def test_guard_while_asking(run: Run, twins: Path) -> None:
    """A choice that would delete more than is allowed is refused as a whole."""
    ran = run("dedupe", "--max-delete", "2", twins, stdin="k\n1\nk\n1\n")

    assert ran.code == 7
    assert set(TREE) - set(_held(twins)) == {"b/a.txt", "c"}


class Terminal:
    """The command at a terminal: what it shows can be waited for, and answered."""

    def __init__(self, *args: str | Path) -> None:
        self.screen = ""
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "omnistorage", *map(str, args)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "OMNISTORAGE_CONFIG": "", "TZ": "UTC"},
            start_new_session=True,
        )
        os.close(theirs)

    def wait_for(self, text: str, count: int = 1) -> None:
        """Read until a text is shown for the ``count``-th time."""
        until = time.monotonic() + 60
        while self.screen.count(text) < count:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, until - time.monotonic()))
            assert ready, self.screen
            self.screen += os.read(self._ours, 65536).decode()

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait(timeout=60)
        os.close(self._ours)
        return code


@pytest.fixture
def terminal() -> Any:
    """Start commands at terminals, and end what is left of them."""
    started: list[Terminal] = []

    def start(*args: str | Path) -> Terminal:
        started.append(Terminal(*args))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_at_a_terminal(terminal: Callable[..., Terminal], twins: Path) -> None:
    """A person is asked for each group, and each answer is acted upon at once."""
    at = terminal("dedupe", twins)
    at.wait_for("s/k/r/q> ")
    before = _held(twins)
    at.type("k\n")
    at.wait_for("keep (1 to 3)> ")
    at.type("2\n")
    at.wait_for("s/k/r/q> ", 2)
    between = _held(twins)
    at.type("r\n")
    code = at.end()

    assert "2:            3 bytes, 2023-11-14 22:13:21.000000000, b/a.txt" in at.screen
    assert before == TREE
    assert set(TREE) - set(between) == {"a.txt", "c"}
    assert code == 0
    assert set(_held(twins)) == {"b/a.txt", "b/x-1", "d-2", "empty", "void", "z"}


@pytest.mark.parametrize(("key", "code"), [("\x04", 1), ("\x03", 130)], ids=["end of input", "interrupt"])
def test_leaving_the_terminal(terminal: Callable[..., Terminal], twins: Path, key: str, code: int) -> None:
    """Ctrl-D and Ctrl-C leave all that was not decided on."""
    at = terminal("dedupe", twins)
    at.wait_for("s/k/r/q> ")
    at.type("s\n")
    at.wait_for("s/k/r/q> ", 2)
    if key == "\x03":
        at.process.send_signal(2)
    else:
        at.type(key)

    assert at.end() == code
    assert _held(twins) == TREE


# -- beside rclone ---------------------------------------------------------------------------------------------


def _rclone() -> str | None:
    return shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))


needs_rclone = pytest.mark.skipif(_rclone() is None and "CI" not in os.environ, reason="rclone is not installed")


def _with_rclone(*args: str | Path) -> str:
    program = _rclone()
    assert program is not None
    return subprocess.run(
        [program, "--config", "", "dedupe", "--by-hash", *map(str, args)],
        env={**os.environ, "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


@needs_rclone
@pytest.mark.parametrize("mode", ["newest", "oldest", "skip", "list"])
def test_same_as_rclone(run: Run, twins: Path, tmp_path: Path, mode: str) -> None:
    """What stays is what stays with rclone, which takes empty files for duplicates, too."""
    other = tmp_path / "other"
    shutil.copytree(twins, other)
    _with_rclone(mode, other)
    code = run("dedupe", mode, "--empty", twins).code

    assert code == 0
    assert _held(twins) == _held(other)


@needs_rclone
def test_lists_as_rclone(run: Run, twins: Path) -> None:
    """The lines of objects are rclone's; groups come in its own order, and objects in another one."""
    theirs = {
        line.partition(": ")[2]
        for line in _with_rclone("list", twins, "--min-size", "1B").splitlines()
        if line[0] == " "
    }
    ours = {line.partition(": ")[2] for line in run("dedupe", "list", twins).out.splitlines() if line[0] == " "}

    assert ours == theirs
    assert len(ours) == 5
