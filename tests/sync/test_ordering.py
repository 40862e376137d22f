"""In which order transfers are done, when somebody asked for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_runs import run_here
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.sync import Action, Options, Verb, ordering, sync
from omnistorage.sync.ordering import Order, ordered, parse_order
from sync_scenes import memory

FIELDS = ("size", "name", "modtime")


def _copy(path: str, size: int | None, when: int | None, verb: Verb = Verb.COPY) -> Action:
    return Action(verb, path, "not there yet", ObjectInfo(path, FILE, size, when))


def _key(action: Action, field: str) -> Any:
    assert action.src is not None
    found = {"size": action.src.size or 0, "name": action.path, "modtime": action.src.mtime_ns or 0}
    return found[field]


def _expected(actions: list[Action], order: Order) -> list[Action]:
    """Sort in memory, the plain way."""
    moved = [action for action in actions if action.verb in (Verb.COPY, Verb.COMPARE)]
    rest = [action for action in actions if action not in moved]
    # By number where equal, so that all is reversed by ``descending``.
    ranked = sorted(enumerate(moved), key=lambda one: (_key(one[1], order.field), one[0]), reverse=order.descending)
    line = [action for _, action in ranked]
    if order.mixed is None:
        return rest + line
    mixed, due = [], 0
    while line:
        due += order.mixed
        mixed.append(line.pop(0) if due >= 100 else line.pop())
        due %= 100
    return rest + mixed


ACTIONS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 5)),
        st.one_of(st.none(), st.integers(0, 3)),
        st.sampled_from([Verb.COPY, Verb.COPY, Verb.COMPARE, Verb.DELETE, Verb.TOUCH]),
    ),
    max_size=40,
).map(lambda facts: [_copy(f"p{number:03}\udcff", *one) for number, one in enumerate(facts)])

ORDERS = st.one_of(
    st.builds(Order, st.sampled_from(FIELDS), st.booleans()),
    st.builds(lambda field, percent: Order(field, False, percent), st.sampled_from(FIELDS), st.integers(0, 100)),
)


@given(ACTIONS, ORDERS, st.sampled_from([1, 3, 7, 100_000]))
def test_any_plan(actions: list[Action], order: Order, limit: int) -> None:
    """Rule 12: a plan that is too long for memory is sorted as one that is not, from either end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "_IN_MEMORY", limit)
        found = list(ordered(actions, order))

    assert found == _expected(actions, order)


def test_long_runs_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends of runs of several thousand are read at the same time."""
    monkeypatch.setattr(ordering, "_IN_MEMORY", 2500)
    actions = [_copy(f"{number:05}", number * 7919 % 6007, None) for number in range(6000)]
    order = Order("size", False, 30)

    assert list(ordered(actions, order)) == _expected(actions, order)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("size", Order("size")),
        ("SIZE,ASC", Order("size")),
        ("name,ascending", Order("name")),
        ("modtime,desc", Order("modtime", True)),
        ("modtime,descending", Order("modtime", True)),
        ("size,mixed", Order("size", False, 50)),
        ("size,mixed,0", Order("size", False, 0)),
        ("size,mixed,100", Order("size", False, 100)),
    ],
)
def test_words(text: str, order: Order) -> None:
    """The words are rclone's, in any case of letters."""
    assert parse_order(text) == order


@pytest.mark.parametrize(
    "text", ["", "sise", "size,up", "size,asc,50", "size,mixed,101", "size,mixed,-1", "size,mixed,x", "a,b,c,d"]
)
def test_wrong_words(text: str) -> None:
    """What is no order is refused, and the message has it."""
    with pytest.raises(ValueError, match="bad order"):
        parse_order(text)


def test_wrong_order_is_wrong_usage(tmp_path: Any) -> None:
    """A wrong order is one clear line, and nothing is done."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a").write_bytes(b"1")
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", "--order-by", "sise")

    assert ran.code == 2
    assert "bad order 'sise'" in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "d").exists()


TREES = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=4), min_size=1, max_size=9)


@given(TREES, TREES, ORDERS.filter(lambda order: order.mixed is None))
def test_only_the_order_changes(here: dict[str, bytes], there: dict[str, bytes], order: Order) -> None:
    """A sync in another order does the same, and really in that order."""
    text = f"{order.field},{'desc' if order.descending else 'asc'}"
    plainly, sorted_ = memory(there), memory(there)
    first = sync(memory(here), plainly, Options(ignore_times=True, transfers=1))
    done: list[Action] = []
    second = sync(
        memory(here),
        sorted_,
        Options(ignore_times=True, transfers=1, order_by=text),
        observer=lambda event: done.append(event.outcome.action) if event.outcome else None,
    )
    copies = [action for action in done if action.verb is Verb.COPY]
    keys = [_key(action, order.field) for action in copies]

    assert {path: sorted_.read_bytes(path) for path in sorted_.list()} == here
    assert (second.transferred, second.bytes, second.deleted) == (first.transferred, first.bytes, first.deleted)
    assert keys == sorted(keys, reverse=order.descending)
    assert len(copies) == len(here)
