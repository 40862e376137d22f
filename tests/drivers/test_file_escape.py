"""No verb of the local driver reaches what stands outside its root, or a temporary file within."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import InvalidPath, IsADirectory, NotFound, SpecialFile, StorageError
from omnistorage.core.guard import Guard
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, PlainFile
from omnistorage.drivers.file import FileDriver, Options

Verb = Callable[[Driver, str], object]


def resumed(driver: Driver, path: str) -> object:
    """Go on at ``path`` with an upload that another path began."""
    return driver.resume_upload(path, driver.begin_upload("inside/part", PutOptions()).token or "", PutOptions())


def plain(place: str) -> PlainFile:
    """Return a file as a listing describes it."""
    about = os.stat(place)
    return PlainFile(place, about.st_size, about.st_mtime_ns)


def together(driver: Driver, path: str, body: Body) -> None:
    """Store two objects at once, and raise what went wrong with the second."""
    first, second = driver.put_many([(name, body, PutOptions(mtime_ns=0)) for name in ("inside/new", path)])
    assert not isinstance(first, Exception)
    if isinstance(second, Exception):
        raise second


VERBS: dict[str, list[Verb]] = {
    "stat": [lambda driver, path: driver.stat(path)],
    "list": [lambda driver, path: driver.list(path)],
    "names": [lambda driver, path: driver.names(path)],
    "get": [lambda driver, path: driver.get(path)],
    "put": [
        lambda driver, path: driver.put(path, BytesBody(b"x"), PutOptions()),
        lambda driver, path: driver.put(path, BytesBody(b"x"), PutOptions(if_absent=True)),
    ],
    "put_many": [
        lambda driver, path: together(driver, path, BytesBody(b"x")),
        lambda driver, path: together(driver, path, plain(f"{driver.options.root}/inside/a")),
    ],
    "delete": [lambda driver, path: driver.delete(path)],
    "copy": [
        lambda driver, path: driver.copy("inside/a", path),
        lambda driver, path: driver.copy(path, "inside/new"),
    ],
    "move": [
        lambda driver, path: driver.move("inside/a", path),
        lambda driver, path: driver.move(path, "inside/new"),
        lambda driver, path: driver.move("inside", path),
    ],
    "mkdir": [lambda driver, path: driver.mkdir(path)],
    "rmdir": [lambda driver, path: driver.rmdir(path)],
    "set_modified": [lambda driver, path: driver.set_modified(path, 0)],
    "metadata": [lambda driver, path: driver.metadata(path)],
    "set_metadata": [lambda driver, path: driver.set_metadata(path, {"mode": "777"})],
    "begin_upload": [lambda driver, path: driver.begin_upload(path, PutOptions())],
    "resume_upload": [resumed],
    "hash": [lambda driver, path: driver.hash(path, "md5")],
    "sweep": [lambda driver, path: driver.sweep(path, older_than=0.0)],
}
ELSEWHERE = {
    "classify", "from_address", "about", "identity", "close", "presign", "post_form", "versions", "watch",
    "get_together", "put_together", "copy_from", "get_version", "restore_version", "make_root", "remove_root",
    "delete_many", "abort_begun",
}  # fmt: skip
"""Verbs that take no path or that the driver does not have."""

CASES = [pytest.param(verb, id=f"{name}-{n}") for name, verbs in VERBS.items() for n, verb in enumerate(verbs)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with something inside, and secrets around it."""
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "inside/a").write_bytes(b"a")
    (tmp_path / "outside/below").mkdir(parents=True)
    (tmp_path / "outside/secret").write_bytes(b"secret")
    (tmp_path / "outside/.omnistorage-0.tmp").write_bytes(b"not ours")
    (root / "link").symlink_to("../outside")
    return root


def around(root: Path) -> dict[str, bytes]:
    """Return all that stands outside the root, and what it holds."""
    found: dict[str, bytes] = {}
    for folder, names, files in os.walk(root.parent):
        if folder == str(root.parent):
            names.remove("root")
        found |= {f"{folder}/{name}": b"" for name in names}
        found |= {f"{folder}/{name}": Path(folder, name).read_bytes() for name in files}
    return found


def test_every_verb_is_tried() -> None:
    """A verb that is added to Driver, or that the local driver learns, is added here."""
    own = {name: value for name, value in vars(Driver).items() if not name.startswith("_")}
    verbs = {
        name
        for name, value in own.items()
        if isinstance(value, classmethod) or (callable(value) and not isinstance(value, type))
    }
    lacking = {name for name in ELSEWHERE if getattr(FileDriver, name, None) is getattr(Driver, name)}

    assert verbs == VERBS.keys() | ELSEWHERE
    assert lacking >= {"presign", "versions", "watch", "delete_many"}


@pytest.mark.parametrize("verb", CASES)
@pytest.mark.parametrize("links", ["skip", "follow", "keep"])
def test_no_path_leads_out(root: Path, verb: Verb, links: str) -> None:
    """Climbing, absolute and broken paths are refused by every verb before anything happens."""
    before = around(root)
    driver = Guard(FileDriver(Options(root=str(root), links=links)))  # type: ignore[arg-type]
    outside = f"{root.parent}/outside"
    for path in (
        "..", "../outside/secret", "../outside/new", "inside/../../outside/secret", "inside/..", outside,
        f"{outside}/secret", f"/{outside}", "/", "//", ".", "inside//a", "inside/./a", "inside/", "a\0b",
        "inside/\0", "../root/inside/a", "../outside\0", "..\0", "\ud800", "inside/\udcc3\udca9\ud800",
    ):  # fmt: skip
        with pytest.raises(InvalidPath):
            verb(driver, path)

    assert around(root) == before
    assert (root / "inside/a").read_bytes() == b"a"


@pytest.mark.parametrize("verb", CASES)
@pytest.mark.parametrize("links", ["skip", "keep"])
def test_no_link_leads_out(root: Path, verb: Verb, links: str) -> None:
    """A folder that is a symbolic link is refused by every verb, also as the parent of the parent."""
    before = around(root)
    driver = Guard(FileDriver(Options(root=str(root), links=links)))  # type: ignore[arg-type]
    for path in ("link/secret", "link/new", "link/below", "link/below/new", "link/.x", "link/no/no"):
        with pytest.raises((SpecialFile, NotFound) if path == "link/no/no" else SpecialFile):
            verb(driver, path)

    assert around(root) == before


@pytest.mark.parametrize("verb", CASES)
def test_temporary_files_have_no_key(root: Path, verb: Verb) -> None:
    """What is being written cannot be named, as a file or as a folder."""
    (root / ".omnistorage-1.tmp").write_bytes(b"half")
    (root / "inside/.omnistorage-2.part").write_bytes(b"half")
    driver = Guard(FileDriver(Options(root=str(root))))
    for path in (".omnistorage-1.tmp", "inside/.omnistorage-2.part", ".omnistorage-d/a", ".omnistorage-"):
        with pytest.raises(InvalidPath):
            verb(driver, path)

    assert (root / ".omnistorage-1.tmp").read_bytes() == b"half"


@pytest.mark.parametrize("name", ["put", "copy", "move", "begin_upload", "resume_upload"])
def test_root_is_no_object(root: Path, name: str) -> None:
    """Nothing is stored at the empty path: it would become a file beside the root."""
    before = around(root)
    driver = Guard(FileDriver(Options(root=str(root))))
    with pytest.raises(IsADirectory):
        VERBS[name][0](driver, "")
    gone = Guard(FileDriver(Options(root=f"{root}/none/yet")))
    with pytest.raises(StorageError):
        VERBS["put"][0](gone, "")

    assert around(root) == before
    assert sorted(os.listdir(root)) == ["inside", "link"]


def test_token_names_no_file(root: Path) -> None:
    """A token of any other form than ours, or of another target, is no upload."""
    driver = Guard(FileDriver(Options(root=str(root))))
    token = driver.begin_upload("inside/big", PutOptions()).token or ""
    (root / "x.part").write_bytes(b"not ours")
    (root / "x.done").write_bytes(b"parts of 8388608\n")
    for wrong in (
        "", "x", "../x", "/../../x", f"../../{token}", token.upper(), token + "\0", token[:-1], token + "0",
        token[:-1] + "/", token[:-1] + "٣", "." * 24, "/" * 24,
    ):  # fmt: skip
        with pytest.raises(NotFound):
            driver.resume_upload("inside/big", wrong, PutOptions())
    for other in ("inside/bigger", "big", "inside/a"):
        with pytest.raises(NotFound):
            driver.resume_upload(other, token, PutOptions())

    assert driver.resume_upload("inside/big", token, PutOptions()).token == token
    assert (root / "x.part").read_bytes() == b"not ours"
