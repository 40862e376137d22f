"""A listing of S3 that is damaged on its way, or goes in a circle, is never taken for a source that has less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnistorage.core.errors import StorageError
from omnistorage.core.options import PutOptions
from omnistorage.drivers.s3 import Options as S3Options
from omnistorage.drivers.s3 import S3Driver
from omnistorage.storage import Storage
from omnistorage.sync import Filter, Options, sync
from s3_scenes import fresh_bucket, settings
from servers import Server
from servers.clients import client
from servers.faults import Answer, Change, Fault, Faults
from sync_scenes import files, held

TREE = {f"d/{number:02}": b"%d" % number for number in range(25)} | {f"e/{number:02}": b"" for number in range(5)}


class Scene:
    """A bucket behind a proxy, and pages of listings that came from there before."""

    def __init__(self, faults: Faults, direct: S3Driver) -> None:
        self.faults = faults
        self.bucket = direct.options.bucket
        self.src = Storage(S3Driver(S3Options(**settings(faults.server, bucket=self.bucket, list_chunk=10))))
        self._boto: Any = client(faults.server)
        self._direct = direct

    def page(self, **words: str) -> str:
        """Return a page as it comes."""
        query = {"list-type": "2", "max-keys": "10", "encoding-type": "url", "prefix": "", **words}
        return self._direct._client.request("GET", self.bucket, query=query.items()).data.decode()


@pytest.fixture(scope="module")
def scene(radosgw: Server) -> Iterator[Scene]:
    """Make it once; no test changes it."""
    direct = fresh_bucket(radosgw)
    with Faults(radosgw) as faults:
        for path, data in TREE.items():
            Storage(direct).write_bytes(path, data)
        yield Scene(faults, direct)
        direct.close()


def _page(text: str) -> Answer:
    return Answer(200, page=text)


def _swapped(scene: Scene) -> Fault:
    page = scene.page(**{"start-after": "d/09"})
    return _page(page.replace("d%2F12", "d%2FXX").replace("d%2F14", "d%2F12").replace("d%2FXX", "d%2F14"))


DAMAGE: dict[str, Callable[[Scene], Fault]] = {
    "no token": lambda scene: Change("<NextContinuationToken>.*</NextContinuationToken>"),
    "its own token": lambda scene: Change("<NextContinuationToken>([^<]*)<", "d/09"),
    "an empty token": lambda scene: Change("<NextContinuationToken>([^<]*)<"),
    "the page before": lambda scene: _page(scene.page()),
    "the last page": lambda scene: _page(scene.page(**{"start-after": "d/29"})),
    "another folder": lambda scene: _page(scene.page(prefix="e/")),
    "unordered": _swapped,
    "half": lambda scene: _page(scene.page(**{"start-after": "d/09"})[:900]),
    "an entry is cut": lambda scene: Change("<Key>d%2F15</Key>.*?<Size>"),
    "no end": lambda scene: Change("</ListBucketResult>"),
    "nobody says whether it is all": lambda scene: Change("<IsTruncated>.*</IsTruncated>"),
    "nothing": lambda scene: Answer(200),
    "no listing": lambda scene: _page("<ListPartsResult></ListPartsResult>"),
}
"""What comes in place of the second page."""

LIES = {"the last page", "another folder"}
"""What nobody can know: a page that is well-formed, in order, and goes on behind the one before."""

WITHOUT_LIES = pytest.mark.parametrize("name", [name for name in DAMAGE if name not in LIES])
ALL = pytest.mark.parametrize("name", [name for name in DAMAGE if name != "the last page"])


@WITHOUT_LIES
@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("chosen", [Filter(), Filter().include("/d/**")], ids=["flat", "a folder"])
def test_sync_deletes_nothing(name: str, times: int | None, chosen: Filter, scene: Scene, tmp_path: Path) -> None:
    """Rule 2: whatever came is right, or the run fails; an object that is at the source stays at the destination."""
    wanted = {path: data for path, data in TREE.items() if not chosen or path.startswith("d/")}
    dst = files(tmp_path / "d", dict.fromkeys(TREE, b"older"))
    scene.faults.clear()
    rule = scene.faults.add(DAMAGE[name](scene), "list-type=2", times=times, after=1)
    failed = False
    try:
        failed = bool(sync(scene.src, dst, Options(filter=chosen)).errors)
    except StorageError as exc:
        failed = True
        told = str(exc)
        assert "path order" in told or f"bucket '{scene.bucket}'" in told
    after = held(dst)

    assert rule.hits
    assert after.keys() == TREE.keys()
    assert failed or wanted.items() <= after.items()


@ALL
@pytest.mark.parametrize("recursive", [False, True])
def test_listings_end(name: str, recursive: bool, scene: Scene) -> None:
    """No listing is endless, and none is shorter without a word."""
    scene.faults.clear()
    scene.faults.add(DAMAGE[name](scene), "list-type=2", times=None, after=1)
    found: list[str] = []
    failed = False
    try:
        for info in scene.src.scan("d", recursive=recursive):
            found.append(info.path)
            assert len(found) < 100
    except StorageError:
        failed = True
    expected = sorted(path for path in TREE if path.startswith("d/"))

    assert failed or sorted(found) == expected


@pytest.mark.parametrize("what", ["uploads", "versions", "parts"])
@pytest.mark.parametrize("by", ["nothing", "circle"])
def test_other_listings_end(what: str, by: str, scene: Scene) -> None:
    """Those of uploads, versions and parts neither go in a circle."""
    pages = {
        "uploads": ("ListMultipartUploads", "KeyMarker", "?uploads"),
        "versions": ("ListVersions", "KeyMarker", "?versions"),
        "parts": ("ListParts", "PartNumberMarker", "uploadId"),
    }
    name, marker, request = pages[what]
    told = "" if by == "nothing" else f"<Next{marker}>5</Next{marker}>"
    page = f"<{name}Result><IsTruncated>true</IsTruncated>{told}</{name}Result>"
    driver = S3Driver(S3Options(**settings(scene.faults.server, bucket=scene.bucket, versioned=True)))
    upload = driver.begin_upload("u", PutOptions())
    scene.faults.clear()
    rule = scene.faults.add(_page(page), f"GET .*{request.replace('?', '[?].*')}", times=None)
    calls: dict[str, Callable[[], object]] = {
        "uploads": lambda: driver.sweep(""),
        "versions": lambda: list(driver.versions("d/01")),
        "parts": lambda: driver.resume_upload("u", str(upload.token), PutOptions()),
    }
    with pytest.raises(StorageError, match="does not say where it goes on"):
        calls[what]()
    hits = rule.hits
    scene.faults.clear()
    upload.abort()
    driver.close()

    assert hits == (1 if by == "nothing" else 2)
