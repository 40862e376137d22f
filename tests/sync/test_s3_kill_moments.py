"""``kill -9`` right before or behind one request of an upload or a copy: the same command again ends well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnistorage.drivers.s3 import Options as S3Options
from s3_scenes import configured, fresh_bucket, settings
from servers import Server
from servers.clients import client
from servers.faults import Answer, Faults
from sync_scenes import SLOW

MIB = 1 << 20
PART = 5 * MIB
DATA = os.urandom(22 * MIB)
PUTS = "PUT .*partNumber="

CHILD = """
import os, re, signal, sys
import msgspec
from omnistorage.drivers import _s3copy
from omnistorage.drivers._s3client import Client
pattern, when, most = re.compile(sys.argv.pop(1)), sys.argv.pop(1), int(sys.argv.pop(1))
request, init = Client.request, Client.__init__

def small(self, options):
    init(self, options)
    self.preset = msgspec.structs.replace(self.preset, max_copy=most)

def killing(self, method, bucket, key="", query=(), *given, **named):
    query = tuple(query)
    hit = pattern.search(f"{method} {key}?{'&'.join('='.join(pair) for pair in query)}")
    if hit and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = request(self, method, bucket, key, query, *given, **named)
    if hit and when == "behind":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

Client.__init__, Client.request = small, killing
_s3copy.STEP = 5 << 20
from omnistorage.cli.main import main
main(sys.argv[1:])
"""

MOMENTS = {
    "before the begin": ("POST .*uploads", "before"),
    "behind the begin": ("POST .*uploads", "behind"),
    "behind a part": ("PUT .*partNumber=2", "behind"),
    "before the end": ("POST .*uploadId", "before"),
    "behind the end": ("POST .*uploadId", "behind"),
}
NEVER = ("^$", "before")
COMMANDS = ["copy", "sync", "move", "copyto", "moveto"]


class Scene:
    """A large file and the same object, and a bucket behind a proxy."""

    def __init__(self, faults: Faults, bucket: str, root: Path, config: Path) -> None:
        self.faults = faults
        self.bucket = bucket
        self.root = root
        self.file = root / "source" / "large"
        self.config = config
        self.boto: Any = client(faults.server)

    def run(self, moment: tuple[str, str], *words: str | Path, most: int = 5 << 30) -> int:
        """Run the command in a process of its own, which is killed at a moment."""
        given = [*moment, str(most), *map(str, words), "--config", str(self.config)]
        ran = subprocess.run([sys.executable, "-c", CHILD, *given], capture_output=True, text=True, check=False)
        assert ran.returncode in (0, -signal.SIGKILL), ran.stderr
        return ran.returncode

    def stored(self, key: str) -> bytes:
        """Return what another client finds."""
        data: bytes = self.boto.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return data

    @property
    def keys(self) -> list[str]:
        """All objects."""
        return [one["Key"] for one in self.boto.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    @property
    def unfinished(self) -> int:
        """Uploads that nobody has finished or aborted."""
        return len(self.boto.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []))

    @property
    def jobs(self) -> list[Any]:
        """What is remembered of commands that did not end well."""
        words = [sys.executable, "-m", "omnistorage", "jobs", "list", "--json"]
        found: list[Any] = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        return found


@pytest.fixture
def scene(radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Make all of it."""
    monkeypatch.setenv("OMNISTORAGE_STATE", str(tmp_path / "state"))
    with Faults(radosgw) as faults:
        bucket = fresh_bucket(radosgw).options.bucket
        options = S3Options(**settings(faults.server, bucket=bucket, part_size=PART))
        scene = Scene(faults, bucket, tmp_path, configured(tmp_path / "config.toml", s3=options))
        scene.file.parent.mkdir()
        scene.file.write_bytes(DATA)
        yield scene


UPLOADS = [(command, moment) for command in COMMANDS for moment in MOMENTS]


@pytest.mark.parametrize(("command", "moment"), UPLOADS if SLOW else UPLOADS[::3])
def test_upload(command: str, moment: str, scene: Scene) -> None:
    """Less than two parts go twice, no upload is left, and nothing is remembered that is over."""
    source = scene.file if command.endswith("to") else scene.file.parent
    target = "s3:new/name" if command.endswith("to") else "s3:new"
    key = "new/name" if command.endswith("to") else "new/large"
    words: list[str | Path] = [command, source, target, "--multi-thread-cutoff", "5M"]
    killed = scene.run(MOMENTS[moment], *words)
    before = scene.file.exists()
    again = scene.run(NEVER, *words)

    assert (killed, before) == (-signal.SIGKILL, True)
    assert again == 0
    assert scene.stored(key) == DATA
    assert scene.keys == [key]
    assert scene.file.exists() is not command.startswith("move")
    assert scene.unfinished == 0
    assert scene.jobs == []
    assert scene.faults.sent(PUTS) - len(DATA) < 2 * PART


@pytest.mark.parametrize("when", ["before", "behind"])
def test_abort(when: str, scene: Scene) -> None:
    """An upload of what the source was is thrown away, if not by this run, then by the next."""
    words: list[str | Path] = ["copy", scene.file.parent, "s3:", "--multi-thread-cutoff", "5M"]
    scene.run(MOMENTS["behind a part"], *words)
    scene.file.write_bytes(DATA[::-1])
    killed = scene.run(("DELETE .*uploadId", when), *words)
    again = scene.run(NEVER, *words)

    assert (killed, again) == (-signal.SIGKILL, 0)
    assert scene.stored("large") == DATA[::-1]
    assert (scene.unfinished, scene.jobs) == (0, [])


COPIES = [(command, moment) for command in ("copy", "move", "copyto") for moment in MOMENTS]


@pytest.mark.parametrize(("command", "moment"), COPIES if SLOW else COPIES[::2])
def test_copy_by_parts(command: str, moment: str, scene: Scene) -> None:
    """What the service copies by parts is right in the end, too, and leaves no upload."""
    scene.boto.put_object(Bucket=scene.bucket, Key="src/large", Body=DATA)
    # Ceph copies 5 GiB at once; here that is to be too much.
    scene.faults.add(Answer(400, "EntityTooLarge"), "PUT .*/(dst/large|new)$", times=None)
    one = command.endswith("to")
    words = [command, *(["s3:src/large", "s3:new"] if one else ["s3:src", "s3:dst"])]
    key = "new" if one else "dst/large"
    killed = scene.run(MOMENTS[moment], *words, most=6 * MIB)
    between = scene.keys
    again = scene.run(NEVER, *words, most=6 * MIB)

    assert (killed, again) == (-signal.SIGKILL, 0)
    assert "src/large" in between
    assert scene.stored(key) == DATA
    assert scene.keys == sorted([key] if command == "move" else [key, "src/large"])
    assert (scene.unfinished, scene.jobs) == (0, [])
