"""Matching: what a slow matcher finds that knows nothing of regular expressions, and how many steps it may take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filter_scenes import CASES
from omnistorage.sync import automaton, globs
from omnistorage.sync.automaton import Automaton
from omnistorage.sync.filters import Filter

# -- the slow matcher: globs are read anew, and tried at every place of the path


class Piece(NamedTuple):
    """One piece of a glob: its kind, and a text or the choices of braces."""

    kind: str
    text: str = ""
    choices: tuple[tuple[Piece, ...], ...] = ()


def read(glob: str, at: int, inside: bool) -> tuple[tuple[Piece, ...], int]:
    """Read pieces up to the end, or within braces up to a comma or the closing brace."""
    pieces: list[Piece] = []
    while at < len(glob) and not (inside and glob[at] in ",}"):
        if glob.startswith("{{", at):
            end = glob.index("}}", at) + 2
            pieces.append(Piece("expression", glob[at + 2 : end - 2]))
            at = end
        elif glob[at] == "{":
            choices = []
            while glob[at] != "}":
                choice, at = read(glob, at + 1, inside=True)
                choices.append(choice)
            pieces.append(Piece("braces", choices=tuple(choices)))
            at += 1
        elif glob[at] == "[":
            end = glob.index("]", at) + 1
            pieces.append(Piece("class", glob[at + 1 : end - 1]))
            at = end
        elif glob.startswith("**", at):
            pieces.append(Piece("beyond"))
            at += 2
        elif glob[at] in "*?":
            pieces.append(Piece("within" if glob[at] == "*" else "one"))
            at += 1
        elif glob[at] == "\\":
            pieces.append(Piece("text", glob[at + 1]))
            at += 2
        else:
            pieces.append(Piece("text", glob[at]))
            at += 1
    return tuple(pieces), at


def ends(pieces: tuple[Piece, ...], path: str, at: int) -> Iterator[int]:
    """Yield every place where a match of the pieces that begins at ``at`` can end."""
    if not pieces:
        yield at
        return
    for end in piece_ends(pieces[0], path, at):
        yield from ends(pieces[1:], path, end)


def piece_ends(piece: Piece, path: str, at: int) -> Iterator[int]:
    here = path[at : at + 1]
    match piece.kind:
        case "text":
            yield from [at + 1] * (here == piece.text)
        case "one":
            yield from [at + 1] * (here not in ("", "/"))
        case "class":
            listed = piece.text.removeprefix("^")
            known = here in [*listed] if "-" not in listed else listed[0] <= here <= listed[2]
            yield from [at + 1] * (here != "" and known is not piece.text.startswith("^"))
        case "braces":
            for choice in piece.choices:
                yield from ends(choice, path, at)
        case "expression":
            yield from (end for end in range(at, len(path) + 1) if re.fullmatch(piece.text, path[at:end], re.DOTALL))
        case kind:
            stop = path.find("/", at) if kind == "within" else -1
            yield from range(at, (stop if stop >= 0 else len(path)) + 1)


def slowly(glob: str, path: str) -> bool:
    """Tell whether a glob matches a path, as the language says it: anchored by a slash, else after any slash."""
    anchored = glob.startswith("/")
    pieces, _ = read(glob[anchored:], 0, inside=False)
    starts = [0] if anchored else [0, *(at + 1 for at, char in enumerate(path) if char == "/")]
    return any(end == len(path) for start in starts for end in ends(pieces, path, start))


PIECES = [
    *("a", "b", "/", ".", "é", "*", "**", "?", "[ab]", "[^a]", "[a-c]", r"\*", r"\{", ",", "+"),
    *("{a,b}", "{a*,/b}", "{a,{b,c}d}", "{,a}", "{**/,b}", "{{a|b/}}", "{{(a|b)+}}", "{{.*}}", "{{[^/]?}}"),
]
GLOBS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join).filter(lambda glob: "***" not in glob)
PATHS = st.text("abcAé/.*{,+\n", max_size=8)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("a*", ["a", "x/ab"], ["a/b", "ba"]),
        ("/a**b", ["ab", "a/c/b"], ["x/ab"]),
        ("{a,b{c,d}}", ["a", "bd", "x/bc"], ["b", "ac"]),
        ("[^a]?", ["ba"], ["ab", "b/", "b"]),
        ("{{a.b}}", ["a/b"], ["ab"]),
    ],
)
def test_slow_matcher_knows_the_language(glob: str, yes: list[str], no: list[str]) -> None:
    """The matcher that others are measured by is right about what is known."""
    assert [path for path in yes if not slowly(glob, path)] == []
    assert [path for path in no if slowly(glob, path)] == []


@settings(max_examples=max(CASES, 300))
@given(st.lists(GLOBS, min_size=1, max_size=4), st.lists(PATHS, min_size=1, max_size=6))
def test_rules_agree_with_slow_matcher(patterns: list[str], paths: list[str]) -> None:
    """The first rule that matches is the first that the slow matcher finds, for each of several paths in turn."""
    selection = Filter(rules=[f"- {glob}" for glob in patterns])
    for path in paths:
        found = selection.rule_for(path)
        # A slash at the end excludes all below a directory.
        whole = ((glob, glob + "**" * glob.endswith("/")) for glob in patterns)
        expected = next((f"- {glob}" for glob, full in whole if slowly(full, path)), None)

        assert (found and found.text) == expected


@settings(max_examples=max(CASES, 300))
@given(GLOBS, PATHS)
def test_case_is_ignored_as_if_all_were_small(glob: str, path: str) -> None:
    """Ignoring case is the same as comparing small letters."""
    selection = Filter(include=[glob], ignore_case=True)

    # An include that is about directories alone includes no file.
    matches = slowly(glob.lower(), path.lower()) and ("**" in glob or not glob.endswith("/"))
    assert selection.allows_file(path, 1, None) is matches


# -- how many steps: places of the automaton that are visited, which does not depend on the machine

PATHOLOGICAL = {
    "stars": "*a*a*a*a*a*a*a*a*a*a*a*a*b",
    "double stars": "**a**a**a**a**a**a**a**a**b",
    "repeated repetition": "{{(a+)+$}}!",
    "ambiguous repetition": "{{(a|aa)*b}}",
    "empty repetition": "{{((a*)*)*}}b",
    "optional letters": "{{" + "a?" * 40 + "a" * 40 + "}}b",
    "many states": "{{(a|b)*a(a|b){12}}}c",
    "nested braces": "{a,{a,{a,{a,{a,{a,{a,b}}}}}}}" * 4 + "c",
    "braces with stars": "{*a,**a,*a*}" * 8 + "b",
    "counted": "{{(a{1,12}){1,12}}}b",
}


class Counted:
    """How many places of automatons were visited since."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places = 0
        spread = automaton._spread

        def counted(places: object, before: str, after: str) -> list[automaton._Place]:
            found = spread(places, before, after)  # type: ignore[arg-type]
            self.places += len(found)
            return found

        monkeypatch.setattr(automaton, "_spread", counted)

    def of(self, expression: str, path: str) -> int:
        self.places = 0
        Automaton([expression]).first(path)
        return self.places


def size(expression: str) -> int:
    """Return the number of places that an expression becomes."""
    seen = [Automaton([expression])._root]
    for place in seen:
        targets = [target for chars in place.chars.values() for target in chars]
        targets += [target for _, target in (*place.sets, *place.jumps)]
        seen += dict.fromkeys(target for target in targets if target not in seen)
    return len(seen)


@pytest.mark.parametrize("name", PATHOLOGICAL)
@pytest.mark.parametrize("letters", ["a", "ab", "a/"])
def test_steps_grow_no_faster_than_the_path(name: str, letters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most all places of the pattern are visited for each character, and twice the path needs twice the steps."""
    expression = globs.to_regex(PATHOLOGICAL[name])
    counted = Counted(monkeypatch)
    lengths = (1000, 2000, 4000)
    steps = [counted.of(expression, letters * (length // len(letters))) for length in lengths]

    assert steps[0] > 0
    assert steps[-1] <= (lengths[-1] + 1) * size(expression)
    assert steps[2] - steps[1] <= 2.2 * (steps[1] - steps[0]) + size(expression)


def test_places_are_as_many_as_the_pattern_is_long() -> None:
    """A pattern twice as long becomes twice as many places, not a power of them."""
    sizes = [size(globs.to_regex("{*a,**b,{c,d}}" * count)) for count in (10, 20, 40)]

    assert sizes[2] <= 2 * sizes[1] <= 4 * sizes[0]


@pytest.mark.parametrize("glob", ["{" * 90 + "a" + "}" * 90, r"\{" + "/" * 5000, "?" * 5000, "{a," * 30 + "}" * 30])
def test_long_patterns_are_read(glob: str) -> None:
    """A long pattern is compiled, together with the rules for directories that follow from it."""
    assert Filter.include(glob).dump()


def test_many_rules_cost_a_name_what_its_letters_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the rules make no name visit ten times the places."""
    counted = Counted(monkeypatch)
    steps = []
    for count in (150, 1500):
        selection = Filter(exclude=[f"/data/{number:05d}.txt" for number in range(count)])
        selection.rule_for("data/x")
        counted.places = 0
        assert selection.rule_for("data/00007.txt") is not None
        steps.append(counted.places)

    assert steps[1] <= 1.5 * steps[0]
