"""Named remotes: where they are written down, what the environment adds, and where their secrets come from."""

from __future__ import annotations

from .remotes import Config, Remote, default_path
from .secrets import Secret, resolve, resolved

__all__ = ["Config", "Remote", "Secret", "default_path", "resolve", "resolved"]
