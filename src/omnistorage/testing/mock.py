"""A storage that does what a test's script says, and tells what it was asked for.

>>> mock = MockDriver()
>>> mock.expect("get", path="report.txt").returns(b"hello")
>>> mock.expect("put", path="copy.txt").raises(NoSpace)
>>> application(Storage(mock))
>>> mock.assert_all_met()
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, TypeVar

from omnistorage.core.driver import Failures
from omnistorage.core.features import Features
from omnistorage.core.info import ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, Upload, read_all
from omnistorage.drivers.memory import MemoryDriver

T = TypeVar("T")

_NOTHING: Any = object()


class UnexpectedCall(AssertionError):
    """The mock was asked for something that its script does not have."""


class Call:
    """One call that was made.

    Attributes:
        op: The verb.
        arguments: Its arguments by name; those left at their default are left out.
        data: The bytes that a ``put`` or ``put_part`` was given; None for other verbs.
    """

    def __init__(self, op: str, arguments: dict[str, Any], data: bytes | None = None) -> None:
        self.op = op
        self.arguments = arguments
        self.data = data

    @property
    def path(self) -> str:
        """The path that it was about; the source of a copy or move."""
        return str(self.arguments.get("path", self.arguments.get("src", "")))

    def matches(self, op: str, arguments: dict[str, Any]) -> bool:
        """Say whether it is a call of ``op`` with (at least) these arguments."""
        if op != self.op:
            return False
        mine = {**self.arguments, "path": self.path, "data": self.data}
        return all(name in mine and mine[name] == value for name, value in arguments.items())

    def __repr__(self) -> str:
        shown = dict(self.arguments)
        if self.data is not None:
            shown["data"] = self.data if len(self.data) <= 40 else self.data[:40] + b"..."
        return _call(self.op, shown)


class Expectation:
    """One entry of a mock's script; without ``returns`` or ``raises`` the memory behind the mock answers."""

    def __init__(self, op: str, arguments: dict[str, Any]) -> None:
        self.op = op
        self.arguments = arguments
        self.met = 0
        self.wanted: int | None = 1
        self._answers: list[Any] = []
        self._error: BaseException | type[BaseException] | None = None

    def returns(self, *answers: Any) -> Self:
        """Answer with these, one for each call and the last for all further ones.

        ``get`` takes bytes, ``list`` paths or infos (or a Page), everything else what the verb returns.
        """
        self._answers = list(answers)
        if self.wanted is not None:
            self.wanted = max(self.wanted, len(answers))
        return self

    def raises(self, error: BaseException | type[BaseException]) -> Self:
        """Raise this."""
        self._error = error
        return self

    def times(self, count: int | None) -> Self:
        """Be met exactly so many times (once, if never said); None for any number, none included."""
        self.wanted = count
        return self

    @property
    def used_up(self) -> bool:
        """True if it takes no more calls."""
        return self.wanted is not None and self.met >= self.wanted

    @property
    def open(self) -> bool:
        """True if it still waits for a call."""
        return self.wanted is not None and self.met < self.wanted

    def answer(self, number: int, call: Callable[[], T]) -> T:
        """Give the answer to its ``number``-th call, from 1 on; ``call`` asks the memory."""
        if self._error is not None:
            raise self._error
        if not self._answers:
            return call()
        told = self._answers[min(number, len(self._answers)) - 1]
        if self.op == "get" and isinstance(told, bytes | bytearray):
            told = io.BytesIO(told)
        if self.op == "list" and not isinstance(told, Page):
            told = Page([ObjectInfo(entry) if isinstance(entry, str) else entry for entry in told])
        answer: T = told
        return answer

    def __repr__(self) -> str:
        count = "any number of times" if self.wanted is None else f"{self.wanted} times"
        return f"{_call(self.op, self.arguments)}: wanted {count}, met {self.met} times"


class MockDriver(Layer):
    """A driver for applications' tests: it follows a script and records all calls.

    Args:
        strict: Refuse calls that the script does not have with UnexpectedCall; else they go to a storage in
            memory.
        ordered: The expectations must be met in the order in which they were written.
        features: What the mock claims to be able to do; that of a storage in memory, if None.

    Attributes:
        calls: All calls so far, in their order.
        memory: The storage in memory behind the mock, to fill and to look at.
    """

    def __init__(self, *, strict: bool = True, ordered: bool = False, features: Features | None = None) -> None:
        self.memory = MemoryDriver()
        super().__init__(self.memory)
        self.scheme = "mock"
        self.features = self.memory.features if features is None else features
        self.calls: list[Call] = []
        self._strict = strict
        self._ordered = ordered
        self._script: list[Expectation] = []
        self._lock = threading.Lock()

    # -- the script ----------------------------------------------------------------------------------------

    def expect(self, op: str, **arguments: Any) -> Expectation:
        """Expect one call of the verb ``op`` with these arguments; others may have any value.

        ``path`` is also the source of a copy or move; ``data`` are the bytes of a put.

        Raises:
            ValueError: There is no such verb.
        """
        if op not in _VERBS:
            raise ValueError(f"there is no verb {op!r}; known: {', '.join(sorted(_VERBS))}")
        expectation = Expectation(op, arguments)
        self._script.append(expectation)
        return expectation

    def assert_called(self, op: str, *, times: int | None = None, **arguments: Any) -> None:
        """Prove that such a call was made, at least once or exactly ``times`` times."""
        found = sum(call.matches(op, arguments) for call in self.calls)
        if (times is None and not found) or (times is not None and found != times):
            wanted = "at least once" if times is None else f"{times} times"
            raise AssertionError(f"{_call(op, arguments)}: wanted {wanted}, was {found} times\n{self.history()}")

    def assert_not_called(self, op: str, **arguments: Any) -> None:
        """Prove that no such call was made."""
        self.assert_called(op, times=0, **arguments)

    def assert_all_met(self) -> None:
        """Prove that every expectation was met as often as it was to be."""
        waiting = [repr(expectation) for expectation in self._script if expectation.open]
        if waiting:
            raise AssertionError("not met:\n  " + "\n  ".join(waiting) + "\n" + self.history())

    def history(self) -> str:
        """Return the calls so far as text, one on each line."""
        return "\n  ".join(["calls so far:", *map(repr, self.calls)]) if self.calls else "calls so far: none"

    # -- the verbs -----------------------------------------------------------------------------------------

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        return self._do(Call(op, {"path": path}), call)

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        arguments = _given(path=path, recursive=recursive or _NOTHING, page=_NOTHING if page is None else page)
        return self._do(Call("list", arguments), lambda: self.inner.list(path, recursive=recursive, page=page))

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        arguments = _given(path=path, offset=offset or _NOTHING, length=_NOTHING if length is None else length)
        return self._do(Call("get", arguments), lambda: self.inner.get(path, offset, length))

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        read = _Read(body)
        data = read.data
        arguments = _given(path=path, options=_NOTHING if options == PutOptions() else options)
        return self._do(Call("put", arguments, data), lambda: self.inner.put(path, read, options))

    def copy(self, src: str, dst: str) -> ObjectInfo:
        return self._do(Call("copy", {"src": src, "dst": dst}), lambda: self.inner.copy(src, dst))

    def move(self, src: str, dst: str) -> ObjectInfo:
        return self._do(Call("move", {"src": src, "dst": dst}), lambda: self.inner.move(src, dst))

    def set_modified(self, path: str, mtime_ns: int) -> None:
        call = Call("set_modified", {"path": path, "mtime_ns": mtime_ns})
        return self._do(call, lambda: self.inner.set_modified(path, mtime_ns))

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        call = Call("set_metadata", {"path": path, "metadata": dict(metadata)})
        return self._do(call, lambda: self.inner.set_metadata(path, metadata))

    def delete_many(self, paths: Sequence[str]) -> Failures:
        return self._do(Call("delete_many", {"paths": list(paths)}), lambda: self.inner.delete_many(paths))

    def hash(self, path: str, name: str) -> str:
        return self._do(Call("hash", {"path": path, "name": name}), lambda: self.inner.hash(path, name))

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        upload = self._do(Call("begin_upload", {"path": path}), lambda: self.inner.begin_upload(path, options, size))
        return _MockUpload(self, path, upload)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload = self._do(
            Call("resume_upload", {"path": path, "token": token}),
            lambda: self.inner.resume_upload(path, token, options),
        )
        return _MockUpload(self, path, upload)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.scheme}: {len(self.calls)} calls>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a mock does not pickle: its script and its calls belong to one test")

    def _do(self, call: Call, pass_on: Callable[[], T]) -> T:
        with self._lock:
            self.calls.append(call)
            expectation = self._find(call)
            number = 0
            if expectation is not None:
                expectation.met += 1
                number = expectation.met
        return pass_on() if expectation is None else expectation.answer(number, pass_on)

    def _find(self, call: Call) -> Expectation | None:
        for expectation in self._script:
            if expectation.used_up:
                continue
            if call.matches(expectation.op, expectation.arguments):
                return expectation
            if self._ordered and expectation.open:
                break
        if self._strict:
            script = "\n  ".join(["expected:", *map(repr, self._script)]) if self._script else "expected: nothing"
            raise UnexpectedCall(f"unexpected {call!r}\n{script}\n{self.history()}")
        return None


class _MockUpload(Upload):
    def __init__(self, mock: MockDriver, path: str, inner: Upload) -> None:
        self.part_size = inner.part_size
        # In an order that a script can tell.
        self.streams = 1
        self.token = inner.token
        self._mock = mock
        self._path = path
        self._inner = inner

    @property
    def done(self) -> dict[int, int]:
        return dict(self._inner.done)

    def put_part(self, number: int, body: Body) -> None:
        read = _Read(body)
        call = Call("put_part", {"path": self._path, "number": number}, read.data)
        self._mock._do(call, lambda: self._inner.put_part(number, read))

    def part_length(self, number: int) -> int:
        return self._inner.part_length(number)

    def finish(self) -> ObjectInfo:
        return self._mock._do(Call("finish", {"path": self._path}), self._inner.finish)

    def abort(self) -> None:
        self._mock._do(Call("abort", {"path": self._path}), self._inner.abort)

    def stored(self) -> ByteStream | None:
        return self._inner.stored()

    def stored_part(self, number: int) -> ByteStream | None:
        return self._inner.stored_part(number)

    def stop(self) -> None:
        self._inner.stop()

    def leave(self) -> None:
        self._inner.leave()


_VERBS = frozenset(name for name, verb in vars(Layer).items() if callable(verb) and name[0] != "_") - {
    "around",
    "classify",
    "close",
    "identity",
} | {"put_part", "finish", "abort"}


class _Read(Body):
    """A body whose bytes have been read for the record; its size and its check are those it came with."""

    def __init__(self, body: Body) -> None:
        with body.open() as stream:
            self.data = read_all(stream)
            self._changed: Exception | None = None
            try:
                # Now, because a body may look at the stream that it opened.
                body.check()
            except Exception as exc:
                self._changed = exc
        self.size = body.size

    def open(self) -> ByteStream:
        return io.BytesIO(self.data)

    def check(self) -> None:
        if self._changed is not None:
            raise self._changed


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not _NOTHING}


def _call(op: str, arguments: dict[str, Any] | Iterable[tuple[str, Any]]) -> str:
    return f"{op}({', '.join(f'{name}={value!r}' for name, value in dict(arguments).items())})"
