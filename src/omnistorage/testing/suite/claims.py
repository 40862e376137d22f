"""Cases about features: what is claimed works, and what is not claimed is refused."""

from __future__ import annotations

from collections.abc import Callable
from urllib.request import Request, urlopen

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError, Unsupported
from omnistorage.core.features import DERIVED, Features
from omnistorage.core.options import PutOptions
from omnistorage.storage import Storage

from .base import Suite, missing, put

ATTEMPTS: dict[str, Callable[[Driver], object]] = {
    "copy": lambda driver: driver.copy("a", "b"),
    "move": lambda driver: driver.move("a", "b"),
    "mkdir": lambda driver: driver.mkdir("d"),
    "set_modified": lambda driver: driver.set_modified("a", 10**18),
    "upload": lambda driver: driver.begin_upload("u", PutOptions()).abort(),
    "resume_upload": lambda driver: driver.resume_upload("u", "no such token", PutOptions()),
    "abort_begun": lambda driver: driver.abort_begun("u", 0),
    "delete_many": lambda driver: driver.delete_many(["a"]),
    "hash": lambda driver: driver.hash("a", min(driver.features.computes, default="sha256")),
    "presign": lambda driver: driver.presign("a"),
    "post_form": lambda driver: driver.post_form("a"),
    "versions": lambda driver: list(driver.versions("a")),
    "about": lambda driver: driver.about(),
    "set_metadata": lambda driver: driver.set_metadata("a", {"k": "v"}),
    "attributes": lambda driver: driver.metadata("a"),
    "watch": lambda driver: driver.watch("", lambda info: None)(),
}


class Claims(Suite):
    """Features are no opinion."""

    @pytest.mark.parametrize("feature", DERIVED)
    def test_claimed_verb_is_there(self, storage: Storage, feature: str) -> None:
        """A claimed verb is not refused, and one that is not claimed is."""
        put(storage, "a")
        driver = storage.driver
        if not getattr(driver.features, feature):
            with pytest.raises(Unsupported):
                ATTEMPTS[feature](driver)
            return
        refused = False
        try:
            ATTEMPTS[feature](driver)
        except Unsupported:
            refused = True
        except StorageError:
            # An unknown token, say: the verb is there, and its own cases ask what it does.
            refused = False

        assert not refused, f"features.{feature} is claimed, but the verb is refused"

    def test_every_verb_has_an_attempt(self) -> None:
        """A verb that is added to the features is added to this case."""
        assert ATTEMPTS.keys() == DERIVED.keys()

    def test_features_fit_together(self, storage: Storage) -> None:
        """No claim contradicts another one."""
        features = storage.features

        assert isinstance(features, Features)
        assert features.precision > 0
        assert features.upload or not features.resume_upload
        assert features.upload or not features.finds_uploads
        assert features.hash or not features.computes
        assert features.max_name is None or features.max_name > 0
        assert not (features.any_key and features.mkdir)

    def test_features_stay(self, storage: Storage) -> None:
        """Features may be asked at any moment and do not change by use."""
        before = storage.features
        put(storage, "a")
        storage.stat("a")

        assert storage.features == before

    def test_scheme(self, storage: Storage) -> None:
        """A driver says which scheme it is for."""
        assert storage.scheme != ""
        assert storage.scheme in repr(storage)

    def test_versions(self, storage: Storage) -> None:
        """Where versions are kept, replacing an object adds one, newest first."""
        if not storage.features.versions:
            missing(storage, "versions")
        storage.write_bytes("a", b"1")
        storage.write_bytes("a", b"22")
        found = list(storage.driver.versions("a"))

        assert [info.size for info in found[:2]] == [2, 1]
        assert {info.path for info in found} == {"a"}
        assert len({info.version for info in found}) == len(found)

    def test_read_version(self, storage: Storage) -> None:
        """An earlier version is read as the present one is: whole, in ranges, and by seeking."""
        if not storage.features.versions:
            missing(storage, "versions")
        storage.write_bytes("a", b"0123456789")
        storage.write_bytes("a", b"new")
        old = list(storage.versions("a"))[1].version
        assert old is not None
        with storage.open_reader("a", version=old) as reader:
            whole = reader.read()
            reader.seek(-3, 2)
            end = reader.read()
        with storage.open_reader("a", version=old, offset=2, length=3) as reader:
            part = reader.read()

        assert (whole, end, part) == (b"0123456789", b"789", b"234")
        assert storage.read_bytes("a") == b"new"

    def test_restore_version(self, storage: Storage) -> None:
        """A version becomes the present one, also of a deleted object, with all that is kept beside its bytes."""
        if not storage.features.versions:
            missing(storage, "versions")
        storage.write_bytes("a", b"old", modified=1_600_000_000_000_000_000)
        old = next(iter(storage.versions("a")))
        storage.write_bytes("a", b"newer")
        assert old.version is not None
        storage.restore("a", old.version)
        restored = storage.stat("a")
        storage.delete("a")
        storage.restore("a", old.version)

        assert restored.size == 3
        assert restored.mtime_ns in (1_600_000_000_000_000_000, None)
        assert storage.read_bytes("a") == b"old"
        assert len(list(storage.versions("a"))) >= 3

    def test_restored_version_is_complete(self, storage: Storage) -> None:
        """Metadata and type of content come back with the bytes, also where the version is the present one."""
        features = storage.features
        if not features.versions:
            missing(storage, "versions")
        storage.write_bytes("a", b"old", content_type="text/x-special", metadata={"k": "v"})
        old = next(iter(storage.versions("a"))).version
        assert old is not None
        storage.restore("a", old)
        again = storage.stat("a")
        storage.write_bytes("a", b"newer")
        storage.restore("a", old)
        back = storage.stat("a")

        assert storage.read_bytes("a") == b"old"
        assert (again.size, back.size) == (3, 3)
        assert not features.content_type or (again.content_type, back.content_type) == ("text/x-special",) * 2
        assert not features.metadata or (again.metadata, back.metadata) == ({"k": "v"},) * 2

    def test_no_such_version(self, storage: Storage) -> None:
        """A version that is not there is neither read nor restored."""
        if not storage.features.versions:
            missing(storage, "versions")
        storage.write_bytes("a", b"x")
        storage.write_bytes("b", b"x")
        other = next(iter(storage.versions("b"))).version
        assert other is not None
        with pytest.raises(StorageError):
            storage.open_reader("a", version=other)
        with pytest.raises(StorageError):
            storage.restore("a", other)

        assert storage.read_bytes("a") == b"x"

    def test_post_form(self, storage: Storage) -> None:
        """A form names where it goes, and what goes with the file."""
        if not storage.features.post_form:
            missing(storage, "post_form")
        form = storage.form("d/a b", expires=60, max_size=10)

        assert "://" in form.url
        assert form.fields

    def test_post_form_stores(self, storage: Storage) -> None:
        """What is sent by a form, as a browser does it, becomes the object that the form names."""
        if not storage.features.post_form:
            missing(storage, "post_form")
        form = storage.form("d/a b", expires=60)
        lines = [f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in form.fields.items()]
        lines.append('--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nposted\r\n--x--\r\n')
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        with urlopen(Request(form.url, "".join(lines).encode(), headers, method="POST")) as answer:
            status = answer.status

        assert status < 300
        assert storage.read_bytes("d/a b") == b"posted"

    def test_presign(self, storage: Storage) -> None:
        """A link is an address that names the object's bytes without our help."""
        if not storage.features.presign:
            missing(storage, "presign")
        put(storage, "d/a b")
        link = storage.driver.presign("d/a b", expires=60)

        assert "://" in link
        assert " " not in link
