"""The sum of a run in words, as operators expect it at the end."""

from __future__ import annotations

from omnistorage.core.units import format_duration, format_size
from omnistorage.sync.model import Result


def lines(result: Result) -> list[str]:
    """Return the summary of a run, a fact per line; what did not happen is left out."""
    rate = result.bytes / result.elapsed if result.elapsed > 0 else 0.0
    rows = [
        (
            "Transferred",
            f"{format_size(result.bytes)} / {format_size(result.planned_bytes)}, "
            f"{_percent(result.bytes + result.resumed, result.planned_bytes)}, {format_size(round(rate))}/s",
        ),
        (
            "Transferred",
            f"{result.transferred} objects" + _of_these(result.server_moves, "moved by the storage itself"),
        ),
        ("Checks", f"{result.checked} compared, {result.listed} listed"),
    ]
    if result.resumed:
        rows.append(("Resumed", f"{format_size(result.resumed)} that an earlier run had sent"))
    if result.renamed:
        rows.append(("Renamed", f"{result.renamed} (by content)"))
    if result.backed_up:
        rows.append(("Backed up", f"{result.backed_up} (old versions)"))
    if result.touched:
        rows.append(("Times set", str(result.touched)))
    if result.metadata_set:
        rows.append(("Metadata set", str(result.metadata_set)))
    if result.deleted or result.deleted_dirs:
        size = format_size(result.deleted_bytes)
        rows.append(("Deleted", f"{result.deleted} (files), {result.deleted_dirs} (dirs), {size} (freed)"))
    if result.deleted_sources:
        rows.append(("Deleted", f"{result.deleted_sources} (at the source, after proof)"))
    if result.made_dirs:
        rows.append(("Directories", f"{result.made_dirs} made"))
    if result.skipped:
        rows.append(("Skipped", f"{result.skipped} left alone"))
    if result.protected:
        rows.append(("Protected", f"{result.protected} not deleted, as the source could not be listed there"))
    if result.unverified:
        rows.append(("Verified", f"{result.unverified} by size only (check --download compares contents)"))
    if result.errors:
        rows.append(("Errors", str(result.errors)))
    if result.limit:
        rows.append(("Ended early", f"limit reached: --{result.limit.replace('_', '-')}"))
    rows.append(("Elapsed time", format_duration(result.elapsed)))
    return [f"{name + ':':<15}{text}" for name, text in rows]


def _of_these(count: int, words: str) -> str:
    return f", {count} {words}" if count else ""


def _percent(done: int, whole: int) -> str:
    return f"{done * 100 // whole}%" if whole else "-"
