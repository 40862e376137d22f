"""Lines of SUM files: what is written is read again, by us and by the programs that made the format."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core import hashes, sums
from omnistorage.core.sums import Malformed, Sum

MD5 = "5d41402abc4b2a76b9719d911017c592"
BASE64 = "XUFAKrxLKna5cZ2REBfFkg=="

PATHS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)
ODD = ["a", " lead", "trail ", "new\nline", "cr\r", "back\\slash", "\\first", "\\n", "both\\\n", "(a) = b", "é", "*x"]


def read(*lines: str) -> list[Sum | Malformed]:
    return list(sums.read([line.encode("utf-8", "surrogateescape") + b"\n" for line in lines]))


READ = {
    "text": (f"{MD5}  a b", Sum("a b", MD5)),
    "binary": (f"{MD5} *a", Sum("a", MD5)),
    "upper case": (f"{MD5.upper()}  a", Sum("a", MD5.upper())),
    "end of line of Windows": (f"{MD5}  a\r", Sum("a", MD5)),
    "mark of byte order": (f"\ufeff{MD5}  a", Sum("a", MD5)),
    "escaped": (f"\\{MD5}  a\\nb\\\\c\\rd", Sum("a\nb\\c\rd", MD5)),
    "backslash as it is": (f"{MD5}  a\\nb", Sum("a\\nb", MD5)),
    "base64": (f"{BASE64}  a", Sum("a", BASE64)),
    "BSD": (f"MD5 (a) = {MD5}", Sum("a", MD5, "md5")),
    "BSD, escaped": (f"\\MD5 (a\\nb) = {MD5}", Sum("a\nb", MD5, "md5")),
    "BSD, brackets in the name": (f"SHA256 (a) = b) = {MD5}", Sum("a) = b", MD5, "sha256")),
    "openssl": (f"SHA2-256(a  b)= {MD5}", Sum("a  b", MD5, "sha256")),
    "brackets in a plain line": (f"{MD5}  MD5 (a) = b", Sum("MD5 (a) = b", MD5)),
    "not text": (f"{MD5}  \udcff", Sum("\udcff", MD5)),
}
WRONG = [MD5, f"{MD5} a", f"{MD5}\ta", "nonsense", f"WHIRLED (a) = {MD5}", f"\\{MD5}  a\\tb", f"\\{MD5}  a\\"]


@pytest.mark.parametrize("case", READ)
def test_forms(case: str) -> None:
    """Every form that is in use is understood."""
    text, wanted = READ[case]

    assert read(text) == [wanted]


@pytest.mark.parametrize("text", WRONG)
def test_malformed(text: str) -> None:
    """A line that says nothing is told with its number, and the next one is read."""
    assert read("# comment", "", text, f"{MD5}  a") == [Malformed(3, text), Sum("a", MD5)]


@given(PATHS, st.sampled_from(["md5", "sha256", None]))
def test_written_lines_are_read_again(path: str, kind: str | None) -> None:
    """Whatever the name, its line is one line, and names it."""
    text = sums.line(path, MD5, kind)

    assert "\n" not in text
    assert read(text) == [Sum(path, MD5, kind)]


@given(st.integers(0) | st.none(), st.integers(-(10**19), 10**19) | st.none())
def test_notes_are_read_again(size: int | None, mtime_ns: int | None) -> None:
    """Size and time belong to the next line, and to no other."""
    told = sums.note(size, mtime_ns)

    assert read(told, f"{MD5}  a", f"{MD5}  b") == [Sum("a", MD5, None, size, mtime_ns), Sum("b", MD5)]


def test_header_names_the_hash() -> None:
    """A record says what its hashes are; a line that names another is believed."""
    found = read(sums.HEADER + "blake3", f"{MD5}  a", f"MD5 (b) = {MD5}")

    assert [one.kind for one in found if isinstance(one, Sum)] == ["blake3", "md5"]


@given(PATHS, PATHS)
def test_lists_of_paths_tell_names_apart(one: str, two: str) -> None:
    """Two names are never the same line of a list, and each is one line."""
    assert "\n" not in sums.in_one_line(one)
    assert (sums.in_one_line(one) == sums.in_one_line(two)) is (one == two)


@pytest.mark.parametrize("kind", hashes.NAMES)
def test_normal(kind: str) -> None:
    """Hex of either case and base64 of either alphabet, padded or not, are one and the same; the rest is no hash."""
    hasher = hashes.MultiHasher([kind])
    hasher.update(b"some bytes")
    digest = hasher.hexdigests()[kind]
    urlsafe = hashes.to_base64(digest)
    standard = urlsafe.translate(str.maketrans("-_", "+/"))

    assert len(digest) == 2 * hashes.SIZES[kind]
    for text in (digest, digest.upper(), urlsafe, standard, urlsafe.rstrip("=")):
        assert sums.normal(text, kind) == digest
    for text in ("", digest[:-1], digest + "0", digest[:-1] + "g", digest[:-2] + " 0", "=" * len(urlsafe)):
        assert sums.normal(text, kind) is None


@pytest.mark.parametrize("kind", ["crc32", "xxh3", "md5", "sha1", "sha256", "sha512"])
def test_kind_of(kind: str) -> None:
    """The length tells the usual hashes."""
    assert sums.kind_of("0" * 2 * hashes.SIZES[kind]) == kind
    assert sums.kind_of("x" * 2 * hashes.SIZES[kind]) is None


@pytest.mark.skipif(shutil.which("md5sum") is None and "CI" not in os.environ, reason="no coreutils here")
@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("flags", [(), ("--tag",), ("-b",)])
def test_round_trip_with_coreutils(kind: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    """We read what md5sum and its kin write, and they accept what we write, whatever the names."""
    names = [*ODD, os.fsdecode(b"\xff\xfe")]
    for name in names:
        (tmp_path / name).write_bytes(os.fsencode(name) * 3)
    digests = {name: hashlib.new(kind, os.fsencode(name) * 3).hexdigest() for name in names}
    written = subprocess.run(
        [f"{kind}sum", *flags, "--", *names], cwd=tmp_path, stdout=subprocess.PIPE, check=True
    ).stdout
    found = list(sums.read(written.splitlines(keepends=True)))
    tag = kind if flags == ("--tag",) else None
    lines = "".join(f"{sums.line(name, digests[name], tag)}\n" for name in names)
    checked = subprocess.run(
        [f"{kind}sum", "--check", "--strict", "--quiet"], cwd=tmp_path, input=os.fsencode(lines), check=False
    )

    assert found == [Sum(name, digests[name], tag) for name in names]
    assert checked.returncode == 0
