"""``omnistorage about``, ``stat``, ``version`` and ``completion``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import omnistorage
from cli_runs import Ran, Run
from omnistorage.core.errors import Unsupported
from omnistorage.core.info import Usage
from omnistorage.drivers.file import FileDriver


def test_about(run: Run, tmp_path: Path) -> None:
    """The numbers are those of the file system, in words, in full, or as JSON."""
    disk = os.statvfs(tmp_path)
    total = disk.f_blocks * disk.f_frsize

    assert run("about", ".").out.splitlines()[0].startswith("Total:   ")
    assert run("about", ".", "--full").out.splitlines()[0] == f"Total:   {total}"
    assert json.loads(run("about", ".", "--json").out)["total"] == total


def test_about_what_does_not_tell(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that cannot say is one line."""

    def refuse(self: FileDriver) -> Usage:
        raise Unsupported

    monkeypatch.setattr(FileDriver, "about", refuse)
    ran = run("about", tree)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"omnistorage: file about '{tree}': not supported by this storage\n"


def test_stat(run: Run, tree: Path) -> None:
    """What is known of an object, in words and as JSON."""
    words = run("stat", tree / "b" / "c.bin").out
    facts = json.loads(run("stat", tree / "b" / "c.bin", "--json").out)

    assert "size:     1500 (1.465 KiB)\n" in words
    assert "modified: 2023-11-14T22:13:20.000000000Z\n" in words
    assert (facts["kind"], facts["name"], facts["size"]) == ("object", "c.bin", 1500)


def test_stat_of_a_directory(run: Run, tree: Path) -> None:
    """A directory has no size."""
    facts = json.loads(run("stat", tree, "--json").out)

    assert (facts["kind"], facts["size"], facts["place"]) == ("directory", None, str(tree))


def test_version(run: Run, process: Callable[..., Ran]) -> None:
    """The short way, the long way and the flag say the same, and JSON holds it, too."""
    short = process("version").out

    assert short.startswith(f"omnistorage {omnistorage.__version__}\n- python: 3.")
    assert process("--version").out == short
    assert json.loads(run("version", "--json").out)["system"] == sys.platform


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    """Each shell gets a script for our command."""
    ran = run("completion", shell)

    assert (ran.code, ran.err) == (0, "")
    assert "_OMNISTORAGE_COMPLETE" in ran.out


def test_completion_of_another_shell(run: Run) -> None:
    """A shell that is not known is a usage error that lists those that are."""
    ran = run("completion", "tcsh")

    assert ran.code == 2
    assert "'bash', 'zsh', 'fish'" in ran.err


def test_completing(process: Callable[..., Ran]) -> None:
    """Commands complete without having been imported, and so do the flags of one."""
    commands = process(env=_asked("omnistorage ls", 1)).out.splitlines()
    flags = process(env=_asked("omnistorage lsf --fi", 2)).out.splitlines()

    assert commands == ["plain,ls", "plain,lsd", "plain,lsf", "plain,lsjson", "plain,lsl"]
    assert "plain,--files-only" in flags


def _asked(words: str, number: int) -> dict[str, str]:
    return {"_OMNISTORAGE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
