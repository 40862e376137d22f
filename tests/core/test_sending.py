"""Parts on their way: several at a time, in bounded memory; the first failure ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from omnistorage.core.errors import Cancelled, PermissionDenied
from omnistorage.core.sending import Sending


class Service:
    """Takes parts, and lets each wait until it is allowed to end."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.stored: list[int] = []
        self.threads: set[int] = set()
        self.stopped = False
        self.failing: set[int] = set()
        self._arrived = threading.Semaphore(0)
        self._let_go = threading.Event()

    def put(self, number: int, data: bytes) -> None:
        self.threads.add(threading.get_ident())
        self.began.append(number)
        self._arrived.release()
        assert self._let_go.wait(20)
        if self.stopped or number in self.failing:
            raise PermissionDenied(f"part {number}")
        self.stored.append(number)

    def stop(self) -> None:
        self.stopped = True
        self._let_go.set()

    def go_on(self) -> None:
        self._let_go.set()

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self._arrived.acquire(timeout=20)

    def is_quiet(self) -> bool:
        """Whether no other part comes for a while."""
        return not self._arrived.acquire(timeout=0.2)


@pytest.fixture
def service() -> Iterator[Service]:
    """Make one, and let all go in the end, whatever failed."""
    made = Service()
    yield made
    made.go_on()


def test_parts_go_side_by_side(service: Service) -> None:
    """As many as there are streams are under way at once, while nobody waits for them."""
    with closing(Sending(service.put, service.stop, streams=3)) as sending:
        for number in (1, 2, 3):
            sending.send(number, b"a")
        service.wait_for(3)
        waiting = threading.Thread(target=sending.send, args=(4, b"a"))
        waiting.start()
        quiet = service.is_quiet()
        service.go_on()
        waiting.join(20)
        sending.end()

    assert quiet
    assert sorted(service.stored) == [1, 2, 3, 4]
    assert not service.stopped
    assert threading.get_ident() not in service.threads


def test_large_parts_are_fewer(service: Service) -> None:
    """What is on its way is bounded in bytes, too; a part that is larger than that goes alone."""
    with closing(Sending(service.put, service.stop, streams=4, room=10)) as sending:
        sending.send(1, b"123456")
        service.wait_for(1)
        waiting = threading.Thread(target=sending.send, args=(2, b"12345678901234567890"))
        waiting.start()
        quiet = service.is_quiet()
        service.go_on()
        waiting.join(20)
        sending.end()

    assert quiet
    assert service.stored == [1, 2]


def test_one_stream_takes_no_thread(service: Service) -> None:
    """With one stream a part is stored where it is given, and its failure is raised there, and ever after."""
    service.failing = {2}
    service.go_on()
    sending = Sending(service.put, service.stop, streams=1)
    sending.send(1, b"a")
    with pytest.raises(PermissionDenied, match="part 2"):
        sending.send(2, b"a")
    with pytest.raises(PermissionDenied, match="part 2"):
        sending.send(3, b"a")
    with pytest.raises(PermissionDenied, match="part 2"):
        sending.end()

    assert (service.began, service.threads) == ([1, 2], {threading.get_ident()})


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_first_failure_is_raised(service: Service, failing: int) -> None:
    """Whichever part fails, the end says so, no other part begins behind it, and nothing can end well any more."""
    service.failing = {failing}
    with closing(Sending(service.put, service.stop, streams=3)) as sending:
        for number in (1, 2, 3):
            sending.send(number, b"a")
        service.go_on()
        with pytest.raises(PermissionDenied, match=f"part {failing}"):
            sending.end()
        with pytest.raises(PermissionDenied, match=f"part {failing}"):
            sending.send(4, b"a")
        with pytest.raises(PermissionDenied, match=f"part {failing}"):
            sending.end()

    assert 4 not in service.began


def test_close_stops_and_waits(service: Service) -> None:
    """Parts that are under way are told to stop and waited for, those that have not begun never do."""
    sending = Sending(service.put, service.stop, streams=2)
    sending.send(1, b"a")
    sending.send(2, b"a")
    service.wait_for(2)
    sending.close()
    sending.close()
    with pytest.raises(Cancelled):
        sending.send(3, b"a")

    assert (sorted(service.began), service.stored, service.stopped) == ([1, 2], [], True)
    assert not [one for one in threading.enumerate() if one.ident in service.threads]
