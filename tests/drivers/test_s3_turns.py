"""Parts that are sent side by side end in the order in which they began: a kill costs less than all of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers._s3turns import Turns
from s3_scenes import fresh_bucket
from servers import Server
from servers.faults import Delay, Faults

PART = 5 << 20


def test_the_first_goes_on_and_the_others_wait() -> None:
    """Whoever began later is held back until all before it have ended, whether well or not."""
    turns, ended, second_began = Turns(), [], threading.Event()

    def second() -> None:
        with turns.begin() as my_turn:
            second_began.set()
            my_turn()
            ended.append("second")

    with ThreadPoolExecutor() as pool:
        with pytest.raises(ValueError, match="broken"), turns.begin() as my_turn:  # noqa: PT012 -- what is tested
            waiting = pool.submit(second)
            second_began.wait(20)
            my_turn()
            ended.append("first")
            raise ValueError("broken")
        waiting.result(20)

    assert ended == ["first", "second"]


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
