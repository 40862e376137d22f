"""Making one storage like another: ``sync``, ``copy``, ``move`` and ``check``, as a library.

>>> import omnistorage
>>> from omnistorage.sync import sync
>>> with omnistorage.open("memory://") as src, omnistorage.open("memory://") as dst:
...     info = src.write_bytes("a.txt", b"hello")
...     result = sync(src, dst)
>>> result.transferred, result.ok
(1, True)
"""

from __future__ import annotations

from .check import CheckOptions, CheckResult, check
from .filters import Filter
from .guards import GuardError
from .model import Action, Compare, Difference, Event, Outcome, Policy, Result, Verb
from .recipes import Options, copy, copy_one, move, plan, sync

__all__ = [
    "sync",
    "copy",
    "move",
    "copy_one",
    "plan",
    "check",
    "CheckOptions",
    "CheckResult",
    "Difference",
    "Options",
    "Policy",
    "Compare",
    "Filter",
    "Action",
    "Verb",
    "Outcome",
    "Event",
    "Result",
    "GuardError",
]
