"""Cases about readers: streams that can seek within an object or a range of it."""

from __future__ import annotations

import io

import pytest

from omnistorage.core.errors import NotFound, SourceChanged
from omnistorage.core.wrapped import carried
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

from .base import Suite

DATA = pattern(400_000)


class Readers(Suite):
    """A reader is a binary file as Python knows it."""

    def test_reader_in_pieces(self, storage: Storage) -> None:
        """Pieces of odd sizes make the whole."""
        storage.write_bytes("a", DATA)
        pieces = []
        with storage.open_reader("a") as reader:
            while piece := reader.read(77_777):
                pieces.append(piece)

        assert b"".join(pieces) == DATA
        assert [len(piece) for piece in pieces[:-1]] == [77_777] * (len(pieces) - 1)

    def test_seek_and_tell(self, storage: Storage) -> None:
        """A reader can go anywhere: forwards, backwards, from the end, beyond the end."""
        storage.write_bytes("a", DATA)
        with storage.open_reader("a") as reader:
            assert reader.seekable()
            for at in (0, 399_999, 5, 200_000, 199_990):
                assert reader.seek(at) == at
                assert reader.read(10) == DATA[at : at + 10]
                assert reader.tell() == min(at + 10, len(DATA))
            assert reader.seek(-7, io.SEEK_END) == len(DATA) - 7
            assert reader.read() == DATA[-7:]
            assert reader.seek(-3, io.SEEK_CUR) == len(DATA) - 3
            assert reader.read() == DATA[-3:]
            reader.seek(len(DATA) + 10)
            assert reader.read(5) == b""
            reader.seek(0)
            assert reader.read() == DATA

    def test_seek_within_range(self, storage: Storage) -> None:
        """Positions of a reader over a range count from its start, and it ends where the range does."""
        storage.write_bytes("a", DATA)
        with storage.open_reader("a", offset=1000, length=100) as reader:
            first = reader.read(10)
            reader.seek(90)
            last = reader.read()
            end = reader.seek(0, io.SEEK_END)
            reader.seek(0)
            whole = reader.read()

        assert first == DATA[1000:1010]
        assert last == DATA[1090:1100]
        assert end == 100
        assert whole == DATA[1000:1100]

    @pytest.mark.parametrize("length", [None, 350_000], ids=["whole", "range"])
    def test_seek_in_what_was_replaced(self, storage: Storage, length: int | None) -> None:
        """A reader never gives bytes of two versions: it goes on with its own, or says that there is another one."""
        storage.write_bytes("a", DATA, modified=1_600_000_000_000_000_000)
        with storage.driver.get("a") as stream:
            if carried(stream) is None:
                pytest.skip("its streams do not tell what they read")
        with storage.open_reader("a", length=length) as reader:
            reader.read(10)
            storage.write_bytes("a", DATA[::-1], modified=1_600_000_001_000_000_000)
            reader.seek(300_000)
            try:
                got = reader.read(10)
            except SourceChanged:
                got = DATA[300_000:300_010]

        assert got == DATA[300_000:300_010]

    def test_lines(self, storage: Storage) -> None:
        """Lines come one by one, the last without its end."""
        storage.write_bytes("a", b"one\ntwo\r\n\nfour")
        with storage.open_reader("a") as reader:
            first = reader.readline()
            rest = list(reader)

        assert first == b"one\n"
        assert rest == [b"two\r\n", b"\n", b"four"]

    def test_text(self, storage: Storage) -> None:
        """Text is decoded, also where a character lies across two reads."""
        text = "é日\U0001f600" * 30_000
        storage.write_text("a", text)
        with storage.open("a", "r") as reader:
            got = reader.read()

        assert got == text

    def test_two_readers(self, storage: Storage) -> None:
        """Readers of the same object do not move each other."""
        storage.write_bytes("a", DATA)
        with storage.open_reader("a") as one, storage.open_reader("a") as two:
            start = one.read(1000)
            two.seek(300_000)
            middle = two.read(1000)
            more = one.read(1000)

        assert start + more == DATA[:2000]
        assert middle == DATA[300_000:301_000]

    def test_close_before_the_end(self, storage: Storage) -> None:
        """A reader can be left early, many times, without harm to what follows."""
        storage.write_bytes("a", DATA)
        for _ in range(20):
            with storage.open_reader("a") as reader:
                assert reader.read(5) == DATA[:5]

        assert storage.read_bytes("a") == DATA

    def test_close_of_raw_stream_twice(self, storage: Storage) -> None:
        """A driver's stream can be closed twice, read or not."""
        storage.write_bytes("a", DATA)
        stream = storage.driver.get("a")
        stream.read(10)
        stream.close()
        stream.close()

        assert storage.read_bytes("a", length=3) == DATA[:3]

    def test_reader_of_missing(self, storage: Storage) -> None:
        """A missing object is an error at once."""
        with pytest.raises(NotFound):
            storage.open_reader("nope")
        with pytest.raises(NotFound):
            storage.open("nope", "r")

    def test_read_into(self, storage: Storage) -> None:
        """A buffer of the caller is filled."""
        storage.write_bytes("a", DATA)
        buffer = bytearray(1000)
        with storage.open_reader("a", offset=17) as reader:
            count = reader.readinto(buffer)

        assert count == 1000
        assert bytes(buffer) == DATA[17:1017]
