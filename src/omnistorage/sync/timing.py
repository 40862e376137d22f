"""When a delete may be done: as soon as the absence of its object at the source is proven, or later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from omnistorage.core.paths import parent

from .model import Action
from .scan import Scan
from .spool import Spool


class Held:
    """Deletes that wait for the listing of their directory at the source to come to its end.

    The nearest directory above an object that the source has, too, is the one whose listing tells that it is not
    there. While the scan is in that directory or below it, the listing may still fail; when it has left, no more.

    Args:
        scan: The scan of the source.
    """

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._waiting: deque[tuple[str, Action]] = deque()
        self._ready: deque[Action] = deque()
        self._last: Spool[Action] = Spool()

    def add(self, action: Action) -> None:
        """Take a delete."""
        scan, folder = self._scan, parent(action.path)
        anchor = _shared(folder, scan.folder) if scan.leaves_folders else ""
        if scan.leaves_folders and len(_shared(folder, scan.left)) > len(anchor):
            # The walk has been there, or below the nearest one that the source has, and has left.
            self._ready.append(action)
        elif anchor:
            self._waiting.append((anchor, action))
        else:
            # The listing of the root ends with the scan, and there may be many of these.
            self._last.append(action)

    def ripe(self) -> Iterator[Action]:
        """Yield those that need not wait any longer, in the order in which they came."""
        waiting, folder = self._waiting, self._scan.folder
        while self._ready:
            yield self._ready.popleft()
        while waiting and not _is_in(folder, waiting[0][0]):
            yield waiting.popleft()[1]

    def rest(self) -> Iterator[Action]:
        """Yield all that still wait: the scan has ended."""
        yield from self.ripe()
        while self._waiting:
            yield self._waiting.popleft()[1]
        yield from self._last

    def __len__(self) -> int:
        return len(self._ready) + len(self._waiting) + len(self._last)

    def close(self) -> None:
        """Free the disk space."""
        self._last.close()


def _shared(one: str, two: str) -> str:
    """Return the deepest directory that both lie in or are; empty for the root."""
    while one and not _is_in(two, one):
        one = parent(one)
    return one


def _is_in(folder: str, above: str) -> bool:
    return folder == above or folder.startswith(above + "/")
