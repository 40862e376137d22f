"""Listing a source under the names that its objects are to have at the destination."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError
from omnistorage.core.info import DIR, ObjectInfo
from omnistorage.core.paths import join
from omnistorage.core.sorting import Sorter
from omnistorage.core.walk import SORT_IN_MEMORY, pages

from .filters import Filter
from .marked import Marked
from .metafilter import MetadataFilter
from .model import Action, Pair, Renamed, Verb, origin_of, renamed
from .scan import Infos, Says, Scan, above
from .spelling import Spelling
from .transforms import Renaming, TransformError

_PAGE: Final = 1000


class RenamingScan(Scan):
    """One pass over a storage that yields each entry under its new name, in the path order of these.

    Filters see the names that entries have. Memory stays flat: the entries of one directory are sorted, by way of
    the disk if they are many, and the walk goes on in the new order.

    Args:
        driver: The storage.
        chosen: What is selected.
        renaming: Gives the new names.
        clash: Gets an action that fails for each name that cannot be given, or that another entry gets as well.
        leave_out: A directory not to look at.
        metadata: Which of the selected objects are wanted, by their metadata; all if None.
        spelling: Which of the new names mean the same.
    """

    def __init__(
        self,
        driver: Driver,
        chosen: Filter,
        renaming: Renaming,
        clash: Callable[[Action], object],
        *,
        leave_out: str | None = None,
        metadata: MetadataFilter | None = None,
        spelling: Spelling | None = None,
    ) -> None:
        super().__init__(driver, chosen, leave_out=leave_out, metadata=metadata, spelling=spelling)
        self.leaves_folders = False
        self._renaming = renaming
        self._clash = clash

    def _selected(self) -> Iterator[Infos]:
        if self._filter.files is not None:
            yield from self._distinct(self._sorted((infos, "") for infos in self._named()))
            return
        if not self._enters_root():
            return
        enters, allows = self._selection()
        open_dirs = [("", self._listed("", "", allows))]
        # A stack of our own: trees may be deeper than Python's.
        while open_dirs:
            origin, found = open_dirs[-1]
            try:
                infos = next(found, None)
            except StorageError as exc:
                if len(open_dirs) == 1:
                    raise
                self.fail(origin, exc)
                infos = None
            if infos is None:
                open_dirs.pop()
                continue
            yield infos
            last = infos[-1]
            inner = origin_of(last)
            # A directory that seems to stand in itself (a key that begins with a slash) would never end.
            if last.kind is DIR and inner != origin and enters(ObjectInfo(inner, DIR)):
                open_dirs.append((inner, self._listed(inner, last.path, allows)))

    def fail(self, folder: str, error: StorageError) -> None:
        self.broken[folder] = error
        # What a list names is a file, what a walk comes to a directory.
        self.protect(self._known_part(folder, self._filter.files is None))

    def _known_part(self, path: str, is_dir: bool) -> str:
        """Return the new path of an entry or, if there is none, that of the nearest directory that has one."""
        while path:
            try:
                return self._renaming.path(path, is_dir=is_dir)
            except TransformError:
                path, is_dir = path.rpartition("/")[0], True
        return ""

    def _listed(self, origin: str, path: str, allows: Says) -> Iterator[Infos]:
        """List one directory in the order of the new names, cut behind each directory that comes."""

        def found() -> Iterator[tuple[Infos, str]]:
            for page in pages(self._driver, origin):
                self.listed += len(page)
                yield [info for info in page if allows(info)], path

        infos: Infos = []
        for info in self._distinct_ones(self._sorted(found(), origin)):
            infos.append(info)
            if info.kind is DIR or len(infos) == _PAGE:
                yield infos
                infos = []
        if infos:
            yield infos

    def _sorted(self, found: Iterable[tuple[Infos, str]], origin: str = "") -> Iterator[Renamed]:
        """Yield entries of the directory ``origin`` under their new names, in the order of these.

        With each list of entries comes the new path of their directory.
        """
        cut = len(origin) + 1 if origin else 0
        sorter: Sorter[Renamed] = Sorter(_order, SORT_IN_MEMORY)
        try:
            for infos, folder in found:
                for info in infos:
                    try:
                        new = self._renaming.path(info.path[cut:], is_dir=info.kind is DIR)
                    except TransformError as exc:
                        self._refuse(info, folder, exc.message or str(exc))
                        continue
                    sorter.append(renamed(info, path=join(folder, new)))
            yield from sorter
        finally:
            sorter.close()

    def _distinct(self, found: Iterable[Renamed]) -> Iterator[Infos]:
        infos: Infos = []
        for info in self._distinct_ones(found):
            infos.append(info)
            if len(infos) == _PAGE:
                yield infos
                infos = []
        if infos:
            yield infos

    def _distinct_ones(self, found: Iterable[Renamed]) -> Iterator[Renamed]:
        """Leave out entries that get the name of another one, and report them."""
        # Those whose name may still come as that of a directory: between them and it stand few others.
        before: list[Renamed] = []
        for info in found:
            while before and not info.path.startswith(before[-1].path):
                before.pop()
            twin = next((one for one in reversed(before) if one.path == info.path), None)
            if twin is None:
                before.append(info)
                yield info
                continue
            reason = f"would be called {info.path!r}, as {twin.origin!r} is already"
            self._clash(Action(Verb.FAIL, info.origin, reason, info))
            # What stands there may be a copy of this one, or of what is in it.
            self.protect(info.path)

    def _refuse(self, info: ObjectInfo, folder: str, reason: str) -> None:
        self._clash(Action(Verb.FAIL, info.path, reason, info))
        # What it was called there is not known, so nothing may be missed there.
        self.protect(folder)


def selected(pairs: Iterable[Pair], chosen: Filter, dst: Driver) -> Iterator[Pair]:
    """Leave out what the destination alone has, and the filter does not select there.

    The names of the destination are not those that the filter is about, so it was listed without; but what shall
    be deleted for its absence at the source must be selected.
    """
    marked = Marked(dst, chosen.marker_names) if chosen.marker_names else None
    for one in pairs:
        src, info = one
        if src is None and info is not None:
            is_dir = info.kind is DIR
            known = chosen.selects_dir(info.path) if is_dir else chosen.selects(info.path, info.size, info.mtime_ns)
            if not known or (marked is not None and _is_marked(marked, info)):
                continue
        yield one


def _is_marked(marked: Marked, info: ObjectInfo) -> bool:
    """Say whether an entry stands in a directory with a marker, or in one of which that cannot be told."""
    try:
        return any(marked.marker(folder) is not None for folder in ("", *above(info.order)))
    except StorageError:
        return True


def renamed_filter(chosen: Filter, renaming: Renaming) -> Filter:
    """Return what to list at the destination of a renaming run: all, or the new names of a list."""
    if chosen.files is None:
        return Filter()
    found = []
    for path in chosen.files:
        try:
            found.append(renaming.path(path))
        except TransformError:
            continue
    return Filter.only(*found)


def _order(info: Renamed) -> tuple[str, str]:
    return info.order, info.origin
