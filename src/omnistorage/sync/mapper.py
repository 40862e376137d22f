"""``--metadata-mapper``: a program of the user's says what metadata an object gets at the destination.

It is run once for each object, gets one JSON object on its standard input and answers with one on its standard
output; both have the form that rclone gives them, so that one program serves both tools.
"""

from __future__ import annotations

from typing import Any

import msgspec

from omnistorage.core.attributes import as_text
from omnistorage.core.driver import Driver
from omnistorage.core.errors import ConfigError, StorageError
from omnistorage.core.info import ObjectInfo

from .model import origin_of

Metadata = dict[str, str]

_OP = "metadata-mapper"


class _Answer(msgspec.Struct, rename="pascal"):
    metadata: Metadata


class Mapper:
    """Asks the program.

    Args:
        command: The program and its arguments, separated by blanks; quotes keep blanks together.
        src: The source, which is named to the program.
        dst: The destination, likewise.

    Raises:
        ConfigError: The command is empty, or a quote is not closed.
    """

    def __init__(self, command: str, src: Driver, dst: Driver) -> None:
        self._args = words(command)
        self._sides = {
            "SrcFs": _place(src),
            "SrcFsType": _kind(src),
            "DstFs": _place(dst),
            "DstFsType": _kind(dst),
        }

    def __call__(self, info: ObjectInfo, metadata: Metadata) -> Metadata:
        """Return the metadata that an object or directory of the source is to have.

        Raises:
            StorageError: The program cannot be run, failed, or gave no answer that can be understood.
        """
        import subprocess

        try:
            done = subprocess.run(self._args, input=self._question(info, metadata), capture_output=True, check=False)
        except (OSError, ValueError) as exc:
            raise StorageError(f"{self._args[0]}: {exc}", op=_OP, path=info.path) from exc
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().replace("\n", "; ")
            how = (
                f"ended with {done.returncode}" if done.returncode > 0 else f"was killed by signal {-done.returncode}"
            )
            raise StorageError(f"{self._args[0]} {how}{f': {said}' if said else ''}", op=_OP, path=info.path)
        try:
            return msgspec.json.decode(done.stdout, type=_Answer).metadata
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            message = f'{self._args[0]} did not answer with an object like {{"Metadata": {{"key": "value"}}}}'
            raise StorageError(f"{message} ({exc})", op=_OP, path=info.path) from exc

    def _question(self, info: ObjectInfo, metadata: Metadata) -> bytes:
        from mimetypes import guess_type

        kind = info.content_type or guess_type(info.path)[0] or "application/octet-stream"
        asked: dict[str, Any] = {
            **self._sides,
            "Remote": _valid(origin_of(info)),
            "Size": -1 if info.size is None else info.size,
            "MimeType": "inode/directory" if info.is_dir else kind,
            "ModTime": "" if info.mtime_ns is None else as_text(info.mtime_ns),
            "IsDir": info.is_dir,
            "Metadata": {_valid(name): _valid(value) for name, value in metadata.items()},
        }
        return msgspec.json.encode(asked) + b"\n"


def words(command: str) -> list[str]:
    """Split a command line at blanks.

    Raises:
        ConfigError: There is nothing in it, or a quote is not closed.
    """
    import shlex

    try:
        found = shlex.split(command)
    except ValueError as exc:
        raise ConfigError(f"metadata mapper {command!r}: {exc}") from None
    if not found:
        raise ConfigError("the metadata mapper is empty; name a program")
    return found


def _place(driver: Driver) -> str:
    return _valid(driver.identity()[-1])


def _kind(driver: Driver) -> str:
    scheme = driver.identity()[0]
    # Programs that were written for rclone ask by its word.
    return "local" if scheme == "file" else scheme


def _valid(text: str) -> str:
    """Return text that JSON can hold; bytes that are not UTF-8 become U+FFFD."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
