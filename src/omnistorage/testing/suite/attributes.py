"""Cases about what is kept beside the bytes: time of modification, MIME type, user metadata."""

from __future__ import annotations

import msgspec
import pytest

from omnistorage.core.attributes import CONTENT_TYPE, MTIME, differing, from_text, own_of
from omnistorage.core.errors import NotFound, Unsupported
from omnistorage.core.features import DERIVED
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.storage import Storage

from .base import Suite, missing, put, raw_list, raw_put

WANTED = {
    "mode": "100741",
    MTIME: "2011-05-06T07:08:09Z",
    CONTENT_TYPE: "text/x-wanted",
}
"""Names of the system, and values that nothing has by itself."""

WHEN = 1_600_000_001_123_456_789
"""A time in 2020 with a digit other than zero at every precision, in nanoseconds."""


class Attributes(Suite):
    """What is claimed to be kept is kept exactly; what is not, does no harm."""

    def test_modified_is_kept(self, storage: Storage) -> None:
        """The time given to a put is told again, to the claimed precision."""
        storage.write_bytes("a", b"x", modified=WHEN)
        if not storage.features.mtime:
            pytest.skip("needs features.mtime; a put with a time was accepted all the same")
        told = storage.stat("a").mtime_ns

        assert told is not None
        assert abs(told - WHEN) < storage.features.precision
        assert raw_list(storage)[0].mtime_ns in (told, None)

    def test_precision_is_true(self, storage: Storage) -> None:
        """Two times that are one step apart stay apart and come back exactly."""
        step = storage.features.precision
        if not storage.features.mtime:
            pytest.skip("needs features.mtime")
        whole = WHEN // step * step
        storage.write_bytes("a", b"x", modified=whole)
        storage.write_bytes("b", b"x", modified=whole + step)

        assert step > 0
        assert storage.stat("a").mtime_ns == whole
        assert storage.stat("b").mtime_ns == whole + step

    def test_listed_modified(self, storage: Storage) -> None:
        """A listing tells the time that ``stat`` tells, to the last digit, where that is claimed, and else none."""
        features = storage.features
        if not features.mtime:
            pytest.skip("needs features.mtime")
        for number, path in enumerate(("a", "d/b", "d/e/c")):
            storage.write_bytes(path, b"x", modified=WHEN + number * 86400 * 10**9)
        storage.write_bytes("d/now", b"x")
        if features.set_modified:
            storage.set_modified("d/b", WHEN - 86400 * 10**9)
        listings = [[info for path in ("", "d", "d/e") for info in raw_list(storage, path)]]
        if features.recursive:
            listings.append(raw_list(storage, recursive=True))
        told = [{info.path: info.mtime_ns for info in listing if info.kind is FILE} for listing in listings]
        wanted = {
            path: storage.stat(path).mtime_ns if features.listed_mtime else None
            for path in ("a", "d/b", "d/e/c", "d/now")
        }

        assert told == [wanted] * len(listings)

    def test_put_without_time_is_not_older(self, storage: Storage) -> None:
        """A put without a time does not inherit that of the object before it."""
        storage.write_bytes("a", b"x", modified=WHEN)
        storage.write_bytes("a", b"y")
        told = storage.stat("a").mtime_ns

        assert told is None or told > WHEN + 86400 * 10**9

    def test_set_modified(self, storage: Storage) -> None:
        """A time can be changed later without touching the bytes, or that is refused."""
        storage.write_bytes("a", b"bytes")
        if not storage.features.set_modified:
            with pytest.raises(Unsupported):
                storage.set_modified("a", WHEN)
            return
        storage.set_modified("a", WHEN)
        told = storage.stat("a").mtime_ns

        assert told is not None
        assert abs(told - WHEN) < storage.features.precision
        assert storage.read_bytes("a") == b"bytes"

    def test_set_modified_of_missing(self, storage: Storage) -> None:
        """There is no time of what is not there."""
        if not storage.features.set_modified:
            pytest.skip("needs features.set_modified")
        with pytest.raises(NotFound):
            storage.set_modified("nope", WHEN)

    def test_content_type_is_kept(self, storage: Storage) -> None:
        """A MIME type is told again, also by a second put without one taken away."""
        storage.write_bytes("a.bin", b"x", content_type="text/x-special")
        if not storage.features.content_type:
            pytest.skip("needs features.content_type; a put with a type was accepted all the same")
        told = storage.stat("a.bin").content_type
        storage.write_bytes("a.bin", b"x")

        assert told == "text/x-special"
        assert storage.stat("a.bin").content_type != "text/x-special"

    def test_metadata_is_kept(self, storage: Storage) -> None:
        """User metadata is told again, with blanks and punctuation."""
        wanted = {"colour": "blue", "note": 'a = b; c, "d"', "number-1": "1"}
        storage.write_bytes("a", b"x", metadata=wanted)
        if not storage.features.metadata:
            pytest.skip("needs features.metadata; a put with metadata was accepted all the same")

        assert dict(storage.stat("a").metadata) == wanted

    def test_metadata_is_replaced(self, storage: Storage) -> None:
        """A put without metadata leaves none of the object before it."""
        storage.write_bytes("a", b"x", metadata={"colour": "blue"})
        storage.write_bytes("a", b"x")

        assert "colour" not in storage.stat("a").metadata

    def test_set_metadata(self, storage: Storage) -> None:
        """Metadata can be replaced later without touching the bytes, or that is refused."""
        storage.write_bytes("a", b"bytes", metadata={"old": "1"} if storage.features.metadata else None)
        if not storage.features.set_metadata:
            with pytest.raises(Unsupported):
                storage.driver.set_metadata("a", {"new": "2"})
            return
        storage.driver.set_metadata("a", {"new": "2"})

        assert storage.read_bytes("a") == b"bytes"
        if storage.features.metadata:
            assert dict(storage.stat("a").metadata) == {"new": "2"}

    def test_set_metadata_of_missing(self, storage: Storage) -> None:
        """There is no metadata of what is not there, neither to set nor to tell."""
        if not storage.features.set_metadata and not storage.features.attributes:
            missing(storage, "set_metadata")
        verbs = [("set_metadata", ("nope", {"new": "2"})), ("attributes", ("nope",))]
        for feature, arguments in verbs:
            if getattr(storage.features, feature):
                with pytest.raises(NotFound):
                    getattr(storage.driver, DERIVED[feature])(*arguments)

    def test_listed_metadata(self, storage: Storage) -> None:
        """Where listings are claimed to have metadata, they have all of it."""
        if not storage.features.listed_metadata:
            missing(storage, "listed_metadata")
        storage.write_bytes("a", b"x", metadata={"colour": "blue", "shape": "round"})

        assert dict(raw_list(storage)[0].metadata) == {"colour": "blue", "shape": "round"}

    def test_attributes_are_told(self, storage: Storage) -> None:
        """What was stored as metadata is among what is told, and so is each name that can be set."""
        if not storage.features.attributes:
            missing(storage, "attributes")
        kept = {"colour": "blue"} if storage.features.metadata else {}
        storage.write_bytes("a", b"x", metadata=kept, modified=WHEN, content_type="text/x-special")
        told = storage.driver.metadata("a")
        applied = storage.features.applies & {"mode", "uid", "gid", MTIME, CONTENT_TYPE}

        assert {name: told.get(name) for name in kept} == kept
        assert applied <= told.keys()
        if MTIME in applied:
            assert abs(from_text(told[MTIME]) - WHEN) < storage.features.precision

    def test_attributes_are_applied(self, storage: Storage) -> None:
        """What can be set is set by a put that is told so, and comes back."""
        applied = storage.features.applies & WANTED.keys()
        if not applied:
            pytest.skip("features.applies names nothing that this case sets")
        wanted = {name: WANTED[name] for name in applied}
        raw_put(storage, "a", b"bytes", metadata=wanted, attributes=True)
        told = storage.driver.metadata("a")
        info = storage.stat("a")

        assert differing(wanted, told, special=False) == []
        assert MTIME not in applied or info.mtime_ns == from_text(WANTED[MTIME])
        assert CONTENT_TYPE not in applied or info.content_type == WANTED[CONTENT_TYPE]
        assert own_of(info.metadata) == dict(info.metadata)
        assert storage.read_bytes("a") == b"bytes"

    def test_attributes_are_changed(self, storage: Storage) -> None:
        """What can be set can be set later as well, and what is not named stays."""
        applied = storage.features.applies & WANTED.keys()
        if not applied or not storage.features.set_metadata:
            pytest.skip("features.applies names nothing that could be set")
        put(storage, "a")
        for name in sorted(applied):
            before = storage.driver.metadata("a")
            storage.driver.set_metadata("a", {name: WANTED[name]})
            told = storage.driver.metadata("a")
            rest = applied - {name, MTIME}

            assert name in told
            assert differing({name: WANTED[name]}, told, special=False) == []
            assert {one: told.get(one) for one in rest} == {one: before.get(one) for one in rest}
        assert MTIME not in applied or storage.stat("a").mtime_ns == from_text(WANTED[MTIME])

    def test_attributes_need_telling(self, storage: Storage) -> None:
        """A put that is not told so sets nothing: whoever may choose metadata may not choose permissions."""
        raw_put(storage, "a", b"x")
        usual = storage.driver.metadata("a") if storage.features.attributes else {}
        raw_put(storage, "a", b"x", metadata=WANTED, mtime_ns=WHEN)
        told = storage.driver.metadata("a") if storage.features.attributes else {}
        info = storage.stat("a")

        assert info.content_type != WANTED[CONTENT_TYPE]
        assert info.mtime_ns != from_text(WANTED[MTIME])
        for name in storage.features.applies - {MTIME, CONTENT_TYPE, "atime"}:
            assert told.get(name) == usual.get(name)

    def test_attributes_of_directory(self, storage: Storage) -> None:
        """Directories have metadata where they are real; telling it of others does no harm."""
        if not storage.features.attributes:
            missing(storage, "attributes")
        put(storage, "d/a")
        wanted = {name: WANTED[name] for name in storage.features.applies & {"mode"}}
        if storage.features.mkdir and wanted:
            storage.driver.set_metadata("d", wanted)
        told = storage.driver.metadata("d")

        if storage.features.mkdir:
            assert differing(wanted, told, special=False) == []
        assert storage.read_bytes("d/a") == b"x"

    def test_listing_equals_stat(self, storage: Storage) -> None:
        """Whatever a listing says of an object, stat says, too."""
        storage.write_bytes("d/a", b"12345", modified=WHEN)
        put(storage, "d/b")
        for listed in raw_list(storage, "d"):
            told = storage.stat(listed.path)

            assert listed == _as_far_as(listed, told)


def _as_far_as(listed: ObjectInfo, told: ObjectInfo) -> ObjectInfo:
    """Return ``told`` without what a listing may leave out, where it does."""
    blank = ObjectInfo(listed.path)
    optional = ("size", "mtime_ns", "etag", "version", "content_type", "metadata", "hashes")
    absent = {name: getattr(listed, name) for name in optional if getattr(listed, name) == getattr(blank, name)}
    return msgspec.structs.replace(told, **absent)
