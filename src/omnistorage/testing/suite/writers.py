"""Cases about writers: an object appears on a clean close, and on nothing else."""

from __future__ import annotations

import gc
import warnings

import pytest

from omnistorage.core.errors import Closed, IsADirectory, StorageError, Truncated
from omnistorage.core.options import PutOptions
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern

from .base import Suite, keys, missing, nothing_at, put


class Stopped(Exception):
    """What goes wrong in the middle of writing."""


class Writers(Suite):
    """A writer commits on a clean close and aborts on anything else."""

    def test_writer(self, storage: Storage) -> None:
        """What was written in pieces is read as one, and the writer tells what was stored."""
        with storage.open_writer("d/a") as writer:
            counts = [writer.write(b"one,"), writer.write(bytearray(b"two,")), writer.write(memoryview(b"three"))]
            at = writer.tell()

        assert storage.read_bytes("d/a") == b"one,two,three"
        assert (counts, at) == ([4, 4, 5], 13)
        assert writer.info is not None
        assert (writer.info.path, writer.closed) == ("d/a", True)

    def test_writer_of_nothing(self, storage: Storage) -> None:
        """A writer that nothing was written to makes an empty object."""
        with storage.open_writer("a"):
            pass

        assert storage.read_bytes("a") == b""

    @pytest.mark.parametrize("size", [999, 1000, 1001, 250_000])
    def test_writer_around_its_buffer(self, storage: Storage, size: int) -> None:
        """Sizes below, at and beyond the buffer make no difference."""
        data = pattern(size)
        with storage.open_writer("a", buffer_size=1000) as writer:
            for at in range(0, size, 777):
                writer.write(data[at : at + 777])

        assert storage.read_bytes("a") == data

    def test_writer_of_much(self, storage: Storage) -> None:
        """A large object of unknown size comes back byte for byte."""
        step, count = 1 << 20, self.large // (1 << 20) + 1
        piece = pattern(step)
        with storage.open_writer("a", buffer_size=2 << 20) as writer:
            for _ in range(count):
                writer.write(piece)
        back = storage.read_bytes("a")

        assert len(back) == step * count
        assert all(back[n * step : (n + 1) * step] == piece for n in range(count))

    def test_abort_of_a_writer_of_much(self, storage: Storage) -> None:
        """An abort while parts are on their way leaves what was there before."""
        storage.write_bytes("a", b"old")
        writer = storage.open_writer("a", buffer_size=1 << 20)
        for _ in range(11):
            writer.write(bytes(1 << 20))
        writer.abort()

        assert storage.read_bytes("a") == b"old"
        assert keys(storage) == ["a"]

    def test_writer_that_holds_several_parts(self, storage: Storage) -> None:
        """A buffer that is larger than a part of the service is no trouble, also at the end."""
        part = 1 << 20
        if storage.features.upload:
            upload = storage.driver.begin_upload("a", PutOptions())
            upload.abort()
            part = upload.part_size
        if part > 8 << 20:
            pytest.skip(f"parts of {part} bytes are more than a test should move")
        data = pattern(2 * part + 2)
        with storage.open_writer("a", buffer_size=2 * part) as writer:
            writer.write(data)
            writer.write(data[: part + part // 2])
        back = storage.read_bytes("a")

        assert len(back) == len(data) + part + part // 2
        assert back.startswith(data)
        assert data.startswith(back[len(data) :])

    def test_nothing_is_seen_before_close(self, storage: Storage) -> None:
        """While an object is being written, the old one is there, or none."""
        storage.write_bytes("old", b"old")
        with storage.open_writer("old", buffer_size=1000) as one, storage.open_writer("new") as two:
            one.write(pattern(5000))
            two.write(b"x")
            two.flush()
            seen = storage.read_bytes("old"), nothing_at(storage, "new"), keys(storage)

        assert seen == (b"old", True, ["old"])
        assert keys(storage) == ["new", "old"]

    @pytest.mark.parametrize("size", [10, 250_000])
    def test_abort_when_block_raises(self, storage: Storage, size: int) -> None:
        """An exception in the block leaves nothing, and keeps the object that was there."""
        storage.write_bytes("old", b"old")
        for path in ("new", "old"):
            with pytest.raises(Stopped), storage.open_writer(path, buffer_size=1000) as writer:  # noqa: PT012 -- the block is what is tested
                writer.write(pattern(size))
                raise Stopped

        assert nothing_at(storage, "new")
        assert storage.read_bytes("old") == b"old"
        assert keys(storage) == ["old"]

    def test_abort_after_parts(self, storage: Storage) -> None:
        """An abort after parts were sent leaves nothing either."""
        with pytest.raises(Stopped), storage.open_writer("a", buffer_size=1000) as writer:  # noqa: PT012 -- the block is what is tested
            for _ in range(self.large // (1 << 20)):
                writer.write(pattern(1 << 20))
            raise Stopped

        assert nothing_at(storage, "a")
        assert keys(storage) == []

    def test_abort_of_writer(self, storage: Storage) -> None:
        """An abort leaves nothing, a second one does nothing, and a close after it stores nothing."""
        writer = storage.open_writer("a")
        writer.write(b"x")
        writer.abort()
        writer.abort()
        writer.close()

        assert nothing_at(storage, "a")
        assert (writer.closed, writer.info) == (True, None)

    @pytest.mark.parametrize("size", [10, 250_000])
    def test_forgotten_writer_stores_nothing(self, storage: Storage, size: int) -> None:
        """A writer that is garbage-collected unclosed stores nothing and warns."""
        writer = storage.open_writer("a", buffer_size=1000)
        writer.write(pattern(size))
        with pytest.warns(ResourceWarning, match="never closed"):  # noqa: PT031 -- some Pythons collect later
            del writer
            gc.collect()

        assert nothing_at(storage, "a")

    def test_close_of_writer_twice(self, storage: Storage) -> None:
        """A second close does nothing, also not to what came since."""
        writer = storage.open_writer("a")
        writer.write(b"first")
        writer.close()
        storage.write_bytes("a", b"second")
        writer.close()
        writer.abort()

        assert storage.read_bytes("a") == b"second"

    def test_write_after_close(self, storage: Storage) -> None:
        """A closed writer takes nothing more."""
        writer = storage.open_writer("a")
        writer.close()

        with pytest.raises(Closed):
            writer.write(b"x")
        with pytest.raises(Closed):
            writer.flush()
        assert storage.read_bytes("a") == b""

    def test_failed_close_stores_nothing(self, storage: Storage) -> None:
        """A close that fails raises, once; the writer is done then."""
        if not storage.features.mkdir:
            missing(storage, "mkdir")
        put(storage, "d/a")
        writer = storage.open_writer("d")
        writer.write(b"x")

        with pytest.raises((IsADirectory, StorageError)):
            writer.close()
        writer.close()
        assert writer.closed
        assert keys(storage) == ["d/a"]

    @pytest.mark.parametrize("size", [10, 9 << 20])
    def test_writer_that_knows_its_size(self, storage: Storage, size: int) -> None:
        """What was announced is stored; less or more is not, and what was there stays."""
        data = pattern(size)
        with storage.open_writer("a", size=size) as writer:
            writer.write(data)
        for other in (size - 1, size + 1):
            with pytest.raises(Truncated), storage.open_writer("a", size=other) as writer:
                writer.write(data[::-1])

        assert storage.read_bytes("a") == data
        assert list(storage.list()) == ["a"]

    def test_text_writer(self, storage: Storage) -> None:
        """Text is encoded as told, and stored on a clean close."""
        with storage.open("a.txt", "w", encoding="utf-16-le", newline="\r\n") as writer:
            writer.write("é\n")

        assert storage.read_bytes("a.txt") == "é\r\n".encode("utf-16-le")

    def test_text_writer_passes_abort_on(self, storage: Storage) -> None:
        """Text that was being written when the block raised is not stored."""
        storage.write_bytes("old", b"old")
        for path in ("new", "old"):
            with pytest.raises(Stopped), storage.open(path, "w") as writer:  # noqa: PT012 -- the block is what is tested
                writer.write("half a line" * 5000)
                raise Stopped

        assert nothing_at(storage, "new")
        assert storage.read_bytes("old") == b"old"

    def test_forgotten_text_writer_stores_nothing(self, storage: Storage) -> None:
        """A text writer that is garbage-collected unclosed stores nothing."""
        writer = storage.open("a", "w")
        writer.write("half")
        writer.flush()
        with warnings.catch_warnings():
            # Whether it warns is its own affair; what counts is what is stored.
            warnings.simplefilter("ignore", ResourceWarning)
            del writer
            gc.collect()

        assert nothing_at(storage, "a")

    def test_two_writers_of_one_path(self, storage: Storage) -> None:
        """Two writers to the same path do not mix; the one that is closed last wins."""
        one, two = storage.open_writer("a"), storage.open_writer("a")
        one.write(b"one ")
        two.write(b"two ")
        one.write(b"one")
        two.write(b"two")
        two.close()
        one.close()

        assert storage.read_bytes("a") == b"one one"
