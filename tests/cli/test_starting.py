"""What commands import: a command that takes longer to start than to run is not used in scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from omnistorage.cli._group import cli

_CONTEXT = click.Context(cli)
_ALIASES = ("cp", "mv", "rm")

_RUN = """
import sys
sys.argv[1:] = {args!r}
from omnistorage.cli.main import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sys.modules))
"""

_NEVER = {
    "asyncio",
    "concurrent.futures",
    "dataclasses",
    "hashlib",
    "logging",
    "omnistorage.config",
    "omnistorage.layers.retry",
    "omnistorage.sync.recipes",
    "pickle",
    "rich",
    "socket",
    "subprocess",
    "tempfile",
    "tomllib",
    "urllib3",
}


def _loaded(args: list[str], folder: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _RUN.format(args=args)], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("args", [["lsf", "."], ["lsf", "-R", "."], ["ls", "."], ["size", "."], ["cat", "a.txt"]])
def test_looking_imports_little(args: list[str], tree: Path) -> None:
    """Commands that look load neither the engine of sync nor what only some storages need."""
    assert _loaded(args, tree) & _NEVER == set()


def test_plain_names_without_the_parser(tree: Path) -> None:
    """A plain lsf loads neither the parser of flags nor the rules of filters' globs."""
    loaded = _loaded(["lsf", "-R", "."], tree)

    assert "msgspec" in loaded
    assert loaded & {"click", "gettext", "locale", "omnistorage.sync"} == set()


def test_version_imports_nothing(tree: Path) -> None:
    """The version is answered before anything is loaded."""
    loaded = _loaded(["version"], tree)

    assert {name for name in loaded if name.startswith("omnistorage.")} == {
        "omnistorage.cli",
        "omnistorage.cli._facts",
        "omnistorage.cli.main",
    }
    assert loaded & {"click", "msgspec", "typing"} == set()


@pytest.mark.parametrize("name", [name for name in cli.list_commands(_CONTEXT) if name not in _ALIASES])
def test_help(name: str) -> None:
    """Each command shows examples of its use."""
    command = cli.get_command(_CONTEXT, name)

    assert command is not None
    assert isinstance(command, click.Group) or f"omnistorage {name}" in (command.help or "")
