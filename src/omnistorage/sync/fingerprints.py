"""Looking into objects: their first and last block, or all of their bytes, as hashes that tell them apart."""

from __future__ import annotations

import os
import stat as st
from typing import Any, Final

from omnistorage.core import hashes
from omnistorage.core.content import digest
from omnistorage.core.driver import Driver
from omnistorage.core.errors import Cancelled, SourceChanged, StorageError
from omnistorage.core.info import ObjectInfo
from omnistorage.core.streams import ByteStream, descriptor, fill, read_exactly

from .duplicates import Entry, Print

WHOLE: Final = 64 << 10
"""Objects of up to so many bytes are read at once: a second look would cost more than it spares."""

_BLOCK: Final = 16 << 10
_OWN: Final = "blake3"

Look = Print | tuple[Entry, StorageError]
"""What was learned of an object, or why it could not be read."""


def hash_for(driver: Driver) -> str:
    """Choose the hash by which objects of one storage are compared; equal ones prove equal bytes.

    One that the service knows or computes, unless the objects are files of this machine: these are read.
    """
    features = driver.features
    if is_local(driver):
        return _OWN
    for known in (features.hashes, features.computes):
        for name in hashes.PREFERENCE:
            if name in known and name in hashes.STRONG:
                return name
    return _OWN


def comes_free(driver: Driver, name: str) -> bool:
    """Say whether listings tell this hash."""
    return not is_local(driver) and name in driver.features.hashes


def is_local(driver: Driver) -> bool:
    """Say whether objects are files of this machine, also where a layer does not want the kernel to copy them."""
    inner: Any = driver
    while inner is not None:
        if inner.features.local:
            return True
        inner = getattr(inner, "inner", None)
    return False


class NoFile(StorageError):
    """An object on this machine that is no regular file, such as a symbolic link kept as an object."""

    says = "is not a regular file"


class Looker:
    """Looks into batches of objects, from any thread.

    Args:
        driver: The storage.
        name: The hash.
        whole: Hash all bytes, also of large objects.
    """

    def __init__(self, driver: Driver, name: str, *, whole: bool) -> None:
        features = driver.features
        self._driver = driver
        self._name = name
        self._local = is_local(driver)
        self._told = not self._local and (name in features.computes or name in features.hashes)
        self._whole = whole or not features.ranges
        self._stopped = False

    def batch(self, entries: list[Entry], /) -> list[Look]:
        """Return what was learned of each."""
        return [self._look(entry) for entry in entries if not self._stopped]

    def cancel(self) -> None:
        """End soon."""
        self._stopped = True

    def _look(self, entry: Entry) -> Look:
        info = entry.info
        try:
            if self._told and info.size is not None:
                return Print(entry.id, info.size, whole=digest(self._driver, info.path, self._name))
            if self._whole or info.size is None or info.size <= WHOLE:
                return self._all_of(entry.id, info)
            return self._ends_of(entry.id, info, info.size)
        except StorageError as exc:
            return entry, exc

    def _all_of(self, number: int, info: ObjectInfo) -> Print:
        hasher = hashes.new(self._name)
        with self._driver.get(info.path) as stream:
            file = self._file(stream)
            if info.size is not None and info.size <= WHOLE:
                # One byte more than there should be tells whether there are more; a short answer may be the end.
                data = stream.read(info.size + 1)
                if len(data) != info.size or not self._local:
                    data += read_exactly(stream, info.size + 1 - len(data))
                hasher.update(data)
                count = len(data)
            else:
                count = 0
                buffer = memoryview(bytearray(hashes.CHUNK))
                while got := fill(stream, buffer):
                    if self._stopped:
                        raise Cancelled
                    hasher.update(buffer[:got])
                    count += got
        if info.size is not None and count != info.size:
            raise SourceChanged(path=info.path)
        return Print(number, count, whole=hasher.hexdigest(), file=file)

    def _ends_of(self, number: int, info: ObjectInfo, size: int) -> Print:
        hasher = hashes.new(self._name)
        # A range of a local file would hide which file it is, and spares nothing.
        length = None if self._local else _BLOCK
        with self._driver.get(info.path, 0, length) as stream:
            file = self._file(stream)
            hasher.update(read_exactly(stream, _BLOCK))
        with self._driver.get(info.path, size - _BLOCK, length) as stream:
            hasher.update(read_exactly(stream, _BLOCK))
        return Print(number, size, part=bytes.fromhex(hasher.hexdigest())[:16], file=file)

    def _file(self, stream: ByteStream) -> str | None:
        if not self._local:
            return None
        about = file_of(stream)
        if about is None:
            raise NoFile
        return f"{about.st_dev}:{about.st_ino}"


def file_of(stream: object) -> os.stat_result | None:
    """Say which regular file of this machine a stream reads; None if that is none, or cannot be told."""
    layer: Any = stream
    while layer is not None:
        if (fd := descriptor(layer)) >= 0:
            about = os.fstat(fd)
            return about if st.S_ISREG(about.st_mode) else None
        # What counts or limits the bytes may hide the descriptor; only its file is of interest here.
        layer = getattr(layer, "raw", None)
    return None
