"""``omnistorage filter``: why a path is selected or not, and what rules become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_runs import Run


def test_rule_is_told_with_its_file_and_line(run: Run, tmp_path: Path) -> None:
    """Of a rule in a file, the line is told: comments and blanks are lines, too."""
    (tmp_path / "rules.txt").write_text("# what goes\n\n*.log\n  *.tmp\n")
    ran = run("filter", "explain", "x/a.tmp", "--exclude-from", "rules.txt")

    assert ran == (1, "left out: x/a.tmp: rule '- *.tmp' (--exclude-from rules.txt:4)\n", "")


@pytest.mark.parametrize(
    ("flags", "code", "line"),
    [
        ("a.py", 0, "selected: a.py: no rule matches"),
        ("a.py --include *.py", 0, "selected: a.py: rule '+ *.py' (--include)"),
        ("./a.c --include *.py", 1, "left out: a.c: no include matches"),
        ("b/x --filter=-\u00a0b/", 1, "left out: b/x: the walk does not enter 'b': rule '- b/' (--filter)"),
        ("b/ --include /a/*", 1, "left out: b: no include leads there"),
        ("b --dir --exclude b/", 1, "left out: b: rule '- b/' (--exclude)"),
        ("b --exclude b/", 0, "selected: b: no rule matches"),
        ("a/b/c --max-depth 2", 1, "left out: a/b/c: below 2 levels (--max-depth)"),
        ("a --size 2k --max-size 1k", 1, "left out: a: larger than 1 KiB (--max-size)"),
        ("a --size 2k --min-size 1G", 1, "left out: a: smaller than 1 GiB (--min-size)"),
        ("a --size 1k --max-size 1k", 0, "selected: a: no rule matches"),
        (
            "a --mtime 2020-01-01T00:00:00Z --max-age 2021-01-01T00:00:00Z",
            1,
            "left out: a: changed before 2021-01-01 00:00:00 +0000 UTC (--max-age)",
        ),
        (
            "a --mtime 2022-01-01 --min-age 2021-01-01",
            1,
            "left out: a: changed after 2021-01-01 00:00:00 +0000 UTC (--min-age)",
        ),
        ("a --mtime 2h --min-age 1h --max-age 3h", 0, "selected: a: no rule matches"),
        ("f --hash-filter 1/3", 1, "left out: f: in part 0/3, wanted is 1/3 (--hash-filter)"),
        ("a.no --ignore-case --exclude *.NO", 1, "left out: a.no: rule '- *.NO' (--exclude)"),
        ("/ --include x", 0, "selected: /: the root is always walked"),
    ],
)
def test_why(run: Run, flags: str, code: int, line: str) -> None:
    """One line says what decides and which flag that was; the exit code says whether the path is selected."""
    ran = run("filter", "explain", *(flag.replace("\u00a0", " ") for flag in flags.split(" ")))

    assert ran == (code, line + "\n", "")


@pytest.mark.parametrize(
    ("path", "code", "why"),
    [("a", 0, "in the list of files"), ("b", 1, "not in the list of files"), ("d/", 0, "above a file of the list")],
)
def test_list_of_files(run: Run, tmp_path: Path, path: str, code: int, why: str) -> None:
    """A list of files decides on its own."""
    (tmp_path / "list").write_bytes(b"a\0d/e\0")
    ran = run("filter", "explain", path, "--files-from0", "list")

    assert ran.code == code
    assert f": {why} (--files-from)" in ran.out


def test_json_has_all_that_is_known(run: Run, tmp_path: Path) -> None:
    """A script finds the rule, its place, and where the walk ends, each under its own name."""
    (tmp_path / "rules").write_text("# one\n- cache/\n+ *.py\n")
    ran = run("filter", "explain", "x/cache/y/a.txt", "--filter-from", "rules", "--min-size", "1", "--json")

    assert ran.code == 1
    assert json.loads(ran.out) == {
        "path": "x/cache/y/a.txt",
        "kind": "file",
        "selected": False,
        "cause": "rule",
        "why": "the walk does not enter 'x/cache': rule '- cache/'",
        "rule": "- cache/",
        "flag": "--filter-from",
        "file": "rules",
        "line": 2,
        "stopped_at": "x/cache",
        "unchecked": ["size"],
    }


def test_what_is_not_known_is_told(run: Run) -> None:
    """A limit that cannot be looked at is no reason, and this is said beside the answer."""
    ran = run("filter", "explain", "a", "--min-size", "1M", "--max-age", "1d", "--exclude-if-present", ".no")

    assert (ran.code, ran.out) == (0, "selected: a: no rule matches\n")
    assert [line.partition(": a: ")[2].partition(" not ")[0] for line in ran.err.splitlines()] == [
        "its size is",
        "its time is",
        "marker files were",
    ]
    assert run("-q", "filter", "explain", "a", "--min-size", "1M").err == ""


def test_looks_into_a_place(run: Run, tree: Path) -> None:
    """In a place, size, time, kind and markers are those of what is there."""
    (tree / "b" / ".nosync").touch()
    marked = run("filter", "explain", "b/e/f", "--in", tree, "--exclude-if-present", ".nosync")
    small = run("filter", "explain", "a.txt", "--in", tree, "--min-size", "1k")
    old = run("filter", "explain", "a.txt", "--in", tree, "--max-age", "1d")
    itself = run(
        "filter", "explain", "b", "--in", tree, "--exclude-if-present", "x", "--exclude-if-present", ".nosync"
    )
    fine = run("filter", "explain", "b", "--in", tree, "--exclude", "b", "--min-size", "1G")

    assert marked == (
        1,
        "left out: b/e/f: the walk does not enter 'b': it holds '.nosync' (--exclude-if-present)\n",
        "",
    )
    assert small == (1, "left out: a.txt: smaller than 1 KiB (--min-size)\n", "")
    assert old.out.startswith("left out: a.txt: changed before ")
    assert itself == (1, "left out: b: it holds '.nosync' (--exclude-if-present)\n", "")
    assert fine == (0, "selected: b: no rule matches\n", "")


def test_marker_in_root_leaves_out_all(run: Run, tree: Path) -> None:
    """The root is a directory like others to a marker; a rule above a marker is told instead of it."""
    (tree / ".nosync").touch()
    root = run("filter", "explain", "b/c.bin", "--in", tree, "--exclude-if-present", ".nosync", "--json")
    rule = run("filter", "explain", "b/c.bin", "--in", tree, "--exclude-if-present", "c.bin", "--exclude", "b/")

    facts = json.loads(root.out)
    assert (facts["cause"], facts["stopped_at"], facts["why"]) == ("marker", "", "the root holds '.nosync'")
    assert "rule '- b/'" in rule.out


def test_what_is_not_there_has_codes_of_its_own(run: Run, tree: Path) -> None:
    """A missing path is 4 and a missing place 3, so that neither looks like a path that is left out."""
    missing = run("filter", "explain", "nope", "--in", tree)
    below = run("filter", "explain", "a.txt/x", "--in", tree)
    place = run("filter", "explain", "a", "--in", tree / "nope")
    both = run("filter", "explain", "a.txt", "--in", tree, "--size", "1")

    assert (missing.code, below.code, place.code, both.code) == (4, 4, 3, 2)
    assert all(len(ran.err.splitlines()) == 1 and not ran.out for ran in (missing, below, place, both))


def test_dump_is_that_of_the_flag(run: Run, tree: Path) -> None:
    """The dump goes to stdout, and is the text that --dump filters writes beside a listing."""
    flags = ["--filter", "- *.tmp", "--min-size", "1k", "--exclude", "b/"]
    ran = run("filter", "dump", *flags)

    assert ran.code == 0
    assert ran.out.splitlines()[2:4] == ["--- File filter rules ---", "- (^|/)b/.*$"]
    assert run("lsf", tree, *flags, "--dump", "filters").err == ran.out


def test_bad_rule_is_one_line(run: Run) -> None:
    """What is no rule is said as everywhere."""
    ran = run("filter", "explain", "a", "--include", "a[")

    assert ran == (1, "", 'omnistorage: bad glob pattern "a[": missing "]"\n')
    assert run("filter", "explain").code == 2
    assert run("filter", "explode").code == 2


@pytest.mark.parametrize(
    "flags", [["--include", "a", "--exclude", "b"], ["--include-from", "f", "--exclude-from", "f"]]
)
def test_mixing_includes_and_excludes_is_commented(run: Run, tmp_path: Path, flags: list[str]) -> None:
    """The order of the flags does not count, which who mixes them may not know; results are as ever."""
    (tmp_path / "f").write_text("a\n")
    (tmp_path / "src").mkdir()
    lsf, copy = run("lsf", "src", *flags), run("copy", "src", "dst", *flags)

    assert (lsf.code, copy.code) == (0, 0)
    assert "includes are tried before excludes" in lsf.err
    assert "includes are tried before excludes" in copy.err
    assert run("lsf", "src", "-q", *flags).err == ""
