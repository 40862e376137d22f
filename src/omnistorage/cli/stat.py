"""``omnistorage stat``: say what is known of one object or directory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from . import _flags, _places

if TYPE_CHECKING:
    from omnistorage.core.info import ObjectInfo

    from ._console import Console


@click.command("stat")
@click.argument("remote")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_flags.common
def command(remote: str, as_json: bool, console: Console, config: str | None) -> None:
    """Say what is known of the object or directory at REMOTE.

    Its bytes are not read.

    \b
    omnistorage stat photos/a.jpg
    omnistorage stat s3://bucket/report.pdf --json
    """
    from omnistorage.core.info import DIR, ObjectInfo
    from omnistorage.opening import locate

    with _places.named(remote):
        storage, name = locate(remote, config=config)
        with storage:
            # Without real directories there is one wherever something may stand below.
            info = storage.stat(name) if name or storage.features.mkdir else ObjectInfo("", DIR)
            scheme = storage.scheme
    facts = _facts(info, remote, scheme)
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
        return
    words = [(key, value) for key, value in facts.items() if value not in (None, {}, "")]
    width = max(len(key) for key, _ in words) + 1
    sys.stdout.write("".join([f"{key + ':':<{width}} {_in_words(key, value)}\n" for key, value in words]))


def _facts(info: ObjectInfo, remote: str, scheme: str) -> dict[str, Any]:
    from omnistorage.core.errors import printable
    from omnistorage.core.grammar import canonical

    from ._times import formatter

    text = formatter("2006-01-02T15:04:05.000000000Z07:00")
    return {
        "place": canonical(remote),
        "name": printable(info.path),
        "kind": {"file": "object", "dir": "directory"}.get(info.kind.value, info.kind.value),
        "size": info.size,
        "modified": None if info.mtime_ns is None else text(info.mtime_ns),
        "content_type": info.content_type,
        "etag": info.etag,
        "version": info.version,
        "hashes": dict(info.hashes),
        "metadata": dict(info.metadata),
        "scheme": scheme,
    }


def _in_words(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={held}" for name, held in value.items())
    if key == "size" and value >= 1024:
        from omnistorage.core.units import format_size

        return f"{value} ({format_size(value)})"
    return str(value)
