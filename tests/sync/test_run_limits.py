"""When a run has done enough: bytes, and time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clocks import Clock
from omnistorage.storage import Storage
from omnistorage.sync import Options, copy, limits, sync
from omnistorage.sync.limits import Admission
from omnistorage.testing import FaultyDriver, Slow
from sync_scenes import files, held, memory

SIZES = st.lists(st.integers(0, 20), max_size=30)


@given(SIZES, st.integers(0, 60), st.sampled_from(["HARD", "CAUTIOUS"]))
def test_never_passes(sizes: list[int], limit: int, mode: str) -> None:
    """HARD and CAUTIOUS admit no byte above the limit; CAUTIOUS goes on with what still fits."""
    admission = Admission(limit, mode)
    begun = [size for size in sizes if admission.admit(size)]

    assert sum(begun) <= limit
    assert bool(admission.reached) == (len(begun) < len(sizes))
    if mode == "HARD":
        assert begun == sizes[: len(begun)]
    else:
        left, fits = limit, []
        for size in sizes:
            if size <= left:
                left -= size
                fits.append(size)
        assert begun == fits


@given(SIZES, st.integers(1, 60))
def test_soft_passes_once(sizes: list[int], limit: int) -> None:
    """SOFT admits what begins below the limit, and nothing after."""
    admission = Admission(limit, "SOFT")
    begun = [size for size in sizes if admission.admit(size)]

    assert begun == sizes[: len(begun)]
    assert sum(begun[:-1]) < limit
    assert len(begun) == len(sizes) or sum(begun) >= limit


@given(SIZES, st.integers(0, 60), st.sampled_from(["HARD", "SOFT", "CAUTIOUS"]), st.integers(1, 4))
def test_runs_keep_the_limit(sizes: list[int], limit: int, mode: Any, transfers: int) -> None:
    """A run stores no byte above the limit, ends with 8 if something is missing, and deletes nothing then."""
    here = {f"p{number:02}": bytes([number]) * size for number, size in enumerate(sizes)} | {"~": b""}
    dst = memory({"gone": b"x"})
    result = sync(memory(here), dst, Options(max_transfer=limit, cutoff=mode, transfers=transfers))
    after = held(dst)
    missing = here.keys() - after.keys()

    assert result.limit == ("max_transfer" if missing else "")
    assert result.exit_code == (8 if missing else 0)
    assert ("gone" in after) == bool(missing)
    assert {path: here[path] for path in after if path != "gone"} == {
        path: data for path, data in after.items() if path != "gone"
    }
    if mode != "SOFT":
        assert sum(map(len, after.values())) - len(after.get("gone", b"")) <= limit


def test_contents_that_differ_count(tmp_path: Path) -> None:
    """What only a look at the content shows to be needed is asked for then, and keeps the limit."""
    from omnistorage.sync import Compare

    here = {f"{number}": b"new!" for number in range(5)}
    dst = memory(dict.fromkeys(here, b"old!"))
    result = sync(memory(here), dst, Options(compare=Compare.HASH, max_transfer=9, transfers=1))

    assert sorted(held(dst).values()) == [b"new!"] * 2 + [b"old!"] * 3
    assert (result.limit, result.exit_code, result.errors) == ("max_transfer", 8, 0)


def test_time() -> None:
    """Transfers begin until the time is up; only HARD stops those that run."""
    clock = Clock()
    soft, hard = (Admission(None, mode, 10.0, clock) for mode in ("SOFT", "HARD"))
    clock.now = 9.9
    before = [soft.admit(1), hard.admit(1), soft.stops(), hard.stops()]
    clock.now = 10.0
    after = [soft.admit(1), hard.admit(1), soft.stops(), hard.stops()]

    assert before == [True, True, False, False]
    assert after == [False, False, False, True]
    assert (soft.reached, hard.reached) == ("max_duration", "max_duration")


def test_no_limit() -> None:
    """Without a limit everything is admitted, and nobody needs to ask."""
    admission = Admission(None, "HARD")

    assert admission.unlimited
    assert admission.admit(1 << 60)
    assert not admission.stops()
    assert admission.reached == ""


@pytest.mark.parametrize("mode", ["HARD", "SOFT", "CAUTIOUS"])
def test_run_ends_in_time(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 1: a run whose time is up ends with 10, what it stored is whole, and it deletes nothing."""
    clock = Clock()
    monkeypatch.setattr(limits.Admission.__init__, "__defaults__", (None, clock))
    # Not one after the other in one batch: these are large.
    here = {f"{number}": bytes([number]) * (5 << 20) for number in range(6)}
    inner = memory({"gone": b"x"})
    dst = Storage(FaultyDriver(inner.driver, Slow(10.0, op="put", sleep=clock.sleep)))
    result = sync(memory(here), dst, Options(max_duration=25.0, cutoff=mode, transfers=1))
    after = held(inner)

    assert (result.limit, result.exit_code) == ("max_duration", 10)
    assert after.pop("gone") == b"x"
    assert 0 < len(after) < len(here)
    assert after.items() <= here.items()


def test_next_run_goes_on(tmp_path: Path) -> None:
    """Rule 9: runs with a limit, one after the other, come to the end."""
    here = {f"d/{number}": bytes([number]) * 10 for number in range(7)}
    src, dst = files(tmp_path / "s", here), files(tmp_path / "d")
    codes = [copy(src, dst, Options(max_transfer=25)).exit_code for _ in range(4)]

    assert codes == [8, 8, 8, 0]
    assert held(dst) == here
