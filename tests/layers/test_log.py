"""Logs: every call and every failure has its line, and no line has a secret."""

from __future__ import annotations

import logging
import pickle

import pytest

from omnistorage.core.errors import NotFound, Unreachable
from omnistorage.core.guard import Guard
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, ByteStream
from omnistorage.core.wrapped import WrappedStream
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.log import Log


class Signing(MemoryDriver):
    def presign(self, path: str, *, method: str = "GET", expires: float = 3600.0) -> str:
        return "https://host/a?signature=SECRET"


class Breaking(MemoryDriver):
    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return _Broken(super().get(path, offset, length))


class _Broken(WrappedStream):
    def read(self, size: int | None = -1, /) -> bytes:
        raise Unreachable("cut off")


def ticking() -> object:
    ticks = iter(range(1000))
    return lambda: float(next(ticks))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    caplog.set_level(logging.DEBUG, "omnistorage")
    return Log(Guard(Signing()), clock=ticking())  # type: ignore[arg-type]


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_calls_with_seconds_and_size(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """A call is a line at DEBUG with its seconds and what it brought."""
    log.put("a", BytesBody(b"hello"), PutOptions())
    log.list("")
    log.delete_many(["a", "b"])

    assert lines(caplog) == [
        ("DEBUG", "memory put 'a' took 1.000 s: 5 bytes"),
        ("DEBUG", "memory list '' took 1.000 s: 1 entries"),
        ("DEBUG", "memory delete_many 'a' took 1.000 s: 2 paths, 1 failed"),
    ]


def test_failures_are_warnings(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """A failure is a line at WARNING, and is raised as it was."""
    with pytest.raises(NotFound):
        log.stat("a/b")

    assert lines(caplog) == [
        ("WARNING", "memory stat 'a/b' failed after 1.000 s: memory stat 'a/b': not found"),
    ]


def test_streams_have_a_line_at_the_end(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """Closing a stream tells how many bytes were read, once."""
    log.put("a", BytesBody(b"hello"), PutOptions())
    caplog.clear()
    stream = log.get("a")
    stream.read(3)
    stream.readinto(bytearray(10))  # type: ignore[attr-defined]
    stream.close()
    stream.close()
    messages = [message for _, message in lines(caplog)]

    assert messages == ["memory get 'a' took 1.000 s", "memory read 'a' ended after 1.000 s: 5 bytes"]


def test_late_failures_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    """A stream that breaks says so."""
    caplog.set_level(logging.DEBUG, "omnistorage")
    log = Log(Guard(Breaking()))
    log.put("a", BytesBody(b"x"), PutOptions())
    caplog.clear()
    with log.get("a") as stream, pytest.raises(Unreachable):
        stream.read(1)

    assert [level for level, _ in lines(caplog)] == ["DEBUG", "WARNING", "DEBUG"]
    assert "cut off" in caplog.text


def test_no_secrets_and_no_contents(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """Links, contents, metadata and tokens are not for the log."""
    log.put("a", BytesBody(b"CONTENT"), PutOptions(metadata={"k": "METADATA"}))
    log.presign("a")
    log.set_metadata("a", {"k": "METADATA"})
    upload = log.begin_upload("a", PutOptions())
    upload.put_part(1, BytesBody(b"CONTENT"))
    upload.abort()

    assert len(caplog.records) == 6
    assert not any(word in caplog.text for word in ("SECRET", "CONTENT", "METADATA", upload.token or "?"))


def test_other_logger(caplog: pytest.LogCaptureFixture) -> None:
    """The lines go where they are sent, and a pickled layer sends them there, too."""
    caplog.set_level(logging.DEBUG, "elsewhere")
    log = pickle.loads(pickle.dumps(Log(MemoryDriver(), logging.getLogger("elsewhere"))))
    log.about()

    assert [record.name for record in caplog.records] == ["elsewhere"]
