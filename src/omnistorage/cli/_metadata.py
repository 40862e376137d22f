"""The flags about what is kept beside the bytes: ``-M`` and what it can be told."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from omnistorage.sync.options import Options

from . import _flags

_OPTIONS = (
    click.option("-M", "--metadata", is_flag=True, help="Keep permissions, owner, user metadata (xattr) as well."),
    click.option(
        "--metadata-set",
        multiple=True,
        metavar="KEY=VALUE",
        help="Metadata for all that is stored; may be repeated.",
    ),
    click.option("--metadata-mapper", metavar="PROGRAM", help="Ask a program what metadata each object gets."),
    click.option("--metadata-include", multiple=True, metavar="GLOB", help="Take only objects with such KEY=VALUE."),
    click.option("--metadata-include-from", multiple=True, metavar="FILE", help="Globs to include, one per line."),
    click.option("--metadata-exclude", multiple=True, metavar="GLOB", help="Leave out objects with such KEY=VALUE."),
    click.option("--metadata-exclude-from", multiple=True, metavar="FILE", help="Globs to exclude, one per line."),
    click.option("--metadata-filter", multiple=True, metavar="RULE", help="A rule: '+ GLOB' or '- GLOB'."),
    click.option("--metadata-filter-from", multiple=True, metavar="FILE", help="Rules, one per line."),
)

_RULES = {
    "metadata_include": "include",
    "metadata_include_from": "include_from",
    "metadata_exclude": "exclude",
    "metadata_exclude_from": "exclude_from",
    "metadata_filter": "rules",
    "metadata_filter_from": "rules_from",
}


def flags(command: _flags.Command) -> _flags.Command:
    """Add the flags to a command; ``chosen`` takes them out of what it is given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(options: Options, given: dict[str, Any]) -> Options:
    """Return the options with what was chosen about metadata, which is taken out of ``given``.

    Raises:
        UsageError: A flag cannot be understood.
        FilterError: A rule is malformed.
    """
    rules = {ours: given.pop(flag) for flag, ours in _RULES.items()}
    keep, pairs, mapper = given.pop("metadata"), given.pop("metadata_set"), given.pop("metadata_mapper")
    wanted = None
    if any(rules.values()):
        from omnistorage.sync.metafilter import MetadataFilter

        wanted = MetadataFilter(**rules)
    if not (keep or pairs or mapper is not None or wanted):
        return options
    if mapper is not None:
        _check_mapper(mapper)
    return msgspec.structs.replace(
        options,
        metadata=keep,
        metadata_set=dict(map(_pair, pairs)),
        metadata_mapper=mapper or "",
        metadata_filter=wanted,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.UsageError(f"--metadata-set {text!r}: want KEY=VALUE")
    return name.lower(), value


def _check_mapper(command: str) -> None:
    from omnistorage.core.errors import ConfigError
    from omnistorage.sync.mapper import words

    try:
        words(command)
    except ConfigError as exc:
        raise click.UsageError(f"--metadata-mapper: {exc}") from None
