"""``omnistorage listremotes``: print the names of the configured remotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._flags import common

if TYPE_CHECKING:
    from ._console import Console


@click.command()
@click.option("--long", is_flag=True, help="Print the type beside each name.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with name, type and source.")
@click.option("--type", "only", metavar="TYPE", help="Only remotes of this type.")
@common
def listremotes(long: bool, as_json: bool, only: str | None, console: Console, config: str | None) -> None:
    """Print the names of all configured remotes, sorted, each with its colon.

    \b
    omnistorage listremotes
    omnistorage listremotes --long --type s3
    """
    from omnistorage.config import Config

    remotes = [remote for remote in Config.load(config).remotes().values() if only in (None, remote.type)]
    if as_json:
        import msgspec

        rows = [{"name": remote.name, "type": remote.type, "source": remote.source} for remote in remotes]
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return
    width = max((len(remote.name) for remote in remotes), default=0) + 1
    for remote in remotes:
        name = remote.name + ":"
        click.echo(f"{name:<{width}} {remote.type}" if long else name)


command = listremotes
