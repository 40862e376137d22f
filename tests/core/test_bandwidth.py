"""Bandwidth: kept by all together, in each direction, by the timetable, and changed while bytes wait."""

from __future__ import annotations

import itertools
import pickle
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clocks import Clock
from omnistorage.core.bandwidth import BURST, PIECE, Bandwidth, Lane, Lanes
from omnistorage.core.timetable import Rates

MI = 1 << 20


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(limit: object, clock: Clock, told: list[str] | None = None) -> Bandwidth:
    return Bandwidth(
        limit,  # type: ignore[arg-type]
        told=None if told is None else told.append,
        clock=clock,
        now=clock.wall,
        sleep=clock.sleep,
    )


def move(lane: Lane | Lanes, size: int) -> None:
    """Move bytes as a transfer does."""
    while size > 0:
        size -= lane.ration(size)


@pytest.mark.parametrize("rate", [1000, 100 << 10, MI, 30 * MI, 5 << 30])
def test_rate_is_kept(rate: int, clock: Clock) -> None:
    """From the first byte on, and nothing is saved up before it."""
    bandwidth = made(rate, clock)
    clock.now += 60
    began = clock.now
    move(bandwidth.lane(writing=True), 10 * rate)

    assert clock.now - began == pytest.approx(10, rel=0.02)
    assert clock.longest <= 0.5


@given(
    rate=st.integers(20_000, 1 << 28),
    steps=st.lists(st.tuples(st.integers(1, 1 << 22), st.floats(0, 0.3)), min_size=1, max_size=60),
)
def test_no_two_seconds_have_more(rate: int, steps: list[tuple[int, float]]) -> None:
    """Whatever is asked for when: in no two seconds more passes than belongs to them, save what a burst is."""
    clock = Clock()
    lane = made(rate, clock).lane(writing=True)
    passed: list[tuple[float, int]] = [(0.0, 0)]
    total = 0
    for wanted, rest in steps:
        clock.now += rest
        total += lane.ration(wanted)
        passed.append((clock.now, total))

    for (then, before), (at, after) in itertools.combinations(passed, 2):
        if at - then <= 2:
            assert after - before <= rate * (at - then + BURST + PIECE) + 1


def test_directions_are_apart(clock: Clock) -> None:
    """Up and down have a limit each; local files that of the larger one, if there are both."""
    bandwidth = made("1000b:4000b", clock)
    for writing, local, seconds in ((True, False, 4), (False, False, 1), (True, True, 1), (False, True, 1)):
        began = clock.now
        move(bandwidth.lane(writing=writing, local=local), 4000)

        assert clock.now - began == pytest.approx(seconds, rel=0.11), (writing, local)


@pytest.mark.parametrize("limit", ["1000b:off", "off:1000b"])
def test_one_direction_only(limit: str, clock: Clock) -> None:
    """Where one direction is free, so is what goes in none: local files."""
    bandwidth = made(limit, clock)
    move(bandwidth.lane(writing=True, local=True), 1 << 40)
    move(bandwidth.lane(writing=limit[0] == "o", local=False), 1 << 40)
    free = clock.now
    move(bandwidth.lane(writing=limit[0] == "1", local=False), 10_000)

    assert free == 0
    assert clock.now == pytest.approx(10, rel=0.02)


def test_a_copied_byte_counts_once(clock: Clock) -> None:
    """What is read at one side and written at the other flows at the rate, not at half of it."""
    bandwidth = made(10_000, clock)
    out, into = bandwidth.lane(writing=False), bandwidth.lane(writing=True)
    for _ in range(200):
        out.pay(500)
        into.pay(500)

    assert clock.now == pytest.approx(10, rel=0.02)


def test_timetable_is_followed(clock: Clock) -> None:
    """The rate changes within a second of its time, also for who waits then, and that is told once."""
    told: list[str] = []
    bandwidth = made("Mon-00:00,100b Mon-00:01,10k Mon-00:02,off", clock, told)
    lane = bandwidth.lane(writing=True)
    lane.pay(100 * 60 + 10 * 10_240)
    first = clock.now
    move(lane, 50 * 10_240)
    second = clock.now
    move(lane, 1 << 40)

    assert first == pytest.approx(70, abs=1)
    assert second == pytest.approx(120, abs=1)
    assert clock.now == pytest.approx(120, abs=1)
    assert told == [
        "bandwidth limit by the timetable is now 10 KiB/s until Mon 00:02",
        "bandwidth limit by the timetable is now off until Mon 00:00",
    ]
    assert bandwidth.rates == Rates()


def test_set_counts_at_once(clock: Clock) -> None:
    """Another limit replaces the old one, timetable or not, and what was asked for goes on by it."""
    told: list[str] = []
    bandwidth = made("Mon-00:00,1k Mon-00:01,off", clock, told)
    lane = bandwidth.lane(writing=True)
    bandwidth.set("2k:1k")
    move(lane, 200 * 1024)

    assert clock.now == pytest.approx(100, rel=0.02)
    assert bandwidth.rates == Rates(2048, 1024)
    assert told == ["bandwidth limit is set to 2 KiB/s up, 1 KiB/s down"]
    with pytest.raises(ValueError, match="bad bandwidth 'fast'"):
        bandwidth.set("fast")


@pytest.mark.parametrize("change", ["set", "toggle", "toggle_soon", "rate"])
def test_change_wakes_who_waits(change: str) -> None:
    """In real time: a transfer that would wait for years goes on within a second or so."""
    bandwidth = Bandwidth("1b")
    lane = bandwidth.lane(writing=True)
    thread = threading.Thread(target=lane.pay, args=(1 << 30,))
    thread.start()
    while not lane.waiting:
        thread.join(0.001)
    began = time.monotonic()
    if change == "set":
        bandwidth.set(None)
    elif change == "rate":
        bandwidth.set(1 << 40)
    else:
        getattr(bandwidth, change)()
    thread.join(20)
    took = time.monotonic() - began

    assert not thread.is_alive()
    # Far less than years; the machine may be busy.
    assert took < 10


def test_toggle(clock: Clock) -> None:
    """Off, and on again; the timetable goes on meanwhile, and is in force when it is on again."""
    told: list[str] = []
    bandwidth = made("00:00,1k 00:01,2k 00:02,off", clock, told)
    lane = bandwidth.lane(writing=True)
    assert bandwidth.toggle()
    off = bandwidth.rates
    move(lane, 1 << 30)
    assert clock.now == 0
    clock.now = 61
    move(lane, 1 << 30)
    assert clock.now == 61
    assert bandwidth.toggle()
    move(lane, 2048 * 10)

    assert off == Rates()
    assert clock.now == pytest.approx(71, abs=0.2)
    assert told == [
        "bandwidth limit is lifted",
        "bandwidth limit by the timetable is now 2 KiB/s until Mon 00:02, but lifted",
        "bandwidth limit is 2 KiB/s until Mon 00:02 again",
    ]


@pytest.mark.parametrize("limit", [None, "off", "00:00,off 12:00,1M"])
def test_nothing_to_toggle(limit: str | None, clock: Clock) -> None:
    """Where there is no limit at the moment, a toggle does nothing, then or later."""
    told: list[str] = []
    bandwidth = made(limit, clock, told)
    toggled = bandwidth.toggle()
    bandwidth.toggle_soon()
    clock.now = 12 * 3600 + 1

    assert not toggled
    assert bandwidth.rates == (Rates(MI, MI) if limit and "1M" in limit else Rates())
    assert "bandwidth limit is lifted" not in told


def test_wishes_of_a_signal(clock: Clock) -> None:
    """Each wish toggles; two before anybody looked leave all as it is."""
    told: list[str] = []
    bandwidth = made("1k", clock, told)
    lane = bandwidth.lane(writing=False)
    bandwidth.toggle_soon()
    move(lane, 1 << 30)
    lifted = clock.now
    for _ in range(2):
        bandwidth.toggle_soon()
    still = bandwidth.rates
    bandwidth.toggle_soon()

    assert lifted == 0
    assert still == Rates()
    assert bandwidth.rates == Rates(1024, 1024)
    assert told == ["bandwidth limit is lifted", "bandwidth limit is 1 KiB/s again"]


def test_shares(clock: Clock) -> None:
    """Each of so many workers gets its part of every rate of the timetable, also when it travels."""
    bandwidth = made("Mon-00:00,4000b Mon-00:01,off", clock)
    part = bandwidth.share(4)
    quarter = part.share(2)
    move(part.lane(writing=True), 10_000)
    took = clock.now
    move(quarter.lane(writing=True), 5_000)
    again = pickle.loads(pickle.dumps(quarter))

    assert took == pytest.approx(10, rel=0.02)
    assert clock.now - took == pytest.approx(10, rel=0.02)
    assert again._parts == 8
    assert again._table == bandwidth._table
    for parts in (0, -1):
        with pytest.raises(ValueError, match="from 1 on"):
            bandwidth.share(parts)


@pytest.mark.parametrize("lifted", [False, True])
def test_pickles(lifted: bool) -> None:
    """Another process has a limit of the same rate, lifted if it was."""
    bandwidth = Bandwidth("1M:2M")
    if lifted:
        bandwidth.toggle()
    again = pickle.loads(pickle.dumps(bandwidth))

    assert again.rates == (Rates() if lifted else Rates(MI, 2 * MI))
    again.toggle()
    assert again.rates == (Rates(MI, 2 * MI) if lifted else Rates())


def test_threads_share_it(clock: Clock) -> None:
    """Many threads together get no more than one would."""
    lane = made(100_000, clock).lane(writing=True)
    threads = [threading.Thread(target=move, args=(lane, 50_000)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.now >= 3.9


def test_zero_lets_nothing_pass() -> None:
    """A rate of 0 holds everything back until it is changed."""
    bandwidth = Bandwidth(0.0)
    lane = bandwidth.lane(writing=True)
    thread = threading.Thread(target=lane.pay, args=(1,))
    thread.start()
    thread.join(0.05)
    held = thread.is_alive()
    bandwidth.set(None)
    thread.join(20)

    assert held
    assert not thread.is_alive()


def test_all_lanes_count(clock: Clock) -> None:
    """What has to pass several lanes keeps to the slowest."""
    slow, fast = made("1k", clock).lane(writing=True), made("1M", clock).lane(writing=True)
    move(Lanes(fast, slow), 20 * 1024)

    assert clock.now == pytest.approx(20, rel=0.02)
