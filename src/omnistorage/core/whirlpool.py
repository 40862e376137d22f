"""Whirlpool (ISO/IEC 10118-3) in Python, for where OpenSSL no longer has it: right, but slow."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Final, NamedTuple

from .cloudhashes import Blocks

_ROUNDS: Final = 10

# The circulant matrix that mixes the bytes of a row, and the polynomial of its field.
_MIX: Final = (1, 1, 4, 1, 8, 5, 2, 9)
_POLYNOMIAL: Final = 0x11D

# The substitution box is built from two small ones.
_E: Final = (0x1, 0xB, 0x9, 0xC, 0xD, 0x6, 0xF, 0x3, 0xE, 0x8, 0x7, 0x4, 0xA, 0x2, 0x5, 0x0)
_R: Final = (0x7, 0xC, 0xB, 0xD, 0xE, 0x4, 0x9, 0xF, 0x6, 0x3, 0x8, 0xA, 0x2, 0x5, 0x1, 0x0)

# The state is a matrix of 8 times 8 bytes; it lies here column after column. Key and data go
# through the same rounds, so each column of the key is followed by that of the data, and
# both are one number of 1024 bits, first byte lowest.
_COLUMN: Final = 8 * 16
_WIDTH: Final = 8 * _COLUMN
_ALL: Final = (1 << _WIDTH) - 1
_KEY: Final = sum(((1 << 64) - 1) << (_COLUMN * column) for column in range(8))


class Whirlpool(Blocks):
    """512 bits; about half a megabyte a second."""

    block_size = 64

    def __init__(self) -> None:
        super().__init__()
        self._hash = bytes(64)

    def _block(self, block: bytes | memoryview) -> None:
        self._hash = _compress(self._hash, bytes(block))

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""
        # A one bit, zeros, and the number of bits as the second half of the last block.
        zeros = -(self.total + 1 + 32) % self.block_size
        tail = bytes(self._rest) + b"\x80" + bytes(zeros) + (8 * self.total).to_bytes(32, "big")
        state = self._hash
        for start in range(0, len(tail), self.block_size):
            state = _compress(state, tail[start : start + self.block_size])
        return state.hex()


class _Tables(NamedTuple):
    shift: Callable[[bytes], tuple[int, ...]]
    substitute: dict[int, bytes]
    constants: list[int]


@cache
def _tables() -> _Tables:
    inverse = [_E.index(value) for value in range(16)]
    box = []
    for high in _E:
        for low in inverse:
            middle = _R[high ^ low]
            box.append(_E[high ^ middle] << 4 | inverse[low ^ middle])
    # Substitution and multiplication in one look-up, for each factor of the matrix.
    substitute = {factor: bytes(_times(factor, value) for value in box) for factor in set(_MIX)}
    # Column j moves down by j places, of the key as of the data.
    shift = itemgetter(
        *(16 * column + half + (row - column) % 8 for column in range(8) for half in (0, 8) for row in range(8))
    )
    # The key of a round is the first row of the matrix only.
    constants = [
        sum(box[8 * number + column] << (_COLUMN * column) for column in range(8)) for number in range(_ROUNDS)
    ]
    return _Tables(shift, substitute, constants)


def _times(a: int, b: int) -> int:
    """Multiply in the field of 256 elements."""
    product = 0
    while a:
        if a & 1:
            product ^= b
        b <<= 1
        if b & 0x100:
            b ^= _POLYNOMIAL
        a >>= 1
    return product


def _compress(state: bytes, block: bytes) -> bytes:
    """Encrypt the block with the state as key, and add both to the result."""
    shift, substitute, constants = _tables()
    key, data = _columns(state), _columns(block)
    # The rounds see the key first, then the data after the key was added.
    both = key | (key ^ data) << 64
    for constant in constants:
        moved = bytes(shift(both.to_bytes(128, "little")))
        multiples = {factor: int.from_bytes(moved.translate(table), "little") for factor, table in substitute.items()}
        mixed = 0
        for distance, factor in enumerate(_MIX):
            mixed ^= multiples[factor] << (_COLUMN * distance)
        # Columns that went over the right edge come in at the left.
        both = (mixed & _ALL) ^ (mixed >> _WIDTH) ^ constant
        # The data takes the key of its round, which is the one just made.
        both ^= (both & _KEY) << 64
    result = (both >> 64 & _KEY) ^ key ^ data
    return _rows(result)


def _columns(rows: bytes) -> int:
    """Spread a matrix, given row by row, over the columns of the key."""
    return int.from_bytes(b"".join(rows[column::8] + bytes(8) for column in range(8)), "little")


def _rows(columns: int) -> bytes:
    """Return the matrix row by row: the opposite of `_columns`."""
    flat = columns.to_bytes(128, "little")
    return b"".join(flat[row::16] for row in range(8))
