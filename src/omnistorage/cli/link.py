"""``omnistorage link``: make a link that works without credentials."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from omnistorage.core.errors import IsADirectory, NotFound

from . import _flags, _places
from ._exits import NO_OBJECT, Exit

if TYPE_CHECKING:
    from ._console import Console

_METHODS = ("GET", "HEAD", "PUT", "DELETE", "POST")


@click.command("link")
@click.argument("remote")
@click.option("--expire", type=_flags.DURATION, default=None, help="How long it works; 7d by default.")
@click.option(
    "--method",
    type=click.Choice(_METHODS, case_sensitive=False),
    default="GET",
    help="What its holder may do; POST makes a form.",
)
@click.option("--max-size", type=_flags.SIZE, default=None, help="Most bytes that a form takes.")
@_flags.common
def command(
    remote: str, expire: float | None, method: str, max_size: int | None, console: Console, config: str | None
) -> None:
    """Print a link by which anybody can read the object REMOTE for a while.

    With --method PUT they can store it, with --method POST a browser can: printed then is a JSON object with the url
    and the fields of a form of type multipart/form-data, to which the field file is added as the last one.

    Whoever has a link needs nothing else, so do not log it. A link ends early where the credentials do by which it
    was made.

    \b
    omnistorage link s3://bucket/report.pdf --expire 1h
    curl -T photo.jpg "$(omnistorage link s3://bucket/in/photo.jpg --method PUT)"
    omnistorage link work:in/upload --method POST --max-size 10Mi
    """
    seconds = 7 * 86400.0 if expire is None else expire
    if max_size is not None and method != "POST":
        raise click.UsageError("--max-size is for forms (--method POST)")
    try:
        with _places.named(remote):
            storage, name = _places.to_write(remote, config)
            with storage:
                if method in ("GET", "HEAD") and storage.features.presign and storage.stat(name).is_dir:
                    # A link to nothing would be found out by its holder only.
                    raise IsADirectory("there is no object of that name, only a directory", op="link", path=name)
                if method == "POST":
                    import msgspec

                    form = storage.form(name, expires=seconds, max_size=max_size)
                    sys.stdout.write(msgspec.json.encode(form).decode() + "\n")
                    return
                sys.stdout.write(storage.link(name, method=method, expires=seconds) + "\n")
    except NotFound as exc:
        raise Exit(NO_OBJECT, str(exc)) from exc
