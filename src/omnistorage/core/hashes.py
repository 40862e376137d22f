"""Hashes by rclone's names: streaming, several at once, and which one to compare two sides by."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from .streams import ByteStream, fill

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from typing_extensions import Buffer

NAMES: Final[tuple[str, ...]] = (
    "md5",
    "sha1",
    "whirlpool",
    "crc32",
    "sha256",
    "sha512",
    "blake3",
    "xxh3",
    "xxh128",
    "dropbox",
    "hidrive",
    "mailru",
    "quickxor",
    "crc32c",
)
"""Every hash, in the order in which rclone lists them, then those rclone does not have."""

PREFERENCE: Final[tuple[str, ...]] = (
    # Both of these outrun the disk; the faster one comes second as it can be forged.
    "blake3",
    "xxh128",
    "sha1",
    "md5",
    "mailru",
    "sha512",
    "hidrive",
    "sha256",
    "dropbox",
    "whirlpool",
    # From here on equal hashes do not prove equal bytes.
    "xxh3",
    "crc32c",
    "crc32",
    "quickxor",
)
"""Every hash, best first: those that prove content by falling speed, then the rest likewise."""

# quickxor is long but linear: rows of 160 bytes may change places and the hash stays.
STRONG: Final[frozenset[str]] = frozenset(NAMES) - {"crc32", "crc32c", "xxh3", "quickxor"}
"""Hashes that, with the size, count as evidence of equal bytes (of accident, not of an attack)."""

SIZES: Final[Mapping[str, int]] = {
    "md5": 16,
    "sha1": 20,
    "whirlpool": 64,
    "crc32": 4,
    "sha256": 32,
    "sha512": 64,
    "blake3": 32,
    "xxh3": 8,
    "xxh128": 16,
    "dropbox": 32,
    "hidrive": 20,
    "mailru": 20,
    "quickxor": 20,
    "crc32c": 4,
}
"""Length of each hash in bytes."""

CHUNK: Final = 1 << 18
"""Bytes read at a time: fits the second-level cache, and outweighs the cost of a call."""

# Windows would translate line ends.
_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0)

# Memory for a larger first read would cost more than the hash of a small file.
_FIRST_READ: Final = 1 << 16

_LIBRARIES: Final = {
    "blake3": "blake3",
    "xxh3": "xxhash",
    "xxh128": "xxhash",
    "crc32c": "google_crc32c",
}

_ALIASES: Final = {"xxh364": "xxh3", "xxh3128": "xxh128"}


class Hasher(Protocol):
    """Takes bytes piece by piece; one thread at a time."""

    def update(self, data: Buffer, /) -> object:
        """Add bytes to what is hashed."""

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far, as lower-case hex digits."""


def canonical(name: str) -> str:
    """Return the name as it stands in `NAMES`: ``SHA-1`` is ``sha1``, ``DropboxHash`` is ``dropbox``.

    Raises:
        ValueError: There is no such hash.
    """
    if name in _MAKERS:
        return name
    plain = name.lower().replace("-", "").replace("_", "").removesuffix("hash")
    plain = _ALIASES.get(plain, plain)
    if plain not in _MAKERS:
        raise ValueError(f"unknown hash {name!r}; known: {', '.join(NAMES)}")
    return plain


def new(name: str) -> Hasher:
    """Start a hash.

    Raises:
        ValueError: There is no such hash.
        ImportError: The library that computes it is missing.
    """
    return _MAKERS[canonical(name)]()


def supported() -> frozenset[str]:
    """Return the names that this installation can compute; a base installation has all."""
    from importlib.util import find_spec

    missing = {library for library in set(_LIBRARIES.values()) if find_spec(library) is None}
    return frozenset(name for name in NAMES if _LIBRARIES.get(name) not in missing)


def best_common(
    a: Collection[str],
    b: Collection[str],
    free_a: Collection[str] = (),
    free_b: Collection[str] = (),
) -> str | None:
    """Choose the hash by which to compare two sides, or None if they share none.

    One that neither side must compute wins, then one that only one side must compute;
    among equals the first of `PREFERENCE`.

    Args:
        a: Names that one side can tell, as in `NAMES`; others are ignored.
        b: Names that the other side can tell.
        free_a: Those that the one side knows without reading its files.
        free_b: Those that the other side knows without reading its files.
    """
    common = set(a) & set(b)
    candidates = [name for name in PREFERENCE if name in common]
    return min(candidates, key=lambda name: (name not in free_a) + (name not in free_b), default=None)


def to_base64(hexdigest: str) -> str:
    """Return a hash as ``rclone hashsum --base64`` prints it: URL-safe, padded."""
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(bytes.fromhex(hexdigest)).decode("ascii")


class MultiHasher:
    """Computes several hashes of the same bytes in one pass."""

    def __init__(self, names: Iterable[str]) -> None:
        self._hashers = {canonical(name): new(name) for name in names}

    def update(self, data: Buffer, /) -> None:
        """Add bytes to what is hashed."""
        for hasher in self._hashers.values():
            hasher.update(data)

    def hexdigests(self) -> dict[str, str]:
        """Return the hashes of all bytes so far, by their names as in `NAMES`."""
        return {name: hasher.hexdigest() for name, hasher in self._hashers.items()}


def hash_stream(stream: ByteStream, names: Iterable[str], chunk: int = CHUNK) -> dict[str, str]:
    """Hash what is left of a stream, in memory of one ``chunk`` (bytes)."""
    hashes = MultiHasher(names)
    buffer = memoryview(bytearray(chunk))
    while count := fill(stream, buffer):
        hashes.update(buffer[:count])
    return hashes.hexdigests()


def hash_file(path: str | os.PathLike[str], names: Iterable[str]) -> dict[str, str]:
    """Hash a local file the fastest way that is safe.

    Raises:
        OSError: The file cannot be opened or read.
    """
    hashes = MultiHasher(names)
    # Mapping the file into memory is up to 1.4 times as fast, but then a file that is cut short
    # meanwhile kills the process by SIGBUS. File objects cost more than a small file's hash.
    handle = os.open(path, _READ)
    try:
        size = _FIRST_READ
        while data := os.read(handle, size):
            hashes.update(data)
            if len(data) == size:
                size = CHUNK
    finally:
        os.close(handle)
    return hashes.hexdigests()


class HashingReader(io.RawIOBase):
    """Passes a stream on and hashes what passes; closing it closes the stream.

    Attributes:
        hashes: The hashes of the bytes handed out so far.
    """

    def __init__(self, stream: ByteStream, names: Iterable[str]) -> None:
        self.hashes = MultiHasher(names)
        self._stream = stream

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer, perhaps in part, and return the number of bytes; 0 is the end."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        view = memoryview(buffer).cast("B")
        count = fill(self._stream, view)
        self.hashes.update(view[:count])
        return count

    def hexdigests(self) -> dict[str, str]:
        """Return the hashes of the bytes handed out so far, also after closing."""
        return self.hashes.hexdigests()

    def close(self) -> None:
        """Close the stream, too."""
        if self.closed:
            return
        try:
            self._stream.close()
        finally:
            super().close()


class _Crc:
    """A 32-bit checksum from a function that goes on from the last value."""

    def __init__(self, extend: Callable[[Buffer, int], int]) -> None:
        self._extend = extend
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._extend(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


# Imports stand in the functions: a listing or a plain copy loads none of these libraries.


def _md5() -> Hasher:
    import hashlib

    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Hasher:
    import hashlib

    return hashlib.sha1(usedforsecurity=False)


def _sha256() -> Hasher:
    import hashlib

    return hashlib.sha256(usedforsecurity=False)


def _sha512() -> Hasher:
    import hashlib

    return hashlib.sha512(usedforsecurity=False)


def _blake3() -> Hasher:
    from blake3 import blake3

    return blake3()


def _xxh3() -> Hasher:
    from xxhash import xxh3_64

    return xxh3_64()


def _xxh128() -> Hasher:
    from xxhash import xxh3_128

    return xxh3_128()


def _crc32() -> Hasher:
    import zlib

    return _Crc(zlib.crc32)


def _crc32c() -> Hasher:
    from google_crc32c import extend

    # The library takes no other buffers than bytes.
    return _Crc(lambda data, value: extend(value, data if isinstance(data, bytes) else bytes(data)))


def _whirlpool() -> Hasher:
    import hashlib

    if "whirlpool" in hashlib.algorithms_available:
        return hashlib.new("whirlpool")
    from .whirlpool import Whirlpool

    return Whirlpool()


def _dropbox() -> Hasher:
    from .cloudhashes import Dropbox

    return Dropbox()


def _hidrive() -> Hasher:
    from .cloudhashes import HiDrive

    return HiDrive()


def _mailru() -> Hasher:
    from .cloudhashes import Mailru

    return Mailru()


def _quickxor() -> Hasher:
    from .cloudhashes import QuickXor

    return QuickXor()


_MAKERS: Final[dict[str, Callable[[], Hasher]]] = {
    "md5": _md5,
    "sha1": _sha1,
    "whirlpool": _whirlpool,
    "crc32": _crc32,
    "sha256": _sha256,
    "sha512": _sha512,
    "blake3": _blake3,
    "xxh3": _xxh3,
    "xxh128": _xxh128,
    "dropbox": _dropbox,
    "hidrive": _hidrive,
    "mailru": _mailru,
    "quickxor": _quickxor,
    "crc32c": _crc32c,
}
