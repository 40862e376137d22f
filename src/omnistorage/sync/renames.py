"""Objects that only have another path: found among what would be copied and deleted, proven by their content."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from omnistorage.core.content import digest, same_content
from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError
from omnistorage.core.hashes import STRONG
from omnistorage.core.info import ObjectInfo

from .model import Action, Policy, Verb, origin_of
from .spool import Spool
from .workers import Batch, Workers

T = TypeVar("T")
R = TypeVar("R")

Trait = Literal["hash", "modtime", "leaf"]

Numbers = tuple[int, int]
"""Places of two actions in the plan: a copy and a delete."""

Candidate = tuple[Numbers, ObjectInfo, ObjectInfo]
Unmatched = tuple[int, bool, ObjectInfo]

_BATCH: Final = 64
_ROWS: Final = 500


class Renames:
    """Finds renames in a plan.

    A candidate for a new object is a deleted one of equal size that is not empty. Size and time, or size and name,
    only say where to look first; a rename is planned when the contents of both have been compared or hashed.

    Args:
        src: The source.
        dst: The destination.
        policy: How the run decides.
        traits: What candidates must have in common besides the size; ``hash`` looks at all of that size.
        workers: Comparisons side by side.
    """

    def __init__(
        self, src: Driver, dst: Driver, policy: Policy, traits: frozenset[Trait], *, workers: int = 4
    ) -> None:
        self._src = src
        self._dst = dst
        self._hash = policy.hash_name
        self._window = policy.window_ns
        self._traits = traits
        self._workers = workers
        self._near = src.features.local and dst.features.local

    @property
    def possible(self) -> bool:
        """True if the destination can rename, and contents can be compared without moving them."""
        able = self._dst.features.move or self._dst.features.copy
        return able and (self._near or self._hash in STRONG)

    def find(self, plan: Spool[Action], may_delete: Callable[[str], bool]) -> Iterator[Action]:
        """Yield the plan with renames in the place of copies, and without the deletes that these make needless.

        Args:
            plan: What would be done; read twice.
            may_delete: Says whether the absence of a path at the source is proven.
        """
        table = _Candidates(self._window)
        try:
            for number, action in enumerate(plan):
                src, dst = action.src, action.dst
                if action.verb is Verb.COPY and dst is None and src is not None and src.size:
                    table.add(number, src, new=True)
                elif action.verb is Verb.DELETE and dst is not None and dst.size and may_delete(action.path):
                    table.add(number, dst, new=False)
            self._match(table)
            gone = table.gone()
            renamed = table.renamed()
            next_gone, next_new = next(gone, None), next(renamed, None)
            for number, action in enumerate(plan):
                if number == next_gone:
                    next_gone = next(gone, None)
                elif next_new is not None and number == next_new[0]:
                    before = next_new[1]
                    reason = f"only the path differs: was {before.path}"
                    yield msgspec.structs.replace(action, verb=Verb.RENAME, reason=reason, dst=before)
                    next_new = next(renamed, None)
                else:
                    yield action
        finally:
            table.close()

    def _match(self, table: _Candidates) -> None:
        table.forget_the_hopeless()
        leaf, by_time = "leaf" in self._traits, "modtime" in self._traits
        self._judge(table, table.candidates("time", "leaf"))
        if not leaf:
            self._judge(table, table.candidates("time"))
        if by_time:
            return
        if leaf:
            self._judge(table, table.candidates("leaf"))
            return
        for number, found in self._all(_Each(self._digest), table.unmatched(), lambda one: one[2].size or 0):
            table.note(number, found)
        for numbers, _, _ in table.candidates("hash"):
            table.take(numbers)

    def _judge(self, table: _Candidates, found: Iterable[Candidate]) -> None:
        """Take those candidates whose contents are the same."""
        for numbers in self._all(_Each(self._same), found, lambda one: one[1].size or 0):
            if numbers is not None:
                table.take(numbers)

    def _all(self, each: _Each[T, R], items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[R]:
        workers = Workers(each, self._workers, near=self._near)
        try:
            for results in workers.run(_batches(items, size_of)):
                yield from results
        finally:
            workers.close()

    def _same(self, one: Candidate) -> Numbers | None:
        numbers, new, old = one
        try:
            equal = same_content(self._src, self._dst, origin_of(new), self._hash, dst_path=old.path)
        except StorageError:
            # Not proven. The copy, or the delete, will tell what is wrong.
            return None
        return numbers if equal else None

    def _digest(self, one: Unmatched) -> tuple[int, str | None]:
        number, new, info = one
        driver, path = (self._src, origin_of(info)) if new else (self._dst, info.path)
        try:
            return number, digest(driver, path, self._hash or "xxh128", info)
        except StorageError:
            return number, None


class _Each(Generic[T, R]):
    """Does a call for each item of a batch, until it is told to stop."""

    def __init__(self, call: Callable[[T], R]) -> None:
        self._call = call
        self._stopped = False

    def batch(self, batch: list[T], /) -> list[R]:
        return [self._call(item) for item in batch if not self._stopped]

    def cancel(self) -> None:
        self._stopped = True


def _batches(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[Batch[T, R]]:
    batch: list[T] = []
    size = 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if len(batch) == _BATCH or size > 4 << 20:
            yield Batch(batch, size)
            batch, size = [], 0
    if batch:
        yield Batch(batch, size)


class _Candidates:
    """What is new and what is gone, on disk; pairs of them are looked up by what they have in common."""

    def __init__(self, window_ns: int) -> None:
        import sqlite3

        self._window = max(window_ns, 1)
        # The empty name is a file of its own that goes away with the connection.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute(
            "CREATE TABLE one (number INTEGER PRIMARY KEY, new INTEGER, size INTEGER, time INTEGER, leaf BLOB,"
            " hash TEXT, other INTEGER, info BLOB)"
        )
        self._db.execute("BEGIN")
        # One statement a row would cost more than all the rest that is done with a row here.
        self._new_rows: list[tuple[Any, ...]] = []
        self._pairs: list[Numbers] = []

    def add(self, number: int, info: ObjectInfo, *, new: bool) -> None:
        """Add a new object, or one that is gone."""
        time = None if info.mtime_ns is None else info.mtime_ns // self._window
        leaf = info.name.encode("utf-8", "surrogateescape")
        self._new_rows.append((number, new, info.size, time, leaf, pickle.dumps(info)))
        if len(self._new_rows) == _ROWS:
            self._write()

    def forget_the_hopeless(self) -> None:
        """Drop what has a size that only one side has."""
        self._write()
        self._db.execute(
            "DELETE FROM one WHERE size NOT IN"
            " (SELECT size FROM one WHERE new INTERSECT SELECT size FROM one WHERE NOT new)"
        )

    def candidates(self, *traits: str) -> Iterator[Candidate]:
        """Yield pairs that are not taken yet and have these traits in common besides the size, each object once."""
        by = ", ".join(("size", *traits))
        known = " AND ".join(f"{trait} NOT NULL" for trait in traits)

        def side(new: int) -> str:
            rank = f"row_number() OVER (PARTITION BY {by} ORDER BY number) AS rank"
            return f"SELECT number, {by}, {rank} FROM one WHERE new = {new} AND other IS NULL AND {known}"

        self._write()
        self._db.execute("DROP TABLE IF EXISTS pair")
        self._db.execute(
            f"CREATE TEMP TABLE pair AS SELECT a.number AS a, b.number AS b"
            f" FROM ({side(1)}) AS a JOIN ({side(0)}) AS b USING ({by}, rank) ORDER BY a.number"
        )
        yield from self._rows(
            "SELECT pair.rowid, a, b, one.info, two.info FROM pair"
            " JOIN one ON one.number = a JOIN one AS two ON two.number = b WHERE pair.rowid > ?"
            " ORDER BY pair.rowid",
            lambda row: ((row[1], row[2]), pickle.loads(row[3]), pickle.loads(row[4])),
        )

    def unmatched(self) -> Iterator[Unmatched]:
        """Yield what is not taken and has a size that the other side has, too."""
        self._write()
        self._db.execute("DROP TABLE IF EXISTS sizes")
        self._db.execute(
            "CREATE TEMP TABLE sizes AS SELECT size FROM one WHERE new AND other IS NULL"
            " INTERSECT SELECT size FROM one WHERE NOT new AND other IS NULL"
        )
        yield from self._rows(
            "SELECT number, new, info FROM one WHERE number > ? AND other IS NULL AND size IN sizes ORDER BY number",
            lambda row: (row[0], bool(row[1]), pickle.loads(row[2])),
        )

    def note(self, number: int, found: str | None) -> None:
        """Write down the hash of an object; None if it could not be read."""
        self._db.execute("UPDATE one SET hash = ? WHERE number = ?", (found, number))

    def take(self, numbers: Numbers) -> None:
        """Make two objects one."""
        self._pairs += (numbers, numbers[::-1])
        if len(self._pairs) >= _ROWS:
            self._write()

    def gone(self) -> Iterator[int]:
        """Yield, in order, what need not be deleted."""
        self._write()
        rows = "SELECT number FROM one WHERE number > ? AND NOT new AND other NOT NULL ORDER BY number"
        yield from self._rows(rows, lambda row: int(row[0]))

    def renamed(self) -> Iterator[tuple[int, ObjectInfo]]:
        """Yield, in order, what need not be copied, and the object that is to be renamed."""
        self._write()
        yield from self._rows(
            "SELECT one.number, two.info FROM one JOIN one AS two ON two.number = one.other"
            " WHERE one.number > ? AND one.new ORDER BY one.number",
            lambda row: (row[0], pickle.loads(row[1])),
        )

    def close(self) -> None:
        """Free the disk space."""
        self._db.close()

    def _write(self) -> None:
        """Write down what was kept back; whoever reads or changes the table otherwise calls this before."""
        rows = "INSERT INTO one (number, new, size, time, leaf, info) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.executemany(rows, self._new_rows)
        self._db.executemany("UPDATE one SET other = ? WHERE number = ?", self._pairs)
        self._new_rows.clear()
        self._pairs.clear()

    def _rows(self, query: str, make: Callable[[Any], T]) -> Iterator[T]:
        """Read rows some at a time, as others are changed meanwhile."""
        last = -1
        while rows := self._db.execute(f"{query} LIMIT {_ROWS}", (last,)).fetchall():
            for row in rows:
                yield make(row)
            last = rows[-1][0]
