"""The flags about symbolic links, ``-l``, ``-L`` and ``--skip-links``, and what they mean for places of this machine.

What was chosen stands in the context of the command that runs, so that whatever opens a place for it can ask.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnistorage.opening import Place

Command = Callable[..., Any]

_KEY = "omnistorage.links"


def linking(command: Command) -> Command:
    """Add the flags to a command that only reads."""
    return _with_flags(command)


def linking_both(command: Command) -> Command:
    """Add the flags to a command that writes as well, and one about what it may write."""
    import click

    name = "--local-metadata-restore-special-bits"
    return _with_flags(
        command,
        click.option(name, "special_bits", is_flag=True, help="With -M: setuid, setgid and sticky bits as well."),
    )


def to_read(text: str, config: str | None) -> Place:
    """Return a place that is read, with what was chosen about links."""
    links = _chosen().get("links")
    return _place(text, config, {"links": links} if links else {})


def to_write(text: str, config: str | None) -> Place:
    """Return a place that is written to. Where a link of it leads, nothing is written to or deleted."""
    wanted = {name: _chosen()[name] for name in ("links", "special_bits") if _chosen().get(name)}
    return _place(text, config, {name: value for name, value in wanted.items() if value != "follow"})


def are_followed() -> bool:
    """Say whether links were to be followed: one that is left could not be."""
    return _chosen().get("links") == "follow"


def are_skipped() -> bool:
    """Say whether links are left out without a word."""
    return bool(_chosen().get("skip_links"))


def chosen() -> dict[str, Any]:
    """Return all that was chosen, so that ``choose`` can make it count elsewhere."""
    return dict(_chosen())


def choose(wanted: dict[str, Any]) -> None:
    """Let what was chosen before count for the command that runs now, where its own flags say nothing."""
    import click

    meta = click.get_current_context().meta
    meta[_KEY] = {**wanted, **{name: value for name, value in _chosen().items() if value}}


def _with_flags(command: Command, *more: Callable[[Any], Any]) -> Command:
    import click

    @wraps(command)
    def wrapper(**given: Any) -> Any:
        keep, follow, skip = given.pop("links"), given.pop("copy_links"), given.pop("skip_links")
        if keep and follow:
            raise click.UsageError("-l/--links and -L/--copy-links exclude each other")
        click.get_current_context().meta[_KEY] = {
            "links": "keep" if keep else "follow" if follow else "",
            "skip_links": skip,
            "special_bits": given.pop("special_bits", False),
        }
        return command(**given)

    options = (
        click.option("-l", "--links", is_flag=True, help="Keep symbolic links; elsewhere they are NAME.rclonelink."),
        click.option("-L", "--copy-links", is_flag=True, help="Follow symbolic links to what they point to."),
        click.option("--skip-links", is_flag=True, help="Leave symbolic links out without a word."),
        *more,
    )
    decorated: Command = wrapper
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _chosen() -> dict[str, Any]:
    # Some listings run without what parses flags; nothing was chosen for them.
    click: Any = sys.modules.get("click")
    context = None if click is None else click.get_current_context(silent=True)
    chosen: dict[str, Any] = {} if context is None else context.meta.get(_KEY, {})
    return chosen


def _place(text: str, config: str | None, wanted: dict[str, Any]) -> Place:
    if not wanted:
        return text
    from omnistorage import registry
    from omnistorage.opening import parse, resolve

    address = parse(text)
    known = registry.driver_class(resolve(address, config=config).scheme).options_class.__struct_fields__
    # What the address says was meant for this place alone, and a service that knows no links is not asked for any.
    own = {name.replace("-", "_").lower() for name in address.options}
    options = {name: value for name, value in wanted.items() if name in known and name not in own}
    return resolve(address, config=config, **options)
