"""Filters: every recorded case of rclone, the building of filters in Python, and the two ways to list."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnistorage.sync.filters import Filter, FilterError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "filter.json").read_text("utf-8"))
CASES = [case for case in VECTORS["cases"] if "deviation" not in case]
LISTS = {
    "--include": "include",
    "--include-from": "include_from",
    "--exclude": "exclude",
    "--exclude-from": "exclude_from",
    "--filter": "rules",
    "--filter-from": "filter_from",
    "--files-from": "files_from",
    "--files-from-raw": "files_from_raw",
    "--files-from0": "files_from0",
    "--exclude-if-present": "exclude_if_present",
}


def from_arguments(arguments: list[str]) -> Filter:
    """Build a filter from rclone's arguments, as the command line does."""
    settings: dict[str, Any] = {}
    rest = iter(arguments)
    for flag in rest:
        if flag == "--ignore-case":
            settings["ignore_case"] = True
        elif flag == "--max-depth":
            settings["max_depth"] = int(next(rest))
        elif flag in LISTS:
            settings.setdefault(LISTS[flag], []).append(next(rest))
        else:
            settings[flag.removeprefix("--").replace("-", "_")] = next(rest)
    return Filter(**settings)


def walk(tree: dict[str, int], selection: Filter, directory: str = "") -> Iterator[str]:
    """Walk a tree as the scanner does."""
    inside = [path for path in tree if path.startswith(directory)]
    files = [path for path in inside if "/" not in path[len(directory) :]]
    if any(path[len(directory) :] in selection.marker_names for path in files):
        return
    for path in files:
        if selection.allows_file(path, tree[path], time.time_ns()):
            yield path
    depth = directory.count("/") + 1
    if selection.depth is not None and depth >= selection.depth:
        return
    for child in {path[: path.index("/", len(directory))] for path in inside if path not in files}:
        if selection.allows_dir(child):
            yield from walk(tree, selection, f"{child}/")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_selects_what_rclone_selects(case: dict[str, Any], tmp_path: Path) -> None:
    """Each recorded case gives the same files when walked, and the same without walking."""
    (tmp_path / "rules").write_text(case.get("file", ""), "utf-8", newline="")
    arguments = [str(tmp_path / "rules") if text == "@FILE@" else text for text in case["args"]]
    tree = {path: VECTORS["sizes"].get(path, VECTORS["default_size"]) for path in VECTORS["tree"]}
    if case["expect"]["rc"]:
        # Values of flags (sizes, ages) end with code 2, rules with code 1.
        with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the type is looked at below
            from_arguments(arguments)

        assert isinstance(caught.value, FilterError) is (case["expect"]["rc"] == 1)
        assert "\n" not in str(caught.value)
        return
    selection = from_arguments(arguments)

    assert sorted(walk(tree, selection)) == sorted(case["expect"]["files"])
    if not selection.marker_names:
        now = time.time_ns()
        assert {path for path in tree if selection.selects(path, tree[path], now)} == set(case["expect"]["files"])
        for path in tree:
            allowed = selection.explain(path, size=tree[path], mtime_ns=now).allowed
            assert allowed is (path in case["expect"]["files"])


def test_steps_start_from_class_and_from_filter() -> None:
    """A step called on the class starts from the filter that lets everything pass, and changes nothing."""
    base = Filter.include("*.json")
    more = base.exclude("*.tmp").min_size("1k").max_depth(2)

    assert base == Filter(include=["*.json"])
    assert more == Filter(include=["*.json"], exclude=["*.tmp"], min_size=1024, max_depth=2)
    assert more != base
    assert hash(base) == hash(Filter.include("*.json"))
    assert repr(base) == "Filter(include=('*.json',))"


def test_single_text_is_not_a_list() -> None:
    """A text in place of a list is refused, rather than taken letter by letter."""
    with pytest.raises(TypeError, match="list"):
        Filter(exclude="*.tmp")


def test_empty_filter_is_trivial() -> None:
    """Only a filter that lets everything pass is trivial."""
    trivial = [
        Filter(),
        Filter().ignore_case(),
        Filter.max_depth(0),
        Filter.max_size("off"),
        Filter.delete_excluded(),
    ]
    others = [Filter.exclude("x"), Filter.min_size(0), Filter.max_depth(1), Filter.exclude_if_present("x")]

    assert all(selection.is_trivial for selection in trivial)
    assert not any(selection.is_trivial for selection in others)
    assert Filter.delete_excluded().deletes_excluded


def test_empty_pattern_is_ignored() -> None:
    """An empty pattern is no pattern, so that nothing else is excluded for it."""
    assert Filter(include=[""], exclude=[""], rules=[""]).is_trivial


def test_empty_file_of_includes_excludes_all(tmp_path: Path) -> None:
    """A file of includes without a line lets nothing pass."""
    (tmp_path / "none").write_text("# nothing\n")

    assert not Filter.include_from(str(tmp_path / "none")).allows_file("a", 1, None)


def test_order_of_calls_is_not_order_of_rules() -> None:
    """Includes come before excludes, whatever was called first."""
    assert Filter.exclude("/dir/**").include("*.jpg") == Filter.include("*.jpg").exclude("/dir/**")
    assert Filter.exclude("/dir/**").include("*.jpg").selects("dir/a.jpg", 1, None)


def test_order_within_rule_is_kept() -> None:
    """The first rule that matches decides."""
    assert Filter.rule("+ a.jpg", "- *.jpg").selects("a.jpg", 1, None)
    assert not Filter.rule("- *.jpg").rule("+ a.jpg").selects("a.jpg", 1, None)


def test_reset_forgets_rules_before_but_not_the_implied_one() -> None:
    """``!`` forgets the rules before it; the exclude that an include implies stays."""
    assert not Filter.rule("- a", "!", "- b").selects("b", 1, None)
    assert Filter.rule("- a", "!", "- b").selects("a", 1, None)
    assert not Filter.rule("!").include("*.jpg").selects("a.jpg", 1, None)


def test_line_feed_in_name_does_not_escape_a_rule() -> None:
    """A name with a line feed is excluded by what excludes all."""
    assert not Filter.exclude("/**").selects("a\nb", 1, None)
    assert not Filter.include("*.txt").selects("x.txt\n", 1, None)
    assert Filter.include("*.txt").selects("a\nb.txt", 1, None)


def test_names_that_are_not_utf8_match(tmp_path: Path) -> None:
    """A byte that is no UTF-8 is one character, in names and in files of rules."""
    (tmp_path / "rules").write_bytes(b"- \xff.txt\n")

    assert Filter.include("?.txt").selects("\udcff.txt", 1, None)
    assert not Filter.filter_from(str(tmp_path / "rules")).selects("\udcff.txt", 1, None)


def test_file_of_rules_may_begin_with_a_mark(tmp_path: Path) -> None:
    """A byte order mark and CRLF are no part of a rule."""
    (tmp_path / "rules").write_bytes(b"\xef\xbb\xbf*.a\r\n; x\r\n b \r\n")
    selection = Filter.exclude_from(str(tmp_path / "rules"))

    assert [path for path in ("x.a", "b", "c") if selection.selects(path, 1, None)] == ["c"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a[", 'bad glob pattern "a[": missing "]"'),
        ("ab{c", 'bad glob pattern "ab{c": missing "}"'),
        ("a{{b", 'bad glob pattern "a{{b": missing "}}"'),
        ("a]", 'bad glob pattern "a]": "]" without "[": want \\] for the character'),
        ("***", 'bad glob pattern "***": too many stars: want * (up to a slash) or ** (beyond)'),
        ("{{(a}}", 'bad glob pattern "{{(a}}": missing )'),
    ],
)
def test_bad_pattern_says_what_is_missing(pattern: str, message: str) -> None:
    """The message has the pattern and what is wrong with it."""
    with pytest.raises(FilterError) as caught:
        Filter.include(pattern)

    assert str(caught.value) == message


@pytest.mark.parametrize("rule", ["x", "-x", "+ ", " + x", "# x", "! x"])
def test_bad_rule_is_refused(rule: str) -> None:
    """A rule begins with a plus or a minus and one blank."""
    with pytest.raises(FilterError, match="bad rule"):
        Filter.rule(rule)


def test_contradictions_are_refused(tmp_path: Path) -> None:
    """Settings that contradict each other are an error, not an empty result."""
    (tmp_path / "list").write_text("a\n")
    listed = Filter.files_from(str(tmp_path / "list"))

    with pytest.raises(FilterError, match="files-from"):
        listed.min_size(0)
    with pytest.raises(FilterError, match="min-age"):
        Filter.min_age("7d").max_age("1d")
    with pytest.raises(FilterError, match="hash filter"):
        Filter.hash_filter("1/0")
    assert listed.max_depth(1).ignore_case().files == frozenset({"a"})


def test_files_from_lists_files_and_their_directories(tmp_path: Path) -> None:
    """Only listed files pass, and only the directories on the way to them are entered."""
    (tmp_path / "list").write_text("/a/b/c\n# no\n d \n")
    listed = Filter.files_from(str(tmp_path / "list"))
    raw = Filter.files_from(str(tmp_path / "list"), raw=True)

    assert listed.files == frozenset({"a/b/c", "d"})
    assert raw.files == frozenset({"a/b/c", "# no", " d "})
    assert [listed.allows_dir(path) for path in ("", "a", "a/b", "a/b/c", "e")] == [True, True, True, False, False]


def test_unknown_size_and_time() -> None:
    """An unknown size is below every bound, and an unknown time is now."""
    assert not Filter.min_size(0).allows_file("a", None, 0)
    assert Filter.max_size(0).allows_file("a", None, 0)
    assert Filter.max_age("1h").allows_file("a", 1, None)
    assert not Filter.min_age("1h").allows_file("a", 1, None)


def test_bounds_are_inclusive() -> None:
    """A file of just the size passes both bounds."""
    assert Filter.min_size("1k").max_size("1k").allows_file("a", 1024, None)
    assert not Filter.max_size(0).allows_file("a", 1, None)


def test_parts_share_all_files() -> None:
    """Every file is in exactly one part, and case and Unicode form make no difference."""
    parts = [Filter.hash_filter(f"{number}/3") for number in range(3)]
    names = [f"dir/{number}" for number in range(50)]

    assert all(sum(part.selects(name, 1, None) for part in parts) == 1 for name in names)
    assert Filter.hash_filter("3/3") == parts[0]
    assert parts[1].selects("É", 1, None) is parts[1].selects("e\u0301", 1, None)


def test_pruned_directories_are_not_reached_without_walking() -> None:
    """A file below a directory that no include leads to is not selected, however it is listed."""
    selection = Filter.include("dir/**")

    assert selection.selects("dir/x", 1, None)
    assert selection.allows_file("deep/dir/x", 1, None)
    assert not selection.allows_dir("deep")
    assert not selection.selects("deep/dir/x", 1, None)


def test_explanation_names_the_rule() -> None:
    """An explanation has the rule as it was written, also if a directory above decided."""
    selection = Filter.rule("- /cache/", "+ *.py", "- *.log").max_depth(3).min_size(10)

    assert selection.explain("a.log", size=20).rule == "- *.log"
    assert selection.explain("a.py", size=20).allowed
    assert selection.explain("cache/x/a.py", size=20).rule == "- /cache/"
    assert "'cache'" in selection.explain("cache/x/a.py").why
    assert not selection.explain("cache", is_dir=True).allowed
    assert selection.explain("src", is_dir=True).rule == "+ *.py"
    assert Filter.exclude("x/").explain("src", is_dir=True).why == "no rule matches"
    assert "below 3 levels" in selection.explain("a/b/c/d").why
    assert selection.explain("a.py", size=1).why == "smaller than 10 B"


def test_dump_has_bounds_before_rules() -> None:
    """The dump begins with sizes, and the rules follow."""
    lines = Filter.min_size("100k").exclude("dir/").dump().splitlines()

    assert lines == [
        "--- start filters ---",
        "Minimum size is: 100 KiB",
        "--- File filter rules ---",
        "- (^|/)dir/.*$",
        "--- Directory filter rules ---",
        "- (^|/)dir/.*$",
        "--- end filters ---",
    ]
