"""Named remotes, in a file and in the environment."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from omnistorage.config import Config, default_path
from omnistorage.config.remotes import Remote
from omnistorage.core.errors import ConfigError, UnknownRemote


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the configuration will be; its folder is not there yet."""
    return tmp_path / "sub" / "config.toml"


def _load(file: Path, **env: str) -> Config:
    return Config.load(file, env)


def test_create_and_load(file: Path) -> None:
    """What was created is there for the next one who loads the file."""
    _load(file).create("nas", "sftp", {"host": "h", "port": 22, "key-use-agent": True}, root="a/b")

    assert _load(file).remote("nas") == Remote(
        name="nas", type="sftp", root="a/b", options={"host": "h", "port": 22, "key_use_agent": True}
    )


def test_file_and_folder_are_private(file: Path) -> None:
    """Only the owner may read the file, also if others could read it before."""
    config = _load(file)
    config.create("a", "s3")
    first = stat.S_IMODE(file.stat().st_mode)
    file.chmod(0o644)
    config.create("b", "s3")

    assert (first, stat.S_IMODE(file.stat().st_mode)) == (0o600, 0o600)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_nothing_is_left_behind(file: Path) -> None:
    """Beside the file there is its lock, and nothing else."""
    config = _load(file)
    config.create("a", "s3")
    config.delete("a")

    assert sorted(path.name for path in file.parent.iterdir()) == ["config.toml", "config.toml.lock"]


def test_a_link_stays_a_link(tmp_path: Path, file: Path) -> None:
    """A configuration that is a symbolic link is changed where it points to."""
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    _load(link).create("a", "s3")

    assert link.is_symlink()
    assert "a" in _load(file).remotes()


def test_other_tables_and_comments_are_kept(file: Path) -> None:
    """What is not ours stays in the file, word for word."""
    file.parent.mkdir()
    file.write_text('# mine\nx = 1 # here\n\n[tool]\ny = [1, 2]\n\n[remotes.a]\ntype = "s3"\n')
    config = _load(file)
    config.create("b", "ftp")
    config.delete("a")

    assert file.read_text() == '# mine\nx = 1 # here\n\n[tool]\ny = [1, 2]\n\n\n[remotes.b]\ntype = "ftp"\n'


def test_create_again(file: Path) -> None:
    """The same remote can be made again; another one of its name needs ``replace``."""
    config = _load(file)
    config.create("a", "s3", {"key": "x"})
    config.create("a", "s3", {"key": "x"})
    with pytest.raises(ConfigError, match="remote 'a:' exists"):
        config.create("a", "s3", {"key": "y"})
    kept = _load(file).remote("a").options
    config.create("a", "ftp", replace=True)

    assert kept == {"key": "x"}
    assert _load(file).remote("a") == Remote(name="a", type="ftp")


@pytest.mark.parametrize("name", ["", "-a", "a ", "a:b", "a/b", "file"])
def test_create_refuses_names(file: Path, name: str) -> None:
    """A remote that no address could name is refused before anything is written."""
    with pytest.raises(ConfigError, match="cannot be the name of a remote"):
        _load(file).create(name, "s3")

    assert not file.exists()


def test_update(file: Path) -> None:
    """Options are set and taken out; the others, and type and root, stay."""
    config = _load(file)
    config.create("a", "s3", {"x": 1, "y": 2, "z-z": 3}, root="r")
    config.update("a", {"Y": "new", "w": True}, remove=["x", "z_z"])

    assert _load(file).remote("a") == Remote(name="a", type="s3", root="r", options={"y": "new", "w": True})


def test_changes_of_a_remote_that_is_not_there(file: Path) -> None:
    """Update and delete of an unknown remote fail, and say what there is."""
    config = _load(file, OMNISTORAGE_REMOTE_ENVY_TYPE="s3")
    config.create("a", "s3")
    with pytest.raises(UnknownRemote, match=r"unknown remote 'b:' in .*; known: a:, envy:"):
        config.update("b", {"x": 1})
    with pytest.raises(UnknownRemote, match="it is made by the environment"):
        config.delete("envy")


def test_change_is_made_to_what_the_file_says_now(file: Path) -> None:
    """A configuration that was loaded earlier does not undo what others wrote since."""
    early = _load(file)
    _load(file).create("a", "s3")
    early.create("b", "s3")

    assert list(_load(file).remotes()) == ["a", "b"]
    assert list(early.remotes()) == ["a", "b"]


_CREATE = """
import sys
from omnistorage.config import Config
path, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.read()
for number in range(count):
    Config.load(path, {}).create(f"r{who}-{number}", "s3", {"n": number})
"""


def test_processes_at_once_lose_nothing(file: Path) -> None:
    """Of 8 processes that create remotes at the same moment, every remote is there in the end."""
    crowd = [
        subprocess.Popen([sys.executable, "-c", _CREATE, str(file), str(who), "5"], stdin=subprocess.PIPE)
        for who in range(8)
    ]
    for process in crowd:
        assert process.stdin is not None
        process.stdin.close()
    codes = [process.wait(60) for process in crowd]

    assert codes == [0] * 8
    assert set(_load(file).remotes()) == {f"r{who}-{number}" for who in range(8) for number in range(5)}


@pytest.mark.parametrize("memory", [False, True])
def test_threads_at_once_lose_nothing(file: Path, memory: bool) -> None:
    """Threads that share one configuration lose no change either, be it in a file or in memory."""
    config = Config.load("" if memory else file, {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: config.create(f"r{number}", "s3"), range(24)))

    assert set(config.remotes()) == {f"r{number}" for number in range(24)}


_DIE = """
import os, signal, sys
from omnistorage.config import Config
place = sys.argv[2]
real = getattr(os, place)
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, place, die)
Config.load(sys.argv[1], {}).create("late", "s3")
"""


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_killed_while_writing(file: Path, place: str) -> None:
    """Killed before the new file has its name, the old one is whole; the next writer is not held up and cleans up."""
    _load(file).create("a", "s3")
    before = file.read_bytes()
    done = subprocess.run([sys.executable, "-c", _DIE, str(file), place], check=False, timeout=60)
    after = file.read_bytes()
    _load(file).create("b", "s3")

    assert done.returncode == -signal.SIGKILL
    assert after == before
    assert list(_load(file).remotes()) == ["a", "b"]
    assert sorted(path.name for path in file.parent.iterdir()) == ["config.toml", "config.toml.lock"]


def test_failed_write_leaves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk is full, the file is as it was, and there is no rest of the new one."""
    config = _load(file)
    config.create("a", "s3")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
            config.create("b", "s3")

    assert list(config.remotes()) == list(_load(file).remotes()) == ["a"]
    assert sorted(path.name for path in file.parent.iterdir()) == ["config.toml", "config.toml.lock"]


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    """Something that is no regular file is not replaced by one."""
    os.mkfifo(tmp_path / "fifo")
    config = Config(str(tmp_path / "fifo"))

    from omnistorage.config.saving import replace

    with pytest.raises(ConfigError, match="not a regular file"):
        replace(str(config.path), "")

    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_value_that_toml_lacks(file: Path) -> None:
    """A value that cannot be written is refused, and names the remote."""
    with pytest.raises(ConfigError, match="remote 'a:' cannot be written: TOML has no NoneType"):
        _load(file).create("a", "s3", {"x": None})


def test_memory_only() -> None:
    """With an empty path nothing is written, and remotes last as long as the object."""
    config = Config.load("", {})
    config.create("a", "s3", {"x": 1})
    config.update("a", {"y": 2})
    config.create("b", "ftp")
    config.delete("b")

    assert config.path is None
    assert config.dump() == {"a": {"type": "s3", "x": 1, "y": 2}}
    with pytest.raises(ConfigError, match="there is no file"):
        config.touch()


def test_touch(file: Path) -> None:
    """The file is made if it is missing, and left alone if not."""
    config = _load(file)
    config.touch()
    first = file.read_bytes()
    config.create("a", "s3")
    config.touch()

    assert first == b""
    assert list(_load(file).remotes()) == ["a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = = 1", "is no TOML: .*line 1"),
        ("remotes = 1", "'remotes' is no table"),
        ("remotes.a = 1", "'remotes.a' is no table"),
        ("x = '\xff'", "is not UTF-8"),
    ],
)
def test_unusable_files(tmp_path: Path, text: str, words: str) -> None:
    """A file that cannot be understood is named, with the reason."""
    path = tmp_path / "c.toml"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(ConfigError, match=words) as caught:
        _load(path)

    assert str(path) in str(caught.value)


def test_unknown_remote_says_where_it_looked(file: Path) -> None:
    """The message lists the remotes, and tells if there is no file at all."""
    with pytest.raises(UnknownRemote) as caught:
        _load(file, OMNISTORAGE_REMOTE_A_TYPE="s3").remote("nosuch")

    assert str(caught.value) == f"unknown remote 'nosuch:'; known: a: ({file}, which does not exist)"


def test_remote_without_type(tmp_path: Path) -> None:
    """One remote that is not complete does not stand in the way of others."""
    path = tmp_path / "c.toml"
    path.write_text('[remotes.a]\nx = 1\n[remotes.b]\ntype = "s3"\n')
    config = _load(path)
    with pytest.raises(ConfigError, match="remote 'a:' has no type"):
        config.remote("a")

    assert config.remote("b").type == "s3"


def test_environment_overrides(tmp_path: Path) -> None:
    """Variables go before the file; a name has underscores for all but letters and digits."""
    path = tmp_path / "c.toml"
    path.write_text('[remotes.my-n.as]\ntype = "x"\n[remotes."my-n.as"]\ntype = "sftp"\nhost = "h"\nkey-file = "k"\n')
    config = _load(
        path,
        OMNISTORAGE_REMOTE_MY_N_AS_KEY_FILE="other",
        OMNISTORAGE_REMOTE_MY_N_AS_ROOT="r",
        OMNISTORAGE_REMOTE_MY_N_AS_="ignored",
        OMNISTORAGE_REMOTE_UNKNOWN_HOST="ignored",
    )

    assert config.remote("my-n.as") == Remote(
        name="my-n.as",
        type="sftp",
        root="r",
        options={"host": "h", "key_file": "other"},
        source="file and environment",
    )


def test_environment_creates() -> None:
    """A variable for the type makes a remote, named in lower case."""
    config = Config.load("", {"OMNISTORAGE_REMOTE_FOO_BAR_TYPE": "s3", "OMNISTORAGE_REMOTE_FOO_BAR_REGION": "x"})

    assert config.remotes() == {
        "foo_bar": Remote(name="foo_bar", type="s3", options={"region": "x"}, source="environment")
    }


def test_environment_belongs_to_the_longest_name() -> None:
    """``A_B_X`` is the option x of a-b, not b_x of a, if there are both."""
    data = {"remotes": {"a": {"type": "s3"}, "a-b": {"type": "s3"}}}
    config = Config(None, data, {"OMNISTORAGE_REMOTE_A_B_X": "1", "OMNISTORAGE_REMOTE_A_C_X": "2"})

    assert config.remote("a").options == {"c_x": "2"}
    assert config.remote("a-b").options == {"x": "1"}


def test_environment_is_not_written(file: Path) -> None:
    """A change of a remote writes what the file says, not what the environment adds."""
    config = _load(file, OMNISTORAGE_REMOTE_A_PASSWORD="topsecret")
    config.create("a", "sftp")
    config.update("a", {"host": "h"})

    assert config.remote("a").options == {"host": "h", "password": "topsecret"}
    assert "topsecret" not in file.read_text()


def test_dump_hides_secrets(file: Path) -> None:
    """Secrets are hidden unless asked for; references are shown."""
    config = _load(file)
    config.create("a", "sftp", {"pass": "topsecret", "token": "env:T", "host": "h"}, root="r")

    assert config.dump() == {"a": {"type": "sftp", "root": "r", "pass": "***", "token": "env:T", "host": "h"}}
    assert config.dump(redact=False)["a"]["pass"] == "topsecret"
    assert tomllib.loads(file.read_text())["remotes"]["a"]["pass"] == "topsecret"


@pytest.mark.parametrize(
    ("env", "path"),
    [
        ({"OMNISTORAGE_CONFIG": "/x/y.toml", "XDG_CONFIG_HOME": "/z"}, "/x/y.toml"),
        ({"OMNISTORAGE_CONFIG": "", "XDG_CONFIG_HOME": "/z"}, None),
        ({"XDG_CONFIG_HOME": "/z", "HOME": "/h"}, "/z/omnistorage/config.toml"),
        ({"XDG_CONFIG_HOME": "", "HOME": "/h"}, "/h/.config/omnistorage/config.toml"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the folder is that of Linux")
def test_default_path(env: dict[str, str], path: str | None) -> None:
    """The variable goes first, then the user's folder for configuration."""
    assert default_path(env) == path


def test_explicit_path_goes_before_the_variable(file: Path) -> None:
    """The path of ``--config`` counts more than the environment."""
    assert Config.load(file, {"OMNISTORAGE_CONFIG": ""}).path == str(file)
