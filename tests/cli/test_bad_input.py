"""What people and machines get wrong: one line that says what it was, a fitting exit code, and nothing lost."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from omnistorage.drivers.memory import MemoryDriver
from omnistorage.storage import Storage
from omnistorage.sync import sync
from sync_scenes import files

Tree = dict[str, bytes]
Before = Callable[[], object]

SRC: Tree = {"a": b"one", "dir/b": b"two", "dir/c": b"three"}
DST: Tree = {"a": b"old!", "gone": b"x"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the trees ``s`` and ``d``, and an empty configuration."""
    _make(tmp_path / "s", SRC)
    _make(tmp_path / "d", DST)
    (tmp_path / "empty.toml").touch()
    return tmp_path


def _make(root: Path, tree: Tree) -> None:
    for name, data in tree.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def _tree(root: Path) -> Tree:
    """Everything below a folder, temporary files included."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _start(
    home: Path, *words: str, before: Before | None = None, stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("OMNISTORAGE")}
    environ["OMNISTORAGE_CONFIG"] = str(home / "empty.toml")
    environ["OMNISTORAGE_STATE"] = str(home / "state")
    return subprocess.Popen(
        [sys.executable, "-m", "omnistorage", *words],
        cwd=home,
        env=environ,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=before,
    )


def _run(home: Path, *words: str, before: Before | None = None) -> tuple[int, str, list[str]]:
    """Run a command line in ``home``; return exit code, output, and the lines of stderr."""
    process = _start(home, *words, before=before)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err.splitlines()


# -- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("sync", "s3x://bucket", "d"), 1, "s3x", id="unknown scheme"),
        pytest.param(("sync", "memory://?buket=1", "d"), 1, "buket", id="unknown option"),
        pytest.param(("sync", "nosuch:path", "d"), 1, "nosuch", id="unknown remote"),
        pytest.param(("sync", "s", "nosuch:path"), 1, "nosuch", id="unknown remote as destination"),
        pytest.param(("sync", "s", "d", "--dry-rum"), 2, "--dry-rum", id="unknown flag"),
        pytest.param(("synk", "s", "d"), 2, "'sync'", id="unknown command"),
        pytest.param(("sync", "s"), 2, "DEST", id="too few words"),
        pytest.param(("sync", "s", "d", "e"), 2, "e", id="too many words"),
        pytest.param(("sync", "s", "d", "--transfers", "none"), 2, "none", id="bad number"),
        pytest.param(("sync", "s", "d", "--max-transfer", "1X"), 2, "1X", id="bad size"),
        pytest.param(("sync", "s", "d", "--filter", "* x"), 1, "* x", id="bad filter"),
        pytest.param(("sync", "s", "d", "--filter-from", "nowhere"), 1, "nowhere", id="no filter file"),
        pytest.param(("sync", "", "d"), 1, "empty", id="empty address"),
        pytest.param(("sync", "nowhere", "d"), 3, "nowhere", id="missing source"),
        pytest.param(("copy", "nowhere", "d"), 3, "nowhere", id="missing source of a copy"),
        pytest.param(("move", "s/nowhere", "d"), 3, "nowhere", id="missing source of a move"),
        pytest.param(("check", "nowhere", "d"), 3, "nowhere", id="missing source of a check"),
        pytest.param(("sync", "s", "d/a"), 1, "d/a", id="destination is a file"),
        pytest.param(("check", "s", "d/a"), 1, "d/a", id="destination of a check is a file"),
        pytest.param(("sync", "s/a/b", "d"), 3, "s/a/b", id="source is below a file"),
        pytest.param(("copyto", "s/a", "d/"), 1, "d", id="a name is wanted"),
        pytest.param(("sync", "s", "s/dir"), 7, "inside", id="destination inside the source"),
        pytest.param(("sync", "s/dir", "s"), 7, "inside", id="source inside the destination"),
        pytest.param(("sync", "s", "./s/../s"), 7, "same", id="one place"),
        pytest.param(("move", "s", "s/dir"), 7, "inside", id="move into itself"),
        pytest.param(("sync", "s", "d", "--max-delete", "0"), 7, "--max-delete", id="too many deletes"),
        pytest.param(("sync", "--config", "nowhere.toml", "s", "d:"), 1, "nowhere.toml", id="no configuration"),
        pytest.param(("sync", "--config", "broken.toml", "s", "d:"), 1, "broken.toml", id="broken configuration"),
    ],
)
def test_wrong_words(home: Path, words: tuple[str, ...], code: int, said: str) -> None:
    """What cannot be done as asked is refused in one line that names it, before anything is changed."""
    (home / "broken.toml").write_text("[remotes.d\ntype = ")
    result = _run(home, *words)

    assert (result[0], result[1], len(result[2])) == (code, "", 1), result
    assert said in result[2][0]
    assert "Traceback" not in result[2][0]
    assert (_tree(home / "s"), _tree(home / "d")) == (SRC, DST)


def test_empty_source(home: Path) -> None:
    """Rule 3: an empty source is refused, and the line says what would allow it."""
    (home / "none").mkdir()
    code, out, err = _run(home, "sync", "none", "d")

    assert (code, out, len(err)) == (7, "", 1)
    assert "--allow-empty-source" in err[0]
    assert _tree(home / "d") == DST


def test_source_is_a_file(home: Path) -> None:
    """A file as source goes into the destination, and nothing there is deleted."""
    code, _, err = _run(home, "sync", "s/dir/b", "d")

    assert (code, err) == (0, [])
    assert _tree(home / "d") == DST | {"b": b"two"}


# -- files that cannot be read or written ----------------------------------------------------------------------


def _powerless() -> None:
    """Take from root what lets it read and write what it may not; other users have no such power."""
    if os.getuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.parametrize("command", ["sync", "copy", "move"])
def test_unreadable_file(home: Path, command: str) -> None:
    """Rule 8: a file that cannot be read is one error, and all others arrive; a rename need not read it."""
    (home / "s/dir/b").chmod(0)
    code, _, err = _run(home, command, "s", "d", before=_powerless)
    where = home / ("d" if command == "move" else "s") / "dir/b"
    where.chmod(0o644)
    after = _tree(home / "d")

    assert {path: after[path] for path in ("a", "dir/c")} == {"a": b"one", "dir/c": b"three"}
    assert where.read_bytes() == b"two"
    if command == "move":
        # A rename needs no reading.
        assert (code, err) == (0, [])
    else:
        assert (code, len(err)) == (1, 2)
        assert "dir/b" in err[0]


@pytest.mark.parametrize("command", ["sync", "copy", "move", "check"])
def test_unreadable_directory(home: Path, command: str) -> None:
    """Rule 2: a directory that cannot be listed is one error, and nothing below it is deleted."""
    _make(home / "d", {"dir/old": b"keep me"})
    (home / "s/dir").chmod(0)
    code, _, err = _run(home, command, "s", "d", before=_powerless)
    (home / "s/dir").chmod(0o755)

    assert code == 1
    assert [line for line in err if "dir: " in line and "access denied" in line]
    assert _tree(home / "d")["dir/old"] == b"keep me"
    assert _tree(home / "s").items() >= {"dir/b": b"two", "dir/c": b"three"}.items()
    if command == "check":
        assert _tree(home / "d") == DST | {"dir/old": b"keep me"}
    else:
        assert _tree(home / "d")["a"] == b"one"


def test_unwritable_directory(home: Path) -> None:
    """Rule 8: a directory that cannot be written is an error for each object in it; all others arrive."""
    _make(home / "d", {"dir/old": b"keep me"})
    (home / "d/dir").chmod(0o555)
    code, _, err = _run(home, "sync", "s", "d", before=_powerless)
    (home / "d/dir").chmod(0o755)

    assert code == 1
    assert _tree(home / "d") == {"a": b"one", "dir/old": b"keep me"}
    assert len(err) == 4


def _small_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("command", ["sync", "copy"])
def test_full_disk(home: Path, command: str) -> None:
    """Rule 1: a file that does not fit leaves the old bytes and no part of the new; what fits arrives."""
    _make(home / "s", {"big": b"n" * 3_000_000, "dir/medium": b"m" * 200_000})
    _make(home / "d", {"big": b"old"})
    target = home / "d"
    code, _, err = _run(home, command, "s", "d", before=_small_disk)

    assert code == 1
    assert _tree(target)["big"] == b"old"
    assert _tree(target)["dir/b"] == b"two"
    assert not [name for name in _tree(target) if ".omnistorage-" in name or name == "dir/medium"]
    assert [line for line in err if "space" in line]
    assert len(err) == 3


# -- names -----------------------------------------------------------------------------------------------------


def test_names_the_destination_cannot_carry(home: Path) -> None:
    """Rule 8: a key that is no file name is that object's failure; the rest arrives."""
    src = Storage(MemoryDriver())
    for key in ("a//b", "../up", "x" * 256, "fine"):
        src.write_bytes(key, b"1")
    result = sync(src, files(home / "e"))

    assert sorted(outcome.action.path for outcome in result.failures) == ["../up", "a//b", "x" * 256]
    assert (result.errors, result.exit_code) == (3, 1)
    assert _tree(home / "e") == {"fine": b"1"}
    assert not (home / "up").exists()


def test_odd_names_in_output(home: Path) -> None:
    """A name with a newline or with bytes that are no text is one line of output, and a full copy."""
    odd = b"new\nline \xff\x1b[31m"
    (home / "s" / os.fsdecode(odd)).write_bytes(b"odd")
    process = _start(home, "copy", "-v", "s", "d")
    _, err = process.communicate(timeout=60)

    assert process.returncode == 0
    assert (home / "d" / os.fsdecode(odd)).read_bytes() == b"odd"
    assert [line for line in err.splitlines() if "new\\nline" in line]


# -- being stopped ---------------------------------------------------------------------------------------------


def _wait_for_temporary(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a large file is being written; small ones have come and gone."""
    while process.poll() is None and not any(map(_is_large, folder.glob(".omnistorage-*"))):
        time.sleep(0.01)


def _is_large(path: Path) -> bool:
    try:
        return path.stat().st_size > 1000
    except FileNotFoundError:
        return False


def test_interrupted(home: Path) -> None:
    """Rule 1: Ctrl-C ends the run with 130 and one line; the old bytes stay, and no temporary file does."""
    _make(home / "s", {"big": b"n" * 50_000_000})
    _make(home / "d", {"big": b"old"})
    process = _start(home, "sync", "s", "d", "--bwlimit", "1M")
    _wait_for_temporary(home / "d", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (130, "")
    assert err.split("\n") in (["omnistorage: interrupted", ""], ["", "omnistorage: interrupted", ""])
    assert _tree(home / "d")["big"] == b"old"
    assert _tree(home / "d")["gone"] == b"x"
    assert not [name for name in _tree(home / "d") if ".omnistorage-" in name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_terminated(home: Path, number: signal.Signals) -> None:
    """Rule 1: a run that is told to end, or loses its terminal, cleans up as on Ctrl-C."""
    _make(home / "s", {"big": b"n" * 50_000_000})
    _make(home / "d", {"big": b"old"})
    process = _start(home, "sync", "s", "d", "--bwlimit", "1M")
    _wait_for_temporary(home / "d", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (128 + number, "", "")
    assert _tree(home / "d")["big"] == b"old"
    assert not [name for name in _tree(home / "d") if ".omnistorage-" in name]


@pytest.mark.parametrize("words", [("check", "--combined", "-"), ("sync", "--json"), ("check", "--json")])
def test_closed_output(home: Path, words: tuple[str, ...]) -> None:
    """Output that nobody reads ends a command without a trace of its insides, and what it did is done."""
    if words[0] == "check":
        _make(home / "s", {f"many/{number:05}-{'x' * 90}": b"" for number in range(2000)})
    read, write = os.pipe()
    os.close(read)
    process = _start(home, *words, "s", "d", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    if words[0] == "sync":
        assert _tree(home / "d") == SRC


def test_full_output(home: Path) -> None:
    """Output that cannot be written is a failure, said in one line."""
    with open("/dev/full", "w") as full:
        process = _start(home, "sync", "--json", "s", "d", stdout=full.fileno())
        _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert len(err.splitlines()) == 1
    assert _tree(home / "d") == SRC


def test_check_says_the_sum_after_its_report(home: Path) -> None:
    """A report on stdout does not keep the sum from following it."""
    code, out, err = _run(home, "check", "--combined", "-", "--json", "s", "s")

    assert code == 0
    assert sorted(out.splitlines()[:3]) == ["= a", "= dir/b", "= dir/c"]
    assert '"matches":3' in out.splitlines()[3]
    assert "Traceback" not in "".join(err)
