"""``-M`` and its siblings on the command line, side by side with rclone where it can be run."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli_runs import Run
from metadata_scenes import anybodys, attributes, mode, needs_root, needs_xattr, nobody

__all__ = ["anybodys"]

RCLONE = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))
WHEN = 1_700_000_000_000_000_000

needs_rclone = pytest.mark.skipif(RCLONE is None and "CI" not in os.environ, reason="rclone is not installed")

Kept = dict[str, tuple[object, ...]]


def _tree(root: Path, seed: int = 0) -> None:
    """A tree in which permissions, owners, attributes and times are different everywhere."""
    dice = random.Random(seed)
    for name in ("a", "d/b", "d/e/c", "d/e/f", "g/h"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for path in sorted(root.rglob("*"), reverse=True):
        if dice.random() < 0.7:
            os.setxattr(path, "user.colour", dice.choice([b"red", b"blue", "grün".encode()]))
        if dice.random() < 0.3:
            os.setxattr(path, "user.x-1", bytes([dice.randrange(1, 256)]))
        if os.geteuid() == 0:
            os.chown(path, dice.randrange(3), dice.randrange(1000))
        os.chmod(path, dice.randrange(0o400, 0o777) | (0o100 if path.is_dir() else 0))
        os.utime(path, ns=(WHEN - dice.randrange(10**12), WHEN + dice.randrange(10**12)))


def _kept(root: Path) -> Kept:
    """Permissions, owners, times of modification and attributes of all that is in a tree."""
    found: Kept = {}
    for path in root.rglob("*"):
        about = path.lstat()
        owner = about.st_uid, about.st_gid
        found[str(path.relative_to(root))] = (mode(path), *owner, about.st_mtime_ns, attributes(path))
    return found


def _accessed(root: Path) -> dict[str, int]:
    """The times of the last access of files."""
    return {str(path.relative_to(root)): path.stat().st_atime_ns for path in root.rglob("*") if path.is_file()}


def _rclone(*args: str | Path) -> int:
    assert RCLONE is not None, "rclone is missing"
    command = [RCLONE, "--config=", "--retries=1", *map(str, args)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=60).returncode


@needs_rclone
@needs_xattr
@needs_root
@pytest.mark.parametrize(
    "flags", [["-M"], ["-M", "--metadata-set", "k=v", "--metadata-set", "mode=0640"], []], ids=str
)
@pytest.mark.parametrize("seed", range(3))
def test_same_as_rclone(flags: list[str], seed: int, tmp_path: Path, run: Run) -> None:
    """Modes, owners, attributes and times end up as rclone leaves them, and the second run finds nothing."""
    _tree(tmp_path / "s", seed)
    _tree(tmp_path / "t", seed)
    accessed = _accessed(tmp_path / "s")
    done = run("sync", tmp_path / "s", tmp_path / "ours", *flags)
    code = _rclone("sync", tmp_path / "t", tmp_path / "theirs", *flags)
    again = json.loads(run("sync", tmp_path / "s", tmp_path / "ours", *flags, "--json").out)
    ours, theirs = _kept(tmp_path / "ours"), _kept(tmp_path / "theirs")

    assert done.code == code == 0
    assert ours == theirs
    assert (again["transferred"], again["metadata_set"]) == (0, 0)
    assert flags != ["-M"] or ours == _kept(tmp_path / "s")
    # rclone has the time of its own reading here.
    assert not flags or _accessed(tmp_path / "ours") == accessed


@needs_rclone
@needs_xattr
@pytest.mark.parametrize(
    "rules",
    [
        ["--metadata-include", "colour=blue"],
        ["--metadata-exclude", "colour=*"],
        ["--metadata-filter", "- colour=red", "--metadata-filter", "+ colour=*", "--metadata-filter", "- mode=*"],
        ["--metadata-include", "{{mode=1006.*}}"],
    ],
    ids=str,
)
def test_filters_as_rclone(rules: list[str], tmp_path: Path, run: Run) -> None:
    """Rules on metadata select what they select for rclone."""
    _tree(tmp_path / "s", seed=4)
    done = run("copy", tmp_path / "s", tmp_path / "ours", "-M", *rules)
    code = _rclone("copy", tmp_path / "s", tmp_path / "theirs", "-M", *rules)
    ours, theirs = ({str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()} for root in _two(tmp_path))

    assert done.code == code == 0
    assert ours == theirs


def _two(root: Path) -> tuple[Path, Path]:
    for name in ("ours", "theirs"):
        (root / name).mkdir(exist_ok=True)
    return root / "ours", root / "theirs"


@needs_rclone
@needs_xattr
def test_told_as_by_rclone(tmp_path: Path, run: Run) -> None:
    """``lsjson -M`` tells of files and directories what rclone tells."""
    _tree(tmp_path / "s", seed=5)
    assert RCLONE is not None, "rclone is missing"
    ours = json.loads(run("lsjson", "-R", "-M", tmp_path / "s").out)
    command = [RCLONE, "--config=", "lsjson", "-R", "-M", str(tmp_path / "s")]
    theirs = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    both = [{one["Path"]: one["Metadata"] for one in listing} for listing in (ours, theirs)]
    for told in both:
        for metadata in told.values():
            # Directories were accessed between the two.
            metadata.pop("atime")

    assert both[0] == both[1]


@needs_rclone
@needs_xattr
def test_mapper_of_rclone(tmp_path: Path, run: Run) -> None:
    """A program that was written for rclone is asked the same questions, and its answer means the same."""
    program = tmp_path / "mapper.py"
    program.write_text(
        "import json, sys\n"
        "asked = json.load(sys.stdin)\n"
        "keep = {k: v for k, v in asked['Metadata'].items() if k in ('mode', 'mtime')}\n"
        "keep['was'] = '%s %s' % (asked['Size'] if not asked['Metadata']['mode'].startswith('4') else 'dir', "
        "asked['SrcFsType'])\n"
        "json.dump({'Metadata': keep}, sys.stdout)\n"
    )
    _tree(tmp_path / "s", seed=6)
    command = f"{sys.executable} {program}"
    done = run("copy", tmp_path / "s", tmp_path / "ours", "-M", "--metadata-mapper", command)
    code = _rclone("copy", tmp_path / "s", tmp_path / "theirs", "-M", "--metadata-mapper", command)
    seen = [
        {str(p.relative_to(root)): (mode(p), attributes(p)) for p in root.rglob("*")}
        for root in (tmp_path / "ours", tmp_path / "theirs")
    ]

    assert done.code == code == 0
    assert seen[0] == seen[1]


def test_only_metadata_differs(tmp_path: Path, run: Run) -> None:
    """What rclone does not see is set: a change of permissions alone. A dry run shows it, with its reason."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s/a").write_text("x")
    run("sync", tmp_path / "s", tmp_path / "d", "-M")
    os.chmod(tmp_path / "s/a", 0o600)
    dry = run("sync", tmp_path / "s", tmp_path / "d", "-M", "-n")
    before = mode(tmp_path / "d/a")
    wet = run("sync", tmp_path / "s", tmp_path / "d", "-M", "-v")

    assert before != mode(tmp_path / "d/a") == "600"
    assert "a: Skipped update metadata as --dry-run is set (size 1 B): only metadata differs" in dry.err
    assert "a: Updated metadata in destination" in wet.err
    assert "Metadata set:  1" in dry.err
    assert "Metadata set:  1" in wet.err


@needs_root
def test_told_once(anybodys: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not give files away hears of it in one line, and ``-v`` says of which ones."""
    for name in ("a", "b", "c"):
        (anybodys / "s").mkdir(exist_ok=True)
        (anybodys / "s" / name).write_text("x")
    for target in ("d", "e"):
        (anybodys / target).mkdir()
        os.chmod(anybodys / target, 0o777)
    os.chown(anybodys / "s/c", 65534, 65534)
    run("copy", anybodys / "s", anybodys / "warm", "-M", "-v", "--json")
    # What root remembers of his runs is not for others.
    monkeypatch.setenv("OMNISTORAGE_STATE", str(anybodys / "state"))
    with nobody():
        done = run("copy", anybodys / "s", anybodys / "d", "-M")
        loud = run("copy", anybodys / "s", anybodys / "e", "-M", "-v")

    assert (done.code, loud.code) == (0, 0)
    assert len(done.err.splitlines()) == 1
    assert "not all metadata of 2 objects was kept; owners take root" in done.err
    assert [f"{name}: not all metadata was kept: gid, uid" in loud.err for name in ("a", "b", "c")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--metadata-set", "novalue"], "--metadata-set 'novalue': want KEY=VALUE"),
        (["--metadata-mapper", "  "], "--metadata-mapper: the metadata mapper is empty; name a program"),
        (["--metadata-mapper", "'open"], '--metadata-mapper: metadata mapper "\'open": No closing quotation'),
    ],
)
def test_bad_flags(flags: list[str], words: str, tmp_path: Path, run: Run) -> None:
    """What cannot be understood is a wrong usage, in one line."""
    done = run("sync", tmp_path, tmp_path / "d", *flags)

    assert done.code == 2
    assert done.err == f"omnistorage: {words} (omnistorage sync --help tells more)\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--metadata-include", "[a"], 'bad glob pattern "[a"'),
        (["--metadata-filter", "? a"], 'bad rule "? a"'),
        (["--metadata-include", "a=*", "--metadata-exclude", "b=*"], "do not mix"),
        (["--metadata-filter-from", "no/such/file"], "no/such/file"),
    ],
)
def test_bad_rules(flags: list[str], words: str, tmp_path: Path, run: Run) -> None:
    """A rule without sense is refused in one line, before anything is done."""
    done = run("sync", tmp_path, tmp_path / "d", *flags)

    assert done.code == 1
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "d").exists()


def test_special_bits(tmp_path: Path, run: Run) -> None:
    """The flag that rclone has for it restores the setuid bit, which stays away without it."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s/a").write_text("x")
    os.chmod(tmp_path / "s/a", 0o4755)
    run("copy", tmp_path / "s", tmp_path / "d", "-M")
    run("copy", tmp_path / "s", tmp_path / "e", "-M", "--local-metadata-restore-special-bits")

    assert (mode(tmp_path / "d/a"), mode(tmp_path / "e/a")) == ("755", "4755")


def test_a_plan_starts_no_program(tmp_path: Path, run: Run) -> None:
    """A plan keeps ``-M``, and the program that it was made with has to be named again: a file cannot start one."""
    program = tmp_path / "mapper.py"
    program.write_text("import sys; sys.stdout.write(sys.stdin.read().replace('100644', '100600'))")
    (tmp_path / "s").mkdir()
    (tmp_path / "s/a").write_text("x")
    os.chmod(tmp_path / "s/a", 0o644)
    flags = ["--metadata-mapper", f"{sys.executable} {program}"]
    run("plan", tmp_path / "s", tmp_path / "d", "-M", *flags, "-o", tmp_path / "plan.json")
    refused = run("apply", tmp_path / "plan.json")
    done = run("apply", tmp_path / "plan.json", *flags)

    assert refused.code == 1
    assert "was made with --metadata-mapper" in refused.err
    assert (done.code, mode(tmp_path / "d/a")) == (0, "600")
