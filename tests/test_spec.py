"""The rules of a sync and the tests that cite them stay together."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
SPEC = TESTS.parent / "docs" / "spec" / "sync.md"
_RULE = re.compile(r"^## Rule (\d+): (.+?)\n(.+?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def rules() -> dict[int, str]:
    """Return the number of each rule and what the page says of it."""
    return {int(number): text for number, _, text in _RULE.findall(SPEC.read_text("utf-8"))}


def cited() -> set[int]:
    """Return the numbers of all rules that a test cites."""
    here = Path(__file__).name
    texts = (path.read_text("utf-8") for path in TESTS.rglob("*.py") if path.name != here)
    return {int(number) for text in texts for number in re.findall(r"\bRule (\d+)\b", text)}


def test_rules_are_numbered() -> None:
    """There are twelve rules, and each says what holds today."""
    found = rules()

    assert list(found) == list(range(1, 13))
    assert [number for number, text in found.items() if "**Today**" not in text] == []


def test_rules_that_hold_are_proven() -> None:
    """Each rule that is said to hold is cited by a test."""
    holding = {number for number, text in rules().items() if "**Today**: holds" in text}

    assert len(holding) >= 9
    assert sorted(holding - cited()) == []


def test_citations_name_a_rule() -> None:
    """No test cites a rule that is not there."""
    assert sorted(cited() - rules().keys()) == []
