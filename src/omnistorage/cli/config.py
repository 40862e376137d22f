"""``omnistorage config``: make, change and show the remotes of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._flags import common, dry_run

if TYPE_CHECKING:
    from omnistorage.config import Config
    from omnistorage.registry import BackendInfo

    from ._console import Console


@click.group(invoke_without_command=True)
@common
@click.pass_context
def config(ctx: click.Context, console: Console, config: str | None) -> None:
    """Make, change and show configured remotes.

    The configuration is a TOML file, see "omnistorage config file". A setting may name the place of a secret
    rather than hold it: env:NAME is an environment variable, file:/path a file.
    """
    # Flags that stand here, as in "omnistorage -v config create", are meant for the sub-command.
    ctx.default_map = {ctx.invoked_subcommand or "": ctx.params}
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@config.command()
@click.argument("name")
@click.argument("type")
@click.argument("settings", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--replace", is_flag=True, help="Give up a remote of this name that is there and says something else.")
@common
def create(
    name: str, type: str, settings: tuple[str, ...], replace: bool, console: Console, config: str | None
) -> None:
    """Make a remote NAME of the backend TYPE.

    Settings are KEY=VALUE, or KEY VALUE. The setting "root" is the path that the remote begins at. Making the same
    remote again is fine.
    """
    options = _typed(type, _pairs(settings))
    root = options.pop("root", "")
    held = _writable(config)
    held.create(name, type, options, root=root, replace=replace)
    console.info(name, f"is in {held.path}")


@config.command()
@click.argument("name")
@click.argument("settings", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--unset", multiple=True, metavar="KEY", help="Take a setting out; can be given several times.")
@common
def update(
    name: str, settings: tuple[str, ...], unset: tuple[str, ...], console: Console, config: str | None
) -> None:
    """Change settings of the remote NAME; the others stay."""
    held = _writable(config)
    changes = _pairs(settings)
    kind = changes.get("type") or held.remote(name).type
    held.update(name, _typed(kind, changes), remove=unset)
    console.info(name, f"is changed in {held.path}")


@config.command()
@click.argument("name")
@common
def delete(name: str, console: Console, config: str | None) -> None:
    """Take the remote NAME out of the configuration; what is stored there stays."""
    held = _writable(config)
    held.delete(name)
    console.info(name, f"is no longer in {held.path}")


@config.command()
@click.argument("name", required=False)
@common
def show(name: str | None, console: Console, config: str | None) -> None:
    """Print the remote NAME, or all, as TOML without secrets."""
    from omnistorage.config.toml import dumps

    held = _config(config)
    tables = {name: held.remote(name).as_dict()} if name else held.dump()
    click.echo(dumps({"remotes": tables}), nl=False)


@config.command()
@click.option("--secrets", is_flag=True, help="Print secrets, too.")
@common
def dump(secrets: bool, console: Console, config: str | None) -> None:
    """Print all remotes as one JSON object, without secrets."""
    _echo_json(_config(config).dump(redact=not secrets))


@config.command()
@common
def file(console: Console, config: str | None) -> None:
    """Print the path of the configuration."""
    held = _config(config, read=False)
    if held.path is None:
        console.notice("", "there is no file: --config or OMNISTORAGE_CONFIG is empty")
        return
    from os.path import exists

    click.echo(held.path)
    if not exists(held.path):
        console.notice("", "the file does not exist; it is made when the first remote is")


@config.command()
@common
def paths(console: Console, config: str | None) -> None:
    """Print the paths that are used: the configuration, and the folder for temporary files."""
    from tempfile import gettempdir

    click.echo(f"Config file: {_config(config, read=False).path or ''}")
    click.echo(f"Temp dir:    {gettempdir()}")


@config.command()
@common
def touch(console: Console, config: str | None) -> None:
    """Make the configuration, empty, if there is none."""
    _config(config).touch()


@config.command()
@click.argument("type", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@common
def backends(type: str | None, as_json: bool, console: Console, config: str | None) -> None:
    """Print the backends, or the one of this TYPE, with their settings."""
    from omnistorage import registry

    infos = [registry.describe(type)] if type else registry.describe_all()
    if as_json:
        _echo_json(infos)
    else:
        click.echo("\n\n".join(map(_in_words, infos)))


config.add_command(backends, "providers")


@config.command("import")
@click.argument("file", required=False)
@click.option("--env", is_flag=True, help="Read RCLONE_CONFIG_NAME_OPTION of the environment, too.")
@click.option(
    "--password-command",
    metavar="COMMAND",
    envvar="RCLONE_PASSWORD_COMMAND",
    help="Program that prints the password of an enciphered FILE.",
)
@click.option("--overwrite", "--replace", is_flag=True, help="Give up remotes that are there and say something else.")
@click.option("--secrets-dir", metavar="FOLDER", default="", help="Put secrets into files of this folder.")
@click.option("--strict", is_flag=True, help="End with 1 if anything was left out.")
@dry_run
@common
def import_(
    file: str | None,
    env: bool,
    password_command: str | None,
    overwrite: bool,
    secrets_dir: str,
    strict: bool,
    dry_run: bool,
    console: Console,
    config: str | None,
) -> None:
    """Make remotes of those in rclone's configuration FILE; the file stays as it is.

    Without FILE, it is looked for where rclone does; - is standard input. What cannot be carried over is named. A
    file that is enciphered needs its password: from the program, RCLONE_CONFIG_PASS, or you.

    \b
    omnistorage config import -n
    omnistorage config import ~/.config/rclone/rclone.conf
    """
    from ._importing import Wishes, import_remotes

    held = _config(config) if dry_run else _writable(config)
    wishes = Wishes(
        env=env,
        password_command=password_command,
        overwrite=overwrite,
        secrets_dir=secrets_dir,
        strict=strict,
        dry_run=dry_run,
    )
    import_remotes(held, file, wishes, console)


def _config(path: str | None, *, read: bool = True) -> Config:
    import os

    from omnistorage.config import Config, default_path

    if read:
        return Config.load(path)
    # A file that cannot be read still has a path.
    return Config(default_path(os.environ) if path is None else path or None)


def _writable(path: str | None) -> Config:
    from omnistorage.core.errors import ConfigError

    held = _config(path)
    if held.path is None:
        raise ConfigError("there is no file to write to: --config or OMNISTORAGE_CONFIG is empty")
    return held


def _pairs(settings: tuple[str, ...]) -> dict[str, str]:
    """Return settings given as ``KEY=VALUE`` or ``KEY VALUE``."""
    pairs: dict[str, str] = {}
    rest = iter(settings)
    for setting in rest:
        name, equals, value = setting.partition("=")
        if not equals:
            given = next(rest, None)
            if given is None:
                raise click.UsageError(f"the setting {name!r} has no value; write {name}=VALUE")
            value = given
        pairs[name.replace("-", "_").lower()] = value
    return pairs


def _typed(type: str, pairs: dict[str, str]) -> dict[str, Any]:
    """Return settings as the driver wants them; ``type`` and ``root`` are the remote's own."""
    from omnistorage import registry

    own = {name: pairs[name] for name in ("type", "root") if name in pairs}
    return own | registry.typed(type, {name: value for name, value in pairs.items() if name not in own})


def _in_words(info: BackendInfo) -> str:
    lines = [f"{info.scheme}: {info.help or info.missing}"]
    for option in info.options:
        default = "required" if option.required else f"default {option.default!r}"
        lines.append(f"  {option.name} ({option.type}; {default})")
        if option.help:
            lines.append(click.wrap_text(option.help, 100, "      ", "      "))
    return "\n".join(lines)


def _echo_json(value: object) -> None:
    import msgspec

    encoded = msgspec.json.encode(value, enc_hook=str)
    click.echo(msgspec.json.format(encoded, indent=2).decode())


command = config
