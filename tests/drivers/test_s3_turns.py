"""Parts that are sent side by side are never all sent to their end: a kill costs less than all of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from omnistorage.core.errors import Cancelled
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers._s3turns import Turns
from s3_scenes import fresh_bucket
from servers import Server
from servers.faults import Delay, Faults

PART = 5 << 20


@pytest.mark.parametrize("count", [2, 3, 8])
def test_one_is_held_back(count: int) -> None:
    """Of several parts all but one may end; that one may when another has ended, whether well or not."""
    turns = Turns()
    all_began, may_end = threading.Barrier(count), threading.Event()
    at_their_end = threading.Semaphore(0)

    def part(number: int) -> None:
        with turns.begin() as before_block:
            all_began.wait(20)
            before_block(True)
            at_their_end.release()
            assert may_end.wait(20)
            raise ValueError("broken")

    with ThreadPoolExecutor(count) as pool:
        parts = [pool.submit(part, number) for number in range(count)]
        let_go = [at_their_end.acquire(timeout=20) for _ in range(count - 1)]
        one_more = at_their_end.acquire(timeout=0.3)
        may_end.set()
        last = at_their_end.acquire(timeout=20)
        failures = [type(one.exception()) for one in parts]

    assert (let_go, one_more, last) == ([True] * (count - 1), False, True)
    assert failures == [ValueError] * count


def test_one_alone_is_not_held_back() -> None:
    """Nobody is there to wait for; and to be asked again, as a repeated request is, changes nothing."""
    turns = Turns()
    for _ in range(2):
        with turns.begin() as before_block:
            before_block(True)
            before_block(True)


def test_service_that_reads_one_part_at_a_time() -> None:
    """It reads the part that is kept back, and the others would wait for that for ever; none is kept back again."""
    turns = Turns(patience=0.1)
    reading, all_began = threading.Lock(), threading.Barrier(3)
    stored: list[int] = []

    def part(number: int) -> None:
        with turns.begin() as before_block:
            if number == 0:
                # Its request is the first to be looked at; its last block comes late.
                with reading:
                    all_began.wait(20)
                    while turns._ending < 2:
                        pass
                    before_block(True)
                    stored.append(number)
            else:
                all_began.wait(20)
                before_block(True)
                with reading:
                    stored.append(number)

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(part, number) for number in range(3)]:
            done.result(timeout=20)
    turns._patience = 60.0
    with ThreadPoolExecutor(1) as pool, turns.begin() as first, turns.begin() as second:
        first(True)
        pool.submit(second, True).result(timeout=20)

    assert (stored[0], sorted(stored)) == (0, [0, 1, 2])


def test_slow_service_is_told_from_that() -> None:
    """A part that went on after a while, while another one was stored before it, changes nothing for the next."""
    turns = Turns(patience=0.1)
    with ThreadPoolExecutor(1) as pool:
        with turns.begin() as first, turns.begin() as second:
            second(True)
            pool.submit(first, True).result(timeout=20)
        with turns.begin() as third, turns.begin() as fourth:
            third(True)
            waiting = pool.submit(fourth, True)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.05)
        waiting.result(timeout=20)


def test_stop_ends_parts() -> None:
    """Once an upload was stopped each part ends before its next block, and so does one that waits for its turn."""
    turns = Turns()
    with ThreadPoolExecutor(1) as pool, turns.begin() as first, turns.begin() as second:
        first(False)
        first(True)
        waiting = pool.submit(second, True)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.05)
        turns.stop()
        with pytest.raises(Cancelled):
            waiting.result(timeout=20)
        with pytest.raises(Cancelled):
            first(False)


def test_part_that_is_not_wanted_ends() -> None:
    """Before each block it is asked whether the part is wanted still; the others go on."""

    def progress(count: int) -> None:
        asked.append(count)
        if len(asked) == 2:
            raise Cancelled("by whoever wanted it")

    turns, asked = Turns(), list[int]()
    with turns.begin() as first, turns.begin(progress) as second:
        second(False)
        with pytest.raises(Cancelled):
            second(True)
        first(True)

    assert asked == [0, 0]


def test_no_second_part_is_sent_to_its_end(radosgw: Server) -> None:
    """While the answer to one part is awaited, the other one has been sent but for its last block, on the wire."""
    with Faults(radosgw) as faults, closing(fresh_bucket(faults.server, part_size=PART)) as driver:
        upload = driver.begin_upload("a", PutOptions(), 3 * PART)
        faults.add(Delay(0.5), "PUT .*partNumber=1", times=1)
        most = 0
        with ThreadPoolExecutor(upload.streams) as pool:
            sending = [pool.submit(upload.put_part, number, BytesBody(bytes(PART))) for number in (1, 2, 3)]
            while not all(part.done() for part in sending):
                # In this order: what is stored in between makes it less, never more.
                sent = faults.sent("PUT .*partNumber")
                most = max(most, sent - sum(upload.done.values()))
            for part in sending:
                part.result()
        info = upload.finish()

    assert (upload.streams, info.size) == (2, 3 * PART)
    assert PART < most < 2 * PART
