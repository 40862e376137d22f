"""``omnistorage config`` and ``omnistorage listremotes``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from omnistorage.cli.config import command as config
from omnistorage.cli.listremotes import command as listremotes
from omnistorage.core.errors import ConfigError, UnknownOption, UnknownRemote, UnknownScheme


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration, which is not there yet."""
    path = tmp_path / "c.toml"
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(path))
    return path


def _run(*words: str) -> Result:
    # Errors of ours are turned into a line and an exit code by the main command.
    result = CliRunner().invoke(config, words, standalone_mode=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def _held(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text())["remotes"]  # type: ignore[no-any-return]


def test_create(file: Path) -> None:
    """Settings are KEY=VALUE or KEY VALUE and get their types; nothing is printed."""
    result = _run("create", "m", "memory", "page-size=7", "name", "a=b", "root=x/y", "retries=2")

    assert (result.exit_code, result.output) == (0, "")
    assert _held(file) == {"m": {"type": "memory", "root": "x/y", "page_size": 7, "name": "a=b", "retries": 2}}


def test_create_again(file: Path) -> None:
    """The same again is fine, something else needs --replace."""
    _run("create", "m", "memory", "page_size=7")
    again = _run("create", "m", "memory", "page_size=7")
    with pytest.raises(ConfigError, match="remote 'm:' exists"):
        _run("create", "m", "memory")
    replaced = _run("create", "--replace", "m", "memory")

    assert (again.exit_code, replaced.exit_code) == (0, 0)
    assert _held(file) == {"m": {"type": "memory"}}


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["m", "memmory"], UnknownScheme, "did you mean 'memory'"),
        (["m", "memory", "nmae=x"], UnknownOption, "known: name, page_size"),
        (["m", "memory", "page_size=x"], ConfigError, "page_size"),
        (["a:b", "memory"], ConfigError, "cannot be the name"),
    ],
)
def test_create_refuses(file: Path, words: list[str], error: type[Exception], message: str) -> None:
    """What could not be opened later is refused now, and nothing is written."""
    with pytest.raises(error, match=message):
        _run("create", *words)

    assert not file.exists()


def test_setting_without_value(file: Path) -> None:
    """A name without a value is wrong usage."""
    result = _run("create", "m", "memory", "name")

    assert result.exit_code == 2
    assert "write name=VALUE" in result.stderr


def test_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything is kept in memory, a command that writes says so rather than do nothing."""
    monkeypatch.setenv("OMNISTORAGE_CONFIG", "")
    for words in (["create", "m", "memory"], ["update", "m"], ["delete", "m"]):
        with pytest.raises(ConfigError, match="there is no file to write to"):
            _run(*words)
    result = _run("file")

    assert (result.exit_code, result.stdout) == (0, "")


def test_update_and_delete(file: Path) -> None:
    """Settings are changed and taken out, then the remote."""
    _run("create", "m", "memory", "page_size=7", "name=x")
    _run("update", "m", "page-size=8", "--unset", "name")
    updated = _held(file)
    with pytest.raises(UnknownOption):
        _run("update", "m", "pages=8")
    _run("delete", "m")

    assert updated == {"m": {"type": "memory", "page_size": 8}}
    with pytest.raises(UnknownRemote, match="unknown remote 'm:'"):
        _run("delete", "m")


def test_show_and_dump_hide_secrets(file: Path) -> None:
    """TOML and JSON are printed without secrets, which only ``dump --secrets`` shows."""
    file.write_text('[remotes.a]\ntype = "sftp"\npass = "topsecret"\n[remotes.b]\ntype = "s3"\n')
    shown, one, dumped = _run("show"), _run("show", "b"), _run("dump")
    everything = _run("dump", "--secrets")

    assert tomllib.loads(shown.stdout)["remotes"] == json.loads(dumped.stdout)
    assert one.stdout == '[remotes.b]\ntype = "s3"\n'
    assert json.loads(dumped.stdout) == {"a": {"type": "sftp", "pass": "***"}, "b": {"type": "s3"}}
    assert json.loads(everything.stdout)["a"]["pass"] == "topsecret"


def test_show_of_an_unknown_remote(file: Path) -> None:
    """A wrong name is an error."""
    with pytest.raises(UnknownRemote):
        _run("show", "nosuch")


def test_file_and_touch(file: Path) -> None:
    """The path is printed alone, also if the file is missing or broken."""
    missing = _run("file")
    _run("touch")
    made = _run("file")
    file.write_text("= broken")
    broken = _run("file")

    assert missing.stdout == made.stdout == broken.stdout == f"{file}\n"
    assert "does not exist" in missing.stderr
    assert made.stderr == ""


def test_config_flag(file: Path, tmp_path: Path) -> None:
    """``--config`` may stand on both sides of the sub-command and goes before the variable; so may ``-v``."""
    other = tmp_path / "other.toml"
    _run("--config", str(other), "create", "a", "memory")
    before = _run("-v", "--config", str(other), "update", "a", "name=x")
    created = _run("create", "-v", "b", "memory", "--config", str(other))
    listed = CliRunner().invoke(listremotes, ["--config", str(other)])

    assert not file.exists()
    assert f"a: is changed in {other}" in before.stderr
    assert f"b: is in {other}" in created.stderr
    assert listed.stdout == "a:\nb:\n"
    assert _run("--config", str(other), "file").stdout == f"{other}\n"


def test_without_sub_command() -> None:
    """The group alone prints its help."""
    result = _run()

    assert result.exit_code == 0
    assert "  create " in result.stdout


def test_paths(file: Path) -> None:
    """The paths in use are named."""
    assert f"Config file: {file}\n" in _run("paths").stdout


@pytest.mark.parametrize("name", ["backends", "providers"])
def test_backends(name: str) -> None:
    """Types and their options are listed, for people and for programs."""
    text, encoded = _run(name, "memory"), _run(name, "--json")
    memory = next(info for info in json.loads(encoded.stdout) if info["scheme"] == "memory")

    assert "page_size (int; default 1000)" in text.stdout
    assert [option["name"] for option in memory["options"]] == ["name", "page_size"]
    assert memory["options"][1]["default"] == 1000


def test_listremotes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names with a colon, sorted; types, sources and a filter if asked for."""
    monkeypatch.setenv("OMNISTORAGE_REMOTE_ENVY_TYPE", "s3")
    file.write_text('[remotes.nas]\ntype = "sftp"\n[remotes.b]\ntype = "s3"\n')
    runner = CliRunner()
    plain, long = runner.invoke(listremotes), runner.invoke(listremotes, ["--long"])
    only, encoded = runner.invoke(listremotes, ["--type", "s3"]), runner.invoke(listremotes, ["--json"])

    assert plain.stdout == "b:\nenvy:\nnas:\n"
    assert long.stdout == "b:    s3\nenvy: s3\nnas:  sftp\n"
    assert only.stdout == "b:\nenvy:\n"
    assert json.loads(encoded.stdout)[1] == {"name": "envy", "type": "s3", "source": "environment"}
