"""Doing one action: the only place of a sync that writes objects."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from omnistorage.core.content import same_content
from omnistorage.core.driver import Driver, PutItem
from omnistorage.core.errors import Cancelled, Corrupted, NotFound, SourceChanged, StorageError
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, PlainFile, fill

from .model import CONTENTS_DIFFER, Action, Compare, Event, Observer, Outcome, Policy, Verb, origin_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Moved = Callable[[int, str], object]
"""Called with a number of bytes that were moved, and the path they belong to."""

WATCHED: Final = 1 << 20
"""Objects from so many bytes on report progress and can be stopped midway."""


class Transfer:
    """Does actions, one or a batch at a time, from any thread.

    Args:
        src: The source.
        dst: The destination.
        policy: How the run decides.
        observer: Gets events; None for none.
        verify: Compare hashes after each copy, reading back what was stored where the service must.
        dry_run: Change nothing; find out what would be done.
        admit: Asked before a copy that only a look at the content showed to be needed; see ``Admission``.
    """

    def __init__(
        self,
        src: Driver,
        dst: Driver,
        policy: Policy,
        *,
        observer: Observer | None = None,
        verify: bool = False,
        dry_run: bool = False,
        admit: Callable[[int], bool] | None = None,
    ) -> None:
        self._src = src
        self._dst = dst
        self._policy = policy
        self._observer = observer
        self._verify = verify
        self._dry_run = dry_run
        self._admit = admit
        self._stop = threading.Event()
        self._observer_failed: Exception | None = None
        # Layers that do not let the source be changed do not pass its folder on, either.
        self._can_rename = policy.move and src.local_root is not None
        self._plain_root = src.local_root
        if dry_run or verify or policy.move or not dst.features.local:
            self._plain_root = None

    def cancel(self) -> None:
        """Make all that runs, and all that comes, fail with Cancelled."""
        self._stop.set()

    def batch(self, actions: list[Action]) -> list[Outcome]:
        """Do several actions, one after the other."""
        if self._plain_root is None or len(actions) == 1 or not all(map(_is_plain_copy, actions)):
            return [self.do(action) for action in actions]
        if self._stop.is_set():
            return [Outcome(action, Cancelled(op="copy", path=action.path)) for action in actions]
        return self._copy_plain(actions, self._plain_root)

    def _copy_plain(self, actions: list[Action], root: str) -> list[Outcome]:
        """Hand small files of this machine over all at once."""
        items: list[PutItem] = []
        for action in actions:
            src: Any = action.src
            body = PlainFile(f"{root}/{origin_of(src)}", src.size, src.mtime_ns)
            items.append((action.path, body, PutOptions(mtime_ns=src.mtime_ns)))
        outcomes = []
        try:
            results = self._dst.put_many(items)
        except StorageError as exc:
            # A destination that takes nothing at all says so once.
            return [Outcome(action, exc) for action in actions]
        for action, stored in zip(actions, results, strict=True):
            if isinstance(stored, ObjectInfo):
                outcomes.append(Outcome(action, bytes=stored.size or 0, verified="size"))
            elif isinstance(stored, StorageError):
                outcomes.append(self._failed(action, stored))
            else:
                raise stored
        return outcomes

    def do(self, action: Action) -> Outcome:
        """Do one action; a failure is an outcome, not an exception."""
        try:
            if self._stop.is_set():
                raise Cancelled(op=action.verb.value, path=action.path)
            return self._do(action)
        except StorageError as exc:
            if self._observer_failed is not None:
                raise self._observer_failed from None
            return self._failed(action, exc)

    def _failed(self, action: Action, error: StorageError) -> Outcome:
        if isinstance(error, NotFound) and self._vanished(action):
            return Outcome(msgspec.structs.replace(action, verb=Verb.SKIP, reason="vanished from the source"))
        return Outcome(action, error)

    def _do(self, action: Action) -> Outcome:
        verb = action.verb
        if verb is Verb.COMPARE:
            return self._compare(action)
        if self._dry_run:
            return _imagined(action)
        if verb is Verb.COPY:
            return self._copy(action)
        if verb is Verb.TOUCH:
            return self._touch(action)
        if verb is Verb.DELETE:
            return self._delete(action)
        if verb is Verb.MKDIR:
            self._dst.mkdir(action.path)
        elif verb is Verb.RMDIR:
            self._dst.rmdir(action.path)
        return Outcome(action)

    def _copy(self, action: Action) -> Outcome:
        src = action.src
        assert src is not None
        large = src.size is None or src.size >= WATCHED
        if large and self._observer is not None:
            self._observer(Event("begin", action.path, src.size or 0))
        body = SourceBody(self._src, src, self._moved if large else None)
        if self._can_rename:
            body.local_path = f"{self._src.local_root}/{origin_of(src)}"
        options = PutOptions(
            mtime_ns=src.mtime_ns,
            content_type=src.content_type,
            metadata=src.metadata,
            consume=self._can_rename,
        )
        stored = self._dst.put(action.path, body, options)
        if src.size is not None and stored.size is not None and stored.size != src.size:
            raise Corrupted(f"{src.size} bytes were sent, {stored.size} arrived", op="put", path=action.path)
        if self._can_rename and self._gone(origin_of(src)):
            return Outcome(action, bytes=0, verified="hash", renamed=True)
        verified = "size"
        # A source is deleted only on proof of its content; a copy gets what was asked for.
        if self._verify or self._policy.move:
            self._prove(action)
            verified = "hash"
        if self._policy.move:
            self._delete_source(action)
        return Outcome(action, bytes=src.size if src.size is not None else stored.size or 0, verified=verified)

    def _touch(self, action: Action) -> Outcome:
        src = action.src
        assert src is not None
        assert src.mtime_ns is not None
        if self._dst.features.set_modified:
            self._dst.set_modified(action.path, src.mtime_ns)
            return Outcome(action)
        return self._copy(msgspec.structs.replace(action, verb=Verb.COPY))

    def _delete(self, action: Action) -> Outcome:
        try:
            self._dst.delete(action.path)
        except NotFound:
            # Gone is what was wanted, whoever did it.
            return Outcome(action)
        return Outcome(action)

    def _compare(self, action: Action) -> Outcome:
        """Let the content decide, and do what follows from it."""
        policy, src, dst = self._policy, action.src, action.dst
        assert src is not None
        assert dst is not None
        if self._differ(action):
            if policy.immutable:
                reason = "immutable, but differs: contents differ"
                action = msgspec.structs.replace(action, verb=Verb.FAIL, reason=reason, exit_code=6)
                return Outcome(action, StorageError(reason, op="sync", path=action.path))
            if self._admit is not None and not self._admit(src.size or 0):
                return Outcome(action, Cancelled("the limit is reached", op="put", path=action.path))
            action = msgspec.structs.replace(action, verb=Verb.COPY, reason=CONTENTS_DIFFER)
            return _imagined(action) if self._dry_run else self._copy(action)
        action = msgspec.structs.replace(action, verb=Verb.KEEP, reason="equal content")
        if self._wants_touch(src, dst):
            action = msgspec.structs.replace(action, verb=Verb.TOUCH, reason="only the time of modification differs")
            if not self._dry_run:
                touched = self._touch(action)
                if touched.action.verb is Verb.COPY:
                    return touched
        if policy.move and not self._dry_run:
            self._delete_source(action)
        return Outcome(action, verified="hash")

    def _wants_touch(self, src: ObjectInfo, dst: ObjectInfo) -> bool:
        policy = self._policy
        if policy.compare is not Compare.MTIME or not policy.touch or not policy.has_times:
            return False
        if src.mtime_ns is None or dst.mtime_ns is None:
            return False
        return abs(src.mtime_ns - dst.mtime_ns) >= policy.window_ns

    def _delete_source(self, action: Action) -> None:
        """Delete what was proven to be at the destination, unless both are one and the same file.

        A bind mount shows one folder at two places, and no comparison of paths or of contents can tell.
        """
        path = _origin(action)
        src_root, dst_root = _root_of(self._src), _root_of(self._dst)
        if src_root is not None and dst_root is not None and _same(f"{src_root}/{path}", f"{dst_root}/{action.path}"):
            raise StorageError("source and destination are the same file", op="delete", path=path)
        try:
            self._src.delete(path)
        except NotFound:
            # Gone is what was wanted, whoever did it.
            return

    def _prove(self, action: Action) -> None:
        if self._differ(action):
            raise Corrupted("the stored bytes are not those of the source", op="put", path=action.path)

    def _differ(self, action: Action) -> bool:
        name = self._policy.hash_name
        return not same_content(self._src, self._dst, _origin(action), name, dst_path=action.path)

    def _moved(self, count: int, path: str) -> None:
        if self._stop.is_set():
            raise Cancelled(op="put", path=path)
        if self._observer is not None:
            try:
                self._observer(Event("bytes", path, count))
            except Exception as exc:
                # It passes through the destination, which must not take it for a failure of its own.
                self._observer_failed = exc
                raise Cancelled("the observer failed", op="put", path=path) from exc

    def _gone(self, path: str) -> bool:
        try:
            self._src.stat(path)
        except NotFound:
            return True
        return False

    def _vanished(self, action: Action) -> bool:
        """Say whether the source is what was not found, and not something at the destination."""
        if action.src is None or action.verb is Verb.DELETE:
            return False
        try:
            return self._gone(origin_of(action.src))
        except StorageError:
            return False


def _is_plain_copy(action: Action) -> bool:
    src = action.src
    if action.verb is not Verb.COPY or src is None or src.mtime_ns is None or src.size is None:
        return False
    return src.size < WATCHED


def _root_of(driver: Driver) -> str | None:
    """Return the folder of this machine that a storage stands for, also where layers hide it from the kernel."""
    if driver.local_root is not None:
        return driver.local_root
    scheme, *_, root = driver.identity()
    return root if driver.features.local and scheme == "file" else None


def _origin(action: Action) -> str:
    return action.path if action.src is None else origin_of(action.src)


def _same(one: str, two: str) -> bool:
    """Say whether two paths lead to one file by one name, which a file system may spell in several ways."""
    try:
        if not os.path.samefile(os.path.dirname(one), os.path.dirname(two)):
            return False
        if os.path.basename(one) == os.path.basename(two):
            return True
        # A second hard link is a name of its own.
        return os.path.samefile(one, two) and os.lstat(one).st_nlink == 1
    except OSError:
        return False


def _imagined(action: Action) -> Outcome:
    """Return what would come of an action if it went well."""
    if action.verb is not Verb.COPY or action.src is None:
        return Outcome(action)
    return Outcome(action, bytes=action.src.size or 0)


class SourceBody(Body):
    """An object of the source, as something that the destination can store."""

    def __init__(self, driver: Driver, info: ObjectInfo, moved: Moved | None) -> None:
        self._driver = driver
        self._info = info
        self.size = info.size
        if moved is not None:
            self._moved = moved
            self.progress = self._report

    def open(self) -> ByteStream:
        stream = self._stream = self._driver.get(origin_of(self._info))
        return stream if self.progress is None else WatchedStream(stream, self._report)

    def check(self) -> None:
        # Where asking is free. Elsewhere a whole object is sent by one answer, and cannot change midway.
        if self._driver.features.local:
            then = self._info
            try:
                now = os.fstat(self._stream.fileno())  # type: ignore[attr-defined]
                same = now.st_size == then.size and now.st_mtime_ns == then.mtime_ns
            except (AttributeError, io.UnsupportedOperation):
                info = self._driver.stat(origin_of(then))
                same = info.size == then.size and info.mtime_ns == then.mtime_ns
            if not same:
                raise SourceChanged(op="get", path=origin_of(then), scheme=self._driver.scheme)

    def _report(self, count: int) -> None:
        self._moved(count, self._info.path)


class WatchedStream(io.RawIOBase):
    """A stream that says how many bytes were read; the kernel may still copy from its descriptor."""

    def __init__(self, stream: ByteStream, report: Callable[[int], object]) -> None:
        self._stream = stream
        self._report = report

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._report(len(data))
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = fill(self._stream, buffer)
        self._report(count)
        return count

    def fileno(self) -> int:
        fileno = getattr(self._stream, "fileno", None)
        if fileno is None:
            raise io.UnsupportedOperation("fileno")
        return int(fileno())

    def close(self) -> None:
        self._stream.close()
        super().close()
