"""Groups of duplicates as text, in rclone's lines, or as JSON."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import msgspec

from omnistorage.core.errors import printable
from omnistorage.core.units import format_size

from ._times import formatter

if TYPE_CHECKING:
    from omnistorage.sync.dedupe_model import DedupeResult, Group


class Writer:
    """Writes groups to a stream as they come: memory stays flat, whatever there are of them."""

    def __init__(self, stream: IO[str]) -> None:
        self._write = stream.write
        self._time = formatter("2006-01-02 15:04:05.000000000")

    def group(self, group: Group) -> None:
        """Write a group: one line for all, then one for each."""
        wasted = f", {format_size(group.wasted)} wasted" if group.hash else ""
        self._write(f"{group.hash or group.path}: {group.files} duplicates{wasted}\n")
        for copy in group:
            info = copy.info
            size = -1 if info.size is None else info.size
            self._write(f"  {copy.number}: {size:12} bytes, {self._time(info.mtime_ns)}, {info.path}\n")
            for link in copy.links:
                self._write(f"     {'':12} the same file: {link}\n")

    def total(self, result: DedupeResult) -> None:
        """Write the sum."""
        self._write(
            f"Total: {count(result.groups, 'group')}, {count(result.duplicates, 'duplicate')}, "
            f"{format_size(result.wasted)} wasted\n"
        )


class JsonWriter:
    """Writes one JSON object: the groups, if they are wanted, and then the counters."""

    def __init__(self, stream: IO[str], *, groups: bool) -> None:
        self._write = stream.write
        self._groups = groups
        self._any = False

    def group(self, group: Group) -> None:
        """Write a group, one object of it after the other."""
        if not self._groups:
            return
        self._write(",\n" if self._any else '{"found":[\n')
        self._any = True
        head: dict[str, Any] = {"files": group.files, "size": group.size, "wasted": group.wasted}
        head |= {group.hash_name: group.hash} if group.hash else {"path": printable(group.path)}
        self._write(_encoded(head)[:-1] + ',"objects":[')
        for copy in group:
            one: dict[str, Any] = {"path": printable(copy.info.path), "size": copy.info.size}
            if copy.info.modified is not None:
                one["modified"] = copy.info.modified
            if copy.links:
                one["links"] = [printable(link) for link in copy.links]
            self._write(("," if copy.number > 1 else "") + _encoded(one))
        self._write("]}")

    def end(self, result: DedupeResult) -> None:
        """Write the counters."""
        facts = {name: getattr(result, name) for name in result.__struct_fields__ if name != "failures"}
        facts["failures"] = [{"path": printable(one.path), "error": str(one.error)} for one in result.failures]
        if self._groups:
            self._write("],\n" if self._any else '{"found":[],\n')
            self._write(_encoded(facts)[1:] + "\n")
        else:
            self._write(_encoded(facts) + "\n")

    def break_off(self) -> None:
        """Make what was written whole, as the run ended before its end; nothing, if nothing was written."""
        if self._any:
            self._write("]}\n")


def count(number: int, noun: str) -> str:
    """Return ``1 group``, ``2 groups``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()
