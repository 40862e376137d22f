"""``file:///folder`` or a plain path: files and folders of this machine."""

from __future__ import annotations

import errno
import io
import os
import stat as st
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from omnistorage.core import hashes
from omnistorage.core.address import Address
from omnistorage.core.driver import Driver, PutItem, PutResults
from omnistorage.core.errors import (
    AlreadyExists,
    ConfigError,
    InvalidPath,
    IsADirectory,
    SourceChanged,
    SpecialFile,
    StorageError,
    Truncated,
    Unsupported,
)
from omnistorage.core.features import Features
from omnistorage.core.info import FILE, OTHER, ObjectInfo, Page, Usage
from omnistorage.core.localnames import TEMP
from omnistorage.core.options import PutOptions, from_text
from omnistorage.core.paths import inside
from omnistorage.core.streams import CHUNK, Body, ByteStream, OpenerBody, Upload

from . import _locallinks as kept
from . import _localmeta as localmeta
from . import _localtemp as temps
from ._localbatch import Batch
from ._localcopy import fill_file
from ._localinplace import put_in_place
from ._locallist import Cursor, brief_infos, describe, describe_names, kind_in_words, read_kinds, read_names
from ._localroot import Root
from ._localstream import LocalStream, prove, window
from ._localupload import begin, resume

__all__ = ["DRIVER", "LINK_SUFFIX", "TEMP", "FileDriver", "Options"]

LINK_SUFFIX: Final = kept.SUFFIX

_READ: Final = os.O_RDONLY | temps.CLOEXEC | temps.BINARY
# Without O_NONBLOCK, opening a FIFO would wait for a writer that may never come.
_GET: Final = _READ | temps.NONBLOCK
_FOLDER: Final = _READ | temps.DIRECTORY


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a storage of local files.

    Attributes:
        root: Folder that the keys are relative to; made when something is stored.
        links: What symbolic links are: skip (listed as links, refused for reading), follow (what they point to)
            or keep (small objects named NAME.rclonelink that hold the target).
        fsync: When bytes are forced to the disk: never (the kernel writes them within seconds), data (each file
            before it gets its name), full (its folder, too).
        page_size: Most entries that one listing answers with.
        special_bits: Metadata may set the setuid, setgid and sticky bits; what comes from elsewhere is not to be
            trusted with them.
    """

    root: str = "."
    links: Literal["skip", "follow", "keep"] = "skip"
    fsync: Literal["never", "data", "full"] = "never"
    page_size: int = 1000
    special_bits: bool = False


class FileDriver(Driver):
    """Files below one folder; nothing outside it can be named, and temporary files are never seen."""

    scheme = "file"
    options_class = Options
    features = Features(
        ordered=True,
        ranges=True,
        atomic_put=True,
        if_absent=True,
        mtime=True,
        precision=1,
        computes=frozenset(hashes.NAMES),
        max_name=255,
        local=True,
        finds_uploads=True,
    )

    def __init__(self, options: Options | None = None) -> None:
        given = Options() if options is None else options
        super().__init__(msgspec.structs.replace(given, root=os.path.abspath(given.root)))
        # A link has no bytes of its own: where links are objects, not each key is a file to be opened or renamed.
        self.local_root = self.options.root if self.options.links == "skip" else None
        self._follow = self.options.links == "follow"
        self._keep = self.options.links == "keep"
        self._fsync: temps.Fsync = self.options.fsync
        self._nofollow = 0 if self._follow else temps.NOFOLLOW
        self._root = Root(self.options.root, follow=self._follow)
        self._place, self._target = self._root.place, self._root.target
        self._littered: set[str] = set()
        self._special = self.options.special_bits
        self.features = msgspec.structs.replace(
            type(self).features, max_path=self._root.longest, applies=localmeta.applies(special=self._special)
        )

    @classmethod
    def from_address(cls, address: Address) -> tuple[Driver, str]:
        if address.authority not in ("", "localhost"):
            raise ConfigError(
                f"file: files of another host ({address.authority!r}) cannot be opened; write file:///folder"
            )
        settings: dict[str, Any] = {"root": address.path or "/", **address.options}
        return cls(from_text(Options, settings, where="file")), ""

    # -- the five verbs ------------------------------------------------------------------------------------

    def stat(self, path: str) -> ObjectInfo:
        place = self._place(path)
        if self._follow and path:
            return self._stat_followed(path, place)
        if self._keep and (path or place.endswith(LINK_SUFFIX)) and (link := kept.link_of(place)):
            return kept.describe_link(path, link)
        info = describe(path, os.stat(place, follow_symlinks=not path))
        return self._mark_taken(info) if self._keep else info

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        links: Literal["skip", "follow", "keep"] = self.options.links
        folder = self._open_folder(path)
        try:
            if isinstance(page, Cursor):
                cursor = page
            else:
                names, littered = read_names(folder, links, self._ancestors(path))
                cursor = Cursor(names)
                if littered and len(self._littered) < 10_000:
                    self._littered.add(path)
            names, rest = cursor.page(self.options.page_size)
            return Page(describe_names(folder, path and path + "/", names, links), rest)
        finally:
            os.close(folder)

    def names(self, path: str, *, page: object = None) -> Page:
        links: Literal["skip", "follow", "keep"] = self.options.links
        folder = self._open_folder(path)
        try:
            cursor = page if isinstance(page, Cursor) else Cursor(*read_kinds(folder, links, self._ancestors(path)))
            names, rest = cursor.page(self.options.page_size)
            return Page(brief_infos(folder, path and path + "/", names, cursor.odd, links), rest)
        finally:
            os.close(folder)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        place = self._place(path)
        if self._keep and (link := kept.link_of(place)):
            return window(io.BytesIO(os.fsencode(os.readlink(link))), offset, length)
        try:
            fd = os.open(place, _GET | self._nofollow)
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENXIO):
                raise SpecialFile(f"is {kind_in_words(place)}, not a regular file") from exc
            raise
        about = os.fstat(fd)
        if not st.S_ISREG(about.st_mode) or (self._keep and path.endswith(LINK_SUFFIX)):
            os.close(fd)
            raise IsADirectory if st.S_ISDIR(about.st_mode) else SpecialFile
        stream = LocalStream(fd, path, about)
        return window(stream, offset, length) if offset or length is not None else stream

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        place = self._target(path)
        if self._keep and path.endswith(LINK_SUFFIX):
            self._root.distrust()
            return kept.put_link(path, place, body, options, self._fsync)
        if options.link and body.local_path is not None:
            linked = self._link(path, place, body, body.local_path, options)
            if linked is not None:
                return linked
        if options.if_absent:
            # Before the bytes travel; what comes about meanwhile is noticed at the end.
            if os.path.lexists(place):
                raise AlreadyExists
        elif options.inplace:
            return put_in_place(path, place, body, options, self._fsync, special=self._special)
        elif options.consume and body.local_path is not None:
            moved = self._adopt(path, place, body, body.local_path, options)
            if moved is not None:
                return moved
        mode, folders = localmeta.mode_before(options), localmeta.folder_mode(options)
        fd, temp = temps.open_temp(place, self._fsync, mode, folders)
        try:
            with body.open() as source:
                size = fill_file(fd, source, body)
                if body.size is not None and size != body.size:
                    raise Truncated(f"{body.size} bytes were announced, {size} came")
                if body.proof is not None:
                    prove(fd, body.proof)
                body.check()
            mtime_ns, held = localmeta.finish(fd, options, special=self._special)
            temps.publish(fd, temp, place, if_absent=options.if_absent, fsync=self._fsync)
        except BaseException:
            temps.unlink_quietly(temp)
            raise
        finally:
            os.close(fd)
        return ObjectInfo(path, FILE, size, mtime_ns, metadata=held)

    def delete(self, path: str) -> None:
        place = self._place(path)
        if self._keep:
            place = kept.link_of(place) or place
        try:
            os.unlink(place)
        except PermissionError:
            # macOS answers so for a directory, Linux with EISDIR.
            if os.path.isdir(place) and not os.path.islink(place):
                raise IsADirectory from None
            raise

    def classify(self, exc: Exception) -> type[StorageError] | None:
        if isinstance(exc, OSError) and exc.errno == errno.ELOOP:
            return SpecialFile
        return super().classify(exc)

    # -- optional verbs ------------------------------------------------------------------------------------

    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        if self._keep or self._fsync != "never":
            return super().put_many(items)
        results: PutResults = []
        with Batch(self._target) as batch:
            for item in items:
                try:
                    results.append(self._put_one_of(batch, item))
                except Exception as exc:
                    results.append(exc)
        return results

    def copy(self, src: str, dst: str) -> ObjectInfo:
        place = self._place(src)
        if self._keep and kept.link_of(place):
            info, mode = self.stat(src), None
        else:
            about = os.stat(place, follow_symlinks=self._follow)
            info, mode = describe(src, about), st.S_IMODE(about.st_mode)
        body = OpenerBody(lambda: self.get(src), info.size)
        return self.put(dst, body, PutOptions(mtime_ns=info.mtime_ns, mode=mode))

    def move(self, src: str, dst: str) -> ObjectInfo:
        source, target = self._place(src), self._target(dst)
        if self._keep and (kept.link_of(source) or dst.endswith(LINK_SUFFIX)):
            return self._move_by_copy(src, dst)
        about = os.stat(source, follow_symlinks=False)
        is_dir = st.S_ISDIR(about.st_mode)
        if is_dir and os.path.lexists(target):
            raise AlreadyExists(path=dst)
        try:
            temps.rename(source, target, self._fsync)
        except OSError as exc:
            if exc.errno != errno.EXDEV or not st.S_ISREG(about.st_mode):
                raise
            return self._move_by_copy(src, dst)
        finally:
            if is_dir:
                self._root.distrust()
        if self._fsync == "full":
            temps.sync_folder(os.path.dirname(source))
        return describe(dst, os.stat(target, follow_symlinks=False))

    def mkdir(self, path: str) -> None:
        place = self._target(path) if path else self._root.folder
        self._root.refuse_links(path)
        temps.make_folders(place, self._fsync)

    def rmdir(self, path: str) -> None:
        place = self._place(path)
        try:
            os.rmdir(place)
        except OSError as exc:
            # What only we can see must not keep a folder from being empty.
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not temps.holds_only_temps(place):
                raise
            temps.sweep_folder(place, older_than=0.0)
            os.rmdir(place)
        finally:
            self._root.distrust()

    def set_modified(self, path: str, mtime_ns: int) -> None:
        place = self._own_place(path)
        os.utime(place, ns=(mtime_ns, mtime_ns), follow_symlinks=self._follow or not path)

    def metadata(self, path: str) -> dict[str, str]:
        return localmeta.read(self._own_place(path), follow=self._follow or not path)

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        place, follow = self._own_place(path), self._follow or not path
        held = localmeta.change(place, metadata, follow=follow, special=self._special)
        return msgspec.structs.replace(self.stat(path), metadata=held)

    def hash(self, path: str, name: str) -> str:
        try:
            kind = hashes.canonical(name)
        except ValueError as exc:
            raise Unsupported(str(exc)) from None
        size = self.stat(path).size or 0
        with self.get(path) as stream:
            return hashes.hash_stream(stream, (kind,), min(CHUNK, size + 1))[kind]

    def about(self) -> Usage:
        place = self._root.folder
        while not os.path.exists(place):
            place = os.path.dirname(place)
        disk = os.statvfs(place)
        block = disk.f_frsize
        return Usage(
            total=disk.f_blocks * block,
            used=(disk.f_blocks - disk.f_bfree) * block,
            free=disk.f_bavail * block,
        )

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        self._refuse_parts_of_link(path)
        return begin(self._target(path), path, options, self._fsync, size, special=self._special)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        self._refuse_parts_of_link(path)
        return resume(self._target(path), path, token, options, self._fsync, special=self._special)

    def sweep(
        self, path: str = "", *, older_than: float = 86400.0, noticed: bool = False, dry_run: bool = False
    ) -> int:
        if noticed:
            littered = [folder for folder in tuple(self._littered) if inside(folder, path)]
            self._littered.difference_update(littered)
            return sum(temps.sweep_folder(self._place(folder), older_than=older_than)[0] for folder in littered)
        total, folders = 0, [self._place(path)]
        self._root.refuse_links(path)
        while folders:
            swept, below = temps.sweep_folder(folders.pop(), older_than=older_than, dry_run=dry_run)
            total += swept
            folders += below
        return total

    def identity(self) -> tuple[str, ...]:
        return (self.scheme, os.path.realpath(self._root.folder))

    # -- parts of verbs ------------------------------------------------------------------------------------

    def _open_folder(self, path: str) -> int:
        place = self._place(path)
        try:
            return os.open(place, _FOLDER | (self._nofollow if path else 0))
        except OSError as exc:
            if exc.errno in (errno.ENOTDIR, errno.ELOOP) and path:
                self._root.refuse_links(path)
            raise

    def _ancestors(self, path: str) -> kept.Ancestors:
        return kept.Ancestors(self._root.folder, self._place(path))

    def _stat_followed(self, path: str, place: str) -> ObjectInfo:
        """Describe what a listing says: what a link points to, or the link if that is nothing, or a circle."""
        try:
            about = os.stat(place)
            if not st.S_ISDIR(about.st_mode) or not os.path.islink(place):
                return describe(path, about)
            if not kept.Ancestors(self._root.folder, os.path.dirname(place)).has(about):
                return describe(path, about)
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ELOOP):
                raise
        return describe(path, os.lstat(place))

    def _own_place(self, path: str) -> str:
        """Return where that stands which a key means: a link that is kept, not what it leads to."""
        place = self._place(path)
        return (kept.link_of(place) or place) if self._keep and path else place

    def _mark_taken(self, info: ObjectInfo) -> ObjectInfo:
        """With links=keep, a file whose key means a link is something that cannot be read."""
        if info.kind is FILE and info.path.endswith(LINK_SUFFIX):
            return msgspec.structs.replace(info, kind=OTHER, size=None)
        return info

    def _put_one_of(self, batch: Batch, item: PutItem) -> ObjectInfo:
        if batch.takes(item):
            try:
                return batch.put(item)
            except (FileNotFoundError, FileExistsError):
                # A folder is to be made, or what a killed run left is to be looked at: the long way does that.
                batch.close()
        return self.put(*item)

    def _adopt(self, path: str, place: str, body: Body, local_path: str, options: PutOptions) -> ObjectInfo | None:
        """Rename a local file into the storage; None if it must be copied."""
        about = os.lstat(local_path)
        if not st.S_ISREG(about.st_mode) or (body.size is not None and body.size != about.st_size):
            return None
        body.check()
        try:
            temps.rename(local_path, place, self._fsync)
        except OSError as exc:
            if exc.errno == errno.EXDEV:
                return None
            raise
        if options.mode is not None:
            os.chmod(place, options.mode)
        info = describe(path, os.lstat(place))
        if options.attributes:
            # It keeps what it has, the time of the last access as well.
            return msgspec.structs.replace(info, metadata=dict(options.metadata))
        if options.mtime_ns is not None:
            os.utime(place, ns=(options.mtime_ns, options.mtime_ns), follow_symlinks=False)
            info = msgspec.structs.replace(info, mtime_ns=options.mtime_ns)
        return info

    def _link(self, path: str, place: str, body: Body, local_path: str, options: PutOptions) -> ObjectInfo | None:
        """Give a local file a second name in the storage; None if it must be copied."""
        if not options.if_absent or not st.S_ISREG(os.lstat(local_path).st_mode):
            return None
        body.check()
        return describe(path, os.lstat(place)) if temps.link_new(local_path, place, self._fsync) else None

    def _move_by_copy(self, src: str, dst: str) -> ObjectInfo:
        """Copy, and delete the source once the copy is whole and the source still what was copied."""
        before = self.stat(src)
        info = self.copy(src, dst)
        if src != dst:
            if self.stat(src) != before:
                raise SourceChanged(path=src)
            self.delete(src)
        return info

    def _refuse_parts_of_link(self, path: str) -> None:
        if self._keep and path.endswith(LINK_SUFFIX):
            raise InvalidPath("a symbolic link cannot be stored in parts", path=path)


DRIVER = FileDriver
