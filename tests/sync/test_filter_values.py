"""Filters as values: equal, hashable, pickled for other processes, and with a digest that tells selections apart."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from omnistorage.sync.filters import Filter
from omnistorage.sync.rules import Source

HOUR = 3600 * 10**9


def full() -> Filter:
    """A filter with something of everything but a list of files."""
    return (
        Filter.include("*.json", "b/**")
        .exclude("*.tmp")
        .rule("- x", "+ y")
        .exclude_if_present(".no")
        .min_size("1k")
        .max_size("1G")
        .min_age("2020-01-01T00:00:00Z")
        .max_age("2010-01-01T00:00:00Z")
        .hash_filter("1/4")
        .max_depth(7)
        .ignore_case()
        .delete_excluded()
    )


CHANGES: dict[str, Callable[[], Filter]] = {
    "include": lambda: full().include("z"),
    "exclude": lambda: full().exclude("z"),
    "rule": lambda: full().rule("- z"),
    "marker": lambda: full().exclude_if_present("z"),
    "min_size": lambda: full().min_size("2k"),
    "no min_size": lambda: full().min_size("off"),
    "max_size": lambda: full().max_size("2G"),
    "min_age": lambda: full().min_age("2020-01-01T00:00:01Z"),
    "max_age": lambda: full().max_age("2010-01-01T00:00:01Z"),
    "part": lambda: full().hash_filter("2/4"),
    "depth": lambda: full().max_depth(8),
    "plain": lambda: Filter(),
    "empty list": lambda: Filter.only(),
    "list": lambda: Filter.only("a", "b"),
    "other list": lambda: Filter.only("a\0b"),
    "case": lambda: Filter.ignore_case(),
    "excluded": lambda: Filter.delete_excluded(),
    "one include": lambda: Filter.include("a"),
    "one exclude": lambda: Filter.exclude("a"),
    "two excludes": lambda: Filter.exclude("a", "b"),
    "excludes the other way": lambda: Filter.exclude("b", "a"),
    "age": lambda: Filter.max_age("1h"),
    "other age": lambda: Filter.max_age("2h"),
    "least age": lambda: Filter.min_age("1h"),
}


def test_chain_is_the_same_as_settings(tmp_path: Path) -> None:
    """What steps say, one after the other, keywords say at once."""
    (tmp_path / "rules").write_text("# x\n*.log\n")
    rules = str(tmp_path / "rules")
    chained = Filter.include("*.json").exclude("*.tmp").exclude_from(rules).min_size("100k").max_depth(3)

    assert chained == Filter(
        include=["*.json"], exclude=["*.tmp"], exclude_from=[rules], min_size="100k", max_depth=3
    )
    assert chained.selects("a/b.json", 102400, None)
    assert not chained.selects("a/b.json", 102399, None)


def test_names_may_end_with_nul(tmp_path: Path) -> None:
    """A list whose names end with NUL characters can hold any name, also one with a line feed."""
    (tmp_path / "list").write_bytes(b"a\nb\0# c\0")

    assert Filter.files_from(str(tmp_path / "list"), end="\0").files == frozenset({"a\nb", "# c"})
    assert Filter(files_from0=[str(tmp_path / "list")]).files == frozenset({"a\nb", "# c"})


def test_rules_know_where_they_were_written(tmp_path: Path) -> None:
    """The line of a file counts comments; a rule that nobody wrote has no source."""
    (tmp_path / "rules").write_text("# x\n\n- *.log\n")
    rules = str(tmp_path / "rules")
    selection = Filter.filter_from(rules).rule("- *.tmp").include("*.txt")

    assert selection.explain("a.log").source == Source("filter_from", rules, 3)
    assert str(selection.explain("a.log").source) == f"filter_from {rules}:3"
    assert selection.explain("a.tmp").source == Source("rule")
    assert selection.explain("a.txt").source == Source("include")
    assert selection.explain("a.c").source == Source("")


def test_names_of_files_of_rules_make_no_difference(tmp_path: Path) -> None:
    """Filters with the same rules are equal, wherever the rules were read; so are their hashes."""
    (tmp_path / "one").write_text("*.log\n")
    (tmp_path / "two").write_text("# comment\n\n *.log \r\n")
    one, two = (Filter.exclude_from(str(tmp_path / name)) for name in ("one", "two"))

    assert one == two
    assert len({one, two}) == 1
    assert one != Filter.exclude("*.log")


def test_digest_tells_all_settings_apart() -> None:
    """Whatever could change a selection changes the digest."""
    digests = {name: make().digest() for name, make in CHANGES.items()} | {"full": full().digest()}

    assert len(set(digests.values())) == len(digests)


def test_digest_is_written_down() -> None:
    """The digest of a filter is the same in every version, as journals keep it for years."""
    assert Filter().digest() == "a06a7b8d7dcd8c82a6edaaa7d13d34662c0a2c4682acbe392aa0fd3bcff7d149"
    assert full().digest() == "b408468ddafbac7d2ec6a5b5a4bdc4c4bb5067060027e8631e840c11c407e41c"


def test_digest_is_the_same_in_another_process() -> None:
    """No hash that is salted anew in each process has part in it, also not through the order of a set."""
    code = "from omnistorage.sync.filters import Filter; print(Filter.only(*map(str, range(99))).digest())"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        for seed in ("1", "2")
    ]

    assert {run.stdout.strip() for run in runs} == {Filter.only(*map(str, range(99))).digest()}


def test_digest_of_rules_does_not_ask_where_they_stand(tmp_path: Path) -> None:
    """Who moves rules from flags into a file, without changing their order, selects the same."""
    (tmp_path / "rules").write_text("b\n# more\nc\n")
    rules = str(tmp_path / "rules")

    assert Filter.exclude("a").exclude_from(rules).digest() == Filter.exclude("a", "b", "c").digest()


@pytest.mark.parametrize("step", ["max_age", "min_age"])
def test_digest_has_durations_as_durations(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last week is another week tomorrow, and the same filter; a date is the same moment in every notation."""
    one = [getattr(Filter, step)("7d"), getattr(Filter, step)("2024-01-31T12:00:00Z")]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86400)
    other = [getattr(Filter, step)(7 * 86400), getattr(Filter, step)("2024-01-31T13:00:00+01:00")]

    assert [each.digest() for each in one] == [each.digest() for each in other]
    assert one[0] != other[0]
    assert one[1] == other[1]


@pytest.mark.parametrize("name", [*CHANGES, "full"])
def test_pickle_selects_the_same(name: str) -> None:
    """A pickled filter is equal, small, and counts ages from the moment that the first was made."""
    selection = CHANGES.get(name, full)()
    selection.allows_file("a" * 1000, 2048, HOUR)
    data = pickle.dumps(selection)
    loaded = pickle.loads(data)

    assert loaded == selection
    assert hash(loaded) == hash(selection)
    assert loaded.digest() == selection.digest()
    assert loaded.dump() == selection.dump()
    assert copy.deepcopy(selection) == selection
    assert len(data) < 1500


def test_filter_works_in_another_process(tmp_path: Path) -> None:
    """A pool of processes gets a filter that has been used, and it answers and explains there."""
    (tmp_path / "rules").write_text("*.log\n")
    selection = Filter.exclude_from(str(tmp_path / "rules")).max_age("1h")
    paths = ["a.log", "a.txt"]
    here = [selection.selects(path, 1, None) for path in paths]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        there = [pool.submit(selection.selects, path, 1, None).result() for path in paths]
        explained = pool.submit(selection.explain, "a.log").result()

    assert there == here == [False, True]
    assert explained == selection.explain("a.log")


def test_filter_of_nothing_but_a_reset_is_trivial() -> None:
    """Rules that were forgotten leave out nothing."""
    assert Filter.rule("- a", "!").is_trivial
    assert not Filter.rule("- a", "!").is_choosy
    assert not Filter.max_depth(1).is_trivial
    assert not Filter.max_depth(1).is_choosy
    assert Filter.only("a").rule("- b", "!").files == frozenset({"a"})


@pytest.mark.parametrize("blank", ["\u2003", "\u00a0", "\u0085", "\v"])
def test_lines_lose_the_blanks_that_rclone_takes(tmp_path: Path, blank: str) -> None:
    """Blanks of all kinds go from both ends of a line; signs that Python alone takes for blanks stay."""
    (tmp_path / "rules").write_text(f"{blank}a{blank}\n\x1fb\n", "utf-8")
    selection = Filter.include_from(str(tmp_path / "rules"))

    assert [path for path in ("a", "b", "\x1fb") if selection.selects(path, 1, None)] == ["a", "\x1fb"]


@pytest.mark.parametrize(
    ("path", "part"), [("\u0130.txt", 4), ("\u03a3\u03a3.txt", 2), ("\u00c9", 6), ("e\u0301", 6), ("a/B", 4)]
)
def test_parts_are_those_of_rclone(path: str, part: int) -> None:
    """Letters become small one by one: a dotted I is one letter, and a sigma at the end is a sigma."""
    assert [number for number in range(7) if Filter.hash_filter(f"{number}/7").selects(path, 1, None)] == [part]


@pytest.mark.parametrize("part", ["1/18446744073709551616", "18446744073709551616/3", "1/\u0663", "-1/3", "1", "/"])
def test_bad_parts_are_refused(part: str) -> None:
    """A part is two numbers of 64 bits."""
    with pytest.raises(ValueError, match="bad hash filter"):
        Filter.hash_filter(part)
