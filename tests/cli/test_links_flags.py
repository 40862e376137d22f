"""``-l``, ``-L`` and ``--skip-links``: what rclone does with links, and that nothing is done to what they lead to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli_runs import Run

RCLONE = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))

needs_rclone = pytest.mark.skipif(RCLONE is None and "CI" not in os.environ, reason="rclone is not installed")

Tree = dict[str, str]


def _look(root: Path) -> Tree:
    """Path to what stands there: the target of a link, the content of a file, nothing for a directory."""
    found: Tree = {}
    for above, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(above, name)
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"-> {os.readlink(path)}"
            elif not path.is_dir():
                found[key] = path.read_text()
    return found


def _tree(root: Path) -> Path:
    """A source with links to a file, a folder, and out of it, and a destination with things to lose."""
    for name, text in {"s/a": "a", "s/sub/f": "f", "out/file": "precious", "out/folder/g": "precious"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, target in {"file": "../out/file", "folder": "../out/folder", "near": "sub", "sub/up": "../a"}.items():
        (root / "s" / name).symlink_to(target)
    (root / "d").mkdir()
    (root / "d/extra").symlink_to("../out/folder")
    (root / "d/old").write_text("old")
    return root


def _rclone(*args: str | Path) -> int:
    assert RCLONE is not None, "rclone is missing"
    command = [RCLONE, "--config=", "--retries=1", *map(str, args)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=60).returncode


@needs_rclone
@pytest.mark.parametrize("flags", [[], ["-l"], ["-L"], ["--skip-links"], ["-l", "--exclude", "sub/**"]], ids=str)
@pytest.mark.parametrize("command", ["copy", "sync", "move"])
def test_same_as_rclone(command: str, flags: list[str], tmp_path: Path, run: Run) -> None:
    """Both leave the same trees behind and end with the same code."""
    if (command, flags) == ("move", ["-L"]):
        pytest.skip("rclone renames the links here, and they break; see test_move_of_what_links_lead_to")
    ours, theirs = _tree(tmp_path / "ours"), _tree(tmp_path / "theirs")
    if "-L" in flags:
        # There rclone deletes what a link of the destination leads to; see below.
        for root in (ours, theirs):
            (root / "d/extra").unlink()
    done = run(command, ours / "s", ours / "d", *flags)
    code = _rclone(command, theirs / "s", theirs / "d", *flags)

    assert _look(ours / "d") == _look(theirs / "d")
    assert _look(ours / "s") == _look(theirs / "s")
    assert _look(ours / "out") == _look(theirs / "out")
    assert done.code == code


@needs_rclone
@pytest.mark.parametrize("flag", ["-L", "-l", "--skip-links"])
def test_dangling_links_as_rclone(flag: str, tmp_path: Path, run: Run) -> None:
    """A link that leads nowhere is a failure where links are followed, and only there; all else is done."""
    ours, theirs = _tree(tmp_path / "ours"), _tree(tmp_path / "theirs")
    for root in (ours, theirs):
        (root / "s/nowhere").symlink_to("no/such/file")
        (root / "d/extra").unlink()
    done = run("copy", ours / "s", ours / "d", flag)
    code = _rclone("copy", theirs / "s", theirs / "d", flag)

    assert done.code == code == (6 if flag == "-L" else 0)
    assert _look(ours / "d") == _look(theirs / "d")
    assert ("nowhere" in done.err) is (flag == "-L")


@needs_rclone
@pytest.mark.parametrize("flag", ["-l", "-L", "--skip-links"])
@pytest.mark.parametrize("command", ["lsf", "lsl", "lsjson", "size", "check"])
def test_listings_as_rclone(command: str, flag: str, tmp_path: Path, run: Run) -> None:
    """Listings and checks see what a transfer would see."""
    root = _tree(tmp_path)
    run("copy", root / "s", root / "d2", flag)
    if command == "check":
        assert (
            run("check", root / "s", root / "d2", flag).code == _rclone("check", root / "s", root / "d2", flag) == 0
        )
        return
    assert RCLONE is not None, "rclone is missing"
    flags = ["-R"] if command in ("lsf", "lsjson") else []
    flags += ["--files-only", "--no-modtime"] if command == "lsjson" else []
    done = run(command, *flags, flag, root / "s")
    theirs = subprocess.run(
        [RCLONE, "--config=", command, *flags, flag, root / "s"], check=True, capture_output=True, env={**os.environ}
    )
    ours, others = (sorted(_comparable(text)) for text in (done.out, theirs.stdout.decode()))

    assert ours == others
    assert done.code == 0


def _comparable(text: str) -> list[str]:
    return [line.strip().rstrip(",") for line in text.splitlines()]


def test_links_by_way_of_files(tmp_path: Path, run: Run) -> None:
    """Without links at the destination they are small files, and become links again on the way back."""
    root = _tree(tmp_path)
    run("copy", root / "s", f":file,links=skip:{root}/plain", "-l")
    there = _look(root / "plain")
    run("copy", f":file,links=skip:{root}/plain", root / "back", "-l")

    assert there == {
        "a": "a",
        "sub/f": "f",
        "file.rclonelink": "../out/file",
        "folder.rclonelink": "../out/folder",
        "near.rclonelink": "sub",
        "sub/up.rclonelink": "../a",
    }
    assert _look(root / "back") == _look(root / "s")


@pytest.mark.parametrize("flag", ["", "-l", "-L", "--skip-links"])
@pytest.mark.parametrize("command", ["sync", "move", "copy"])
def test_what_links_lead_to_is_left_alone(command: str, flag: str, tmp_path: Path, run: Run) -> None:
    """Links at the destination lead nowhere for a run: nothing is deleted or replaced behind them."""
    root = _tree(tmp_path)
    (root / "d/file").symlink_to("../out/file")
    (root / "d/a").symlink_to("../out/file")
    run(command, root / "s", root / "d", *filter(None, [flag]))

    assert _look(root / "out") == {"file": "precious", "folder/g": "precious"}
    assert (root / "d/a").read_text() == "a"
    assert not (root / "d/a").is_symlink()


def test_move_takes_the_link(tmp_path: Path, run: Run) -> None:
    """With ``-l`` it is the link that is moved; what it leads to stays."""
    root = _tree(tmp_path)
    done = run("move", root / "s", root / "d", "-l")

    assert done.code == 0
    assert _look(root / "s") == {}
    assert os.readlink(root / "d/file") == "../out/file"
    assert _look(root / "out") == {"file": "precious", "folder/g": "precious"}


def test_move_of_what_links_lead_to(tmp_path: Path, run: Run) -> None:
    """With ``-L`` all is at the destination; a link to a file goes, and what a link to a folder leads to stays."""
    root = _tree(tmp_path)
    # It leads to an object that is moved before it, and would be a failure, too.
    (root / "s/sub/up").unlink()
    done = run("move", root / "s", root / "d", "-L")
    there = _look(root / "d")

    assert done.code == 1
    assert done.err.count("is reached through a symbolic link to a folder") == 2
    assert {name: text for name, text in there.items() if name not in ("extra", "old")} == {
        "a": "a",
        "file": "precious",
        "folder/g": "precious",
        "near/f": "f",
        "sub/f": "f",
    }
    assert _look(root / "out") == {"file": "precious", "folder/g": "precious"}
    assert _look(root / "s") == {"folder": "-> ../out/folder", "near": "-> sub"}


def test_folder_and_link_at_one_place(tmp_path: Path, run: Run) -> None:
    """Where one side has a link and the other a folder, nothing is written through the link, and it is told."""
    for name in ("s/x/f", "out/f"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x").symlink_to("../out")
    for flags in ([], ["-L"], ["-l"]):
        done = run("copy", tmp_path / "s", tmp_path / "d", *flags)

        assert done.code == 1
        assert "x" in done.err
        assert _look(tmp_path / "out") == {"f": "out/f"}


def test_circles_end(tmp_path: Path, run: Run) -> None:
    """Links that lead back to where they stand are failures of their own, and no walk gets lost in them."""
    (tmp_path / "s/deep").mkdir(parents=True)
    (tmp_path / "s/a").write_text("a")
    (tmp_path / "s/deep/up").symlink_to("..")
    (tmp_path / "s/self").symlink_to("self")
    done = run("sync", tmp_path / "s", tmp_path / "d", "-L")
    listed = run("lsf", "-R", "-L", tmp_path / "s")
    checked = run("check", tmp_path / "s", tmp_path / "d", "-L")

    assert (done.code, listed.code, checked.code) == (6, 6, 1)
    assert done.err.count("leads nowhere, or back") == listed.err.count("leads nowhere, or back") == 2
    assert _look(tmp_path / "d") == {"a": "a"}
    assert listed.out.split() == ["a", "deep/"]


def test_one_link(tmp_path: Path, run: Run) -> None:
    """A single link has the name that it has in listings with ``-l``; by its plain name it is not found, in words."""
    root = _tree(tmp_path)
    done = run("copyto", root / "s/file.rclonelink", root / "d/other.rclonelink", "-l")
    wrong = run("copy", root / "s/file", root / "d", "-l")
    followed = run("copy", root / "s/file", root / "d", "-L")

    assert (done.code, os.readlink(root / "d/other")) == (0, "../out/file")
    assert (wrong.code, wrong.err) == (
        1,
        "omnistorage: 'file' is a symbolic link; with -l it is the object file.rclonelink\n",
    )
    assert (followed.code, (root / "d/file").read_text()) == (0, "precious")


def test_both_flags(run: Run, tmp_path: Path) -> None:
    """Links cannot be kept and followed."""
    for command in (["sync", tmp_path, tmp_path / "d"], ["check", tmp_path, tmp_path], ["ls", tmp_path]):
        done = run(*command, "-l", "-L")

        assert done.code == 2
        assert done.err.startswith("omnistorage: -l/--links and -L/--copy-links exclude each other")


def test_silence(run: Run, tmp_path: Path) -> None:
    """``--skip-links`` leaves links out without a word; what else is no file is told all the same."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s/l").symlink_to("x")
    os.mkfifo(tmp_path / "s/fifo")
    for command in (["copy", tmp_path / "s", tmp_path / "d"], ["ls", tmp_path / "s"]):
        loud, quiet = run(*command), run(*command, "--skip-links")

        assert "l: " in loud.err
        assert len(loud.err.splitlines()) == 2
        assert len(quiet.err.splitlines()) == 1
        assert "fifo: " in quiet.err
        assert loud.code == quiet.code == 0


def test_flags_are_about_this_machine(run: Run, tmp_path: Path) -> None:
    """Services that know no links take the flags, and an address that says it itself is believed."""
    root = _tree(tmp_path)
    done = run("copy", root / "s", "memory://links", "-l")
    own = run("lsf", f":file,links=skip:{root}/s", "-L")

    assert (done.code, done.err) == (0, "")
    assert own.out.split() == ["a", "sub/"]


def test_a_plan_knows_the_flags(run: Run, tmp_path: Path) -> None:
    """A plan that was made with ``-l`` is applied so."""
    root = _tree(tmp_path)
    planned = run("plan", root / "s", root / "d2", "-l", "-o", root / "plan.json")
    applied = run("apply", root / "plan.json")

    assert (planned.code, applied.code) == (0, 0)
    assert _look(root / "d2") == _look(root / "s")
