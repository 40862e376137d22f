"""Whoever sends requests can ask which attempt of a call it is making."""

from __future__ import annotations

from omnistorage.core.attempts import attempt
from omnistorage.core.driver import GetResults, PutItem, PutResults
from omnistorage.core.errors import Unreachable
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, ByteStream
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.retry import Retry


class Failing(MemoryDriver):
    """Fails as often as it is told to, and notes which attempt each call was."""

    failures = 2

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[int] = []

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        self._fail()
        return super().put(path, body, options)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        self._fail()
        return super().get(path, offset, length)

    def put_together(self, items: list[PutItem], width: int) -> PutResults:  # type: ignore[override]
        return self.put_many(items)

    def get_together(self, paths: list[str], width: int) -> GetResults:  # type: ignore[override]
        try:
            self._fail()
        except Unreachable as exc:
            return [exc]
        raise AssertionError("it fails the first time")

    def _fail(self) -> None:
        self.attempts.append(attempt())
        if len(self.attempts) <= self.failures:
            raise Unreachable("for the moment")


def test_repetitions_are_numbered() -> None:
    """From one on; and when the call is over, the next one is a first again."""
    inner = Failing()
    retry = Retry(inner, sleep=lambda seconds: None)
    retry.put("a", BytesBody(b"x"), PutOptions())
    retry.put("b", BytesBody(b"x"), PutOptions())

    assert inner.attempts == [1, 2, 3, 1]
    assert attempt() == 1


def test_what_went_together_and_goes_alone_is_a_repetition() -> None:
    """It was sent before."""
    for call in ("put", "get"):
        inner = Failing()
        inner._space.store("a", b"x", PutOptions())
        retry = Retry(inner, sleep=lambda seconds: None)
        if call == "put":
            [found] = retry.put_together([("a", BytesBody(b"x"), PutOptions())], 2)
            assert isinstance(found, ObjectInfo)
            assert inner.attempts == [1, 2, 3]
        else:
            inner.failures = 1
            assert [data for _, data in retry.get_together(["a"], 2)] == [b"x"]  # type: ignore[misc]
            assert inner.attempts == [1, 2]
    assert attempt() == 1
