"""A kind of import rule that import-linter does not have: files of a room that do not know each other."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class SiblingsContract(Contract):
    """Within a room, only files whose names begin with an underscore may be imported.

    Those are what the others share. So a driver, layer or command can be added or removed without looking at another,
    and nobody has to keep a list of them.
    """

    type_name = "siblings"

    room: Any = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find the imports of a file that is not shared."""
        children = sorted(graph.find_children(self.room))
        wrong = [
            (importer, imported)
            for imported in children
            if not imported.rpartition(".")[2].startswith("_")
            for importer in sorted(graph.find_modules_that_directly_import(imported))
            if importer.startswith(f"{self.room}.")
        ]
        return ContractCheck(kept=bool(children) and not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say who imports whom."""
        if not check.metadata["wrong"]:
            output.print_error(f"{self.room} is empty; is its name right?")
        for importer, imported in check.metadata["wrong"]:
            output.print_error(f"{importer} imports {imported}: what both need belongs in a file with an underscore")
