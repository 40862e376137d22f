"""``verify``: damage is told from change, whatever was recorded, and whatever fails meanwhile."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core import hashes
from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, PermissionDenied
from omnistorage.core.info import ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.storage import Storage
from omnistorage.sync import Filter, State, VerifyOptions, VerifyResult, verify
from omnistorage.testing import CutStream, Fail, FaultyDriver
from sync_scenes import NEWER, PLACES, TREE, WHEN, Tree, files, fill, memory

Found = dict[str, State]


def look(storage: Storage, sums: str | None = None, **given: Any) -> tuple[Found, VerifyResult]:
    """Verify, and return what was found of each object as well."""
    found: Found = {}
    options = VerifyOptions(**{name: given.pop(name) for name in list(given) if name != "record"})
    result = verify(
        storage,
        options,
        sums=None if sums is None else _lines(sums),
        found=lambda finding: found.__setitem__(finding.path, finding.state),
        **given,
    )
    counts = Counter(found.values())
    told = {state: getattr(result, "errors" if state is State.FAILED else state.value) for state in State}
    assert told == {state: counts[state] for state in State}
    return found, result


def record(storage: Storage, sums: str | None = None, **given: Any) -> str:
    """Verify, and return the record that was written."""
    file = io.StringIO()
    look(storage, sums, record=file, **given)
    return file.getvalue()


def _lines(text: str) -> list[bytes]:
    return text.encode("utf-8", "surrogateescape").splitlines(keepends=True)


class Stating(Layer):
    """States hashes with each listing, as services do, of the bytes that were there at first."""

    def __init__(self, inner: Driver, stated: Mapping[str, str], *, in_lists: bool = True) -> None:
        super().__init__(inner)
        self.features = msgspec.structs.replace(inner.features, hashes=frozenset({"md5"}), computes=frozenset())
        self._stated = stated
        self._in_lists = in_lists

    def around(self, op: str, path: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if op == "stat" and isinstance(answer, ObjectInfo):
            return self._told(answer)
        if op == "list" and isinstance(answer, Page) and self._in_lists:
            return Page([self._told(info) for info in answer.infos], answer.next)
        return answer

    def _told(self, info: ObjectInfo) -> ObjectInfo:
        digest = self._stated.get(info.path)
        return info if digest is None else msgspec.structs.replace(info, hashes={"md5": digest})


def stating(storage: Storage, tree: Tree, *, in_lists: bool = True) -> Storage:
    digests = {}
    for path, data in tree.items():
        hasher = hashes.new("md5")
        hasher.update(data)
        digests[path] = hasher.hexdigest()
    return Storage(Stating(storage.driver, digests, in_lists=in_lists))


# -- records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_what_was_recorded_is_verified(place: str, tmp_path: Path) -> None:
    """A record holds all objects; a tree that nobody touched is as it says."""
    storage = PLACES[place](tmp_path / "t", TREE)
    found, result = look(storage, record(storage))

    assert found == dict.fromkeys(TREE, State.VERIFIED)
    assert result.ok
    assert result.bytes == sum(map(len, TREE.values()))


@pytest.mark.parametrize("kind", ["blake3", "md5", "crc32"])
def test_each_hash_can_be_recorded(kind: str, tmp_path: Path) -> None:
    """The record says what its hash is, so that nobody has to remember."""
    storage = files(tmp_path / "t", TREE)
    text = record(storage, record_hash=kind)

    assert text.startswith(f"# omnistorage record: {kind}\n")
    assert look(storage, text)[1].ok
    assert record(storage, text) == text


def test_damage_is_told_from_change(tmp_path: Path) -> None:
    """Other bytes under the same size and time are damage; with another time they are a change."""
    tree: Tree = dict.fromkeys(("kept", "rot", "cut", "edited", "grown", "touched", "gone"), b"as it was")
    storage = files(tmp_path / "t", tree)
    text = record(storage)
    fill(storage, {"rot": b"as it wAs", "cut": b"as it"})
    fill(storage, {"edited": b"AS IT WAS", "grown": b"as it was, and more", "touched": b"as it was"}, when=NEWER)
    fill(storage, {"new": b"here"})
    storage.delete("gone")
    found, result = look(storage, text)

    assert found == {
        "kept": State.VERIFIED,
        "touched": State.VERIFIED,
        "rot": State.ROT,
        "cut": State.DIFFERS,
        "edited": State.CHANGED,
        "grown": State.CHANGED,
        "gone": State.MISSING,
        "new": State.NEW,
    }
    assert (result.ok, result.sound) == (False, False)


def test_change_is_no_damage(tmp_path: Path) -> None:
    """Objects that came, changed and went leave a storage sound, though not as it was."""
    storage = files(tmp_path / "t", {"a": b"1", "b": b"2", "c": b"3"})
    text = record(storage)
    fill(storage, {"a": b"other", "new": b"4"}, when=NEWER)
    storage.delete("b")
    result = look(storage, text)[1]

    assert (result.ok, result.sound) == (False, True)


def test_times_within_the_precision_are_equal() -> None:
    """A storage that keeps whole seconds does not make damage look like change."""
    inner = memory({"a": b"1"})
    text = record(inner)
    fill(inner, {"a": b"2"}, when=WHEN + 999_999_999)
    coarse = Stating(inner.driver, {})
    coarse.features = msgspec.structs.replace(inner.features, precision=10**9)

    assert look(inner, text)[0] == {"a": State.CHANGED}
    assert look(Storage(coarse), text)[0] == {"a": State.ROT}


def test_damage_is_not_recorded_as_sound(tmp_path: Path) -> None:
    """A new record keeps the old lines of what is damaged or cannot be read, and forgets what is gone."""
    storage = files(tmp_path / "t", {"rot": b"1", "unread": b"2", "edited": b"3", "gone": b"4", "dir/in": b"5"})
    old = record(storage)
    fill(storage, {"rot": b"x"})
    fill(storage, {"edited": b"y", "new": b"z"}, when=NEWER)
    storage.delete("gone")
    faulty = FaultyDriver(
        storage.driver,
        Fail("hash", path="unread", times=None, error=PermissionDenied),
        Fail("list", path="dir", times=None, error=PermissionDenied),
    )
    new = record(Storage(faulty), old)
    found, _ = look(storage, new)

    assert found == {
        "rot": State.ROT,
        "unread": State.VERIFIED,
        "dir/in": State.VERIFIED,
        "edited": State.VERIFIED,
        "new": State.VERIFIED,
    }


def test_what_a_filter_leaves_out_stays_in_the_record(tmp_path: Path) -> None:
    """Verifying a part and recording it again loses nothing of the rest, and says nothing of it."""
    storage = files(tmp_path / "t", TREE)
    old = record(storage)
    for chosen in (Filter().include("*.txt"), Filter().min_size(4), Filter().max_depth(1)):
        file = io.StringIO()
        found, result = look(storage, old, filter=chosen, record=file)

        assert set(found.values()) == {State.VERIFIED}
        assert len(found) < len(TREE)
        assert (result.ok, file.getvalue()) == (True, old)


def test_record_in_another_hash(tmp_path: Path) -> None:
    """A record can change its hash; lines that are kept name the old one."""
    storage = files(tmp_path / "t", {"a": b"1", "rot": b"2"})
    old = record(storage, record_hash="md5")
    fill(storage, {"rot": b"x"})
    new = record(storage, old, record_hash="sha256")

    assert "\nMD5 (rot) = " in new
    assert look(storage, new)[0] == {"a": State.VERIFIED, "rot": State.ROT}


@pytest.mark.skipif(shutil.which("sha256sum") is None and "CI" not in os.environ, reason="no coreutils here")
def test_record_is_a_sum_file(tmp_path: Path) -> None:
    """``sha256sum -c`` checks a record, odd names and all."""
    storage = files(tmp_path / "t", TREE | {"new\nline": b"x", "back\\slash": b"y"})
    text = record(storage)
    checked = subprocess.run(
        ["sha256sum", "-c", "--strict"], cwd=tmp_path / "t", input=text.encode(), capture_output=True, check=False
    )

    assert (checked.returncode, checked.stdout.count(b": OK\n")) == (0, len(TREE) + 2)


def test_record_is_sorted(tmp_path: Path) -> None:
    """Records of equal trees are equal texts, also when there are many objects and many threads."""
    tree = {f"{number % 7}/{number}": b"%d" % number for number in range(500)}
    one, two = memory(tree), files(tmp_path / "t", tree)

    assert record(one, checkers=3, record_hash="sha512") == record(two, record_hash="sha512")


# -- SUM files, and what services state -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "sha512", "crc32", "xxh3"])
def test_hash_of_a_sum_file_is_told_by_its_length(kind: str) -> None:
    """A plain SUM file has no times, so that nothing tells damage from change."""
    storage = memory({"a": b"1", "b": b"2"})
    text = "".join(line for line in record(storage, record_hash=kind).splitlines(keepends=True) if line[0] != "#")
    fill(storage, {"b": b"x"})

    assert look(storage, text)[0] == {"a": State.VERIFIED, "b": State.DIFFERS}


def test_named_hash() -> None:
    """Where the length tells another hash, its name can be given."""
    storage = memory({"a": b"1"})
    text = "".join(line for line in record(storage, record_hash="blake3").splitlines(keepends=True) if line[0] != "#")

    assert look(storage, text)[0] == {"a": State.DIFFERS}
    assert look(storage, text, hash="blake3")[1].ok


@pytest.mark.parametrize("in_lists", [True, False])
def test_what_the_service_states(in_lists: bool, tmp_path: Path) -> None:
    """Bytes that are not those the service states are damage; an object of which it states nothing is only read."""
    inner = files(tmp_path / "t", {"a": b"1", "rot": b"x", "plain": b"3"})
    storage = stating(inner, {"a": b"1", "rot": b"2"}, in_lists=in_lists)
    found, result = look(storage)

    assert found == {"a": State.VERIFIED, "rot": State.ROT, "plain": State.UNRECORDED}
    assert (result.ok, result.rot) == (False, 1)


def test_what_the_service_states_goes_with_a_record(tmp_path: Path) -> None:
    """A damaged object is not recorded, whatever its bytes are now."""
    storage = stating(files(tmp_path / "t", {"a": b"1", "rot": b"x"}), {"a": b"1", "rot": b"2"})
    text = record(storage)

    assert look(storage, text)[0] == {"a": State.VERIFIED, "rot": State.ROT}
    assert "rot" not in text


def test_nothing_recorded_is_no_proof(tmp_path: Path) -> None:
    """Without any record all objects are read nevertheless; what cannot be read is found."""
    storage = files(tmp_path / "t", TREE)
    faulty = Storage(FaultyDriver(storage.driver, Fail("get", path="a", times=None, error=PermissionDenied)))
    found, result = look(faulty)

    assert found == dict.fromkeys(TREE, State.UNRECORDED) | {"a": State.FAILED}
    assert not result.ok


# -- failures ------------------------------------------------------------------------------------------------------

CUTS = {
    "error": CutStream(1, path="b", times=None),
    "silent": CutStream(1, path="b", times=None, error=None),
    "open": Fail("get", path="b", times=None, error=PermissionDenied),
}


@pytest.mark.parametrize("cut", CUTS)
def test_object_that_breaks_off_is_a_failure(cut: str, tmp_path: Path) -> None:
    """A read that ends early is neither damage nor change, and all others are verified."""
    storage = files(tmp_path / "t", {"a": b"one", "b": b"two", "c": b"three"})
    text = record(storage)
    found, result = look(Storage(FaultyDriver(storage.driver, CUTS[cut])), text, download=True)

    assert found == {"a": State.VERIFIED, "b": State.FAILED, "c": State.VERIFIED}
    assert (result.ok, result.errors) == (False, 1)


class Changing(Layer):
    """Changes an object at the moment it is first read."""

    def __init__(self, inner: Driver, change: Callable[[], object]) -> None:
        super().__init__(inner)
        self._change: Callable[[], object] | None = change

    def around(self, op: str, path: str, call: Callable[[], Any]) -> Any:
        if op in ("get", "hash") and path == "a" and self._change is not None:
            change, self._change = self._change, None
            change()
        return call()


@pytest.mark.parametrize("text", [b"other", b"longer than it was"])
def test_change_while_reading_is_no_damage(text: bytes, tmp_path: Path) -> None:
    """Bytes that changed between listing and reading are looked at again."""
    storage = files(tmp_path / "t", {"a": b"bytes"})
    recorded = record(storage)
    changing = Changing(storage.driver, lambda: fill(storage, {"a": text}, when=NEWER))

    assert look(Storage(changing), recorded)[0] == {"a": State.CHANGED}


def test_object_that_vanishes_while_reading_is_missing(tmp_path: Path) -> None:
    """It is told as if it had been gone before."""
    storage = files(tmp_path / "t", {"a": b"bytes"})
    recorded = record(storage)

    assert look(Storage(Changing(storage.driver, lambda: storage.delete("a"))), recorded)[0] == {"a": State.MISSING}


def test_two_readings_that_differ_are_no_damage(tmp_path: Path) -> None:
    """What reads wrong once and right the next time is not called damaged: the fault is on the way."""
    storage = files(tmp_path / "t", {"a": b"bytes"})
    recorded = record(storage)
    place = tmp_path / "t" / "a"

    def disturb() -> None:
        place.write_bytes(b"BYTES")
        os.utime(place, ns=(WHEN, WHEN))

    class Once(Layer):
        def around(self, op: str, path: str, call: Callable[[], Any]) -> Any:
            if op != "hash":
                return call()
            disturb()
            answer = call()
            place.write_bytes(b"bytes")
            os.utime(place, ns=(WHEN, WHEN))
            type(self).around = Layer.around  # type: ignore[method-assign]
            return answer

    assert look(Storage(Once(storage.driver)), recorded)[0] == {"a": State.FAILED}


def test_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    """It is a failure, and nothing below it is called missing."""
    storage = files(tmp_path / "t", {"a": b"1", "dir/b": b"2"})
    text = record(storage)
    faulty = Storage(FaultyDriver(storage.driver, Fail("list", path="dir", times=None, error=PermissionDenied)))

    assert look(faulty, text)[0] == {"a": State.VERIFIED, "dir": State.FAILED}


def test_no_record_of_a_run_that_fails(tmp_path: Path) -> None:
    """A record appears whole or not at all; the old one stays."""
    storage = files(tmp_path / "t", {"a": b"1"})
    records = files(tmp_path / "r", {"sums": b"old"})
    faulty = Storage(FaultyDriver(storage.driver, Fail("list", path="", times=None, error=NotFound)))
    with pytest.raises(NotFound), records.open("sums", "w") as file:
        verify(faulty, record=file)

    assert records.read_bytes("sums") == b"old"
    assert os.listdir(tmp_path / "r") == ["sums"]


def test_unknown_hash() -> None:
    """It is refused before anything is read."""
    with pytest.raises(ValueError, match="md6"):
        verify(memory(), VerifyOptions(record_hash="md6"), record=io.StringIO())


# -- properties ----------------------------------------------------------------------------------------------------

NAMES = st.text("ab/.-\n\\é", min_size=1, max_size=4).filter(lambda name: name.strip("/."))
TREES = st.dictionaries(NAMES, st.binary(max_size=3), max_size=8)


@given(TREES, TREES, st.booleans())
def test_states_follow_from_bytes_and_times(before: Tree, after: Tree, in_time: bool) -> None:
    """For any two trees, each object has the state that its bytes, size and time call for."""
    old, new = memory(before), memory(after, when=WHEN if in_time else NEWER)
    found, result = look(new, record(old))

    def state(path: str) -> State:
        if path not in after or path not in before:
            return State.MISSING if path in before else State.NEW
        if before[path] == after[path]:
            return State.VERIFIED
        if not in_time:
            return State.CHANGED
        return State.ROT if len(before[path]) == len(after[path]) else State.DIFFERS

    assert found == {path: state(path) for path in before | after}
    assert result.ok is (before == after)
