"""The order of words on a command line."""

from __future__ import annotations


def flags_last(args: list[str]) -> list[str]:
    """Let flags stand before the command, too, as in ``omnistorage -v ls``: move them behind it."""
    flags: list[str] = []
    rest = list(args)
    while rest and rest[0].startswith("-") and rest[0] not in ("-h", "--help", "--"):
        flag = rest.pop(0)
        if flag == "--version":
            return ["version"]
        flags.append(flag)
        if flag in _TAKING_VALUES and rest:
            flags.append(rest.pop(0))
    return [*rest[:1], *flags, *rest[1:]] if rest else flags


_TAKING_VALUES = frozenset(
    (
        *("--config", "--log-file", "--log-level", "--stats", "--transfers", "--checkers", "--dump", "--events"),
        *("--include", "--include-from", "--exclude", "--exclude-from", "-f", "--filter", "--filter-from"),
        *("--files-from", "--files-from-raw", "--files-from0", "--exclude-if-present", "--hash-filter"),
        *("--min-size", "--max-size", "--min-age", "--max-age", "--max-depth"),
        *("--bwlimit", "--bwlimit-file", "--tpslimit", "--tpslimit-burst", "--retries", "--low-level-retries"),
        *("--max-transfer", "--max-duration", "--cutoff-mode", "--order-by", "--retries-sleep", "--modify-window"),
        *("--processes", "--dask"),
        *("--backup-dir", "--suffix", "--compare-dest", "--copy-dest", "--max-delete", "--max-delete-size"),
    )
)
