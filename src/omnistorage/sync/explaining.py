"""Why a filter selects a path or not: which rule or limit decides, where it was written, and where the walk ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from omnistorage.core.units import format_size

from .criteria import moment
from .parts import part_of
from .rules import Source

if TYPE_CHECKING:
    from omnistorage.core.driver import Driver
    from omnistorage.core.info import ObjectInfo

    from .filters import Filter

__all__ = ["Explanation", "explain", "explain_in"]

Cause = Literal["rule", "nothing", "list", "depth", "size", "age", "part", "marker"]


class Explanation(msgspec.Struct, frozen=True):
    """Why a path is selected or not.

    Attributes:
        allowed: The path is selected, or the directory is entered.
        rule: The rule that decided, as the user wrote it; None if none did.
        why: One line for people.
        cause: What decided: a rule, nothing (no rule matched), the list of files, or a limit.
        source: Where the rule or limit was written; None if nothing decided.
        stopped_at: The directory above at which the walk ends (empty for the root); None if it comes to the path.
    """

    allowed: bool
    rule: str | None
    why: str
    cause: Cause = "nothing"
    source: Source | None = None
    stopped_at: str | None = None


def explain(chosen: Filter, path: str, is_dir: bool, size: int | None, mtime_ns: int | None) -> Explanation:
    """Explain a path as if a walk had come to it; marker files are not looked for."""
    depth = chosen.depth
    if depth is not None and chosen.is_too_deep(path):
        return Explanation(False, None, f"below {depth} level{'s' * (depth > 1)}", "depth", Source("max_depth"))
    barrier = chosen.barrier(path)
    if barrier is not None:
        found = _by_rules(chosen, barrier, is_dir=True)
        why = f"the walk does not enter {barrier!r}: {found.why}"
        return msgspec.structs.replace(found, why=why, stopped_at=barrier)
    found = _by_rules(chosen, path, is_dir)
    if is_dir or not found.allowed or chosen.allows_file(path, size, mtime_ns):
        return found
    return _by_facts(chosen, path, size, mtime_ns)


def explain_in(driver: Driver, chosen: Filter, path: str) -> tuple[ObjectInfo, Explanation]:
    """Explain what stands at a path of a storage, with its size, its time, and markers in the directories above.

    Raises:
        NotFound: Nothing stands there.
    """
    from omnistorage.core.info import DIR

    from .marked import Marked

    info = driver.stat(path)
    is_dir = info.kind is DIR
    found = explain(chosen, path, is_dir, info.size, info.mtime_ns)
    marked = Marked(driver, chosen.marker_names)
    folders = ["", *(path[:at] for at, char in enumerate(path) if char == "/")]
    for folder in [*folders, path] if is_dir and path else folders:
        if found.stopped_at is not None and len(folder) >= len(found.stopped_at):
            break
        name = marked.marker(folder)
        if name is not None:
            source = Source("exclude_if_present")
            if folder == path:
                return info, Explanation(False, None, f"it holds {name!r}", "marker", source)
            why = f"the walk does not enter {folder!r}: it holds {name!r}" if folder else f"the root holds {name!r}"
            return info, Explanation(False, None, why, "marker", source, folder)
    return info, found


def _by_rules(chosen: Filter, path: str, is_dir: bool) -> Explanation:
    if not path:
        return Explanation(True, None, "the root is always walked")
    if chosen.files is not None:
        allowed = chosen.allows_dir(path) if is_dir else path in chosen.files
        what = "above a file of the list" if is_dir else "in the list of files"
        return Explanation(allowed, None, what if allowed else f"not {what}", "list", Source("files_from"))
    rule = chosen.rule_for(path, is_dir)
    if rule is None:
        return Explanation(True, None, "no rule matches")
    implied = "no include leads there" if is_dir else "no include matches"
    why = f"rule {rule.text!r}" if rule.source.step else implied
    return Explanation(rule.include, rule.text, why, "rule", rule.source)


def _by_facts(chosen: Filter, path: str, size: int | None, mtime_ns: int | None) -> Explanation:
    """Say which limit leaves out a file that the rules let pass."""
    asked = chosen.criteria
    if asked.min_size is not None and (size is None or size < asked.min_size):
        what = "its size is not known" if size is None else f"smaller than {format_size(asked.min_size)}"
        return Explanation(False, None, what, "size", Source("min_size"))
    if asked.max_size is not None and size is not None and size > asked.max_size:
        return Explanation(False, None, f"larger than {format_size(asked.max_size)}", "size", Source("max_size"))
    if not chosen.allows_time(mtime_ns):
        oldest, newest = asked.oldest, asked.newest
        if oldest and mtime_ns is not None and mtime_ns < oldest.time_ns:
            return Explanation(False, None, f"changed before {moment(oldest.time_ns)}", "age", Source("max_age"))
        after = f"changed after {moment(newest.time_ns)}" if newest else "changed too late"
        return Explanation(False, None, after, "age", Source("min_age"))
    part, parts = asked.part or (0, 1)  # nothing else is left
    why = f"in part {part_of(path, parts)}/{parts}, wanted is {part}/{parts}"
    return Explanation(False, None, why, "part", Source("hash_filter"))
