"""What rclone has enciphered is read with the right password, and with no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from omnistorage.config.deciphering import decipher, is_enciphered, reveal
from omnistorage.core.errors import ConfigError, Unauthenticated
from rclone_confs import RCLONE, encrypted, rclone


@pytest.fixture(scope="module")
def plain() -> bytes:
    """A configuration."""
    return b"[one]\ntype = s3\nsecret_access_key = TOPSECRET\n\n"


@pytest.fixture(scope="module", params=["correct horse", " pä\u0308ssﬁ\u3000"])
def password(request: pytest.FixtureRequest) -> str:
    """Passwords; the second is not in the form to which rclone brings it."""
    return str(request.param)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, plain: bytes, password: str) -> bytes:
    """The same, enciphered by rclone."""
    conf = tmp_path_factory.mktemp("box") / "rclone.conf"
    conf.write_bytes(plain)
    encrypted(conf, password)
    return conf.read_bytes()


def test_right_password(box: bytes, plain: bytes, password: str) -> None:
    """All that rclone had enciphered comes back, also if the lines were broken on the way."""
    head, mark, body = box.partition(b"RCLONE_ENCRYPT_V0:\n")
    broken = head + mark + b"\r\n".join(body[at : at + 60] for at in range(0, len(body), 60))

    assert is_enciphered(box)
    assert decipher(box, password) == plain
    assert decipher(broken, password) == plain


@pytest.mark.parametrize("wrong", ["correct horsf", "x", "[correct horse]"])
def test_wrong_password(box: bytes, wrong: str) -> None:
    """Any other password is refused, in a line that does not tell it."""
    with pytest.raises(Unauthenticated) as raised:
        decipher(box, wrong, "my.conf")

    assert str(raised.value) == "my.conf: the password is wrong, or the file is damaged"


@pytest.mark.parametrize("wrong", ["", " \t", "\udcff"])
def test_no_password(box: bytes, wrong: str) -> None:
    """What cannot be a password is said to be none."""
    with pytest.raises(ConfigError, match="the password of rclone's configuration is"):
        decipher(box, wrong)


def test_damage(box: bytes, password: str) -> None:
    """Each cut and each changed byte is noticed."""
    body = box.index(b"V0:\n") + 4
    for at in range(body, len(box) - 4, 7):
        changed = box[:at] + (b"B" if box[at : at + 1] == b"A" else b"A") + box[at + 1 :]
        with pytest.raises(Unauthenticated, match="damaged"):
            decipher(changed, password)
        with pytest.raises((Unauthenticated, ConfigError), match="damaged"):
            decipher(box[:at], password)
    with pytest.raises(ConfigError, match="damaged: what is enciphered is no Base64"):
        decipher(box + b"!", password)


def test_plain_files(plain: bytes) -> None:
    """What is not enciphered is told apart; a later version of the cipher is not supported."""
    later = b"# x\n\nRCLONE_ENCRYPT_V1:\nAAAA\n"

    assert not is_enciphered(plain)
    assert not is_enciphered(b"# RCLONE_ENCRYPT_V0:\n")
    assert is_enciphered(b"; x\n \t\n  RCLONE_ENCRYPT_V0:\r\n")
    with pytest.raises(ConfigError, match="in a way that is not supported"):
        decipher(later, "x")
    with pytest.raises(ConfigError, match="is not enciphered"):
        decipher(plain, "x")


@pytest.mark.parametrize("text", ["a", "TOPSECRET", "pä\u0308ss wörd\t☃" * 30])
def test_obscured_password(text: str) -> None:
    """What rclone has obscured is revealed."""
    obscured = subprocess.run([RCLONE, "obscure", "-"], input=text.encode(), capture_output=True, check=True).stdout

    assert reveal(obscured.decode().strip()) == text


@pytest.mark.parametrize("text", ["", "abc", "not obscured", "é" * 30, "A" * 21, "A" * 41])
def test_nothing_obscured(text: str) -> None:
    """What was never obscured is refused."""
    with pytest.raises(ConfigError, match="that rclone has obscured"):
        reveal(text)


def test_missing_library(box: bytes) -> None:
    """Without the library, the extra that has it is named; neither is loaded to parse a plain file."""
    code = (
        "import sys\n"
        "from omnistorage.config import deciphering, rclone\n"
        "rclone.parse(b'[x]')\n"
        "assert not {'nacl', 'cryptography'} & set(sys.modules)\n"
        "sys.modules['nacl'] = sys.modules['cryptography'] = None\n"
        "box = sys.stdin.buffer.read()\n"
        "for call in (lambda: deciphering.decipher(box, 'x'), lambda: deciphering.reveal('A' * 43)):\n"
        "    try:\n"
        "        call()\n"
        "    except deciphering.MissingExtra as exc:\n"
        "        print(exc)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=box, capture_output=True, check=True, timeout=60)

    assert done.stdout.decode().splitlines() == [
        "an enciphered rclone.conf needs PyNaCl: pip install 'omnistorage[rclone]'",
        "a password that rclone has obscured needs cryptography: pip install 'omnistorage[rclone]'",
    ]


def test_rclone_reads_it_with_the_same_password(tmp_path: Path, box: bytes, password: str) -> None:
    """rclone and we agree on what the password is."""
    conf = tmp_path / "rclone.conf"
    conf.write_bytes(box)

    assert rclone("listremotes", conf=conf, env={"RCLONE_CONFIG_PASS": password}) == "one:\n"
