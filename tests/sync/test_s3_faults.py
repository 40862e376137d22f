"""What goes wrong between the command and S3: nothing is lost or damaged, and what is said names the place.

Each fault hits each kind of request once, at random bytes: then the command ends well. Where it never ends, the exit
code is that of the failure, stderr names bucket, key and request, nothing half is seen, and the next run finishes.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli_runs import run_here
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.s3 import Options as S3Options
from omnistorage.storage import Storage
from s3_scenes import configured, fresh_bucket, settings
from servers import Server
from servers.clients import client
from servers.faults import (
    REQUEST_ID,
    Answer,
    Corrupt,
    Cut,
    Fault,
    Faults,
    Lost,
    WrongETag,
    blackhole,
    expired_token,
    internal_error,
    slow_down,
    time_skewed,
    truncated,
)

MIB = 1 << 20
SMALL = {f"d/{number}": b"%d" % number * 500 for number in range(4)}
LARGE = os.urandom(11 * MIB)
CUTOFF = ("--multi-thread-cutoff", "10Mi", "--low-level-retries", "4")


class Scene:
    """Two buckets behind a proxy, each with the same objects, and folders with them."""

    def __init__(self, faults: Faults, one: str, two: str, root: Path) -> None:
        self.faults = faults
        self.one, self.two = one, two
        self.root = root
        self.boto: Any = client(faults.server)
        self.config = root / "config.toml"

    def run(self, *words: str | Path) -> Any:
        """Run the command."""
        return run_here(words[0], "--config", self.config, *words[1:])

    def held(self, bucket: str) -> dict[str, bytes]:
        """Return what another client finds in a bucket."""
        found = self.boto.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {each["Key"]: self.boto.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in found}

    @property
    def unfinished(self) -> int:
        """Uploads in the second bucket that nobody has finished or aborted."""
        return len(self.boto.list_multipart_uploads(Bucket=self.two).get("Uploads", []))


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def scene(radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Make all of it; the waits of the retries are short."""
    from omnistorage.layers.retry import Retry

    monkeypatch.setenv("OMNISTORAGE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(Retry, "pause", lambda self, failures, least: 0.01 + min(least or 0.0, 0.2))
    with (
        Faults(radosgw) as faults,
        Storage(fresh_bucket(faults.server)) as one,
        Storage(fresh_bucket(faults.server)) as two,
    ):
        names = [storage.driver.options.bucket for storage in (one, two)]
        for path, data in SMALL.items():
            one.driver.put(path, BytesBody(data), PutOptions())
        kept = settings(faults.server, timeout=1.0)
        options = S3Options(**kept)
        scene = Scene(faults, names[0], names[1], tmp_path)
        configured(scene.config, s3=options)
        faults.clear()
        yield scene


def _put(scene: Scene) -> tuple[int, str, bool]:
    source = scene.root / "put"
    for path, data in SMALL.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    ran = scene.run("copy", *CUTOFF, source, f"s3:{scene.two}")
    return ran.code, ran.err, scene.held(scene.two) == SMALL


def _put_large(scene: Scene) -> tuple[int, str, bool]:
    source = scene.root / "large"
    source.mkdir(exist_ok=True)
    (source / "f").write_bytes(LARGE)
    ran = scene.run("copy", *CUTOFF, source, f"s3:{scene.two}")
    return ran.code, ran.err, scene.held(scene.two) == {"f": LARGE}


def _get(scene: Scene) -> tuple[int, str, bool]:
    target = scene.root / "get"
    ran = scene.run("copy", *CUTOFF, f"s3:{scene.one}", target)
    return ran.code, ran.err, _files(target) == SMALL


def _get_large(scene: Scene) -> tuple[int, str, bool]:
    scene.boto.put_object(Bucket=scene.two, Key="f", Body=LARGE)
    target = scene.root / "ranges"
    ran = scene.run("copy", *CUTOFF, f"s3:{scene.two}", target)
    return ran.code, ran.err, _files(target) == {"f": LARGE}


def _copy(scene: Scene) -> tuple[int, str, bool]:
    ran = scene.run("copy", *CUTOFF, f"s3:{scene.one}", f"s3:{scene.two}")
    return ran.code, ran.err, scene.held(scene.two) == SMALL


def _delete(scene: Scene) -> tuple[int, str, bool]:
    ran = scene.run("delete", f"s3:{scene.one}")
    return ran.code, ran.err, scene.held(scene.one) == {}


Work = Callable[[Scene], tuple[int, str, bool]]
WORKS: dict[str, tuple[Work, str]] = {
    "put": (_put, "PUT .*/d/2"),
    "part": (_put_large, "PUT .*partNumber=2"),
    "begin": (_put_large, "POST .*uploads"),
    "finish": (_put_large, "POST .*uploadId"),
    "get": (_get, "GET .*/d/2"),
    "range": (_get_large, "GET .*/f$"),
    "list": (_get, "GET .*list-type"),
    "copy": (_copy, "PUT .*/d/2"),
    "delete": (_delete, "POST .*delete|DELETE .*/d/2"),
}
"""What is done, and which of its requests goes wrong."""

FAULTS: dict[str, Callable[[], Fault]] = {
    "cut": lambda: Cut(random.randrange(1, 400)),
    "cut early": lambda: Cut(0),
    "cut answer": lambda: Cut(random.randrange(0, 100), "down"),
    "truncated": lambda: truncated(random.randrange(0, 100)),
    "lost answer": Lost,
    "500": internal_error,
    "502": lambda: Answer(502),
    "503": lambda: slow_down(0.1),
    "blackhole": blackhole,
    "clock": time_skewed,
}


CASES = [(work, fault) for work in WORKS for fault in FAULTS]
if os.environ.get("OMNISTORAGE_SLOW") != "1":
    # Each kind of request has three of the faults, and each fault hits several kinds.
    CASES = [case for at, case in enumerate(CASES) if at % 4 == 0]


@pytest.mark.parametrize(("work", "fault"), CASES)
def test_fault_that_passes(work: str, fault: str, scene: Scene) -> None:
    """After one fault all is as it should be: right bytes, exit code 0, nothing left behind but by a lost begin."""
    do, pattern = WORKS[work]
    rule = scene.faults.add(FAULTS[fault](), pattern)
    code, err, right = do(scene)

    assert (code, right) == (0, True), err
    assert rule.hits <= 1
    if work != "begin":
        assert scene.unfinished == 0


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        ("get", Corrupt(700)),
        ("range", Corrupt(123_456)),
        ("put", WrongETag()),
        ("part", WrongETag()),
        ("put", Corrupt(5, "up")),
        ("part", Corrupt(5_000, "up")),
        ("list", Answer(200, "", "")),
    ],
    ids=str,
)
def test_damage_on_the_way(work: str, fault: Fault, scene: Scene) -> None:
    """What was changed on the way is noticed and fetched or sent again."""
    do, pattern = WORKS[work]
    rule = scene.faults.add(fault, pattern)
    code, err, right = do(scene)

    assert (code, right, rule.hits) == (0, True, 1), err


STAYS: dict[str, Answer] = {
    "500": internal_error(),
    "503": slow_down(0.01),
    "403": Answer(403, "AccessDenied", "No."),
}


@pytest.mark.parametrize(("work", "name"), [(work, [*STAYS][at % 3]) for at, work in enumerate(WORKS)])
def test_fault_that_stays(work: str, name: str, scene: Scene) -> None:
    """A failure for good has its exit code and names bucket, key and request; afterwards the command finishes."""
    do, pattern = WORKS[work]
    fault = STAYS[name]
    scene.faults.add(fault, pattern, times=None)
    code, err, _ = do(scene)
    bucket = scene.one if work in ("get", "list", "delete") else scene.two
    before = _files(scene.root / ("get" if work == "get" else "ranges"))
    scene.faults.clear()
    again, text, right = do(scene)

    # What a later run may mend, where nothing else was done.
    assert code == (5 if work in ("list", "delete") and fault.status >= 500 else 1)
    assert bucket in err, err
    assert REQUEST_ID in err, err
    if work not in ("list", "delete"):
        assert ("f" if work in ("part", "begin", "finish", "range") else "d/2") in err
    assert "Traceback" not in err
    # No file that came is a part of what it should be.
    assert all(data in (*SMALL.values(), LARGE) for data in before.values())
    assert (again, right, scene.unfinished) == (0, True, 0), text


waits_long = pytest.mark.skipif(
    os.environ.get("OMNISTORAGE_SLOW") != "1", reason="twelve waits of a second; OMNISTORAGE_SLOW=1 has it"
)


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        ("put", Lost()),
        ("put", Answer(200, headers={"Content-Type": "text/html"}, page="<html><body>Log in</body></html>")),
        pytest.param("part", blackhole(), marks=waits_long),
        ("part", Answer(200)),
        ("begin", Lost()),
        pytest.param("begin", blackhole(), marks=waits_long),
        ("begin", truncated(40)),
        ("finish", Answer(200, "InternalError", "Try again.")),
        ("get", truncated(0)),
        ("range", truncated(0)),
        ("list", truncated(10)),
        ("list", Answer(200, headers={"Content-Type": "text/html"}, page="<html><body>Log in</body></html>")),
        pytest.param("copy", blackhole(), marks=waits_long),
        ("copy", Answer(200, "SlowDown", "Reduce.")),
        ("delete", blackhole()),
        ("delete", Answer(200, headers={"Content-Type": "text/html"}, page="<html><body>Log in</body></html>")),
    ],
    ids=str,
)
def test_no_answer_that_counts(work: str, fault: Fault, scene: Scene) -> None:
    """Where no answer comes, or none of S3's, the failure names bucket and key, too, and nothing is left behind."""
    do, pattern = WORKS[work]
    scene.faults.add(fault, pattern, times=None)
    code, err, _ = do(scene)
    bucket = scene.one if work in ("get", "list", "delete") else scene.two
    scene.faults.clear()
    left = scene.unfinished if work == "begin" else 0
    again, text, right = do(scene)

    assert code in (1, 5), err
    assert f"bucket '{bucket}'" in err, err
    if work not in ("list", "delete"):
        assert ("f" if work in ("part", "begin", "finish", "range") else "d/2") in err
    assert "request " in err or isinstance(fault, Lost | type(blackhole()))
    assert "Traceback" not in err
    assert left == 0
    assert (again, right, scene.unfinished) == (0, True, 0), text


def test_token_expires_midway(scene: Scene) -> None:
    """Keys that nobody can renew: what was not done is a failure that says so, and what was done stays."""
    scene.faults.add(expired_token(), "PUT", times=None, after=2)
    code, err, _ = _put(scene)
    held = scene.held(scene.two)

    assert code != 0
    assert len(held) == 2
    assert held.items() <= SMALL.items()
    assert "the credentials have expired" in err
    assert (scene.two in err, REQUEST_ID in err) == (True, True)


DISK = """
mount -t tmpfs -o size=6m none "$1" || exit 77
disk=$1 between=$2 end=$3
shift 3
"$@" 2>&1; echo "code $?"
cp -a "$disk/." "$between"
mount -o remount,size=60m "$disk"
"$@" 2>&1; echo "code $?"
cp -a "$disk/." "$end"
"""


def test_disk_is_full(scene: Scene) -> None:
    """A file for which there is no room is a failure that says so, and no half of any stays; with room it comes."""
    disk, between, end = (scene.root / name for name in ("disk", "between", "end"))
    for folder in (disk, between, end):
        folder.mkdir()
    scene.boto.put_object(Bucket=scene.one, Key="big", Body=LARGE)
    words = ["copy", "--config", str(scene.config), *CUTOFF, f"s3:{scene.one}", str(disk)]
    script = ["unshare", "-rm", "sh", "-c", DISK, "sh", str(disk), str(between), str(end)]
    command = [*script, sys.executable, "-m", "omnistorage", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode:
        pytest.skip(f"no disk of its own can be mounted here: {ran.stderr}")
    first, _, second = ran.stdout.partition("code ")

    assert "no space left" in first, first
    assert "big" in first
    assert "Traceback" not in first
    assert second.startswith("1\n")
    assert second.endswith("code 0\n"), second
    assert _files(between).items() <= SMALL.items()
    assert _files(end) == SMALL | {"big": LARGE}


def _refused() -> tuple[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}", "Connection refused"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (_refused, ["lsf", "{}"]),
        (_refused, ["cat", "{}/key"]),
        (_refused, ["copy", "{}", "."]),
        (lambda: ("http://nowhere.invalid", "no address is known for 'nowhere.invalid'"), ["lsf", "{}"]),
        (lambda: ("https://nowhere.invalid", "no address is known for 'nowhere.invalid'"), ["copy", "{}", "."]),
    ],
)
def test_nobody_is_there(
    place: Callable[[], tuple[str, str]], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says which bucket could not be reached, where, and why."""
    monkeypatch.chdir(tmp_path)
    endpoint, why = place()
    options = S3Options(endpoint_url=endpoint, access_key_id="a", secret_access_key="b", region="r")
    config = configured(tmp_path / "config.toml", s3=options)
    with config.open("a") as file:
        file.write("retries = 0\n")
    ran = run_here(words[0], "--config", config, *(word.format("s3:the-bucket") for word in words[1:]))
    lines = [line for line in ran.err.splitlines() if why in line]

    assert ran.code != 0
    assert len(lines) == 1, ran.err
    assert "the-bucket" in lines[0]
    assert "Traceback" not in ran.err
