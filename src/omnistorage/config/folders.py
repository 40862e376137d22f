"""Where this machine keeps what programs remember between runs, and nobody edits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

STATE: Final = "OMNISTORAGE_STATE"
"""Environment variable with the folder for state; set and empty, nothing is remembered."""


def state_folder(env: Mapping[str, str] | None = None) -> str | None:
    """Return the folder for state that an environment asks for; None if nothing is to be remembered.

    It is not made here. ``OMNISTORAGE_STATE`` goes before ``XDG_STATE_HOME``, and that before what the platform has.
    """
    import sys

    env = os.environ if env is None else env
    if STATE in env:
        return env[STATE] or None
    home = env.get("HOME") or os.path.expanduser("~")
    # Not on Windows, where the variable comes from shells that bring their own idea of a home.
    if sys.platform == "win32":
        folder = env.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif env.get("XDG_STATE_HOME"):
        folder = env["XDG_STATE_HOME"]
    elif sys.platform == "darwin":
        # The configuration stands in the same folder.
        return os.path.join(home, "Library", "Application Support", "omnistorage", "state")
    else:
        folder = os.path.join(home, ".local", "state")
    return os.path.join(folder, "omnistorage")
