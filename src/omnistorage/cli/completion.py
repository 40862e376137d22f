"""``omnistorage completion``: print what lets the shell complete commands and flags."""

from __future__ import annotations

import sys

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script by which SHELL completes the commands and flags of omnistorage.

    \b
    bash: omnistorage completion bash > ~/.local/share/bash-completion/completions/omnistorage
    zsh:  omnistorage completion zsh > "${fpath[1]}/_omnistorage"
    fish: omnistorage completion fish > ~/.config/fish/completions/omnistorage.fish
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no script for {shell} is known")
    sys.stdout.write(kind(root, {}, "omnistorage", "_OMNISTORAGE_COMPLETE").source() + "\n")
