"""What rclone enciphers: its whole configuration, by a password, and passwords in it, by a key that everybody knows.

The file has a line ``RCLONE_ENCRYPT_V0:``, and after it Base64 of 24 bytes of nonce and a secretbox of NaCl
(XSalsa20 and Poly1305), whose key is the SHA-256 of ``[PASSWORD][rclone-config]``. An obscured password is Base64, as
in URLs and without padding, of 16 bytes to start from and of what AES-CTR made of the password. The extra
``omnistorage[rclone]`` has the libraries.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from omnistorage.core.errors import ConfigError, MissingExtra, Unauthenticated

_MARK: Final = b"RCLONE_ENCRYPT_V"
_NONCE: Final = 24
_TAG: Final = 16
_BLOCK: Final = 16

# Not a secret: rclone publishes it, so that people who look over a shoulder do not read passwords, and no more.
_KEY: Final = bytes.fromhex("9c935b48730a554d6bfd7c63c886a92bd390198eb8128afbf4de162b8b95f638")


def is_enciphered(data: bytes) -> bool:
    """Say whether the configuration of rclone is enciphered as a whole."""
    return _box(data) is not None


def decipher(data: bytes, password: str, where: str = "rclone.conf") -> bytes:
    """Return what an enciphered configuration of rclone says.

    Args:
        data: What the file holds.
        password: The password; rclone normalises it to NFKC, and so is done here.
        where: What errors call the file.

    Raises:
        Unauthenticated: The password is wrong, or the file is damaged; nobody can tell which.
        ConfigError: The file is not enciphered in this way, or cut off; or the password cannot be one.
        MissingExtra: The library is not installed.
    """
    found = _box(data)
    if found is None:
        raise ConfigError(f"{where}: is not enciphered")
    version, box = found
    if version != b"0:":
        raise ConfigError(f"{where}: is enciphered in a way that is not supported in this version")
    try:
        # Go skips the ends of lines, and nothing else.
        box = base64.b64decode(box.translate(None, b"\r\n"), validate=True)
    except binascii.Error as exc:
        raise ConfigError(f"{where}: is damaged: what is enciphered is no Base64") from exc
    if len(box) < _NONCE + _TAG:
        raise ConfigError(f"{where}: is damaged: what is enciphered is too short")
    try:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox
    except ModuleNotFoundError as exc:
        raise _missing("an enciphered rclone.conf", exc) from exc
    try:
        return SecretBox(_key_of(password)).decrypt(box)
    except CryptoError:
        raise Unauthenticated(f"{where}: the password is wrong, or the file is damaged") from None


def reveal(text: str) -> str:
    """Return the password that rclone has obscured.

    Raises:
        ConfigError: It is no obscured password.
        MissingExtra: The library is not installed.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("is no password that rclone has obscured") from None
    if len(data) < _BLOCK:
        raise ConfigError("is too short for a password that rclone has obscured")
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CTR
    except ModuleNotFoundError as exc:
        raise _missing("a password that rclone has obscured", exc) from exc
    stream = Cipher(AES(_KEY), CTR(data[:_BLOCK])).decryptor()
    try:
        return (stream.update(data[_BLOCK:]) + stream.finalize()).decode()
    except UnicodeDecodeError:
        # Any text of the right letters can be taken for an obscured one; what comes out then is noise.
        raise ConfigError("is no password that rclone has obscured") from None


def _box(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the version of the cipher and what follows its line, if that is the first line that says anything."""
    rest = data
    while rest:
        line, _, rest = rest.partition(b"\n")
        line = line.strip()
        if line and line[:1] not in b"#;":
            return (line[len(_MARK) :], rest) if line.startswith(_MARK) else None
    return None


def _key_of(password: str) -> bytes:
    import hashlib
    import unicodedata

    if not password.strip():
        raise ConfigError("the password of rclone's configuration is empty")
    try:
        text = unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        raise ConfigError("the password of rclone's configuration is not UTF-8 text") from None
    return hashlib.sha256(b"[" + text + b"][rclone-config]").digest()


def _missing(what: str, exc: ModuleNotFoundError) -> MissingExtra:
    library = (exc.name or "").partition(".")[0].replace("nacl", "PyNaCl")
    return MissingExtra(f"{what} needs {library}: pip install 'omnistorage[rclone]'")
