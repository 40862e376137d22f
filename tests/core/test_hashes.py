"""The hashes agree with rclone and with published vectors, however the bytes arrive."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core import hashes

MIB = 1 << 20
SIZES = (0, 1, 20, 21, 4095, 4096, 4097, 65535, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB)

# Of the first bytes of `pattern`; all but crc32c as rclone prints them.
VECTORS = [
    ("md5", 4097, "bc411194da6c2ff77850ec4b398766fd"),
    ("sha1", 4097, "6b6e6daf953afd57f34dcc2960aa5bef4d90daef"),
    (
        "whirlpool",
        4097,
        "5098e033aefca9ecf920a17eeec6b00bf8fd708de4b4715ceb4b3f66da147ab2"
        "970ef2ea3d002d78033bc2c014810a22fcd8cf14472c2038c14a7a5909f8dd9b",
    ),
    (
        "whirlpool",
        0,
        "19fa61d75522a4669b44e39c1d2e1726c530232130d407f89afee0964997f7a7"
        "3e83be698b288febcf88e3e03c4f0757ea8964e59b63d93708b138cc42a66eb3",
    ),
    ("crc32", 4097, "ff3a10a8"),
    ("crc32", 0, "00000000"),
    ("sha256", 4097, "c1e316a3e52db04a3f4ec6701d2fe51952262767c2947605882e5741a300c14f"),
    (
        "sha512",
        4097,
        "3cb9ec23099a030700ffaa83a7ffccfa849c320821cabf02894ab61633b934af"
        "cef5ca056cf2b8676d601761bac7f9a2a8e460c768a4d166543a3f7707bffe76",
    ),
    ("blake3", 4097, "c4008c9f161194de2ffba6a7bc8e7bc90f4628000259e8922ca8a04e40732208"),
    ("xxh3", 4097, "2f86d667814b010a"),
    ("xxh128", 4097, "f78ae8b978469ecb2f86d667814b010a"),
    ("dropbox", 4097, "e21763046358d52f5576ce045e1ef22ecd0b8ded3b2104832d6f5b80405adc7a"),
    ("dropbox", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("hidrive", 20, "cc04978b49495ab53cd894b93adcc23b79981cfb"),
    ("hidrive", 4097, "baf1faf9344c38f4876f546bc3e72b2050273321"),
    ("hidrive", 0, "0" * 40),
    ("mailru", 4097, "038003c0e2ffe96c58f5bca294ae93ea68af5e58"),
    ("mailru", 20, "df3f619804a92fdb4057192dc43dd748ea778adc"),
    ("mailru", 0, "0" * 40),
    ("quickxor", 4097, "884480d96ac92375d6c07277b848c62255b10f01"),
    ("quickxor", 20, "dcf1aba0b3633855bc601b40ac42065a408c1e5c"),
    ("quickxor", 0, "0" * 40),
]
LARGE_VECTORS = [
    ("dropbox", 4 * MIB + 1, "917efaa1fe5ce1796c9d9145f02ff8a1377a969d740f5cff2c2546279a56b2e0"),
    ("hidrive", 4 * MIB + 1, "47e6720fc4006a5e5a88089346820255b46431cb"),
    ("mailru", 4 * MIB + 1, "d664b42a605e24f5159b24ed8b7cf66256c6bc60"),
    ("quickxor", 4 * MIB + 1, "25eb846139f2104a124fe476d3876f215a5e66c4"),
]


@cache
def _pattern() -> bytes:
    return b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(9 * MIB // 32))


def pattern(size: int) -> bytes:
    """The same bytes each time, of no short period."""
    return _pattern()[:size]


def digest(name: str, data: bytes) -> str:
    hasher = hashes.new(name)
    hasher.update(data)
    return hasher.hexdigest()


def rclone() -> str | None:
    return shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for size in SIZES:
        (folder / str(size)).write_bytes(pattern(size))
    # Holes matter to HiDrive: at the start, in the middle, at the end, and over a whole node.
    (folder / "zeros").write_bytes(bytes(3 * MIB))
    (folder / "hole-first").write_bytes(bytes(4096) + pattern(4096))
    (folder / "hole-inside").write_bytes(pattern(MIB) + bytes(MIB) + pattern(100))
    (folder / "hole-last").write_bytes(pattern(MIB) + bytes(4096))
    return folder


@pytest.mark.skipif(rclone() is None and "CI" not in os.environ, reason="rclone is not installed")
@pytest.mark.parametrize("name", [name for name in hashes.NAMES if name != "crc32c"])
def test_same_as_rclone(name: str, files: Path) -> None:
    """Each file has the hash that rclone prints for it."""
    # Whirlpool in Python would take half a minute for the large ones.
    limit = ["--max-size", "64Ki"] if name == "whirlpool" else []
    program = rclone()
    assert program is not None
    result = subprocess.run(
        [program, "hashsum", name, str(files), *limit],
        env=os.environ | {"RCLONE_CONFIG": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {line.split()[1]: line.split()[0] for line in result.stdout.splitlines()}

    assert len(expected) >= 8
    assert {file: hashes.hash_file(files / file, [name])[name] for file in expected} == expected


@pytest.mark.parametrize(("name", "size", "expected"), VECTORS + LARGE_VECTORS)
def test_known_vectors(name: str, size: int, expected: str) -> None:
    """The hash of known bytes is the known one."""
    assert digest(name, pattern(size)) == expected


def test_crc32c_check_value() -> None:
    """The nine digits have the checksum that the catalogue of CRCs gives for Castagnoli's."""
    assert digest("crc32c", b"123456789") == "e3069283"


def test_whirlpool_of_the_standard() -> None:
    """Whirlpool in Python gives what the standard prints for "abc"."""
    from omnistorage.core.whirlpool import Whirlpool

    hasher = Whirlpool()
    hasher.update(b"abc")

    assert hasher.hexdigest() == (
        "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c"
        "7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5"
    )


@given(
    name=st.sampled_from(hashes.NAMES),
    size=st.integers(0, 12_000),
    cuts=st.lists(st.integers(0, 12_000), max_size=6),
    kind=st.sampled_from([bytes, bytearray, memoryview]),
)
def test_pieces_do_not_matter(
    name: str, size: int, cuts: list[int], kind: type[bytes] | type[bytearray] | type[memoryview]
) -> None:
    """The hash depends on the bytes only, not on how they were cut or in which buffer they came."""
    data = pattern(size)
    hasher = hashes.new(name)
    edges = [0, *sorted(cuts), size]
    for start, end in pairwise(edges):
        hasher.update(kind(data[start:end]))
        # To look at the hash on the way must not change it.
        hasher.hexdigest()

    assert hasher.hexdigest() == digest(name, data)


def test_dropbox_blocks_across_pieces() -> None:
    """Dropbox's blocks end at 4 MiB, also where a piece reaches over the end."""
    data = pattern(9 * MIB)
    hasher = hashes.new("dropbox")
    for start in range(0, len(data), 3 * MIB + 7):
        hasher.update(data[start : start + 3 * MIB + 7])

    assert hasher.hexdigest() == digest("dropbox", data)


@pytest.mark.parametrize("name", sorted(set(hashes.NAMES) - {"blake3"}))
def test_wide_items_are_bytes(name: str) -> None:
    """A buffer of items of eight bytes counts as its bytes, also for lengths and blocks."""
    data = pattern(8192)
    hasher = hashes.new(name)
    hasher.update(memoryview(data).cast("Q"))

    assert hasher.hexdigest() == digest(name, data)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("MD5", "md5"),
        ("SHA-1", "sha1"),
        ("sha_256", "sha256"),
        ("CRC-32", "crc32"),
        ("XXH3-64", "xxh3"),
        ("QuickXorHash", "quickxor"),
        ("DropboxHash", "dropbox"),
        ("Whirlpool", "whirlpool"),
    ],
)
def test_names_are_forgiving(given_name: str, name: str) -> None:
    """Case, dashes and the word "hash" do not matter in a name."""
    assert hashes.canonical(given_name) == name
    assert hashes.hash_stream(io.BytesIO(b"x"), [given_name]) == {name: digest(name, b"x")}


@pytest.mark.parametrize("name", ["", "md", "md55", "xxh64", "hash"])
def test_unknown_name(name: str) -> None:
    """An unknown name is refused, and the message lists all known ones."""
    with pytest.raises(ValueError, match="unknown hash") as caught:
        hashes.new(name)

    assert all(known in str(caught.value) for known in hashes.NAMES)


def test_every_name_is_ranked_and_supported() -> None:
    """A hash that is added to the names is also added to the preference, and can be computed."""
    assert sorted(hashes.PREFERENCE) == sorted(hashes.NAMES)
    assert hashes.supported() == set(hashes.NAMES)
    # No hash that proves content may stand behind one that does not.
    strong = [name in hashes.STRONG for name in hashes.PREFERENCE]
    assert strong == sorted(strong, reverse=True)


def test_supported_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hashes of a library that is missing are not called supported, the others are."""
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "xxhash" else find(name))

    assert hashes.supported() == set(hashes.NAMES) - {"xxh3", "xxh128"}


EVERYTHING = frozenset(hashes.NAMES)


@pytest.mark.parametrize(
    ("a", "b", "free_a", "free_b", "best"),
    [
        (EVERYTHING, EVERYTHING, (), (), "blake3"),
        (EVERYTHING, {"md5", "sha256"}, (), {"md5", "sha256"}, "md5"),
        ({"md5"}, {"sha1"}, {"md5"}, {"sha1"}, None),
        ((), EVERYTHING, (), (), None),
        ({"etag"}, {"etag"}, {"etag"}, {"etag"}, None),
        # Known on both sides beats all that must be computed.
        (EVERYTHING, EVERYTHING, {"crc32c", "md5"}, {"crc32c"}, "crc32c"),
        # Known on one side beats what both must compute.
        (EVERYTHING, EVERYTHING, {"sha256"}, (), "sha256"),
        # Of several that are known the one that proves content.
        (EVERYTHING, EVERYTHING, {"crc32c", "md5"}, {"crc32c", "md5"}, "md5"),
        ({"xxh3", "crc32"}, {"crc32", "xxh3", "quickxor"}, (), (), "xxh3"),
    ],
)
def test_best_common(a: set[str], b: set[str], free_a: set[str], free_b: set[str], best: str | None) -> None:
    """The hash with the least to compute wins, among equals the best one; the sides may be swapped."""
    assert hashes.best_common(a, b, free_a, free_b) == best
    assert hashes.best_common(b, a, free_b, free_a) == best


def test_base64_is_urlsafe() -> None:
    """Base64 has padding, and no characters that mean something in a URL."""
    assert hashes.to_base64("fbff00e8") == "-_8A6A=="


def test_several_at_once() -> None:
    """Hashes computed together are those computed alone."""
    many = hashes.MultiHasher(hashes.NAMES)
    many.update(pattern(5000))
    many.update(b"more")

    assert many.hexdigests() == {name: digest(name, pattern(5000) + b"more") for name in hashes.NAMES}


@pytest.mark.parametrize("chunk", [1, 1000, 5000, 5001])
def test_stream_of_any_chunk(chunk: int) -> None:
    """A stream is hashed from where it stands to its end, whatever the chunk."""
    stream = io.BytesIO(pattern(5000))
    stream.seek(10)

    assert hashes.hash_stream(stream, ["sha256"], chunk) == {"sha256": digest("sha256", pattern(5000)[10:])}


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 65536 + hashes.CHUNK, MIB])
def test_file_of_any_size(size: int, tmp_path: Path) -> None:
    """All bytes of a file count, at each size where the way of reading changes."""
    file = tmp_path / "file"
    file.write_bytes(pattern(size))

    assert hashes.hash_file(file, ["md5", "blake3"]) == {
        "md5": digest("md5", pattern(size)),
        "blake3": digest("blake3", pattern(size)),
    }


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there has no hash."""
    with pytest.raises(FileNotFoundError):
        hashes.hash_file(tmp_path / "none", ["md5"])


def test_reader_passes_all_bytes_on() -> None:
    """What comes out of a hashing reader is what went in, and its hash."""
    stream = io.BytesIO(pattern(10_000))
    reader = hashes.HashingReader(stream, ["sha1"])
    first = reader.read(3)
    between = reader.hexdigests()
    with reader:
        rest = reader.read()

    assert first + rest == pattern(10_000)
    assert between == {"sha1": digest("sha1", pattern(3))}
    assert reader.hexdigests() == {"sha1": digest("sha1", pattern(10_000))}
    assert stream.closed
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


class _OnlyRead:
    """A stream that answers in small pieces and has no ``readinto``, like many responses."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(7 if size < 0 else min(size, 7))

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def test_streams_that_only_read() -> None:
    """A stream without ``readinto`` that answers in small pieces is hashed to its end."""
    expected = {"md5": digest("md5", pattern(1000))}
    reader = hashes.HashingReader(_OnlyRead(pattern(1000)), ["md5"])

    assert hashes.hash_stream(_OnlyRead(pattern(1000)), ["md5"]) == expected
    assert reader.read() == pattern(1000)
    assert reader.hexdigests() == expected


def test_import_is_cheap() -> None:
    """To import the module loads no library that computes hashes."""
    code = (
        "import sys; before = set(sys.modules); import omnistorage.core.hashes; "
        "print(*(set(sys.modules) - before) & {'hashlib', '_hashlib', 'blake3', 'xxhash', 'google_crc32c'})"
    )
    source = Path(hashes.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.strip() == ""
