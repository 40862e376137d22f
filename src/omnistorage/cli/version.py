"""``omnistorage version``: print what is installed."""

from __future__ import annotations

import sys

import click

from ._facts import facts, in_words


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Print the version of omnistorage, of Python and of the system.

    \b
    omnistorage version
    omnistorage version --json
    """
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(facts()).decode() + "\n")
        return
    sys.stdout.write(in_words())
