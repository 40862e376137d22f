"""Flags that say which names mean the same, for transfers and for ``check``."""

from __future__ import annotations

from typing import Any

import click

FOLDING = (
    click.option("--ignore-case-sync", is_flag=True, help="Names that are equal but for case are one name."),
    click.option("--no-unicode-normalization", is_flag=True, help="Composed and decomposed accents make two names."),
)

TRANSFORM = click.option(
    "--name-transform", multiple=True, metavar="HOW", help="Give other names: suffix=.bak, all,lowercase, …"
)


def transforms(given: Any) -> tuple[str, ...]:
    """Take the values of ``--name-transform``, if they can be understood."""
    if given:
        from omnistorage.sync.transforms import Renaming

        try:
            Renaming(given)
        except ValueError as exc:
            raise click.UsageError(str(exc)) from None
    return tuple(given)
