"""From an address to a storage."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import omnistorage
from omnistorage import opening, registry
from omnistorage.config import Config
from omnistorage.core.address import Address
from omnistorage.core.driver import Driver
from omnistorage.core.errors import (
    ConfigError,
    MissingExtra,
    UnknownOption,
    UnknownRemote,
    UnknownScheme,
    Unreachable,
)
from omnistorage.core.features import Features
from omnistorage.core.info import DIR, FILE, ObjectInfo
from omnistorage.core.layer import Layer
from omnistorage.layers.retry import Retry
from omnistorage.storage import Storage


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a far storage.

    Attributes:
        host: Where it is.
        password: How to get in.
        port: Where it listens.
        down: It cannot be reached.
    """

    host: str = ""
    password: str = ""
    port: int = 1
    down: bool = False


class FarDriver(Driver):
    """A service that has one object, ``folder/object``."""

    scheme = "far"
    options_class = Options
    features = Features(recursive=True)

    def stat(self, path: str) -> ObjectInfo:
        if self.options.down:
            raise Unreachable
        return ObjectInfo(path, FILE if path == "folder/object" else DIR)


class NeedyDriver(Driver):
    """Needs a library that is not there when it is made."""

    scheme = "needy"

    @classmethod
    def from_address(cls, address: Address) -> tuple[Driver, str]:
        raise ModuleNotFoundError("No module named 'no_such_library'", name="no_such_library.part")


@pytest.fixture(autouse=True)
def _drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTERED", {"far": FarDriver, "needy": NeedyDriver})


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Some remotes, in memory."""
    remotes = {
        "nas": {"type": "far", "root": "a/b", "host": "h", "port": 22, "password": "env:FAR_PW"},
        "bare": {"type": "far"},
        "disk": {"type": "local", "root": str(tmp_path)},
        "here": {"type": "file"},
    }
    return Config(None, {"remotes": remotes})


def _chain(storage: Storage) -> list[str]:
    """Return the names of the classes from the outermost layer to the driver."""
    names, driver = [], storage.driver
    while isinstance(driver, Layer):
        names.append(type(driver).__name__)
        driver = driver.inner
    return [*names, type(driver).__name__]


def _options(storage: Storage) -> Any:
    return storage.driver.options


def test_path_objects_are_local(tmp_path: Path) -> None:
    """A path object is a local path even if its text looks like a remote."""
    (tmp_path / "memory:").mkdir()
    with omnistorage.open(tmp_path / "memory:") as storage:
        storage.write_bytes("x", b"1")

    assert (tmp_path / "memory:" / "x").read_bytes() == b"1"


def test_local_path_has_no_layers(tmp_path: Path) -> None:
    """Nothing stands between a caller and the files of this machine but the guard."""
    with omnistorage.open(str(tmp_path)) as storage:
        assert _chain(storage) == ["Guard", "FileDriver"]


def test_file_url_is_decoded(tmp_path: Path) -> None:
    """A file URL names the same folder as its path."""
    folder = tmp_path / "a b?"
    folder.mkdir()
    (folder / "x").write_bytes(b"1")
    with omnistorage.open(f"file://{tmp_path}/a%20b%3F?fsync=full") as storage:
        assert storage.read_bytes("x") == b"1"
        assert _options(storage).fsync == "full"


def test_prefix_is_not_seen_from_above() -> None:
    """Keys of a storage that was opened below a prefix are relative to it."""
    with omnistorage.open("memory://shared-1") as whole, omnistorage.open("memory://shared-1/a/b") as part:
        part.write_bytes("c", b"1")

        assert list(whole.list()) == ["a/b/c"]
        assert list(part.list()) == ["c"]


def test_services_get_retries() -> None:
    """A service that can fail for a moment is asked again, the guard standing inside."""
    with omnistorage.open("far://x") as storage:
        assert _chain(storage) == ["Retry", "Pace", "Guard", "FarDriver"]


@pytest.mark.parametrize(("retries", "attempts"), [(3, 4), ("1", 2)])
def test_number_of_retries(retries: object, attempts: int) -> None:
    """``retries`` is how often a call is repeated at most."""
    with omnistorage.open("far://x", retries=retries) as storage:
        assert isinstance(storage.driver, Retry)
        assert storage.driver.attempts == attempts


def test_no_retries() -> None:
    """Zero turns them off, also in an address."""
    with omnistorage.open("far://x?retries=0") as storage:
        assert _chain(storage) == ["Guard", "FarDriver"]


@pytest.mark.parametrize("retries", ["-1", "many", "", 1j])
def test_bad_number_of_retries(retries: object) -> None:
    """Anything but a number from 0 on is refused."""
    with pytest.raises(ConfigError, match="option 'retries': expected a number from 0 on"):
        omnistorage.open("far://x", retries=retries)


def test_own_layers_are_outermost() -> None:
    """Layers of the caller stand outside, in the given order; a Retry among them replaces the default one."""
    with omnistorage.open("far://x/folder", Layer, partial(Retry, attempts=9)) as storage:
        assert _chain(storage) == ["Layer", "Retry", "Prefix", "Guard", "FarDriver"]


def test_keywords_go_before_the_query() -> None:
    """An option given as keyword counts, and one only in the address, too."""
    with omnistorage.open("far://x?host=a&port=2", port=3) as storage:
        assert _options(storage) == Options(host="a", port=3)


def test_remote_from_configuration(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote brings type, root and options; the connection string and keywords go before them."""
    monkeypatch.setenv("FAR_PW", "pw")
    with omnistorage.open("nas,port=23:c", config=config, host="k") as storage:
        assert _options(storage) == Options(host="k", port=23, password="pw")
        assert _chain(storage)[:2] == ["Prefix", "Retry"]
    address = opening.resolve("nas,port=23:c", config=config)

    assert address.path == "a/b/c"
    assert address.remote == "nas"
    assert address.options["password"] == "env:FAR_PW"


@pytest.mark.parametrize(
    ("text", "path"),
    [("nas:", "a/b"), ("nas:/c", "a/b/c"), ("nas,root=x:c", "x/c"), ("bare:", ""), ("bare:/c", "/c"), ("here:", ".")],
)
def test_root_of_a_remote(config: Config, text: str, path: str) -> None:
    """The path is below the root; a remote of local files without a root begins at the current folder."""
    assert opening.resolve(text, config=config).path == path


def test_remote_of_local_files(config: Config, tmp_path: Path) -> None:
    """rclone's name of the type works, and the path is below the root."""
    with omnistorage.open("disk:sub", config=config) as storage:
        storage.write_bytes("x", b"1")

    assert (tmp_path / "sub" / "x").read_bytes() == b"1"


def test_configuration_can_be_a_file(tmp_path: Path) -> None:
    """``config`` may be the path of the file."""
    (tmp_path / "c.toml").write_text('[remotes.m]\ntype = "memory"\npage_size = 3\n')
    with omnistorage.open("m:", config=tmp_path / "c.toml") as storage:
        assert _options(storage).page_size == 3


def test_secret_does_not_pickle_or_show(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver carries the reference to another process, where it is looked up again, and its repr hides it."""
    monkeypatch.setenv("FAR_PW", "topsecret")
    with omnistorage.open("nas:", config=config) as storage:
        options = _options(storage)
    pickled = pickle.dumps(options)
    monkeypatch.setenv("FAR_PW", "another")

    assert options.password == "topsecret"
    assert b"topsecret" not in pickled
    assert "topsecret" not in repr(options)
    assert pickle.loads(pickled).password == "another"


def test_missing_secret_names_the_option(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that leads nowhere says which option it is for."""
    monkeypatch.delenv("FAR_PW", raising=False)

    with pytest.raises(ConfigError, match="option 'password': env:FAR_PW: there is no such environment variable"):
        omnistorage.open("nas:", config=config)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ConfigError, "an address cannot be empty; '.' is the current folder"),
        ("nosuch:x", UnknownRemote, "unknown remote 'nosuch:'; known: bare:, disk:, here:, nas: (memory)"),
        ("faar://x", UnknownScheme, "unknown scheme 'faar'; did you mean 'far'? known: "),
        (":faar:x", UnknownScheme, "unknown scheme 'faar'; did you mean 'far'? known: "),
        ("far://x?hots=y", UnknownOption, "far: unknown option 'hots'; known: down, host, password, port"),
        ("far://x?port=y", ConfigError, "far: option 'port': expected 'int', got 'str'"),
        ("needy://x", MissingExtra, "needy needs no_such_library: pip install 'no_such_library'"),
    ],
)
def test_errors_are_one_clear_line(config: Config, text: str, error: type[Exception], message: str) -> None:
    """What is wrong, and what would be right, in one line."""
    with pytest.raises(error) as caught:
        opening.open_remote(text, config=config)

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_locate_an_object(tmp_path: Path) -> None:
    """The address of an object leads to its folder and its name."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x:y").write_bytes(b"1")
    storage, name = opening.locate(f"{tmp_path}/sub/x:y")
    with storage:
        assert name == "x:y"
        assert storage.read_bytes(name) == b"1"


def test_locate_an_object_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare file name works, with a slash behind it too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(b"1")
    for text in ("x", "x/", "./x", "file:x", ":local:x"):
        storage, name = opening.locate(text)
        with storage:
            assert (text, name) == (text, "x")
            assert storage.read_bytes(name) == b"1"


@pytest.mark.parametrize("text", ["", "/nothing/here"])
def test_locate_a_folder(tmp_path: Path, text: str) -> None:
    """The address of a folder, there or not, leads to it."""
    storage, name = opening.locate(f"{tmp_path}{text}")
    with storage:
        assert name == ""
        assert storage.driver.local_root == f"{tmp_path}{text}"


@pytest.mark.parametrize(
    ("text", "name", "layers"),
    [
        ("far://x/folder/object", "object", ["Layer", "Prefix", "Retry", "Pace", "Guard", "FarDriver"]),
        ("far://x/folder", "", ["Layer", "Prefix", "Retry", "Pace", "Guard", "FarDriver"]),
        ("far://x", "", ["Layer", "Retry", "Pace", "Guard", "FarDriver"]),
    ],
)
def test_locate_at_a_service(text: str, name: str, layers: list[str]) -> None:
    """At a service, the prefix is split."""
    storage, found = opening.locate(text, Layer)
    with storage:
        assert found == name
        assert _chain(storage) == layers


def test_locate_does_not_ask_about_the_top() -> None:
    """A whole service is a folder; a service that is down does not hinder saying so."""
    storage, name = opening.locate("far://x/?down=true&retries=0")
    storage.close()

    assert name == ""


def test_locate_tells_that_a_service_is_down() -> None:
    """A service that cannot be asked is an error, not a folder."""
    with pytest.raises(Unreachable):
        opening.locate("far://x/a?down=true&retries=0")
