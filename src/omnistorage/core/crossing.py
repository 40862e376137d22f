"""One object from one storage to another, and whether two names mean the same one."""

from __future__ import annotations

from .driver import Driver
from .errors import Corrupted
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


def _under(root: str, path: str) -> str:
    return f"{root}/{path}" if root and path else root or path
