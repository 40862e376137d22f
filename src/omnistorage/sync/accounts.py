"""The books of a run: what came of each action goes into the totals, and folders that were changed are noted."""

from __future__ import annotations

from collections.abc import Iterator

from omnistorage.core.paths import parent

from .model import CONTENTS_DIFFER, Action, Outcome, Result, Verb, origin_of
from .spool import Spool

_MOST_FAILURES = 1000
_MOST_NOTED = 1000


class Accounts:
    """Keeps the totals of a run, as its outcomes come.

    Args:
        totals: The counters.
        move: The run deletes at the source what it has proven to be at the destination.
    """

    def __init__(self, totals: Result, *, move: bool) -> None:
        self.totals = totals
        self._move = move
        self._changed_dirs: Spool[tuple[str, str]] = Spool()
        self._noted: set[str] = set()

    def enter(self, outcome: Outcome) -> None:
        """Count what came of one action."""
        totals, action = self.totals, outcome.action
        verb = action.verb
        totals.metadata_lost += bool(outcome.lost)
        if outcome.error is not None:
            totals.errors += 1
            if len(totals.failures) < _MOST_FAILURES:
                totals.failures.append(outcome)
            if not totals.exit_code or totals.exit_code == 1:
                totals.exit_code = action.exit_code
            return
        totals.backed_up += bool(outcome.backup)
        if verb is Verb.COPY:
            totals.transferred += 1
            totals.bytes += outcome.bytes
            totals.resumed += outcome.resumed
            totals.server_moves += outcome.renamed
            totals.unverified += outcome.verified == "size"
            totals.deleted_sources += self._move
            if action.reason == CONTENTS_DIFFER:
                # The plan could not know: the content had to be looked at.
                totals.planned += 1
                totals.planned_bytes += outcome.bytes
            self._note_dir(action)
        elif verb is Verb.TOUCH:
            totals.touched += 1
            totals.deleted_sources += self._move
        elif verb is Verb.METADATA:
            totals.metadata_set += 1
            totals.deleted_sources += self._move
        elif verb is Verb.DELETE:
            totals.deleted += 1
            totals.deleted_bytes += (action.dst.size or 0) if action.dst is not None else 0
            self._note_dir(action)
        elif verb is Verb.RENAME:
            totals.renamed += 1
            self._note_dir(action)
            if action.dst is not None:
                self._note(parent(action.dst.path), parent(action.dst.path))
        elif verb is Verb.RMDIR:
            totals.deleted_dirs += 1
            self._note_dir(action)
        elif verb is Verb.MKDIR:
            totals.made_dirs += 1
            self._note_dir(action)
        elif verb is Verb.SKIP:
            totals.skipped += 1
        elif verb is Verb.KEEP and outcome.verified:
            totals.equal += 1
            totals.deleted_sources += self._move

    def changed_dirs(self) -> Iterator[tuple[str, str]]:
        """Yield the directories in which something was changed, and those above them; some more than once.

        With each comes the path that it has at the source.
        """
        yield from self._changed_dirs

    def close(self) -> None:
        """Free the disk space."""
        self._changed_dirs.close()

    def _note_dir(self, action: Action) -> None:
        origin = action.path if action.src is None else origin_of(action.src)
        if action.verb is Verb.MKDIR:
            self._note(action.path, origin)
        else:
            self._note(parent(action.path), parent(origin))

    def _note(self, folder: str, origin: str) -> None:
        # Those above it may be new as well; what a noted one stands in is noted, too.
        while folder and folder not in self._noted:
            if len(self._noted) == _MOST_NOTED:
                self._noted.clear()
            self._noted.add(folder)
            self._changed_dirs.append((folder, origin))
            folder, origin = parent(folder), parent(origin)
