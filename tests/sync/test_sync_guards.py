"""What stops a run before its first change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from omnistorage.storage import Storage
from omnistorage.sync import (
    Filter,
    GuardError,
    Options,
    copy,
    move,
    sync,
)
from sync_scenes import (
    OLD,
    PLACES,
    TREE,
    Counting,
    both_ways,
    files,
    held,
    memory,
)


@both_ways
def test_empty_source(here: str, there: str, tmp_path: Path) -> None:
    """Rule 3: an empty source deletes nothing, unless it is said to be meant."""
    src, dst = PLACES[here](tmp_path / "s", {}), PLACES[there](tmp_path / "d", OLD)
    counting = Counting(dst.driver)
    with pytest.raises(GuardError, match="empty"):
        sync(src, Storage(counting))
    with pytest.raises(GuardError, match="empty"):
        sync(src, Storage(counting), Options(dry_run=True))
    kept = held(dst)
    sync(src, dst, Options(allow_empty_source=True))

    assert counting.writes == {}
    assert kept == OLD
    assert held(dst) == {}


def test_empty_source_and_destination(tmp_path: Path) -> None:
    """Nothing to nothing is fine."""
    assert sync(files(tmp_path / "s"), files(tmp_path / "d")).ok


@pytest.mark.parametrize("limit", [Options(max_delete=2), Options(max_delete_size=6)], ids=["count", "size"])
@pytest.mark.parametrize("dry_run", [False, True])
@both_ways
def test_too_many_deletes(here: str, there: str, limit: Options, dry_run: bool, tmp_path: Path) -> None:
    """Rule 3: a plan that deletes too much is refused before anything at all is changed."""
    src, dst = PLACES[here](tmp_path / "s", TREE), PLACES[there](tmp_path / "d", OLD)
    counting = Counting(dst.driver)
    with pytest.raises(GuardError, match="nothing was changed"):
        sync(src, Storage(counting), msgspec.structs.replace(limit, dry_run=dry_run))

    assert counting.writes == {}
    assert held(dst) == OLD


@pytest.mark.parametrize("limit", [Options(max_delete=3), Options(max_delete_size=7)], ids=["count", "size"])
def test_as_many_deletes_as_allowed(limit: Options) -> None:
    """Rule 3: a limit that is met is not passed."""
    src, dst = memory(TREE), memory(OLD)
    result = sync(src, dst, limit)

    assert held(dst) == TREE
    assert (result.deleted, result.deleted_bytes) == (3, 7)


def test_no_deletes_allowed() -> None:
    """Rule 3: zero allows none; a copy deletes nothing and is not refused."""
    with pytest.raises(GuardError):
        sync(memory(TREE), memory(OLD), Options(max_delete=0))

    assert copy(memory(TREE), memory(OLD), Options(max_delete=0)).ok


def _spellings(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "link").symlink_to(tmp_path / "s")
    return {
        "same": tmp_path / "s",
        "dots": tmp_path / "x" / ".." / "s",
        "link": tmp_path / "link",
        "inside": tmp_path / "s" / "deep",
        "inside by a link": tmp_path / "link" / "deep",
        "not there yet": tmp_path / "link" / "new" / "er",
        "outside": tmp_path,
    }


@pytest.mark.parametrize(
    "spelling", ["same", "dots", "link", "inside", "inside by a link", "not there yet", "outside"]
)
@pytest.mark.parametrize("run", [sync, move])
def test_overlap(run: Any, spelling: str, tmp_path: Path) -> None:
    """Rule 3: a place is not synced with itself or a part of itself, however it is spelled."""
    src = files(tmp_path / "s", TREE)
    place = _spellings(tmp_path)[spelling]
    (tmp_path / "x").mkdir()
    from omnistorage import open as open_storage

    with open_storage(place) as dst, pytest.raises(GuardError):
        run(src, dst)

    assert held(src) == TREE


@pytest.mark.parametrize("place", ["memory", "s3"])
def test_overlap_of_prefixes(place: str, tmp_path: Path) -> None:
    """Rule 3: prefixes of one storage overlap as folders do; names that only begin alike do not."""
    from functools import partial

    from omnistorage.layers.prefix import Prefix

    whole = PLACES[place](tmp_path, {"a/f": b"1", "ab/f": b"22"})
    one, two, three = (Storage(whole.driver, partial(Prefix, prefix=prefix)) for prefix in ("a", "a/b", "ab"))
    with pytest.raises(GuardError):
        sync(one, two)
    with pytest.raises(GuardError):
        sync(whole, three)
    with pytest.raises(GuardError):
        sync(three, whole)

    assert sync(one, three).ok
    assert held(whole) == {"a/f": b"1", "ab/f": b"1"}


def test_overlap_that_a_filter_resolves(tmp_path: Path) -> None:
    """Rule 3: a destination within the source is fine when the filter leaves it out."""
    src = files(tmp_path / "s", {"a": b"1", "backup/old": b"2"})
    result = sync(src, files(tmp_path / "s" / "backup"), Options(filter=Filter().exclude("/backup/**")))

    assert held(src) == {"a": b"1", "backup/a": b"1"}
    assert result.ok


@pytest.mark.parametrize("chosen", [Filter(), Filter().exclude("*.tmp"), Filter().min_size(1)], ids=str)
@pytest.mark.parametrize("below", ["sub", "deep/sub"])
def test_copy_into_own_subdirectory(chosen: Filter, below: str, tmp_path: Path) -> None:
    """Rule 3: a copy into a directory of the source copies what was there, and not its own output."""
    tree = {"a": b"1", "deep/b": b"2"}
    src = files(tmp_path / "s", tree)
    for _ in range(3):
        copy(src, files(tmp_path / "s" / below), Options(filter=chosen))

    assert held(src) == tree | {f"{below}/{path}": data for path, data in tree.items()}


@pytest.mark.parametrize("place", ["memory", "s3"])
@pytest.mark.parametrize("chosen", [Filter(), Filter().exclude("*.tmp")], ids=["all", "filtered"])
def test_copy_into_own_prefix(chosen: Filter, place: str, tmp_path: Path) -> None:
    """Rule 3: as in folders, so in flat storages."""
    from functools import partial

    from omnistorage.layers.prefix import Prefix

    src = PLACES[place](tmp_path, {"a": b"1", "deep/b": b"2"})
    for _ in range(3):
        copy(src, Storage(src.driver, partial(Prefix, prefix="sub")), Options(filter=chosen))

    assert held(src) == {"a": b"1", "deep/b": b"2", "sub/a": b"1", "sub/deep/b": b"2"}
