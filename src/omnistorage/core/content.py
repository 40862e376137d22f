"""Is the content the same? By the cheapest evidence that both sides can give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from . import hashes
from .driver import Driver
from .errors import Truncated
from .info import ObjectInfo
from .streams import ByteStream, fill, read_exactly

_CHUNK: Final = 256 << 10
_FIRST: Final = 64 << 10
"""Most objects are small; for these, large buffers would cost more than the reading."""


def common_hash(src: Driver, dst: Driver) -> str | None:
    """Return the hash by which to compare objects of two storages, or None if they share none."""
    one, two = src.features, dst.features
    return hashes.best_common(
        one.computes | one.hashes, two.computes | two.hashes, free_a=one.hashes, free_b=two.hashes
    )


def same_content(src: Driver, dst: Driver, path: str, name: str | None, *, dst_path: str | None = None) -> bool:
    """Say whether the objects at ``path`` (``dst_path`` on the other side, if given) hold the same bytes.

    Files of this machine are compared byte by byte: both must be read anyway, and that costs less than hashing.
    Elsewhere the hash ``name`` decides; without one, both objects are read.

    Raises:
        NotFound: One of them is gone.
    """
    other = path if dst_path is None else dst_path
    if name is None or (src.features.local and dst.features.local):
        return same_bytes(src, path, dst, other)
    return digest(src, path, name) == digest(dst, other, name)


def same_bytes(src: Driver, path: str, dst: Driver, dst_path: str) -> bool:
    """Read both objects and compare them."""
    with src.get(path) as one, dst.get(dst_path) as two:
        return same_streams(one, two)


def same_streams(one: ByteStream, two: ByteStream) -> bool:
    """Read two streams until they differ or end."""
    first = read_exactly(one, _FIRST)
    if first != read_exactly(two, _FIRST):
        return False
    return len(first) < _FIRST or _same_rest(one, two)


def _same_rest(one: ByteStream, two: ByteStream) -> bool:
    a, b = bytearray(_CHUNK), bytearray(_CHUNK)
    while True:
        count = _fill_up(one, a)
        if count != _fill_up(two, b):
            return False
        if count < _CHUNK:
            return memoryview(a)[:count].tobytes() == memoryview(b)[:count].tobytes()
        if a != b:
            return False


def digest(driver: Driver, path: str, name: str, info: ObjectInfo | None = None) -> str:
    """Return a hash of an object: known, computed by the service, or by reading, whatever is cheapest.

    Args:
        driver: The storage.
        path: The object.
        name: The hash, as in ``core.hashes.NAMES``.
        info: What a listing said of it, if that is at hand.
    """
    if info is not None and name in info.hashes:
        return info.hashes[name]
    if name in driver.features.computes:
        return driver.hash(path, name)
    if name in driver.features.hashes and (known := driver.stat(path).hashes.get(name)):
        return known
    with driver.get(path) as stream:
        return hashes.hash_stream(stream, (name,))[name]


def read_and_hash(driver: Driver, info: ObjectInfo, names: Iterable[str]) -> dict[str, str]:
    """Read an object whole and return the hashes of what came; without names, it is read nevertheless.

    Raises:
        Truncated: Not as many bytes came as ``info`` says.
    """
    hasher = hashes.MultiHasher(names)
    count = 0
    buffer = memoryview(bytearray(hashes.CHUNK if info.size is None else min(hashes.CHUNK, info.size + 1)))
    with driver.get(info.path) as stream:
        while some := fill(stream, buffer):
            hasher.update(buffer[:some])
            count += some
    if info.size is not None and count != info.size:
        raise Truncated(f"{count} bytes came of {info.size}", op="get", path=info.path, scheme=driver.scheme)
    return hasher.hexdigests()


def _fill_up(stream: ByteStream, buffer: bytearray) -> int:
    """Fill the buffer, in several reads if it takes them; less than full means the end."""
    count = fill(stream, buffer)
    if count == len(buffer) or not count:
        return count
    view = memoryview(buffer)
    while count < len(buffer) and (more := fill(stream, view[count:])):
        count += more
    return count
