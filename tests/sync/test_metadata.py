"""Metadata on its way: permissions, owners, attributes; what differs only in them; directories."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metadata_scenes import (
    NOBODY,
    READ_FOR_12,
    anybodys,
    attributes,
    mode,
    needs_acl,
    needs_root,
    needs_xattr,
    nobody,
    place,
)
from omnistorage.core.driver import Driver
from omnistorage.core.layer import Layer
from omnistorage.core.streams import ByteStream
from omnistorage.storage import Storage
from omnistorage.sync import Compare, Options, Verb, copy, copy_one, move, plan, sync
from omnistorage.sync.metafilter import MetadataFilter
from sync_scenes import WHEN, Counting, held, memory

__all__ = ["anybodys"]

T = TypeVar("T")
KEEP = Options(metadata=True)


def _file(path: Path, data: bytes = b"x", bits: int = 0o644, **user: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    for name, value in user.items():
        os.setxattr(path, f"user.{name}", value)
    os.chmod(path, bits)
    os.utime(path, ns=(WHEN, WHEN))
    return path


# -- what is kept --------------------------------------------------------------------------------------------


def test_permissions_are_kept(tmp_path: Path) -> None:
    """Files and directories get the permissions that they have at the source, and a second run finds nothing."""
    _file(tmp_path / "s/run", bits=0o751)
    _file(tmp_path / "s/shut/read", bits=0o440)
    os.chmod(tmp_path / "s/shut", 0o550)
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    first, second = sync(src, dst, KEEP), sync(src, dst, KEEP)

    assert [mode(tmp_path / "d" / name) for name in ("run", "shut/read", "shut")] == ["751", "440", "550"]
    assert (first.transferred, first.metadata_set, first.metadata_lost, first.errors) == (2, 0, 0, 0)
    assert (second.changed, second.equal, second.errors) == (0, 2, 0)


def test_without_the_option_nothing_is_kept_or_asked(tmp_path: Path) -> None:
    """A run that was not told so neither asks for metadata nor sets it."""
    _file(tmp_path / "s/a", bits=0o700)
    src = Counting(place(tmp_path / "s").driver)
    dst = Counting(place(tmp_path / "d").driver)
    sync(Storage(src), Storage(dst))
    usual = os.umask(0)
    os.umask(usual)

    assert mode(tmp_path / "d/a") == f"{0o666 & ~usual:o}"
    assert not (src.calls + dst.calls).keys() & {"metadata", "set_metadata"}


@needs_xattr
def test_attributes_are_kept(tmp_path: Path) -> None:
    """Extended attributes arrive as they are, also those that are no text and those of directories."""
    wanted = {"Colour": b"blue", "raw": bytes(range(256))}
    _file(tmp_path / "s/d/a", bits=0o400, **wanted)
    os.setxattr(tmp_path / "s/d", "user.of-folder", b"1")
    result = sync(place(tmp_path / "s"), place(tmp_path / "d"), KEEP)

    assert attributes(tmp_path / "d/d/a") == wanted
    assert attributes(tmp_path / "d/d") == {"of-folder": b"1"}
    assert result.metadata_lost == 0


@needs_root
def test_owners_are_kept(tmp_path: Path) -> None:
    """Who is root gives files and directories to the owners that they have at the source."""
    os.chown(_file(tmp_path / "s/d/a"), 123, 456)
    os.chown(tmp_path / "s/d", 7, 8)
    sync(place(tmp_path / "s"), place(tmp_path / "d"), KEEP)
    found = [os.stat(tmp_path / "d" / name) for name in ("d/a", "d")]

    assert [(one.st_uid, one.st_gid) for one in found] == [(123, 456), (7, 8)]


def test_time_of_access_is_kept(tmp_path: Path) -> None:
    """The time of the last access is that of before the copy, to the nanosecond."""
    os.utime(_file(tmp_path / "s/a"), ns=(WHEN - 5, WHEN))
    sync(place(tmp_path / "s"), place(tmp_path / "d"), KEEP)
    about = os.stat(tmp_path / "d/a")

    assert (about.st_atime_ns, about.st_mtime_ns) == (WHEN - 5, WHEN)


def test_special_bits_need_leave(tmp_path: Path) -> None:
    """Setuid, setgid and sticky bits are kept only where the destination says that it trusts the source."""
    _file(tmp_path / "s/a", bits=0o4755)
    _file(tmp_path / "s/d/b")
    os.chmod(tmp_path / "s/d", 0o3755)
    src = place(tmp_path / "s")
    careful = sync(src, place(tmp_path / "d"), KEEP)
    again = sync(src, place(tmp_path / "d"), KEEP)
    modes = mode(tmp_path / "d/a"), mode(tmp_path / "d/d")
    trusting = sync(src, place(tmp_path / "d", special_bits=True), KEEP)

    assert modes == ("755", "755")
    assert (mode(tmp_path / "d/a"), mode(tmp_path / "d/d")) == ("4755", "3755")
    assert (careful.metadata_lost, again.changed, trusting.metadata_set) == (0, 0, 2)


@needs_acl
def test_access_lists_are_kept(tmp_path: Path) -> None:
    """Access lists arrive as they are, and one that the source lost is taken away."""
    acl, inherited = "system.posix_acl_access", "system.posix_acl_default"
    _file(tmp_path / "s/d/a", bits=0o640)
    os.setxattr(tmp_path / "s/d/a", acl, bytes.fromhex(READ_FOR_12))
    os.setxattr(tmp_path / "s/d", inherited, bytes.fromhex(READ_FOR_12))
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    sync(src, dst, KEEP)
    arrived = os.getxattr(tmp_path / "d/d/a", acl).hex(), os.getxattr(tmp_path / "d/d", inherited).hex()
    second = sync(src, dst, KEEP)
    os.removexattr(tmp_path / "s/d/a", acl)
    os.removexattr(tmp_path / "s/d", inherited)
    third, fourth = sync(src, dst, KEEP), sync(src, dst, KEEP)

    assert arrived == (READ_FOR_12, READ_FOR_12)
    assert (second.changed, third.metadata_set, fourth.changed) == (0, 2, 0)
    assert os.listxattr(tmp_path / "d/d/a") == os.listxattr(tmp_path / "d/d") == []


@needs_xattr
def test_by_way_of_a_service(tmp_path: Path) -> None:
    """Permissions and attributes that go through a service without files come back from it."""
    _file(tmp_path / "s/d/a", bits=0o751, colour=b"blue")
    src, there, back = place(tmp_path / "s"), memory(), place(tmp_path / "b")
    up = [sync(src, there, KEEP) for _ in range(2)]
    down = [sync(there, back, KEEP) for _ in range(2)]
    kept = there.stat("d/a").metadata

    assert (kept["mode"], kept["colour"]) == ("100751", "blue")
    assert not kept.keys() & {"mtime", "btime"}
    assert (mode(tmp_path / "b/d/a"), attributes(tmp_path / "b/d/a")) == ("751", {"colour": b"blue"})
    # The service told nothing of the directory, so it is like any that is made.
    assert mode(tmp_path / "b/d") != "700"
    assert [result.changed for result in (*up, *down)] == [1, 0, 1, 0]


# -- what differs in nothing else ----------------------------------------------------------------------------


def test_only_metadata_differs(tmp_path: Path) -> None:
    """Where only metadata differs, it is set, and no byte is moved; a dry run says so and does nothing."""
    _file(tmp_path / "s/d/a", bits=0o600)
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    sync(src, dst, KEEP)
    os.chmod(tmp_path / "s/d/a", 0o640)
    os.chmod(tmp_path / "s/d", 0o710)
    dry = sync(src, dst, Options(metadata=True, dry_run=True))
    before = mode(tmp_path / "d/d/a"), mode(tmp_path / "d/d")
    counting = Counting(dst.driver)
    wet = sync(src, Storage(counting), KEEP)

    assert before == ("600", "755")
    assert (mode(tmp_path / "d/d/a"), mode(tmp_path / "d/d")) == ("640", "710")
    assert (dry.metadata_set, wet.metadata_set, wet.transferred, wet.bytes) == (2, 2, 0, 0)
    assert counting.writes == {"set_metadata": 2}
    assert os.stat(tmp_path / "d/d/a").st_mtime_ns == WHEN


@needs_xattr
def test_attributes_that_are_gone(tmp_path: Path) -> None:
    """An attribute that the source lost goes at the destination, and nothing else does, also at a read-only file."""
    _file(tmp_path / "s/a", bits=0o444, old=b"1", kept=b"2")
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    sync(src, dst, KEEP)
    os.removexattr(tmp_path / "s/a", "user.old")
    result = sync(src, dst, KEEP)

    assert attributes(tmp_path / "d/a") == {"kept": b"2"}
    assert (mode(tmp_path / "d/a"), result.metadata_set) == ("444", 1)


def test_listings_that_have_it_are_enough() -> None:
    """Between services that list metadata, only objects that differ are asked for."""
    src, dst = memory(), memory()
    for storage, colour in ((src, "blue"), (dst, "red")):
        storage.write_bytes("same", b"x", metadata={"colour": "green"}, modified=WHEN)
        storage.write_bytes("other", b"x", metadata={"colour": colour}, modified=WHEN)
    counting = Counting(src.driver)
    planned = [(action.verb, action.path, action.reason) for action in plan(src, dst, KEEP)]
    result = sync(Storage(counting), dst, KEEP)

    assert planned == [(Verb.METADATA, "other", "only metadata differs")]
    assert dst.stat("other").metadata == {"colour": "blue"}
    assert (result.metadata_set, result.equal, result.transferred) == (1, 1, 0)
    assert counting.calls["metadata"] == 1


@needs_xattr
def test_equal_content_of_another_time(tmp_path: Path) -> None:
    """Where time and metadata differ, and the content does not, both are set and no byte is moved."""
    _file(tmp_path / "s/a", bits=0o640, colour=b"blue")
    os.utime(_file(tmp_path / "d/a"), ns=(WHEN + 10**10, WHEN + 10**10))
    result = sync(place(tmp_path / "s"), place(tmp_path / "d"), KEEP)

    assert (result.touched, result.transferred, result.errors) == (1, 0, 0)
    assert (mode(tmp_path / "d/a"), attributes(tmp_path / "d/a")) == ("640", {"colour": b"blue"})
    assert os.stat(tmp_path / "d/a").st_mtime_ns == WHEN


@pytest.mark.parametrize(
    "how", [{"immutable": True}, {"immutable": True, "compare": Compare.HASH}, {"ignore_existing": True}]
)
def test_what_is_not_to_be_changed(how: dict[str, Any], tmp_path: Path) -> None:
    """Objects that are not to be changed keep their metadata, too."""
    _file(tmp_path / "s/a", bits=0o600)
    _file(tmp_path / "d/a", bits=0o644)
    result = copy(place(tmp_path / "s"), place(tmp_path / "d"), Options(metadata=True, **how))

    assert mode(tmp_path / "d/a") == "644"
    assert (result.metadata_set, result.errors) == (0, 0)


_MODES = st.integers(0, 0o777)


@needs_xattr
@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "d/a", "d/e/b", "d/e", "d"]),
        st.tuples(_MODES, st.dictionaries(st.sampled_from(["x", "Y", "z-1"]), st.binary(max_size=8))),
    ),
    st.dictionaries(st.sampled_from(["a", "d/a", "d/e/b", "d/e", "d"]), _MODES),
)
@needs_root
def test_twice_is_once(tree: dict[str, tuple[int, dict[str, bytes]]], later: dict[str, int]) -> None:
    """Whatever permissions and attributes there are, one sync makes both sides alike, and the second does nothing."""
    with tempfile.TemporaryDirectory() as root:
        here, there = Path(root, "s"), Path(root, "d")
        for name in ("a", "d/a", "d/e/b"):
            _file(here / name)
        for name, (bits, user) in tree.items():
            if (here / name).exists():
                for key, value in user.items():
                    os.setxattr(here / name, f"user.{key}", value)
                os.chmod(here / name, bits)
        src, dst = place(here), place(there)
        sync(src, dst, KEEP)
        for name, bits in later.items():
            os.chmod(there / name, bits)
        sync(src, dst, KEEP)
        third = sync(src, dst, KEEP)
        names = ["a", "d", "d/a", "d/e", "d/e/b"]

        assert [mode(there / name) for name in names] == [mode(here / name) for name in names]
        assert [attributes(there / name) for name in names] == [attributes(here / name) for name in names]
        assert (third.changed, third.errors) == (0, 0)


# -- nothing is laid open ------------------------------------------------------------------------------------


class _Watching(Layer):
    """Looks at the destination while the source is read."""

    def __init__(self, inner: Driver, there: Path) -> None:
        super().__init__(inner)
        self.there = there
        self.seen: dict[str, set[str]] = {"file": set(), "folder": set()}

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        for above, folders, names in os.walk(self.there):
            self.seen["folder"] |= {mode(Path(above, name)) for name in folders}
            self.seen["file"] |= {mode(Path(above, name)) for name in names if name.startswith(".omnistorage-")}
        return super().get(path, offset, length)


@pytest.mark.parametrize("empty_dirs", [False, True])
def test_private_files_are_never_laid_open(empty_dirs: bool, tmp_path: Path) -> None:
    """Rule 1: while a file is written, nobody else can read it, and nobody else can enter new directories."""
    _file(tmp_path / "s/shut/in/a", bits=0o644)
    _file(tmp_path / "s/shut/in/b", bits=0o600)
    os.chmod(tmp_path / "s/shut", 0o700)
    watching = _Watching(place(tmp_path / "s").driver, tmp_path / "d")
    sync(Storage(watching), place(tmp_path / "d"), Options(metadata=True, empty_dirs=empty_dirs))

    assert watching.seen == {"file": {"600"}, "folder": {"700"}}
    assert [mode(tmp_path / "d" / name) for name in ("shut", "shut/in", "shut/in/a")] == ["700", "755", "644"]


def test_a_list_of_files_has_its_directories(tmp_path: Path) -> None:
    """Directories above files that were named one by one get their permissions as well."""
    from omnistorage.sync import Filter

    _file(tmp_path / "s/x/y/a", bits=0o640)
    os.chmod(tmp_path / "s/x", 0o711)
    sync(place(tmp_path / "s"), place(tmp_path / "d"), Options(metadata=True, filter=Filter.only("x/y/a")))

    assert [mode(tmp_path / "d" / name) for name in ("x", "x/y", "x/y/a")] == ["711", "755", "640"]


# -- without privileges --------------------------------------------------------------------------------------


def test_read_only_directories(anybodys: Path) -> None:
    """A directory that is read-only does not hinder what goes into it, comes later, or is deleted in it."""
    src, dst = place(anybodys / "s"), place(anybodys / "d")
    for folder in ("s", "d"):
        os.chmod(anybodys / folder, 0o777)
    sync(src, dst, KEEP)
    with nobody():
        _file(anybodys / "s/ro/deep/a")
        for name in ("ro/deep", "ro"):
            os.chmod(anybodys / "s" / name, 0o555)
        first = sync(src, dst, KEEP)
        os.chmod(anybodys / "s/ro/deep", 0o755)
        _file(anybodys / "s/ro/deep/new/b")
        os.unlink(anybodys / "s/ro/deep/a")
        os.chmod(anybodys / "s/ro/deep", 0o555)
        second = sync(src, dst, KEEP)

    assert (first.errors, second.errors) == (0, 0)
    assert held(dst) == {"ro/deep/new/b": b"x"}
    assert [mode(anybodys / "d" / name) for name in ("ro", "ro/deep", "ro/deep/new")] == ["555", "555", "755"]


@needs_root
def test_owners_of_others(anybodys: Path) -> None:
    """Who is not root copies files of others, is told once how many are his now, and the next run is silent."""
    for name in ("a", "b"):
        os.chown(_file(anybodys / "s" / name, bits=0o4755), 123, 456)
    src = place(anybodys / "s")
    place(anybodys / "d")
    os.chmod(anybodys / "d", 0o777)
    with nobody():
        own = place(anybodys / "d", special_bits=True)
        first, second = sync(src, own, KEEP), sync(src, own, KEEP)
    about = os.stat(anybodys / "d/a")

    assert (first.transferred, first.errors, first.metadata_lost) == (2, 0, 2)
    assert (second.changed, second.errors, second.metadata_lost) == (0, 0, 0)
    # Not a file that runs as somebody else than whom it was made to run as.
    assert (about.st_uid, about.st_gid, mode(anybodys / "d/a")) == (NOBODY, NOBODY, "755")


# -- moving, one object, changing on the way -----------------------------------------------------------------


@pytest.mark.parametrize("there", ["file", "memory"])
def test_move_keeps(there: str, tmp_path: Path) -> None:
    """What is moved keeps its metadata, be it renamed or copied, and what was there already gets it."""
    _file(tmp_path / "s/a", bits=0o640)
    _file(tmp_path / "s/b", bits=0o640)
    os.utime(tmp_path / "s/a", ns=(WHEN - 7, WHEN))
    dst = place(tmp_path / "d") if there == "file" else memory()
    dst.write_bytes("b", b"x", modified=WHEN)
    result = move(place(tmp_path / "s"), dst, KEEP)
    told = [dst.driver.metadata(name) for name in ("a", "b")]

    assert [one["mode"] for one in told] == ["100640", "100640"]
    assert (result.metadata_set, result.deleted_sources, result.errors) == (1, 2, 0)
    assert list(place(tmp_path / "s").list()) == []
    assert there == "memory" or os.stat(tmp_path / "d/a").st_atime_ns == WHEN - 7


def test_one_object(tmp_path: Path) -> None:
    """A single object that gets another name keeps its metadata, and gets it later, too."""
    _file(tmp_path / "s/a", bits=0o640)
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    copy_one(src, "a", dst, "d/b", KEEP)
    first = mode(tmp_path / "d/d/b")
    os.chmod(tmp_path / "s/a", 0o600)
    result = copy_one(src, "a", dst, "d/b", KEEP)

    assert (first, mode(tmp_path / "d/d/b"), result.metadata_set) == ("640", "600", 1)
    assert mode(tmp_path / "d/d") != "700"


@needs_xattr
def test_metadata_that_is_set(tmp_path: Path) -> None:
    """What was asked for goes before what the source has, and is compared with from then on."""
    _file(tmp_path / "s/a", bits=0o644, colour=b"blue", shape=b"round")
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    options = Options(metadata=True, metadata_set={"colour": "red", "mode": "0600", "mtime": "2001-02-03T04:05:06Z"})
    results = [sync(src, dst, options) for _ in range(2)]
    alone = place(tmp_path / "e")
    sync(src, alone, Options(metadata_set={"only": "this"}))

    assert (mode(tmp_path / "d/a"), attributes(tmp_path / "d/a")) == ("600", {"colour": b"red", "shape": b"round"})
    assert os.stat(tmp_path / "d/a").st_mtime_ns == 981173106 * 10**9
    assert [result.transferred for result in results] == [1, 0]
    assert attributes(tmp_path / "e/a") == {"only": b"this"}


@pytest.mark.parametrize("wrong", [{"mode": "rw"}, {"uid": "-1"}, {"mtime": "yesterday"}, {"gid": "9" * 20}])
def test_metadata_without_sense(wrong: dict[str, str], tmp_path: Path) -> None:
    """A value that means nothing is the failure of the object, and leaves nothing behind."""
    _file(tmp_path / "s/a")
    result = copy(place(tmp_path / "s"), place(tmp_path / "d"), Options(metadata=True, metadata_set=wrong))

    assert result.errors == 1
    assert str(*wrong.values()) in str(result.failures[0].error)
    assert os.listdir(tmp_path / "d") == []


# -- selecting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "taken"),
    [
        ({"include": ["mode=*600"]}, ["b"]),
        ({"exclude": ["mode=*600"]}, ["a", "c"]),
        ({"rules": ["+ MODE=*44", "- *"], "ignore_case": True}, ["a"]),
        ({"include": ["{{mode=\\d+[04]0}}"]}, ["b", "c"]),
        ({"rules": ["- uid=*"]}, []),
    ],
)
def test_selected_by_metadata(rules: dict[str, Any], taken: list[str], tmp_path: Path) -> None:
    """Rules on ``key=value`` say which objects are looked at, on both sides."""
    for name, bits in (("a", 0o644), ("b", 0o600), ("c", 0o640)):
        _file(tmp_path / "s" / name, bits=bits)
    _file(tmp_path / "d/old", bits=0o644)
    options = Options(metadata=True, metadata_filter=MetadataFilter(**rules), allow_empty_source=True)
    sync(place(tmp_path / "s"), place(tmp_path / "d"), options)
    wanted = MetadataFilter(**rules).allows({"mode": "100644", "uid": "0"})

    assert sorted(set(os.listdir(tmp_path / "d")) - {"old"}) == taken
    assert (tmp_path / "d/old").exists() is not wanted


def _slow(rules: list[tuple[bool, str]], metadata: dict[str, str]) -> bool:
    for include, text in rules:
        if any(text in f"{name}={value}" for name, value in metadata.items()):
            return include
    return True


_TEXT = st.text("ab", min_size=1, max_size=3)


@given(st.lists(st.tuples(st.booleans(), _TEXT)), st.dictionaries(_TEXT, _TEXT, min_size=1))
def test_first_rule_decides(rules: list[tuple[bool, str]], metadata: dict[str, str]) -> None:
    """The first rule that matches any of the values decides, whichever value comes first."""
    lines = [f"{'+' if include else '-'} *{text}*" for include, text in rules]
    call: Callable[[], bool] = lambda: MetadataFilter(rules=lines).allows(metadata)  # noqa: E731 -- read as a formula

    assert call() is _slow(rules, metadata)


# -- beside other options ------------------------------------------------------------------------------------


def test_a_plan_has_it(tmp_path: Path) -> None:
    """A plan names what differs only in metadata, and applied it does what the run would have done."""
    from io import StringIO

    from omnistorage.sync.plans import SavedPlan, apply_plan, write_plan

    _file(tmp_path / "s/old/a", bits=0o600)
    src, dst = place(tmp_path / "s"), place(tmp_path / "d")
    sync(src, dst, KEEP)
    os.chmod(tmp_path / "s/old/a", 0o640)
    os.chmod(_file(tmp_path / "s/new/in/b").parent, 0o711)
    os.chmod(tmp_path / "s/old", 0o700)
    file = StringIO()
    write_plan(file, src, dst, KEEP)
    before = mode(tmp_path / "d/old/a")
    file.seek(0)
    result = apply_plan(SavedPlan(file), src, dst, KEEP)
    names = ["old", "old/a", "new", "new/in", "new/in/b"]

    assert before == "600"
    assert (result.transferred, result.metadata_set, result.errors) == (1, 2, 0)
    assert [mode(tmp_path / "d" / name) for name in names] == [mode(tmp_path / "s" / name) for name in names]
    assert sync(src, dst, KEEP).changed == 0


def test_tracked_renames(tmp_path: Path) -> None:
    """What is renamed at the destination gets the metadata of its new name."""
    _file(tmp_path / "s/new", b"content", bits=0o640)
    _file(tmp_path / "d/old", b"content", bits=0o600)
    result = sync(place(tmp_path / "s"), place(tmp_path / "d"), Options(metadata=True, track_renames=True))

    assert (result.renamed, result.transferred) == (1, 0)
    assert mode(tmp_path / "d/new") == "640"


@needs_xattr
def test_backups_keep_theirs(tmp_path: Path) -> None:
    """The old version of an object is kept with the metadata that it had."""
    _file(tmp_path / "s/a", b"new", bits=0o640, colour=b"blue")
    _file(tmp_path / "d/a", b"old!", bits=0o600, colour=b"red")
    sync(place(tmp_path / "s"), place(tmp_path / "d"), Options(metadata=True, backup=place(tmp_path / "b")))

    assert (mode(tmp_path / "b/a"), attributes(tmp_path / "b/a")) == ("600", {"colour": b"red"})
    assert (mode(tmp_path / "d/a"), attributes(tmp_path / "d/a")) == ("640", {"colour": b"blue"})


@needs_xattr
def test_in_place(tmp_path: Path) -> None:
    """What is written under its final name has its metadata, and who could read the old bytes cannot the new ones."""
    _file(tmp_path / "s/a", b"secret" * 10, bits=0o600, colour=b"blue")
    _file(tmp_path / "d/a", b"public", bits=0o644)
    seen: list[str] = []

    class Watch(Layer):
        def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
            stream = super().get(path, offset, length)
            read = stream.read

            class Seen:
                def read(self, size: int = -1, /) -> bytes:
                    seen.append(mode(tmp_path / "d/a"))
                    return read(size)

                def close(self) -> None:
                    stream.close()

                def __enter__(self) -> Seen:
                    return self

                def __exit__(self, *exc: object) -> None:
                    self.close()

            return Seen()

    src = Storage(Watch(place(tmp_path / "s").driver))
    result = sync(src, place(tmp_path / "d"), Options(metadata=True, inplace=True))

    assert result.errors == 0
    assert set(seen) == {"600"}
    assert (mode(tmp_path / "d/a"), attributes(tmp_path / "d/a")) == ("600", {"colour": b"blue"})


def test_asked_first(tmp_path: Path) -> None:
    """Whoever is asked before each change is asked about metadata, too, and only where it differs."""
    from omnistorage.sync.run import Run

    for name, bits in (("a", 0o600), ("b", 0o600), ("c", 0o644)):
        _file(tmp_path / "s" / name, bits=bits)
        _file(tmp_path / "d" / name, bits=0o644)
    asked: list[tuple[str, str]] = []

    def approve(action: Any) -> bool:
        asked.append((action.verb.value, action.path))
        return bool(action.path == "a")

    run = Run.between(place(tmp_path / "s"), place(tmp_path / "d"), KEEP, approve=approve)
    result = run.result()

    assert asked == [("metadata", "a"), ("metadata", "b")]
    assert (mode(tmp_path / "d/a"), mode(tmp_path / "d/b")) == ("600", "644")
    assert (result.metadata_set, result.errors) == (1, 0)
