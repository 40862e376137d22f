"""``omnistorage version``: print what is installed."""

from __future__ import annotations

import sys

import click


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Print the version of omnistorage, of Python and of the system."""
    from omnistorage import __version__

    facts = {
        "omnistorage": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "system": sys.platform,
    }
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(facts))
        return
    click.echo(f"omnistorage {facts['omnistorage']}")
    click.echo(f"- python: {facts['python']}")
    click.echo(f"- system: {facts['system']}")
