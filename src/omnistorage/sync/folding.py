"""Bringing together what stands on both sides under two spellings of one name.

``pair`` compares paths character by character. What it finds on one side only may be on the other side all the same:
decomposed where the other composes, or in another case. Here such entries of one directory are united, and names
of one side that mean the same are told apart or reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

from omnistorage.core.info import ObjectInfo
from omnistorage.core.sorting import Sorter

from .model import Action, Pair, Verb, renamed
from .pairing import pair
from .spelling import Spelling
from .spool import Spool

Infos = list[ObjectInfo]

_IN_MEMORY: Final = 10_000
"""Entries of one directory that wait in memory; more wait on disk."""

_PAGE: Final = 1000
_MOST_SEEN: Final = 200_000
"""Names of one directory that are remembered so that others need not wait; beyond that they do."""

# What is known of a name: the sides it was seen on, and whether it has been dealt with already.
_SRC, _DST, _BOTH, _DONE = 1, 2, 3, 4

_Entry = tuple[str, str, str, int, Pair | None]
"""Key of the name, the name, order, what is known of it, and the entry if it still waits."""

_KEY, _PLACE = itemgetter(0), itemgetter(0, 1, 2)


class Side:
    """One listing, which tells when it has ended.

    Attributes:
        over: Nothing more comes.
    """

    def __init__(self, pages: Iterable[Infos]) -> None:
        self._pages = pages
        self.over = False

    def __iter__(self) -> Iterator[Infos]:
        yield from self._pages
        self.over = True


class Folding:
    """Unites pairs whose names mean the same.

    Args:
        spelling: Which names these are.
        protect: Called with a path of the source below which nothing may be deleted at the destination.
        quiet: Report no clashes and hold nothing back: for those who only look.
        deleting: What the destination alone has is to be deleted.
        respelling: The destination is to spell names as the source does.

    Attributes:
        clashes: Actions that fail, one for each name that another one of its side stands in the way of.
        respellings: Actions that give objects and directories the spelling of the source, if that is asked for;
            what stands in a directory comes before the directory.
    """

    def __init__(
        self,
        spelling: Spelling,
        *,
        protect: Callable[[str], object] = lambda path: None,
        quiet: bool = False,
        deleting: bool = False,
        respelling: bool = False,
    ) -> None:
        self.spelling = spelling
        self.protect = protect
        self.quiet = quiet
        self.deleting = deleting
        self.respelling = respelling
        self.clashes: Spool[Action] = Spool()
        self.respellings: Spool[Action] = Spool()

    @property
    def apart(self) -> bool:
        """Two spellings of one name are two objects at the destination."""
        return not self.spelling.case

    def unite(self, src: Iterable[Infos], dst: Iterable[Infos]) -> Iterator[Pair]:
        """Yield pairs as ``pair`` does, but those under two spellings of a name as one, called as at the destination.

        What may still meet its other half waits until its directory is over, with all that is below it. What stands
        in a directory comes in one piece and after the directory, though not in path order.

        Raises:
            StorageError: A listing went back in the path order.
        """
        there = Side(dst)
        level = _Level(self, pair(src, there), there)
        passes, take, folders, branch = level.passes, level.take, level.folders, self.spelling.branch
        exact = self.apart
        for one in level.pairs:
            here, other = one
            path = here.path if here is not None else other.path  # type: ignore[union-attr]
            # Nearly all names are plain ones, and nothing has to be known of these.
            plain = exact and len(folders) == 1 and (path.isascii() or branch(path) < 0)
            if plain or (here is not None and other is not None and passes(path)):
                yield one
            else:
                yield from _flat(take(one, path))
        yield from _flat(level.end())

    def distinct(self, src: Iterable[Infos]) -> Iterator[Infos]:
        """Yield the entries of one side, but of those that mean the same the first alone."""
        infos: Infos = []
        for info, _ in self.unite(src, ()):
            if info is not None:
                infos.append(info)
            if len(infos) == _PAGE:
                yield infos
                infos = []
        if infos:
            yield infos

    def clash(self, path: str, reason: str, one: Pair) -> None:
        """Report a name that another one of its side stands in the way of."""
        if not self.quiet:
            self.clashes.append(Action(Verb.FAIL, path, reason, *one))


class _Folder:
    """A directory that is called the same on both sides, while what stands in it comes.

    Attributes:
        prefix: Its path, with a slash.
        name: The name in it that comes just now.
        sides: On which sides that name was seen.
        settled: It need not wait: both sides have it, or it can meet no other.
        waiting: What was seen of it, as long as it is not settled.
        entries: All names, and what waits below them.
        holds_dst: The destination has a name that waits.
        seen: Keys of the names at the source; None if they are too many.
    """

    __slots__ = ("entries", "holds_dst", "name", "prefix", "seen", "settled", "sides", "waiting")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.name: str | None = None
        self.sides = 0
        self.settled = False
        self.waiting: Spool[Pair] | None = None
        self.entries: Sorter[_Entry] = Sorter(_PLACE, _IN_MEMORY)
        self.holds_dst = False
        self.seen: set[str] | None = set()

    def see(self, key: str) -> None:
        if self.seen is not None:
            self.seen.add(key)
            if len(self.seen) > _MOST_SEEN:
                self.seen = None


class _Level:
    """One pass over the pairs below ``root``; yields pairs, and further levels that are to be passed in between."""

    def __init__(self, folding: Folding, pairs: Iterable[Pair], there: Side, root: str = "") -> None:
        self.pairs = pairs
        self.folders = [_Folder(root + "/" if root else "")]
        self._folding = folding
        self._spelling = folding.spelling
        self._there = there
        self._holds_dst = False

    def __iter__(self) -> Iterator[Pair | _Level]:
        for one in self.pairs:
            yield from self.take(one, _path(one))
        yield from self.end()

    def end(self) -> Iterator[Pair | _Level]:
        """Unite what waits in all directories."""
        while self.folders:
            yield from self._leave(self.folders.pop())

    def passes(self, path: str) -> bool:
        """Note a name that both sides have, and say so; False if more than that is to be done."""
        folder = self.folders[-1]
        start = len(folder.prefix)
        if not path.startswith(folder.prefix) or self._spelling.branch(path, start) != start:
            return False
        name = path[start:]
        if "/" in name or name == folder.name:
            return False
        self._begin(folder, name)
        folder.sides = _BOTH
        self._note(folder, name)
        return True

    def take(self, one: Pair, path: str) -> Iterator[Pair | _Level]:
        """Let a pair pass, or let it wait."""
        folders, branch = self.folders, self._spelling.branch
        sides = (one[0] is not None) + 2 * (one[1] is not None)
        while True:
            folder = folders[-1]
            start = len(folder.prefix)
            if not path.startswith(folder.prefix):
                if len(folders) == 1:  # the top of this level itself
                    yield one
                    return
                yield from self._leave(folders.pop())
                continue
            start = branch(path, start)
            if start < 0:
                yield one
                return
            if start > len(folder.prefix):
                folder = _Folder(path[:start])
                folders.append(folder)
            end = path.find("/", start)
            name = path[start:] if end < 0 else path[start:end]
            if name != folder.name:
                self._begin(folder, name)
            folder.sides |= sides
            if not folder.settled:
                if folder.sides != _BOTH and not self._meets_none(folder):
                    if folder.waiting is None:
                        folder.waiting = Spool()
                    folder.waiting.append(one)
                    return
                # The destination may be over, but its last entry is held here until those before it have passed.
                held, self._holds_dst = self._holds_dst, self._holds_dst or one[1] is not None
                yield from self._settle(folder)
                self._holds_dst = held
            elif end < 0:
                yield one
                return
            else:
                folders.append(_Folder(path[: end + 1]))

    def _begin(self, folder: _Folder, name: str | None) -> None:
        """Turn to the next name of a directory; what waits under the last one is laid aside."""
        if folder.name is not None and not folder.settled:
            key = self._spelling.key(folder.name)
            folder.holds_dst |= folder.sides == _DST
            if folder.sides == _SRC:
                self._see(folder, key)
            for one in folder.waiting or ():
                folder.entries.append((key, folder.name, _order(one), folder.sides, one))
            folder.waiting = None
        folder.name = name
        folder.sides = 0
        folder.settled = False

    def _meets_none(self, folder: _Folder) -> bool:
        """Say whether a name of the source need not wait: the destination has ended, and nothing of it waits."""
        if not self._there.over or self._holds_dst or folder.holds_dst or folder.sides != _SRC:
            return False
        if self._folding.apart or self._folding.quiet:
            return True
        # Where the destination has one name for both, the later one must not be done before it is known to be that.
        return folder.seen is not None and self._spelling.key(folder.name or "") not in folder.seen

    def _settle(self, folder: _Folder) -> Iterator[Pair | _Level]:
        """Let pass what waits under the name that comes just now."""
        self._note(folder, folder.name or "")
        waiting, folder.waiting = folder.waiting, None
        for one in waiting or ():
            yield from self.take(one, _path(one))

    def _note(self, folder: _Folder, name: str) -> None:
        key = self._spelling.key(name)
        folder.settled = True
        folder.entries.append((key, name, "", folder.sides | _DONE, None))
        self._see(folder, key)

    def _see(self, folder: _Folder, key: str) -> None:
        if not self._folding.apart:
            folder.see(key)
        elif key.isascii():
            # The plain name of a letter that is but another code for it has been passed by already.
            self._folding.protect(folder.prefix + key)

    def _leave(self, folder: _Folder) -> Iterator[Pair | _Level]:
        """Unite what waits in a directory that is over."""
        self._begin(folder, None)
        for _, same in groupby(folder.entries, key=_KEY):
            entries = iter(same)
            first, second = next(entries), next(entries, None)
            if second is not None:
                yield from self._resolve(folder.prefix, chain((first, second), entries))
            elif first[4] is not None:
                yield from self._resolve(folder.prefix, (first,))
        folder.entries.close()

    def _resolve(self, prefix: str, entries: Iterable[_Entry]) -> Iterator[Pair | _Level]:
        """Deal with the names of a directory that mean the same."""
        known: dict[str, int] = {}
        waiting: dict[str, Spool[Pair]] = {}
        for _, name, _, sides, one in entries:
            known[name] = known.get(name, 0) | sides
            if one is not None:
                waiting.setdefault(name, Spool()).append(one)
        here = [name for name in known if known[name] & _SRC]
        # Those that waited for another; a name that was settled is not moved any more.
        mine = [name for name in waiting if known[name] == _SRC]
        theirs = [name for name in waiting if known[name] == _DST]
        exact = [name for name in known if known[name] & _DONE]
        if not self._folding.apart and not self._folding.quiet and len(here) > 1:
            # One object at most can have the name there; which one is there already has the older right.
            first = exact[0] if exact else here[0]
            self._tell_apart(prefix, exact)
            for name in mine:
                if name != first:
                    self._hold_back(prefix, name, first, waiting.pop(name))
            mine = [] if exact else mine[:1]
        elif len(here) > 1:
            self._tell_apart(prefix, here)
        for name, other in zip(mine, theirs, strict=False):
            src, dst = waiting.pop(name), waiting.pop(other)
            top = _top(dst, prefix + other)
            yield self._merged(prefix, name, src, other, dst)
            if self._folding.respelling and top is not None and top.is_dir is _is_folder(src, prefix + name):
                reason = "spelled otherwise at the source"
                self._folding.respellings.append(Action(Verb.RENAME, prefix + name, reason, None, top))
        for name, held in waiting.items():
            if name in theirs and here and self._folding.deleting and not self._folding.quiet:
                # Whatever it is, somebody may take it for the other one.
                reason = f"not deleted: {name!a} is one name with {here[0]!a} of the source"
                self._folding.clash(prefix + name, reason, next(iter(held)))
            elif known[name] & _SRC and not self._folding.quiet:
                # It met no other, and neither does what is below it; but clashes are below it as well.
                yield _Level(self._folding, held, _ended(), prefix + name)
            else:
                yield from held

    def _tell_apart(self, prefix: str, names: list[str]) -> None:
        for name in names[1:]:
            reason = f"is one name with {names[0]!a} at the source, spelled {name!a}; both are kept apart"
            self._folding.clash(prefix + name, reason, (None, None))

    def _hold_back(self, prefix: str, name: str, first: str, held: Spool[Pair]) -> None:
        reason = f"not copied: the destination cannot tell {name!a} from {first!a}, which the source has too"
        path = prefix + name
        one = next(iter(held))
        self._folding.clash(path, reason, one if _path(one) == path else (None, None))
        # What stands there under the name of both may be a copy of this one.
        self._folding.protect(path)
        held.close()

    def _merged(self, prefix: str, name: str, src: Spool[Pair], other: str, dst: Spool[Pair]) -> _Level:
        """Pair what is called ``name`` here and ``other`` there, with all below it."""
        root = prefix + other
        cut = len(prefix) + len(name)
        here: Iterator[Infos] = ([renamed(info, path=root + info.path[cut:])] for info, _ in src if info is not None)
        there = Side([info] for _, info in dst if info is not None)
        return _Level(self._folding, pair(here, there), there, root)


def _flat(level: Iterable[Pair | _Level]) -> Iterator[Pair]:
    """Pass the levels that a level yields, each where it comes."""
    # A stack of our own: directories may be nested deeper than Python's.
    levels = [iter(level)]
    while levels:
        for one in levels[-1]:
            if isinstance(one, _Level):
                levels.append(iter(one))
                break
            yield one
        else:
            levels.pop()


def _ended() -> Side:
    side = Side(())
    side.over = True
    return side


def _path(one: Pair) -> str:
    info = one[0] or one[1]
    assert info is not None
    return info.path


def _top(held: Spool[Pair], path: str) -> ObjectInfo | None:
    """Return what stands at ``path`` itself, if anything is said of it."""
    for info in next(iter(held)):
        if info is not None and info.path == path:
            return info
    return None


def _is_folder(held: Spool[Pair], path: str) -> bool:
    top = _top(held, path)
    return top is None or top.is_dir


def _order(one: Pair) -> str:
    info = one[0] or one[1]
    assert info is not None
    return info.order
