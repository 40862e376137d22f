"""``omnistorage lsjson``: print what is there as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
import msgspec

from omnistorage.core.info import DIR, FILE, ObjectInfo

from . import _flags, _links, _places
from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from omnistorage.storage import Storage
    from omnistorage.sync.filters import Filter

    from ._console import Console
    from ._hashing import Hashing

UNSET = msgspec.UNSET
Maybe = msgspec.UnsetType


class Row(msgspec.Struct, rename="pascal"):
    """One entry, with rclone's names; what is UNSET is not printed."""

    path: str
    name: str
    size: int
    mime_type: str | Maybe
    mod_time: str
    is_dir: bool
    hashes: dict[str, str] | Maybe = UNSET
    metadata: dict[str, str] | Maybe = UNSET


@click.command("lsjson")
@click.argument("remote")
@click.option("-R", "--recursive", is_flag=True, help="Go into directories.")
@click.option("--stat", "only_stat", is_flag=True, help="Print one object, about REMOTE itself.")
@click.option("--dirs-only", is_flag=True, help="Print directories only.")
@click.option("--files-only", is_flag=True, help="Print objects only.")
@click.option("--hash", "all_hashes", is_flag=True, help="Add hashes: all that do not take very long.")
@click.option("--hash-type", "hash_types", multiple=True, metavar="NAME", help="Add this hash; may be repeated.")
@click.option("--no-modtime", is_flag=True, help="Leave times empty.")
@click.option("--no-mimetype", is_flag=True, help="Leave MIME types out.")
@click.option("-M", "--metadata", is_flag=True, help="Add metadata: permissions, owner, times, the user's own.")
@_links.linking
@_flags.filtering
@_flags.common
def command(
    remote: str,
    recursive: bool,
    only_stat: bool,
    dirs_only: bool,
    files_only: bool,
    all_hashes: bool,
    hash_types: tuple[str, ...],
    no_modtime: bool,
    no_mimetype: bool,
    metadata: bool,
    selection: Filter,
    console: Console,
    config: str | None,
) -> None:
    """Print what is at REMOTE as a JSON list.

    Each entry is an object on a line of its own. The keys are Path, Name, Size (bytes, -1 if unknown),
    MimeType, ModTime, IsDir, and if asked for Hashes and
    Metadata. Bytes of names that are not UTF-8 become U+FFFD. Nothing is printed if there is nothing at REMOTE.

    \b
    omnistorage lsjson photos
    omnistorage lsjson -R photos --files-only --hash-type sha256
    omnistorage lsjson --stat photos/2026/a.jpg
    """
    from ._hashing import Hashing

    with _places.pages(
        remote, selection, config, console, recursive=recursive, times=not no_modtime, folders=not files_only
    ) as found:
        hashing = Hashing(found.storage, _hash_names(found.storage, all_hashes, hash_types), console)
        rows = _rows(hashing, no_modtime, no_mimetype, metadata)
        if only_stat:
            _print_one(found, rows)
        else:
            _print_all(found, rows, (() if dirs_only else (FILE,)) + (() if files_only else (DIR,)))
    if hashing.failed:
        raise Exit(FAILED)


def _hash_names(storage: Storage, every: bool, wanted: tuple[str, ...]) -> list[str]:
    if wanted or not every:
        return list(wanted)
    features = storage.features
    # This one takes ten seconds per megabyte where the system's library lacks it: only if it is named.
    return sorted((features.computes | features.hashes) - {"whirlpool"})


def _rows(
    hashing: Hashing, no_modtime: bool, no_mimetype: bool, metadata: bool
) -> Callable[[list[ObjectInfo]], list[Row]]:
    from omnistorage.core.mime import mime_type

    from ._times import formatter

    if metadata:
        from omnistorage.sync.attributes import metadata_of

    text = formatter("2006-01-02T15:04:05.000000000Z07:00")
    with_hashes = bool(hashing.names)
    storage = hashing.storage

    def row(info: ObjectInfo) -> Row:
        path = _valid(info.path)
        made = Row(
            path,
            path.rpartition("/")[2],
            -1 if info.size is None else info.size,
            UNSET if no_mimetype else mime_type(info),
            "" if no_modtime else text(info.mtime_ns),
            info.kind is DIR,
        )
        if with_hashes and info.kind is FILE:
            made.hashes = hashing.of(info)
        if metadata and (info.path or storage.features.mkdir):
            told = metadata_of(storage.driver, info.path)
            made.metadata = {_valid(key): _valid(value) for key, value in told.items()}
        return made

    return lambda infos: [row(info) for info in infos]


def _print_one(found: _places.Listing, rows: Callable[[list[ObjectInfo]], list[Row]]) -> None:
    import json

    info = found.storage.stat(found.name) if found.name else _root(found.storage)
    held: dict[str, Any] = msgspec.to_builtins(rows([info])[0])
    sys.stdout.write(json.dumps(held, indent="\t", ensure_ascii=False) + "\n")


def _root(storage: Storage) -> ObjectInfo:
    return storage.stat("") if storage.features.mkdir else ObjectInfo("", DIR)


def _print_all(
    found: _places.Listing, rows: Callable[[list[ObjectInfo]], list[Row]], wanted: tuple[object, ...]
) -> None:
    encoder = msgspec.json.Encoder()
    write = sys.stdout.write
    begun = False
    try:
        for infos in found:
            chosen = rows([info for info in infos if info.kind in wanted])
            if not chosen:
                continue
            lines = encoder.encode_lines(chosen).decode().rstrip("\n")
            # A newline inside a string is escaped, so these can only stand between two rows.
            write((",\n" if begun else "[\n") + lines.replace("}\n{", "},\n{"))
            begun = True
    except BaseException:
        # Half a listing is still a list.
        if begun:
            write("\n]\n")
        raise
    write("\n]\n" if begun else "[\n]\n")


def _valid(path: str) -> str:
    if path.isascii():
        return path
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
