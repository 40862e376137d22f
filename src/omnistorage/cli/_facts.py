"""What is installed: the facts that ``omnistorage version`` prints."""

from __future__ import annotations

import sys


def facts() -> dict[str, str]:
    """Return the versions of omnistorage and of Python, and the name of the system."""
    from omnistorage import __version__

    return {
        "omnistorage": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "system": sys.platform,
    }


def in_words() -> str:
    """Return the facts as lines for people."""
    known = facts()
    return f"omnistorage {known['omnistorage']}\n- python: {known['python']}\n- system: {known['system']}\n"
