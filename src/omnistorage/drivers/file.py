"""``file:///folder`` or a plain path: files and folders of this machine."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat as st
import time
from binascii import crc32
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from omnistorage.core import hashes
from omnistorage.core.address import Address
from omnistorage.core.driver import Driver
from omnistorage.core.errors import (
    AlreadyExists,
    ConfigError,
    InvalidPath,
    IsADirectory,
    NotADirectory,
    SourceChanged,
    SpecialFile,
    StorageError,
    Truncated,
    printable,
)
from omnistorage.core.features import Features
from omnistorage.core.info import DIR, FILE, LINK, OTHER, ObjectInfo, Page, Usage
from omnistorage.core.options import PutOptions, from_text
from omnistorage.core.paths import check_hierarchical
from omnistorage.core.streams import Body, ByteStream, OpenerBody, Upload, Window, copy_stream

from ._localcopy import copy_file, write_all
from ._localupload import begin, resume

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TEMP: Final = ".omnistorage-"
"""How names of temporary files begin; they are never listed, and no object can have such a name."""

LINK_SUFFIX: Final = ".rclonelink"
"""With ``links=keep`` a symbolic link is an object with this suffix that holds its target, as rclone has it."""


_TYPE: Final = 0o170000
_REGULAR: Final = 0o100000

Names = list[str]
Infos = list[ObjectInfo]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a storage of local files.

    Attributes:
        root: Folder that the keys are relative to; made when something is stored.
        links: What symbolic links are: skip (listed as links, refused for reading), follow (what they point to)
            or keep (small objects named NAME.rclonelink that hold the target).
        fsync: When bytes are forced to the disk: never (the kernel writes them within seconds), data (each file
            before it gets its name), full (its folder, too).
        page_size: Most entries that one listing answers with.
    """

    root: str = "."
    links: Literal["skip", "follow", "keep"] = "skip"
    fsync: Literal["never", "data", "full"] = "never"
    page_size: int = 1000


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
        max_path=4096,
        local=True,
    )

    def __init__(self, options: Options | None = None) -> None:
        given = Options() if options is None else options
        super().__init__(msgspec.structs.replace(given, root=os.path.abspath(given.root)))
        self.local_root = self._root = self.options.root
        self._follow = self.options.links == "follow"
        self._keep = self.options.links == "keep"
        self._verified: dict[str, float] = {}

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
        if self._keep and place.endswith(LINK_SUFFIX):
            return self._link_info(path, place)
        return _describe(path, os.stat(place, follow_symlinks=self._follow or not path))

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        cursor = page if isinstance(page, _Cursor) else _Cursor(self._names(path), 0)
        end = cursor.start + self.options.page_size
        infos = self._describe_all(path, cursor.names[cursor.start : end])
        return Page(infos, _Cursor(cursor.names, end) if end < len(cursor.names) else None)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        place = self._place(path)
        if self._keep and place.endswith(LINK_SUFFIX):
            return _window(io.BytesIO(os.fsencode(_readlink(place))), offset, length)
        # Without O_NONBLOCK, opening a FIFO would wait for a writer that may never come.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if self._follow else os.O_NOFOLLOW)
        try:
            fd = os.open(place, flags)
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENXIO):
                raise SpecialFile(f"is {_kind_in_words(place)}, not a regular file") from exc
            raise
        mode = os.fstat(fd).st_mode
        if not st.S_ISREG(mode):
            os.close(fd)
            raise IsADirectory if st.S_ISDIR(mode) else SpecialFile
        return _window(_LocalStream(fd), offset, length)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        place = self._place(path, to_write=True)
        if self._keep and path.endswith(LINK_SUFFIX):
            return self._put_link(path, place, body, options)
        if options.consume and body.local_path is not None and not options.if_absent:
            moved = self._adopt(path, place, body.local_path, options)
            if moved is not None:
                return moved
        fd, temp = self._open_temp(place)
        try:
            with body.open() as source:
                size = _fill(fd, source, body)
                if body.size is not None and size != body.size:
                    raise Truncated(f"{body.size} bytes were announced, {size} came")
                body.check()
            if options.mode is not None:
                os.fchmod(fd, options.mode)
            if options.mtime_ns is not None:
                os.utime(fd, ns=(options.mtime_ns, options.mtime_ns))
                mtime_ns = options.mtime_ns
            else:
                mtime_ns = os.fstat(fd).st_mtime_ns
            self._publish(fd, temp, place, if_absent=options.if_absent)
        except BaseException:
            _unlink_quietly(temp)
            raise
        finally:
            os.close(fd)
        return ObjectInfo(path, FILE, size, mtime_ns)

    def delete(self, path: str) -> None:
        place = self._place(path)
        if self._keep and path.endswith(LINK_SUFFIX):
            _readlink(place)
            place = place.removesuffix(LINK_SUFFIX)
        try:
            os.unlink(place)
        except PermissionError:
            # macOS answers so for a directory, Linux with EISDIR.
            if os.path.isdir(place):
                raise IsADirectory from None
            raise

    def classify(self, exc: Exception) -> type[StorageError] | None:
        if isinstance(exc, OSError) and exc.errno == errno.ELOOP:
            return SpecialFile
        return super().classify(exc)

    # -- optional verbs ------------------------------------------------------------------------------------

    def copy(self, src: str, dst: str) -> ObjectInfo:
        about = os.stat(self._place(src), follow_symlinks=self._follow)
        body = OpenerBody(lambda: self.get(src), about.st_size)
        return self.put(dst, body, PutOptions(mtime_ns=about.st_mtime_ns, mode=st.S_IMODE(about.st_mode)))

    def move(self, src: str, dst: str) -> ObjectInfo:
        source, target = self._place(src), self._place(dst, to_write=True)
        about = os.stat(source, follow_symlinks=False)
        if st.S_ISDIR(about.st_mode) and os.path.lexists(target):
            raise AlreadyExists(path=dst)
        try:
            os.rename(source, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(source, target)
        self._verified.clear()
        return _describe(dst, os.stat(target, follow_symlinks=False))

    def mkdir(self, path: str) -> None:
        try:
            os.makedirs(self._place(path, to_write=True), exist_ok=True)
        except FileExistsError:
            raise NotADirectory from None

    def rmdir(self, path: str) -> None:
        place = self._place(path)
        try:
            os.rmdir(place)
        except OSError as exc:
            # What only we can see must not keep a folder from being empty.
            if exc.errno != errno.ENOTEMPTY or not self._sweep_folder(place, older_than=0.0):
                raise
            os.rmdir(place)
        self._verified.clear()

    def set_modified(self, path: str, mtime_ns: int) -> None:
        place = self._place(path)
        if self._keep and path.endswith(LINK_SUFFIX):
            place = place.removesuffix(LINK_SUFFIX)
        os.utime(place, ns=(mtime_ns, mtime_ns), follow_symlinks=self._follow)

    def hash(self, path: str, name: str) -> str:
        kind = hashes.canonical(name)
        with self.get(path) as stream:
            return hashes.hash_stream(stream, (kind,))[kind]

    def about(self) -> Usage:
        place = self._root
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
        return begin(self._place(path, to_write=True), path, options, self._publish)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        return resume(self._place(path, to_write=True), path, token, options, self._publish)

    def sweep(self, path: str = "", *, older_than: float = 86400.0) -> int:
        swept = 0
        for folder, _, _ in os.walk(self._place(path)):
            swept += self._sweep_folder(folder, older_than)
        return swept

    def identity(self) -> tuple[str, ...]:
        return (self.scheme, os.path.realpath(self._root))

    # -- names ---------------------------------------------------------------------------------------------

    def _place(self, path: str, *, to_write: bool = False) -> str:
        """Return the absolute path of a key, once it is sure that it does not lead out of the root."""
        check_hierarchical(path)
        if TEMP in path and any(part.startswith(TEMP) for part in path.split("/")):
            raise InvalidPath(f"names that begin with {TEMP!r} are kept for temporary files", path=path)
        if not path:
            return self._root
        if not self._follow and "/" in path:
            self._refuse_links(path.rpartition("/")[0])
        return f"{self._root}/{path}"

    def _refuse_links(self, folder: str) -> None:
        """Refuse a folder that is reached by a symbolic link: it may stand anywhere.

        Looked at again after a second: not per object, or it would cost more than storing a small file.
        """
        now = time.monotonic()
        if self._verified.get(folder, 0.0) > now:
            return
        place = self._root
        for part in folder.split("/"):
            place = f"{place}/{part}"
            try:
                mode = os.lstat(place).st_mode
            except FileNotFoundError:
                return
            if st.S_ISLNK(mode):
                raise SpecialFile(
                    f"{printable(place)!r} is a symbolic link, and may lead out of the storage; "
                    "links=follow (-L) allows that",
                    path=folder,
                )
        if len(self._verified) > 10_000:
            self._verified.clear()
        self._verified[folder] = now + 1.0

    def _names(self, path: str) -> Names:
        """Return the names in a folder in path order, those of folders with a slash."""
        follow = self._follow
        with os.scandir(self._place(path)) as entries:
            names = [
                entry.name + "/" if entry.is_dir(follow_symlinks=follow) else entry.name
                for entry in entries
                if not entry.name.startswith(TEMP)
            ]
        names.sort()
        return names

    def _describe_all(self, path: str, names: Names) -> Infos:
        """Describe the files and folders of these names; what has vanished meanwhile is left out."""
        prefix = path + "/" if path else ""
        infos: Infos = []
        add, look, follow = infos.append, os.stat, self._follow
        # Looking up names below an open folder spares the kernel the walk along the path.
        folder = os.open(self._place(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                try:
                    about = look(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if about.st_mode & _TYPE == _REGULAR:
                    add(ObjectInfo(prefix + name, FILE, about.st_size, about.st_mtime_ns))
                elif name[-1] == "/":
                    add(ObjectInfo(prefix + name[:-1], DIR, None, about.st_mtime_ns))
                else:
                    add(self._odd_entry(prefix + name, name, folder, follow))
        finally:
            os.close(folder)
        return infos

    def _odd_entry(self, path: str, name: str, folder: int, follow: bool) -> ObjectInfo:
        """Describe what is neither a file nor was a folder a moment ago."""
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if st.S_ISLNK(about.st_mode):
            if self._keep:
                size = len(os.fsencode(os.readlink(name, dir_fd=folder)))
                return ObjectInfo(path + LINK_SUFFIX, FILE, size, about.st_mtime_ns)
            if follow:
                try:
                    about = os.stat(name, dir_fd=folder)
                except OSError:
                    # It points nowhere, or in a circle.
                    return ObjectInfo(path, LINK, None, about.st_mtime_ns)
            else:
                return ObjectInfo(path, LINK, None, about.st_mtime_ns)
        if st.S_ISDIR(about.st_mode):
            raise SourceChanged("was listed as a file, is a folder now", path=path)
        return _describe(path, about)

    # -- temporary files -----------------------------------------------------------------------------------

    def _open_temp(self, place: str) -> tuple[int, str]:
        """Open a temporary file beside ``place``; its name is always the same, so that a rerun takes it over.

        The lock tells a file that somebody writes from one that a killed process left.
        """
        folder, _, name = place.rpartition("/")
        temp = f"{folder}/{TEMP}{crc32(os.fsencode(name)):08x}.tmp"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(temp, flags | os.O_EXCL, 0o666)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            return self._open_temp(place)
        except FileExistsError:
            fd = os.open(temp, flags, 0o666)
            if _take_over(fd, temp):
                return fd, temp
            os.close(fd)
            temp = f"{folder}/{TEMP}{os.urandom(8).hex()}.tmp"
            fd = os.open(temp, flags | os.O_EXCL, 0o666)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd, temp

    def _adopt(self, path: str, place: str, local_path: str, options: PutOptions) -> ObjectInfo | None:
        """Rename a local file into the storage; None if it must be copied."""
        try:
            if not st.S_ISREG(os.lstat(local_path).st_mode):
                return None
            try:
                os.rename(local_path, place)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.rename(local_path, place)
        except OSError as exc:
            if exc.errno == errno.EXDEV:
                return None
            raise
        if options.mtime_ns is not None:
            os.utime(place, ns=(options.mtime_ns, options.mtime_ns), follow_symlinks=False)
        return _describe(path, os.lstat(place))

    def _publish(self, fd: int, temp: str, place: str, *, if_absent: bool) -> None:
        """Give a finished temporary file its name, in one step."""
        if self.options.fsync != "never":
            os.fsync(fd)
        if if_absent:
            try:
                os.link(temp, place, follow_symlinks=False)
            except FileExistsError:
                raise AlreadyExists from None
            os.unlink(temp)
        else:
            os.rename(temp, place)
        if self.options.fsync == "full":
            folder = os.open(os.path.dirname(place), os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _sweep_folder(self, folder: str, older_than: float) -> int:
        """Remove temporary files of ``folder`` that nobody writes any more; return how many."""
        swept = 0
        with os.scandir(folder) as entries:
            left = [entry for entry in entries if entry.name.startswith(TEMP)]
        for entry in left:
            try:
                fd = os.open(entry.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                old = time.time() - os.fstat(fd).st_mtime >= older_than
                if old and _take_over(fd, entry.path):
                    os.unlink(entry.path)
                    swept += 1
            finally:
                os.close(fd)
        return swept

    # -- links as objects ----------------------------------------------------------------------------------

    def _link_info(self, path: str, place: str) -> ObjectInfo:
        target = _readlink(place)
        about = os.lstat(place.removesuffix(LINK_SUFFIX))
        return ObjectInfo(path, FILE, len(os.fsencode(target)), about.st_mtime_ns)

    def _put_link(self, path: str, place: str, body: Body, options: PutOptions) -> ObjectInfo:
        with body.open() as source:
            target = source.read(1 << 16)
        link = place.removesuffix(LINK_SUFFIX)
        if options.if_absent and os.path.lexists(link):
            raise AlreadyExists
        os.makedirs(os.path.dirname(link), exist_ok=True)
        temp = f"{os.path.dirname(link)}/{TEMP}{os.urandom(8).hex()}.tmp"
        os.symlink(os.fsdecode(target), temp)
        try:
            if options.mtime_ns is not None:
                os.utime(temp, ns=(options.mtime_ns, options.mtime_ns), follow_symlinks=False)
            os.rename(temp, link)
        except BaseException:
            _unlink_quietly(temp)
            raise
        return self._link_info(path, place)


class _Cursor:
    """Where a listing of one folder goes on."""

    __slots__ = ("names", "start")

    def __init__(self, names: Names, start: int) -> None:
        self.names = names
        self.start = start


class _LocalStream:
    """An open file, read without a buffer; the kernel can copy from its descriptor."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int = -1, /) -> bytes:
        if size is not None and size >= 0:
            return os.read(self._fd, size)
        parts = []
        while data := os.read(self._fd, 1 << 20):
            parts.append(data)
        return b"".join(parts)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return os.readv(self._fd, [buffer])

    def seek(self, offset: int) -> None:
        os.lseek(self._fd, offset, os.SEEK_SET)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> _LocalStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _window(stream: Any, offset: int, length: int | None) -> ByteStream:
    if offset:
        stream.seek(offset)
    return stream if length is None else Window(stream, length)


def _fill(fd: int, source: ByteStream, body: Body) -> int:
    """Copy a source into an open file, by the kernel if it is a file, too."""
    try:
        descriptor = source.fileno()  # type: ignore[attr-defined]
    except (AttributeError, io.UnsupportedOperation):
        view = memoryview
        return copy_stream(source, lambda data: write_all(fd, view(data)))
    return copy_file(descriptor, fd, body.size, body.progress)


def _describe(path: str, about: os.stat_result) -> ObjectInfo:
    mode = about.st_mode & _TYPE
    if mode == _REGULAR:
        return ObjectInfo(path, FILE, about.st_size, about.st_mtime_ns)
    if st.S_ISDIR(mode):
        return ObjectInfo(path, DIR, None, about.st_mtime_ns)
    return ObjectInfo(path, LINK if st.S_ISLNK(mode) else OTHER, None, about.st_mtime_ns)


def _readlink(place: str) -> str:
    try:
        return os.readlink(place.removesuffix(LINK_SUFFIX))
    except OSError as exc:
        if exc.errno == errno.EINVAL:
            raise FileNotFoundError(errno.ENOENT, "not a symbolic link") from exc
        raise


def _take_over(fd: int, temp: str) -> bool:
    """Lock and empty a temporary file that nobody writes; False if somebody does, or it became an object."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between our open and our lock its owner may have given it its final name: then it is not ours.
        mine = os.stat(temp, follow_symlinks=False).st_ino == os.fstat(fd).st_ino
    except OSError:
        return False
    if mine:
        os.ftruncate(fd, 0)
    return mine


def _unlink_quietly(temp: str) -> None:
    try:
        os.unlink(temp)
    except OSError:
        return


def _kind_in_words(place: str) -> str:
    try:
        mode = os.lstat(place).st_mode
    except OSError:
        return "something else"
    for test, word in _WORDS:
        if test(mode):
            return word
    return "something else"


_WORDS: Final = (
    (st.S_ISLNK, "a symbolic link"),
    (st.S_ISFIFO, "a FIFO"),
    (st.S_ISSOCK, "a socket"),
    (st.S_ISCHR, "a device"),
    (st.S_ISBLK, "a device"),
    (st.S_ISDIR, "a folder"),
)

DRIVER = FileDriver
