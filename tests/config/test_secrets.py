"""References to secrets."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from omnistorage.config import resolve, resolved
from omnistorage.core.errors import ConfigError


@pytest.fixture(autouse=True)
def _variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PW", "topsecret")
    monkeypatch.delenv("NO_PW", raising=False)


def test_environment() -> None:
    """``env:NAME`` is the value of the variable."""
    assert resolve("env:SOME_PW") == "topsecret"


@pytest.mark.parametrize(
    ("held", "secret"),
    [("pw\n", "pw"), ("pw", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n"), (" a\nb ", " a\nb "), ("", "")],
)
def test_file(tmp_path: Path, held: str, secret: str) -> None:
    """``file:/path`` is all that the file holds but for the end of the last line."""
    (tmp_path / "pw").write_bytes(held.encode())

    assert resolve(f"file:{tmp_path}/pw") == secret


def test_file_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``file:~/…`` begins at the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pw").write_text("x")

    assert resolve("file:~/pw") == "x"


@pytest.mark.parametrize("text", ["", "plain", "env:", "env:a b", "env", "file:rel", "vault:", "http://x"])
def test_other_texts_stay(text: str) -> None:
    """What is no reference is returned as it is."""
    assert resolve(text) is text


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NO_PW", "env:NO_PW: there is no such environment variable"),
        ("file:/no/such/file", "file:/no/such/file: No such file or directory"),
        ("file:/dev/zero", "is larger than"),
        ("keyring:a/b", "keyring: references are not supported in this version"),
        ("vault:a/b", "vault: references are not supported in this version"),
    ],
)
def test_failures(reference: str, words: str) -> None:
    """A reference that leads nowhere is an error that says so."""
    with pytest.raises(ConfigError, match=words):
        resolve(reference)


def test_binary_file(tmp_path: Path) -> None:
    """A file that is no text is refused, and its bytes are not shown."""
    (tmp_path / "pw").write_bytes(b"abc\xff")

    with pytest.raises(ConfigError, match=r"is not UTF-8 text$"):
        resolve(f"file:{tmp_path}/pw")


def test_pickles_as_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickles and copies hold the reference only, and look it up where they are opened."""
    pickled = pickle.dumps(resolve("env:SOME_PW"))
    monkeypatch.setenv("SOME_PW", "other")

    assert b"topsecret" not in pickled
    assert pickle.loads(pickled) == "other"
    assert copy.copy(resolve("env:SOME_PW")) == "other"


def test_repr_hides() -> None:
    """The repr, which ends up in logs, names the reference."""
    assert repr(resolve("env:SOME_PW")) == "<secret env:SOME_PW>"


def test_options_that_hold_places_stay() -> None:
    """What looks like a reference is none in an option that holds an address or a path."""
    options = {
        "password": "env:SOME_PW",
        "user": "env:SOME_PW",
        "remote": "env:SOME_PW",
        "root": "file:/x",
        "upstreams": "vault:a",
        "note": "vault:a",
        "port": 22,
    }

    assert resolved(options) == options | {"password": "topsecret", "user": "topsecret"}


def test_error_names_the_option() -> None:
    """The message tells which option the reference is for."""
    with pytest.raises(ConfigError, match=r"^option 'pass': env:NO_PW: there is no such environment variable$"):
        resolved({"pass": "env:NO_PW"})
