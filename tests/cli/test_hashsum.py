"""``omnistorage hashsum``, ``md5sum``, ``sha1sum`` and ``sha256sum``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cli_runs import Run, refuse
from omnistorage.core import hashes

_MD5 = "5d41402abc4b2a76b9719d911017c592"


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_sums(run: Run, tree: Path, kind: str) -> None:
    """All objects, in path order, as the program of the same name prints them."""
    wanted = "".join(
        f"{hashlib.new(kind, (tree / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("a.txt", "b/.hid", "b/c.bin", "b/e/f")
    )

    assert run(f"{kind}sum", tree).out == wanted
    assert run("hashsum", kind.upper(), tree).out == wanted
    assert run("hashsum", kind, tree, "--download").out == wanted


def test_all_kinds(run: Run, tree: Path) -> None:
    """Every hash of ours can be asked for."""
    printed = {kind: run("hashsum", kind, tree / "a.txt").out.split()[0] for kind in hashes.NAMES}
    multi = hashes.MultiHasher(hashes.NAMES)
    multi.update(b"hello")

    assert printed == multi.hexdigests()


def test_list_of_kinds(run: Run) -> None:
    """Without arguments the kinds are listed."""
    ran = run("hashsum")

    assert ran.code == 0
    assert ran.out.splitlines()[:3] == ["Supported hashes are:", "- md5", "- sha1"]


def test_unknown_kind(run: Run, tree: Path) -> None:
    """The known kinds are in the message."""
    ran = run("hashsum", "md6", tree)

    assert (ran.code, ran.out) == (2, "")
    assert "unknown hash 'md6'; known: md5" in ran.err


@pytest.mark.parametrize(
    ("flags", "out"),
    [
        (("--base64",), "XUFAKrxLKna5cZ2REBfFkg==  a.txt\n"),
        (("--json",), f'[\n{{"path":"a.txt","md5":"{_MD5}"}}\n]\n'),
        (("--json", "--include", "nope"), "[]\n"),
    ],
)
def test_forms(run: Run, tree: Path, flags: tuple[str, ...], out: str) -> None:
    """Other ways to print a hash."""
    assert run("md5sum", tree, "--max-depth", "1", *flags).out == out


def test_output_file(run: Run, tree: Path, tmp_path: Path) -> None:
    """The hashes are in the file, and not on stdout; a file that cannot be written is one line."""
    done = run("md5sum", tree / "a.txt", "--output-file", "sums")
    failed = run("md5sum", tree / "a.txt", "--output-file", "no/sums")

    assert (done.code, done.out, (tmp_path / "sums").read_text()) == (0, "", f"{_MD5}  a.txt\n")
    assert (failed.code, failed.err) == (1, "omnistorage: no/sums: No such file or directory\n")


def test_standard_input(run: Run) -> None:
    """Without a place, standard input is hashed."""
    assert run("md5sum", stdin="hello").out == f"{_MD5}  -\n"
    assert run("hashsum", "md5", "-", stdin="hello").out == f"{_MD5}  -\n"


def test_check(run: Run, tree: Path, tmp_path: Path) -> None:
    """A file of hashes that fits gives only equals; one that does not gives rclone's signs and exit code 1."""
    run("md5sum", tree, "--output-file", "sums")
    good = run("md5sum", tree, "-C", "sums")
    (tmp_path / "sums").write_text(f"{_MD5.upper()} *a.txt\n{'0' * 32}  b/c.bin\n{_MD5}  gone\n")
    bad = run("md5sum", tree, "-C", "sums")

    assert (good.code, sorted(good.out.splitlines())) == (0, ["= a.txt", "= b/.hid", "= b/c.bin", "= b/e/f"])
    assert (bad.code, sorted(bad.out.splitlines())) == (1, ["* b/c.bin", "+ gone", "- b/.hid", "- b/e/f", "= a.txt"])
    assert "4 differences found" in bad.err


def test_check_of_base64(run: Run, tree: Path) -> None:
    """What --base64 printed can be checked."""
    run("md5sum", tree, "--base64", "--output-file", "sums")

    assert run("md5sum", tree, "-C", "sums").code == 0


def test_check_into_a_file(run: Run, tree: Path, tmp_path: Path) -> None:
    """--output-file takes the signs as it takes hashes."""
    run("md5sum", tree / "a.txt", "--output-file", "sums")
    ran = run("md5sum", tree / "a.txt", "-C", "sums", "--output-file", "signs")

    assert (ran.code, ran.out, (tmp_path / "signs").read_text()) == (0, "", "= a.txt\n")


def test_newline_in_a_name(run: Run, tree: Path) -> None:
    """The line stays one line, escaped as md5sum does it, and can be checked."""
    (tree / "new\nline\\").write_bytes(b"hello")
    (tree / "back\\slash").write_bytes(b"hello")
    ran = run("md5sum", tree, "--include", "*[\n\\\\]*", "--output-file", "sums")
    text = (tree.parent / "sums").read_text()

    assert (ran.code, text) == (0, f"{_MD5}  back\\slash\n\\{_MD5}  new\\nline\\\\\n")
    assert run("md5sum", tree, "--include", "*[\n\\\\]*", "-C", "sums").code == 0


def test_object_that_cannot_be_read(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left out and reported, the rest is printed, and the exit code is 1."""
    refuse(monkeypatch, "hash", "b/c.bin")
    ran = run("md5sum", tree)

    assert ran.code == 1
    assert [line.split("  ")[1] for line in ran.out.splitlines()] == ["a.txt", "b/.hid", "b/e/f"]
    assert "ERROR : b/c.bin: cannot be hashed: access denied" in ran.err


def test_many_in_order(run: Run, tmp_path: Path) -> None:
    """More objects than fit into a batch come in path order, whoever hashed them."""
    (tmp_path / "many").mkdir()
    for number in range(300):
        (tmp_path / "many" / f"{number:03}").write_text(str(number))
    ran = run("md5sum", "many", "--checkers", "3")

    assert [line[-3:] for line in ran.out.splitlines()] == [f"{number:03}" for number in range(300)]
