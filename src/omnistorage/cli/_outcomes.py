"""What a transfer did with each object, in the signs and lists of report files."""

from __future__ import annotations

from omnistorage.core.info import FILE
from omnistorage.sync.model import Outcome, Verb

from ._reports import Reports

DEST_AFTER = "dest_after"


def report(outcome: Outcome, reports: Reports, *, dry_run: bool = False) -> None:
    """List an object in the reports that were asked for; directories are in none."""
    action = outcome.action
    info = action.src or action.dst
    if info is None or (info.kind is not FILE and outcome.error is None):
        return
    reports.write(sign_of(outcome), action.path)
    if action.dst is not None and action.dst.kind is FILE and dry_run:
        reports.add(DEST_AFTER, action.dst.path)
    elif not dry_run and _is_there(outcome):
        reports.add(DEST_AFTER, action.path)


def sign_of(outcome: Outcome) -> str:
    """Return what was found at a path: ``=`` equal, ``*`` different, ``+`` new, ``-`` only there, ``!`` failed."""
    action = outcome.action
    if outcome.error is not None:
        return "!"
    if action.src is None:
        return "-"
    if action.dst is None or action.verb is Verb.RENAME:
        return "+"
    if action.verb is Verb.COPY or (action.verb is Verb.SKIP and action.src.size != action.dst.size):
        return "*"
    return "="


def _is_there(outcome: Outcome) -> bool:
    """Say whether the destination has an object at the path when the run is over."""
    action, failed = outcome.action, outcome.error is not None
    if action.verb is Verb.DELETE:
        return failed
    if action.verb in (Verb.COPY, Verb.RENAME, Verb.TOUCH) and not failed:
        return True
    return action.dst is not None and action.dst.kind is FILE and action.verb is not Verb.RENAME
