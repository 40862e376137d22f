"""``check`` and ``checksum`` as a library: what proves equality, what fails midway, and SUM files of any length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import NotFound, PermissionDenied, Unsupported
from omnistorage.core.info import ObjectInfo, Page
from omnistorage.core.layer import Layer
from omnistorage.storage import Storage
from omnistorage.sync import CheckOptions, CheckResult, ChecksumOptions, Difference, check, checksum
from omnistorage.sync import sums as sums_room
from omnistorage.sync.sums import Sums, SumsError
from omnistorage.testing import CutStream, Fail, Fault, FaultyDriver
from sync_scenes import PLACES, TREE, Counting, Tree, files, memory

Signs = dict[str, str]


def compare(src: Storage, dst: Storage, **given: object) -> tuple[Signs, CheckResult]:
    signs: Signs = {}

    def found(difference: Difference) -> None:
        signs[difference.path] = difference.sign

    result = check(src, dst, msgspec.convert(given, CheckOptions), found=found)
    assert list(signs.values()).count("!") == result.errors
    return signs, result


def against(lines: list[bytes], storage: Storage, **given: object) -> tuple[Signs, CheckResult]:
    signs: Signs = {}

    def found(difference: Difference) -> None:
        signs[difference.path] = difference.sign

    result = checksum("md5", lines, storage, msgspec.convert(given, ChecksumOptions), found=found)
    return signs, result


def sums_of(tree: Tree) -> list[bytes]:
    return [f"{hashlib.md5(data).hexdigest()}  {path}\n".encode() for path, data in tree.items() if "\n" not in path]


ONE_LINE: Tree = {path: data for path, data in TREE.items() if "\n" not in path}


class Blind(Layer):
    """Tells no hashes at all."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.features = msgspec.structs.replace(inner.features, hashes=frozenset(), computes=frozenset(), local=False)


class Telling(Layer):
    """Tells MD5 with each listing, and computes nothing, as object stores do; of some objects it tells none."""

    def __init__(self, inner: Driver, *silent: str) -> None:
        super().__init__(inner)
        self.features = msgspec.structs.replace(
            inner.features, hashes=frozenset({"md5"}), computes=frozenset(), local=False
        )
        self._silent = silent

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = self.inner.list(path, recursive=recursive, page=page)
        return Page([self._told(info) for info in answer.infos], answer.next)

    def _told(self, info: ObjectInfo) -> ObjectInfo:
        if not info.is_file or info.path in self._silent:
            return info
        return msgspec.structs.replace(info, hashes={"md5": self.inner.hash(info.path, "md5")})


# -- check ---------------------------------------------------------------------------------------------------------


def test_no_common_hash_is_no_proof() -> None:
    """Equal sizes match, are counted as not verified, and are not called different; reading tells."""
    src, dst = memory({"a": b"one", "b": b"two"}), Storage(Blind(memory({"a": b"one", "b": b"TWO"}).driver))

    assert compare(src, dst)[0] == {"a": "=", "b": "="}
    assert compare(src, dst)[1].unverified == 2
    assert compare(src, dst, by="bytes")[0] == {"a": "=", "b": "*"}
    assert compare(src, dst, hash="md5")[0] == {"a": "=", "b": "*"}
    assert compare(src, dst, hash="md5")[1].unverified == 0


def test_hashes_of_the_listing_are_enough() -> None:
    """What a listing told is not asked for again, object by object."""
    one, two = Counting(Telling(memory(TREE).driver)), Counting(Telling(memory(TREE | {"a": b"ONE"}).driver))
    signs, result = compare(Storage(one), Storage(two))

    assert signs == dict.fromkeys(TREE, "=") | {"a": "*"}
    assert result.unverified == 0
    for driver in (one, two):
        assert not driver.calls.keys() & {"get", "hash", "stat"}


def test_hash_of_choice(tmp_path: Path) -> None:
    """A weak hash is weak also where bytes could be compared: it was asked for."""
    # Two texts with one CRC-32, well known for it.
    src, dst = files(tmp_path / "s", {"a": b"plumless"}), files(tmp_path / "d", {"a": b"buckeroo"})

    assert compare(src, dst)[0] == {"a": "*"}
    assert compare(src, dst, hash="crc32")[0] == {"a": "="}
    with pytest.raises(ValueError, match="md6"):
        compare(src, dst, hash="md6")


MIDWAY: dict[str, Fault] = {
    "cut": CutStream(1, path="b.txt", times=None),
    "refused": Fail("get", path="b.txt", times=None, error=PermissionDenied),
    "gone": Fail("get", path="b.txt", times=None, error=NotFound),
}


@pytest.mark.parametrize("fault", MIDWAY)
@pytest.mark.parametrize("by", ["hash", "bytes"])
@pytest.mark.parametrize("side", ["source", "destination"])
def test_read_that_fails_midway(fault: str, by: str, side: str, tmp_path: Path) -> None:
    """Rule 8: an object that cannot be read to its end is a failure, and all others are compared."""
    src, dst = files(tmp_path / "s", TREE), files(tmp_path / "d", TREE | {"a": b"ONE"})
    if side == "source":
        src = Storage(FaultyDriver(src.driver, MIDWAY[fault]))
    else:
        dst = Storage(FaultyDriver(dst.driver, MIDWAY[fault]))
    signs, result = compare(src, dst, by=by)

    assert signs == dict.fromkeys(TREE, "=") | {"a": "*", "b.txt": "!"}
    assert not result.ok


# -- checksum ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("download", [False, True])
def test_each_difference_is_seen(place: str, download: bool, tmp_path: Path) -> None:
    """The SUM file is the source: what is equal, differs, and is on one side only; nothing is changed."""
    storage = PLACES[place](tmp_path / "t", ONE_LINE | {"a": b"ONE", "extra": b""})
    if not download and "md5" not in storage.features.computes | storage.features.hashes:
        with pytest.raises(Unsupported, match="tells no md5"):
            against(sums_of(TREE), storage)
        return
    counting = Counting(storage.driver)
    lines = sums_of(ONE_LINE | {"gone": b""})
    signs, result = against(lines, Storage(counting), download=download)

    assert signs == dict.fromkeys(ONE_LINE, "=") | {"a": "*", "gone": "+", "extra": "-"}
    assert (result.matches, result.differs, result.only_src, result.only_dst) == (len(ONE_LINE) - 1, 1, 1, 1)
    assert counting.writes == {}
    assert "extra" not in against(lines, storage, download=download, one_way=True)[0]


@pytest.mark.parametrize("error", [None, PermissionDenied])
def test_object_that_breaks_off(error: type[Exception] | None) -> None:
    """Rule 8: a stream that ends early, with or without an error, is a failure and no difference."""
    storage = Storage(FaultyDriver(memory(ONE_LINE).driver, CutStream(1, path="b.txt", times=None, error=error)))

    assert against(sums_of(ONE_LINE), storage, download=True)[0] == dict.fromkeys(ONE_LINE, "=") | {"b.txt": "!"}


def test_hash_that_a_service_does_not_tell_of_an_object() -> None:
    """An object of which the service tells no hash is not equal for that; reading it tells."""
    storage = Storage(Telling(memory(ONE_LINE).driver, "b.txt"))
    signs, result = against(sums_of(ONE_LINE), storage)

    assert signs == dict.fromkeys(ONE_LINE, "=") | {"b.txt": "!"}
    assert not result.ok
    assert against(sums_of(ONE_LINE), storage, download=True)[1].ok


def test_sum_files_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in any order, longer than what is sorted in memory, is compared line by line; first lines count."""
    monkeypatch.setattr(sums_room, "_IN_MEMORY", 50)
    monkeypatch.setattr(sums_room, "_PAGE", 20)
    tree = {f"{number * 7919 % 1000:03}/{number}": b"%d" % number for number in range(1000)}
    repeated = sums_of(dict.fromkeys(tree, b"other"))
    signs, result = against(sums_of(tree) + repeated, memory(tree))

    assert result.ok
    assert len(signs) == len(tree)


def test_lines_are_taken_one_by_one() -> None:
    """The lines of a file are never all in memory as text."""
    alive = 0
    most = 0

    class Line(bytes):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def lines() -> Iterator[bytes]:
        nonlocal alive, most
        for number in range(3000):
            alive += 1
            most = max(most, alive)
            yield Line(b"%032x  %d\n" % (number, number))

    pages = list(Sums(lines(), "md5"))

    assert sum(map(len, pages)) == 3000
    assert most < 10


def test_no_sums() -> None:
    """Lines without one hash among them are no SUM file; an empty file is one."""
    assert list(Sums([b"# only\n", b"\n"], "md5")) == []
    with pytest.raises(SumsError, match="line 2"):
        list(Sums([b"\n", b"nonsense\n"], "md5"))
