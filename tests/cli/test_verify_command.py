"""``omnistorage verify``: records, reports and exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cli_runs import Ran, Run, refuse


def rot(place: Path, data: bytes) -> None:
    """Change bytes as a failing disk does: the time of modification stays."""
    when = place.stat().st_mtime_ns
    place.write_bytes(data)
    os.utime(place, ns=(when, when))


def last(ran: Ran) -> str:
    return ran.err.splitlines()[-1]


@pytest.fixture
def recorded(run: Run, tree: Path) -> Path:
    """The tree, with a record of it beside it."""
    ran = run("verify", "tree", "--record", "record")
    assert (ran.code, ran.out) == (0, "")
    assert "written to the record" in ran.err
    return tree


def test_good(run: Run, recorded: Path) -> None:
    """A tree as it was recorded is verified, with exit code 0."""
    ran = run("verify", "tree", "--sums", "record", "--strict")

    assert (ran.code, ran.out) == (0, "")
    assert "NOTICE: 4 verified\n" in ran.err


def test_rot(run: Run, recorded: Path, tmp_path: Path) -> None:
    """Damage is exit code 1, also where change is allowed, and has a report of its own."""
    rot(recorded / "a.txt", b"hellO")
    (recorded / "b" / "c.bin").write_bytes(b"edited")
    (recorded / "b" / "new").write_bytes(b"n")
    (recorded / "b" / ".hid").unlink()
    for flags in ((), ("--allow-changes",), ("--download",)):
        ran = run("verify", "tree", "--sums", "record", "--combined", "-", "--rot", "rotten", "--differ", "d", *flags)

        assert ran.code == 1
        assert sorted(ran.out.splitlines()) == ["* a.txt", "* b/c.bin", "+ b/.hid", "- b/new", "= b/e/f"]
        assert (tmp_path / "rotten").read_text() == "a.txt\n"
        assert sorted((tmp_path / "d").read_text().splitlines()) == ["a.txt", "b/c.bin"]
        assert "ERROR : a.txt: damaged: other bytes than recorded" in ran.err
        assert last(ran) == "omnistorage: 1 damaged"


def test_change(run: Run, recorded: Path) -> None:
    """Change is exit code 1, unless it is allowed; then it is recorded, and the next run finds nothing."""
    (recorded / "b" / "c.bin").write_bytes(b"edited")
    (recorded / "b" / "new").write_bytes(b"n")
    (recorded / "b" / ".hid").unlink()
    strict = run("verify", "tree", "--sums", "record")
    allowed = run("verify", "tree", "--sums", "record", "--record", "record", "--allow-changes")
    again = run("verify", "tree", "--sums", "record")

    assert (strict.code, last(strict)) == (1, "omnistorage: 3 not verified")
    assert (allowed.code, "ERROR" in allowed.err) == (0, False)
    assert again.code == 0


def test_damage_stays_in_the_record(run: Run, recorded: Path) -> None:
    """Recording again does not make damage look sound; mending the object does."""
    rot(recorded / "a.txt", b"hellO")
    run("verify", "tree", "--sums", "record", "--record", "record")
    damaged = run("verify", "tree", "--sums", "record")
    rot(recorded / "a.txt", b"hello")

    assert (damaged.code, last(damaged)) == (1, "omnistorage: 1 damaged")
    assert run("verify", "tree", "--sums", "record").code == 0


def test_object_that_cannot_be_read(run: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the sign of failure, the others are verified, and no allowance makes that good."""
    refuse(monkeypatch, "hash", "a.txt")
    ran = run("verify", "tree", "--sums", "record", "--allow-changes", "--combined", "-", "--error", "-")

    assert ran.code == 1
    assert sorted(ran.out.splitlines()) == ["! a.txt", "= b/.hid", "= b/c.bin", "= b/e/f", "a.txt"]
    assert last(ran) == "omnistorage: 1 not verified"


def test_nothing_recorded(run: Run, tree: Path) -> None:
    """Without a record all is read; that proves little, and --strict makes it a failure."""
    ran, strict = run("verify", "tree"), run("verify", "tree", "--strict")

    assert (ran.code, strict.code) == (0, 1)
    assert "4 read, of which no hash was recorded" in ran.err
    assert last(strict) == "omnistorage: no hash of 4 is recorded"


def test_single_object(run: Run, recorded: Path) -> None:
    """One object of a record can be verified by itself, and recorded without losing the others."""
    rot(recorded / "b" / "c.bin", b"y" * 1500)
    inner = run("verify", "tree/b", "--record", "inner")
    one = run("verify", "tree/b/e/f", "--record", "-")

    assert (inner.code, one.code) == (0, 0)
    assert one.out.splitlines()[1:2] == ["# size 0, modified 1700000000.000000000"]
    assert one.out.splitlines()[2].endswith("  f")


def test_json(run: Run, recorded: Path) -> None:
    """The sum is one JSON object."""
    rot(recorded / "a.txt", b"hellO")
    sums = json.loads(run("verify", "tree", "--sums", "record", "--json").out)

    assert (sums["verified"], sums["rot"], sums["changed"], sums["bytes"]) == (3, 1, 0, 1506)


def test_record_by_hash(run: Run, tree: Path) -> None:
    """A hash can be asked for; one there is none of is wrong use."""
    ran, wrong = (
        run("verify", "tree", "--record", "-", "--record-hash", "BLAKE3"),
        run("verify", "tree", "--hash", "x"),
    )

    assert ran.out.startswith("# omnistorage record: blake3\n")
    assert (wrong.code, wrong.out) == (2, "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere",), 3, "nowhere"),
        (("tree", "--record", "tree"), 1, "'tree' cannot be written: is a directory"),
        (("tree", "--record", "tree/a.txt/x"), 1, "cannot be written"),
        (("tree", "--record", "/proc/none/x"), 1, "'/proc/none/x' cannot be written"),
        (("tree", "--sums", "nowhere"), 1, "'nowhere' is no SUM file: not found"),
        (("tree", "--sums", "tree"), 1, "is no SUM file"),
        (("tree/a.txt", "--include", "x"), 1, "filters cannot be used"),
    ],
)
def test_bad_input(run: Run, tree: Path, words: tuple[str, ...], code: int, said: str) -> None:
    """What cannot be done is one line, and nothing is read."""
    ran = run("verify", *words)

    assert (ran.code, ran.out, len(ran.err.splitlines())) == (code, "", 1)
    assert said in ran.err


def test_interrupted_record(run: Run, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot go on leaves the old record, and nothing beside it."""
    before = (tmp_path / "record").read_text()
    refuse(monkeypatch, "list", "")
    ran = run("verify", "tree", "--record", "record")

    assert ran.code == 1
    assert (tmp_path / "record").read_text() == before
    assert sorted(os.listdir(tmp_path)) == ["record", "tree"]
