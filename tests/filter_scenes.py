"""What the tests of filters share: random trees, rules and flags, as strategies of hypothesis."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

CASES: Final = int(os.environ.get("OMNISTORAGE_CASES", "60"))
"""How many examples to compare with other programs or by slow means; the environment can ask for more."""

Tree = dict[str, tuple[int, int]]
"""Path to size in bytes and age in hours."""

Flag = tuple[str, ...]
"""The name of a flag and its values: one, or the lines of its file."""

MARKER = ".no"

_NAMES = [*("a", "b", "c", "ab", "A", "B", "a.b", "b.a", "1", "é", "É", "ß", "\u03a3"), *("x y", "[b]", "{a}", "a*")]
NAMES = st.sampled_from([*_NAMES, MARKER])

# No directory is called like a marker: rclone gives up there.
PATHS = st.builds(lambda above, name: "/".join([*above, name]), st.lists(st.sampled_from(_NAMES), max_size=3), NAMES)

_PLAIN = [*"abcAéÉß.1-+ (|$^", "\u03c3", MARKER]
_GLOBS = [
    *("*", "**", "?", "/", "/", "/", "//", "{a,b}", "{a*,b?}", "{,a}"),
    *("[ab]", "[^a]", "[!a]", "[a-c]", "[[:alpha:]]"),
]
_HARD = [
    *("{a/b,c}", "{a**,b}", "{a,{b,c}}", "{a/,b}", "{a,b}/{c,d}"),
    *(r"\{", r"\}", r"\*", r"\d", r"\w", r"\[", r"a\,b"),
]
_EXPRESSIONS = [
    *("{{a|b}}", "{{.*b}}", "{{a{1,2}}}", "{{[^/]+}}", "{{(?i)A}}", "{{(a|b)+$}}", r"{{\pL}}", "{{^a}}", "{{}}"),
]
_BROKEN = [
    *("***", "[", "]", "{", "}", "{{", "}}", "\\", ",", "{{(}}", "{{a**}}", "[z-a]", r"\8", "[[:foo:]]"),
]


def _glob(body: list[str], begin: str, end: str) -> str:
    text = f"{begin}{''.join(body)}{end}"
    # rclone cuts blanks off the end of the last flag of a kind, and of no other.
    return text.rstrip(" ") or "a"


def _globs(pieces: list[str]) -> st.SearchStrategy[str]:
    body = st.lists(st.sampled_from(pieces), min_size=1, max_size=6)
    begin, end = st.sampled_from(["", "", "/"]), st.sampled_from(["", "", "", "/", "/**", "/*", "*"])
    return st.builds(_glob, body, begin, end)


GLOBS = _globs([*_PLAIN, *_GLOBS, *_HARD, *_EXPRESSIONS])
ANY_GLOBS = _globs([*_PLAIN, *_GLOBS, *_HARD, *_EXPRESSIONS, *_BROKEN])
LIKELY = st.one_of(
    _globs(["a", "b", "/", "*", "**", "?"]),
    GLOBS,
    st.builds(lambda name, end: name + end, NAMES, st.sampled_from(["/", "/**", "/*", "*", ""])),
)


def _rules(globs: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signed = st.builds(lambda sign, glob: sign + glob, st.sampled_from(["+ ", "- "]), globs)
    return st.one_of(signed, signed, signed, st.just("!"))


def _lines(texts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    odd = st.sampled_from(["", "# no", "; no", "  ", "\t#"])
    return st.lists(st.one_of(texts, texts, texts.map(lambda text: f" {text}\r"), odd), max_size=5).map(tuple)


def rule_flags(globs: st.SearchStrategy[str]) -> st.SearchStrategy[list[Flag]]:
    """Return flags that add rules, in any order."""
    one = st.one_of(
        *(st.tuples(st.just(flag), globs) for flag in ("--include", "--exclude")),
        st.tuples(st.just("--filter"), _rules(globs)),
        st.tuples(st.just("--filter"), _rules(globs)),
        *(st.builds(lambda flag, lines: (flag, *lines), st.just(f"{flag}-from"), _lines(globs)) for flag in _FROM),
        st.builds(lambda lines: ("--filter-from", *lines), _lines(_rules(globs))),
    )
    many = st.lists(one, min_size=1, max_size=4)
    return st.builds(lambda flags, case: flags + case, many, st.sampled_from([[], [], [("--ignore-case",)]]))


_FROM = ("--include", "--exclude")

_LIMITS = st.one_of(
    st.tuples(st.sampled_from(["--min-size", "--max-size"]), st.sampled_from(["0", "1b", "1k", "1", "1.5k", "off"])),
    # Never the same for both: rclone looks at the clock twice, and then finds one larger than the other.
    st.tuples(st.just("--min-age"), st.sampled_from(["1h", "5h", "2000-01-01", "off"])),
    st.tuples(st.just("--max-age"), st.sampled_from(["90m", "7h", "2001-01-01T10:00:00Z", "off"])),
    st.tuples(st.just("--max-depth"), st.sampled_from(["-1", "0", "1", "2", "3"])),
    st.tuples(st.just("--hash-filter"), st.sampled_from(["0/2", "1/2", "4/3", "2/5"])),
    st.tuples(st.just("--exclude-if-present"), st.sampled_from([MARKER, ".none"])),
)


def _lists(paths: st.SearchStrategy[str]) -> st.SearchStrategy[list[Flag]]:
    line = st.one_of(
        paths, paths.map("/{}".format), paths.map(" {} ".format), st.sampled_from(["# a", "./a", "a/", ""])
    )
    flag = st.sampled_from(["--files-from", "--files-from-raw", "--files-from0"])
    one = st.builds(lambda name, lines: (name, *lines), flag, st.lists(line, max_size=6))
    other = st.sampled_from([[], [], [], [("--max-depth", "2")], [("--max-size", "1k")], [("--ignore-case",)]])
    return st.builds(lambda lists, others: lists + others, st.lists(one, min_size=1, max_size=2), other)


ALL_FLAGS: st.SearchStrategy[list[Flag]] = st.one_of(
    rule_flags(LIKELY),
    st.builds(lambda rules, limits: rules + limits, rule_flags(LIKELY), st.lists(_LIMITS, max_size=2)),
    st.lists(_LIMITS, min_size=1, max_size=3),
    _lists(PATHS),
)


def _tree(paths: list[str], facts: list[tuple[int, int]]) -> Tree:
    """Keep the paths that can stand side by side: none is a directory to another."""
    tree: Tree = {}
    for path, fact in zip(paths, facts, strict=False):
        if not any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in tree):
            tree[path] = fact
    return tree


TREES = st.builds(
    _tree,
    st.lists(PATHS, max_size=16, unique=True),
    st.lists(
        st.tuples(st.sampled_from([0, 1, 1023, 1024, 1025, 1536, 9999]), st.sampled_from([0, 2, 9])), min_size=16
    ),
)


def plant(tree: Tree, root: Path, now: float | None = None) -> None:
    """Make the files of a tree below a folder; their ages count from ``now``."""
    root.mkdir(exist_ok=True)
    now = time.time() if now is None else now
    for path, (size, hours) in tree.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        os.truncate(place, size)
        os.utime(place, (now - hours * 3600, now - hours * 3600))


def arguments(flags: list[Flag], folder: Path) -> list[str]:
    """Return flags as a command line; the lines of their files are written into the folder."""
    found: list[str] = []
    for number, (name, *values) in enumerate(flags):
        found.append(name)
        if "-from" in name:
            end = "\0" if name.endswith("0") else "\n"
            (folder / f"list{number}").write_text(end.join(values) + end * bool(values), "utf-8", newline="")
            found.append(str(folder / f"list{number}"))
        else:
            found += values
    return found
