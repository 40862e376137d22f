"""Asking before each change of a run: yes, no, always, never, quit."""

from __future__ import annotations

import sys
import threading

from omnistorage.core.errors import printable
from omnistorage.core.units import format_size
from omnistorage.sync.model import Action, Verb

_WORDS = {
    Verb.COPY: "copy",
    Verb.TOUCH: "update the modification time of",
    Verb.METADATA: "update the metadata of",
    Verb.RENAME: "rename to",
    Verb.DELETE: "delete",
    Verb.MKDIR: "make the directory",
    Verb.RMDIR: "remove the directory",
}


class Asking:
    """Asks on stderr and reads the answers from standard input, one question at a time.

    After the end of the input, nothing more is changed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._always: dict[Verb, bool] = {}

    def approve(self, action: Action) -> bool:
        """Ask whether a change is to be made.

        Raises:
            KeyboardInterrupt: The answer was to quit.
        """
        with self._lock:
            known = self._always.get(action.verb)
            return self._ask(action) if known is None else known

    def _ask(self, action: Action) -> bool:
        info = action.src or action.dst
        size = f" ({format_size(info.size)})" if info is not None and info.size is not None else ""
        while True:
            sys.stderr.write(
                f"{_WORDS[action.verb]} {printable(action.path)!r}{size}: {action.reason}?\n"
                "  y)es, n)o, s)kip all of this kind, !) do all of this kind, q)uit> "
            )
            sys.stderr.flush()
            line = sys.stdin.readline()
            if not line or line.strip().lower() in ("q", "quit"):
                raise KeyboardInterrupt
            answer = line.strip().lower()
            if answer in ("y", "yes", "n", "no"):
                return answer[0] == "y"
            if answer in ("s", "!"):
                self._always[action.verb] = answer == "!"
                return answer == "!"
