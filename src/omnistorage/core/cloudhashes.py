"""The hashes that single cloud services made up: Dropbox, HiDrive, Mail.ru, OneDrive (quickxor)."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from typing_extensions import Buffer


def _octets(data: Buffer) -> memoryview:
    """Return the bytes of a buffer, also of one whose items are wider."""
    view = memoryview(data)
    # An empty view cannot be cast.
    return view.cast("B") if view.nbytes else memoryview(b"")


class Blocks(ABC):
    """Cuts what comes in into blocks of one size, whatever the size of the pieces.

    Attributes:
        block_size: Bytes of a block.
        total: Bytes so far.
    """

    block_size: ClassVar[int]

    def __init__(self) -> None:
        self.total = 0
        self._rest = bytearray()

    def update(self, data: Buffer, /) -> None:
        """Add bytes to what is hashed."""
        view = _octets(data)
        self.total += len(view)
        size = self.block_size
        if self._rest:
            missing = size - len(self._rest)
            self._rest += view[:missing]
            view = view[missing:]
            if len(self._rest) < size:
                return
            self._block(bytes(self._rest))
            self._rest.clear()
        whole = len(view) - len(view) % size
        for start in range(0, whole, size):
            self._block(view[start : start + size])
        self._rest += view[whole:]

    @abstractmethod
    def _block(self, block: bytes | memoryview) -> None:
        """Take a full block."""

    @abstractmethod
    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""


class QuickXor(Blocks):
    """OneDrive's QuickXorHash: byte ``i`` is XORed into 160 bits, ``11 * i`` bits from the start.

    OneDrive tells it in base64; here, as in rclone, it is hex like all others.
    """

    # After 160 bytes the places repeat. So bytes may be XORed as rows of 160, and only one
    # last row is put in its places; many rows at a time keep the interpreter out of the way.
    _row: ClassVar[int] = 160
    _rows: ClassVar[int] = 64
    block_size = _row * _rows

    def __init__(self) -> None:
        super().__init__()
        self._sum = 0

    def _block(self, block: bytes | memoryview) -> None:
        self._sum ^= int.from_bytes(block, "little")

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""
        rows = self._sum ^ int.from_bytes(self._rest, "little")
        count = self._rows
        while count > 1:
            count //= 2
            rows = _fold(rows, 8 * self._row * count)
        # Eight bytes on, the place is 88 bits further: 11 whole bytes. So of the bytes that stand
        # eight apart, 11 times round the row in steps of 88 are 20 neighbours in their places.
        rounds = 11 * rows.to_bytes(self._row, "little")
        places = 0
        for first in range(8):
            places ^= int.from_bytes(rounds[first::88], "little") << (11 * first)
        # What went over the end comes in again at the start.
        places = _fold(places, 160)
        # The length stands in the last 64 of the 160 bits.
        places ^= self.total % (1 << 64) << 96
        return places.to_bytes(20, "little").hex()


def _fold(number: int, bits: int) -> int:
    """XOR what lies above the lowest ``bits`` onto them."""
    return (number >> bits) ^ (number & ((1 << bits) - 1))


class Dropbox:
    """Dropbox's content_hash: SHA-256 of the SHA-256s of blocks of 4 MiB."""

    block_size: ClassVar[int] = 4 << 20

    def __init__(self) -> None:
        self._blocks = hashlib.sha256()
        self._block = hashlib.sha256()
        self._filled = 0

    def update(self, data: Buffer, /) -> None:
        """Add bytes to what is hashed."""
        # Not one of the Blocks: these are large, and SHA-256 needs no block in one piece.
        view = _octets(data)
        while view:
            piece = view[: self.block_size - self._filled]
            self._block.update(piece)
            self._filled += len(piece)
            view = view[len(piece) :]
            if self._filled == self.block_size:
                self._blocks.update(self._block.digest())
                self._block = hashlib.sha256()
                self._filled = 0

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""
        if not self._filled:
            return self._blocks.hexdigest()
        blocks = self._blocks.copy()
        blocks.update(self._block.digest())
        return blocks.hexdigest()


class Mailru:
    """Mail.ru's hash: the bytes themselves up to 20, else SHA-1 of prefix, bytes and length."""

    _short: ClassVar[int] = 20

    def __init__(self) -> None:
        self._sha1 = hashlib.sha1(b"mrCloud", usedforsecurity=False)
        self._start = b""
        self._total = 0

    def update(self, data: Buffer, /) -> None:
        """Add bytes to what is hashed."""
        view = _octets(data)
        if self._total < self._short:
            self._start += bytes(view[: self._short - self._total])
        self._sha1.update(view)
        self._total += len(view)

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""
        if self._total <= self._short:
            return self._start.ljust(self._short, b"\0").hex()
        sha1 = self._sha1.copy()
        sha1.update(str(self._total).encode("ascii"))
        return sha1.hexdigest()


class HiDrive(Blocks):
    """HiDrive's hash: a tree whose leaves are the SHA-1s of 4 KiB, whose nodes sum up 256 children.

    The last block is filled with zeros, and a block of zeros counts for nothing. So files that
    differ in trailing zeros have the same hash: compare sizes, too.
    """

    block_size = 4096

    def __init__(self) -> None:
        super().__init__()
        # Of each level, leaves first, those that have no parent yet.
        self._levels: list[list[bytes]] = []

    def _block(self, block: bytes | memoryview) -> None:
        _grow(self._levels, _leaf(block))

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""
        levels = [list(level) for level in self._levels]
        if self._rest:
            _grow(levels, _leaf(self._rest.ljust(self.block_size, b"\0")))
        if not levels:
            return _NOTHING.hex()
        parent: list[bytes] = []
        for level in levels[:-1]:
            children = level + parent
            parent = [_node(children)] if children else []
        children = levels[-1] + parent
        root = children[0] if len(children) == 1 else _node(children)
        return root.hex()


_NOTHING: Final = bytes(20)
_ZEROS: Final = bytes(HiDrive.block_size)
_FAN: Final = 256


def _grow(levels: list[list[bytes]], leaf: bytes) -> None:
    """Add a leaf, and the nodes that it completes."""
    new = leaf
    for level in levels:
        level.append(new)
        if len(level) < _FAN:
            return
        new = _node(level)
        level.clear()
    levels.append([new])


def _leaf(block: Buffer) -> bytes:
    data = bytes(block)
    return _NOTHING if data == _ZEROS else hashlib.sha1(data, usedforsecurity=False).digest()


def _node(children: list[bytes]) -> bytes:
    """Sum up the children, each hashed together with its place."""
    total = 0
    for place, child in enumerate(children):
        if child != _NOTHING:
            placed = hashlib.sha1(child + bytes([place]), usedforsecurity=False).digest()
            total += int.from_bytes(placed, "big")
    return (total % (1 << 160)).to_bytes(20, "big")
