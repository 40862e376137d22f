"""What commands that remove say about it, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._exits import FAILED, Exit

if TYPE_CHECKING:
    from omnistorage.sync.model import Outcome

    from ._console import Console


class Tally:
    """Counts what was removed and reports it line by line.

    Attributes:
        deleted: Objects.
        bytes: Their size.
        deleted_dirs: Directories.
        errors: What could not be removed or looked at.
    """

    def __init__(self, console: Console, *, dry_run: bool) -> None:
        self.deleted = 0
        self.bytes = 0
        self.deleted_dirs = 0
        self.errors = 0
        self._console = console
        self._dry_run = dry_run

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Run through the outcomes; this is what makes them happen."""
        from omnistorage.sync.model import Verb

        say = self._console.notice if self._dry_run else self._console.info
        done = "not deleted, as this is a dry run" if self._dry_run else "deleted"
        for outcome in outcomes:
            action = outcome.action
            subject = action.path or "/"
            if outcome.error is not None:
                self.errors += 1
                verb = "listed" if action.verb is Verb.FAIL else "deleted"
                self._console.error(subject, f"cannot be {verb}: {outcome.error.what}")
                continue
            if action.verb is Verb.RMDIR:
                self.deleted_dirs += 1
            else:
                self.deleted += 1
                self.bytes += (action.dst.size or 0) if action.dst is not None else 0
            say(subject, done)

    def finish(self, *, as_json: bool) -> None:
        """Print the sum if it is wanted as JSON, and end the command.

        Raises:
            Exit: Something failed.
        """
        if as_json:
            sys.stdout.write(
                f'{{"deleted":{self.deleted},"bytes":{self.bytes},"deleted_dirs":{self.deleted_dirs},'
                f'"errors":{self.errors},"dry_run":{"true" if self._dry_run else "false"}}}\n'
            )
        if self.errors:
            raise Exit(FAILED)
