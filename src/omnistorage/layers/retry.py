"""Tries again what failed for the moment, for no longer and no oftener than does good.

    Storage(driver, partial(Retry, attempts=5))

A call is repeated when its error is ``retryable``. The waits double from ``wait`` to ``longest`` seconds, each cut
by chance by up to a half; a ``Retry-After`` of the service is the least that is waited. Every repetition takes a
token from a bucket that all calls of the storage share. It comes back when the call succeeds in the end, and other
successes add a little; so a service that is down sees a bounded number of repetitions, then each error goes out at
once until it has recovered.

Verbs are whole or nothing and can be repeated, but an answer can be lost after the work was done:

* ``delete``, ``rmdir`` and ``abort``: a NotFound after a lost answer means done;
* ``move``: done if ``src`` is gone and ``dst`` is there;
* ``finish``: done if an object of that size and time is there;
* ``put`` with ``if_absent`` or ``if_match``: AlreadyExists or PreconditionFailed, with words that it may be our
  own object, since nobody can know.

A body that can be read only once is not sent again: the error of the first attempt is raised. Neither is one whose
source failed: the storage it comes from has retries of its own.

A stream from ``get`` that breaks goes on at the byte it had reached, once the object is known to be the same; else
SourceChanged is raised. See ``ResumingStream`` for what counts as known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from omnistorage.core.attempts import as_attempt, attempt
from omnistorage.core.bucket import TokenBucket
from omnistorage.core.driver import Driver, Failures, GetResults, PutItem, PutResults
from omnistorage.core.errors import (
    AlreadyExists,
    NotFound,
    PreconditionFailed,
    RateLimited,
    StorageError,
    Unsupported,
)
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.layer import Layer, LayeredUpload
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, Upload

from ._resume import ResumingStream

T = TypeVar("T")

BUDGET: Final = 200.0
"""Repetitions that a storage may have open, where nothing else is said."""

_THANKS: Final = 0.2
"""What a call that succeeds at once adds to the budget."""

_SOURCE: Final = frozenset({"get", "read"})


class Retry(Layer):
    """Repeats calls that failed for the moment; resumes streams that broke.

    Args:
        inner: The driver around which it stands.
        attempts: How often a call is tried in all; 1 repeats nothing.
        wait: Seconds before the first repetition; doubled for each further one.
        longest: Seconds that no backoff exceeds.
        patience: Longest ``Retry-After`` in seconds that is waited for; a longer one is an error at once.
        budget: The tokens shared by all calls; a repetition takes one. None makes a bucket for this storage.
        sleep: Waits for so many seconds.
        random: Picks a number between two.
    """

    def __init__(
        self,
        inner: Driver,
        *,
        attempts: int = 5,
        wait: float = 0.5,
        longest: float = 30.0,
        patience: float = 600.0,
        budget: TokenBucket | None = None,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[float, float], float] | None = None,
    ) -> None:
        super().__init__(inner)
        if attempts < 1:
            raise ValueError(f"attempts is a number from 1 on, not {attempts}")
        self.attempts = attempts
        self.wait = wait
        self.longest = longest
        self.patience = patience
        self.budget = budget or TokenBucket(0.0, BUDGET)
        self.sleep = sleep
        self._random = random or _uniform()
        self.many = inner.many

    def around(self, op: str, path: str, call: Callable[[], T]) -> T:
        return self._repeat(call)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        stream = self._repeat(lambda: self.inner.get(path, offset, length))
        return ResumingStream(self, self.tries, stream, path, offset, length)

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        from omnistorage.core.versioned import OneVersion

        stream = self._repeat(lambda: self.inner.get_version(path, version, offset, length))
        return ResumingStream(Layer(OneVersion(self.inner, version)), self.tries, stream, path, offset, length)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return self._send(lambda body: self.inner.put(path, body, options), body)

    def put_together(self, items: Sequence[PutItem], width: int) -> PutResults:
        """Store several objects; those that failed for the moment are stored again, one by one."""
        results = self.inner.put_together(items, width)
        for at, result in enumerate(results):
            if isinstance(result, StorageError) and result.retryable and result.op not in _SOURCE:
                [results[at]] = as_attempt(2, partial(Driver.put_many, self, items[at : at + 1]))
        return results

    def get_together(self, paths: Sequence[str], width: int) -> GetResults:
        """Read several objects; those that failed for the moment are asked for again, one by one."""
        results = self.inner.get_together(paths, width)
        for at, result in enumerate(results):
            if isinstance(result, StorageError) and result.retryable:
                [results[at]] = as_attempt(2, partial(Driver.get_together, self, paths[at : at + 1], 1))
        return results

    def delete(self, path: str) -> None:
        self._repeat(lambda: self.inner.delete(path), _gone)

    def rmdir(self, path: str) -> None:
        self._repeat(lambda: self.inner.rmdir(path), _gone)

    def move(self, src: str, dst: str) -> ObjectInfo:
        def settle(exc: StorageError, tries: Tries) -> ObjectInfo:
            # A directory that was moved finds itself in the way, so AlreadyExists may mean done, too.
            if tries.lost is None or not isinstance(exc, NotFound | AlreadyExists) or self._there(src):
                raise exc
            info = self._there(dst)
            if info is None:
                raise exc
            return info

        return self._repeat(lambda: self.inner.move(src, dst), settle)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        # An upload whose answer was lost is nobody's; the driver, `sweep` or the service removes it.
        upload = self._repeat(lambda: self.inner.begin_upload(path, options, size))
        return _RetriedUpload(self, path, upload, options.mtime_ns)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        upload = self._repeat(lambda: self.inner.resume_upload(path, token, options))
        return _RetriedUpload(self, path, upload, options.mtime_ns)

    def delete_many(self, paths: Sequence[str]) -> Failures:
        """Delete several objects; those that failed for the moment are asked for again, alone."""
        answer: Failures = [None] * len(paths)
        missing = [*range(len(paths))]
        tries = self.tries()
        while True:
            try:
                found = self.inner.delete_many([paths[index] for index in missing])
            except StorageError as exc:
                if tries.again(exc):
                    continue
                if len(missing) == len(paths):
                    raise
                # Some were answered before, so this is the failure of the others only.
                for index in missing:
                    answer[index] = exc
                return answer
            for index, error in zip(missing, found, strict=True):
                answer[index] = None if tries.lost is not None and isinstance(error, NotFound) else error
            failed = {index: error for index in missing if (error := answer[index]) is not None and error.retryable}
            if not failed:
                tries.won()
                return answer
            missing = [*failed]
            if not tries.again(failed[missing[0]]):
                return answer

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        """Yield the versions of an object, newest first; a listing that broke goes on behind those yielded."""
        seen: set[str | None] = set()
        tries = self.tries()
        while True:
            try:
                for info in self.inner.versions(path):
                    if info.version is None or info.version not in seen:
                        seen.add(info.version)
                        yield info
            except StorageError as exc:
                # Without names there is no telling which of them were yielded.
                if None in seen or not tries.again(exc):
                    raise
            else:
                tries.won()
                return

    def tries(self) -> Tries:
        """Begin to count the attempts of one call."""
        return Tries(self)

    def pause(self, failures: int, least: float | None) -> float:
        """Return the seconds to wait after so many failures in a row."""
        full = min(self.longest, self.wait * 2.0 ** (failures - 1))
        # Somewhere below the full wait, or all clients of a server that went down come back in the same
        # instant; the same goes for those whom it told to come back after the same time.
        if least is not None and least > full / 2:
            return least + self._random(0.0, full / 2)
        return self._random(full / 2, full)

    def _repeat(
        self,
        call: Callable[[], T],
        settle: Callable[[StorageError, Tries], T] | None = None,
        foreign: frozenset[str] = frozenset(),
    ) -> T:
        """Do ``call`` until it succeeds, or fails for good.

        ``settle`` judges the last word of a repetition: it returns what counts as success, or raises. Errors of
        the verbs in ``foreign`` are not ours to repeat.
        """
        tries = self.tries()
        do = call
        while True:
            try:
                result = do()
            except StorageError as exc:
                if tries.last is not None and settle is not None and not exc.retryable:
                    return settle(exc, tries)
                if exc.op in foreign or not tries.again(exc):
                    raise
                do = partial(as_attempt, attempt() + tries.failures, call)
            else:
                tries.won()
                return result

    def _send(self, store: Callable[[Body], T], body: Body) -> T:
        again = _Again(body)
        # The first time the body itself, so that the driver may use what it knows of its class.
        bodies = iter((body,))

        def settle(exc: StorageError, tries: Tries) -> T:
            if again.refused and tries.last is not None:
                raise tries.last
            _note_if_ours(exc, tries)
            raise exc

        return self._repeat(lambda: store(next(bodies, again)), settle, _SOURCE)

    def _there(self, path: str) -> ObjectInfo | None:
        try:
            return self._repeat(lambda: self.inner.stat(path))
        except NotFound:
            return None

    def __reduce__(self) -> tuple[object, ...]:
        settings: dict[str, Any] = {
            "attempts": self.attempts,
            "wait": self.wait,
            "longest": self.longest,
            "patience": self.patience,
            "budget": self.budget,
        }
        return partial(type(self), **settings), (self.inner,)


class Tries:
    """How often one call was tried, and what that has cost.

    Attributes:
        failures: Failures in a row.
        last: The last error that was followed by another attempt, or None.
        lost: The last of them after which the work may have been done all the same, or None.
    """

    __slots__ = ("_retry", "failures", "last", "lost")

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.failures = 0
        self.last: StorageError | None = None
        self.lost: StorageError | None = None

    def again(self, exc: StorageError) -> bool:
        """Say whether to try once more after ``exc``, having waited before if so."""
        retry = self._retry
        self.failures += 1
        if not exc.retryable or self.failures >= retry.attempts:
            return False
        if exc.retry_after is not None and exc.retry_after > retry.patience:
            return False
        if not retry.budget.try_take():
            return False
        self.last = exc
        # Who is told to come later knows that nothing was done; all other answers may be lost ones.
        if not isinstance(exc, RateLimited):
            self.lost = exc
        retry.sleep(retry.pause(self.failures, exc.retry_after))
        return True

    def won(self) -> None:
        """Count a success: what its repetitions took goes back into the budget."""
        self._retry.budget.give(self.failures or _THANKS)
        self.failures = 0


class _Again(Body):
    """A body that is sent once more; remembers whether it could be opened."""

    def __init__(self, body: Body) -> None:
        self.size = body.size
        self.local_path = body.local_path
        self.extent = body.extent
        self.progress = body.progress
        self.ration = body.ration
        self.proof = body.proof
        self.refused = False
        self._body = body

    def open(self) -> ByteStream:
        """Open the body again."""
        try:
            return self._body.open()
        except Unsupported:
            self.refused = True
            raise

    def check(self) -> None:
        """Pass the question on."""
        self._body.check()


class _RetriedUpload(LayeredUpload):
    """An upload whose parts and end are repeated, too."""

    def __init__(self, retry: Retry, path: str, inner: Upload, mtime_ns: int | None) -> None:
        super().__init__(retry, path, inner)
        self._retry = retry
        self._mtime_ns = mtime_ns

    def put_part(self, number: int, body: Body) -> None:
        self._retry._send(lambda body: self.inner.put_part(number, body), body)

    def finish(self) -> ObjectInfo:
        size = sum(self.inner.done.values())

        def settle(exc: StorageError, tries: Tries) -> ObjectInfo:
            if tries.lost is not None and isinstance(exc, NotFound):
                info = self._retry._there(self._path)
                if info is not None and info.kind is FILE and info.size == size and self._is_of_its_time(info):
                    return info
            _note_if_ours(exc, tries)
            raise exc

        return self._retry._repeat(self.inner.finish, settle)

    def _is_of_its_time(self, info: ObjectInfo) -> bool:
        """Say whether an object can be the new one, and not one of that size which was there before."""
        features = self._retry.features
        if not features.mtime or self._mtime_ns is None or info.mtime_ns is None:
            return True
        return abs(info.mtime_ns - self._mtime_ns) < max(features.precision, 1)

    def abort(self) -> None:
        self._retry._repeat(self.inner.abort, _gone)


def _gone(exc: StorageError, tries: Tries) -> None:
    if tries.lost is None or not isinstance(exc, NotFound):
        raise exc


def _note_if_ours(exc: StorageError, tries: Tries) -> None:
    if tries.lost is not None and isinstance(exc, AlreadyExists | PreconditionFailed):
        exc.message = f"{exc.says}; perhaps stored by an earlier attempt, the answer to which was lost"
        exc.__cause__ = tries.lost


def _uniform() -> Callable[[float, float], float]:
    from random import uniform

    return uniform
