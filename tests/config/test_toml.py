"""TOML, written."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.config.toml import dumps, edited

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SCALARS = (
    _TEXT
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.times()
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=6
)
_TABLES = st.dictionaries(_TEXT, _VALUES, max_size=4)

WRITTEN = """\
# My places.
title = "keep me"  # really

[remotes.nas]  # in the cellar
type = "sftp"
host = "nas"   # by name

# The bucket.
[remotes."b c"]
type = "s3"

[other]
list = [
  1,
]
"""


@given(_TABLES)
def test_reading_gives_back_what_was_written(data: dict[str, Any]) -> None:
    """The standard library reads exactly what was written, whatever it was."""
    assert tomllib.loads(dumps(data)) == data


@given(data=_TABLES, name=_TEXT, table=_TABLES | st.none())
def test_edited_says_what_it_should(data: dict[str, Any], name: str, table: dict[str, Any] | None) -> None:
    """After an edit, that table is new and all else is as it was."""
    held = {**data, "remotes": {"x": {"type": "y"}, **({"old": {}} if name == "" else {})}}
    result = tomllib.loads(edited(dumps(held), {("remotes", name): table}))
    expected = {key: value for key, value in held["remotes"].items() if key != name}
    if table is not None:
        expected[name] = table

    assert result.pop("remotes", {}) == expected
    assert result == {key: value for key, value in data.items() if key != "remotes"}


def test_layout() -> None:
    """Plain values come first, tables have headers, and a table of tables only has none."""
    data = {"remotes": {"a": {"n": 1, "t": {"x": "é\n"}}, "b c": {}}, "on": True}

    assert dumps(data) == ('on = true\n\n[remotes.a]\nn = 1\n\n[remotes.a.t]\nx = "é\\n"\n\n[remotes."b c"]\n')


def test_times() -> None:
    """Times are written as TOML has them."""
    data = {"a": datetime(2024, 1, 2, 3, 4, 5, 6, UTC), "b": date(2024, 1, 2), "c": time(3, 4)}

    assert dumps(data) == "a = 2024-01-02T03:04:05.000006+00:00\nb = 2024-01-02\nc = 03:04:00\n"


@pytest.mark.parametrize("number", ["inf", "-inf", "nan"])
def test_odd_floats(number: str) -> None:
    """Infinity and no-number are written, too."""
    assert repr(tomllib.loads(dumps({"x": float(number)}))["x"]) == number


@pytest.mark.parametrize(("value", "error"), [(None, TypeError), (b"x", TypeError), ("\udcff", ValueError)])
def test_what_toml_cannot_say(value: object, error: type[Exception]) -> None:
    """Other values are refused rather than written as something else."""
    with pytest.raises(error):
        dumps({"x": value})


def test_edit_keeps_all_other_lines() -> None:
    """Changing one table leaves comments, blanks and order of everything else."""
    changed = edited(WRITTEN, {("remotes", "nas"): {"type": "ftp"}})

    assert changed == WRITTEN.replace(
        '[remotes.nas]  # in the cellar\ntype = "sftp"\nhost = "nas"   # by name\n', '[remotes.nas]\ntype = "ftp"\n'
    )


def test_edit_of_a_quoted_name() -> None:
    """The table of a name that needs quotes is found, and its comment stays with what follows."""
    changed = edited(WRITTEN, {("remotes", "b c"): None})

    assert changed == WRITTEN.replace('[remotes."b c"]\ntype = "s3"\n', "")


def test_edit_adds_at_the_end() -> None:
    """A new table is added behind everything."""
    assert edited(WRITTEN, {("remotes", "z"): {"type": "ftp"}}) == WRITTEN + '\n[remotes.z]\ntype = "ftp"\n'


def test_many_edits_at_once() -> None:
    """Tables are replaced, added and taken out as if one after the other."""
    changes: dict[tuple[str, ...], dict[str, str] | None] = {
        ("remotes", "z"): {"type": "ftp"},
        ("remotes", "nas"): {"type": "x"},
        ("remotes", "b c"): None,
    }
    changed = edited(WRITTEN, changes)
    singly = WRITTEN
    for names, table in changes.items():
        singly = edited(singly, {names: table})

    assert changed == singly
    assert changed.endswith('\n[remotes.z]\ntype = "ftp"\n')


@pytest.mark.parametrize(
    "text",
    [
        'remotes = {nas = {type = "x"}, b = {type = "y"}}\n',
        'remotes.nas.type = "x"\nremotes.b.type = "y"\n',
        '[remotes]\nnas = {type = "x"}\nb.type = "y"\n',
        '[remotes.b]\ntype = "y"\n[remotes.nas]\ntype = """\n[remotes.nas]\n[other]\n"""\n',
        '[remotes.b]\nnote = """\n[remotes.nas]\nhello\n[other]\n"""\n',
        '[remotes.nas.sub]\na = 1\n[remotes.b]\ntype = "y"\n[remotes.nas]\ntype = "x"\n',
    ],
)
def test_edit_of_odd_layouts(text: str) -> None:
    """However a document is laid out, the edit has its meaning and no other."""
    expected = tomllib.loads(text)
    expected["remotes"]["nas"] = {"type": "new"}

    assert tomllib.loads(edited(text, {("remotes", "nas"): {"type": "new"}})) == expected
