"""``omnistorage about``: say how full a storage is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import _flags, _places

if TYPE_CHECKING:
    from ._console import Console

_FIELDS = ("total", "used", "free", "trashed", "other", "objects")


@click.command("about")
@click.argument("remote")
@click.option("--full", is_flag=True, help="Print sizes as numbers of bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, in bytes.")
@_flags.common
def command(remote: str, full: bool, as_json: bool, console: Console, config: str | None) -> None:
    """Say how full the storage at REMOTE is.

    \b
    omnistorage about work:
    omnistorage about . --full
    omnistorage about s3://bucket --json
    """
    from omnistorage.core.units import format_size

    with _places.named(remote), _places.folder(remote, config) as storage:
        if storage.features.mkdir:
            storage.stat("")
        usage = storage.about()
    known = {name: value for name in _FIELDS if (value := getattr(usage, name)) is not None}
    if as_json:
        import json

        sys.stdout.write(json.dumps(known, indent="\t") + "\n")
        return
    for name, value in known.items():
        text = str(value) if full or name == "objects" else format_size(value)
        sys.stdout.write(f"{name.title() + ':':<8} {text}\n")
