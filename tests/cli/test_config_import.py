"""``omnistorage config import``: remotes of rclone become ours, and each failure is one line."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli_runs import Ran, Run
from rclone_confs import RCLONE, encrypted, rclone

CONF = """\
[disk]
type = alias
remote = {folder}

[mem]
type = memory
discard = true

[pictures]
type = drive
token = {{"access_token":"TOPSECRET"}}

[bucket]
type = s3
provider = Minio
endpoint = http://127.0.0.1:1
access_key_id = AK
secret_access_key = TOPSECRET
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """Our configuration, which is not there yet."""
    path = tmp_path / "c.toml"
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(path))
    for name in ("RCLONE_CONFIG", "RCLONE_CONFIG_PASS", "RCLONE_PASSWORD_COMMAND", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def conf(tmp_path: Path, tree: Path) -> Path:
    """That of rclone."""
    path = tmp_path / "rclone.conf"
    path.write_text(CONF.format(folder=tree))
    return path


def _held(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text())["remotes"]  # type: ignore[no-any-return]


def _said(ran: Ran) -> list[str]:
    """Return the lines on stderr without their times."""
    return [line[20:] if line[:2] == "20" else line for line in ran.err.splitlines()]


def test_remotes_are_made_and_open(run: Run, file: Path, conf: Path, tree: Path) -> None:
    """What could be made can be used like a remote of rclone; the rest is named, and the exit code is 0."""
    before = conf.read_bytes()
    ran = run("config", "import", conf)
    listed = run("lsf", "disk:b")

    assert (ran.code, ran.out) == (0, "")
    assert "NOTICE: pictures: not made: type 'drive' is not supported yet" in _said(ran)
    assert "NOTICE: mem: left out, as there is nothing like it here: discard=true" in _said(ran)
    assert _held(file)["disk"] == {"type": "file", "root": str(tree)}
    assert _held(file)["mem"] == {"type": "memory", "name": "mem"}
    assert (listed.code, listed.out) == (0, ".hid\nc.bin\ne/\n")
    assert conf.read_bytes() == before


def test_again(run: Run, file: Path, conf: Path) -> None:
    """The same again changes nothing, not even the file."""
    run("config", "import", conf)
    before = file.read_bytes()
    ran = run("config", "import", conf)

    assert ran.code == 0
    assert file.read_bytes() == before
    assert _said(ran)[-1].startswith(f"NOTICE: {conf}: 0 made, ")


def test_what_is_there_stays(run: Run, file: Path, conf: Path, tree: Path) -> None:
    """A remote that says something else stays, which is a failure, and everything else is made."""
    file.write_text('[remotes.disk] # mine\ntype = "memory"\n')
    ran = run("config", "import", conf)
    kept = _held(file)
    replaced = run("config", "import", conf, "--overwrite")

    assert ran.code == 1
    assert "ERROR : disk: not made: it is there and says something else; --overwrite replaces it" in _said(ran)
    assert (kept["disk"], kept["mem"]["type"]) == ({"type": "memory"}, "memory")
    assert replaced.code == 0
    assert _held(file)["disk"]["root"] == str(tree)


def test_dry_run(run: Run, file: Path, conf: Path, tree: Path) -> None:
    """``-n`` prints what would be made, and makes nothing."""
    ran = run("config", "import", "-n", conf)
    shown = tomllib.loads(ran.out)["remotes"]

    assert ran.code == 0
    assert not file.exists()
    assert shown["disk"] == {"type": "file", "root": str(tree)}


def test_dry_run_knows_what_is_there(run: Run, file: Path, conf: Path) -> None:
    """``-n`` ends as the run would."""
    file.write_text('[remotes.disk]\ntype = "memory"\n')
    codes = [run("config", "import", conf, *flags).code for flags in (["-n"], ["-n", "--overwrite"])]

    assert codes == [1, 0]
    assert _held(file) == {"disk": {"type": "memory"}}


def test_no_secret_is_said(run: Run, file: Path, conf: Path) -> None:
    """No line of any kind has a secret."""
    runs = [run("config", "import", *words, conf) for words in (["-n", "-vv"], ["-vv"], ["-vv", "--use-json-log"])]

    assert [ran.code for ran in runs] == [0, 0, 0]
    assert "TOPSECRET" not in "".join(ran.out + ran.err for ran in runs)


def test_strict(run: Run, file: Path, conf: Path, tmp_path: Path) -> None:
    """With ``--strict``, what was left out is a failure, but nothing is made less of it."""
    plain = tmp_path / "plain.conf"
    plain.write_text("[m]\ntype = memory\n")
    codes = [run("config", "import", "--strict", one).code for one in (conf, plain)]

    assert codes == [1, 0]
    assert {"disk", "m", "mem"} <= _held(file).keys()


def test_environment(run: Run, file: Path, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--env`` reads remotes of the environment, alone if there is no file."""
    monkeypatch.setenv("RCLONE_CONFIG_YONDER_TYPE", "memory")
    monkeypatch.setenv("RCLONE_CONFIG_YONDER_DISCARD", "true")
    without = run("config", "import", conf)
    told = run("config", "import", "--env")

    assert "yonder:" not in without.err
    assert told.code == 0
    assert "NOTICE: yonder: left out, as there is nothing like it here: discard=true" in _said(told)
    assert _held(file)["yonder"] == {"type": "memory", "name": "yonder"}


def test_default_file(run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file, that of the user is read; ``-`` is standard input."""
    folder = tmp_path / ".config" / "rclone"
    folder.mkdir(parents=True)
    (folder / "rclone.conf").write_text("[one]\ntype = memory\n")
    found = run("config", "import")
    piped = run("config", "import", "-", stdin="[two]\ntype = memory\n")

    assert (found.code, piped.code) == (0, 0)
    assert sorted(_held(file)) == ["one", "two"]


@pytest.mark.parametrize(
    ("words", "content", "message"),
    [
        (["x.conf"], None, "rclone's configuration x.conf cannot be read: No such file or directory"),
        (["."], None, "rclone's configuration . cannot be read: Is a directory"),
        ([], None, "there is no configuration of rclone (looked for: "),
        (["x.conf"], "[a]\nsecret TOPSECRET\n", "x.conf, line 2: is neither NAME = VALUE nor [SECTION]"),
        (["x.conf"], "RCLONE_ENCRYPT_V0:\nTOPSECRET!\n", "x.conf: is damaged: what is enciphered is no Base64"),
        (["x.conf"], "RCLONE_ENCRYPT_V7:\nAA\n", "x.conf: is enciphered in a way that is not supported"),
    ],
)
def test_file_that_cannot_be_read(
    run: Run,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    content: str | None,
    message: str,
) -> None:
    """One line says what is wrong, and nothing is written."""
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "x")
    if content is not None:
        (tmp_path / "x.conf").write_text(content)
    ran = run("config", "import", *words)

    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 1
    assert ran.err.startswith(f"omnistorage: {message}")
    assert "TOPSECRET" not in ran.err
    assert not file.exists()


def test_wrong_words(run: Run, file: Path) -> None:
    """A password is no argument, and there is one file."""
    codes = [run("config", "import", *words).code for words in (["a", "b"], ["--password", "x"], ["--nosuch"])]

    assert codes == [2, 2, 2]


def test_no_file_of_ours(run: Run, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no file to write to, that is said; ``-n`` needs none."""
    monkeypatch.setenv("OMNISTORAGE_CONFIG", "")
    ran = run("config", "import", conf)
    dry = run("config", "import", "-n", conf)

    assert (ran.code, ran.err) == (
        1,
        "omnistorage: there is no file to write to: --config or OMNISTORAGE_CONFIG is empty\n",
    )
    assert dry.code == 0


@pytest.fixture
def sealed(conf: Path) -> Path:
    """A configuration that rclone has enciphered."""
    encrypted(conf, "correct horse")
    return conf


def test_password_of_the_environment(run: Run, file: Path, sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``RCLONE_CONFIG_PASS`` opens it; a wrong one is a failure."""
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "correct horsf")
    wrong = run("config", "import", sealed)
    made = file.exists()
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "correct horse")
    right = run("config", "import", sealed)

    assert (wrong.code, made) == (1, False)
    assert wrong.err == f"omnistorage: {sealed}: the password is wrong, or the file is damaged\n"
    assert right.code == 0
    assert "disk" in _held(file)


def test_password_of_a_program(
    run: Run, file: Path, sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--password-command`` opens it before ``RCLONE_CONFIG_PASS`` is looked at; as a variable, too."""
    script = tmp_path / "pass word.sh"
    script.write_text("printf '\\r\\ncorrect horse\\r\\n'")
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "wrong")
    flag = run("config", "import", sealed, "--password-command", f'sh "{script}"')
    monkeypatch.setenv("RCLONE_PASSWORD_COMMAND", f'sh "{script}"')
    variable = run("config", "import", sealed)

    assert (flag.code, variable.code) == (0, 0)
    assert rclone("listremotes", conf=sealed).split() == ["disk:", "mem:", "pictures:", "bucket:"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("no-such-program x", "no-such-program: No such file or directory"),
        ("false", "false ended with 1"),
        ("true", "true printed nothing"),
        ("printf \\377", "printf printed what is not UTF-8 text"),
        ('"a"b', "cannot be understood: ',' expected after '\"'"),
        ("printf x", None),
    ],
)
def test_program_that_fails(run: Run, file: Path, sealed: Path, command: str, message: str | None) -> None:
    """One line says what is wrong with the program, or that its password is."""
    ran = run("config", "import", sealed, "--password-command", command)
    said = "the password is wrong, or the file is damaged" if message is None else message

    assert ran.code == 1
    assert ran.err.startswith("omnistorage: ")
    assert said.partition(":")[0] in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not file.exists()


def test_nobody_to_ask(process: Callable[..., Ran], file: Path, sealed: Path) -> None:
    """Without a terminal nothing waits for an answer."""
    ran = process("config", "import", sealed, before=os.setsid, env={"OMNISTORAGE_CONFIG": str(file)})

    assert ran.code == 1
    assert ran.err == (
        f"omnistorage: {sealed}: is enciphered, and there is nobody to ask for the password; "
        "RCLONE_CONFIG_PASS holds it, or --password-command prints it\n"
    )


@pytest.mark.parametrize(("answer", "code"), [("correct horse", 0), ("battery", 1)])
def test_asked_at_a_terminal(file: Path, sealed: Path, answer: str, code: int) -> None:
    """Who sits at a terminal is asked there, also if the file comes through a pipe; the answer is not shown."""
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)

    def lead() -> None:
        os.setsid()
        # The first terminal that the leader of a session opens becomes its own.
        os.close(os.open(name, os.O_RDWR))

    started = subprocess.Popen(
        [sys.executable, "-m", "omnistorage", "config", "import", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lead,
        env={**os.environ, "OMNISTORAGE_CONFIG": str(file)},
    )
    with started, open(sealed, "rb") as source, os.fdopen(ours, "r+b", buffering=0) as terminal:
        assert started.stdin is not None
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdin.write(source.read())
        started.stdin.close()
        shown = b""
        while b": " not in shown:
            shown += terminal.read(100)
        terminal.write(answer.encode() + b"\n")
        told = started.stderr.read()
        assert started.wait(timeout=60) == code
        os.set_blocking(ours, False)
        shown += terminal.read(1000) or b""
    os.close(theirs)

    assert shown == b"Password of standard input: \r\n"
    assert answer.encode() not in told
    assert file.exists() == (code == 0)


def test_library_that_is_missing(process: Callable[..., Ran], file: Path, sealed: Path, tmp_path: Path) -> None:
    """The extra that has it is named."""
    (tmp_path / "without" / "nacl").mkdir(parents=True)
    (tmp_path / "without" / "nacl" / "__init__.py").write_text("raise ModuleNotFoundError(name='nacl')")
    env = {"RCLONE_CONFIG_PASS": "x", "PYTHONPATH": str(tmp_path / "without")}
    ran = process("config", "import", sealed, env=env | {"OMNISTORAGE_CONFIG": str(file)})

    assert ran.code == 1
    assert ran.err == "omnistorage: an enciphered rclone.conf needs PyNaCl: pip install 'omnistorage[rclone]'\n"


def test_secrets_stand_where_they_are_wanted(run: Run, file: Path, conf: Path, tmp_path: Path) -> None:
    """By default in the configuration, which is said in one line; else in files of a folder."""
    plain = run("config", "import", conf)
    held = _held(file)["bucket"]["secret_access_key"]
    apart = run("config", "import", conf, "--overwrite", "--secrets-dir", "keys")

    assert (plain.code, apart.code) == (0, 0)
    assert [line for line in _said(plain) if "plain text" in line] == [
        "NOTICE: 1 of the values are secrets in plain text, in a file that only its owner can read; "
        "--secrets-dir FOLDER puts them into files of their own"
    ]
    assert "plain text" not in apart.err
    assert held == "TOPSECRET"
    assert _held(file)["bucket"]["secret_access_key"] == f"file:{tmp_path}/keys/bucket.secret_access_key"


def test_dry_run_hides_secrets(run: Run, file: Path, conf: Path) -> None:
    """What would be made is shown without its secrets."""
    shown = tomllib.loads(run("config", "import", "-n", conf).out)["remotes"]["bucket"]

    assert shown["secret_access_key"] == "***"
    assert shown["endpoint_url"] == "http://127.0.0.1:1"


def test_every_setting_has_one_of_the_driver() -> None:
    """Each setting that the table of s3 speaks of is an option of the driver."""
    from omnistorage.config._rclonetypes import TYPES
    from omnistorage.registry import describe

    special = {"anonymous", "path_style", "profile", "provider", "sse_customer_key"}
    ours = special.union(option for option, _ in TYPES["s3"].same.values())

    assert sorted(ours - {option.name for option in describe("s3").options}) == []


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[str]:
    """A bucket called ``bucket`` that rclone serves; the URL of the service."""
    (tmp_path / "served" / "bucket").mkdir(parents=True)
    words = ["serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", "ACCESS,TOPSECRET", str(tmp_path / "served")]
    started = subprocess.Popen([RCLONE, "--config", "", *words], stderr=subprocess.PIPE, text=True)
    with started:
        assert started.stderr is not None
        found = next(found for line in started.stderr if (found := re.search(r"http://[\d.:]+", line)))
        yield found[0]
        started.terminate()
        started.stderr.read()


@pytest.mark.parametrize("where", ["plain", "apart"])
def test_both_programs_see_the_same(run: Run, file: Path, tmp_path: Path, serving: str, where: str) -> None:
    """What one program stores through a remote, the other reads through the remote that was made of it."""
    conf = tmp_path / "rclone.conf"
    settings = [f"endpoint={serving}", "access_key_id=ACCESS", "secret_access_key=TOPSECRET", "region=us-east-1"]
    rclone("config", "create", "served", "s3", "provider=Rclone", *settings, conf=conf)
    rclone("config", "create", "pics", "alias", "remote=served:bucket/pics", conf=conf)
    (tmp_path / "a.txt").write_text("from rclone")
    rclone("copy", tmp_path / "a.txt", "pics:", conf=conf)
    made = run("config", "import", conf, *([] if where == "plain" else ["--secrets-dir", "keys"]))
    read, written = run("cat", "served:bucket/pics/a.txt"), run("rcat", "pics:b.txt", stdin="from here")

    assert (made.code, read.code, written.code) == (0, 0, 0)
    assert read.out == "from rclone"
    assert rclone("cat", "served:bucket/pics/b.txt", conf=conf) == "from here"
    assert run("lsf", "pics:").out == "a.txt\nb.txt\n"
