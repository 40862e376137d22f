"""Metadata of local files: what is told, what is set, and never of another file than was meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from metadata_scenes import anybodys, attributes, mode, needs_root, needs_xattr, nobody, place
from omnistorage.core.attributes import as_text, from_text
from omnistorage.core.errors import SpecialFile, StorageError
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, FileBody

__all__ = ["anybodys"]

WHEN = 1_600_000_001_123_456_789
TOLD = PutOptions(attributes=True, metadata={"mode": "0640", "colour": "blue"}, mtime_ns=WHEN)


def test_all_that_is_told(tmp_path: Path) -> None:
    """Permissions, owner and times are those of the file, and the day of its birth is not before today."""
    (tmp_path / "a").write_bytes(b"x")
    about = os.stat(tmp_path / "a")
    told = place(tmp_path).driver.metadata("a")

    assert {name: told[name] for name in ("mode", "uid", "gid")} == {
        "mode": f"{about.st_mode:o}",
        "uid": str(about.st_uid),
        "gid": str(about.st_gid),
    }
    assert (told["atime"], told["mtime"]) == (as_text(about.st_atime_ns), as_text(about.st_mtime_ns))
    assert "btime" not in told or abs(from_text(told["btime"]) - about.st_ctime_ns) < 10**9


def test_links_are_not_gone_through(tmp_path: Path) -> None:
    """What is set of a symbolic link is not set of what it leads to, in any way to see links but following them."""
    (tmp_path / "secret").write_bytes(b"x")
    os.chmod(tmp_path / "secret", 0o600)
    (tmp_path / "s").mkdir()
    (tmp_path / "s/l").symlink_to("../secret")
    for links, name in (("skip", "l"), ("keep", "l.rclonelink")):
        storage = place(tmp_path / "s", links=links)
        storage.driver.set_metadata(name, {"mode": "0777", "mtime": "2001-02-03T04:05:06Z", "colour": "blue"})

        assert storage.driver.metadata(name)["mtime"] == "2001-02-03T04:05:06Z"
    assert mode(tmp_path / "secret") == "600"
    assert os.stat(tmp_path / "secret").st_mtime > 10**9
    followed = place(tmp_path / "s", links="follow")
    followed.driver.set_metadata("l", {"mode": "0640"})
    assert mode(tmp_path / "secret") == followed.driver.metadata("l")["mode"][-3:] == "640"


@needs_root
def test_owner_of_a_kept_link(tmp_path: Path) -> None:
    """A link that is kept has an owner and times of its own."""
    storage = place(tmp_path, links="keep")
    wanted = {"uid": "123", "gid": "456", "mode": "120777", "atime": as_text(WHEN - 9)}
    info = storage.driver.put(
        "l.rclonelink", BytesBody(b"nowhere"), PutOptions(attributes=True, metadata=wanted, mtime_ns=WHEN)
    )
    about = os.lstat(tmp_path / "l")

    assert (about.st_uid, about.st_gid, about.st_mtime_ns, about.st_atime_ns) == (123, 456, WHEN, WHEN - 9)
    assert info.metadata == {"uid": "123", "gid": "456", "mode": "120777"}


@needs_xattr
def test_parts(tmp_path: Path) -> None:
    """An object that arrives in parts has its metadata when it has its name, and is private before."""
    driver = place(tmp_path).driver
    upload = driver.begin_upload("d/big", TOLD)
    upload.put_part(1, BytesBody(b"x"))
    (hidden,) = [name for name in (tmp_path / "d").iterdir() if name.name.endswith(".part")]
    before = mode(hidden)
    info = upload.finish()

    assert before == "600"
    assert (mode(tmp_path / "d/big"), attributes(tmp_path / "d/big")) == ("640", {"colour": b"blue"})
    assert (info.mtime_ns, info.metadata) == (WHEN, {"mode": "100640", "colour": "blue"})


@needs_xattr
def test_many(tmp_path: Path) -> None:
    """Objects that are stored many at once have what each was given."""
    driver = place(tmp_path).driver
    (tmp_path / "src").write_bytes(b"x")
    results = driver.put_many([(name, FileBody(tmp_path / "src"), TOLD) for name in ("a", "b")])

    assert [type(result).__name__ for result in results] == ["ObjectInfo", "ObjectInfo"]
    assert [mode(tmp_path / name) for name in ("a", "b")] == ["640", "640"]


def test_private_directories(tmp_path: Path) -> None:
    """Directories that are made for a private object are their owner's, and those that are there stay as they are."""
    (tmp_path / "there").mkdir(mode=0o755)
    place(tmp_path).driver.put("there/x/y/a", BytesBody(b"x"), PutOptions(private=True))

    assert [mode(tmp_path / name) for name in ("there", "there/x", "there/x/y")] == ["755", "700", "700"]


def test_special_files(tmp_path: Path) -> None:
    """A FIFO has metadata, which nobody waits for; setting it is refused."""
    os.mkfifo(tmp_path / "fifo")
    driver = place(tmp_path).driver

    assert driver.metadata("fifo")["mode"].startswith("10")
    with pytest.raises(SpecialFile):
        driver.set_metadata("fifo", {"mode": "0777"})


@needs_xattr
def test_what_a_file_system_refuses(tmp_path: Path) -> None:
    """An attribute that is too large is not kept, and the answer says so; the object is stored."""
    wanted = {"small": "1", "large": "x" * (1 << 17)}
    info = place(tmp_path).driver.put("a", BytesBody(b"x"), PutOptions(attributes=True, metadata=wanted))

    assert info.metadata == {"small": "1"}
    assert attributes(tmp_path / "a") == {"small": b"1"}


@needs_xattr
def test_attributes_of_an_unreadable_file(anybodys: Path) -> None:
    """Whoever owns a file that he may neither read nor write can change its metadata all the same."""
    with nobody():
        storage = place(anybodys / "s")
        storage.write_bytes("a", b"x")
        os.chmod(anybodys / "s/a", 0)
        info = storage.driver.set_metadata("a", {"colour": "blue", "mode": "0400"})

    assert info.metadata["colour"] == "blue"
    assert (mode(anybodys / "s/a"), attributes(anybodys / "s/a")) == ("400", {"colour": b"blue"})


def test_wrong_values_store_nothing(tmp_path: Path) -> None:
    """Metadata without sense is refused before the object has its name."""
    driver = place(tmp_path).driver
    for metadata in ({"mode": "x"}, {"uid": "root"}, {"atime": "now"}):
        with pytest.raises(StorageError):
            driver.put("a", BytesBody(b"x"), PutOptions(attributes=True, metadata=metadata))

    assert os.listdir(tmp_path) == []
