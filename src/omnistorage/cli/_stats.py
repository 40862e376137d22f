"""The counters of a run under the names that rclone's JSON log lines have."""

from __future__ import annotations

from typing import Any

from omnistorage.core.errors import printable
from omnistorage.sync.events import Moving
from omnistorage.sync.model import Result


def stats_of(totals: Result, moving: Moving) -> dict[str, Any]:
    """Return the counters as they stand, and what is being transferred."""
    so_far = moving.progress(totals)
    last = totals.failures[-1].error if totals.failures else None
    return {
        "bytes": so_far.bytes,
        "checks": totals.checked,
        "deletedDirs": totals.deleted_dirs,
        "deletes": totals.deleted,
        "elapsedTime": so_far.elapsed,
        "errors": totals.errors,
        "eta": None if so_far.eta is None else round(so_far.eta),
        "fatalError": totals.exit_code == 7,
        "lastError": "" if last is None else str(last),
        "listed": totals.listed,
        "renames": totals.renamed,
        "retryError": any(one.error is not None and one.error.retryable for one in totals.failures),
        "serverSideMoves": totals.server_moves,
        "speed": so_far.speed,
        "totalBytes": so_far.planned_bytes,
        "totalChecks": totals.checked,
        "totalTransfers": totals.planned,
        "transferTime": so_far.elapsed,
        "transfers": totals.transferred,
        "transferring": [
            {"name": printable(path), "bytes": done, "size": size, "percentage": done * 100 // size if size else 0}
            for path, (done, size) in sorted(moving.now().items())
        ],
        "unverified": totals.unverified,
        "protected": totals.protected,
    }
