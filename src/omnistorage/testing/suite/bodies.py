"""Cases about what is handed in to be stored, and what is left when that goes wrong."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from omnistorage.core.errors import Corrupted, SourceChanged, StorageError, Truncated
from omnistorage.core.streams import Body, FileBody
from omnistorage.storage import Storage
from omnistorage.testing.bodies import (
    BodyBroke,
    BrokenBody,
    ChangedBody,
    Dribble,
    LyingBody,
    ProvenBody,
    RationedBody,
    WatchedBody,
    pattern,
)

from .base import Suite, keys, nothing_at

DATA = pattern(700_000)

BROKEN: dict[str, Body] = {
    "at once": BrokenBody(DATA, 0),
    "midway": BrokenBody(DATA, 400_000),
    "before the last byte": BrokenBody(DATA, len(DATA) - 1),
    "at the end": BrokenBody(DATA, len(DATA), sized=False),
    "without a size": BrokenBody(DATA, 400_000, sized=False),
}
LYING: dict[str, Body] = {
    "one byte short": LyingBody(DATA[:-1], len(DATA)),
    "half": LyingBody(DATA[:1000], len(DATA)),
    "nothing": LyingBody(b"", 10),
    "one byte long": LyingBody(DATA, len(DATA) - 1),
    "something for nothing": LyingBody(b"x", 0),
}


class Bodies(Suite):
    """An object is stored whole or not at all."""

    @pytest.mark.parametrize("when", BROKEN)
    def test_broken_body_leaves_nothing(self, storage: Storage, when: str) -> None:
        """When the bytes stop with an error, that error is seen and nothing was stored."""
        with pytest.raises((BodyBroke, StorageError)):
            storage.write_bytes("d/a", BROKEN[when])

        assert nothing_at(storage, "d/a")
        assert keys(storage) == []

    @pytest.mark.parametrize("when", BROKEN)
    def test_broken_body_keeps_the_old(self, storage: Storage, when: str) -> None:
        """When the bytes stop with an error, the object that was there still is."""
        storage.write_bytes("d/a", b"old")
        with pytest.raises((BodyBroke, StorageError)):
            storage.write_bytes("d/a", BROKEN[when])

        assert storage.read_bytes("d/a") == b"old"
        assert storage.stat("d/a").size in (3, None)
        assert keys(storage) == ["d/a"]

    @pytest.mark.parametrize("how", LYING)
    def test_wrong_size_leaves_nothing(self, storage: Storage, how: str) -> None:
        """Fewer or more bytes than announced are an error, and nothing was stored."""
        with pytest.raises(Truncated):
            storage.write_bytes("a", LYING[how])

        assert nothing_at(storage, "a")
        assert keys(storage) == []

    @pytest.mark.parametrize("how", LYING)
    def test_wrong_size_keeps_the_old(self, storage: Storage, how: str) -> None:
        """Fewer or more bytes than announced are an error, and the object that was there still is."""
        storage.write_bytes("a", b"old")
        with pytest.raises(Truncated):
            storage.write_bytes("a", LYING[how])

        assert storage.read_bytes("a") == b"old"
        assert keys(storage) == ["a"]

    def test_changed_source_leaves_the_old(self, storage: Storage) -> None:
        """Bytes that were changed while they were read are a mixture, and are not stored."""
        storage.write_bytes("old", b"old")
        for path in ("new", "old"):
            with pytest.raises(SourceChanged):
                storage.write_bytes(path, ChangedBody(DATA))

        assert nothing_at(storage, "new")
        assert storage.read_bytes("old") == b"old"

    def test_refused_proof_leaves_the_old(self, storage: Storage) -> None:
        """Who shows what was stored before it has its name, and is told that it is wrong, stores nothing."""
        storage.write_bytes("old", b"old")
        bodies = {}
        for path in ("new", "old"):
            body = bodies[path] = ProvenBody(DATA, refuse=True, look=lambda: None)
            try:
                storage.write_bytes(path, body)
            except Corrupted:
                assert body.stored
        asked = bool(bodies["new"].stored)

        assert bool(bodies["old"].stored) == asked
        assert nothing_at(storage, "new") == asked
        assert storage.read_bytes("old") == (b"old" if asked else DATA)

    def test_proof_sees_what_nobody_else_does(self, storage: Storage) -> None:
        """What is shown for proof are all bytes, as often as it is shown, before anybody can read them."""
        storage.write_bytes("old", b"old")
        new = ProvenBody(DATA, refuse=False, look=lambda: nothing_at(storage, "new"))
        old = ProvenBody(DATA, refuse=False, look=lambda: storage.read_bytes("old"))
        storage.write_bytes("new", new)
        storage.write_bytes("old", old)

        assert set(new.stored) | set(old.stored) <= {DATA}
        assert all(new.seen)
        assert set(old.seen) <= {b"old"}
        assert storage.read_bytes("new") == DATA
        assert storage.read_bytes("old") == DATA

    def test_storage_works_after_broken_body(self, storage: Storage) -> None:
        """A put that failed leaves the driver fit for the next one."""
        with pytest.raises((BodyBroke, StorageError)):
            storage.write_bytes("a", BROKEN["midway"])
        storage.write_bytes("a", b"next")

        assert storage.read_bytes("a") == b"next"

    def test_unknown_size(self, storage: Storage) -> None:
        """Bytes whose number nobody knows beforehand are stored whole."""
        storage.write_bytes("a", Dribble(io.BytesIO(DATA), 100_000))

        assert storage.read_bytes("a") == DATA

    def test_unknown_size_of_nothing(self, storage: Storage) -> None:
        """A stream that ends at once makes an empty object."""
        storage.write_bytes("a", Dribble(io.BytesIO(b"")))

        assert storage.read_bytes("a") == b""

    def test_short_reads(self, storage: Storage) -> None:
        """A stream that gives a byte at a time does not end early."""
        storage.write_bytes("a", Dribble(io.BytesIO(DATA[:3000]), 1))

        assert storage.read_bytes("a") == DATA[:3000]

    def test_file(self, storage: Storage, tmp_path: Path) -> None:
        """A file of this machine is stored whole, and stays as it is."""
        source = tmp_path / "source of a put"
        source.write_bytes(DATA)
        storage.write_bytes("a", FileBody(source))

        assert storage.read_bytes("a") == DATA
        assert source.read_bytes() == DATA

    def test_file_in_rations(self, storage: Storage, tmp_path: Path) -> None:
        """Whoever lets the kernel move a file asks how much may be moved, and tells how much was."""
        source = tmp_path / "source of a put"
        source.write_bytes(DATA)
        body = RationedBody(source, 10_000)
        storage.write_bytes("a", body)

        assert storage.read_bytes("a") == DATA
        assert body.read + sum(body.told) >= len(DATA)
        assert body.granted >= sum(body.told)
        assert max(body.told, default=0) <= 10_000

    def test_stream_stays_open(self, storage: Storage) -> None:
        """A stream of the caller is read from where it stands and left open."""
        stream = io.BytesIO(b"skipped,stored")
        stream.seek(8)
        storage.write_bytes("a", stream)

        assert storage.read_bytes("a") == b"stored"
        assert not stream.closed

    def test_buffer_is_not_kept(self, storage: Storage) -> None:
        """Bytes that the caller changes afterwards do not change the object."""
        data = bytearray(b"before")
        storage.write_bytes("a", data)
        data[:] = b"after!"

        assert storage.read_bytes("a") == b"before"

    def test_body_from_the_same_storage(self, storage: Storage) -> None:
        """An object can be stored from a stream over another one."""
        storage.write_bytes("a", DATA)
        with storage.open_reader("a") as reader:
            storage.write_bytes("b", reader)

        assert storage.read_bytes("b") == DATA

    def test_nothing_is_seen_before_the_end(self, storage: Storage) -> None:
        """While the bytes are still coming, a reader sees the old object, or none."""
        if not storage.features.atomic_put:
            pytest.skip("needs features.atomic_put")
        seen: list[object] = []
        storage.write_bytes("new", WatchedBody(DATA, lambda: seen.append(nothing_at(storage, "new"))))
        storage.write_bytes("old", b"old")
        storage.write_bytes("old", WatchedBody(DATA, lambda: seen.append(storage.read_bytes("old"))))

        assert seen == [True, b"old"]
        assert storage.read_bytes("new") == DATA
        assert storage.read_bytes("old") == DATA
