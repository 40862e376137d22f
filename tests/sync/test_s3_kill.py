"""``kill -9`` while a large object goes to S3 or comes from there: the same command again goes on.

``OMNISTORAGE_CASES=200`` kills that often, ``OMNISTORAGE_SLOW=1`` takes an object of 1 GiB; with
``--log-cli-level=INFO`` the figures are shown.
"""

from __future__ import annotations

import filecmp
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnistorage.drivers.s3 import Options as S3Options
from omnistorage.storage import Storage
from s3_scenes import configured, fresh_bucket, settings
from servers import Server
from servers.clients import client
from servers.faults import Faults, Rate
from sync_scenes import leftovers

MIB = 1 << 20
SLOW = os.environ.get("OMNISTORAGE_SLOW") == "1"
SIZE = 1024 * MIB if SLOW else 48 * MIB
PART = 8 * MIB if SLOW else 5 * MIB
ROUNDS = max(1, int(os.environ.get("OMNISTORAGE_CASES", "60")) // 60)
PUTS, GETS = "PUT .*partNumber=", "GET .*/large$"

logger = logging.getLogger(__name__)


class Scene:
    """A large file, a bucket behind a proxy that counts, and the command in processes of its own."""

    def __init__(self, faults: Faults, bucket: str, source: Path, config: Path) -> None:
        self.faults = faults
        self.bucket = bucket
        self.source = source
        self.boto: Any = client(faults.server)
        self._words = [sys.executable, "-m", "omnistorage", "copy", "--json", "--config", str(config)]

    def finish(self, *words: str | Path) -> dict[str, Any]:
        """Run to the end, and return what it says."""
        ran = subprocess.run([*self._words, *map(str, words)], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        said: dict[str, Any] = json.loads(ran.stdout)
        return said

    def killed(self, moved: Callable[[], int], after: int, *words: str | Path) -> None:
        """Run until so many bytes have passed, and kill."""
        process = subprocess.Popen(
            [*self._words, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while moved() < after and process.poll() is None:
            time.sleep(0.0005)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    def stored(self, key: str, to: Path) -> Path:
        """Fetch an object by another client."""
        self.boto.download_file(self.bucket, key, str(to))
        return to

    def clear(self) -> None:
        """Empty the bucket: the server keeps all in a memory of 8 GiB, and what is deleted for some 20 seconds."""
        for one in self.boto.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            self.boto.delete_object(Bucket=self.bucket, Key=one["Key"])

    @property
    def unfinished(self) -> list[str]:
        """The keys of uploads that nobody has finished or aborted."""
        found = self.boto.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return [one["Key"] for one in found]


@pytest.fixture
def scene(radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Make all of it."""
    monkeypatch.setenv("OMNISTORAGE_STATE", str(tmp_path / "state"))
    source = tmp_path / "source" / "large"
    source.parent.mkdir()
    with source.open("wb") as file:
        for _ in range(SIZE // MIB):
            file.write(os.urandom(MIB))
    with Faults(radosgw) as faults, Storage(fresh_bucket(faults.server)) as storage:
        bucket = storage.driver.options.bucket
        options = S3Options(**settings(faults.server, bucket=bucket, part_size=PART))
        made = Scene(faults, bucket, source, configured(tmp_path / "config.toml", s3=options))
        yield made
        made.clear()


@pytest.mark.timeout(600)
def test_upload_is_killed(scene: Scene, tmp_path: Path) -> None:
    """Rule 9: less than two parts are sent twice, what arrives is right, and no upload is left behind."""
    twice = []
    for number in range(ROUNDS):
        scene.faults.clear()
        scene.killed(
            lambda: scene.faults.sent(PUTS),
            random.randrange(PART, SIZE * 9 // 10),
            scene.source.parent,
            f"s3:{number}",
        )
        begun = scene.unfinished
        result = scene.finish(scene.source.parent, f"s3:{number}")
        twice.append(scene.faults.sent(PUTS) - SIZE)
        same = filecmp.cmp(scene.source, scene.stored(f"{number}/large", tmp_path / "got"), shallow=False)
        scene.clear()

        assert begun == [f"{number}/large"]
        assert scene.unfinished == []
        assert (result["transferred"], result["errors"], same) == (1, 0, True)
        assert result["bytes"] + result["resumed"] == SIZE
    logger.info("upload of %d MiB: %s bytes sent twice, parts of %d MiB", SIZE // MIB, twice, PART // MIB)

    assert 0 <= max(twice) < 2 * PART


@pytest.mark.timeout(600)
def test_download_is_killed(scene: Scene, tmp_path: Path) -> None:
    """Rules 1 and 9: less than two parts are fetched twice, what arrives is right, and nothing else is left."""
    scene.finish(scene.source.parent, "s3:")
    target, twice = tmp_path / "target", []
    for _ in range(ROUNDS):
        scene.faults.clear()
        scene.killed(lambda: scene.faults.received(GETS), random.randrange(16 * MIB, SIZE * 8 // 10), "s3:", target)
        early = (target / "large").exists()
        result = scene.finish("s3:", target)
        twice.append(scene.faults.received(GETS) - SIZE)
        same = filecmp.cmp(scene.source, target / "large", shallow=False)
        left = leftovers(target)
        shutil.rmtree(target)

        assert (early, same, left) == (False, True, [])
        assert result["bytes"] + result["resumed"] == SIZE
    logger.info("download of %d MiB: %s bytes fetched twice", SIZE // MIB, twice)

    # Of the size that parts have at a service; here they are smaller.
    assert 0 <= max(twice) < 2 * 8 * MIB


def test_upload_that_is_gone(scene: Scene, tmp_path: Path) -> None:
    """An upload that somebody has aborted since is begun anew; the journal does not lead astray."""
    scene.killed(lambda: scene.faults.sent(PUTS), 3 * PART, scene.source.parent, "s3:")
    for one in scene.boto.list_multipart_uploads(Bucket=scene.bucket)["Uploads"]:
        scene.boto.abort_multipart_upload(Bucket=scene.bucket, Key=one["Key"], UploadId=one["UploadId"])
    result = scene.finish(scene.source.parent, "s3:")
    same = filecmp.cmp(scene.source, scene.stored("large", tmp_path / "got"), shallow=False)

    assert (result["resumed"], result["bytes"], same) == (0, SIZE, True)
    assert scene.unfinished == []


def test_source_is_changed_after_the_kill(scene: Scene, tmp_path: Path) -> None:
    """Rule 9: parts of an older version are thrown away with their upload, whatever the time of the new one is."""
    about = scene.source.stat()
    scene.killed(lambda: scene.faults.sent(PUTS), 3 * PART, scene.source.parent, "s3:")
    with scene.source.open("r+b") as file:
        file.write(b"another beginning")
    os.utime(scene.source, ns=(about.st_atime_ns, about.st_mtime_ns))
    result = scene.finish(scene.source.parent, "s3:")
    same = filecmp.cmp(scene.source, scene.stored("large", tmp_path / "got"), shallow=False)

    assert (result["resumed"], same, scene.unfinished) == (0, True, [])


def test_source_at_the_service_is_replaced_midway(scene: Scene, tmp_path: Path) -> None:
    """Ranges of two versions are never mixed: the object fails as changed, and the next attempt has the new one."""
    scene.finish(scene.source.parent, "s3:")
    other = bytes(SIZE)
    target = tmp_path / "target"
    scene.faults.add(Rate(4 * MIB), GETS, times=None)
    process = subprocess.Popen([*scene._words, "s3:", str(target)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while scene.faults.received(GETS) < SIZE // 4 and process.poll() is None:
        time.sleep(0.0005)
    scene.boto.put_object(Bucket=scene.bucket, Key="large", Body=other[: 20 * MIB])
    out, err = process.communicate()

    assert process.returncode == 0, err
    assert (target / "large").read_bytes() == other[: 20 * MIB]
    assert json.loads(out)["transferred"] == 1
    assert leftovers(target) == []
