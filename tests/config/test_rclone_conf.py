"""The configuration of rclone: where it is, and that it says to us what it says to rclone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from omnistorage.config.rclone import default_path, parse, places, remotes
from omnistorage.core.errors import ConfigError
from rclone_confs import RCLONE, dump, rclone

# References lead to y, z and zs only, which hold none: of circles, rclone makes values that take all memory.
_PARTS = st.sampled_from(
    [
        *["a", "s", " ", "\t", "=", ":", "[", "]", "`", '"', '"""', "%(y)s", "%(zs)s", "%(no)s", "%(", "("],
        *["%", "#", ";", "-", ".", "é", "ß", "\xa0", "\x85", "\u2028", "\x1c", "\x1f", "\r", "\x00", "\udcff"],
    ]
)
_TEXT = st.lists(_PARTS, max_size=6).map("".join)
_PLAIN = _TEXT.filter(lambda text: "%" not in text)
_MARKS = st.sampled_from(["=", " = ", ":", " : ", "\t=\xa0"])
_NAMES = st.sampled_from(["a", "ab", "as", "-", "`a=`", '"a"', '"""a"""', "type", "``", "A", " b b "])
_PAIRS = st.tuples(_NAMES, _MARKS, _TEXT).map("".join)
_LEAVES = st.tuples(st.sampled_from(["y", "zs", "z"]), _MARKS, _PLAIN).map("".join)
_HEADS = st.sampled_from(["[a]", "[b]", "[a.b]", "[a.b.c]", "[DEFAULT]", " [ x y ] ", "[ ]", "[é]", "[a]]"])
_COMMENTS = st.sampled_from(["# a=1", "; a=1", "", "  ", "#"])
_DOCUMENTS = st.lists(st.one_of(_PAIRS, _PAIRS, _LEAVES, _HEADS, _COMMENTS), max_size=12).map("\n".join)


def _shown(text: str) -> str:
    # JSON has no bytes that are no UTF-8.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@settings(max_examples=60)
@example("\ufeff[a]\nk = 1")
@example("k = %(k\n[a]\nk = %(k)s")
@example("[]\nk = 1")
@example('a="""\nb=""""""\nc="""x"""y"""z\nd=`x`y\ne=`')
@example("b=`open")
@example("[x]\n[y=1\nk")
@example("=1")
@example("[x]\n- = a\n-=\n[x]\n-=c")
@example("y=1\n[a]\ny=2\nzs=3\nz=4\nk=%(y)s%(zs)s%(no)s")
@given(_DOCUMENTS)
def test_parsed_like_rclone(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever rclone reads is read with the same values; what it refuses is refused."""
    data = text.encode("utf-8", "surrogateescape")
    theirs = dump(data, tmp_path_factory.getbasetemp())

    if theirs is None:
        with pytest.raises(ConfigError, match=r"rclone.conf, line \d+:"):
            parse(data)
    else:
        ours = parse(data)
        assert {
            _shown(name): {_shown(key): _shown(value) for key, value in table.items()} for name, table in ours.items()
        } == theirs


@pytest.mark.parametrize("text", ["[DEFAULT]\na = %(a)s", "b = %(a)s\na = %(b)s", "[x]\na = %(a)s%(a)s"])
def test_circles_are_refused(text: str) -> None:
    """A value that grows without end is an error; rclone crashes on it."""
    with pytest.raises(ConfigError, match="refers to itself"):
        parse(text.encode())


def test_errors_tell_no_secret() -> None:
    """A line that cannot be understood is named by its number."""
    with pytest.raises(ConfigError) as raised:
        parse(b"[x]\ntype = s3\nsecret_access_key TOPSECRET\n", "my.conf")

    assert str(raised.value) == "my.conf, line 3: is neither NAME = VALUE nor [SECTION]"


def test_made_by_rclone(tmp_path: Path) -> None:
    """What rclone writes is read."""
    conf = tmp_path / "rclone.conf"
    hard = ' "quoted" `back` %(x)s # ; = : [x] é '
    rclone("config", "create", "one", "s3", "provider=Minio", f"secret_access_key={hard}", conf=conf)
    rclone("config", "create", "two two", "alias", "remote=one:b/c", conf=conf)
    found = remotes(conf.read_bytes())

    assert sorted(found) == ["one", "two two"]
    assert found["two two"].options == {"type": "alias", "remote": "one:b/c"}
    theirs = dump(conf.read_bytes(), tmp_path)
    assert theirs is not None
    assert found["one"].options == theirs["one"]


def test_sections_inherit() -> None:
    """A section with a dot in its name has what the section before the dot says; DEFAULT is no remote."""
    found = remotes(b"x = 1\n[a]\ntype = s3\nregion = r\n[a.b]\nregion = q\nacl = %(x)s\n")

    assert sorted(found) == ["a", "a.b"]
    assert found["a.b"].options == {"type": "s3", "region": "q", "acl": "1"}


def test_inherited_type_counts_for_rclone(tmp_path: Path) -> None:
    """The same, as rclone has it."""
    conf = tmp_path / "rclone.conf"
    conf.write_text("[a]\ntype = alias\nremote = /usr\n[a.b]\n")

    assert rclone("listremotes", "--long", conf=conf).split() == ["a:", "alias", "a.b:", "alias"]


def test_environment() -> None:
    """Variables go before the file, and make remotes; each belongs to the longest name."""
    env = {
        "RCLONE_CONFIG_A_REGION": "env",
        "RCLONE_CONFIG_A_B_TYPE": "S3",
        "RCLONE_CONFIG_A_B_REGION": "b",
        "RCLONE_CONFIG_PASS": "TOPSECRET",
        "RCLONE_CONFIG_E_TYPE": "",
        "OTHER": "x",
    }
    found = remotes(b"[a]\ntype = s3\nregion = file\nacl = x\n", env=env)

    assert sorted(found) == ["a", "a_b"]
    assert found["a"].options == {"type": "s3", "region": "env", "acl": "x"}
    assert found["a"].variables == {"region": "RCLONE_CONFIG_A_REGION"}
    assert (found["a_b"].type, found["a_b"].options["region"]) == ("s3", "b")
    assert sorted(remotes(b"[a]\ntype = s3\n")) == ["a"]


@pytest.mark.parametrize("name", ["my-s3 x", "e", "A.b", "é"])
def test_environment_like_rclone(tmp_path: Path, name: str) -> None:
    """The variables that rclone finds for a name are those that are found here."""
    conf = tmp_path / "rclone.conf"
    conf.write_text(f"[{name}]\ntype = alias\nremote = file\n")
    variables = {
        f"RCLONE_CONFIG_{one}_REMOTE": one
        for one in (name.upper(), name, name.upper().replace("-", "_"), name.upper().replace(" ", "_"))
    }
    for variable, value in variables.items():
        theirs = rclone("config", "show", name, conf=conf, env={variable: value})
        ours = remotes(conf.read_bytes(), env={variable: value})[name].options["remote"]

        assert f"remote = {ours}\n" in theirs


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a home, a program, and no configuration."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rclone").symlink_to(RCLONE)
    for folder in ("home/.config/rclone", "xdg/rclone"):
        (tmp_path / folder).mkdir(parents=True)
    return {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "xdg"), "PATH": str(tmp_path / "bin")}


def test_found_where_rclone_finds_it(tmp_path: Path, home: dict[str, str]) -> None:
    """The file is that which rclone would take, at each step."""
    for place in ("home/.rclone.conf", "home/.config/rclone/rclone.conf", "xdg/rclone/rclone.conf"):
        (tmp_path / place).write_text("")
        theirs = _config_file(home)

        assert default_path(home) == theirs == str(tmp_path / place)
    beside = places(home)[0]
    assert os.path.dirname(beside) == os.path.dirname(os.path.realpath(RCLONE))


def test_named_by_the_environment(tmp_path: Path, home: dict[str, str]) -> None:
    """``RCLONE_CONFIG`` goes first, and can ask for no file at all."""
    (tmp_path / "home" / ".rclone.conf").write_text("")

    assert default_path({**home, "RCLONE_CONFIG": "/x/y"}) == "/x/y"
    assert default_path({**home, "RCLONE_CONFIG": ""}) is None
    assert default_path({**home, "RCLONE_CONFIG": "/x/notfound"}) is None
    assert default_path({"HOME": str(tmp_path / "nowhere"), "PATH": ""}) is None


def _config_file(env: dict[str, str]) -> str:
    import subprocess

    done = subprocess.run([RCLONE, "config", "file"], env=env, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()[-1]
