"""Both sides of a run or a check: listed as the names are to be understood, and brought together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omnistorage.core.driver import Driver
from omnistorage.core.info import ObjectInfo
from omnistorage.layers.times import told

from .filters import Filter
from .folding import Folding
from .metafilter import MetadataFilter
from .model import Action, Pair
from .options import Options
from .pairing import pair
from .scan import Scan
from .spelling import spelling_for
from .spool import Spool

Infos = list[ObjectInfo]


class Sides:
    """A source and a destination, and what their names mean to each other.

    Args:
        src: The source.
        dst: The destination; it may be missing.
        chosen: What is looked at.
        nfc: Names that are equal after normalisation to NFC are one name.
        ignore_case: So are names that are equal but for case, as always where the destination tells no cases apart.
        name_transform: How names of the source become names of the destination.
        leave_out: A directory of the source not to look at.
        everything: The destination is looked at without the filter.
        folders: Name the directories above the files of a list at the destination, too.
        metadata: Which of the selected objects are wanted, by their metadata; all if None.
        deleting: What the destination alone has is to be deleted.
        respelling: The destination is to spell names as the source does.
        quiet: Report no clashes and hold nothing back: for those who only look.

    Attributes:
        src_scan: The one pass over the source.
        dst_scan: The one pass over the destination.
        late: Only when all is listed it is known what may be deleted, and not folder by folder.
    """

    def __init__(
        self,
        src: Driver,
        dst: Driver,
        chosen: Filter,
        *,
        nfc: bool = True,
        ignore_case: bool = False,
        name_transform: tuple[str, ...] = (),
        leave_out: str | None = None,
        everything: bool = False,
        folders: bool = False,
        metadata: MetadataFilter | None = None,
        deleting: bool = False,
        respelling: bool = False,
        quiet: bool = False,
    ) -> None:
        self._chosen = chosen
        self._dst = dst
        same = spelling_for(dst.features, nfc=nfc, ignore_case=ignore_case)
        shown = Filter() if everything else chosen
        # Entries of the source that have no name at the destination, or that of another.
        self._refused: Spool[Action] = Spool()
        self._selects = False
        if name_transform:
            from .renaming import RenamingScan, renamed_filter
            from .transforms import Renaming

            renaming = Renaming(name_transform)
            self.src_scan: Scan = RenamingScan(
                src,
                chosen,
                renaming,
                self._refused.append,
                leave_out=leave_out,
                metadata=metadata,
                spelling=same,
            )
            shown = Filter() if everything else renamed_filter(chosen, renaming)
            self._selects = chosen.files is None and not everything and not chosen.is_trivial
        else:
            self.src_scan = Scan(src, chosen, leave_out=leave_out, metadata=metadata, spelling=same)
        self.dst_scan = Scan(
            dst,
            shown,
            missing_ok=True,
            folders=folders,
            metadata=None if everything else metadata,
            # Where nothing is deleted, a folder in the place of a file can only be in the way.
            clashes=folders and not deleting,
            spelling=same,
        )
        self._folding: Folding | None = None
        if same is not None:
            self._folding = Folding(
                same, protect=self.src_scan.protect, deleting=deleting, respelling=respelling, quiet=quiet
            )
        # Until its directory is over, a name may turn out to be that of two; and where names are new ones, the walk
        # through the old ones does not tell when it is.
        self.late = bool(name_transform) or (same is not None and same.case)

    @classmethod
    def of_run(cls, src: Driver, dst: Driver, options: Options, *, leave_out: str | None, deleting: bool) -> Sides:
        """Return the sides of a run."""
        if options.update:
            # Whether something is newer cannot be left to the content.
            src, dst = told(src), told(dst)
        return cls(
            src,
            dst,
            options.filter,
            nfc=options.unicode_normalization,
            ignore_case=options.ignore_case_sync,
            name_transform=options.name_transform,
            leave_out=leave_out,
            everything=options.filter.deletes_excluded and deleting,
            folders=True,
            metadata=options.metadata_filter,
            deleting=deleting,
            respelling=options.fix_case and not options.immutable,
        )

    def pairs(self) -> Iterable[Pair]:
        """Return what stands at each path, on both sides."""
        unite = pair if self._folding is None else self._folding.unite
        pairs: Iterable[Pair] = unite(self.src_scan, self.dst_scan)
        if not self._selects:
            return pairs
        from .renaming import selected

        return selected(pairs, self._chosen, self._dst)

    def source(self) -> Iterable[Infos]:
        """Return the source alone, for those who do not list the destination."""
        folding = self._folding
        # Where names become one, no two of the source may go there.
        return self.src_scan if folding is None or folding.apart else folding.distinct(self.src_scan)

    def clashes(self) -> Iterator[Action]:
        """Yield what cannot be done for its name, and which names are to be respelled, when all pairs have come."""
        yield from self._refused
        if self._folding is not None:
            yield from self._folding.clashes
            yield from self._folding.respellings
