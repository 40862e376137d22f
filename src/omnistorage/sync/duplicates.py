"""Which objects hold the same bytes: sizes and hashes of a whole tree, on disk and not in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from omnistorage.core.info import ObjectInfo

_PAGE: Final = 1000
_COLUMNS: Final = "id, path, size, mtime, etag, version, whole"

_SCHEMA: Final = """
CREATE TABLE objects (id INTEGER PRIMARY KEY, path BLOB NOT NULL, size INTEGER, mtime INTEGER, etag TEXT,
    version TEXT, part BLOB, whole TEXT, file TEXT, same INTEGER);
CREATE TABLE sizes (size INTEGER PRIMARY KEY);
CREATE TABLE parts (size INTEGER, part BLOB, PRIMARY KEY (size, part)) WITHOUT ROWID;
CREATE TABLE groups (number INTEGER PRIMARY KEY, size INTEGER, whole TEXT, path BLOB, files INTEGER, names INTEGER);
"""


class Entry(NamedTuple):
    """An object of the tree, with its number there."""

    id: int
    info: ObjectInfo
    whole: str | None


class Print(NamedTuple):
    """What was learned of an object by looking into it.

    Attributes:
        id: Its number.
        size: Its bytes, as far as known by now.
        part: Hash of its first and last block.
        whole: Hash of all its bytes.
        file: Which file of this machine it is; None for other services. Two names of one file have the same.
    """

    id: int
    size: int | None
    part: bytes | None = None
    whole: str | None = None
    file: str | None = None


class Copy(msgspec.Struct, frozen=True):
    """One of the objects of a group.

    Attributes:
        number: Its number in the group, from 1, in path order.
        info: What the listing said of it.
        links: Other names of the same file (hard links); never deleted while ``info`` is kept.
    """

    number: int
    info: ObjectInfo
    links: tuple[str, ...] = ()


class Group:
    """Objects that hold the same bytes, or that have the same name; iterate it for ``Copy`` after ``Copy``.

    Attributes:
        number: From 1, in path order of the first objects.
        path: The name that all share, where names were looked for; else empty.
        size: Bytes of each; 0 where only the names are the same.
        hash_name: The hash that was compared, or empty.
        hash: Its value.
        files: How many copies there are; several names of one file count once.
        names: How many names these have together.
    """

    def __init__(
        self, catalogue: Catalogue, number: int, size: int, whole: str, path: str, files: int, names: int
    ) -> None:
        self.number = number
        self.path = path
        self.size = size
        self.hash_name = catalogue.hash_name if whole else ""
        self.hash = whole
        self.files = files
        self.names = names
        self._catalogue = catalogue

    @property
    def wasted(self) -> int:
        """Bytes that all copies but one take."""
        return (self.files - 1) * self.size

    def __iter__(self) -> Iterator[Copy]:
        linked = self.names > self.files
        for number, entry in enumerate(self._catalogue.firsts(self), 1):
            links = tuple(self._catalogue.links(entry.id)) if linked else ()
            yield Copy(number, entry.info, links)

    def __repr__(self) -> str:
        return f"<Group {self.number}: {self.files} files of {self.size} bytes>"


class Catalogue:
    """All objects of a tree, by number in path order; for one thread.

    Args:
        hash_name: The hash that ``whole`` is.
    """

    def __init__(self, hash_name: str) -> None:
        import sqlite3

        self.hash_name = hash_name
        # Without a name it is a file that grows when its cache is full, and is gone with the connection.
        self._db = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", "cache_size=-16384"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Free the disk space."""
        self._db.close()

    # -- filling -------------------------------------------------------------------------------------------

    def add(self, infos: Iterable[ObjectInfo], *, hashed: bool) -> None:
        """Take objects as they are listed; with ``hashed``, also the hash that came with them."""
        name = self.hash_name if hashed else ""
        self._db.executemany(
            "INSERT INTO objects (path, size, mtime, etag, version, whole) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (_bytes(info.path), info.size, info.mtime_ns, info.etag, info.version, info.hashes.get(name))
                for info in infos
            ],
        )

    def learn(self, prints: Iterable[Print]) -> None:
        """Take what was found out by looking into objects."""
        self._db.executemany(
            "UPDATE objects SET size = ?, part = ?, whole = ?, file = ? WHERE id = ?",
            [(one.size, one.part, one.whole, one.file, one.id) for one in prints],
        )

    def forget(self, ids: Iterable[int]) -> None:
        """Take objects for unlike all others: they cannot be read, or are not there any more."""
        self._db.executemany(
            "UPDATE objects SET size = -1, whole = NULL, part = NULL WHERE id = ?", [(n,) for n in ids]
        )

    # -- narrowing down ------------------------------------------------------------------------------------

    def sizeless(self) -> Iterator[list[Entry]]:
        """Yield the objects whose size the service does not tell."""
        yield from self._pages("size IS NULL AND whole IS NULL")

    def of_shared_size(self, least: int) -> Iterator[list[Entry]]:
        """Yield the objects of at least so many bytes that are not alone with their size and have no hash yet."""
        self._db.execute("CREATE INDEX by_size ON objects (size)")
        self._db.execute(
            "INSERT INTO sizes SELECT size FROM objects WHERE size >= ? GROUP BY size HAVING COUNT(*) > 1", (least,)
        )
        yield from self._pages("whole IS NULL AND part IS NULL AND size IN (SELECT size FROM sizes)")

    def of_shared_part(self) -> Iterator[list[Entry]]:
        """Yield the objects that are not alone with their first and last block and have no hash yet."""
        self._db.execute(
            "INSERT INTO parts SELECT size, part FROM objects WHERE part IS NOT NULL AND whole IS NULL "
            "GROUP BY size, part HAVING COUNT(*) > 1"
        )
        yield from self._pages("whole IS NULL AND (size, part) IN (SELECT size, part FROM parts)")

    def named_twice(self) -> Iterator[tuple[str, int]]:
        """Yield the paths that were listed several times and how often, and forget these objects.

        Which of them a path means, nobody knows; and if it is always the same one, deleting a copy deletes all.
        """
        self._db.execute("CREATE INDEX by_hash ON objects (whole, size) WHERE whole IS NOT NULL")
        self._db.execute(
            "CREATE TABLE twins AS SELECT path, COUNT(*) AS names FROM objects WHERE path IN (SELECT path FROM "
            "objects WHERE whole IS NOT NULL AND size IN (SELECT size FROM sizes)) GROUP BY path HAVING COUNT(*) > 1"
        )
        self._db.execute("UPDATE objects SET whole = NULL, part = NULL WHERE path IN (SELECT path FROM twins)")
        for path, names in self._db.execute("SELECT path, names FROM twins ORDER BY path"):
            yield _text(path), names

    # -- groups --------------------------------------------------------------------------------------------

    def group_by_content(self) -> None:
        """Find the groups of objects that hold the same bytes."""
        self._db.execute(
            "INSERT INTO groups (size, whole, files, names) SELECT size, whole, "
            "COUNT(DISTINCT COALESCE(file, id)) AS files, COUNT(*) FROM objects "
            "WHERE whole IS NOT NULL AND size IN (SELECT size FROM sizes) "
            "GROUP BY whole, size HAVING files > 1 ORDER BY MIN(id)"
        )
        # Where one file has several names, all but the first point to that one.
        self._db.execute("CREATE INDEX by_file ON objects (file, id) WHERE file IS NOT NULL")
        self._db.execute(
            "UPDATE objects SET same = (SELECT MIN(id) FROM objects AS other WHERE other.file = objects.file) "
            "WHERE file IS NOT NULL AND (whole, size) IN (SELECT whole, size FROM groups WHERE names > files)"
        )
        self._db.execute("UPDATE objects SET same = NULL WHERE same = id")
        self._db.execute("CREATE INDEX by_same ON objects (same) WHERE same IS NOT NULL")

    def group_by_name(self) -> None:
        """Find the groups of objects that were listed with the same path."""
        self._db.execute("CREATE INDEX by_path ON objects (path)")
        self._db.execute(
            "INSERT INTO groups (path, files, names) SELECT path, COUNT(*), COUNT(*) FROM objects "
            "GROUP BY path HAVING COUNT(*) > 1 ORDER BY MIN(id)"
        )

    def groups(self) -> Iterator[Group]:
        """Yield the groups in path order of their first objects."""
        last = 0
        while rows := self._db.execute(
            "SELECT number, size, whole, path, files, names FROM groups WHERE number > ? ORDER BY number LIMIT ?",
            (last, _PAGE),
        ).fetchall():
            for last, size, whole, path, files, names in rows:
                yield Group(self, last, size or 0, whole or "", _text(path or b""), files, names)

    def links_in_all(self) -> int:
        """Count the names that are only other names of a file that has been seen."""
        found: int = self._db.execute(
            "SELECT COUNT(file) - COUNT(DISTINCT file) FROM objects WHERE file IS NOT NULL"
        ).fetchone()[0]
        return found

    def firsts(self, group: Group) -> Iterator[Entry]:
        """Yield the files of a group in path order, each by its first name."""
        for rows in self._members(group, "same IS NULL"):
            yield from map(_entry, rows)

    def links(self, entry_id: int) -> Iterator[str]:
        """Yield the other names of a file."""
        for (path,) in self._db.execute("SELECT path FROM objects WHERE same = ? ORDER BY id", (entry_id,)):
            yield _text(path)

    def first(self, group: Group, order: str) -> int:
        """Return the number in the group of the file that comes first: ``oldest``, ``newest``, else by path."""
        if order not in _ORDERS or group.path:
            return 1
        where, values = self._where(group)
        found = self._db.execute(
            f"SELECT id FROM objects WHERE {where} AND same IS NULL ORDER BY {_ORDERS[order]} LIMIT 1", values
        ).fetchone()[0]
        before: int = self._db.execute(
            f"SELECT COUNT(*) FROM objects WHERE {where} AND same IS NULL AND id < ?", (*values, found)
        ).fetchone()[0]
        return before + 1

    def nth(self, group: Group, number: int) -> Entry:
        """Return the file that has this number in its group.

        Raises:
            ValueError: There is none.
        """
        where, values = self._where(group)
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE {where} AND same IS NULL ORDER BY id LIMIT 1 OFFSET ?",
            (*values, number - 1),
        ).fetchone()
        if number < 1 or row is None:
            raise ValueError(f"the group has the numbers 1 to {group.files}, not {number}")
        return _entry(row)

    def others(self, group: Group, kept: Entry) -> Iterator[list[tuple[Entry, bool]]]:
        """Yield all names in a group but those of the file that is kept, and whether each is a file's first."""
        for rows in self._members(group, "id != ? AND same IS NOT ?", kept.id, kept.id):
            yield [(_entry(row), row[-1] is None) for row in rows]

    def count_others(self, group: Group, number: int) -> int:
        """Count the names in a group but those of the file with this number.

        Raises:
            ValueError: There is none.
        """
        return group.names - 1 - sum(1 for _ in self.links(self.nth(group, number).id))

    # -- parts ---------------------------------------------------------------------------------------------

    def _pages(self, where: str) -> Iterator[list[Entry]]:
        """Yield entries page by page, so that they may be changed meanwhile."""
        last = 0
        while rows := self._db.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE id > ? AND {where} ORDER BY id LIMIT ?", (last, _PAGE)
        ).fetchall():
            last = rows[-1][0]
            yield [_entry(row) for row in rows]

    def _members(self, group: Group, which: str, *more: object) -> Iterator[list[Any]]:
        where, values = self._where(group)
        last, full = 0, True
        while full:
            rows = self._db.execute(
                f"SELECT {_COLUMNS}, same FROM objects WHERE {where} AND {which} AND id > ? ORDER BY id LIMIT ?",
                (*values, *more, last, _PAGE),
            ).fetchall()
            if rows:
                last = rows[-1][0]
                yield rows
            full = len(rows) == _PAGE

    def _where(self, group: Group) -> tuple[str, tuple[object, ...]]:
        if group.path:
            return "path = ?", (_bytes(group.path),)
        return "whole = ? AND size = ?", (group.hash, group.size)


_ORDERS: Final = {
    "oldest": "mtime IS NULL, mtime, id",
    "newest": "mtime IS NULL, mtime DESC, id",
}


def _entry(row: Any) -> Entry:
    number, path, size, mtime, etag, version, whole = row[:7]
    return Entry(number, ObjectInfo(_text(path), size=size, mtime_ns=mtime, etag=etag, version=version), whole)


def _bytes(path: str) -> bytes:
    # Names that are not UTF-8 are text with surrogates, which the database would not take.
    return path.encode("utf-8", "surrogatepass")


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogatepass")
