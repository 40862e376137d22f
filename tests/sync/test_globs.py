"""Globs and regular expressions: the text rclone prints, and the matches RE2 finds."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnistorage.sync import automaton, globs, regexes
from omnistorage.sync.automaton import Automaton
from omnistorage.sync.filters import Filter

RCLONE = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))

TABLE = {
    "x": "(^|/)x$",
    "/x": "^x$",
    "*": "(^|/)[^/]*$",
    "**": "(^|/).*$",
    "?": "(^|/)[^/]$",
    "{a,b}": "(^|/)(a|b)$",
    "{a,b{c,d}}": "(^|/)(a|b(c|d))$",
    "{{re}}": "(^|/)(re)$",
    "{{a{2}}}b": "(^|/)(a{2})b$",
    "[!a-z]": "(^|/)[!a-z]$",
    "[^a-z]": "(^|/)[^a-z]$",
    "[[:digit:]]": "(^|/)[[:digit:]]$",
    "[*?{}]": "(^|/)[*?{}]$",
    r"\d": r"(^|/)\d$",
    r"{a\,b}": r"(^|/)(a\,b)$",
    "a.b+c^d$(e)|f": r"(^|/)a\.b\+c\^d\$\(e\)\|f$",
    "a,b": "(^|/)a,b$",
    "é~#%&-": "(^|/)é~#%&-$",
}

PATTERNS = [
    *TABLE,
    *("a/**/file.*", "a**b/c", "**/b", "x/**b/c", "a/x**y**z/c", "/a/b?/c/**", "a//b", "//a", "a//**//b", "/", "//"),
    *("dir/", "/dir/", "a/*/", "/a/**/", "{a,b}/", "{a/b,c}", "{a,b/}", "{a,b}/{c,d}/e", "{a**}/c", "a/{b,c**}/d"),
    *("a/{b/c}/d", "x/{{a/b}}/c", r"\{a/b\}/c", r"a/\{b/c", r"a\/b", "x/y/z.txt", "/**", "*/", "*/**", "a/../b"),
]


def matches(expression: str, text: str) -> bool:
    return Automaton([expression]).first(text) == 0


@pytest.mark.parametrize("glob", TABLE)
def test_glob_becomes_regular_expression(glob: str) -> None:
    """Every construct of a glob has one translation."""
    assert globs.to_regex(glob) == TABLE[glob]
    assert globs.to_regex(glob, ignore_case=True) == "(?i)" + TABLE[glob]


@pytest.mark.skipif(RCLONE is None and "CI" not in os.environ, reason="rclone is not installed")
@pytest.mark.parametrize("option", ["include", "exclude"])
def test_rules_are_those_of_rclone(option: str, tmp_path: Path) -> None:
    """All patterns together become the same two lists of rules as in rclone."""
    (tmp_path / "rules").write_text("\n".join(PATTERNS), "utf-8")
    command = [str(RCLONE), "lsf", str(tmp_path), "--dump", "filters", f"--{option}-from", str(tmp_path / "rules")]
    run = subprocess.run(command, capture_output=True, text=True, env={"RCLONE_CONFIG": ""}, check=True)
    text = run.stdout + run.stderr
    end = "--- end filters ---\n"
    expected = text[text.index("--- start filters") : text.index(end) + len(end)]

    assert getattr(Filter, f"{option}_from")(str(tmp_path / "rules")).dump() == expected


@pytest.mark.parametrize(
    ("expression", "yes", "no"),
    [
        (r"^\d{2,3}$", ["12", "123"], ["1", "1234", "١٢"]),
        (r"^[[:alpha:]_]+$", ["ab_"], ["a1", "é"]),
        (r"^[[:^alpha:]]$", ["1", "é"], ["a"]),
        (r"^[^\d]$", ["a", "\n"], ["1"]),
        (r"^\W$", ["-", "é"], ["a", "_"]),
        (r"^\p{Lu}\pN\P{L}$", ["É1-"], ["é1-", "Éa-", "É1a"]),
        (r"^[\p{Lu}0]$", ["É", "0"], ["é"]),
        (r"^(?i)k\x{e9}$", ["kÉ", "Ké", "\u212aé"], ["ké1"]),
        (r"^a(?i:b)c$", ["abc", "aBc"], ["Abc", "abC"]),
        (r"^a(b(?i)c)d$", ["abCd"], ["aBcd", "abcD"]),
        (r"(?i)^[^\W]$", ["s", "\u017f"], ["-", "é"]),
        (r"(?i)^[[:^lower:]\P{Lu}]$", ["1"], ["a", "A"]),
        (r"(?i)^[a-c]$", ["B"], ["d"]),
        (r"(?i)^[^a-c]$", ["D"], ["B"]),
        (r"^\Qa.b*\E+$", ["a.b*", "a.b**"], ["axb"]),
        (r"\bab\b", ["x ab-", "ab"], ["abc", "xab"]),
        (r"a\Bb", ["ab"], ["a-b"]),
        (r"(?m)^a$", ["x\na\ny"], ["xa"]),
        (r"^a|b$", ["ax", "xb"], ["xax"]),
        (r"a\z", ["xa"], ["ax", "a\n"]),
        (r"^a$", ["a"], ["a\n"]),
        (r"^(?P<name>a)(?<other>b)(?:c)$", ["abc"], []),
        (r"^a??b*?c+?$", ["abbc", "c"], ["b"]),
        (r"^a{,2}$", ["a{,2}"], ["aa"]),
        (r"^[]a-]$", ["]", "a", "-"], ["b"]),
        (r"^\101\x42\t$", ["AB\t"], []),
        (r"^a.b$", ["a\nb", "a\udcffb"], ["ab"]),
        (r"^(a*)*$", ["", "aaa"], ["b"]),
        (r"^(|a)b$", ["b", "ab"], ["aab"]),
    ],
)
def test_expressions_mean_what_they_mean_in_re2(expression: str, yes: list[str], no: list[str]) -> None:
    """Each construct matches what RE2 matches, and nothing else."""
    assert [text for text in yes if not matches(expression, text)] == []
    assert [text for text in no if matches(expression, text)] == []


@pytest.mark.parametrize(
    "expression",
    [
        *("(a", "a)", "[a", "*a", "a**", "a{2}{3}", "a{1001}", "a{3,2}", r"(a)\1", "a(?=b)", "a(?!b)", "(?<=a)b"),
        *(r"\C", r"\8", r"\é", "a\\", "[z-a]", "[[:foo:]]", r"\p{Greek}", r"\p$", r"\x{110000}", r"\xg", "(?z)a"),
        *("(?P<a", "((x{99}){99}){99}", "(" * 500 + ")" * 500, "x(?", "[[:d:]]"),
    ],
)
def test_bad_expressions_are_refused(expression: str) -> None:
    """What RE2 refuses is refused with one line, and so is what would be too large."""
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        regexes.parse(expression)


@pytest.mark.parametrize(
    "expression",
    [
        globs.to_regex("*a*a*a*a*a*a*a*a*a*a*a*a*b"),
        globs.to_regex("{{(a+)+$}}!"),
        globs.to_regex("{{(a|a)*}}b"),
        globs.to_regex("{{(a*)*(a*)*}}b"),
        globs.to_regex("**a**a**a**a**a**a**a**b"),
        globs.to_regex("{{" + "a?" * 50 + "a" * 50 + "}}b"),
        globs.to_regex("{{.*a.{20}}}b"),
    ],
)
def test_no_pattern_backtracks(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each character is looked at once, and a text twice as long needs about as many new transitions."""
    steps = 0
    missing = automaton._State.__missing__

    def counted(state: automaton._State, char: str) -> automaton._State:
        nonlocal steps
        steps += 1
        return missing(state, char)

    monkeypatch.setattr(automaton._State, "__missing__", counted)
    matcher = Automaton([expression])

    assert matcher.first("a" * 5000) == -1
    assert steps <= 5000


def test_states_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern with exponentially many states is answered right with a table that begins anew."""
    monkeypatch.setattr(automaton, "_MOST_KEPT", 500)
    expression = r"^[ab]*a[ab]{8}$"
    matcher = Automaton([expression])
    texts = [f"{number:012b}".replace("0", "a").replace("1", "b") for number in range(3000)]

    assert [matcher.first(text) == 0 for text in texts] == [bool(re.search(expression, text)) for text in texts]
    assert matcher._kept <= 600


def test_first_rule_wins() -> None:
    """Of several expressions that match the first one is returned, whether or not they begin alike."""
    matcher = Automaton(["(^|/)a.*$", "(^|/)ab$", "(^|/)[^/]*c$", "^x/y$", "(^|/)a.*$"])

    assert [matcher.first(path) for path in ("x/ab", "b/c", "x/y", "z", "x/yac")] == [0, 2, 3, -1, 2]


def test_paths_of_one_directory_do_not_mix() -> None:
    """What is kept of a directory is right for every path in it and for its neighbours."""
    matcher = Automaton([globs.to_regex("/a/b/*.txt"), globs.to_regex("b/c/**")])
    paths = ["a/b/x.txt", "a/b/y.txt", "a/bb/x.txt", "a/b/c/x", "b/c/d/e", "b/cc/d", "a/b/", "", "/", "a/b/x.txt"]

    assert [matcher.first(path) for path in paths] == [0, 0, -1, 1, 1, -1, -1, -1, -1, 0]


ATOMS = st.sampled_from(["a", "b", "/", "[ab]", "[^a]", "[^/]", ".", r"\d", r"\w", "1", "^", "$", r"\b", r"\B"])


def _extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,1}", "{1,}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    )


EXPRESSIONS = st.recursive(ATOMS, _extend, max_leaves=8)
PATHS = st.text("ab/1é-\n", max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.lists(EXPRESSIONS, min_size=1, max_size=4), st.lists(PATHS, min_size=1, max_size=6))
def test_automaton_agrees_with_backtracking(expressions: list[str], paths: list[str]) -> None:
    """On small expressions the automaton finds what Python's own engine finds."""
    matcher = Automaton(expressions)
    slow = [re.compile(text.replace("$", r"\Z"), re.ASCII | re.DOTALL) for text in expressions]
    for path in paths:
        expected = next((number for number, pattern in enumerate(slow) if pattern.search(path)), -1)
        # An empty text is no edge between words; Python's \B says so only since 3.14.
        if path or r"\B" not in "".join(expressions):
            assert matcher.first(path) == expected


GLOBS = st.lists(
    st.sampled_from(["a", "b", "/", "*", "?", "**", "{a,b}", "{a*,/b}", "[ab]", "[^b]", "."]), min_size=1, max_size=6
).map("".join)


@settings(max_examples=300, deadline=None)
@given(GLOBS.filter(lambda glob: "***" not in glob), st.text("ab./", max_size=8))
def test_globs_agree_with_backtracking(glob: str, path: str) -> None:
    """A glob matches what its regular expression finds with Python's own engine."""
    expression = globs.to_regex(glob)

    assert matches(expression, path) is bool(re.search(expression.replace("$", r"\Z"), path, re.DOTALL))


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Every text is an expression or a ValueError, never another failure."""
    for translate in (str, globs.to_regex):
        with suppress(ValueError):
            Automaton([translate(text)]).first(text)


@settings(max_examples=500, deadline=None)
@given(st.text("ab1()[]{}|*+?^$.\\-:,dpQEx<>P=!i", max_size=12))
def test_any_mixture_of_signs_is_read_or_refused(text: str) -> None:
    """Also a text that is nearly an expression never fails in another way."""
    with suppress(ValueError):
        Automaton([text]).first(text)
