"""Running the command line in this process, as ``main`` does, with its own standard streams."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from omnistorage.cli.main import main
from omnistorage.drivers.file import FileDriver


class Ran(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def run_here(*args: str | Path, stdin: str | bytes = b"") -> Ran:
    """Run a command line and return how it ended."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    streams = [io.BytesIO(data), io.BytesIO(), io.BytesIO()]
    words = [str(arg) for arg in args]
    texts = [io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape") for stream in streams]
    with (
        patch.object(sys, "stdin", texts[0]),
        patch.object(sys, "stdout", texts[1]),
        patch.object(sys, "stderr", texts[2]),
        patch.object(sys, "argv", ["omnistorage", *words]),
    ):
        try:
            main(words)
        except SystemExit as exc:
            code = exc.code
        for text in texts[1:]:
            text.flush()
    assert isinstance(code, int)
    out, err = (stream.getvalue().decode("utf-8", "surrogateescape") for stream in streams[1:])
    return Ran(code, out, err)


def refuse(monkeypatch: pytest.MonkeyPatch, verb: str, refused: str) -> None:
    """Let local storages answer a verb about one path as the system does when it does not let us."""
    plain = getattr(FileDriver, verb)

    def answer(self: FileDriver, path: str, *args: Any, **options: Any) -> Any:
        if path == refused:
            raise PermissionError(13, "Permission denied")
        return plain(self, path, *args, **options)

    monkeypatch.setattr(FileDriver, verb, answer)
