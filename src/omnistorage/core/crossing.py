"""One object from one storage to another, and whether two names mean the same one."""

from __future__ import annotations

import os

from .driver import Driver
from .errors import Corrupted, StorageError
from .info import ObjectInfo
from .options import PutOptions
from .streams import OpenerBody


def transfer(src: Driver, source: str, dst: Driver, target: str) -> ObjectInfo:
    """Copy an object with its time, type and metadata as far as both sides keep them.

    Raises:
        NotFound: There is no ``source``.
        Corrupted: What arrived has another size.
    """
    info = src.stat(source)
    options = PutOptions(content_type=info.content_type, mtime_ns=info.mtime_ns, metadata=info.metadata)
    stored = dst.put(target, OpenerBody(lambda: src.get(source), info.size), options)
    if info.size is not None and stored.size is not None and stored.size != info.size:
        message = f"{info.size} bytes were sent, {stored.size} arrived"
        raise Corrupted(message, op="put", path=target, scheme=dst.scheme)
    return stored


def same_place(src: Driver, src_path: str, dst: Driver, dst_path: str) -> bool:
    """Say whether two paths are the same object, whatever way their storages were named."""
    *one, one_root = src.identity()
    *two, two_root = dst.identity()
    return one == two and _under(one_root, src_path) == _under(two_root, dst_path)


def same_object(src: Driver, src_path: str, dst: Driver, dst_path: str) -> bool:
    """Say whether two paths are the same object by one name, which a service may spell in several ways.

    A bind mount shows one folder at two places, and a file system may fold case: neither follows from the paths.
    """
    if same_place(src, src_path, dst, dst_path):
        return True
    *one, one_root = src.identity()
    *two, two_root = dst.identity()
    if one == two and dst.features.case_insensitive:
        return _folded(_under(one_root, src_path)) == _folded(_under(two_root, dst_path))
    here, there = root_of(src), root_of(dst)
    return here is not None and there is not None and _same_file(f"{here}/{src_path}", f"{there}/{dst_path}")


def refuse_same_object(src: Driver, src_path: str, dst: Driver, dst_path: str) -> None:
    """Refuse to move an object onto itself by copying and deleting.

    Raises:
        StorageError: Both paths are the same object.
    """
    if same_object(src, src_path, dst, dst_path):
        raise StorageError("is the same object under another spelling", op="move", path=dst_path, scheme=dst.scheme)


def _under(root: str, path: str) -> str:
    return f"{root}/{path}" if root and path else root or path


def _folded(path: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def root_of(driver: Driver) -> str | None:
    """Return the folder of this machine that a storage stands for, also where layers hide it from the kernel."""
    if driver.local_root is not None:
        return driver.local_root
    scheme, *_, root = driver.identity()
    return root if driver.features.local and scheme == "file" else None


def _same_file(one: str, two: str) -> bool:
    try:
        if not os.path.samefile(os.path.dirname(one), os.path.dirname(two)):
            return False
        if os.path.basename(one) == os.path.basename(two):
            return True
        # A second hard link is a name of its own.
        return os.path.samefile(one, two) and os.lstat(one).st_nlink == 1
    except OSError:
        return False
