"""Named remotes: where they are written down, what the environment adds, and where their secrets come from."""

from __future__ import annotations

from omnistorage.core.secret import Secret

from .folders import state_folder
from .remotes import Config, Remote, default_path
from .secrets import resolve, resolved

__all__ = ["Config", "Remote", "Secret", "default_path", "resolve", "resolved", "state_folder"]
