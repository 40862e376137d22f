"""The servers are there when asked for, one for all workers, and gone with the session, however that ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, SSLError

from . import KINDS, StartFailed, lacking, missing, require, running
from .clients import client, make_bucket, remove_bucket
from .keeping import Keeping, new_keeping
from .model import Server
from .processes import Nursery

MakeBucket = Callable[[Server], str]


def test_a_server_stores_objects(s3_server: Server, bucket: MakeBucket) -> None:
    """What was put is there, in full and in the listing, and not in another bucket."""
    name, other = bucket(s3_server), bucket(s3_server)
    data = os.urandom(300_000)
    client(s3_server).put_object(Bucket=name, Key="a/b", Body=data)

    assert client(s3_server).get_object(Bucket=name, Key="a/b")["Body"].read() == data
    assert [one["Key"] for one in client(s3_server).list_objects_v2(Bucket=name)["Contents"]] == ["a/b"]
    assert "Contents" not in client(s3_server).list_objects_v2(Bucket=other)


def test_a_server_speaks_tls(s3_tls_server: Server, bucket: MakeBucket) -> None:
    """It stores objects, and who does not trust its authority does not speak to it."""
    name = bucket(s3_tls_server)
    client(s3_tls_server).put_object(Bucket=name, Key="a", Body=b"1")

    assert s3_tls_server.endpoint.startswith("https://127.0.0.1:")
    assert client(s3_tls_server).get_object(Bucket=name, Key="a")["Body"].read() == b"1"
    with pytest.raises(SSLError):
        client(s3_tls_server, trust=False).head_bucket(Bucket=name)


def test_who_looks_at_signatures(s3_server: Server, bucket: MakeBucket) -> None:
    """A wrong secret is refused by those that are to show whether we sign; the others take any."""
    name = bucket(s3_server)
    refuses = {"radosgw": True, "rclone": True, "moto": False, "localstack": False, "swift": True}[s3_server.kind]
    with pytest.raises(ClientError, match="SignatureDoesNotMatch") if refuses else contextlib.nullcontext():
        client(s3_server, secret_key="wrong").put_object(Bucket=name, Key="a", Body=b"1")


def test_buckets_are_removed_with_all_that_is_in_them(radosgw: Server) -> None:
    """Objects, versions, their delete markers and unfinished uploads do not keep a bucket from going."""
    name, s3 = make_bucket(radosgw), client(radosgw)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=name, Key="a", Body=body)
    s3.delete_object(Bucket=name, Key="a")
    s3.create_multipart_upload(Bucket=name, Key="b")
    remove_bucket(radosgw, name)

    assert name not in [one["Name"] for one in s3.list_buckets()["Buckets"]]


def test_one_of_its_own_is_gone_at_the_end() -> None:
    """Nobody listens any more, and two of a kind have nothing in common."""
    with running("rclone") as server, running("rclone") as other:
        name = make_bucket(server)
        others = client(other).list_buckets()["Buckets"]

    assert others == []
    with pytest.raises(EndpointConnectionError):
        client(server).head_bucket(Bucket=name)


def test_data_is_in_memory_and_gone_at_the_end(keeping: Keeping) -> None:
    """What rclone serves stands in a folder of memory, where there is one, and no folder is left."""
    server = keeping.server("rclone")
    served, own = _folders(keeping.pids()[1])
    folders = [served, own, keeping.folder]
    name = make_bucket(server)
    inside = list(served.iterdir())
    keeping.stop()

    assert inside == [served / name]
    assert served.is_relative_to("/dev/shm") or not os.access("/dev/shm", os.W_OK)
    assert not [folder for folder in folders if folder.exists()]


@pytest.mark.parametrize("kind", {service.name: kind for kind, service in KINDS.items() if not service.slow}.values())
def test_all_of_a_service_ends(kind: str, keeping: Keeping) -> None:
    """Those that consist of several processes, too; in a few seconds."""
    require(kind)
    keeping.server(kind)
    pids = keeping.pids()
    began = time.monotonic()
    keeping.stop()

    assert len(pids) >= (4 if kind.startswith("radosgw") else 2)
    assert time.monotonic() - began < 10
    assert not [pid for pid in pids if _runs(pid)]


def test_processes_share_one_server(keeping: Keeping) -> None:
    """Whichever asks first, and also when they ask at the same time."""
    asking = [_ask(keeping, "rclone") for _ in range(4)]
    answers = {_line(process) for process in asking}
    _end(*asking)

    assert answers == {keeping.server("rclone").endpoint}
    assert len(keeping.pids()) == 2


def test_a_server_outlives_the_worker_that_asked_first(keeping: Keeping) -> None:
    """A worker that is killed takes nothing with it."""
    worker = _ask(keeping, "rclone")
    endpoint = _line(worker)
    worker.kill()
    _end(worker)

    assert keeping.server("rclone").endpoint == endpoint
    assert client(keeping.server("rclone")).list_buckets()["Buckets"] == []


def test_nothing_outlives_a_session_that_is_killed(tmp_path: Path) -> None:
    """Nor does a folder."""
    session = _python(
        "from servers.keeping import begin_session, session, shared; import time; begin_session();"
        "shared('rclone'); print(*session().pids(), session().folder, flush=True); time.sleep(60)"
    )
    *pids, folder = _line(session).split()
    assert all(_runs(int(pid)) for pid in pids)
    session.kill()
    _end(session)
    _eventually(lambda: not any(_runs(int(pid)) for pid in pids))

    assert len(pids) == 2
    assert not Path(folder).exists()


def test_nothing_outlives_a_keeper_that_is_killed(keeping: Keeping) -> None:
    """The kernel ends what it has started; folders stay."""
    keeping.server("rclone")
    keeper, server = keeping.pids()
    folders = _folders(server)
    os.kill(keeper, signal.SIGKILL)
    _eventually(lambda: not _runs(server))
    for folder in folders:
        shutil.rmtree(folder)


def test_a_server_that_does_not_start_says_why() -> None:
    """The error ends with what the program wrote."""
    with pytest.raises(StartFailed, match=r"odd: .*ended with 1; the end of its log:\n +no luck today"):
        _start_what_fails()


def test_an_unknown_kind_is_refused(keeping: Keeping) -> None:
    """The known ones are named, and the keeper lives on; so it does when a client goes without a word."""
    with pytest.raises(StartFailed, match=r"'rclown'; known: radosgw, .*moto"):
        keeping.server("rclown")
    before = keeping.pids()
    with socket.socket(socket.AF_UNIX) as client_that_dies:
        client_that_dies.connect(str(keeping.folder / "socket"))

    assert keeping.pids() == before


@pytest.mark.parametrize(("ci", "outcome"), [("", "Skipped"), ("true", "Failed")])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: str) -> None:
    """A test is skipped for want of a program, and fails where all should be there."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CI", ci)
    what = missing("radosgw")
    with pytest.raises(BaseException, match=r"missing: radosgw, ceph-mon, ceph-osd") as caught:
        lacking(what)

    assert type(caught.value).__name__ == outcome


@pytest.fixture
def keeping() -> Iterator[Keeping]:
    made = new_keeping()
    yield made
    made.stop()


def _start_what_fails() -> None:
    nursery = Nursery("odd")
    try:
        nursery.start([sys.executable, "-c", "import sys; sys.exit('no luck today')"])
        nursery.wait(lambda: False)
    finally:
        nursery.stop()


def _python(code: str, **env: str) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parents[1])
    known = {**os.environ, **env, "PYTHONPATH": tests}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=known)


def _ask(keeping: Keeping, kind: str) -> subprocess.Popen[str]:
    """Ask in another process of the same session, which then waits to be ended."""
    code = f"from servers import shared; import time; print(shared({kind!r}).endpoint, flush=True); time.sleep(60)"
    return _python(code, OMNISTORAGE_TEST_SERVERS=f"{keeping.owner}:{keeping.folder}")


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def _end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def _runs(pid: int) -> bool:
    """Whether a process does anything yet; one that nobody has asked after may still have its number."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _folders(pid: int) -> tuple[Path, Path]:
    """Return what an rclone serves, and its own folder."""
    process = Path(f"/proc/{pid}")
    served = (process / "cmdline").read_text().rstrip("\0").rpartition("\0")[2]
    return Path(served), (process / "cwd").readlink()


def _eventually(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.02)
