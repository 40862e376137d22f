"""Cases about names: whatever is accepted comes back exactly, and what is not is refused visibly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import InvalidPath, StorageError
from omnistorage.core.info import FILE
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.storage import Storage

from .base import Suite, keys, missing, paths, raw_list

HOSTILE: dict[str, str] = {
    "leading blank": " a",
    "trailing blank": "a ",
    "only blanks": "   ",
    "leading dot": ".hidden",
    "trailing dot": "a.",
    "three dots": "...",
    "leading two dots": "..a",
    "tilde": "~",
    "dash": "-rf",
    "percent code": "a%46b",
    "percent slash": "a%2Fb",
    "percent alone": "100%",
    "plus": "a+b c",
    "query": "a?b=c&d",
    "fragment": "a#b",
    "semicolon": "a;b,c=d",
    "colon": "C:a",
    "quotes": 'it\'s "so" `x`',
    "brackets": "[a]{b}<c>(d)",
    "wildcards": "*a?b|c",
    "dollar": "$HOME ${x} $(y)",
    "backslash": "a\\b\\..\\c",
    "newline": "a\nb",
    "carriage return": "a\rb\r",
    "tab": "\ta\t",
    "vertical tab": "\va\v",
    "escape": "a\x1b[31mb",
    "bell and delete": "\x07a\x7f",
    "start of heading": "\x01",
    "next line": "a\x85b\u2028c",
    "no-break blank": "\u00a0a\u3000",
    "accents, composed": "caf\u00e9",
    "accents, decomposed": "cafe\u0301",
    "umlauts": "äöüÄÖÜß",
    "right to left": "\u202eabc\u05d0",
    "wide": "日本語",
    "emoji": "\U0001f600\U0001f468\u200d\U0001f469",
    "highest character": "a\U0010ffff",
    "replacement character": "\ufffd",
    "byte order mark": "\ufeffa",
    "reserved by Windows": "CON",
    "temporary": "a.part~",
    "invalid UTF-8": "a\udcffb",
    "cut UTF-8": "caf\udcc3",
    "a directory with blanks": " d / a ",
    "a directory with dots": "...d./.a.",
    "a directory with percent": "%2e%2e/%2F",
    "upper and lower": "ReadMe.TXT",
}

CLIMBING: dict[str, str] = {
    "parent": "..",
    "below the parent": "../a",
    "up and down": "d/../a",
    "up at the end": "d/..",
    "above the root": "d/../../a",
    "here": ".",
    "below here": "./a",
    "here within": "d/./a",
    "absolute": "/a",
    "two slashes first": "//a",
    "empty part": "d//a",
    "slash at the end": "d/a/",
    "only a slash": "/",
    "NUL": "a\0b",
}


class Names(Suite):
    """No name is ever changed in silence, and none leads out of the storage."""

    @pytest.mark.parametrize("kind", HOSTILE)
    def test_name(self, storage: Storage, kind: str) -> None:
        """A strange name is read, described, listed and deleted exactly as given, or refused with InvalidPath."""
        _accepts(storage, HOSTILE[kind], must=False)

    def test_name_that_is_refused_for_a_copy(self, storage: Storage) -> None:
        """What a put refuses as a name, a copy does not make."""
        storage.write_bytes("from", b"x")
        refused = []
        for name in HOSTILE.values():
            try:
                storage.write_bytes(name, b"x")
            except InvalidPath:
                refused.append(name)
            except StorageError:
                # Any other failure is for test_name to tell.
                continue
            else:
                storage.delete(name)
        for name in refused:
            with pytest.raises(InvalidPath):
                storage.copy("from", name)

        assert keys(storage) == ["from"]

    @pytest.mark.parametrize("kind", CLIMBING)
    def test_name_of_no_file(self, storage: Storage, kind: str) -> None:
        """What a file system takes for another place is refused; where keys are opaque, it is a key."""
        key = CLIMBING[kind]
        if storage.features.any_key:
            _accepts(storage, key, must=kind != "NUL")
            return
        storage.write_bytes("d/a", b"beside")

        with pytest.raises(InvalidPath):
            storage.write_bytes(key, b"x")
        with pytest.raises(InvalidPath):
            storage.read_bytes(key)
        with pytest.raises(InvalidPath):
            storage.stat(key)
        with pytest.raises(InvalidPath):
            storage.delete(key)
        assert keys(storage) == ["d/a"]
        assert storage.read_bytes("d/a") == b"beside"

    @pytest.mark.parametrize("kind", CLIMBING)
    def test_name_of_no_file_in_other_verbs(self, storage: Storage, kind: str) -> None:
        """The other verbs refuse such a name, too; a rename must not lead out of the storage."""
        key, driver = CLIMBING[kind], storage.driver
        if storage.features.any_key:
            pytest.skip("keys are opaque (features.any_key)")
        storage.write_bytes("d/a", b"beside")
        calls: list[Callable[[], object]] = [lambda: driver.list(key)]
        if driver.features.copy:
            calls += [lambda: driver.copy("d/a", key), lambda: driver.copy(key, "d/b")]
        if driver.features.move:
            calls += [lambda: driver.move("d/a", key), lambda: driver.move(key, "d/b")]
        if driver.features.mkdir:
            calls += [lambda: driver.mkdir(key), lambda: driver.rmdir(key)]
        if driver.features.set_modified:
            calls.append(lambda: driver.set_modified(key, 0))
        if driver.features.upload:
            # Refused at the latest when the object would appear.
            calls.append(lambda: _upload(driver, key))

        for call in calls:
            with pytest.raises(InvalidPath):
                call()
        assert keys(storage) == ["d/a"]

    @pytest.mark.parametrize("kind", CLIMBING)
    def test_key_is_no_other_place(self, storage: Storage, kind: str) -> None:
        """Where keys are opaque, one that looks like a way to the root is not there, and a delete harms nothing."""
        key = CLIMBING[kind]
        if not storage.features.any_key:
            missing(storage, "any_key")
        for call in (storage.stat, storage.read_bytes, storage.driver.delete):
            with pytest.raises(StorageError):
                call(key)
        storage.write_bytes("b", b"x")

        assert keys(storage) == ["b"]

    def test_names_that_look_alike(self, storage: Storage) -> None:
        """Composed and decomposed letters are different names: nothing is normalised."""
        composed, decomposed = "caf\u00e9", "cafe\u0301"
        storage.write_bytes(composed, b"composed")
        try:
            storage.write_bytes(decomposed, b"decomposed")
        except InvalidPath:
            assert keys(storage) == [composed]
            return

        assert storage.read_bytes(composed) == b"composed"
        assert storage.read_bytes(decomposed) == b"decomposed"
        assert sorted(keys(storage)) == [decomposed, composed]

    def test_percent_codes_are_text(self, storage: Storage) -> None:
        """A percent code is not the character it stands for."""
        storage.write_bytes("aFb", b"letter")
        storage.write_bytes("a%46b", b"code")
        storage.write_bytes("a+b", b"plus")
        storage.write_bytes("a b", b"blank")

        assert storage.read_bytes("aFb") == b"letter"
        assert storage.read_bytes("a%46b") == b"code"
        assert storage.read_bytes("a+b") == b"plus"
        assert storage.read_bytes("a b") == b"blank"

    def test_upper_and_lower(self, storage: Storage) -> None:
        """Names that differ in case are one object exactly where that is claimed."""
        storage.write_bytes("Case.txt", b"first")
        storage.write_bytes("cASE.TXT", b"second")
        if storage.features.case_insensitive:
            assert storage.read_bytes("Case.txt") == b"second"
            assert len(keys(storage)) == 1
            return

        assert storage.read_bytes("Case.txt") == b"first"
        assert storage.read_bytes("cASE.TXT") == b"second"
        assert keys(storage) == ["Case.txt", "cASE.TXT"]

    @pytest.mark.parametrize("letter", ["a", "é", "日", "\U0001f600"])
    def test_long_name(self, storage: Storage, letter: str) -> None:
        """A name as long as is claimed is stored; one byte of UTF-8 more is refused, not cut."""
        limit = storage.features.max_name or 255
        width = len(letter.encode())
        name = letter * (limit // width) + "x" * (limit % width)
        _accepts(storage, name, must=storage.features.max_name is not None)
        if storage.features.max_name is None:
            return

        with pytest.raises(InvalidPath):
            storage.write_bytes(name + "x", b"x")
        assert keys(storage) == []

    def test_long_path(self, storage: Storage) -> None:
        """A path as long as is claimed is stored; one byte more is refused."""
        limit = storage.features.max_path
        part = "p" * min(50, storage.features.max_name or 50)
        wanted = limit or 1000
        path = "/".join([part] * (wanted // (len(part) + 1) + 1))[:wanted]
        if path.endswith("/"):
            path = path[:-2] + "/p" if wanted > 2 else "p"
        _accepts(storage, path, must=limit is not None)
        if limit is None:
            return

        with pytest.raises(InvalidPath):
            storage.write_bytes(path + "x", b"x")
        assert keys(storage) == []


def _upload(driver: Driver, key: str) -> None:
    upload = driver.begin_upload(key, PutOptions())
    upload.put_part(1, BytesBody(b"x"))
    upload.finish()


def _accepts(storage: Storage, key: str, *, must: bool) -> None:
    """Prove that ``key`` goes in and comes out unchanged, or (if it need not) is refused and leaves nothing."""
    try:
        answer = storage.write_bytes(key, b"named")
    except InvalidPath:
        assert not must, f"{key!r} is refused, though the features promise to take it"
        assert keys(storage) == []
        return

    assert answer.path == key
    assert storage.read_bytes(key) == b"named"
    assert storage.stat(key).path == key
    assert storage.stat(key).kind is FILE
    assert keys(storage) == [key]
    assert keys(storage, key) == [key]
    folder, _, _ = key.rpartition("/")
    if folder and "" not in key.split("/"):
        assert paths(raw_list(storage, folder)) == [key]
    storage.delete(key)
    assert not storage.exists(key)
    assert [name for name in keys(storage) if not name.startswith(folder)] == []
