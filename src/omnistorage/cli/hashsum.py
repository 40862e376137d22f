"""``omnistorage hashsum``: print hashes of any kind."""

from __future__ import annotations

import sys
from typing import Any

import click

from . import _hashsum


@click.command("hashsum")
@click.argument("kind", metavar="[TYPE", default="")
@click.argument("remote", metavar="[REMOTE]]", default="-")
@_hashsum.options
def command(kind: str, remote: str, **given: Any) -> None:
    """Print hash (of TYPE) and path of all objects at REMOTE.

    The output is that of md5sum. Without REMOTE, hash what comes by standard input; without TYPE, print the
    types there are.

    \b
    omnistorage hashsum
    omnistorage hashsum sha256 photos --output-file SUMS
    omnistorage hashsum blake3 s3://bucket --download
    """
    if kind:
        _hashsum.hashsum(kind, remote, **given)
        return
    from omnistorage.core.hashes import NAMES

    sys.stdout.write("Supported hashes are:\n" + "".join([f"- {name}\n" for name in NAMES]))
