"""``lsf FOLDER`` of this machine, answered without importing what other storages and other flags need."""

from __future__ import annotations

from omnistorage.core.localnames import plain_names

# As in typing, which takes longer to import than this takes to run.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS = frozenset(("--files-only", "--dirs-only"))


def local_names(flags: Sequence[str], place: str) -> list[str] | None:
    """Return the names in a folder, those of folders with a slash; None if the long way must be gone.

    That is so for other flags and addresses, and wherever there is something to report: links, failures.
    """
    if not _FLAGS.issuperset(flags) or not place or ":" in place:
        return None
    try:
        names, odd = plain_names(place)
    except (OSError, ValueError):
        return None
    if odd:
        return None
    if "--files-only" in flags:
        names = [name for name in names if name[-1] != "/"]
    if "--dirs-only" in flags:
        names = [name for name in names if name[-1] == "/"]
    return names
