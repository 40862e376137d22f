"""Making one storage like another, and proving it: ``sync``, ``copy``, ``move``, ``check``, ``verify``, as a library.

>>> import omnistorage
>>> from omnistorage.sync import sync
>>> with omnistorage.open("memory://") as src, omnistorage.open("memory://") as dst:
...     info = src.write_bytes("a.txt", b"hello")
...     result = sync(src, dst)
>>> result.transferred, result.ok
(1, True)
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .check import CheckOptions, CheckResult, check
    from .checksum import ChecksumOptions, checksum
    from .dedupe import dedupe
    from .dedupe_model import DedupeEvent, DedupeOptions, DedupeResult
    from .events import AnyEvent, Began, Ended, Finished, Moved, Progress, events
    from .explaining import Explanation
    from .filters import Filter
    from .guards import GuardError
    from .joblock import Locked
    from .journal import Fingerprint, JobKey, Journal, UploadRecord
    from .metafilter import MetadataFilter
    from .model import Action, Compare, Difference, Event, Outcome, Policy, Result, Verb
    from .options import Options
    from .plans import PlanError, SavedPlan, apply_plan, write_plan
    from .recipes import copy, copy_one, move, plan, sync
    from .verify import Finding, State, VerifyOptions, VerifyResult, verify

__all__ = [
    "sync",
    "copy",
    "move",
    "copy_one",
    "plan",
    "check",
    "checksum",
    "verify",
    "CheckOptions",
    "CheckResult",
    "ChecksumOptions",
    "VerifyOptions",
    "VerifyResult",
    "Finding",
    "State",
    "Difference",
    "dedupe",
    "DedupeEvent",
    "DedupeOptions",
    "DedupeResult",
    "Options",
    "Policy",
    "Compare",
    "Filter",
    "MetadataFilter",
    "Explanation",
    "Action",
    "Verb",
    "Outcome",
    "Event",
    "Result",
    "GuardError",
    "events",
    "AnyEvent",
    "Began",
    "Moved",
    "Ended",
    "Progress",
    "Finished",
    "write_plan",
    "apply_plan",
    "SavedPlan",
    "PlanError",
    "Journal",
    "JobKey",
    "Fingerprint",
    "UploadRecord",
    "Locked",
]

_HOMES = {
    ".check": ("CheckOptions", "CheckResult", "check"),
    ".events": ("AnyEvent", "Began", "Ended", "Finished", "Moved", "Progress", "events"),
    ".explaining": ("Explanation",),
    ".dedupe": ("dedupe",),
    ".dedupe_model": ("DedupeEvent", "DedupeOptions", "DedupeResult"),
    ".checksum": ("ChecksumOptions", "checksum"),
    ".metafilter": ("MetadataFilter",),
    ".filters": ("Filter",),
    ".guards": ("GuardError",),
    ".joblock": ("Locked",),
    ".journal": ("Fingerprint", "JobKey", "Journal", "UploadRecord"),
    ".model": ("Action", "Compare", "Difference", "Event", "Outcome", "Policy", "Result", "Verb"),
    ".options": ("Options",),
    ".plans": ("PlanError", "SavedPlan", "apply_plan", "write_plan"),
    ".recipes": ("copy", "copy_one", "move", "plan", "sync"),
    ".verify": ("Finding", "State", "VerifyOptions", "VerifyResult", "verify"),
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for, so that a listing does not pay for the engine."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(home, __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Room(ModuleType):
    """A package in which functions such as ``plan`` and ``check`` keep their names.

    The files of the same names are imported by others, and the import system would then put the modules in
    their places.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in __all__):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room
