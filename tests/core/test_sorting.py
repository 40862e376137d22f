"""Sorting what may not fit in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core.sorting import Sorter


def _sorted(items: list[tuple[int, int]], in_memory: int) -> list[tuple[int, int]]:
    sorter: Sorter[tuple[int, int]] = Sorter(lambda item: item[0], in_memory)
    for item in items:
        sorter.append(item)
    try:
        return list(sorter)
    finally:
        sorter.close()


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(0, 20))
def test_sorts_as_a_list_does(keys: list[int], in_memory: int) -> None:
    """Items come sorted, equal ones in the order they came, whether they went by way of the disk or not."""
    items = list(zip(keys, range(len(keys)), strict=True))

    assert _sorted(items, in_memory) == sorted(items, key=lambda item: item[0])


def test_runs_are_longer_than_what_is_read_at_once() -> None:
    """Several runs on disk, each read in several pieces, are merged to the end."""
    items = [(at * 7919 % 10_007, at) for at in range(10_007)]

    assert _sorted(items, 2_500) == sorted(items)


def test_may_be_read_twice() -> None:
    """What was read once is still there, and more may follow; ``close`` forgets it."""
    sorter: Sorter[int] = Sorter(lambda item: item, 3)
    sorter.extend([5, 1, 4])
    first = list(sorter)
    sorter.extend([2, 3])
    second = list(sorter)
    sorter.close()

    assert (first, second) == ([1, 4, 5], [1, 2, 3, 4, 5])
    assert not sorter
