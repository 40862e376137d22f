"""``--metadata-mapper``: a program says what metadata each object gets."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from metadata_scenes import attributes, mode, needs_xattr, place
from omnistorage.core.errors import ConfigError
from omnistorage.sync import Options, sync
from sync_scenes import WHEN, memory

ADDING = """
import json, sys
asked = json.load(sys.stdin)
with open(sys.argv[1], "a") as log:
    log.write(json.dumps(asked) + "\\n")
told = asked["Metadata"]
told.update(seen=asked["Remote"], mode="0600" if not asked["IsDir"] else "0711")
json.dump({"Metadata": told}, sys.stdout)
"""


def _program(folder: Path, text: str) -> str:
    (folder / "my mapper.py").write_text(text)
    return shlex.join([sys.executable, str(folder / "my mapper.py"), str(folder / "log")])


@needs_xattr
def test_program_decides(tmp_path: Path) -> None:
    """Each object and directory gets what the program answers, and a second run finds nothing to do."""
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    src.write_bytes("d/a", b"hello", modified=WHEN)
    options = Options(metadata=True, metadata_mapper=_program(tmp_path, ADDING))
    first, second = sync(src, dst, options), sync(src, dst, options)
    asked = {one["Remote"]: one for one in map(json.loads, (tmp_path / "log").read_text().splitlines())}

    assert [mode(tmp_path / "d" / name) for name in ("d", "d/a")] == ["711", "600"]
    assert attributes(tmp_path / "d/d/a") == {"seen": b"d/a"}
    assert (first.transferred, first.errors, second.changed) == (1, 0, 0)
    assert asked.keys() == {"d", "d/a"}
    assert (asked["d"]["IsDir"], asked["d"]["MimeType"]) == (True, "inode/directory")
    assert {name: asked["d/a"][name] for name in ("SrcFs", "SrcFsType", "DstFs", "DstFsType", "Size", "IsDir")} == {
        "SrcFs": str(tmp_path / "s"),
        "SrcFsType": "local",
        "DstFs": str(tmp_path / "d"),
        "DstFsType": "local",
        "Size": 5,
        "IsDir": False,
    }
    assert asked["d/a"]["ModTime"] == "2023-11-14T22:13:20Z" == asked["d/a"]["Metadata"]["mtime"]


def test_without_metadata_of_the_source(tmp_path: Path) -> None:
    """A program that is asked without ``metadata`` gets what listings tell, and its answer is kept."""
    src, dst = memory(), memory()
    src.write_bytes("a", b"x", metadata={"colour": "blue"})
    sync(src, dst, Options(metadata_mapper=_program(tmp_path, ADDING)))

    assert dst.stat("a").metadata == {"colour": "blue", "seen": "a", "mode": "0600"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys; sys.exit('no such customer')", "ended with 1: no such customer"),
        ("print('hello')", 'did not answer with an object like {"Metadata": {"key": "value"}}'),
        ("print('{}')", "did not answer with an object like"),
        ("""print('{"Metadata": {"a": 1}}')""", "did not answer with an object like"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
    ],
)
def test_program_fails(text: str, words: str, tmp_path: Path) -> None:
    """Where the program fails, the object fails with its words, and nothing is stored."""
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    src.write_bytes("a", b"x")
    result = sync(src, dst, Options(metadata=True, metadata_mapper=_program(tmp_path, text)))

    assert (result.errors, result.transferred) == (1, 0)
    assert words in str(result.failures[0].error)
    assert list(dst.list()) == []


def test_no_such_program(tmp_path: Path) -> None:
    """A program that is not there is the failure of each object, by its name."""
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    src.write_bytes("a", b"x")
    result = sync(src, dst, Options(metadata=True, metadata_mapper=f"{tmp_path}/nix --flag"))

    assert result.errors == 1
    assert f"{tmp_path}/nix" in str(result.failures[0].error)


@pytest.mark.parametrize("command", [" ", "'open"])
def test_command_without_sense(command: str) -> None:
    """What is no command line is refused before anything is done."""
    with pytest.raises(ConfigError, match="mapper"):
        sync(memory({"a": b"x"}), memory(), Options(metadata_mapper=command))
