"""A text is matched against many regular expressions in one pass, and in linear time.

All expressions become one nondeterministic automaton; its deterministic twin is built while texts are read,
one transition at a time, and thrown away when it has grown too large. So no pattern a user writes can hang a
scan, and ten thousand patterns cost about as much as one.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import regexes
from .regexes import Alternatives, Assertion, Literal, Node, Repeat, Sequence, Set

__all__ = ["Automaton"]

_NO_RULE = 1 << 62
_MOST_KEPT = 300_000  # transitions and places of all states together, some 50 MB
_MOST_PREFIXES = 5_000


class _Place:
    """One state of the nondeterministic automaton: where one can go from here."""

    __slots__ = ("chars", "jumps", "rule", "sets")

    def __init__(self) -> None:
        self.chars: dict[str, list[_Place]] = {}
        self.sets: list[tuple[Set, _Place]] = []
        self.jumps: list[tuple[int, _Place]] = []
        self.rule = _NO_RULE


class _State(dict[str, "_State"]):
    """One state of the deterministic automaton: a set of places, and what was read just before.

    It is the table of its own transitions, so that following a known one is a single look-up.
    """

    __slots__ = ("_automaton", "_open", "before", "places", "rule")

    def __init__(self, automaton: Automaton, places: frozenset[_Place], before: str) -> None:
        self._automaton = automaton
        self._open: list[_Place] | None = None
        self.places = places
        self.before = before
        self.rule: int | None = None

    def __missing__(self, char: str) -> _State:
        automaton = self._automaton
        opened = self._open
        if opened is None or automaton.looks_ahead:
            opened = self._open = _spread(self.places, self.before, char)
        targets: set[_Place] = set()
        for place in opened:
            if char in place.chars:
                targets.update(place.chars[char])
            for chars, target in place.sets:
                if char in chars:
                    targets.add(target)
        state = self[char] = automaton.state(targets, char)
        return state

    def end(self) -> int:
        """Return the first rule that matches if the text ends here, or -1."""
        found = min((place.rule for place in _spread(self.places, self.before, "")), default=_NO_RULE)
        self.rule = -1 if found == _NO_RULE else found
        return self.rule


class Automaton:
    """Regular expressions, numbered from 0 in the order given; the text may match anywhere.

    Threads may share it: they can only do the same work twice.

    Raises:
        ValueError: One of them is bad.
    """

    def __init__(self, expressions: Iterable[str]) -> None:
        self.looks_ahead = False
        self._looks_back = False
        self._root = _Place()
        # A match may begin at any character, so the root is always a place to be.
        self._root.sets.append((regexes.ANY, self._root))
        self._kept = 0
        self._states: dict[tuple[frozenset[_Place], str], _State] = {}
        self._prefixes: dict[str, _State] = {}
        self._shared: dict[tuple[_Place, Node], _Place] = {}
        for rule, text in enumerate(expressions):
            self._add(text, rule)
        del self._shared
        self._start = self.state((self._root,), "")

    def first(self, path: str) -> int:
        """Return the number of the first expression that matches, or -1.

        What was found for the directory of one path is used again for the next one there.
        """
        cut = path.rfind("/") + 1
        state = self._prefixes.get(path[:cut])
        if state is None:
            state = self._prefix(path, cut)
        for char in path[cut:]:
            state = state[char]
        rule = state.rule
        return state.end() if rule is None else rule

    def _prefix(self, path: str, cut: int) -> _State:
        known = path.rfind("/", 0, cut - 1) + 1 if cut > 1 else 0
        state = self._prefixes.get(path[:known])
        if state is None:
            state, known = self._start, 0
        for char in path[known:cut]:
            state = state[char]
        if len(self._prefixes) > _MOST_PREFIXES:
            self._prefixes = {}
        self._prefixes[path[:cut]] = state
        return state

    def state(self, places: Iterable[_Place], char: str) -> _State:
        """Return the state with these places, after this character; ``""`` is the start of the text."""
        # Only what an assertion could ask about tells two states apart.
        before = char and "."
        if self._looks_back and char:
            before = "\n" if char == "\n" else "w" if _is_word(char) else "."
        key = (frozenset(places), before)
        state = self._states.get(key)
        self._kept += 1  # the transition itself: names may have any of a million characters
        if self._kept > _MOST_KEPT:
            self._forget()
            state = None
        if state is None:
            self._kept += len(key[0]) + 4
            state = self._states[key] = _State(self, *key)
        return state

    def _forget(self) -> None:
        """Begin anew; a walk that is under way goes on with the states it holds."""
        self._kept = 0
        self._states = {}
        self._prefixes = {}
        self._start = self.state((self._root,), "")

    def _add(self, text: str, rule: int) -> None:
        node = regexes.parse(text)
        place = self._root
        # Rules mostly begin alike; a common beginning is built once, which makes the rules a tree of letters.
        for part in node.parts if isinstance(node, Sequence) else (node,):
            known = self._shared.get((place, part))
            if known is None:
                known = self._shared[place, part] = self._build(part, place)
            place = known
        # An expression need not reach to the end of the text; what comes after its match is not looked at.
        done = _fork(place)
        done.sets.append((regexes.ANY, done))
        done.rule = rule

    def _build(self, node: Node, start: _Place) -> _Place:
        """Add what leads from ``start`` through ``node``, and return where it leads to."""
        match node:
            case Literal(chars):
                end = _Place()
                for char in chars:
                    start.chars.setdefault(char, []).append(end)
            case Set():
                end = _Place()
                start.sets.append((node, end))
            case Assertion(kind):
                self._looks_back |= kind not in (regexes.TEXT_START, regexes.TEXT_END)
                self.looks_ahead |= kind in (regexes.LINE_END, regexes.WORD_EDGE, regexes.NO_WORD_EDGE)
                end = _Place()
                start.jumps.append((kind, end))
            case Sequence(parts):
                end = start
                for part in parts:
                    end = self._build(part, end)
            case Alternatives(choices):
                end = _Place()
                for choice in choices:
                    self._build(choice, _fork(start)).jumps.append((regexes.ALWAYS, end))
            case Repeat(part, least, most):
                end = self._repeat(part, least, most, start)
        return end

    def _repeat(self, part: Node, least: int, most: int | None, start: _Place) -> _Place:
        place = start
        for _ in range(least):
            place = self._build(part, place)
        end = _Place()
        if most is None:
            # Not at ``place`` itself: another rule may go on from there, and is not to be repeated.
            loop = _fork(place)
            self._build(part, loop).jumps.append((regexes.ALWAYS, loop))
            loop.jumps.append((regexes.ALWAYS, end))
            return end
        for _ in range(most - least):
            place.jumps.append((regexes.ALWAYS, end))
            place = self._build(part, _fork(place))
        place.jumps.append((regexes.ALWAYS, end))
        return end


def _fork(place: _Place) -> _Place:
    fork = _Place()
    place.jumps.append((regexes.ALWAYS, fork))
    return fork


def _spread(places: Iterable[_Place], before: str, after: str) -> list[_Place]:
    """Return the places reachable without reading, between these two characters (``""``: the text's edge)."""
    found = list(places)
    seen = set(found)
    for place in found:  # grows while it is walked
        for kind, target in place.jumps:
            if target not in seen and (kind == regexes.ALWAYS or _holds(kind, before, after)):
                seen.add(target)
                found.append(target)
    return found


def _holds(kind: int, before: str, after: str) -> bool:
    if kind == regexes.TEXT_START:
        return not before
    if kind == regexes.TEXT_END:
        return not after
    if kind == regexes.LINE_START:
        return before in ("", "\n")
    if kind == regexes.LINE_END:
        return after in ("", "\n")
    edge = _is_word(before) is not _is_word(after)
    return edge is (kind == regexes.WORD_EDGE)


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")
