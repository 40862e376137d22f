"""A kill between the answer that an upload has begun and the note of its token leaves nothing behind for long."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnistorage.core.errors import StorageError
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.file import Options as FileOptions
from omnistorage.drivers.s3 import Options as S3Options
from omnistorage.drivers.s3 import S3Driver
from omnistorage.storage import Storage
from omnistorage.sync import Options
from omnistorage.sync.run import Run
from omnistorage.sync.uploads import HeldUploads, UploadRecord
from s3_scenes import configured, fresh_bucket, settings
from servers import Server
from servers.clients import client
from servers.faults import Faults, internal_error

DATA = os.urandom(12 << 20)

KILLED = """
import os, signal, sys
from omnistorage.drivers import _s3upload
begun = _s3upload.begin
def begin(*given):
    begun(*given)
    os.kill(os.getpid(), signal.SIGKILL)
_s3upload.begin = begin
from omnistorage.cli.main import main
main(sys.argv[1:])
"""


class Scene:
    """A large file, a bucket behind a proxy that counts, and the command in processes of its own."""

    def __init__(self, faults: Faults, driver: S3Driver, source: Path, config: Path) -> None:
        self.faults = faults
        self.driver = driver
        self.source = source
        self.config = config
        self.boto: Any = client(faults.server)

    def words(self, *words: str) -> list[str]:
        return [*words, "--config", str(self.config)]

    def copy(self) -> list[str]:
        return self.words("copy", str(self.source), "s3:", "--multi-thread-cutoff", "5M")

    def kill(self) -> None:
        """Run until the answer has come, and no further."""
        ran = subprocess.run([sys.executable, "-c", KILLED, *self.copy()], capture_output=True, check=False)
        assert ran.returncode == -signal.SIGKILL, ran.stderr

    def run(self, *words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "omnistorage", *words], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    @property
    def unfinished(self) -> list[str]:
        """The keys of uploads that nobody has finished or aborted."""
        found = self.boto.list_multipart_uploads(Bucket=self.driver.options.bucket).get("Uploads", [])
        return sorted(one["Key"] for one in found)


@pytest.fixture
def scene(radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Make all of it, with the one server that tells when an upload began."""
    monkeypatch.setenv("OMNISTORAGE_STATE", str(tmp_path / "state"))
    source = tmp_path / "source"
    source.mkdir()
    (source / "large").write_bytes(DATA)
    with Faults(radosgw) as faults:
        bucket = fresh_bucket(radosgw).options.bucket
        options = S3Options(**settings(faults.server, provider="ceph", bucket=bucket))
        config = configured(tmp_path / "config.toml", s3=options)
        yield Scene(faults, S3Driver(options), source, config)


def test_next_run_aborts_it(scene: Scene) -> None:
    """It is found by its key and its time, and one that has no part; the object is what it has to be."""
    scene.kill()
    left = scene.unfinished
    scene.run(*scene.copy())

    assert left == ["large"]
    assert scene.unfinished == []
    assert scene.driver.get("large").read() == DATA
    assert json.loads(scene.run(*scene.words("jobs", "list", "--json"))) == []


def test_forgetting_the_job_aborts_it(scene: Scene) -> None:
    """Nobody has to come back for that."""
    scene.kill()
    [job] = json.loads(scene.run("jobs", "list", "--json"))
    scene.run("jobs", "forget", job["id"])

    assert scene.unfinished == []


def test_uploads_of_others_stay(scene: Scene) -> None:
    """Of other keys; one of this key that began before, or that has a part."""
    driver = scene.driver
    driver.begin_upload("large", PutOptions())
    time.sleep(4)
    scene.kill()
    for key in ("large", "large2", "larg", "other"):
        driver.begin_upload(key, PutOptions()).put_part(1, BytesBody(b"x"))
    driver.begin_upload("large2", PutOptions())
    before = scene.unfinished
    scene.run(*scene.copy())
    before.remove("large")

    assert before.count("large") == 2
    assert scene.unfinished == before


def test_later_uploads_stay(scene: Scene) -> None:
    """What began long after the note is not what was noted, even if it has no part yet."""
    driver = scene.driver
    driver.begin_upload("large", PutOptions())

    assert driver.abort_begun("large", time.time_ns() - 3600 * 10**9) == 0
    assert driver.abort_begun("larg", time.time_ns()) == 0
    assert driver.abort_begun("large", time.time_ns()) == 1
    assert scene.unfinished == []


def test_it_costs_no_request(scene: Scene) -> None:
    """A run that nothing happened to asks for nothing more: an upload of three parts is five requests."""
    scene.run(*scene.copy())

    assert scene.faults.count("uploads=") == 1
    assert scene.faults.count("^GET .*uploads") == 0
    assert scene.faults.count("uploadId=") == 4


class Notes(HeldUploads):
    """Counts what is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[str] = []

    def note_upload(self, path: str, record: UploadRecord) -> None:
        self.tokens.append(record.token)
        super().note_upload(path, record)


def copied(scene: Scene, notes: Notes) -> int:
    """Copy in this process; return the number of failures."""
    with Storage(FileDriver(FileOptions(root=str(scene.source)))) as src, Storage(scene.driver) as dst:
        run = Run(src.driver, dst.driver, Options(part_cutoff=5 << 20))
        run.uploads = notes
        return run.result().errors


def test_it_costs_one_note(scene: Scene) -> None:
    """One before the begin, one with the token; and nothing is left when all is done."""
    notes = Notes()

    assert copied(scene, notes) == 0
    assert len(notes.tokens) == 2
    assert notes.tokens[0] == ""
    assert notes.upload_of("large") is None


def test_refused_begin_leaves_no_note(scene: Scene) -> None:
    """What did not begin need not be looked for."""
    notes = Notes()
    scene.faults.add(internal_error(), "POST .*uploads", times=None)

    assert copied(scene, notes) == 1
    assert notes.tokens == [""]
    assert notes.upload_of("large") is None


def test_failure_of_looking_is_no_failure_of_the_run(scene: Scene) -> None:
    """What cannot be found now is left to ``cleanup``."""
    scene.kill()
    scene.faults.add(internal_error(403), "GET .*uploads", times=None)
    scene.run(*scene.copy())
    scene.faults.clear()

    assert scene.driver.get("large").read() == DATA
    assert scene.unfinished == ["large"]


def test_services_without_uploads_refuse(scene: Scene) -> None:
    """As they do with all that is about parts."""
    driver = scene.driver
    driver.features = type(driver.features)()
    with pytest.raises(StorageError):
        driver.abort_begun("large", 0)
