"""Cases about objects that are stored in parts."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import pytest

from omnistorage.core.errors import Cancelled, NotFound, StorageError, Unsupported
from omnistorage.core.guard import Guard
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, Upload, read_all
from omnistorage.storage import Storage
from omnistorage.testing.bodies import BodyBroke, BrokenBody, LyingBody, pattern

from .base import Suite, keys, missing, nothing_at, together

TAIL = b"the short last part"
SAME = PutOptions(origin="these bytes")


class Uploads(Suite):
    """Parts come in any order, from any thread, and are an object only when all is finished."""

    @pytest.fixture
    def upload(self, storage: Storage) -> Iterator[Upload]:
        """An upload to ``d/a``, aborted in the end."""
        if not storage.features.upload:
            missing(storage, "upload")
        upload = storage.driver.begin_upload("d/a", PutOptions())
        yield upload
        upload.abort()

    def test_upload_is_refused_without_feature(self, storage: Storage) -> None:
        """A driver that takes no parts says so when the upload begins."""
        if storage.features.upload:
            upload = storage.driver.begin_upload("a", PutOptions(), 10)
            upload.abort()
        else:
            with pytest.raises(Unsupported):
                storage.driver.begin_upload("a", PutOptions(), 10)
            with pytest.raises(Unsupported):
                storage.driver.resume_upload("a", "token", PutOptions())

        assert keys(storage) == []

    def test_one_part(self, storage: Storage, upload: Upload) -> None:
        """A single part, which may be short, makes an object."""
        upload.put_part(1, BytesBody(TAIL))
        info = upload.finish()

        assert storage.read_bytes("d/a") == TAIL
        assert (info.path, info.size) == ("d/a", len(TAIL))

    def test_parts_out_of_order(self, storage: Storage, upload: Upload) -> None:
        """The order is that of the numbers, not that of the arrival."""
        data = pattern(2 * upload.part_size)
        upload.put_part(3, BytesBody(TAIL))
        upload.put_part(1, BytesBody(data[: upload.part_size]))
        upload.put_part(2, BytesBody(data[upload.part_size :]))
        upload.finish()

        assert _digest(storage.read_bytes("d/a")) == _digest(data + TAIL)
        assert storage.stat("d/a").size == len(data) + len(TAIL)

    def test_stored_is_what_will_be(self, storage: Storage, upload: Upload) -> None:
        """Before the end, where it can be read: the very bytes that the object will have, and no object yet."""
        data = pattern(upload.part_size)
        upload.put_part(2, BytesBody(TAIL))
        upload.put_part(1, BytesBody(data))
        stream = upload.stored()
        if stream is None:
            pytest.skip(f"{storage.scheme} cannot read parts before the end")
        with stream:
            stored = read_all(stream)
        unseen = keys(storage)
        upload.finish()

        assert _digest(stored) == _digest(data + TAIL)
        assert unseen == []
        assert _digest(storage.read_bytes("d/a")) == _digest(stored)

    def test_stored_part_is_read_while_others_come(self, storage: Storage, upload: Upload) -> None:
        """Where parts can be read before the end: each for itself, as soon as it is stored, in any order."""
        data = pattern(upload.part_size)
        upload.put_part(2, BytesBody(TAIL))
        second = upload.stored_part(2)
        if second is None:
            pytest.skip(f"{storage.scheme} cannot read parts before the end")
        with second:
            tail = read_all(second)
        upload.put_part(1, BytesBody(data))
        got = []
        for number in (1, 2):
            stream = upload.stored_part(number)
            assert stream is not None
            with stream:
                got.append(read_all(stream))
        upload.finish()

        assert tail == TAIL
        assert [_digest(part) for part in got] == [_digest(data), _digest(TAIL)]

    def test_part_again(self, storage: Storage, upload: Upload) -> None:
        """A part that is put again replaces itself."""
        upload.put_part(1, BytesBody(b"wrong, and longer than the right one"))
        upload.put_part(1, BytesBody(TAIL))
        upload.finish()

        assert storage.read_bytes("d/a") == TAIL

    def test_parts_from_threads(self, storage: Storage, upload: Upload) -> None:
        """Parts may come from several threads at once."""
        size = upload.part_size
        data = pattern(3 * size) + TAIL
        results = together(
            4, lambda n: upload.put_part(n + 1, BytesBody(memoryview(data)[n * size : (n + 1) * size]))
        )
        upload.finish()

        assert results == [None] * 4
        assert _digest(storage.read_bytes("d/a")) == _digest(data)

    def test_nothing_is_seen_before_finish(self, storage: Storage, upload: Upload) -> None:
        """Parts are no object, and the one that is there stays until the end."""
        upload.put_part(1, BytesBody(TAIL))
        before = nothing_at(storage, "d/a"), keys(storage)
        storage.write_bytes("d/a", b"old")
        old = storage.read_bytes("d/a"), keys(storage)
        upload.finish()

        assert before == (True, [])
        assert old == (b"old", ["d/a"])
        assert storage.read_bytes("d/a") == TAIL
        assert keys(storage) == ["d/a"]

    def test_done_tells_sizes(self, upload: Upload) -> None:
        """The parts that are safe are told with their sizes, and no others."""
        nothing = dict(upload.done)
        upload.put_part(1, BytesBody(pattern(upload.part_size)))
        upload.put_part(2, BytesBody(TAIL))

        assert nothing == {}
        assert dict(upload.done) == {1: upload.part_size, 2: len(TAIL)}

    def test_broken_part_is_not_done(self, storage: Storage, upload: Upload) -> None:
        """A part whose bytes stop early does not count; put again, it does."""
        upload.put_part(1, BytesBody(pattern(upload.part_size)))
        with pytest.raises((BodyBroke, StorageError)):
            upload.put_part(2, BrokenBody(pattern(1000), 500))
        with pytest.raises(StorageError):
            upload.put_part(2, LyingBody(b"short", 1000))
        done = dict(upload.done)
        upload.put_part(2, BytesBody(TAIL))
        upload.finish()

        assert done == {1: upload.part_size}
        assert _digest(storage.read_bytes("d/a")) == _digest(pattern(upload.part_size) + TAIL)

    def test_finish_once(self, storage: Storage, upload: Upload) -> None:
        """What was finished cannot be finished again, and a late abort does not take it back."""
        upload.put_part(1, BytesBody(TAIL))
        upload.finish()
        storage.write_bytes("d/a", b"newer")
        with pytest.raises(StorageError):
            upload.finish()
        upload.abort()

        assert storage.read_bytes("d/a") == b"newer"

    def test_abort_of_upload(self, storage: Storage, upload: Upload) -> None:
        """An aborted upload leaves nothing; a second abort does nothing; it cannot be finished."""
        upload.put_part(1, BytesBody(TAIL))
        upload.abort()
        upload.abort()

        with pytest.raises(StorageError):
            upload.finish()
        assert nothing_at(storage, "d/a")
        assert keys(storage) == []

    def test_stop_of_upload(self, storage: Storage, upload: Upload) -> None:
        """A part that is under way when the upload is stopped is stored or cancelled; an abort leaves nothing."""
        failed: list[BaseException] = []

        def put() -> None:
            try:
                upload.put_part(1, BytesBody(pattern(upload.part_size)))
            except BaseException as exc:
                failed.append(exc)

        putting = threading.Thread(target=put)
        putting.start()
        upload.stop()
        upload.stop()
        putting.join()
        upload.abort()

        assert [type(exc) for exc in failed] in ([], [Cancelled])
        assert nothing_at(storage, "d/a")
        assert keys(storage) == []

    def test_abort_of_upload_keeps_the_old(self, storage: Storage, upload: Upload) -> None:
        """An abort does not touch the object that is there."""
        storage.write_bytes("d/a", b"old")
        upload.put_part(1, BytesBody(TAIL))
        upload.abort()

        assert storage.read_bytes("d/a") == b"old"

    def test_two_uploads_of_one_path(self, storage: Storage, upload: Upload) -> None:
        """Two uploads to the same path do not mix; the one that is finished last wins."""
        other = storage.driver.begin_upload("d/a", PutOptions())
        other.put_part(1, BytesBody(b"other"))
        upload.put_part(1, BytesBody(b"first"))
        other.finish()
        middle = storage.read_bytes("d/a")
        upload.finish()

        assert middle == b"other"
        assert storage.read_bytes("d/a") == b"first"

    def test_upload_keeps_what_is_kept(self, storage: Storage) -> None:
        """The options given at the beginning count as those of a put."""
        if not storage.features.upload:
            missing(storage, "upload")
        when = 1_600_000_000_000_000_000
        options = PutOptions(mtime_ns=when, content_type="text/x-special", metadata={"k": "v"})
        upload = storage.driver.begin_upload("a", options, len(TAIL))
        upload.put_part(1, BytesBody(TAIL))
        upload.finish()
        told = storage.stat("a")

        assert not storage.features.mtime or told.mtime_ns == when
        assert not storage.features.content_type or told.content_type == "text/x-special"
        assert not storage.features.metadata or dict(told.metadata) == {"k": "v"}

    def test_resume(self, storage: Storage, upload: Upload) -> None:
        """Another driver object goes on by the token, and knows which parts are safe."""
        if not storage.features.resume_upload:
            missing(storage, "resume_upload")
        assert upload.token is not None
        upload.put_part(1, BytesBody(pattern(upload.part_size)))
        other = Guard(self.fresh(storage.driver))
        resumed = other.resume_upload("d/a", upload.token, PutOptions())
        done = dict(resumed.done)
        resumed.put_part(2, BytesBody(TAIL))
        resumed.finish()

        assert resumed.part_size == upload.part_size
        assert done == {1: upload.part_size}
        assert _digest(storage.read_bytes("d/a")) == _digest(pattern(upload.part_size) + TAIL)
        other.close()

    def test_resume_of_gone(self, storage: Storage, upload: Upload) -> None:
        """An upload that was aborted, or never was, cannot be resumed."""
        if not storage.features.resume_upload:
            missing(storage, "resume_upload")
        token = upload.token or ""
        upload.put_part(1, BytesBody(TAIL))
        upload.abort()

        with pytest.raises(NotFound):
            storage.driver.resume_upload("d/a", token, PutOptions())

    def test_upload_is_found(self, storage: Storage) -> None:
        """Who begins an upload of the same bytes goes on with what was left of one, and knows the safe parts."""
        if not storage.features.finds_uploads:
            missing(storage, "finds_uploads")
        upload = storage.driver.begin_upload("d/a", SAME)
        size = upload.part_size
        upload.put_part(2, BytesBody(pattern(size, 2)))
        upload.leave()
        upload.leave()
        unseen = keys(storage)
        other = Guard(self.fresh(storage.driver))
        again = other.begin_upload("d/a", SAME)
        done = dict(again.done)
        again.put_part(1, BytesBody(pattern(size, 1)))
        again.put_part(3, BytesBody(TAIL))
        again.finish()

        assert unseen == []
        assert done == {2: size}
        assert _digest(storage.read_bytes("d/a")) == _digest(pattern(size, 1) + pattern(size, 2) + TAIL)
        assert keys(storage) == ["d/a"]
        other.close()

    @pytest.mark.parametrize("origin", ["other bytes", None], ids=["other bytes", "unknown bytes"])
    def test_upload_of_other_bytes_begins_anew(self, storage: Storage, origin: str | None) -> None:
        """Parts of other bytes, or of bytes of which nothing is known, are never taken over."""
        if not storage.features.upload:
            missing(storage, "upload")
        upload = storage.driver.begin_upload("d/a", SAME)
        size = upload.part_size
        upload.put_part(1, BytesBody(pattern(size, 1)))
        upload.put_part(2, BytesBody(pattern(size, 1)))
        upload.leave()
        other = storage.driver.begin_upload("d/a", PutOptions(origin=origin))
        done = dict(other.done)
        other.put_part(1, BytesBody(TAIL))
        other.finish()

        assert done == {}
        assert storage.read_bytes("d/a") == TAIL
        assert keys(storage) == ["d/a"]

    def test_upload_in_use_is_not_taken(self, storage: Storage) -> None:
        """As long as somebody works on an upload, another one of the same bytes is another upload."""
        if not storage.features.upload:
            missing(storage, "upload")
        one = storage.driver.begin_upload("d/a", SAME)
        one.put_part(1, BytesBody(pattern(one.part_size)))
        two = storage.driver.begin_upload("d/a", SAME)
        done = dict(two.done)
        two.put_part(1, BytesBody(TAIL))
        one.put_part(2, BytesBody(b"one's"))
        one.finish()
        middle = storage.read_bytes("d/a")
        two.finish()

        assert done == {}
        assert _digest(middle) == _digest(pattern(one.part_size) + b"one's")
        assert storage.read_bytes("d/a") == TAIL

    def test_upload_that_is_over_is_not_found(self, storage: Storage) -> None:
        """After its end, good or bad, nothing is left of an upload to go on with."""
        if not storage.features.upload:
            missing(storage, "upload")
        for end in ("finish", "abort"):
            upload = storage.driver.begin_upload("d/a", SAME)
            before = dict(upload.done)
            upload.put_part(1, BytesBody(TAIL))
            getattr(upload, end)()
            again = storage.driver.begin_upload("d/a", SAME)
            after = dict(again.done)
            again.abort()

            assert (before, after) == ({}, {}), end

    def test_resume_of_other_bytes(self, storage: Storage) -> None:
        """A token does not help whoever has other bytes, nor anybody while the upload is in use."""
        if not (storage.features.finds_uploads and storage.features.resume_upload):
            missing(storage, "finds_uploads")
        upload = storage.driver.begin_upload("d/a", SAME)
        token = upload.token or ""
        upload.put_part(1, BytesBody(TAIL))
        with pytest.raises(NotFound):
            storage.driver.resume_upload("d/a", token, SAME)
        upload.leave()
        with pytest.raises(NotFound):
            storage.driver.resume_upload("d/a", token, PutOptions(origin="other bytes"))
        resumed = storage.driver.resume_upload("d/a", token, SAME)
        resumed.finish()

        assert storage.read_bytes("d/a") == TAIL


def _digest(data: bytes) -> tuple[int, str]:
    """Return what tells large contents apart without filling a report with them."""
    return len(data), hashlib.sha256(data).hexdigest()
