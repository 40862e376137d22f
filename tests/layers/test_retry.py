"""Retries: what is repeated, what is not, and that a stream goes on with the right bytes."""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnistorage.core.bucket import TokenBucket
from omnistorage.core.driver import Failures
from omnistorage.core.errors import (
    AlreadyExists,
    Corrupted,
    NotFound,
    PermissionDenied,
    RateLimited,
    SourceChanged,
    StorageError,
    Truncated,
    Unreachable,
)
from omnistorage.core.guard import Guard
from omnistorage.core.info import ObjectInfo
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, ByteStream, OpenerBody, StreamBody, read_all
from omnistorage.core.wrapped import WrappedStream
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers._resume import ResumingStream
from omnistorage.layers.retry import Retry

PLAIN = PutOptions()


class Flaky(Layer):
    """Fails as told: before the work is done, or after it, when the answer is lost."""

    def __init__(self, inner: Any = None) -> None:
        super().__init__(inner or MemoryDriver())
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.calls: list[str] = []

    def around(self, op: str, path: str, call: Callable[[], Any]) -> Any:
        self.calls.append(op)
        if self.before:
            raise self.before.pop(0)
        result = call()
        if self.after:
            raise self.after.pop(0)
        return result


class Cutting(MemoryDriver):
    """Cuts each stream after so many bytes, by an error or by just ending."""

    def __init__(self, every: int, *, tell: bool = False, silent: bool = False, marked: bool = True) -> None:
        super().__init__()
        self.every = every
        self.tell = tell
        self.silent = silent
        self.marked = marked
        self.opened: list[int] = []
        self.stats = 0
        self.cuts = 10**9
        self.on_cut: Callable[[], object] = lambda: None

    def stat(self, path: str) -> ObjectInfo:
        self.stats += 1
        info = super().stat(path)
        return info if self.marked else msgspec.structs.replace(info, etag=None, mtime_ns=None)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        self.opened.append(offset)
        told = super().stat(path) if self.tell else None
        return _CutStream(self, super().get(path, offset, length), told)


class _CutStream(WrappedStream):
    def __init__(self, driver: Cutting, raw: ByteStream, told: ObjectInfo | None) -> None:
        super().__init__(raw)
        self._driver = driver
        self._left = driver.every
        self._told = told

    @property
    def info(self) -> ObjectInfo | None:
        return self._told

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        driver = self._driver
        if not self._left and driver.cuts:
            driver.cuts -= 1
            driver.on_cut()
            if driver.silent:
                return b""
            raise Unreachable
        data = self.raw.read(min(size, self._left) if driver.cuts and size >= 0 else size)
        self._left -= len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@pytest.fixture
def flaky() -> Flaky:
    return Flaky()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def retry(flaky: Flaky, waits: list[float]) -> Retry:
    return Retry(flaky, sleep=waits.append, random=lambda low, high: high)


def store(driver: Any, path: str, data: bytes) -> None:
    driver.put(path, BytesBody(data), PLAIN)


def test_retryable_error_is_repeated(flaky: Flaky, retry: Retry) -> None:
    """A call that fails for the moment succeeds in the end."""
    flaky.before = [Unreachable(), RateLimited(), Corrupted()]
    store(retry, "a", b"x")

    assert flaky.calls == ["put"] * 4
    assert retry.stat("a").size == 1


def test_waits_double_up_to_the_longest(flaky: Flaky, waits: list[float]) -> None:
    """Waits grow twofold, and no wait is longer than the longest."""
    retry = Retry(flaky, attempts=7, wait=1.0, longest=5.0, sleep=waits.append, random=lambda low, high: high)
    flaky.before = [Unreachable() for _ in range(6)]
    retry.about()

    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_waits_are_scattered(flaky: Flaky) -> None:
    """Chance takes up to a half of a wait."""
    asked: list[tuple[float, float]] = []

    def least(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    retry = Retry(flaky, wait=1.0, sleep=lambda seconds: None, random=least)
    flaky.before = [Unreachable(), Unreachable()]
    retry.about()

    assert asked == [(0.5, 1.0), (1.0, 2.0)]


def test_final_error_is_raised_at_once(flaky: Flaky, retry: Retry, waits: list[float]) -> None:
    """An error that waiting does not cure is not repeated."""
    flaky.before = [PermissionDenied()]
    with pytest.raises(PermissionDenied):
        retry.stat("a")

    assert (flaky.calls, waits) == (["stat"], [])


def test_attempts_are_counted(flaky: Flaky, retry: Retry) -> None:
    """After the last attempt its error is raised."""
    flaky.before = [Unreachable(str(number)) for number in range(9)]
    with pytest.raises(Unreachable) as caught:
        retry.stat("a")

    assert flaky.calls == ["stat"] * 5
    assert caught.value.message == "4"


@pytest.mark.parametrize("least", [0.1, 0.4, 7.0, 99.0])
def test_retry_after_is_honoured(flaky: Flaky, least: float) -> None:
    """Never is the wait shorter than the service asked for, whatever chance says."""
    waits: list[float] = []
    retry = Retry(flaky, sleep=waits.append, random=lambda low, high: low)
    flaky.before = [RateLimited(retry_after=least)]
    retry.about()

    assert len(waits) == 1
    assert waits[0] >= least


def test_retry_after_beyond_patience(flaky: Flaky, retry: Retry, waits: list[float]) -> None:
    """A service that asks for a day is not waited for."""
    flaky.before = [RateLimited(retry_after=86400.0)]
    with pytest.raises(RateLimited):
        retry.about()

    assert waits == []


def test_storm_is_bounded() -> None:
    """However many threads fail together, they repeat no more than the bucket holds."""
    count, lock = [0], threading.Lock()

    class Down(MemoryDriver):
        def stat(self, path: str) -> ObjectInfo:
            with lock:
                count[0] += 1
            raise Unreachable

    retry = Retry(Down(), budget=TokenBucket(0.0, 30.0), sleep=lambda seconds: None)
    failed: list[StorageError] = []

    def work() -> None:
        try:
            retry.stat("a")
        except StorageError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=work) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(failed) == 100
    assert count[0] == 130


def test_budget_comes_back_with_successes(flaky: Flaky) -> None:
    """A repetition that led to success costs nothing in the end; plain successes refill slowly."""
    retry = Retry(flaky, budget=TokenBucket(0.0, 2.0), sleep=lambda seconds: None)
    for _ in range(5):
        flaky.before = [Unreachable(), Unreachable()]
        retry.about()
    full = retry.budget.left
    flaky.before = [Unreachable() for _ in range(3)]
    with pytest.raises(Unreachable):
        retry.about()
    empty = retry.budget.left
    retry.about()

    assert (full, empty) == (2.0, 0.0)
    assert 0.0 < retry.budget.left < 1.0


def test_body_is_opened_again(flaky: Flaky, retry: Retry) -> None:
    """Each attempt sends the whole body."""
    opened: list[str] = []

    def opener() -> ByteStream:
        opened.append("once more")
        return io.BytesIO(b"abc")

    flaky.after = [Unreachable(), Unreachable()]
    retry.put("a", OpenerBody(opener, 3), PLAIN)

    assert len(opened) == 3
    assert read_all(retry.get("a")) == b"abc"


class Once(io.RawIOBase):
    """Three bytes that come only once."""

    def __init__(self) -> None:
        self._data = b"abc"

    def read(self, size: int = -1, /) -> bytes:
        data, self._data = self._data, b""
        return data


def test_body_that_opens_once(flaky: Flaky, retry: Retry) -> None:
    """The first error is raised, rather than one about reading twice."""
    flaky.after = [Unreachable("the first"), Unreachable("the second")]
    with pytest.raises(Unreachable, match="the first"):
        retry.put("a", StreamBody(Once()), PLAIN)


def test_failure_of_the_source_is_not_ours(flaky: Flaky, retry: Retry) -> None:
    """A body whose source fails is not sent again: the source's own retries are over."""

    def fail() -> ByteStream:
        raise Unreachable(op="get", path="elsewhere")

    with pytest.raises(Unreachable, match="elsewhere"):
        retry.put("a", OpenerBody(fail, 3), PLAIN)

    assert flaky.calls == ["put"]


def test_if_absent_after_a_lost_answer(flaky: Flaky, retry: Retry) -> None:
    """It cannot be known whose object is there, and the error says so."""
    flaky.after = [Unreachable()]
    with pytest.raises(AlreadyExists, match="earlier attempt"):
        retry.put("a", BytesBody(b"x"), PutOptions(if_absent=True))


def test_if_absent_after_a_refusal(flaky: Flaky, retry: Retry) -> None:
    """After an answer that nothing was done, AlreadyExists is just that."""
    store(retry, "a", b"x")
    flaky.before = [RateLimited()]
    with pytest.raises(AlreadyExists) as caught:
        retry.put("a", BytesBody(b"x"), PutOptions(if_absent=True))

    assert caught.value.message == ""


def test_delete_after_a_lost_answer(flaky: Flaky, retry: Retry) -> None:
    """What is gone after a lost answer was deleted."""
    store(retry, "a", b"x")
    flaky.after = [Unreachable()]
    retry.delete("a")

    assert flaky.calls == ["put", "delete", "delete"]


@pytest.mark.parametrize("before", [[], [RateLimited()]])
def test_delete_of_nothing(flaky: Flaky, retry: Retry, before: list[Exception]) -> None:
    """What was never there is NotFound."""
    flaky.before = before
    with pytest.raises(NotFound):
        retry.delete("a")


def test_move_after_a_lost_answer(flaky: Flaky, retry: Retry) -> None:
    """A move is done if the source is gone and the target there."""
    store(retry, "a", b"four")
    flaky.after = [Unreachable()]
    info = retry.move("a", "b")

    assert (info.path, info.size) == ("b", 4)


def test_move_of_nothing_after_a_lost_answer(flaky: Flaky, retry: Retry) -> None:
    """With neither source nor target there was nothing to move."""
    flaky.before = [Unreachable()]
    with pytest.raises(NotFound):
        retry.move("a", "b")


def test_delete_many_repeats_what_failed(waits: list[float]) -> None:
    """Single paths that failed for the moment are asked for again, alone."""
    asked: list[list[str]] = []

    class Partly(MemoryDriver):
        def delete_many(self, paths: Sequence[str]) -> Failures:
            asked.append([*paths])
            found = super().delete_many(paths)
            return [
                Unreachable() if len(asked) == 1 and path in "bc" else one
                for path, one in zip(paths, found, strict=True)
            ]

    retry = Retry(Partly(), sleep=waits.append)
    for path in "abc":
        store(retry, path, b"")
    answer = retry.delete_many(["a", "b", "c", "nix"])

    assert asked == [["a", "b", "c", "nix"], ["b", "c"]]
    assert [type(one) for one in answer] == [type(None), type(None), type(None), NotFound]


def test_parts_and_finish_are_repeated(flaky: Flaky, retry: Retry) -> None:
    """Parts are sent again, and a finish whose answer was lost is done."""
    upload = retry.begin_upload("a", PLAIN)
    flaky.before = [Unreachable()]
    upload.put_part(1, BytesBody(b"part"))
    flaky.after = [Unreachable()]
    info = upload.finish()

    assert flaky.calls == ["begin_upload", "put_part", "put_part", "finish", "finish", "stat"]
    assert info.size == 4
    assert read_all(retry.get("a")) == b"part"


def test_finish_of_another_object(flaky: Flaky, retry: Retry) -> None:
    """An object of another size is not what the lost finish made."""
    store(retry, "a", b"something else")
    upload = retry.begin_upload("a", PLAIN)
    upload.put_part(1, BytesBody(b"part"))
    flaky.before = [Unreachable()]
    upload.abort()
    flaky.before = [Unreachable()]
    with pytest.raises(NotFound):
        upload.finish()


def test_finish_of_an_older_object(flaky: Flaky, retry: Retry) -> None:
    """Nor is one of that size which has another time: it was there before."""
    store(retry, "a", b"old!")
    upload = retry.begin_upload("a", PutOptions(mtime_ns=10**18))
    upload.put_part(1, BytesBody(b"part"))
    flaky.before = [Unreachable(), NotFound()]
    with pytest.raises(NotFound):
        upload.finish()


def test_list_pages_are_repeated() -> None:
    """A failed page is asked for again; those before it are not."""
    flaky = Flaky(MemoryDriver(MemoryDriver.options_class(page_size=1)))
    retry = Retry(flaky, sleep=lambda seconds: None)
    for path in "abc":
        store(retry, path, b"")
    first = retry.list("")
    flaky.before = [Unreachable()]
    second = retry.list("", page=first.next)

    assert [info.path for info in first.infos + second.infos] == ["a", "b"]
    assert flaky.calls.count("list") == 3


def resumed(driver: MemoryDriver, **options: Any) -> Retry:
    return Retry(Guard(driver), sleep=lambda seconds: None, random=lambda low, high: low, **options)


@settings(max_examples=150, deadline=None)
@given(
    size=st.integers(0, 400),
    every=st.integers(1, 100),
    chunk=st.integers(1, 150),
    offset=st.integers(0, 50),
    length=st.none() | st.integers(0, 300),
    tell=st.booleans(),
    proof=st.integers(1, 100),
)
def test_resumed_bytes_are_exact(
    size: int, every: int, chunk: int, offset: int, length: int | None, tell: bool, proof: int
) -> None:
    """Wherever and however often a stream is cut, the bytes are those of the object."""
    driver = Cutting(every, tell=tell)
    data = bytes(number * 7 % 251 for number in range(size))
    store(driver, "a", data)
    retry = resumed(driver)
    stream = ResumingStream(retry, retry.tries, driver.get("a", offset, length), "a", offset, length, proof=proof)
    parts = []
    while part := stream.read(chunk):
        parts.append(part)

    assert b"".join(parts) == data[offset : None if length is None else offset + length]


def test_every_cut_once() -> None:
    """A single cut at any byte leaves no trace, and the second part only is read a second time."""
    data = bytes(range(100))
    for at in range(1, 100):
        driver = Cutting(at, tell=True)
        driver.cuts = 1
        store(driver, "a", data)
        with resumed(driver).get("a") as stream:
            got = read_all(stream)

        assert got == data
        assert driver.opened == [0, at]


def test_info_of_the_stream_costs_nothing() -> None:
    """A stream that tells its etag is resumed without a stat."""
    driver = Cutting(10, tell=True)
    store(driver, "a", bytes(100))
    with resumed(driver).get("a") as stream:
        got = read_all(stream)

    assert (len(got), driver.stats) == (100, 0)


def test_unbroken_stream_costs_nothing() -> None:
    """A small object that arrives well takes one request."""
    driver = Cutting(1000)
    store(driver, "a", bytes(100))
    with resumed(driver).get("a") as stream:
        read_all(stream)

    assert (driver.opened, driver.stats) == ([0], 0)


@pytest.mark.parametrize("tell", [False, True])
@pytest.mark.parametrize("proof", [1, 1000])
def test_changed_object_is_not_mixed(tell: bool, proof: int) -> None:
    """An object that was replaced when the stream broke is an error, not a mixture."""
    driver = Cutting(10, tell=tell)
    store(driver, "a", b"a" * 100)
    driver.on_cut = lambda: store(driver, "a", b"b" * 100)
    retry = resumed(driver)
    stream = ResumingStream(retry, retry.tries, driver.get("a"), "a", 0, None, proof=proof)
    with pytest.raises(SourceChanged):
        stream.read(-1)


def test_vanished_object() -> None:
    """An object that was deleted meanwhile has changed."""
    driver = Cutting(10)
    store(driver, "a", b"a" * 100)
    driver.on_cut = lambda: driver.delete("a")
    stream = resumed(driver).get("a")
    with pytest.raises(SourceChanged, match="vanished"):
        read_all(stream)


def test_no_proof_no_resume() -> None:
    """Where nothing tells versions apart and much was read, the error itself is raised."""
    driver = Cutting(10, marked=False)
    store(driver, "a", b"a" * 100)
    retry = resumed(driver)
    stream = ResumingStream(retry, retry.tries, driver.get("a"), "a", 0, None, proof=5)
    with pytest.raises(Unreachable):
        stream.read(-1)


def test_early_end_is_noticed() -> None:
    """A stream that ends before its known size goes on, too."""
    driver = Cutting(10, tell=True, silent=True)
    store(driver, "a", bytes(range(100)))
    with resumed(driver).get("a", 5, 60) as stream:
        got = read_all(stream)

    assert got == bytes(range(5, 65))


def test_stream_without_progress_is_given_up() -> None:
    """A stream that brings nothing more is an error after as many attempts as a call has."""
    driver = Cutting(10, tell=True)
    store(driver, "a", bytes(100))
    stream = resumed(driver, attempts=3).get("a")
    stream.read(10)
    driver.every = 0
    with pytest.raises(Unreachable):
        stream.read(10)

    assert driver.opened == [0, 10, 10]


def test_early_end_without_progress() -> None:
    """An object that is shorter than it says is Truncated in the end."""
    driver = Cutting(10, tell=True, silent=True)
    store(driver, "a", bytes(100))
    stream = resumed(driver).get("a")
    stream.read(10)
    driver.every = 0
    with pytest.raises(Truncated):
        stream.read(10)


def test_pickled_settings() -> None:
    """Another process repeats as this one does."""
    again = pickle.loads(pickle.dumps(Retry(MemoryDriver(), attempts=2, wait=0.25, longest=1.0, patience=3.0)))

    assert (again.attempts, again.wait, again.longest, again.patience) == (2, 0.25, 1.0, 3.0)
