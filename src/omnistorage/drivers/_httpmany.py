"""Many small requests by one thread: they are sent one after the other, and then their answers are read."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from omnistorage.core.errors import StorageError, Unsupported

from ._http import Answer, Http, Pool, can_repeat, length_of
from ._httpdial import failure, refused_by
from ._httplog import log_exchange, log_failure, logger
from ._httpstream import body_length
from ._httpwire import Broken, Head, Wire

Request = tuple[str, str, str, Mapping[str, str], bytes | memoryview | None]
"""Method, base, target, headers and body, as ``Http.send`` takes them."""

LONGEST: Final = 1 << 20
"""Bytes of the body of an answer."""


class _Flight(NamedTuple):
    """A request that was sent, or could not be."""

    request: Request
    pool: Pool | None
    wire: Wire | None
    early: Head | None
    failed: Exception | None
    began: float


def send_many(http: Http, requests: Iterable[Request], width: int) -> Iterator[Answer | StorageError]:
    """Send requests with small bodies, or none, and yield their answers in the same order, each as ``send`` has it.

    Up to ``width`` of them are under way, each on a connection of its own. Threads that wait for one answer
    each would cost more than the requests do. A request is asked for when there is room for it. An answer with more
    than ``LONGEST`` bytes is Unsupported.

    Raises:
        Exception: What asking for the requests raises flies on; those that are under way are given up.
    """
    flying: deque[_Flight] = deque()
    try:
        for request in requests:
            if len(flying) >= width:
                yield _land(http, flying.popleft())
            flying.append(_launch(http, request))
        while flying:
            yield _land(http, flying.popleft())
    finally:
        for flight in flying:
            if flight.wire is not None:
                flight.wire.close()


def _launch(http: Http, request: Request) -> _Flight:
    method, base, target, headers, body = request
    began = time.monotonic()
    pool: Pool | None = None
    try:
        pool = http.pool_of(base)
        length = length_of(headers, body)
        text = pool.head(method, target, headers, length)
        wire = pool.take(began) or pool.connect()
    except StorageError as exc:
        if pool is not None and logger.isEnabledFor(logging.DEBUG):
            log_failure(pool.where, method, target, exc, time.monotonic() - began, 0)
        return _Flight(request, None, None, None, exc, began)
    try:
        return _Flight(request, pool, wire, wire.begin(method, text, body, length), None, began)
    except Broken as exc:
        return _Flight(request, pool, wire, None, exc, began)
    except BaseException:
        wire.close()
        raise


def _land(http: Http, flight: _Flight) -> Answer | StorageError:
    request, pool, wire, early, failed, began = flight
    if isinstance(failed, StorageError):
        return failed
    assert pool is not None
    assert wire is not None
    method, _, target, headers, body = request
    try:
        if failed is not None:
            raise failed
        head = early or wire.read_head()
        if body_length(method, head) > LONGEST:
            raise Unsupported("the answer is too large to be one of many")
        answer = http.answer_of(pool, wire, method, head, False)
    except Broken as exc:
        again = can_repeat(wire, exc, method, headers)
        wire.close()
        if again:
            return _alone(http, request)
        error = failure(exc, pool.where)
        error.__cause__ = exc.__cause__
        if logger.isEnabledFor(logging.DEBUG):
            log_failure(pool.where, method, target, error, time.monotonic() - began, 0)
        return error
    except StorageError as exc:
        wire.close()
        if logger.isEnabledFor(logging.DEBUG):
            log_failure(pool.where, method, target, exc, time.monotonic() - began, 0)
        return exc
    except BaseException:
        wire.close()
        raise
    if logger.isEnabledFor(logging.DEBUG):
        sent, seconds = (headers, length_of(headers, body)), time.monotonic() - began
        log_exchange(pool.where, method, target, sent, head, answer, seconds, 0)
    if head.status == 407 and pool.proxy is not None:
        return refused_by(pool.proxy)
    return answer


def _alone(http: Http, request: Request) -> Answer | StorageError:
    """Send a request on a connection that is not used for the first time no more."""
    try:
        return http.send(*request, before=("connection",))
    except StorageError as exc:
        return exc
