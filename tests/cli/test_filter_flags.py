"""The flags of filters through commands: every recorded case of rclone, and where filters are refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli_runs import Ran, Run

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "filter.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the recorded cases, on disk."""
    root = tmp_path_factory.mktemp("recorded")
    for path in VECTORS["tree"]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x" * VECTORS["sizes"].get(path, VECTORS["default_size"]))
    return root


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["name"] for case in VECTORS["cases"]])
def test_lists_what_rclone_lists(case: dict[str, Any], recorded: Path, run: Run, tmp_path: Path) -> None:
    """Each recorded case gives the same names and the same exit code, and the rules can be explained and dumped."""
    (tmp_path / "rules").write_text(case.get("file", ""), "utf-8", newline="")
    flags = [str(tmp_path / "rules") if text == "@FILE@" else text for text in case["args"]]
    ran = run("lsf", "-R", "--files-only", recorded, *flags)

    assert ran.code == case["expect"]["rc"], ran.err
    assert sorted(ran.out.splitlines()) == sorted(case["expect"]["files"])
    assert run("filter", "dump", *flags).code == case["expect"]["rc"]


def test_no_recorded_case_is_left_out() -> None:
    """All cases are run, and none of them needs a deviation."""
    assert len(VECTORS["cases"]) == 95
    assert not [case for case in VECTORS["cases"] if "deviation" in case]


FROM = {
    "--include-from": b"/a.txt\n",
    "--exclude-from": b"# b\nb/\n",
    "--filter-from": b"+ a.txt\r\n- *\r\n",
    "--files-from": b" a.txt \n",
    "--files-from-raw": b"a.txt",
    "--files-from0": b"a.txt\0",
}


@pytest.mark.parametrize("flag", FROM)
def test_rules_come_from_standard_input(flag: str, run: Run, tree: Path) -> None:
    """A dash is standard input, for each flag that reads a file."""
    assert run("lsf", "-R", "--files-only", tree, flag, "-", stdin=FROM[flag]) == (0, "a.txt\n", "")


def test_missing_file_of_rules_is_one_line(run: Run, tree: Path) -> None:
    """A file of rules that is not there is said by its name, before anything is done."""
    for flag in FROM:
        ran = run("delete", tree, flag, "nope.txt")

        assert ran == (1, "", "omnistorage: nope.txt: No such file or directory\n")
    assert (tree / "a.txt").exists()


READING = ["lsf", "ls", "lsl", "lsd", "lsjson", "size", "md5sum", "cat", "tree"]


@pytest.mark.parametrize("command", [*READING, "delete"])
def test_filters_are_refused_for_a_single_file(command: str, run: Run, tree: Path) -> None:
    """A filter would be ignored there, which its user does not expect: exit 1, and nothing is printed or done."""
    for flags in (["--exclude", "x"], ["--max-size", "1G"], ["--exclude-if-present", "x"], ["--hash-filter", "0/1"]):
        ran = run(command, tree / "a.txt", *flags)

        assert (ran.code, ran.out) == (1, "")
        assert ran.err == "omnistorage: filters cannot be used with a single file; name its folder\n"
    assert (tree / "a.txt").exists()


@pytest.mark.parametrize("command", READING)
def test_what_leaves_out_nothing_is_fine_for_a_single_file(command: str, run: Run, tree: Path) -> None:
    """A depth, and rules that were forgotten, say nothing about a file that was named."""
    alone = run(command, tree / "a.txt")

    assert alone.code == 0
    for flags in (["--max-depth", "1"], ["--filter", "!"], ["--ignore-case"], ["--max-size", "off"]):
        assert run(command, tree / "a.txt", *flags) == alone


@pytest.mark.parametrize("command", ["copyto", "moveto"])
def test_filters_are_refused_for_a_single_file_with_a_new_name(command: str, run: Run, tree: Path) -> None:
    """As in rclone, copyto and moveto refuse what copy and move ignore."""
    ran = run(command, tree / "a.txt", "new/name", "--exclude", "a.txt")

    assert ran == (1, "", "omnistorage: filters cannot be used with a single file; name its folder\n")
    assert (tree / "a.txt").exists()
    assert not Path("new").exists()


@pytest.mark.parametrize("command", ["copy", "move", "sync"])
def test_filters_do_not_stop_a_single_file_that_was_named(command: str, run: Run, tree: Path) -> None:
    """Who names one file means it, whatever the filter says."""
    ran = run(command, tree / "a.txt", "new", "--exclude", "a.txt", "--max-size", "0")

    assert (ran.code, ran.err) == (0, "")
    assert Path("new/a.txt").read_bytes() == b"hello"


def test_purge_takes_no_filters(run: Run, tree: Path) -> None:
    """It would remove what the filter spares; a depth is no better."""
    for flags in (["--exclude", "*.txt"], ["--max-depth", "1"]):
        assert run("purge", tree, *flags).code == 1
    assert (tree / "a.txt").exists()


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ("--max-depth 2", ["a.txt", "b/", "b/.hid", "b/c.bin", "b/e/", "empty/"]),
        ("--max-depth 1", ["a.txt", "b/", "empty/"]),
        ("--max-depth 2 --files-only --exclude .*", ["a.txt", "b/c.bin"]),
    ],
)
def test_depth_goes_for_listings_without_recursion(flags: str, lines: list[str], run: Run, tree: Path) -> None:
    """Who asks for two levels gets two, with and without -R."""
    assert run("lsf", tree, *flags.split()).out.splitlines() == lines


def test_flags_of_filters_may_stand_before_the_command(run: Run, tree: Path) -> None:
    """The value of such a flag is not taken for the command."""
    assert (
        run("--exclude", "b/", "--max-depth", "1", "--filter-from", os.devnull, "lsf", tree).out == "a.txt\nempty/\n"
    )


def _sync(run: Run, *flags: str) -> tuple[Ran, list[str]]:
    for path, data in {"src/a": "1", "src/b.log": "2", "dst/b.log": "x", "dst/c.log": "3", "dst/d/e": "4"}.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(data)
    ran = run("sync", "src", "dst", *flags)
    return ran, sorted(path.relative_to("dst").as_posix() for path in Path("dst").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (["--exclude", "*.log"], ["a", "b.log", "c.log"]),
        (["--exclude", "*.log", "--delete-excluded"], ["a"]),
        (["--max-depth", "1"], ["a", "b.log", "d/e"]),
        (["--max-depth", "1", "--delete-excluded"], ["a", "b.log"]),
        (["--max-size", "0"], ["b.log", "c.log", "d/e"]),
    ],
)
def test_excluded_files_are_kept_unless_asked_for(flags: list[str], left: list[str], run: Run) -> None:
    """A sync deletes nothing that the filter leaves out, unless it is told to."""
    flags = [*flags, "--allow-empty-source"]
    ran, found = _sync(run, *flags)

    assert (ran.code, found) == (0, left)


def test_list_of_files_limits_deletes(run: Run, tmp_path: Path) -> None:
    """Files of the list that the source lacks are deleted; nothing else is."""
    (tmp_path / "list").write_text("a\nc.log\n")
    ran, found = _sync(run, "--files-from", "list")

    assert (ran.code, found) == (0, ["a", "b.log", "d/e"])
