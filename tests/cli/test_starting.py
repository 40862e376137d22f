"""What commands import: a command that takes longer to start than to run is not used in scripts."""

from __future__ import annotations

import os
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


def test_names_of_a_folder_import_nothing(tree: Path) -> None:
    """Names in a folder of this machine are printed before anything is loaded."""
    loaded = _loaded(["lsf", "."], tree)

    assert {name for name in loaded if name.startswith("omnistorage.")} == {
        "omnistorage.cli",
        "omnistorage.cli._plain",
        "omnistorage.cli.main",
        "omnistorage.core",
        "omnistorage.core.localnames",
    }
    assert loaded & {"click", "msgspec", "typing"} == set()


@pytest.mark.parametrize("flags", [[], ["--files-only"], ["--dirs-only"], ["--files-only", "--dirs-only"]])
def test_short_way_is_the_long_way(tree: Path, flags: list[str]) -> None:
    """Whatever the names, they are printed as they would be with the parser and the driver."""
    for name in (b"a-b", b"a", b"a.d/", b"\xff", b"new\nline", b".omnistorage-12345678.tmp", "é".encode(), b"-n"):
        place = os.fsencode(tree) + b"/" + name
        if name.endswith(b"/"):
            os.mkdir(place)
        elif not os.path.exists(place):
            open(place, "wb").close()
    short, long = (
        subprocess.run(
            [sys.executable, "-m", "omnistorage", "lsf", *flags, *more, "."], capture_output=True, cwd=tree
        )
        for more in ([], ["--separator", ";"])
    )

    assert (short.returncode, short.stderr) == (0, b"")
    assert short.stdout == long.stdout
    assert b"omnistorage-" not in short.stdout


def test_links_are_reported(tree: Path) -> None:
    """The short way is left where something must be said."""
    (tree / "link").symlink_to("a.txt")
    done = subprocess.run([sys.executable, "-m", "omnistorage", "lsf", "."], capture_output=True, text=True, cwd=tree)

    assert done.returncode == 0
    assert "link" in done.stderr
    assert "link" not in done.stdout


@pytest.mark.parametrize("output", ["/dev/full", None])
def test_output_that_fails(tree: Path, output: str | None) -> None:
    """A full disk or a reader that has gone ends the short way without a trace of its insides."""
    if output is None:
        read, write = os.pipe()
        os.close(read)
    else:
        write = os.open(output, os.O_WRONLY)
    command = [sys.executable, "-m", "omnistorage", "lsf", "."]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=tree)
    os.close(write)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == (0 if output is None else 1)


def test_version_imports_nothing(tree: Path) -> None:
    """The version is answered before anything is loaded."""
    loaded = _loaded(["version"], tree)

    assert {name for name in loaded if name.startswith("omnistorage.")} == {
        "omnistorage.cli",
        "omnistorage.cli._facts",
        "omnistorage.cli.main",
        "omnistorage.core",
        "omnistorage.core.version",
    }
    assert loaded & {"click", "msgspec", "typing"} == set()


@pytest.mark.parametrize("name", [name for name in cli.list_commands(_CONTEXT) if name not in _ALIASES])
def test_help(name: str) -> None:
    """Each command shows examples of its use."""
    command = cli.get_command(_CONTEXT, name)

    assert command is not None
    assert isinstance(command, click.Group) or f"omnistorage {name}" in (command.help or "")
