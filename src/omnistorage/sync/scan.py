"""Listing one side of a sync: what the filter selects, in path order, and which listings failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from omnistorage.core.driver import Driver
from omnistorage.core.errors import InvalidPath, NotFound, StorageError
from omnistorage.core.info import DIR, FILE, ObjectInfo
from omnistorage.core.paths import inside, parent
from omnistorage.core.walk import pages, walk
from omnistorage.layers.times import told

from .filters import Filter
from .marked import Marked
from .metafilter import MetadataFilter
from .model import origin_of
from .spelling import Spelling

Infos = list[ObjectInfo]
Says = Callable[[ObjectInfo], bool]


class Scan:
    """One pass over a storage; iterate it once.

    Args:
        driver: The storage.
        chosen: What is selected.
        missing_ok: A storage that is not there is an empty one.
        leave_out: A directory not to look at.
        folders: Name the directories above the files of a list, too.
        metadata: Which of the selected objects are wanted, by their metadata; all if None.
        clashes: Name a directory that stands where a list has a file.
        spelling: Which names mean the same; None if each is a name of its own.
        times: Tell the time of each object, also where it has to be looked at for that; so it is, too, where the
            filter asks for times.

    Attributes:
        broken: Directory to the error that ended its listing early. What stands below one is not known, and
            nothing may be concluded from its absence.
        listed: Entries seen so far, before filtering.
        folder: Directory in which the walk is; those that it was in before, and is not in now, are listed in full.
        left: Directory in which the walk was before that.
        leaves_folders: That can be told: the service is listed directory by directory.
        follows_links: Symbolic links are followed: one that is listed as such leads nowhere, or in a circle.
    """

    def __init__(
        self,
        driver: Driver,
        chosen: Filter,
        *,
        missing_ok: bool = False,
        leave_out: str | None = None,
        folders: bool = False,
        metadata: MetadataFilter | None = None,
        clashes: bool = False,
        spelling: Spelling | None = None,
        times: bool = False,
    ) -> None:
        self.broken: dict[str, StorageError] = {}
        self.listed = 0
        self._spelling = spelling
        # What is not known, spelled as all of its spellings are.
        self._unknown: set[str] = set()
        self._driver = told(driver) if times else driver
        if chosen.asks_for_times and not times:
            rest = chosen.without_times()
            self._driver = told(driver, lambda info: rest.selects(info.path, info.size, None))
        self._filter = chosen
        self._missing_ok = missing_ok
        self._leave_out = leave_out if leave_out is None else self._key(leave_out)
        self._folders = folders
        self._metadata = metadata
        self._clashes = clashes
        self.folder = self.left = ""
        self.leaves_folders = not driver.features.recursive and chosen.files is None
        self.follows_links = getattr(driver.options, "links", "") == "follow"

    def __iter__(self) -> Iterator[Infos]:
        if self._metadata is None:
            return self._selected()
        return self._with_metadata(self._metadata)

    def _with_metadata(self, wanted: MetadataFilter) -> Iterator[Infos]:
        from .attributes import metadata_of

        def allows(info: ObjectInfo) -> bool:
            try:
                return info.kind is not FILE or wanted.allows(metadata_of(self._driver, origin_of(info)))
            except NotFound:
                return False
            except StorageError as exc:
                # Whether it is wanted is not known.
                self.fail(origin_of(info), exc)
                return False

        for infos in self._selected():
            if chosen := [info for info in infos if allows(info)]:
                yield chosen

    def _selected(self) -> Iterator[Infos]:
        try:
            if self._filter.files is not None:
                yield from self._named()
            elif self._filter.is_trivial:
                yield from self._all() if self._leave_out is None else self._beside()
            elif self._driver.features.recursive and self._filter.depth is None:
                # Of a whole prefix most would lie too deep: for those who want few levels, walking is cheaper.
                yield from self._flat()
            else:
                yield from self._filtered()
        except NotFound as exc:
            # A destination that is not there yet is empty; a directory that vanished below it is not.
            if not self._missing_ok or exc.path:
                raise

    def complete(self, folder: str) -> bool:
        """Say whether the listings of ``folder`` and of all directories above it came to their end."""
        unknown = self._unknown
        if not unknown:
            return True
        # The other side may spell it otherwise.
        path = self._key(folder)
        while path and path not in unknown:
            path = parent(path)
        return path not in unknown

    def knows(self, path: str) -> bool:
        """Say whether what stands at ``path``, or that nothing does, is known for sure."""
        return not self._unknown or self.complete(path)

    def protect(self, path: str) -> None:
        """Let nothing be concluded from what this side does not have at ``path`` and below it."""
        self._unknown.add(self._key(path))

    def fail(self, folder: str, error: StorageError) -> None:
        """Take it that what stands at ``folder`` and below it cannot be known."""
        self.broken[folder] = error
        self.protect(folder)

    def _key(self, path: str) -> str:
        return path if self._spelling is None else self._spelling.key(path)

    def _is_left_out(self, info: ObjectInfo) -> bool:
        return self._leave_out is not None and self._key(info.path) == self._leave_out

    def _note(self, infos: Infos) -> None:
        self.listed += len(infos)
        folder = infos[0].path.rpartition("/")[0]
        if folder != self.folder:
            self.left, self.folder = self.folder, folder

    def _all(self) -> Iterator[Infos]:
        for infos in walk(self._driver, failed=self.fail):
            self._note(infos)
            yield infos

    def _beside(self) -> Iterator[Infos]:
        """Leave out one directory: the destination, when it lies within the source."""
        for infos in walk(self._driver, enter=lambda info: not self._is_left_out(info), failed=self.fail):
            self._note(infos)
            if not self._is_left_out(infos[-1]):
                yield infos
            elif len(infos) > 1:
                yield infos[:-1]

    def _flat(self) -> Iterator[Infos]:
        chosen, left_out = self._filter, self._leave_out
        hidden = self._hidden() if chosen.marker_names else None

        def selects(info: ObjectInfo) -> bool:
            if info.kind is DIR:
                selected = chosen.selects_dir(info.path)
            else:
                selected = chosen.selects(info.path, info.size, info.mtime_ns)
            if not selected or (left_out and inside(self._key(info.path), left_out)):
                return False
            return not (hidden and hidden(info.path if info.kind is DIR else parent(info.path)))

        for infos in pages(self._driver, recursive=True):
            self.listed += len(infos)
            selected = [info for info in infos if selects(info)]
            if selected:
                yield selected

    def _hidden(self) -> Callable[[str], bool]:
        """Return what tells of a directory whether it, or one above, holds a marker, or cannot be asked for one."""
        marked = Marked(self._driver, self._filter.marker_names)
        last: tuple[str, bool] | None = None

        def hidden(folder: str) -> bool:
            nonlocal last
            if last is None or last[0] != folder:
                last = (folder, any(map(holds, ["", *above(folder + "/")])))
            return last[1]

        def holds(folder: str) -> bool:
            try:
                return marked.marker(folder) is not None
            except StorageError as exc:
                if not folder:
                    raise
                self.fail(folder, exc)
                return True

        return hidden

    def _filtered(self) -> Iterator[Infos]:
        enters, allows = self._selection()
        if not self._enters_root():
            return
        for infos in walk(self._driver, enter=enters, failed=self.fail):
            self._note(infos)
            selected = [info for info in infos if allows(info)]
            if selected:
                yield selected

    def _enters_root(self) -> bool:
        markers = self._filter.marker_names
        return not markers or Marked(self._driver, markers).marker("") is None

    def _selection(self) -> tuple[Says, Says]:
        """Return what says whether a walk goes into a directory, and whether an entry of one is selected."""
        chosen, markers, depth = self._filter, self._filter.marker_names, self._filter.depth
        marked = Marked(self._driver, markers)

        def enters(info: ObjectInfo) -> bool:
            if depth is not None and info.path.count("/") + 1 >= depth:
                return False
            return allows(info)

        def allows(info: ObjectInfo) -> bool:
            if info.kind is not DIR:
                return chosen.allows_file(info.path, info.size, info.mtime_ns)
            if self._is_left_out(info) or not chosen.allows_dir(info.path):
                return False
            try:
                return not markers or marked.marker(info.path) is None
            except StorageError as exc:
                # Whether it is excluded is as unknown as what stands in it.
                self.fail(info.path, exc)
                return False

        return enters, allows

    def _named(self) -> Iterator[Infos]:
        """Look at each path of a list instead of walking; one that is not there is not selected."""
        found: Infos = []
        last = ""
        for path in sorted(self._filter.files or ()):
            if self._filter.is_too_deep(path):
                continue
            try:
                info = self._driver.stat(path)
            except (NotFound, NotADirectoryError, InvalidPath):  # a path that cannot be there is not there
                continue
            except StorageError as exc:
                self.fail(path, exc)
                continue
            self.listed += 1
            named = info.kind is FILE
            if named or (self._clashes and info.kind is DIR):
                if self._folders:
                    found += [ObjectInfo(folder, DIR) for folder in above(path) if not last.startswith(folder + "/")]
                    last = path if named else f"{path}/"
                found.append(info)
            if len(found) >= 1000:
                yield found
                found = []
        if found:
            yield found


def above(path: str) -> list[str]:
    """Return the directories above a path, the topmost first."""
    return [path[:at] for at, letter in enumerate(path) if letter == "/" and at]
