"""``omnistorage versions``: list the versions of an object, read one, or bring it back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from omnistorage.core.errors import NotFound

from . import _flags, _places
from ._exits import NO_OBJECT, Exit

if TYPE_CHECKING:
    from omnistorage.core.info import ObjectInfo

    from ._console import Console


@click.command("versions")
@click.argument("remote")
@click.option("--cat", "shown", metavar="VERSION", help="Print the bytes of a version.")
@click.option("--restore", metavar="VERSION", help="Make a version the present one; the others stay.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@_flags.common
def command(
    remote: str, shown: str | None, restore: str | None, as_json: bool, console: Console, config: str | None
) -> None:
    """List the versions of the object REMOTE, newest first: size, when it was stored, and name.

    An object that was deleted has those it had, where the bucket keeps versions. The option versioned of the storage
    says that it does.

    \b
    omnistorage versions 's3://bucket/report.pdf?versioned=true'
    omnistorage versions work:report.pdf --cat VERSION > old.pdf
    omnistorage versions work:report.pdf --restore VERSION
    """
    if shown is not None and restore is not None:
        raise click.UsageError("--cat and --restore exclude each other")
    try:
        with _places.named(remote):
            storage, name = _places.to_write(remote, config)
            with storage:
                if shown is not None:
                    from omnistorage.core.streams import copy_stream

                    with storage.open_reader(name, version=shown) as reader:
                        copy_stream(reader, sys.stdout.buffer.write)
                elif restore is not None:
                    storage.restore(name, restore)
                    console.info(name, f"is what version {restore} was")
                else:
                    for info in storage.versions(name):
                        sys.stdout.write(_json(info) if as_json else _line(info))
    except NotFound as exc:
        raise Exit(NO_OBJECT, str(exc)) from exc


def _line(info: ObjectInfo) -> str:
    return f"{info.size or 0:>12} {_time(info, '2006-01-02 15:04:05.000')} {info.version}\n"


def _json(info: ObjectInfo) -> str:
    import msgspec

    facts = {
        "version": info.version,
        "size": info.size,
        "stored": _time(info, "2006-01-02T15:04:05.000000000Z07:00"),
        "etag": info.etag,
        "hashes": dict(info.hashes),
    }
    return msgspec.json.encode(facts).decode() + "\n"


def _time(info: ObjectInfo, layout: str) -> str:
    from ._times import formatter

    return formatter(layout)(info.mtime_ns or 0)
