"""Cases about reading a part of an object."""

from __future__ import annotations

import pytest

from omnistorage.core.errors import NotFound
from omnistorage.core.streams import read_all
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

from .base import Suite

SIZE = 1000
DATA = pattern(SIZE)

RANGES: dict[str, tuple[int, int | None]] = {
    "all": (0, None),
    "all by length": (0, SIZE),
    "first byte": (0, 1),
    "all but the last": (0, SIZE - 1),
    "from the second": (1, None),
    "middle": (100, 50),
    "one in the middle": (499, 1),
    "last byte": (SIZE - 1, 1),
    "last byte to the end": (SIZE - 1, None),
    "to the end by length": (990, 10),
    "one too long": (990, 11),
    "much too long": (990, 1 << 40),
    "nothing": (10, 0),
    "nothing at the start": (0, 0),
    "nothing at the end": (SIZE, 0),
    "from the end": (SIZE, None),
    "from the end by length": (SIZE, 1),
    "beyond the end": (SIZE + 1, None),
    "far beyond the end": (1 << 40, 10),
}


class Ranges(Suite):
    """A range is what a slice of the bytes would be."""

    @pytest.mark.parametrize("which", RANGES)
    def test_range(self, storage: Storage, which: str) -> None:
        """Each range has exactly its bytes; beyond the end there are none."""
        offset, length = RANGES[which]
        storage.write_bytes("a", DATA)
        end = None if length is None else offset + length
        with storage.driver.get("a", offset, length) as stream:
            got = read_all(stream)

        assert got == DATA[offset:end]

    def test_range_of_nothing(self, storage: Storage) -> None:
        """Any range of an empty object is empty."""
        storage.write_bytes("empty", b"")
        got = [storage.read_bytes("empty", offset=offset, length=length) for offset, length in RANGES.values()]

        assert set(got) == {b""}

    def test_ranges_make_the_whole(self, storage: Storage) -> None:
        """Adjacent ranges put together are the object, across the sizes of buffers."""
        data = pattern(300_000)
        storage.write_bytes("a", data)
        step = 65_537
        got = b"".join(storage.read_bytes("a", offset=at, length=step) for at in range(0, len(data), step))

        assert got == data

    def test_range_ends_by_itself(self, storage: Storage) -> None:
        """A stream over a range ends at its end, however much is asked for at once."""
        storage.write_bytes("a", DATA)
        with storage.driver.get("a", 10, 5) as stream:
            first = stream.read(3)
            rest = stream.read(100)
            end = stream.read(100)

        assert first + rest == DATA[10:15]
        assert end == b""

    def test_range_of_missing(self, storage: Storage) -> None:
        """A missing object is missing, also where no bytes of it are wanted."""
        with pytest.raises(NotFound):
            storage.read_bytes("nope", offset=5, length=5)
        with pytest.raises(NotFound):
            storage.read_bytes("nope", length=0)

    def test_negative_range(self, storage: Storage) -> None:
        """Negative numbers are a mistake of the caller, not a range from the end."""
        storage.write_bytes("a", DATA)

        with pytest.raises(ValueError, match="offset"):
            storage.read_bytes("a", offset=-1)
        with pytest.raises(ValueError, match="length"):
            storage.open_reader("a", length=-1)
