"""Listings of buckets, side by side with rclone's: directories are those that keys imply."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cli_runs import Run
from omnistorage.drivers.s3 import S3Driver
from omnistorage.storage import Storage
from s3_scenes import configured, fresh_bucket
from servers import Server
from servers.processes import program

KEYS = ["a-b", "a.txt", "a/x", "a/y/z", "b/c-d", "b/c/d/e", "q/r.jpg", "q/s/t.txt"]

Rclone = Callable[..., str]


@pytest.fixture(params=["radosgw", "rclone_s3"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> S3Driver:
    """A bucket with objects at several depths, which the configured remote ``work`` means."""
    server: Server = request.getfixturevalue(request.param)
    driver = fresh_bucket(server)
    keys = KEYS if server.kind == "rclone" else [*KEYS, "a", "marked/", "marked/in", "empty/"]
    for key in keys:
        if key[-1] == "/":
            driver._client.request("PUT", driver.options.bucket, key, body=b"")
        else:
            Storage(driver).write_bytes(key, b"x")
    monkeypatch.setenv("OMNISTORAGE_CONFIG", str(configured(tmp_path / "config.toml", work=driver.options)))
    return driver


@pytest.fixture
def rclone(driver: S3Driver) -> Rclone:
    """Run rclone on that bucket."""
    options = driver.options
    settings = {
        "type": "s3",
        "provider": "Other",
        "endpoint": options.endpoint_url,
        "access_key_id": options.access_key_id,
        "secret_access_key": options.secret_access_key,
        "region": options.region,
    }
    names = {f"RCLONE_CONFIG_WORK_{name.upper()}": value for name, value in settings.items()}

    def run(*args: str) -> str:
        words = [arg.replace("work:", f"work:{options.bucket}/") for arg in args]
        done = subprocess.run(
            [program("rclone") or "rclone", "--config", "", *words],
            capture_output=True, text=True, env={**os.environ, **names}, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    return run


@pytest.mark.parametrize(
    "args",
    [
        "lsf -R work:",
        "lsf -R work:b",
        "lsf -R --dirs-only work:",
        "lsf -R --files-only work:",
        "lsf -R --format ps work:",
        "lsf -R --include *.jpg work:",
        "lsf -R --exclude b/** work:",
        "lsf -R --exclude /a/y/ work:",
        "lsf -R --max-depth 2 work:",
        "lsf -R --min-size 10 work:",
        "lsf -R --files-from list work:",
        "lsf -R --absolute --dir-slash=false work:",
        "lsf work:",
    ],
)
def test_names_are_those_of_rclone(run: Run, rclone: Rclone, driver: S3Driver, args: str) -> None:
    """The same lines; the order is ours, in which a directory stands right before what is in it."""
    Path("list").write_text("a/y/z\nq/r.jpg\n")
    ran = run(*args.split())

    assert (ran.code, ran.err) == (0, "")
    assert sorted(ran.out.splitlines()) == sorted(rclone(*args.split()).splitlines())


def test_other_listings_are_those_of_rclone(run: Run, rclone: Rclone, driver: S3Driver) -> None:
    """``lsd`` and ``lsjson`` name the same directories; ``tree`` draws the same picture."""
    lsd, lsjson = ("lsd", "-R", "work:"), ("lsjson", "-R", "--no-modtime", "--no-mimetype", "work:")

    def shown(text: str) -> list[str]:
        return sorted(line.split(maxsplit=4)[4] for line in text.splitlines())

    def told(text: str) -> list[tuple[str, bool]]:
        return sorted((row["Path"], row["IsDir"]) for row in json.loads(text))

    assert shown(run(*lsd).out) == shown(rclone(*lsd))
    assert told(run(*lsjson).out) == told(rclone(*lsjson))
    for place in ("work:b", "work:q"):
        assert run("tree", place).out == rclone("tree", place)


def test_tree_draws_an_object_beside_a_directory_of_its_name(run: Run, tmp_path: Path, radosgw: Server) -> None:
    """Both are there; what is in the directory is drawn once."""
    driver = fresh_bucket(radosgw)
    for key in ("a", "a/x"):
        Storage(driver).write_bytes(key, b"x")
    config = configured(tmp_path / "config.toml", work=driver.options)
    ran = run("tree", "work:", "--config", config)

    assert ran.out == "/\n├── a\n└── a\n    └── x\n\n1 directories, 2 files\n"


def test_order(run: Run, driver: S3Driver) -> None:
    """It is that of other listings: sorted, a directory counting as its name with a slash."""
    lines = run("lsf", "-R", "work:").out.splitlines()

    assert lines == sorted(lines)
    assert run("lsf", "-R", "--format", "p", "work:", "-q").out.splitlines() == lines
