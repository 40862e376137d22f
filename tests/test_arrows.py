"""The import rule of our own finds what it is there to find; import-linter's are proven by import-linter."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from grimp import ImportGraph
from importlinter import ContractCheck

from scripts.contracts import SiblingsContract


def check(room: str, *arrows: tuple[str, str], modules: Iterable[str] = ()) -> ContractCheck:
    """Check the rule for ``room`` on a graph with these imports."""
    graph = ImportGraph()
    for module in {"house", "house.drivers", *modules, *(end for arrow in arrows for end in arrow)}:
        graph.add_module(module)
    for importer, imported in arrows:
        graph.add_import(importer=importer, imported=imported)
    contract = SiblingsContract(name="siblings", session_options={}, contract_options={"room": room})
    return contract.check(graph, verbose=False)


ALLOWED = {
    "what is shared": ("house.drivers.file", "house.drivers._local"),
    "what is shared, by what is shared": ("house.drivers._local", "house.drivers._names"),
    "a room below": ("house.drivers.file", "house.core"),
    "from outside": ("house.registry", "house.drivers.file"),
}
REFUSED = {
    "a sibling": ("house.drivers.file", "house.drivers.memory"),
    "by what is shared": ("house.drivers._local", "house.drivers.file"),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(case: str) -> None:
    """What begins with an underscore may be imported within the room, and anything from outside."""
    found = check("house.drivers", ALLOWED[case], modules=["house.drivers.file"])

    assert found.kept


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """A file of the room that is not shared may not be imported within it."""
    found = check("house.drivers", REFUSED[case])

    assert not found.kept
    assert found.metadata["wrong"] == [REFUSED[case]]


def test_wrong_name() -> None:
    """A rule about a room that has no files is broken: its name is wrong."""
    found = check("house.drivers")

    assert not found.kept
