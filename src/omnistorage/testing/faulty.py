"""A driver that fails as told: at a call, in the midst of a stream, or by a listing that is not true.

>>> storage = Storage(FaultyDriver(driver, Fail("put", at=2), CutStream(after=100)))
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, Unreachable
from omnistorage.core.info import ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, Upload

from .bodies import BreakingStream, Dribble

T = TypeVar("T")

Failure = BaseException | type[BaseException]


class Fault:
    """One thing that goes wrong; subclasses override what they disturb.

    Attributes:
        op: The verb that it is about (``put_part``, ``finish`` and ``abort`` for uploads); empty for every verb.
        path: The path that it is about; None for every path.
    """

    op: str = ""
    path: str | None = None

    def concerns(self, op: str, path: str) -> bool:
        """Say whether a call is one of those that this fault is about."""
        return self.op in ("", op) and self.path in (None, path)

    def before(self, number: int) -> None:
        """Come before the ``number``-th call (from 1) that this fault concerns; may raise."""

    def after(self, number: int) -> None:
        """Come after that call was done; may raise, as if the answer had been lost."""

    def body(self, number: int, body: Body) -> Body:
        """Return the body that the driver gets to see."""
        return body

    def stream(self, number: int, stream: ByteStream) -> ByteStream:
        """Return the stream that the caller gets to see."""
        return stream

    def page(self, number: int, page: Page, inner: Driver) -> Page:
        """Return the page that the caller gets to see."""
        return page


class Fail(Fault):
    """Raise at one or several calls of a verb, and let the others pass.

    Args:
        op: The verb; empty for every verb.
        at: The first call that fails, counted from 1.
        times: How many fail from there on; None for all.
        error: What is raised; a list has one entry for each call (``times`` is its length then), where None
            lets that call pass.
        path: Count only calls on this path.
        late: Raise after the call was done, as when the answer of a service is lost.
    """

    def __init__(
        self,
        op: str = "",
        *,
        at: int = 1,
        times: int | None = 1,
        error: Failure | Iterable[Failure | None] = Unreachable,
        path: str | None = None,
        late: bool = False,
    ) -> None:
        self.op = op
        self.path = path
        self._at = at
        self._late = late
        self._errors: list[Failure | None] | None = None
        self._error: Failure = Unreachable
        if isinstance(error, BaseException | type):
            self._error = error
        else:
            self._errors = list(error)
            times = len(self._errors)
        self._times = times

    def before(self, number: int) -> None:
        """Raise if it is this call's turn."""
        if not self._late:
            self._strike(number)

    def after(self, number: int) -> None:
        """Raise if it is this call's turn, and the answer is to be lost."""
        if self._late:
            self._strike(number)

    def _strike(self, number: int) -> None:
        turn = number - self._at
        if turn < 0 or (self._times is not None and turn >= self._times):
            return
        error = self._error if self._errors is None else self._errors[turn]
        if error is not None:
            raise error


class FailBody(Fault):
    """Let the body of a put break after some bytes, while the driver reads it."""

    def __init__(
        self, after: int, *, error: Failure = OSError, op: str = "put", at: int = 1, times: int | None = 1
    ) -> None:
        self.op = op
        self._after = after
        self._error = error
        self._turn = _Turn(at, times)

    def body(self, number: int, body: Body) -> Body:
        """Return a body that breaks, if it is this call's turn."""
        if not self._turn(number):
            return body
        return _BreakingBody(body, self._after, self._error)


class CutStream(Fault):
    """Let a read object break off after some bytes.

    Args:
        after: Bytes that come before.
        error: What is raised then; None ends the stream silently, as a connection that was closed may do.
        path: Only streams of this object.
        at: The first ``get`` that is cut, counted from 1.
        times: How many are cut from there on; None for all.
    """

    op = "get"

    def __init__(
        self,
        after: int,
        *,
        error: Failure | None = Unreachable,
        path: str | None = None,
        at: int = 1,
        times: int | None = 1,
    ) -> None:
        self.path = path
        self._after = after
        self._error = error
        self._turn = _Turn(at, times)

    def stream(self, number: int, stream: ByteStream) -> ByteStream:
        """Return a stream that breaks off, if it is this call's turn."""
        return BreakingStream(stream, self._after, self._error) if self._turn(number) else stream


class ShortReads(Fault):
    """Let every read of an object give at most ``size`` bytes, as sockets do."""

    op = "get"

    def __init__(self, size: int = 1) -> None:
        self._size = size

    def stream(self, number: int, stream: ByteStream) -> ByteStream:
        """Return a stream that gives little at a time."""
        return Dribble(stream, self._size)


class Slow(Fault):
    """Wait ``seconds`` before each call; pass a ``sleep`` of your own to wait without waiting."""

    def __init__(self, seconds: float, *, op: str = "", sleep: Callable[[float], object] = time.sleep) -> None:
        self.op = op
        self._seconds = seconds
        self._sleep = sleep

    def before(self, number: int) -> None:
        """Wait."""
        self._sleep(self._seconds)


class DuplicatePage(Fault):
    """Give the entries of the ``at``-th page of all listings a second time, as the following page."""

    op = "list"

    def __init__(self, at: int = 1) -> None:
        self._at = at

    def page(self, number: int, page: Page, inner: Driver) -> Page:
        """Return the page, with itself behind it if it is its turn."""
        return Page(page.infos, _Again(page)) if number == self._at else page


class ShortListing(Fault):
    """End listings early and without an error: after ``keep`` entries of the ``at``-th page."""

    op = "list"

    def __init__(self, keep: int = 0, *, at: int = 1, path: str | None = None) -> None:
        self.path = path
        self._keep = keep
        self._at = at

    def page(self, number: int, page: Page, inner: Driver) -> Page:
        """Return the beginning of the page as if it were the end."""
        return Page(page.infos[: self._keep]) if number == self._at else page


class Vanish(Fault):
    """Delete an object at the moment it has been listed, as another program may do."""

    op = "list"

    def __init__(self, *paths: str) -> None:
        self._paths = set(paths)

    def page(self, number: int, page: Page, inner: Driver) -> Page:
        """Return the page unchanged; what it names is gone."""
        for info in page.infos:
            if info.path in self._paths:
                self._paths.discard(info.path)
                try:
                    inner.delete(info.path)
                except NotFound:
                    continue
        return page


Met = list[tuple[int, Fault]]
"""The faults that a call meets, each with the number that the call has for it."""


class FaultyDriver(Layer):
    """Passes calls on to a driver, except where one of its faults has something to say.

    Put it where the driver would stand: ``Storage(FaultyDriver(driver, …), Retry)``. Faults are asked in the order
    in which they are given; each counts the calls that it concerns, from all threads together.

    Attributes:
        calls: Verb to the number of calls so far, those that failed included.
    """

    def __init__(self, inner: Driver, *faults: Fault) -> None:
        super().__init__(inner)
        self.calls: Counter[str] = Counter()
        self._faults = list(faults)
        self._numbers: Counter[int] = Counter()
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Add faults, which begin to count now."""
        with self._lock:
            self._faults += faults

    def heal(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._faults.clear()
            self._numbers.clear()

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        return self._through(self._met(op, path), call)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        met = self._met("get", path)
        # A stream that nobody gets can be closed by nobody else.
        stream = self._through(met, lambda: self.inner.get(path, offset, length), lambda lost: lost.close())
        for number, fault in met:
            stream = fault.stream(number, stream)
        return stream

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        met = self._met("put", path)
        shown = _seen_by(met, body)
        return self._through(met, lambda: self.inner.put(path, shown, options))

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        met = self._met("list", path)
        if isinstance(page, _Again):
            held = page.page
            return self._through(met, lambda: held)
        answer = self._through(met, lambda: self.inner.list(path, recursive=recursive, page=page))
        for number, fault in met:
            answer = fault.page(number, answer, self.inner)
        return answer

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        upload = self.around("begin_upload", path, lambda: self.inner.begin_upload(path, options, size))
        return _FaultyUpload(self, path, upload)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload = self.around("resume_upload", path, lambda: self.inner.resume_upload(path, token, options))
        return _FaultyUpload(self, path, upload)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.inner, *self._faults)

    def _met(self, op: str, path: str) -> Met:
        """Count the call, and return the faults that it meets with the number that it has for each."""
        met = []
        with self._lock:
            self.calls[op] += 1
            for fault in self._faults:
                if fault.concerns(op, path):
                    self._numbers[id(fault)] += 1
                    met.append((self._numbers[id(fault)], fault))
        return met

    def _through(self, met: Met, call: Callable[[], T], undo: Callable[[T], object] = lambda result: None) -> T:
        for number, fault in met:
            fault.before(number)
        result = call()
        try:
            for number, fault in met:
                fault.after(number)
        except BaseException:
            undo(result)
            raise
        return result


class _FaultyUpload(Upload):
    def __init__(self, driver: FaultyDriver, path: str, inner: Upload) -> None:
        self.part_size = inner.part_size
        self.streams = inner.streams
        self.token = inner.token
        self._driver = driver
        self._path = path
        self._inner = inner

    @property
    def done(self) -> dict[int, int]:
        return dict(self._inner.done)

    def put_part(self, number: int, body: Body) -> None:
        met = self._driver._met("put_part", self._path)
        shown = _seen_by(met, body)
        self._driver._through(met, lambda: self._inner.put_part(number, shown))

    def part_length(self, number: int) -> int:
        return self._inner.part_length(number)

    def finish(self) -> ObjectInfo:
        return self._driver.around("finish", self._path, self._inner.finish)

    def abort(self) -> None:
        self._driver.around("abort", self._path, self._inner.abort)

    def stored(self) -> ByteStream | None:
        return self._driver.around("stored", self._path, self._inner.stored)

    def stored_part(self, number: int) -> ByteStream | None:
        return self._driver.around("stored_part", self._path, lambda: self._inner.stored_part(number))

    def stop(self) -> None:
        self._inner.stop()

    def leave(self) -> None:
        self._inner.leave()


class _Again:
    """A page token that means: the same page once more."""

    def __init__(self, page: Page) -> None:
        self.page = page


def _seen_by(met: Met, body: Body) -> Body:
    for number, fault in met:
        body = fault.body(number, body)
    return body


class _BreakingBody(Body):
    def __init__(self, body: Body, after: int, error: Failure) -> None:
        self.size = body.size
        self._body = body
        self._after = after
        self._error = error

    def open(self) -> ByteStream:
        return BreakingStream(self._body.open(), self._after, self._error)

    def check(self) -> None:
        self._body.check()


class _Turn:
    """Whether a call is one of ``times`` from the ``at``-th on."""

    def __init__(self, at: int, times: int | None) -> None:
        self._first = at
        self._end = None if times is None else at + times

    def __call__(self, number: int) -> bool:
        return self._first <= number and (self._end is None or number < self._end)
