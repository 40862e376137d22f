"""``omnistorage check`` and ``checksum``, and their report files."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli_runs import Ran, Run, refuse
from omnistorage.cli._reports import Reports

RCLONE = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))
needs_rclone = pytest.mark.skipif(RCLONE is None and "CI" not in os.environ, reason="rclone is not installed")

SRC = {"a": "one", "b/c": "two", "b/d": "three", "only": "x", "e e": ""}
DST = {"a": "one", "b/c": "TWO", "b/d": "threee", "more/y": "y", "e e": ""}
SIGNS = {"=": ["a", "e e"], "*": ["b/c", "b/d"], "+": ["only"], "-": ["more/y"], "!": []}
REPORTS = {"match": "=", "differ": "*", "missing-on-dst": "+", "missing-on-src": "-", "error": "!"}


def make(root: Path, tree: dict[str, str]) -> Path:
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def sums_of(tree: dict[str, str], kind: str = "md5") -> str:
    return "".join(f"{hashlib.new(kind, text.encode()).hexdigest()}  {name}\n" for name, text in tree.items())


def lines(text: str) -> list[str]:
    return sorted(text.splitlines())


def combined(signs: dict[str, list[str]]) -> list[str]:
    return sorted(f"{sign} {name}" for sign, names in signs.items() for name in names)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A source ``s``, a destination ``d``, and the SUM file ``sums`` of the source."""
    make(tmp_path / "s", SRC)
    make(tmp_path / "d", DST)
    (tmp_path / "sums").write_text(sums_of(SRC))
    return tmp_path


COMMANDS = [("check", "s", "d"), ("checksum", "md5", "sums", "d"), ("check", "-C", "md5", "sums", "d")]


@pytest.mark.parametrize("words", COMMANDS, ids=["check", "checksum", "check -C"])
def test_reports(run: Run, two: Path, words: tuple[str, ...]) -> None:
    """Each report has the paths of its sign, and nothing else."""
    flags = [word for report in REPORTS for word in (f"--{report}", report)]
    ran = run(*words, *flags, "--combined", "-")

    assert ran.code == 1
    assert lines(ran.out) == combined(SIGNS)
    assert {name: lines((two / name).read_text()) for name in REPORTS} == {
        name: sorted(SIGNS[sign]) for name, sign in REPORTS.items()
    }
    assert "NOTICE: 4 differences found\n" in ran.err
    assert "NOTICE: 2 matching files\n" in ran.err


@pytest.mark.parametrize("words", [*COMMANDS, ("verify", "d", "--sums", "sums")])
def test_report_that_cannot_be_written(
    run: Run, two: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one line, and exit code 1, before anything is looked at."""
    refuse(monkeypatch, "list", "")
    ran = run(*words, "--match", "m", "--differ", "no/such/file")

    assert ran == Ran(1, "", "omnistorage: no/such/file: No such file or directory\n")


def test_reports_say_what_they_want(tmp_path: Path) -> None:
    """A command can ask whether a sign is wanted before it gathers what has it; own lists have no sign."""
    some, all_, none = ({"match": "m"}, {"combined": "c"}, {"match": None, "differ": None})

    assert [Reports(some).wants(sign) for sign in "=*+-!"] == [True, False, False, False, False]
    assert all(Reports(all_).wants(sign) for sign in "=*+-!")
    assert [Reports(names).active for names in (some, all_, none)] == [True, True, False]
    with Reports({"after": str(tmp_path / "after"), "combined": None}) as reports:
        reports.write("=", "a")
        reports.add("after", "b\nc")
        reports.add("other", "d")
    assert (tmp_path / "after").read_text() == "\\b\\nc\n"


def test_two_reports_in_one_file(run: Run, two: Path) -> None:
    """They share it."""
    run("check", "s", "d", "--match", "report", "--differ", "./report")

    assert lines((two / "report").read_text()) == sorted(SIGNS["="] + SIGNS["*"])


@pytest.mark.parametrize("words", COMMANDS, ids=["check", "checksum", "check -C"])
def test_names_stay_one_line(run: Run, two: Path, words: tuple[str, ...]) -> None:
    """A newline in a name is told as SUM files do; bytes that are no text are written as they are."""
    for name in ("new\nline", "\\slash", os.fsdecode(b"\xff")):
        (two / "d" / name).touch()
    run(*words, "--combined", "report", "--missing-on-src", "missing")
    found = (two / "report").read_bytes().splitlines()

    assert {b"- \\new\\nline", b"- \\\\\\slash", b"- \xff"} <= set(found)
    assert {b"\\new\\nline", b"\\\\\\slash", b"\xff"} <= set((two / "missing").read_bytes().splitlines())


@pytest.mark.parametrize("words", COMMANDS, ids=["check", "checksum", "check -C"])
def test_one_way(run: Run, two: Path, words: tuple[str, ...]) -> None:
    """What only the destination has is not asked for."""
    ran = run(*words, "--one-way", "--combined", "-")

    assert lines(ran.out) == combined(SIGNS | {"-": []})


def test_by_size_only(run: Run, two: Path) -> None:
    """Sizes alone prove little: that is said, and --strict makes it a failure."""
    one_way = ("check", "s", "d", "--size-only", "--exclude", "{only,more/**,b/d}")
    ran, strict = run(*one_way, "--combined", "-"), run(*one_way, "--strict")

    assert (ran.code, lines(ran.out)) == (0, ["= a", "= b/c", "= e e"])
    assert "3 hashes could not be checked" in ran.err
    assert (strict.code, strict.err.splitlines()[-1]) == (1, "omnistorage: 3 compared by size only")


@pytest.mark.parametrize("flags", [("--hash", "sha1"), ("--hash", "CRC-32"), ("--download",), ("-c",)])
def test_ways_to_compare(run: Run, two: Path, flags: tuple[str, ...]) -> None:
    """However contents are compared, the answer is the same."""
    assert lines(run("check", "s", "d", *flags, "--combined", "-").out) == combined(SIGNS)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "s", "d", "--hash", "md6"),
        ("check", "-C", "md6", "sums", "d"),
        ("check", "-C", "md5", "--hash", "md5", "sums", "d"),
        ("checksum", "md6", "sums", "d"),
        ("checksum", "md5", "sums"),
        ("md5sum", "-C", "sums"),
    ],
)
def test_wrong_use(run: Run, two: Path, words: tuple[str, ...]) -> None:
    """A hash there is none of, or words that do not fit, are wrong use."""
    ran = run(*words)

    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)


def test_files_and_folders_of_one_name(run: Run, tmp_path: Path) -> None:
    """Rule 11: each side lacks what the other has under that name, and the rest is compared."""
    make(tmp_path / "s", {"f": "1", "dir/in": "1", "same": "a"})
    make(tmp_path / "d", {"f/in": "2", "dir": "2", "same": "a"})
    ran = run("check", "s", "d", "--combined", "-")

    assert ran.code == 1
    assert lines(ran.out) == ["+ dir/in", "+ f", "- dir", "- f/in", "= same"]
    assert "ERROR : f: a dir at the destination" in ran.err


def test_links_are_counted(run: Run, two: Path) -> None:
    """What is neither file nor folder is left alone, and counted."""
    (two / "s" / "link").symlink_to("a")
    ran = run("check", "s", "s", "--combined", "-")

    assert (ran.code, "= link" in ran.out) == (0, False)
    assert "1 skipped: neither files nor folders" in ran.err


def test_filter_applies_to_the_sums(run: Run, two: Path) -> None:
    """What a filter leaves out, for its name, size or age, is not missing because the SUM file names it."""
    for flags, out in (
        (("--include", "b/*"), ["* b/c", "* b/d"]),
        (("--min-size", "1B", "--exclude", "b/**"), ["+ only", "- more/y", "= a"]),
        (("--max-age", "1h", "--max-depth", "1"), ["+ only", "= a", "= e e"]),
    ):
        assert lines(run("checksum", "md5", "sums", "d", *flags, "--combined", "-").out) == out, flags
    (two / "d" / "b" / "skip").touch()
    ran = run("checksum", "md5", "sums", "d", "--exclude-if-present", "skip", "--combined", "-")

    assert lines(ran.out) == ["+ only", "- more/y", "= a", "= e e"]


@pytest.mark.parametrize("flags", [(), ("--download",)])
def test_object_that_cannot_be_read(
    run: Run, two: Path, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the sign of failure, all others are compared, and the exit code is 1."""
    refuse(monkeypatch, "get", "a")
    for words in COMMANDS:
        ran = run(*words, *flags, "--combined", "-")

        assert (ran.code, lines(ran.out)) == (1, combined(SIGNS | {"=": ["e e"], "!": ["a"]}))
        assert "1 errors while checking" in ran.err


def test_folder_that_cannot_be_listed(run: Run, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing below it is called missing."""
    refuse(monkeypatch, "list", "b")
    ran = run("checksum", "md5", "sums", "d", "--combined", "-")

    assert (ran.code, lines(ran.out)) == (1, ["! b", "+ only", "- more/y", "= a", "= e e"])


def test_sum_files(run: Run, two: Path) -> None:
    """Any form is understood; what is not, is told, and is a failure with --strict; the first of two lines counts."""
    tagged = "".join(f"MD5 ({name}) = {digest}\n" for digest, name in _pairs(sums_of(SRC)))
    dotted = "".join(f"{digest}  ./{name}\n" for digest, name in _pairs(sums_of(SRC)))
    base64 = run("md5sum", "s", "--base64").out
    for text in (tagged, dotted, base64, "\ufeff# by hand\r\n" + sums_of(SRC).replace("\n", "\r\n")):
        (two / "sums").write_text(text)
        assert run("checksum", "md5", "sums", "s", "--strict").code == 0, text
    (two / "sums").write_text(sums_of(SRC) + "nonsense\n" + sums_of({"a": "other"}))
    ran, strict = run("checksum", "md5", "sums", "s"), run("checksum", "md5", "sums", "s", "--strict")

    assert (ran.code, strict.code) == (0, 1)
    assert "NOTICE: sums: line 6 is no hash and path: 'nonsense'" in ran.err
    assert "NOTICE: sums: more than one line is about 'a': the first one counts" in ran.err
    assert "1 lines of the SUM file not understood" in ran.err


def _pairs(text: str) -> list[list[str]]:
    return [line.split("  ", 1) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "'sums' is no SUM file: not found"),
        ("nonsense\n", "'sums' is no SUM file: line 1 is no hash and path: 'nonsense'"),
        ("SHA1 (a) = 00\n", "'sums' is no SUM file: its hashes are sha1, not md5"),
    ],
)
def test_no_sum_file(run: Run, two: Path, text: str | None, said: str) -> None:
    """A file that holds no such hashes is refused, before anything is reported."""
    (two / "sums").unlink() if text is None else (two / "sums").write_text(text)
    for words in (*COMMANDS[1:], ("md5sum", "d", "-C", "sums"), ("verify", "d", "--sums", "sums", "--hash", "md5")):
        assert run(*words) == Ran(1, "", f"omnistorage: {said}\n")


def test_wrong_hash_in_the_sums(run: Run, two: Path) -> None:
    """What is no hash of this kind differs, and the line says why."""
    ran = run("checksum", "sha1", "sums", "s", "--include", "a")

    assert ran.code == 1
    assert "ERROR : a: what the SUM file says is no sha1: '" in ran.err


def test_sums_by_standard_input(run: Run, two: Path) -> None:
    """``-`` is standard input."""
    assert run("checksum", "md5", "-", "s", stdin=sums_of(SRC)).code == 0


def test_hash_the_storage_does_not_tell(run: Run, two: Path) -> None:
    """It is computed here only if that is asked for: all bytes have to come."""
    ran = run("checksum", "blake3", "sums", "memory://")

    assert ran == Ran(1, "", "omnistorage: memory tells no blake3; --download computes it here\n")
    assert run("checksum", "blake3", "sums", "memory://", "--download").code == 1


def test_single_object(run: Run, two: Path) -> None:
    """Of a SUM file, only the line of the named object counts; ``checksum`` wants a folder, as rclone does."""
    assert run("md5sum", "d/a", "-C", "sums").out == "= a\n"
    assert run("check", "s/a", "d", "--combined", "-")[:2] == (0, "= a\n")
    assert run("checksum", "md5", "sums", "d/a").code == 1


def test_json(run: Run, two: Path) -> None:
    """The sum is one object, behind the report."""
    for words in COMMANDS:
        assert run(*words, "--json").out.startswith('{"matches":2,"differs":2,"only_src":1,"only_dst":1,"errors":0,')


def _rclone(home: Path, *words: str) -> tuple[int, list[str]]:
    ran = subprocess.run(
        [str(RCLONE), *words], cwd=home, capture_output=True, env={"RCLONE_CONFIG": "", "PATH": ""}, check=False
    )
    return ran.returncode, lines(os.fsdecode(ran.stdout))


NAMES = ["a", "b", "b.x", "c/d", "c/e e", "c/f/g", "é", "h-i/j", "(k) = l", "*m", " n", "o#"]


@needs_rclone
@pytest.mark.parametrize("seed", range(int(os.environ.get("OMNISTORAGE_CHECK_SEEDS", "4"))))
def test_same_as_rclone(seed: int, run: Run, tmp_path: Path) -> None:
    """Random trees and SUM files give the lines and exit codes of rclone; OMNISTORAGE_CHECK_SEEDS asks for more."""
    rng = random.Random(seed)
    src, dst = ({name: rng.choice(["", "1", "2", "22"]) for name in NAMES if rng.random() < 0.8} for _ in range(2))
    if rng.random() < 0.3:
        dst = dict(src)
    make(tmp_path / "s", src).mkdir(exist_ok=True)
    make(tmp_path / "d", dst).mkdir(exist_ok=True)
    told = _rclone(tmp_path, "hashsum", "sha1", "s")[1]
    ours = run("hashsum", "sha1", "s").out
    (tmp_path / "rclone.sums").write_text("".join(line + "\n" for line in told))
    (tmp_path / "ours.sums").write_text("".join(f"{line[:40].upper()}{line[40:]}\n" for line in told))

    assert lines(ours) == told
    for flags in ((), ("--one-way",), ("--download",), ("--include", "c/**"), ("--size-only",)):
        words: tuple[str, ...] = ("check", "s", "d", *flags, "--combined", "-")
        ran = run(*words)
        assert (ran.code, lines(ran.out)) == _rclone(tmp_path, *words), words
    for file in ("rclone.sums", "ours.sums"):
        for words in (
            ("checksum", "sha1", file, "d", "--combined", "-"),
            ("checksum", "sha1", file, "d", "--combined", "-", "--one-way", "--download"),
            ("check", "-C", "sha1", file, "d", "--combined", "-"),
            ("hashsum", "sha1", "-C", file, "d"),
            ("hashsum", "sha1", "-C", file, "s"),
        ):
            ran = run(*words)
            assert (ran.code, lines(ran.out)) == _rclone(tmp_path, *words), words


@needs_rclone
@pytest.mark.parametrize(
    "words",
    [
        ("check", "nowhere", "d"),
        ("check", "s", "nowhere", "--combined", "-"),
        ("check", "s/a", "d", "--combined", "-"),
        ("check", "s/a", "d/a"),
        ("checksum", "md5", "nowhere", "d"),
        ("checksum", "md5", "sums", "nowhere", "--combined", "-"),
        ("checksum", "md5", "sums", "d/a"),
        ("checksum", "md6", "sums", "d"),
        ("hashsum", "md5", "-C", "nowhere", "d"),
        ("hashsum", "md5", "-C", "sums", "nowhere"),
        ("hashsum", "md5", "-C", "sums", "d/a"),
        ("check", "-C", "md5", "nowhere", "d"),
        ("check", "-C", "md6", "sums", "d"),
        ("check", "s", "d", "--match", "no/such/file"),
        ("checksum", "md5", "empty", "none", "--combined", "-"),
    ],
)
def test_same_corner_as_rclone(words: tuple[str, ...], run: Run, two: Path) -> None:
    """What is missing or wrong ends with rclone's exit code, and rclone's lines."""
    (two / "empty").touch()
    (two / "none").mkdir()
    ran = run(*words)
    code, out = _rclone(two, *words)

    assert ran.code == code
    if code != 2:
        assert lines(ran.out) == out
