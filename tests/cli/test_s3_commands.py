"""The commands that object stores make worth having: ``link``, ``cleanup``, ``versions``, ``about``."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from cli_runs import Run
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.storage import Storage
from s3_scenes import configured, fresh_bucket, settings
from servers import Server


@pytest.fixture
def work(radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> S3Driver:
    """A bucket that keeps versions, which the configured remote ``work`` means."""
    driver = fresh_bucket(radosgw, versioned=True)
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(configured(tmp_path / "config.toml", work=driver.options)))
    return driver


def test_link(run: Run, work: S3Driver) -> None:
    """It is printed alone, works for whoever has it, and for as long as was said."""
    Storage(work).write_bytes("d/a b", b"linked")
    ran = run("link", "work:d/a b", "--expire", "90s")
    with urlopen(ran.out.strip()) as answer:
        read = answer.read()

    assert (ran.code, ran.err, ran.out.count("\n")) == (0, "", 1)
    assert "X-Amz-Expires=90&" in ran.out
    assert read == b"linked"
    assert "X-Amz-Expires=604800&" in run("link", "work:d/a b").out


def test_link_to_store(run: Run, work: S3Driver) -> None:
    """A link for PUT needs no object to be there; one for reading does."""
    ran = run("link", "work:new", "--method", "put")
    with urlopen(Request(ran.out.strip(), data=b"stored", method="PUT")):
        pass
    missing = run("link", "work:none")

    assert Storage(work).read_bytes("new") == b"stored"
    assert (missing.code, missing.out) == (4, "")
    assert "none" in missing.err


def test_link_for_a_form(run: Run, work: S3Driver) -> None:
    """A form is a JSON object, of which nothing but the bytes is left to choose."""
    ran = run("link", "work:in/x", "--method", "POST", "--max-size", "1Ki")
    form = json.loads(ran.out)

    assert ran.code == 0
    assert form["url"].endswith(work.options.bucket)
    assert form["fields"]["key"] == "in/x"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("work:a", "--expire", "8d"), 1, "seven days"),
        (("work:a", "--max-size", "1M"), 2, "--method POST"),
        (("work:a", "--method", "TRACE"), 2, "TRACE"),
        (("work:",), 1, "name an object"),
        (("work:d",), 1, "only a directory"),
    ],
)
def test_bad_links(run: Run, work: S3Driver, args: tuple[str, ...], code: int, words: str) -> None:
    """What cannot be is one line, and no link."""
    for path in ("a", "d/b"):
        Storage(work).write_bytes(path, b"x")
    ran = run("link", *args)

    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_link_where_there_are_none(run: Run, tmp_path: Path) -> None:
    """Files of this machine have no links of that kind."""
    (tmp_path / "a").write_bytes(b"x")
    ran = run("link", "a")

    assert (ran.code, ran.out) == (1, "")
    assert "not supported" in ran.err


def test_versions(run: Run, work: S3Driver) -> None:
    """They are listed, printed, and brought back, also when the object was deleted."""
    with Storage(work) as storage:
        for data in (b"1", b"22"):
            storage.write_bytes("d/a", data)
        storage.delete("d/a")
        newer, older = (json.loads(line) for line in run("versions", "work:d/a", "--json").out.splitlines())
        listed = run("versions", "work:d/a").out.splitlines()
        shown = run("versions", "work:d/a", "--cat", older["version"])
        restored = run("versions", "work:d/a", "--restore", older["version"])

        assert (newer["size"], older["size"]) == (2, 1)
        assert [line.split()[-1] for line in listed] == [newer["version"], older["version"]]
        assert (shown.code, shown.out) == (0, "1")
        assert (restored.code, restored.out, restored.err) == (0, "", "")
        assert storage.read_bytes("d/a") == b"1"
        assert run("versions", "work:d/a", "--cat", "none").code == 4


def test_versions_where_there_are_none(run: Run, tmp_path: Path) -> None:
    """The refusal is one line."""
    (tmp_path / "a").write_bytes(b"x")

    assert run("versions", "a").code == 1
    assert run("versions", "a", "--cat", "1", "--restore", "1").code == 2


def test_cleanup(run: Run, work: S3Driver) -> None:
    """Unfinished uploads go when they are old enough; objects, and what a dry run shows, stay."""
    with Storage(work) as storage:
        storage.write_bytes("d/keep", b"x")
        for path in ("d/a", "e/b"):
            work.begin_upload(path, PutOptions()).put_part(1, BytesBody(b"x"))
        time.sleep(1.1)
        young = run("cleanup", "work:", "-v")
        dry = run("cleanup", "work:d", "--older-than", "1s", "-n")
        some = run("cleanup", "work:d", "--older-than", "1s", "-v")
        rest = run("cleanup", "work:", "--older-than", "1s", "-v")

        assert [ran.code for ran in (young, dry, some, rest)] == [0] * 4
        assert [ran.err.strip()[-len("N removed") :] for ran in (young, some, rest)] == [
            "0 removed", "1 removed", "1 removed",
        ]  # fmt: skip
        assert "1 would be removed" in dry.err
        assert list(storage.list()) == ["d/keep"]
    assert run("cleanup", "work:", "--older-than", "off").code == 1


def test_about(run: Run, work: S3Driver) -> None:
    """Ceph says how much a bucket holds."""
    Storage(work).write_bytes("a", b"x" * 2048)

    assert json.loads(run("about", "work:", "--json").out) == {"used": 2048, "objects": 1}


def test_expired_link_is_refused(run: Run, work: S3Driver) -> None:
    """The time on a link is kept to by the service."""
    Storage(work).write_bytes("a", b"x")
    link = run("link", "work:a", "--expire", "1s").out.strip()
    time.sleep(2.1)
    with pytest.raises(HTTPError) as late:
        urlopen(link)
    late.value.close()

    assert late.value.code == 403


def test_bucket_is_a_directory(run: Run, radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``mkdir`` makes it, below it nothing is to be made, and ``rmdir`` removes it once it is empty."""
    options = Options(**settings(radosgw))
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(configured(tmp_path / "config.toml", work=options)))
    name = f"made-{secrets.token_hex(6)}"
    dry = run("mkdir", "-n", f"work:{name}"), run("lsf", "work:")
    made = run("mkdir", f"work:{name}/d"), run("mkdir", f"work:{name}"), run("lsf", "work:")
    stored = run("rcat", f"work:{name}/d/a", stdin=b"x")
    full = run("rmdir", f"work:{name}")
    below = run("rmdir", f"work:{name}/e")
    run("deletefile", f"work:{name}/d/a")
    empty = run("rmdir", f"work:{name}")

    assert f"{name}/" not in dry[1].out.splitlines()
    assert [ran.code for ran in (*dry, *made, stored, below, empty)] == [0] * 8
    assert f"{name}/" in made[2].out.splitlines()
    assert full.code == 1
    assert "not empty" in full.err
    assert f"{name}/" not in run("lsf", "work:").out.splitlines()
    assert run("rmdir", f"work:{name}").code == 1


@pytest.mark.parametrize("verb", ["purge", "rmdirs"])
def test_bucket_goes_as_a_directory_does(
    verb: str, run: Run, radosgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket is removed with what is in it, and an empty one, but never with a directory in it."""
    options = Options(**settings(radosgw))
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(configured(tmp_path / "config.toml", work=options)))
    name = f"purged-{secrets.token_hex(6)}"
    run("mkdir", f"work:{name}")
    dry = run(verb, "-n", f"work:{name}")
    kept = f"{name}/" in run("lsf", "work:").out.splitlines()
    empty = run(verb, f"work:{name}")
    gone = f"{name}/" not in run("lsf", "work:").out.splitlines()
    run("mkdir", f"work:{name}")
    run("rcat", f"work:{name}/d/a", stdin=b"x")
    folder = run(verb, f"work:{name}/d")
    left = run("lsf", "-R", f"work:{name}")
    run("rcat", f"work:{name}/d/e/a", stdin=b"x")
    full = json.loads(run(verb, f"work:{name}", "--json").out)
    stays = f"{name}/" in run("lsf", "work:").out.splitlines()

    assert [ran.code for ran in (dry, empty, folder, left)] == [0] * 4
    assert (kept, gone) == (True, True)
    assert "/: not deleted" in dry.err
    assert left.out == ("" if verb == "purge" else "d/\nd/a\n")
    assert (full["deleted"], full["deleted_dirs"], stays) == ((1, 1, False) if verb == "purge" else (0, 0, True))


def test_purge_of_what_is_no_bucket(run: Run, work: S3Driver) -> None:
    """A directory that is not there is no success, and the bucket stays."""
    missing = run("purge", "work:none")

    assert missing.code == 1
    assert "not found" in missing.err
    assert run("lsf", "work:").code == 0


def test_touch_makes_an_object(run: Run, work: S3Driver) -> None:
    """Where directories are prefixes only, what is not there is made, and what stands below a prefix is touched."""
    with Storage(work) as storage:
        storage.write_bytes("d/a", b"kept", modified=7)
        none = run("touch", "-C", "work:state/done")
        absent = storage.exists("state/done")
        dry = run("touch", "-n", "work:state/done")
        made = run("touch", "-t", "2020-01-01", "work:state/done")
        below = run("touch", "-t", "2020-01-01", "work:d")
        whole = run("touch", "-t", "2020-01-02", "-R", "work:")

        assert [ran.code for ran in (none, dry, made, below, whole)] == [0] * 5
        assert "not made" in none.err
        assert "not made" in dry.err
        assert not absent
        assert [(info.path, info.size) for info in storage.scan()] == [("d/a", 4), ("state/done", 0)]
        assert storage.stat("state/done").mtime_ns == storage.stat("d/a").mtime_ns == 1_577_923_200 * 10**9
    assert run("touch", "work:").code == 0


def test_plan_to_an_address_with_a_secret(run: Run, radosgw: Server, tmp_path: Path) -> None:
    """The secret is not in the plan; who applies it names the place again, and is told so in one line."""
    server = fresh_bucket(radosgw).options
    address = (
        f"s3://{server.bucket}/DIR?endpoint_url={radosgw.endpoint}&access_key_id={radosgw.access_key}"
        f"&secret_access_key={radosgw.secret_key}"
    )
    there, backup = address.replace("DIR", "there"), address.replace("DIR", "backup")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_bytes(b"new")
    run("rcat", there.replace("there", "there/a"), stdin=b"older")
    planned = run("plan", "src", there, "-o", "p.json")
    backed = run("plan", "src", there, "--backup-dir", backup, "-o", "b.json")
    text = (tmp_path / "p.json").read_text()
    alone = run("apply", "p.json")
    named = run("apply", "p.json", "src", there)

    assert planned.code == 0
    assert radosgw.secret_key not in text
    assert (alone.code, alone.err) == (
        2,
        "omnistorage: 'p.json' does not say where the destination is, since its address holds a secret; "
        "give source and destination again (omnistorage apply --help tells more)\n",
    )
    assert named.code == 0
    assert run("cat", there.replace("there", "there/a")).out == "new"
    # A place for backups cannot be named again, and a plan that forgot it would replace what was to be kept.
    assert backed.code == 2
    assert "--backup-dir: its address holds a secret, which a plan does not keep" in backed.err
    assert radosgw.secret_key not in backed.err
    assert not (tmp_path / "b.json").exists()
