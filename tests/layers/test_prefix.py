"""Prefixes: a part of a storage is a storage, and nothing tells of what is around it."""

from __future__ import annotations

import pickle

import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import IsADirectory, NotFound, StorageError, Unreachable
from omnistorage.core.guard import Guard
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody, ByteStream, OpenerBody, read_all
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.prefix import Prefix

PLAIN = PutOptions()


@pytest.fixture
def inner() -> Driver:
    return Guard(MemoryDriver())


@pytest.mark.parametrize("prefix", ["p", "a/b", "a//b", "a/", "../x", " "])
def test_round_trip(inner: Driver, prefix: str) -> None:
    """Keys stand below the prefix, verbatim, and are seen without it."""
    layer = Prefix(inner, prefix)
    stored = layer.put("d/k", BytesBody(b"x"), PLAIN)

    assert (stored.path, layer.stat("d/k").path, inner.stat(f"{prefix}/d/k").size) == ("d/k", "d/k", 1)
    assert [info.path for info in layer.list("").infos] == ["d"]
    assert [info.path for info in layer.list("d").infos] == ["d/k"]
    assert [info.path for info in layer.list("", recursive=True).infos] == ["d/k"]
    assert read_all(layer.get("d/k")) == b"x"


def test_all_that_answers_with_infos(inner: Driver) -> None:
    """Copies, moves, uploads and metadata are told of without the prefix."""
    layer = Prefix(inner, "p")
    layer.put("a", BytesBody(b"x"), PLAIN)
    upload = layer.begin_upload("u", PLAIN)
    upload.put_part(1, BytesBody(b"x"))
    infos = [layer.copy("a", "b"), layer.move("b", "c"), upload.finish(), layer.set_metadata("a", {"k": "v"})]

    assert [info.path for info in infos] == ["b", "c", "u", "a"]
    assert [info.path for info in inner.list("", recursive=True).infos] == ["p/a", "p/c", "p/u"]


@pytest.mark.parametrize("verb", ["stat", "get", "delete"])
def test_errors_name_our_key(inner: Driver, verb: str) -> None:
    """An error is about the key that was asked for."""
    with pytest.raises(NotFound) as caught:
        getattr(Prefix(inner, "p"), verb)("d/nix")

    assert caught.value.path == "d/nix"


def test_errors_of_many(inner: Driver) -> None:
    """So are the errors that are returned."""
    answer = Prefix(inner, "p").delete_many(["nix"])

    assert answer[0] is not None
    assert answer[0].path == "nix"


def test_errors_of_another_storage_stay(inner: Driver) -> None:
    """A body's error keeps its path, even if it looks like one below the prefix."""

    def fail() -> ByteStream:
        raise Unreachable(op="get", path="p/theirs")

    with pytest.raises(Unreachable) as caught:
        Prefix(inner, "p").put("a", OpenerBody(fail, None), PLAIN)

    assert caught.value.path == "p/theirs"


def test_neighbours_are_not_seen(inner: Driver) -> None:
    """Neither longer names nor the key of the prefix itself are part of it."""
    for key in ("p", "p/", "pq", "p/a", "q"):
        inner.put(key, BytesBody(b"x"), PLAIN)
    layer = Prefix(inner, "p")

    assert [info.path for info in layer.list("", recursive=True).infos] == ["a"]
    assert layer.stat("").is_dir
    with pytest.raises(IsADirectory):
        layer.get("")
    with pytest.raises(IsADirectory):
        layer.put("", BytesBody(b""), PLAIN)


def test_keys_that_begin_with_a_slash(inner: Driver) -> None:
    """Such keys have no directory: they stand in the root, in their order."""
    layer = Prefix(inner, "p")
    for key in ("/b", "/a/c", "!", "a"):
        layer.put(key, BytesBody(b"x"), PLAIN)

    assert [info.path for info in layer.list("").infos] == ["!", "/a/c", "/b", "a"]


def test_root_that_does_not_exist(inner: Driver) -> None:
    """Where directories are prefixes only, the root is there and empty."""
    layer = Prefix(inner, "nowhere")

    assert layer.stat("").is_dir
    assert layer.list("").infos == []


def test_identity(inner: Driver) -> None:
    """Two prefixes are two paths of one service."""
    *service, root = inner.identity()

    assert Prefix(inner, "a/b").identity() == (*service, "a/b")
    assert Prefix(Prefix(inner, "a"), "b").identity() == (*service, "a/b")
    assert root == ""


def test_local_root(inner: Driver) -> None:
    """The folder of this machine moves with the prefix."""
    inner.local_root = "/data"

    assert Prefix(inner, "a/b").local_root == "/data/a/b"
    assert Prefix(inner, "").local_root == "/data"


def test_answer_from_outside(inner: Driver) -> None:
    """A driver that answers with a key from elsewhere is not believed."""
    with pytest.raises(StorageError, match="below"):
        Prefix(inner, "p").inside("q/a")


def test_pickles_with_its_prefix() -> None:
    """Another process sees the same part."""
    again = pickle.loads(pickle.dumps(Prefix(MemoryDriver(), "a//b")))

    assert again.prefix == "a//b"
